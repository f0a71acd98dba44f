package render

import "unicode/utf8"

// maxLine is the length of a line in bytes at which iCalendar and vCard fold (RFC 5545 section 3.1, RFC 6350 section 3.2).
const maxLine = 75

// fold breaks lines that end in CRLF after at most 75 bytes, on rune boundaries; a line goes on behind CRLF and a space.
func fold(in []byte) []byte {
	out := make([]byte, 0, len(in)+len(in)/32)
	width := 0
	for i := 0; i < len(in); {
		if in[i] == '\r' || in[i] == '\n' {
			out = append(out, in[i])
			width = 0
			i++
			continue
		}
		n := 1
		if in[i] >= utf8.RuneSelf {
			_, n = utf8.DecodeRune(in[i:])
		}
		if width+n > maxLine {
			out = append(out, "\r\n "...)
			width = 1
		}
		out = append(out, in[i:i+n]...)
		width += n
		i += n
	}
	return out
}
