package render

import (
	"html"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/atom"
)

// The kinds of tokens that htmlScanner finds.
const (
	htmlText = iota
	htmlStart
	htmlEnd
)

// htmlScanner splits HTML into text and tags by the rules of the HTML standard's tokenizer, as golang.org/x/net/html does,
// whose tests compare the two. That one copies every tag and attribute several times, which doubles the cost of rendering a
// mail; this one only looks at the string. Comments, declarations and processing instructions are passed over.
type htmlScanner struct {
	s    string
	pos  int
	kind int

	text string // of a text token, entities not yet replaced
	raw  bool   // the text has no entities

	name  []byte // of a tag, in lower case
	atom  atom.Atom
	attrs string // of a start tag, from behind its name to its end
	until string // the raw-text element that the scanner is in
	rc    bool   // whose text has entities all the same

	names [32]byte
}

// next finds the next token; false at the end.
func (z *htmlScanner) next() bool {
	if z.until != "" && z.rawText() {
		return true
	}
	start := z.pos
	for {
		i := strings.IndexByte(z.s[z.pos:], '<')
		if i < 0 || z.pos+i+1 >= len(z.s) {
			return z.textToken(start, len(z.s), len(z.s))
		}
		at := z.pos + i
		c := z.s[at+1]
		isTag := isLetter(c) || c == '/' && at+2 < len(z.s) && isLetter(z.s[at+2])
		if !isTag && c != '!' && c != '?' && (c != '/' || at+2 == len(z.s)) {
			z.pos = at + 1 // a "<" that begins nothing
			continue
		}
		if at > start {
			return z.textToken(start, at, at)
		}
		z.pos = at
		if isTag {
			return z.tag(c == '/')
		}
		z.skipMarkup()
		start = z.pos
	}
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isHTMLSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }

func (z *htmlScanner) textToken(from, to, next int) bool {
	z.kind, z.text, z.raw, z.pos = htmlText, z.s[from:to], false, next
	return to > from
}

// skipMarkup passes over a comment or what counts as one.
func (z *htmlScanner) skipMarkup() {
	rest := z.s[z.pos:]
	if strings.HasPrefix(rest, "<!--") {
		if strings.HasPrefix(rest, "<!-->") || strings.HasPrefix(rest, "<!--->") {
			z.pos += strings.IndexByte(rest, '>') + 1
			return
		}
		for i := 4; ; i++ {
			k := strings.Index(rest[i:], "--")
			if k < 0 {
				z.pos = len(z.s)
				return
			}
			i += k
			if end := rest[i+2:]; strings.HasPrefix(end, ">") || strings.HasPrefix(end, "!>") {
				z.pos += i + 2 + strings.IndexByte(end, '>') + 1
				return
			}
		}
	}
	i := strings.IndexByte(rest, '>')
	if i < 0 {
		z.pos = len(z.s)
		return
	}
	z.pos += i + 1
}

// tag reads a tag at "<"; false if it has no end.
func (z *htmlScanner) tag(end bool) bool {
	i := z.pos + 1
	if end {
		i++
	}
	from := i
	for i < len(z.s) && !isHTMLSpace(z.s[i]) && z.s[i] != '/' && z.s[i] != '>' {
		i++
	}
	n := min(i-from, len(z.names))
	for k := range n {
		c := z.s[from+k]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		z.names[k] = c
	}
	z.name = z.names[:n]
	z.atom = 0
	if i-from == n {
		z.atom = atom.Lookup(z.name)
	}
	attrs := i
	for {
		var ok bool
		if _, _, i, ok = nextAttribute(z.s, i); !ok {
			break
		}
	}
	if i >= len(z.s) {
		z.pos = len(z.s)
		return false
	}
	z.attrs = z.s[attrs:i]
	z.pos = i + 1
	z.kind = htmlStart
	if end {
		z.kind = htmlEnd
		return true
	}
	switch z.atom {
	case atom.Script, atom.Style, atom.Iframe, atom.Noembed, atom.Noframes, atom.Noscript, atom.Xmp, atom.Plaintext:
		z.until, z.rc = z.atom.String(), false
	case atom.Title, atom.Textarea:
		z.until, z.rc = z.atom.String(), true
	}
	return true
}

