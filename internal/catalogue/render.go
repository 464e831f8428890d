package catalogue

import "unicode/utf8"

// AppendString appends a text to dst as a JSON string (RFC 8259 §7): what generalised,
// masked and tokenised values are, whatever the type of the attribute. Only what must be
// escaped is, so that one text has one rendering.
func AppendString(dst []byte, text string) []byte {
	dst = append(dst, '"')
	if isPlain(text) {
		return append(append(dst, text...), '"')
	}
	for _, r := range text { // broken UTF-8 ranges as U+FFFD, so the JSON stays valid
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20:
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xf])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// isPlain reports whether the text is printable ASCII that stands for itself in JSON.
func isPlain(text string) bool {
	for i := range len(text) {
		if b := text[i]; b < 0x20 || b > 0x7e || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}
