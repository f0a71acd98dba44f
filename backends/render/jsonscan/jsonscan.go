// Package jsonscan picks members out of JSON without decoding the rest. A page of a listing has hundreds of elements of which
// some dozen small members are wanted; decoding them by reflection costs several times what is done with them.
//
// Valid is for what comes from outside. The other functions take JSON that is known to be valid, as the elements of a page
// are; on anything else they end and stay within it, and what they give is of no use. Names count as the service writes
// them, in this case only. Of equal names all come, in their order.
package jsonscan

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Valid tells whether raw is one JSON value, by the rules of encoding/json: names may be equal, and strings may hold bytes
// that are no UTF-8 and lone surrogates.
func Valid(raw []byte) bool {
	return jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// Members calls fn for each member of an object with its name (escapes undone), its raw value and where the member begins and
// ends in raw. It gives false for what is not an object.
func Members(raw []byte, fn func(name, value []byte, from, to int)) bool {
	i := space(raw, 0)
	if i >= len(raw) || raw[i] != '{' {
		return false
	}
	i++
	for {
		i = space(raw, i)
		if i >= len(raw) || raw[i] != '"' {
			return i < len(raw) && raw[i] == '}'
		}
		from := i
		end := endOfString(raw, i)
		if end > len(raw) {
			return false
		}
		name := raw[i+1 : end-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(unquote(name))
		}
		i = space(raw, end)
		if i >= len(raw) || raw[i] != ':' {
			return false
		}
		i = space(raw, i+1)
		to := endOfValue(raw, i)
		if to > len(raw) || to <= i {
			return false
		}
		fn(name, raw[i:to], from, to)
		if i = space(raw, to); i < len(raw) && raw[i] == ',' {
			i++
		}
	}
}

// Elements calls fn for each element of an array. It gives false for what is not an array.
func Elements(raw []byte, fn func(value []byte)) bool {
	i := space(raw, 0)
	if i >= len(raw) || raw[i] != '[' {
		return false
	}
	i++
	for {
		i = space(raw, i)
		if i >= len(raw) || raw[i] == ']' {
			return i < len(raw)
		}
		to := endOfValue(raw, i)
		if to > len(raw) || to <= i {
			return false
		}
		fn(raw[i:to])
		if i = space(raw, to); i < len(raw) && raw[i] == ',' {
			i++
		}
	}
}

// String gives the string that a raw value is, "" for anything else. Bytes that are no UTF-8 and lone surrogates become
// U+FFFD.
func String(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	value = value[1 : len(value)-1]
	if bytes.IndexByte(value, '\\') < 0 && utf8.Valid(value) {
		return string(value)
	}
	return unquote(value)
}

// SetString sets s to the string that a raw value is, and leaves it alone for anything else.
func SetString(s *string, value []byte) {
	if len(value) >= 2 && value[0] == '"' {
		*s = String(value)
	}
}

// SetBool sets b to the truth value that a raw value is, and leaves it alone for anything else.
func SetBool(b *bool, value []byte) {
	switch string(value) {
	case "true":
		*b = true
	case "false":
		*b = false
	}
}

func space(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r') {
		i++
	}
	return i
}

// endOfString gives the position after the string that begins at i, more than len(raw) if it does not end.
func endOfString(raw []byte, i int) int {
	for i++; i < len(raw); {
		q := bytes.IndexByte(raw[i:], '"')
		if q < 0 {
			break
		}
		i += q
		slashes := 0
		for raw[i-1-slashes] == '\\' {
			slashes++
		}
		i++
		if slashes%2 == 0 {
			return i
		}
	}
	return len(raw) + 1
}

// endOfValue gives the position after the value that begins at i, more than len(raw) if it does not end.
func endOfValue(raw []byte, i int) int {
	depth := 0
	for i < len(raw) {
		switch raw[i] {
		case '"':
			i = endOfString(raw, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // the end of what holds a number or a word
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(raw) + 1
}

// unquote undoes the escapes of what is between the quotes of a string.
func unquote(s []byte) string {
	var out strings.Builder
	out.Grow(len(s))
	for len(s) > 0 {
		n := bytes.IndexByte(s, '\\')
		if n != 0 {
			if n < 0 {
				n = len(s)
			}
			writeValid(&out, s[:n])
			s = s[n:]
			continue
		}
		if len(s) < 2 {
			break
		}
		c := s[1]
		if c != 'u' {
			switch c {
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			}
			out.WriteByte(c)
			s = s[2:]
			continue
		}
		r := hex4(s)
		s = s[min(6, len(s)):]
		if utf16.IsSurrogate(r) {
			pair := rune(utf8.RuneError)
			if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
				pair = utf16.DecodeRune(r, hex4(s))
			}
			if r = pair; r != utf8.RuneError {
				s = s[6:]
			}
		}
		out.WriteRune(r)
	}
	return out.String()
}

// writeValid writes text, U+FFFD in place of each byte that belongs to no character.
func writeValid(out *strings.Builder, s []byte) {
	if utf8.Valid(s) {
		out.Write(s)
		return
	}
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		out.WriteRune(r)
		s = s[n:]
	}
}

// hex4 reads the four digits of an escape, as "\u00e9" has them.
func hex4(s []byte) (r rune) {
	if len(s) < 6 {
		return utf8.RuneError
	}
	for _, c := range s[2:6] {
		switch {
		case c <= '9':
			c -= '0'
		case c <= 'F':
			c -= 'A' - 10
		default:
			c -= 'a' - 10
		}
		r = r<<4 | rune(c&15)
	}
	return r
}
