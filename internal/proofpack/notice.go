package proofpack

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/consentry/consentry/internal/privacy"
)

// Notice is a version of a notice as it was published.
type Notice struct {
	NoticeRef
	Content []byte // canonical JSON, which the hash is of
}

// noticeContent is what a pack has to understand of a notice.
type noticeContent struct {
	Purposes []privacy.PurposeName    `json:"purposes"`
	Variants map[string]noticeVariant `json:"variants"`
}

type noticeVariant struct {
	SHA256 string `json:"sha256"`
	Text   string `json:"text"`
	Title  string `json:"title"`
	URI    string `json:"uri"`
}

func readNotice(content []byte) (noticeContent, error) {
	var n noticeContent
	if err := json.Unmarshal(content, &n); err != nil {
		return n, privacy.Invalid("pack_malformed", "a notice cannot be read")
	}
	return n, nil
}

func (n *noticeContent) languages() []string { return slices.Sorted(maps.Keys(n.Variants)) }

// page is a variant as a text to read.
func (v *noticeVariant) page() string {
	page := "# " + v.Title + "\n\n"
	if v.URI != "" {
		return page + "<" + v.URI + ">\n\nSHA-256 of what is there: " + v.SHA256 + "\n"
	}
	return page + v.Text + "\n"
}

func (r NoticeRef) folder() string {
	return noticesFolder + r.ID + "/" + strconv.Itoa(int(r.Version)) + "/"
}

func (r NoticeRef) contentName() string { return r.folder() + "notice.json" }

func (r NoticeRef) pageName(language string) string { return r.folder() + language + ".md" }

func hashOf(content []byte) []byte {
	hash := sha256.Sum256(content)
	return hash[:]
}