// rawText reads the text of a raw-text element up to its end tag; false if there is none, or nothing before it.
func (z *htmlScanner) rawText() bool {
	name := z.until
	z.until = ""
	from := z.pos
	to := len(z.s)
	for i := from; name != "plaintext"; {
		k := strings.Index(z.s[i:], "</")
		if k < 0 {
			break
		}
		i += k
		rest := z.s[i+2:]
		if len(rest) > len(name) && strings.EqualFold(rest[:len(name)], name) && (isHTMLSpace(rest[len(name)]) || rest[len(name)] == '/' || rest[len(name)] == '>') {
			to = i
			break
		}
		i += 2
	}
	ok := z.textToken(from, to, to)
	z.raw = !z.rc
	return ok
}

// nextAttribute reads one attribute of s at i: its name and its value as written, and where to go on. At the end of the tag it
// gives false and the place of its ">", or of the end of s.
func nextAttribute(s string, i int) (key, value string, next int, ok bool) {
	for i < len(s) && (isHTMLSpace(s[i]) || s[i] == '/') {
		i++
	}
	if i >= len(s) || s[i] == '>' {
		return "", "", i, false
	}
	from := i
	if s[i] == '=' {
		i++ // an equals sign may begin a name
	}
	for i < len(s) && !isHTMLSpace(s[i]) && s[i] != '/' && s[i] != '=' && s[i] != '>' {
		i++
	}
	key = s[from:i]
	k := i
	for k < len(s) && isHTMLSpace(s[k]) {
		k++
	}
	if k >= len(s) || s[k] != '=' {
		return key, "", i, true
	}
	k++
	for k < len(s) && isHTMLSpace(s[k]) {
		k++
	}
	if k < len(s) && (s[k] == '"' || s[k] == '\'') {
		quote := s[k]
		k++
		end := strings.IndexByte(s[k:], quote)
		if end < 0 {
			return key, s[k:], len(s), true
		}
		return key, s[k : k+end], k + end + 1, true
	}
	from = k
	for k < len(s) && !isHTMLSpace(s[k]) && s[k] != '>' {
		k++
	}
	return key, s[from:k], k, true
}

// maxAttributes bounds the attributes of one tag that are looked at.
const maxAttributes = 64

// attr gives the value of an attribute of the present start tag, "" if there is none. Names are in lower case.
func (z *htmlScanner) attr(name string) string {
	i := 0
	for range maxAttributes {
		key, value, next, ok := nextAttribute(z.attrs, i)
		if !ok {
			break
		}
		if len(key) == len(name) && strings.EqualFold(key, name) {
			return unescapeAttribute(value)
		}
		i = next
	}
	return ""
}

// content gives the text of a text token with its entities replaced.
func (z *htmlScanner) content() string {
	if z.raw || strings.IndexByte(z.text, '&') < 0 {
		return z.text
	}
	return html.UnescapeString(z.text)
}

// unescapeAttribute replaces the entities of an attribute value. Unlike in text, a name without semicolon in front of a letter,
// a digit or "=" is none: ?a=1&copy=2 is an address.
func unescapeAttribute(s string) string {
	i := strings.IndexByte(s, '&')
	if i < 0 {
		return strings.ToValidUTF8(s, string(utf8.RuneError))
	}
	var b strings.Builder
	for i >= 0 {
		b.WriteString(s[:i])
		s = s[i:]
		n := 1
		for n < len(s) && (isLetter(s[n]) || s[n] >= '0' && s[n] <= '9' || s[n] == '#') {
			n++
		}
		switch entity := s[:n]; {
		case n < len(s) && s[n] == ';':
			n++
			b.WriteString(html.UnescapeString(s[:n]))
		case n < len(s) && s[n] == '=':
			b.WriteString(entity)
		case entity == "&amp" || entity == "&lt" || entity == "&gt" || entity == "&quot" || entity == "&nbsp" || strings.HasPrefix(entity, "&#"):
			b.WriteString(html.UnescapeString(entity))
		default:
			b.WriteString(entity)
		}
		s = s[n:]
		i = strings.IndexByte(s, '&')
	}
	b.WriteString(s)
	return strings.ToValidUTF8(b.String(), string(utf8.RuneError))
}
