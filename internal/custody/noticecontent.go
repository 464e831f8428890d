package custody

import (
	"bytes"
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

const maxVariants = 50

var (
	noticeID   = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,62}$`)
	sha256Text = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// canonical checks a notice and gives the one form in which it is stored and hashed.
func (c NoticeContent) canonical() ([]byte, error) {
	c.Purposes, c.Recipients, c.Rights = distinct(c.Purposes), distinct(c.Recipients), distinct(c.Rights)
	if err := c.check(); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(c); err != nil {
		return nil, privacy.Internal(err, "write a notice")
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

func distinct[S ~string](list []S) []S {
	sorted := append([]S{}, list...)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

func (c *NoticeContent) check() error {
	if c.Controller == "" || len(c.Purposes) == 0 || len(c.Variants) == 0 || len(c.Variants) > maxVariants {
		return invalidNotice("names a controller, at least one purpose and its words in 1 to 50 languages")
	}
	if _, err := catalogue.ParsePeriod(c.Retention); err != nil && c.Retention != "" {
		return invalidNotice("has a retention such as P3Y, or none")
	}
	texts := append([]string{c.Contact, c.Controller}, c.Recipients...)
	for tag, variant := range c.Variants {
		if parsed, err := language.Parse(tag); err != nil || parsed.String() != tag {
			return invalidNotice("names languages by BCP 47 tags in their canonical form, such as en or zh-Hans")
		}
		if err := variant.check(); err != nil {
			return err
		}
		texts = append(texts, variant.Title, variant.Text, variant.URI)
	}
	if slices.ContainsFunc(texts, notPlain) {
		return invalidNotice("is plain text: no control characters but line ends and tabs")
	}
	return nil
}

func (v *NoticeVariant) check() error {
	switch {
	case v.Title == "":
		return invalidNotice("has a title in every language")
	case (v.Text == "") == (v.URI == ""):
		return invalidNotice("has a text or a uri in every language, one of the two")
	case v.URI != "" && (!strings.HasPrefix(v.URI, "https://") || !sha256Text.MatchString(v.SHA256)):
		return invalidNotice("that is kept elsewhere gives an https uri and the sha256 of what is there")
	case v.Text != "" && v.SHA256 != "":
		return invalidNotice("gives a sha256 with a uri only")
	}
	return nil
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
