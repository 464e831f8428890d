package importer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/consentry/consentry/internal/mapping"
	"github.com/consentry/consentry/internal/privacy"
)

const (
	maxFooter    = 16 << 20 // bytes of a Parquet file's metadata, which is read at once
	parquetBatch = 64       // rows read at once
)

var errNotParquet = privacy.Invalid("invalid_parquet", "the file is not a Parquet file, or is damaged")

// parquetTable reads the rows of a Parquet file. A field inside a group is the column
// "outer.inner"; a list is handed on as JSON, and null is an empty cell.
type parquetTable struct {
	file    *parquet.File
	groups  []parquet.RowGroup // still to be read
	rows    parquet.Rows       // of the current group, nil between groups
	buffer  []parquet.Row
	pending []parquet.Row
	at      map[string]parquetColumn
	current map[int][]parquet.Value // the current row, by leaf
	number  int
}

// parquetColumn is a leaf of the schema.
type parquetColumn struct {
	leaf  int
	list  bool
	write cellWriter
}

// newParquetTable opens a file and refuses one that the mapping does not fit.
func newParquetTable(in io.ReaderAt, size int64, m *mapping.Mapping) (t *parquetTable, err error) {
	defer damaged(&err)
	if err := checkFooter(in, size); err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(in, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, errNotParquet
	}
	t = &parquetTable{file: file, groups: file.RowGroups(), buffer: make([]parquet.Row, parquetBatch), at: make(map[string]parquetColumn), current: make(map[int][]parquet.Value)}
	t.addLeaves(file.Root())
	return t, missingColumns(m.Columns(), func(column string) bool { _, ok := t.at[column]; return ok })
}

// checkFooter bounds what opening the file will allocate: the footer's length is the file's own claim.
func checkFooter(in io.ReaderAt, size int64) error {
	if size == 0 {
		return errEmptyFile
	}
	var tail [8]byte
	if size < 12 {
		return errNotParquet
	}
	if _, err := in.ReadAt(tail[:], size-8); err != nil {
		return unreadable(err)
	}
	if length := binary.LittleEndian.Uint32(tail[:4]); string(tail[4:]) != "PAR1" || int64(length) > min(size-12, maxFooter) {
		return errNotParquet
	}
	return nil
}

func (t *parquetTable) addLeaves(column *parquet.Column) {
	if !column.Leaf() {
		for _, child := range column.Columns() {
			t.addLeaves(child)
		}
		return
	}
	path, list := column.Path(), column.MaxRepetitionLevel() > 0
	name := strings.Join(path, ".")
	for _, wrapper := range []string{".list.element", ".list.item", ".bag.array_element", ".bag.array"} { // as writers name the parts of a list
		name = strings.TrimSuffix(name, wrapper)
	}
	t.at[name] = parquetColumn{leaf: column.Index(), list: list, write: writerFor(column.Type())}
}

func (t *parquetTable) read() (r row, err error) {
	defer damaged(&err)
	for len(t.pending) == 0 {
		if err := t.fill(); err != nil {
			return row{}, err
		}
	}
	clear(t.current)
	t.pending[0].Range(func(leaf int, values []parquet.Value) bool {
		t.current[leaf] = values
		return true
	})
	t.pending = t.pending[1:]
	t.number++
	return row{line: t.number, cell: t.cell, defect: t.tooLong()}, nil
}

// fill reads the next rows. They alias the library's pages until it is called again.
func (t *parquetTable) fill() error {
	if t.rows == nil {
		if len(t.groups) == 0 {
			return io.EOF
		}
		t.rows, t.groups = t.groups[0].Rows(), t.groups[1:]
	}
	n, err := t.rows.ReadRows(t.buffer)
	t.pending = t.buffer[:n]
	if err == nil && n > 0 {
		return nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return errNotParquet
	}
	err = t.rows.Close()
	t.rows = nil
	if err != nil {
		return errNotParquet
	}
	return nil
}

func (t *parquetTable) tooLong() *privacy.Error {
	total := 0
	for _, values := range t.current {
		field := 0
		for _, value := range values {
			if kind := value.Kind(); kind == parquet.ByteArray || kind == parquet.FixedLenByteArray {
				field += len(value.ByteArray())
			}
		}
		if total += field; field > maxField {
			return errFieldTooLong
		}
	}
	if total > maxRecord {
		return errRecordTooLong
	}
	return nil
}

func (t *parquetTable) cell(name string) (string, bool) {
	column, ok := t.at[name]
	if !ok {
		return "", false
	}
	values := t.current[column.leaf]
	if column.list {
		return listCell(values, column.write), true
	}
	if len(values) == 0 || values[0].IsNull() {
		return "", true
	}
	return column.write(values[0]), true
}

func (t *parquetTable) close() error {
	if t.rows == nil {
		return nil
	}
	return t.rows.Close()
}

// damaged turns a panic of the decoder, which trusts what a file says of itself, into an error. Its
// message could quote the file, so it is dropped.
func damaged(err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("%w (the decoder gave up)", errNotParquet)
	}
}
