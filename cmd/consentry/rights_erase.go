package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

type rightsEraseCommand struct {
	policyAPIFlags `embed:""`
	From           string `help:"A file with the ids of the subjects, one a line; - for standard input." required:"" placeholder:"FILE"`
	Ground         string `help:"Why the law wants them erased: no_longer_necessary, consent_withdrawn, objected, unlawfully_processed or legal_obligation." required:"" placeholder:"GROUND"`
}

// Run implements `consentry rights erase`: a line of NDJSON for each subject, then how many there were. It may be run again at any time. The error
// is set when some were refused.
func (c *rightsEraseCommand) Run(ctx context.Context, io stdio) error {
	text, err := readInput(c.From)
	if err != nil {
		return err
	}
	ids := strings.Fields(string(text))
	if len(ids) == 0 {
		return privacy.Invalid("empty_file", "the file names nobody")
	}
	vault, err := newPolicyAPI(c.policyAPIFlags)
	if err != nil {
		return err
	}
	defer vault.close()
	lines, refused := json.NewEncoder(io.out), 0
	for chunk := range slices.Chunk(ids, rights.BatchAtMost) {
		var answer struct {
			Requests []rights.Batched `json:"requests"`
		}
		asked := map[string]any{"type": "erasure", "ground": c.Ground, "subjects": chunk}
		if err := vault.call(ctx, http.MethodPost, "/v1/requests/batch", "", asked, &answer); err != nil {
			return err
		}
		for _, one := range answer.Requests {
			if one.Problem != "" {
				refused++
			}
			if err := lines.Encode(one); err != nil {
				return privacy.Internal(err, "print an answer")
			}
		}
	}
	if _, err := fmt.Fprintf(io.err, "%d subjects: %d erasures taken up, %d refused\n", len(ids), len(ids)-refused, refused); err != nil {
		return privacy.Internal(err, "print an answer")
	}
	if refused > 0 {
		return privacy.Conflict("subjects_refused", "some were not taken up: their lines have a problem; the others are being erased")
	}
	return nil
}
