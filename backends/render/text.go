package render

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// isBidi reports the characters that change the direction of what follows them: embeddings, overrides, isolates, marks.
func isBidi(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}

// isControl reports characters of category Cc, C1 included.
func isControl(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0
}

// oneLine makes remote text fit for a header or a front-matter value: one line, white space collapsed, without control and
// bidirectional characters, noncharacters and byte order marks, valid UTF-8.
func oneLine(s string) string {
	if cleanLine(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	gap := false
	for _, r := range s {
		switch {
		case r == ' ' || r == 0xa0 || r == 0x2028 || r == 0x2029 || isControl(r):
			gap = true
		case isBidi(r) || r == 0xfeff || r&0xfffe == 0xfffe:
		default:
			if gap && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(r)
		}
	}
	return b.String()
}

// cleanLine reports whether oneLine has nothing to do, which is so for nearly all values.
func cleanLine(s string) bool {
	space := true
	for i := range len(s) {
		c := s[i]
		if c < 0x20 || c >= 0x7f || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return !space || s == ""
}

// bodyText makes a plain-text body fit for a file: LF line ends, no other control character but tab, valid UTF-8, no
// white space at its end.
func bodyText(s string) string {
	clean := true
	for _, r := range s {
		if r != '\n' && r != '\t' && (isControl(r) || r == utf8.RuneError || r == 0x2028 || r == 0x2029 || r == 0xfeff) {
			clean = false
			break
		}
	}
	if !clean {
		var b strings.Builder
		b.Grow(len(s))
		prev := rune(0)
		for _, r := range s {
			switch {
			case r == '\n' && prev == '\r':
			case r == '\n' || r == '\r' || r == 0x0b || r == 0x0c || r == 0x85 || r == 0x2028 || r == 0x2029:
				b.WriteByte('\n')
			case r == '\t' || !isControl(r) && r != 0xfeff:
				b.WriteRune(r)
			}
			prev = r
		}
		s = b.String()
	}
	return strings.TrimRightFunc(s, unicode.IsSpace)
}

// appendBody appends a body and its final newline; an empty body adds nothing.
func appendBody(out []byte, body string) []byte {
	if body == "" {
		return out
	}
	out = append(out, '\n')
	out = append(out, body...)
	return append(out, '\n')
}

// firstLine gives the first line of a text that says something, cut to about n bytes at a word. Quoted lines count only
// where there are no others.
func firstLine(s string, n int) string {
	quoted := ""
	for line := range strings.SplitSeq(s, "\n") {
		switch line = oneLine(strings.TrimSpace(line)); {
		case line == "":
		case !strings.HasPrefix(line, ">"):
			return cutWord(line, n)
		case quoted == "":
			quoted = line
		}
	}
	return cutWord(quoted, n)
}

// cutWord cuts s to at most n bytes, between words if one ends in its second half.
func cutWord(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	if i := strings.LastIndexByte(s[:n+1], ' '); i > n/2 {
		n = i
	}
	return strings.TrimRight(s[:n], " ")
}
