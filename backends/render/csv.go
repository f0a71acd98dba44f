package render

import (
	"strings"
	"unicode/utf8"
)

// CSV gives a table by RFC 4180 with LF line ends, which all readers take: a field with a comma, a quote or a space at its
// edge is quoted. The rows keep their order. Values are data for programs, so what a spreadsheet would take for a formula is
// left as it is; line ends and other control characters become spaces, so that every row is one line.
func CSV(header []string, rows [][]string) []byte {
	var out []byte
	out = appendRow(out, header)
	for _, r := range rows {
		out = appendRow(out, r)
	}
	return out
}

func appendRow(out []byte, fields []string) []byte {
	for i, f := range fields {
		if i > 0 {
			out = append(out, ',')
		}
		f = csvValue(f)
		if !strings.ContainsAny(f, "\",") && strings.TrimSpace(f) == f && (f != "" || len(fields) > 1) {
			out = append(out, f...)
			continue
		}
		out = append(out, '"')
		out = append(out, strings.ReplaceAll(f, `"`, `""`)...)
		out = append(out, '"')
	}
	return append(out, '\n')
}

// csvValue replaces control characters, line separators and bytes that are no UTF-8.
func csvValue(s string) string {
	for _, r := range s {
		if isControl(r) || r == 0x2028 || r == 0x2029 || r == utf8.RuneError {
			return strings.Map(func(r rune) rune {
				if isControl(r) || r == 0x2028 || r == 0x2029 {
					return ' '
				}
				return r
			}, s)
		}
	}
	return s
}
