package render

import "strings"

// URL gives an Internet shortcut (.url), which Windows, macOS and Linux desktops open, with CRLF line ends. The target cannot
// add a line: white space, control and bidirectional characters are percent-encoded. A comment, which says what the link is,
// comes as a comment line before the section and is left out when empty.
func URL(target, comment string) []byte {
	var b strings.Builder
	if c := oneLine(comment); c != "" {
		b.WriteString("; " + c + "\r\n")
	}
	b.WriteString("[InternetShortcut]\r\nURL=" + shortcutTarget(strings.TrimSpace(target)) + "\r\n")
	return []byte(b.String())
}

// shortcutTarget encodes what cannot stand in the line of a shortcut; parentheses and the like are right there.
func shortcutTarget(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, r := range s {
		if r > ' ' && r < 0x7f && r != '"' && r != '<' && r != '>' || r >= 0xa0 && !urlUnsafe(r) {
			b.WriteRune(r)
			continue
		}
		for _, c := range []byte(string(r)) {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
