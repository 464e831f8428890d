package custody

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
)

// NoticeContent is what people are shown before they decide (GDPR Art. 13, PIPL Art. 17, ISO/IEC 29184): who
// processes what for whom and how long, and in which words they were told. Its JSON form has the names of
// its fields in order and no space to spare, which for what it holds is the form of RFC 8785: the
// hash of a notice can be worked out anywhere.
type NoticeContent struct {
	Contact    string                   `json:"contact" maxLength:"500" example:"privacy@example.com" doc:"How to reach the controller about privacy."`
	Controller string                   `json:"controller" minLength:"1" maxLength:"200" example:"Example Ltd" doc:"Who is responsible."`
	Purposes   []privacy.PurposeName    `json:"purposes" minItems:"1" maxItems:"200" doc:"What the notice explains: a consent that refers to it is for one of these."`
	Recipients []string                 `json:"recipients" maxItems:"100" doc:"Who gets the data besides the controller."`
	Retention  string                   `json:"retention" maxLength:"16" example:"P3Y" doc:"How long data is kept at most, as an ISO 8601 duration; empty when the text says it."`
	Rights     []string                 `json:"rights" enum:"access,portability,rectification,erasure,restriction,objection,withdrawal,explanation,complaint" maxItems:"16" doc:"The rights it tells of."`
	Variants   map[string]NoticeVariant `json:"variants" doc:"The words, by BCP 47 language tag."`
}

// NoticeVariant is a notice in one language: its text, or where the text is and what it hashes to.
type NoticeVariant struct {
	SHA256 string `json:"sha256,omitempty" pattern:"^[0-9a-f]{64}$" doc:"Of the document at the URI, so that it stays known what was shown."`
	Text   string `json:"text,omitempty" maxLength:"65536" doc:"Markdown."`
	Title  string `json:"title" minLength:"1" maxLength:"200" example:"How we use your data"`
	URI    string `json:"uri,omitempty" maxLength:"1000" example:"https://www.example.com/privacy/v3"`
}

const noticeSchema = "notice.schema.json"

var noticeID = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,62}$`)

// canonical checks a notice and gives the one form in which it is stored and hashed.
func (c NoticeContent) canonical() ([]byte, error) {
	c.Purposes, c.Recipients, c.Rights = distinct(c.Purposes), distinct(c.Recipients), distinct(c.Rights)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(c); err != nil {
		return nil, privacy.Internal(err, "write a notice")
	}
	if err := c.check(text.Bytes()); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

func distinct[S ~string](list []S) []S {
	sorted := append([]S{}, list...)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// check holds a notice to its schema, and to what a schema cannot say.
func (c *NoticeContent) check(text []byte) error {
	faults, err := policy.Conform(noticeSchema, text)
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return privacy.WithPlaces(privacy.Invalid("invalid_notice", "the notice is not as notice.schema.json says; see errors"), noticePlaces(faults))
	}
	if _, err := catalogue.ParsePeriod(c.Retention); err != nil && c.Retention != "" {
		return invalidNotice("has a retention such as P3Y, or none")
	}
	texts := append([]string{c.Contact, c.Controller}, c.Recipients...)
	for tag, variant := range c.Variants {
		if parsed, err := language.Parse(tag); err != nil || parsed.String() != tag {
			return invalidNotice("names languages by BCP 47 tags in their canonical form, such as en or zh-Hans")
		}
		texts = append(texts, variant.Title, variant.Text, variant.URI)
	}
	if slices.ContainsFunc(texts, notPlain) {
		return invalidNotice("is plain text: no control characters but line ends and tabs")
	}
	return nil
}

// noticePlaces says where a notice does not fit its schema. The name of a variant is the writer's, and is not repeated.
func noticePlaces(faults []policy.Fault) []privacy.Place {
	places := make([]privacy.Place, len(faults))
	for i, fault := range faults {
		path := slices.Clone(fault.Path)
		if len(path) > 1 && path[0] == "variants" {
			path[1] = "*"
		}
		places[i] = privacy.Place{Location: strings.Join(append([]string{"/content"}, path...), "/"), Message: fault.Message}
	}
	slices.SortFunc(places, func(a, b privacy.Place) int {
		return cmp.Or(strings.Compare(a.Location, b.Location), strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(places)
}

// notPlain reports whether JSON would have more than one way to write the text.
func notPlain(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool {
		return r != '\n' && r != '\t' && unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	})
}

func invalidNotice(rule string) error { return privacy.Invalid("invalid_notice", "a notice "+rule) }

func noticeHash(content []byte) []byte {
	hash := sha256.Sum256(content)
	return hash[:]
}

func noticeObject(ref NoticeRef, hash []byte) string {
	return "notice/" + ref.ID + "/" + hex.EncodeToString(hash)
}
