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

// plainBody tells which bytes bodyText copies without a look.
var plainBody = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x20 && c < 0x7f || c == '\t'
	}
	return t
}()

// bodyText makes a plain-text body fit for a file: LF line ends, no other control character but tab, valid UTF-8, no
// white space at its end.
func bodyText(s string) string {
	var b strings.Builder
	from := 0 // what lies before it is written, or left out
	for i := 0; i < len(s); {
		if plainBody[s[i]] {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		keep := false
		by := ""
		switch {
		case r == '\n':
			// The other half of a line end.
			keep = i == 0 || s[i-1] != '\r'
		case r == '\r' || r == 0x0b || r == 0x0c || r == 0x85 || r == 0x2028 || r == 0x2029:
			by = "\n"
		case r == utf8.RuneError:
			keep, by = n > 1, string(utf8.RuneError)
		default:
			keep = !isControl(r) && r != 0xfeff
		}
		if !keep {
			if from == 0 {
				b.Grow(len(s))
			}
			b.WriteString(s[from:i])
			b.WriteString(by)
			from = i + n
		}
		i += n
	}
	if from > 0 {
		b.WriteString(s[from:])
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
