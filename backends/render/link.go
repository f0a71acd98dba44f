package render

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// linkTarget makes an address fit to stand in Markdown; "" if it is none that a reader could follow.
func linkTarget(s string) string {
	s = strings.TrimSpace(s)
	scheme, _, ok := strings.Cut(s, ":")
	if !ok {
		return ""
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "mailto", "tel", "ftp", "file", "cid", "callto", "sip", "sips", "msteams", "news", "webcal", "onenote":
	default:
		return ""
	}
	return escapeURL(s)
}

// escapeURL percent-encodes what would end an address or a line in our formats, controls and bidirectional characters too.
func escapeURL(s string) string {
	ok := true
	for i := range len(s) {
		// All that is unsafe in ASCII, and what is not ASCII.
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '<' || c == '>' || c == '(' || c == ')' || c == '"' || c == '\\' {
			ok = false
			break
		}
	}
	if ok {
		return s
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		for _, c := range []byte(s[i : i+n]) {
			if urlUnsafe(r) {
				b.WriteByte('%')
				b.WriteByte(hex[c>>4])
				b.WriteByte(hex[c&15])
			} else {
				b.WriteByte(c)
			}
		}
		i += n
	}
	return b.String()
}

func urlUnsafe(r rune) bool {
	return r <= ' ' || isControl(r) || r == '<' || r == '>' || r == '(' || r == ')' || r == '"' || r == '\\' || r == utf8.RuneError ||
		isBidi(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r)
}
