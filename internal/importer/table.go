package importer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/consentry/consentry/internal/mapping"
	"github.com/consentry/consentry/internal/privacy"
)

// headSize is how much of a file tells it from others, in bytes.
const headSize = 1 << 20

// Stdin is the path that stands for the standard input.
const Stdin = "-"

// Input says what to read.
type Input struct {
	Path    string    // Stdin reads from In
	In      io.Reader // used for Stdin alone
	Mapping []byte    // in YAML
	Sparse  bool      // NDJSON only: take a file although no record at its head has one of the columns
}

// Identity tells one import from another: the same file under another mapping is another import.
type Identity struct {
	Size    int64  `json:"size"` // -1 when the input is a stream
	Head    string `json:"head"` // SHA-256 of the first MiB
	Mapping string `json:"mapping"`
}

// Table is a file that is being read under its mapping. One goroutine uses it.
type Table struct {
	mapping  *mapping.Mapping
	identity Identity
	rows     rowReader
	close    func() error
	read     *atomic.Int64 // bytes
	number   int
}

// row is one record. The cells are valid until the next is read.
type row struct {
	number int // from 1
	line   int // on which it starts, from 1, a header counted
	cell   mapping.Record
	defect *privacy.Error // why it cannot be used
}

// rowReader is a format. Read gives io.EOF after the last record; every other error ends the
// import. What is wrong with one record is its defect.
type rowReader interface{ read() (row, error) }

// Open opens a table and refuses, with a KindInvalid error, one that the mapping does not fit.
func Open(input Input) (*Table, error) {
	m, err := mapping.Parse(input.Mapping)
	if err != nil {
		return nil, err
	}
	t := &Table{mapping: m, read: new(atomic.Int64), identity: Identity{Size: -1, Mapping: digest(input.Mapping)}}
	if input.Path == Stdin {
		t.close = func() error { return nil }
		return t, t.openStream(input.In, input.Sparse)
	}
	file, err := os.Open(input.Path)
	if err != nil {
		return nil, unreadable(err)
	}
	t.close = file.Close
	if err := t.openFile(file, input.Sparse); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return t, nil
}

func (t *Table) openFile(file *os.File, sparse bool) error {
	info, err := file.Stat()
	if err != nil {
		return unreadable(err)
	}
	if info.IsDir() {
		return privacy.Invalid("file_unreadable", "the path is a folder")
	}
	if t.mapping.Format != mapping.FormatParquet {
		if info.Mode().IsRegular() {
			t.identity.Size = info.Size()
		}
		return t.openStream(file, sparse)
	}
	t.identity.Size = info.Size()
	head, err := io.ReadAll(io.NewSectionReader(file, 0, headSize))
	if err != nil {
		return unreadable(err)
	}
	t.identity.Head = digest(head)
	parquet, err := newParquetTable(&countingReaderAt{file, t.read}, info.Size(), t.mapping)
	if err != nil {
		return err
	}
	t.rows = parquet
	t.close = func() error { return errors.Join(parquet.close(), file.Close()) }
	return nil
}

func (t *Table) openStream(in io.Reader, sparse bool) error {
	if t.mapping.Format == mapping.FormatParquet {
		return privacy.Invalid("parquet_needs_a_file", "a Parquet file is not read from its start to its end; name the file")
	}
	buffered := bufio.NewReaderSize(&countingReader{in, t.read}, headSize)
	head, err := buffered.Peek(headSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return unreadable(err)
	}
	if len(head) == 0 {
		return errEmptyFile
	}
	t.identity.Head = digest(head)
	if t.mapping.Format == mapping.FormatCSV {
		t.rows, err = newCSVTable(t.mapping.Decode(buffered), t.mapping)
		return err
	}
	if !sparse {
		if err := checkMembers(t.mapping.Decode(bytes.NewReader(head)), t.mapping); err != nil {
			return err
		}
	}
	t.rows = newLineTable(t.mapping.Decode(buffered))
	return nil
}

// Close closes the file.
func (t *Table) Close() error { return t.close() }

// Identity tells which file and mapping this is.
func (t *Table) Identity() Identity { return t.identity }

// Mapping is what the table is read under.
func (t *Table) Mapping() *mapping.Mapping { return t.mapping }

// next reads a record.
func (t *Table) next() (row, error) {
	r, err := t.rows.read()
	if err != nil {
		if errors.Is(err, io.EOF) || privacy.KindOf(err) == privacy.KindInvalid {
			return row{}, err
		}
		return row{}, unreadable(err)
	}
	t.number++
	r.number = t.number
	return r, nil
}

// draft maps a record.
func (t *Table) draft(r row) (mapping.Draft, error) {
	if r.defect != nil {
		return mapping.Draft{}, r.defect
	}
	return t.mapping.Row(func(column string) (string, bool) {
		if column == mapping.LineColumn {
			return strconv.Itoa(r.number), true
		}
		return r.cell(column)
	})
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// countingReader counts what has been read, for the progress bar.
type countingReader struct {
	in    io.Reader
	count *atomic.Int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.count.Add(int64(n))
	return n, err
}

// countingReaderAt is countingReader for a file that is not read in order.
type countingReaderAt struct {
	in    io.ReaderAt
	count *atomic.Int64
}

func (r *countingReaderAt) ReadAt(p []byte, offset int64) (int, error) {
	n, err := r.in.ReadAt(p, offset)
	r.count.Add(int64(n))
	return n, err
}
