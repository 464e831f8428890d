package proofpack

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"io"
	"regexp"

	"github.com/consentry/consentry/internal/privacy"
)

// container is a ZIP file whose directory is within bounds. Nothing in it was unpacked yet.
type container struct {
	files map[string]*zip.File
}

// fileName is what files in a pack are called: no way up, no root, no drive, nothing that one system reads otherwise
// than another.
var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,5}$`)

func notAPack(why string) error { return privacy.Invalid("pack_malformed", why) }

// The end of a ZIP file's directory (APPNOTE 6.3.10, 4.3.16), which ends the file when it has no comment.
const (
	directoryEnd     = 22
	directoryEndMark = 0x06054b50
)

// openContainer reads a ZIP file's directory, once it is known to be short enough to be read: a directory of a few
// megabytes can name millions of files. It wants the plain form that [Write] gives: one disk, no
// comment, nothing before, between or behind, so that no other program sees other files in it.
func openContainer(r io.ReaderAt, size int64) (*container, error) {
	if size > maxPacked {
		return nil, notAPack("the file is larger than a pack can be")
	}
	end := make([]byte, directoryEnd)
	if _, err := r.ReadAt(end, size-directoryEnd); err != nil || binary.LittleEndian.Uint32(end) != directoryEndMark {
		return nil, notAPack("the file is no ZIP file, is cut short, or has something behind its end")
	}
	disks, onDisk, files := binary.LittleEndian.Uint32(end[4:]), binary.LittleEndian.Uint16(end[8:]), binary.LittleEndian.Uint16(end[10:])
	length, offset := int64(binary.LittleEndian.Uint32(end[12:])), int64(binary.LittleEndian.Uint32(end[16:]))
	switch {
	case disks != 0 || onDisk != files || offset+length+directoryEnd != size || binary.LittleEndian.Uint16(end[20:]) != 0:
		return nil, notAPack("the ZIP file is not in the plain form of packs")
	case files > maxFiles:
		return nil, notAPack("the ZIP file names more files than a pack can have")
	}
	directory, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, notAPack("the directory of the ZIP file cannot be read")
	}
	return indexed(directory)
}

func indexed(directory *zip.Reader) (*container, error) {
	c := &container{files: make(map[string]*zip.File, len(directory.File))}
	var total uint64
	for _, file := range directory.File {
		total += min(file.UncompressedSize64, maxFile+1)
		switch {
		case !fileName.MatchString(file.Name):
			return nil, notAPack("a file's name leads elsewhere, or is none that a pack has")
		case c.files[file.Name] != nil:
			return nil, notAPack("two files have one name")
		case file.Flags&1 != 0 || file.Method != zip.Deflate && file.Method != zip.Store || !file.Mode().IsRegular():
			return nil, notAPack("a file is encrypted, packed in an unknown way, or no plain file")
		case file.UncompressedSize64 > maxFile || total > maxPacked:
			return nil, notAPack("the files would unpack to more than a pack can hold")
		}
		c.files[file.Name] = file
	}
	return c, nil
}

var (
	errNoFile  = privacy.Invalid("pack_malformed", "is not there")
	errPacked  = privacy.Invalid("pack_malformed", "cannot be unpacked, or is not as large as the directory says")
	errTooLong = privacy.Invalid("pack_malformed", "is larger than such a file can be")
)

// open gives a file to read. However well it is packed, it gives no more than the directory says.
func (c *container) open(name string) (io.ReadCloser, error) {
	file, ok := c.files[name]
	if !ok {
		return nil, errNoFile
	}
	r, err := file.Open()
	if err != nil {
		return nil, errPacked
	}
	return &bounded{ReadCloser: r, left: file.UncompressedSize64}, nil
}

// read gives a whole file that is known to be small.
func (c *container) read(name string) ([]byte, error) {
	if file, ok := c.files[name]; ok && file.UncompressedSize64 > maxSmall {
		return nil, errTooLong
	}
	r, err := c.open(name)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r)
	if closing := r.Close(); err != nil || closing != nil {
		return nil, errPacked
	}
	return content, nil
}

// bounded fails when there is more than there should be.
type bounded struct {
	io.ReadCloser
	left uint64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if uint64(n) > b.left { //nolint:gosec // never negative
		return 0, errPacked
	}
	b.left -= uint64(n) //nolint:gosec // the same
	return n, err
}
