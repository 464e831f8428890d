package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
)

type consentsImportCommand struct {
	File    string `arg:"" help:"CSV with the columns of the manual, or NDJSON of the bodies of POST /v1/consents." type:"path"`
	URL     string `help:"The vault's URL." env:"CONSENTRY_URL" required:"" placeholder:"URL"`
	Token   string `help:"A steward's token." env:"CONSENTRY_TOKEN,CONSENTRY_TOKEN_STEWARD" required:"" placeholder:"TOKEN"`
	Rejects string `help:"Where to list the lines that were turned away; FILE.rejects.ndjson by default." placeholder:"FILE" type:"path"`
}

// consentColumns are the columns that a CSV file of consents can have.
var consentColumns = []string{"subject_id", "identifier_type", "identifier", "purpose", "action", "explicit", "separate_for", "by", "channel", "method",
	"occurred_at", "expires_at", "notice_id", "notice_version", "locale", "evidence"}

// consentAnswer is a line of the vault's answer. Nothing of what was sent is in it.
type consentAnswer struct {
	Line    int `json:"line"`
	Problem *struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	} `json:"problem"`
	Summary *struct {
		Lines    int  `json:"lines"`
		Recorded int  `json:"recorded"`
		Rejected int  `json:"rejected"`
		Complete bool `json:"complete"`
	} `json:"summary"`
}

// Run implements `consentry consents import`. It may be run again at any time: the vault knows a line by the file's hash and
// its number, and records it once.
func (c *consentsImportCommand) Run(ctx context.Context, io stdio) error {
	file, err := os.Open(c.File)
	if err != nil {
		return errFileUnreadable
	}
	defer func() { _ = file.Close() }()
	key, err := fileKey(file)
	if err != nil {
		return err
	}
	rejects, err := os.OpenFile(c.rejects(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return privacy.Invalid("unwritable_file", "the list of rejects cannot be written")
	}
	defer func() { _ = rejects.Close() }()
	answers, err := c.send(ctx, file, key)
	if err != nil {
		return err
	}
	defer func() { _ = answers.Close() }()
	return readConsentAnswers(json.NewDecoder(answers), json.NewEncoder(rejects), io)
}

func (c *consentsImportCommand) rejects() string {
	if c.Rejects != "" {
		return c.Rejects
	}
	return c.File + ".rejects.ndjson"
}

var errFileUnreadable = privacy.Invalid("unreadable_file", "the file cannot be read")

// fileKey is the SHA-256 of a file, which is at its beginning again afterwards. It is not opened a second time: by then
// its name could stand for another file, which would go under the key of this one.
func fileKey(file io.ReadSeeker) (string, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", errFileUnreadable
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", errFileUnreadable
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// send streams the file to the vault, and gives its answers as they come.
func (c *consentsImportCommand) send(ctx context.Context, file io.Reader, key string) (io.ReadCloser, error) {
	body, pipe := io.Pipe()
	go func() { // ends with the request, which closes the other end
		w := bufio.NewWriter(pipe)
		err := c.convert(file, w)
		if err == nil {
			err = w.Flush()
		}
		_ = pipe.CloseWithError(err)
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(c.URL, "/")+"/v1/consents/import", body)
	if err != nil {
		_ = body.CloseWithError(errFileUnreadable)
		return nil, privacy.Invalid("invalid_url", "the vault's URL is one with http or https")
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.Header.Set("Idempotency-Key", key)
	// A redirect would carry the consents to wherever it says.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return nil, privacy.Unavailable(nil, "vault_unreachable", "the vault cannot be reached, or the file not be read to its end")
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, privacy.Forbidden("import_refused", "the vault refused the import with status "+strconv.Itoa(response.StatusCode))
	}
	return response.Body, nil
}

func (c *consentsImportCommand) convert(file io.Reader, w io.Writer) error {
	if strings.HasSuffix(strings.ToLower(c.File), ".csv") {
		return convertConsents(csv.NewReader(file), w)
	}
	_, err := io.Copy(w, file)
	return err
}

// convertConsents writes a line for each row after the header, so that line n is row n.
func convertConsents(table *csv.Reader, w io.Writer) error {
	header, err := table.Read()
	if err != nil {
		return privacy.Invalid("invalid_csv", "the file has no header")
	}
	for _, column := range header {
		if !slices.Contains(consentColumns, strings.TrimPrefix(column, "\ufeff")) {
			return privacy.Invalid("unknown_column", "the header has a column that consents do not have; they have "+strings.Join(consentColumns, ", "))
		}
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	encoder := json.NewEncoder(w)
	for {
		row, err := table.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return privacy.Invalid("invalid_csv", "a row does not have the columns of the header")
		}
		cells := make(map[string]string, len(row))
		for i, cell := range row {
			cells[header[i]] = cell
		}
		if err := encoder.Encode(consentOf(cells)); err != nil {
			return err
		}
	}
}

// consentOf gives a row as the body it stands for. What is wrong with a cell is for the vault to say.
func consentOf(cells map[string]string) map[string]any {
	body := make(map[string]any)
	for _, name := range []string{"purpose", "action", "by", "channel", "method", "occurred_at", "expires_at", "locale", "evidence"} {
		if cells[name] != "" {
			body[name] = cells[name]
		}
	}
	if cells["subject_id"] != "" {
		body["subject"] = map[string]any{"id": cells["subject_id"]}
	} else {
		body["subject"] = map[string]any{"identifier": map[string]any{"type": cells["identifier_type"], "value": cells["identifier"]}}
	}
	if explicit, err := strconv.ParseBool(cells["explicit"]); err == nil {
		body["explicit"] = explicit
	} else if cells["explicit"] != "" {
		body["explicit"] = cells["explicit"]
	}
	if cells["separate_for"] != "" {
		body["separate_for"] = strings.Split(cells["separate_for"], ";")
	}
	if cells["notice_id"] != "" {
		version, _ := strconv.Atoi(cells["notice_version"])
		body["notice"] = map[string]any{"id": cells["notice_id"], "version": version}
	}
	return body
}

// readConsentAnswers lists what was turned away, and prints the summary.
func readConsentAnswers(answers *json.Decoder, rejects *json.Encoder, io stdio) error {
	for {
		var a consentAnswer
		if err := answers.Decode(&a); err != nil {
			return privacy.Unavailable(nil, "import_cut_short", "the answer was cut short; run the import again")
		}
		if a.Problem != nil {
			if err := rejects.Encode(map[string]any{"line": a.Line, "code": a.Problem.Code, "detail": a.Problem.Detail}); err != nil {
				return privacy.Internal(err, "list a reject")
			}
		}
		if a.Summary == nil {
			continue
		}
		_, _ = fmt.Fprintf(io.out, "%d lines, %d recorded, %d rejected\n", a.Summary.Lines, a.Summary.Recorded, a.Summary.Rejected)
		if !a.Summary.Complete {
			return privacy.Unavailable(nil, "import_incomplete", "the vault could not finish; run the import again")
		}
		if a.Summary.Rejected > 0 {
			return privacy.Invalid("lines_rejected", "some lines were turned away; the list of rejects says why")
		}
		return nil
	}
}
