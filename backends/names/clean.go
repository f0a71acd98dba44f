package names

import (
	"strings"
	"unicode/utf8"
)

// MaxName is the longest name in bytes that Linux takes (NAME_MAX).
const MaxName = 255

// The replacements are those that users of rclone know: the fullwidth form for a slash or dot, the control pictures for
// control characters, and one quoting character before whatever would be ambiguous.
const (
	quote        = '‛' // U+201B
	fullSlash    = '／' // U+FF0F
	fullDot      = '．' // U+FF0E
	pictureBase  = 0x2400
	pictureDel   = 0x2421
	maxExtension = 16
)

// Clean turns a name given by a user into one that a directory can hold. Slashes, control characters, invalid UTF-8, the
// names "." and ".." and the empty name are replaced such that Original can undo it; all else stays. A result of more
// than 255 bytes is cut on a rune boundary and gets "~" and a hash of the whole original before its extension.
//
// Clean is injective but for hash collisions, so twins in one directory come from the service, never from Clean.
func Clean(name string) string {
	switch name {
	case "":
		return string(quote)
	case ".":
		return string(fullDot)
	case "..":
		return string(fullDot) + string(fullDot)
	case string(fullDot), string(fullDot) + string(fullDot):
		return string(quote) + name
	}
	if plain(name) && len(name) <= MaxName && !looksCut(name) {
		return name
	}
	ext := extension(name)
	room := MaxName - 1 - HashLen - len(ext)
	var b strings.Builder
	cut := 0
	for i := 0; i < len(name) && b.Len() <= MaxName; {
		r, n := utf8.DecodeRuneInString(name[i:])
		encodeRune(&b, r, name[i:i+n])
		i += n
		if b.Len() <= room && i <= len(name)-len(ext) {
			cut = b.Len()
		}
	}
	s := b.String()
	if len(s) <= MaxName && !looksCut(s) {
		return s
	}
	return s[:cut] + "~" + Hash(name, HashLen) + ext
}

// encodeRune appends one rune of a name, raw being its bytes.
func encodeRune(b *strings.Builder, r rune, raw string) {
	switch {
	case r == '/':
		b.WriteRune(fullSlash)
	case r < 0x20:
		b.WriteRune(pictureBase + r)
	case r == 0x7f:
		b.WriteRune(pictureDel)
	case r == quote || r == fullSlash || isPicture(r):
		b.WriteRune(quote)
		b.WriteString(raw)
	case r == utf8.RuneError && len(raw) == 1, r >= 0x80 && r < 0xa0:
		const hex = "0123456789ABCDEF"
		for i := range len(raw) {
			b.WriteRune(quote)
			b.WriteByte(hex[raw[i]>>4])
			b.WriteByte(hex[raw[i]&15])
		}
	default:
		b.WriteString(raw)
	}
}

// isPicture reports whether r stands for a control character in a clean name.
func isPicture(r rune) bool {
	return r >= pictureBase && r < pictureBase+0x20 || r == pictureDel
}

// Original undoes Clean. It gives false for a name that was cut and for one that Clean cannot have made.
func Original(clean string) (string, bool) {
	switch clean {
	case string(quote):
		return "", true
	case string(fullDot):
		return ".", true
	case string(fullDot) + string(fullDot):
		return "..", true
	}
	if !utf8.ValidString(clean) || looksCut(clean) {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(clean); {
		r, n := utf8.DecodeRuneInString(clean[i:])
		i += n
		switch {
		case r == fullSlash:
			b.WriteByte('/')
		case r == pictureDel:
			b.WriteByte(0x7f)
		case isPicture(r):
			b.WriteByte(byte(r - pictureBase))
		case r == quote:
			s, n, ok := unquote(clean[i:])
			if !ok {
				return "", false
			}
			b.WriteString(s)
			i += n
		default:
			b.WriteRune(r)
		}
	}
	if s := b.String(); Clean(s) == clean {
		return s, true
	}
	return "", false
}

// unquote decodes what follows a quoting character and tells how many bytes that took.
func unquote(s string) (string, int, bool) {
	r, n := utf8.DecodeRuneInString(s)
	if r == quote || r == fullSlash || r == fullDot || isPicture(r) {
		return s[:n], n, true
	}
	if len(s) < 2 {
		return "", 0, false
	}
	hi, lo := strings.IndexByte("0123456789ABCDEF", s[0]), strings.IndexByte("0123456789ABCDEF", s[1])
	if hi < 0 || lo < 0 {
		return "", 0, false
	}
	return string([]byte{byte(hi<<4 | lo)}), 2, true
}

// plain reports whether Clean has nothing to replace in name.
func plain(name string) bool {
	for i, r := range name {
		if r == '/' || r < 0x20 || r >= 0x7f && r < 0xa0 || r == quote || r == fullSlash || isPicture(r) {
			return false
		}
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(name[i:]); n == 1 {
				return false
			}
		}
	}
	return true
}

// usable reports whether a directory can hold the name as it is.
func usable(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > MaxName {
		return false
	}
	for i, r := range name {
		if r == '/' || r < 0x20 || r >= 0x7f && r < 0xa0 {
			return false
		}
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(name[i:]); n == 1 {
				return false
			}
		}
	}
	return true
}

// looksCut reports whether a name has the form of a cut one. A name that has it by chance is cut as well, which keeps
// cut and whole names apart. The longest unit of an encoded name has 10 bytes, so a cut name is never shorter than this.
func looksCut(name string) bool {
	if len(name) < MaxName-16 {
		return false
	}
	base := name[:len(name)-len(extension(name))]
	i := len(base) - HashLen - 1
	return i >= 0 && base[i] == '~' && isHash(base[i+1:])
}

// extension gives the last extension of a name with its dot: short, of ASCII letters and digits, and not all of the name.
func extension(name string) string {
	for i := len(name) - 1; i > 0 && len(name)-i <= maxExtension; i-- {
		c := name[i]
		if c == '.' {
			if i == len(name)-1 {
				return ""
			}
			return name[i:]
		}
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return ""
		}
	}
	return ""
}

// LooksGenerated reports whether a name given by a user has the form of one of ours (2026-11, undated, files, members.csv,
// anything.attachments) and would be mistaken for it in the same directory.
func LooksGenerated(name string) bool {
	switch name {
	case Undated, "files", "members.csv":
		return true
	}
	if strings.HasSuffix(name, attachmentsSuffix) {
		return true
	}
	if len(name) != len("2026-11") || name[4] != '-' {
		return false
	}
	for i := range len(name) {
		if i != 4 && (name[i] < '0' || name[i] > '9') {
			return false
		}
	}
	return true
}

// attachmentsSuffix ends the name of the directory that holds an item's attachments.
const attachmentsSuffix = ".attachments"
