package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// exportFormat is the first thing in an exported file. Another format gets another name.
const exportFormat = "consentry audit export v1"

// maxLine bounds what a reader holds of a file at a time, in bytes.
const maxLine = 4 << 20

// Header is the first line of an exported log. It says how to read the rest; none of it is to be
// trusted, the keys least of all.
type Header struct {
	Format     string    `json:"format"` // filled in by Export
	Origin     string    `json:"origin"`
	ExportedAt time.Time `json:"exported_at"`
	Keys       []Key     `json:"keys"`
	// Checkpoint is the newest signed note at the time. A file that was cut short falls behind it.
	Checkpoint string `json:"checkpoint,omitempty"`
}

// line is an [Item] in JSON.
type line struct {
	Record     *Record       `json:"record,omitempty"`
	Checkpoint *string       `json:"checkpoint,omitempty"`
	Unlogged   *Entry        `json:"unlogged,omitempty"`
	Decision   *decisionLine `json:"decision,omitempty"`
}

// decisionLine holds input and outcome as strings, not as JSON within JSON: the hash is over their very
// bytes, and writers of JSON think little of respelling it.
type decisionLine struct {
	Hash     Hash               `json:"hash"`
	Revision privacy.RevisionID `json:"revision"`
	Input    string             `json:"input"`
	Outcome  string             `json:"outcome"`
}

// Export writes a log as a file of JSON lines, the header first. A log that was tampered with is
// exported as it is, for [VerifyFile] to find the same.
func Export(w io.Writer, header Header, items iter.Seq2[Item, error]) error {
	header.Format = exportFormat
	header.ExportedAt = header.ExportedAt.UTC()
	buffered := bufio.NewWriterSize(w, 64<<10)
	if err := writeLine(buffered, header); err != nil {
		return err
	}
	for item, err := range items {
		if err != nil {
			return err
		}
		if err := writeLine(buffered, item.line()); err != nil {
			return err
		}
	}
	if err := buffered.Flush(); err != nil {
		return privacy.Internal(err, "write the exported log")
	}
	return nil
}

func (i Item) line() line {
	switch {
	case i.Record != nil:
		return line{Record: i.Record}
	case i.Unlogged != nil:
		return line{Unlogged: i.Unlogged}
	case i.Decision != nil:
		d := i.Decision
		return line{Decision: &decisionLine{d.Hash, d.Revision, string(d.Input), string(d.Outcome)}}
	default:
		signed := string(i.Checkpoint)
		return line{Checkpoint: &signed}
	}
}

func (l line) item() (Item, bool) {
	var item Item
	set := 0
	if l.Record != nil {
		item.Record = l.Record
		set++
	}
	if l.Unlogged != nil {
		item.Unlogged = l.Unlogged
		set++
	}
	if d := l.Decision; d != nil {
		item.Decision = &StoredDecision{d.Hash, Decision{d.Revision, []byte(d.Input), []byte(d.Outcome)}}
		set++
	}
	if l.Checkpoint != nil {
		item.Checkpoint = []byte(*l.Checkpoint)
		set++
	}
	return item, set == 1
}

func writeLine(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = w.Write(append(b, '\n'))
	}
	if err != nil {
		return privacy.Internal(err, "write the exported log")
	}
	return nil
}

// ReadExport reads the header and gives the items, which are read from r as they are asked for, once. It
// takes what [Export] writes and no other spelling of it, so that nobody can hide something where
// one reader looks and another does not.
func ReadExport(r io.Reader) (Header, iter.Seq2[Item, error], error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	lines.Split(splitLines)
	var header Header
	if !lines.Scan() {
		return header, nil, malformedExport(1, lines.Err())
	}
	if err := readLine(lines.Bytes(), &header); err != nil || header.Format != exportFormat {
		return Header{}, nil, malformedExport(1, err)
	}
	return header, exportedItems(lines), nil
}

func exportedItems(lines *bufio.Scanner) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		n := 2
		for ; lines.Scan(); n++ {
			var l line
			err := readLine(lines.Bytes(), &l)
			item, one := l.item()
			if err != nil || !one {
				yield(Item{}, malformedExport(n, err))
				return
			}
			if !yield(item, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Item{}, malformedExport(n, err))
		}
	}
}

// readLine reads JSON in the one spelling that Export writes.
func readLine(text []byte, v any) error {
	if err := json.Unmarshal(text, v); err != nil {
		return err
	}
	again, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(text, again) {
		return errNotCanonical
	}
	return nil
}

var (
	errNotCanonical = errors.New("not spelled as it was exported")
	errCutShort     = errors.New("cut short")
)

// splitLines is bufio.ScanLines for files whose every line ends in a newline and nothing else.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, errCutShort
	}
	return 0, nil, nil
}

func malformedExport(n int, cause error) error {
	return &privacy.Error{
		Kind: privacy.KindInvalid, Code: "export_malformed",
		Detail: fmt.Sprintf("line %d is not of a log that was exported here", n), Cause: cause,
	}
}

// VerifyFile checks an exported log as [Verify] does. What to believe comes from trust, never from the
// file; the header is returned for display.
func VerifyFile(ctx context.Context, r io.Reader, trust Trust) (Header, Report, error) {
	header, items, err := ReadExport(r)
	if err != nil {
		return header, Report{}, err
	}
	if header.Checkpoint != "" {
		trust.Kept = append([][]byte{[]byte(header.Checkpoint)}, trust.Kept...)
	}
	report, err := Verify(ctx, items, trust)
	return header, report, err
}
