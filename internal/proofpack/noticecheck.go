package proofpack

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
)

// reference is what the records say of a version of a notice.
type reference struct {
	hash      []byte
	purposes  map[privacy.PurposeName]bool
	languages map[string]bool
}

// refer notes what the record says of the notice that was shown.
func (w *walk) refer() {
	r := &w.record
	if r.Notice == nil {
		return
	}
	if len(w.shown) > maxFiles {
		return // more than there can be files; the missing ones are found
	}
	ref := w.shown[*r.Notice]
	if ref == nil {
		ref = &reference{hash: slices.Clone(r.NoticeHash), purposes: map[privacy.PurposeName]bool{}, languages: map[string]bool{}}
		w.shown[*r.Notice] = ref
	}
	if !bytes.Equal(ref.hash, r.NoticeHash) {
		w.records.fault("record %d refers to another text of the notice than one before it", r.Seq)
	}
	if !r.Action.AboutObjection() {
		ref.purposes[r.Purpose] = true
	}
	if r.Locale != "" {
		ref.languages[r.Locale] = true
	}
}

// compareNotices checks that each notice is the text that the records refer to, in all its languages.
func (v *verifier) compareNotices(context.Context) bool {
	check := v.notices
	expected := make(map[string]bool)
	languages := 0
	for _, ref := range slices.SortedFunc(maps.Keys(v.shown), func(a, b NoticeRef) int { return strings.Compare(a.contentName(), b.contentName()) }) {
		languages += v.compareNotice(check, ref, expected)
	}
	for name := range v.pack.files {
		if strings.HasPrefix(name, noticesFolder) && !expected[name] {
			check.fault("%s is of no notice that a record refers to", name)
		}
	}
	check.done("%s in %s, as the records' hashes say", plural(len(v.shown), "notice"), plural(languages, "text"))
	return true
}

func (v *verifier) compareNotice(check *Check, ref NoticeRef, expected map[string]bool) (languages int) {
	name := ref.contentName()
	expected[name] = true
	content, err := v.pack.read(name)
	if err != nil {
		check.fault("%s %s", name, detailOf(err))
		return 0
	}
	if !bytes.Equal(hashOf(content), v.shown[ref].hash) {
		check.fault("%s is not the text that the records refer to", name)
	}
	notice, err := readNotice(content)
	if err != nil {
		check.fault("%s: %s", name, detailOf(err))
		return 0
	}
	for language, variant := range notice.Variants {
		page := ref.pageName(language)
		expected[page] = true
		if shown, err := v.pack.read(page); err != nil || string(shown) != variant.page() {
			check.fault("%s does not have the words of %s", page, name)
		}
	}
	for language := range v.shown[ref].languages {
		if _, ok := notice.Variants[language]; !ok {
			check.fault("%s is not in a language in which a record says it was shown", name)
		}
	}
	for purpose := range v.shown[ref].purposes {
		if !slices.Contains(notice.Purposes, purpose) {
			check.fault("%s does not explain a purpose that a record refers to it for", name)
		}
	}
	return len(notice.Variants)
}
