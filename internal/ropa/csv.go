package ropa

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
)

// CSV writes the record as a table for spreadsheets, one row for each purpose (RFC 4180). A cell that a spreadsheet
// would take for a formula is kept from it by an apostrophe.
func (r *Record) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"purpose", "title", "description", "dpv", "category", "legal bases", "categories of subjects", "personal data", "sensitive data",
		"recipients", "transfers and safeguards", "retention", "consent lifetime", "notice", "profiling", "automated decisions", "PIPL impact assessment",
		"controller", "contact", "security measures", "revision", "in force since", "at"})
	for i := range r.Activities {
		row := r.row(&r.Activities[i])
		for c := range row {
			row[c] = harmless(row[c])
		}
		_ = out.Write(row) // Error tells
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return privacy.Internal(nil, "write the record as CSV")
	}
	return nil
}

func (r *Record) row(a *Activity) []string {
	const day = "2006-01-02T15:04:05Z07:00"
	notice := ""
	if a.Notice != nil {
		notice = a.Notice.String()
	}
	return []string{string(a.Purpose), a.Title(), a.Description(), a.DPV, a.Category, list(a.Bases, LegalBasis.String), strings.Join(a.Subjects, "; "),
		list(a.Data, DataItem.String), list(a.Sensitive(), DataItem.String), list(a.Recipients, DataRecipient.String), list(a.Transfers, DataTransfer.String),
		a.Retention, a.Lifetime, notice, yes(a.Profiling), yes(a.Automated), a.Assessment.String(),
		r.Controller.Name, r.Controller.Contact + ", " + r.Controller.Email, strings.Join(r.Security, " "), string(r.Revision), r.PublishedAt.Format(day), r.At.Format(day)}
}

// harmless keeps text from being read as a formula (OWASP, "CSV Injection").
func harmless(cell string) string {
	if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n|%") || strings.HasPrefix(cell, "＝") || strings.HasPrefix(cell, "＋") || strings.HasPrefix(cell, "－") || strings.HasPrefix(cell, "＠") {
		return "'" + cell
	}
	return cell
}

func list[T any](items []T, text func(T) string) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = text(item)
	}
	return strings.Join(texts, "; ")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// Title gives the title in English.
func (a *Activity) Title() string { return a.Titles["en"] }

// Description gives the description in English, or else in whichever language there is.
func (a *Activity) Description() string { return inEnglish(a.Descriptions) }

func inEnglish(texts map[string]string) string {
	if text, ok := texts["en"]; ok {
		return text
	}
	languages := make([]string, 0, len(texts))
	for language := range texts {
		languages = append(languages, language)
	}
	if len(languages) == 0 {
		return ""
	}
	slices.Sort(languages)
	return texts[languages[0]]
}

// Sensitive lists the sensitive attributes.
func (a *Activity) Sensitive() []DataItem {
	var sensitive []DataItem
	for _, item := range a.Data {
		if item.Classification == privacy.ClassSensitive {
			sensitive = append(sensitive, item)
		}
	}
	return sensitive
}

// String gives the basis in one line.
func (b LegalBasis) String() string { return string(b.Regime) + ": " + b.Basis }

// String gives the attribute in one line.
func (d DataItem) String() string {
	text := d.Title + " (" + string(d.Mode)
	if d.Retention != "" {
		text += ", " + d.Retention
	}
	return text + ")"
}

// String gives the recipient in one line.
func (r DataRecipient) String() string {
	return joined(r.Name, " (", r.Kind, r.Country, r.Mechanism, r.Agreement)
}

// String gives the transfer in one line.
func (t DataTransfer) String() string { return joined(t.Country, " (", t.Recipient, t.Safeguard) }

func joined(name, open string, more ...string) string {
	more = slices.DeleteFunc(more, func(text string) bool { return text == "" })
	if len(more) == 0 {
		return name
	}
	return name + open + strings.Join(more, ", ") + ")"
}

// String names the version.
func (n NoticeInForce) String() string {
	return n.ID + " " + strconv.Itoa(int(n.Version)) + " of " + n.ValidFrom.Format("2006-01-02")
}

// String gives the assessment in one line.
func (a Assessment) String() string {
	if !a.Required {
		return "not required"
	}
	return "required: " + strings.Join(a.Grounds, ", ")
}
