package mapping

import (
	"io"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

// Encoding names the character encoding of a text file.
type Encoding string

// The encodings.
const (
	EncodingUTF8        Encoding = "utf-8"
	EncodingUTF16       Encoding = "utf-16" // by its byte order mark, little endian without one
	EncodingGBK         Encoding = "gbk"
	EncodingGB18030     Encoding = "gb18030"
	EncodingBig5        Encoding = "big5"
	EncodingLatin1      Encoding = "latin1"
	EncodingWindows1252 Encoding = "windows-1252"
)

const knownEncodings = "utf-8, utf-16, gbk, gb18030, big5, latin1, windows-1252"

func (e Encoding) decoder() (encoding.Encoding, bool) {
	switch e {
	case EncodingUTF8:
		return unicode.UTF8BOM, true
	case EncodingUTF16:
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), true
	case EncodingGBK:
		return simplifiedchinese.GBK, true
	case EncodingGB18030:
		return simplifiedchinese.GB18030, true
	case EncodingBig5:
		return traditionalchinese.Big5, true
	case EncodingLatin1:
		return charmap.ISO8859_1, true
	case EncodingWindows1252:
		return charmap.Windows1252, true
	default:
		return nil, false
	}
}

// Decode gives the text of a file in UTF-8, without byte order mark. What is not valid in
// the encoding comes out as U+FFFD, which every attribute refuses, so that a file
// read in the wrong encoding yields rejects and not garbled names.
func (m *Mapping) Decode(file io.Reader) io.Reader {
	known, _ := m.Encoding.decoder() // checked when parsed
	return known.NewDecoder().Reader(file)
}
