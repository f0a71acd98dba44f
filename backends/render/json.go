package render

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// Errors that JSON gives for input that it cannot keep.
var (
	errJSON    = errors.New("render: malformed JSON")
	errNesting = errors.New("render: JSON nested too deeply")
)

const (
	// maxDepth bounds the nesting that JSON takes; OData services stop at 100.
	maxDepth = 200
	// maxIndent bounds the depth that gets lines of its own, which keeps indentation from multiplying hostile input.
	maxIndent = 16
)

// JSON gives the resource as the API gave it, with sorted keys and indentation. It is lossless: numbers keep their digits,
// equal keys all stay in their order, lone surrogates stay escapes. Control characters and line separators are escaped,
// needless escapes are not kept, and bytes that are no UTF-8 become U+FFFD.
func JSON(raw []byte) ([]byte, error) {
	scratch := scratches.Get().(*[]byte)
	p := jsonWriter{in: raw, out: make([]byte, 0, len(raw)+len(raw)/4+64), scratch: *scratch}
	err := p.value(0)
	keepScratch(scratch, p.scratch)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.pos < len(p.in) {
		return nil, fmt.Errorf("%w: data after the value at byte %d", errJSON, p.pos)
	}
	return append(p.out, '\n'), nil
}

type jsonWriter struct {
	in      []byte
	pos     int
	out     []byte
	scratch []byte // for the members of an object while they get their order
}

func (p *jsonWriter) fail() error {
	return fmt.Errorf("%w at byte %d", errJSON, p.pos)
}

func (p *jsonWriter) space() {
	for p.pos < len(p.in) {
		switch p.in[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// next skips white space and gives the byte there, 0 at the end.
func (p *jsonWriter) next() byte {
	p.space()
	if p.pos < len(p.in) {
		return p.in[p.pos]
	}
	return 0
}

func (p *jsonWriter) value(depth int) error {
	if depth > maxDepth {
		return errNesting
	}
	switch c := p.next(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return p.string()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(p.in[p.pos:], []byte(word)) {
			p.pos += len(word)
			p.out = append(p.out, word...)
			return nil
		}
	}
	return p.fail()
}

// line starts a line at a depth; where lines have ended, nothing.
func (p *jsonWriter) line(depth int) {
	if depth > maxIndent {
		return
	}
	p.out = append(p.out, '\n')
	for range depth {
		p.out = append(p.out, "  "...)
	}
}

func (p *jsonWriter) array(depth int) error {
	p.pos++
	p.out = append(p.out, '[')
	if p.next() == ']' {
		p.pos++
		p.out = append(p.out, ']')
		return nil
	}
	for {
		p.line(depth + 1)
		if err := p.value(depth + 1); err != nil {
			return err
		}
		switch p.next() {
		case ',':
			p.pos++
			p.out = append(p.out, ',')
		case ']':
			p.pos++
			if depth < maxIndent {
				p.line(depth)
			}
			p.out = append(p.out, ']')
			return nil
		default:
			return p.fail()
		}
	}
}

// member is where a written key and its value lie in the output.
type member struct{ start, colon, end int }

func (p *jsonWriter) object(depth int) error {
	p.pos++
	p.out = append(p.out, '{')
	if p.next() == '}' {
		p.pos++
		p.out = append(p.out, '}')
		return nil
	}
	start := len(p.out)
	var some [24]member
	members := some[:0]
	sorted := true
	for more := true; more; {
		if p.next() != '"' {
			return p.fail()
		}
		m := member{start: len(p.out)}
		if err := p.string(); err != nil {
			return err
		}
		m.colon = len(p.out)
		if p.next() != ':' {
			return p.fail()
		}
		p.pos++
		p.out = append(p.out, ':', ' ')
		if err := p.value(depth + 1); err != nil {
			return err
		}
		m.end = len(p.out)
		if n := len(members); n > 0 && p.compare(members[n-1], m) > 0 {
			sorted = false
		}
		members = append(members, m)
		switch p.next() {
		case ',':
		case '}':
			more = false
		default:
			return p.fail()
		}
		p.pos++
	}
	if !sorted {
		slices.SortStableFunc(members, p.compare)
	}
	// The members were written bare; now they get their lines in their order.
	p.scratch = append(p.scratch[:0], p.out[start:]...)
	p.out = p.out[:start]
	for i, m := range members {
		if i > 0 {
			p.out = append(p.out, ',')
		}
		p.line(depth + 1)
		p.out = append(p.out, p.scratch[m.start-start:m.end-start]...)
	}
	if depth < maxIndent {
		p.line(depth)
	}
	p.out = append(p.out, '}')
	return nil
}

func (p *jsonWriter) compare(a, b member) int {
	return bytes.Compare(p.out[a.start:a.colon-1], p.out[b.start:b.colon-1])
}

// number copies a number as it is after checking its grammar.
func (p *jsonWriter) number() error {
	start := p.pos
	digits := func() bool {
		from := p.pos
		for p.pos < len(p.in) && p.in[p.pos] >= '0' && p.in[p.pos] <= '9' {
			p.pos++
		}
		return p.pos > from
	}
	at := func(set string) bool {
		if p.pos < len(p.in) && bytes.IndexByte([]byte(set), p.in[p.pos]) >= 0 {
			p.pos++
			return true
		}
		return false
	}
	at("-")
	if !at("0") && !digits() {
		return p.fail()
	}
	if at(".") && !digits() {
		return p.fail()
	}
	if at("eE") {
		at("+-")
		if !digits() {
			return p.fail()
		}
	}
	p.out = append(p.out, p.in[start:p.pos]...)
	return nil
}

// asIs tells which bytes of a string are copied without a look.
var asIs = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x20 && c < 0x7f && c != '"' && c != '\\'
	}
	return t
}()

// string copies a string, writing every character in one way.
func (p *jsonWriter) string() error {
	p.pos++
	p.out = append(p.out, '"')
	start := p.pos
	for p.pos < len(p.in) {
		n := 0
		for _, c := range p.in[p.pos:] {
			if !asIs[c] {
				break
			}
			n++
		}
		if p.pos += n; p.pos == len(p.in) {
			break
		}
		c := p.in[p.pos]
		p.out = append(p.out, p.in[start:p.pos]...)
		switch {
		case c == '"':
			p.pos++
			p.out = append(p.out, '"')
			return nil
		case c == '\\':
			if err := p.escape(); err != nil {
				return err
			}
		default:
			r, n := utf8.DecodeRune(p.in[p.pos:])
			p.rune(r)
			p.pos += n
		}
		start = p.pos
	}
	return p.fail()
}

// escape reads one escape sequence.
func (p *jsonWriter) escape() error {
	if p.pos+1 >= len(p.in) {
		return p.fail()
	}
	c := p.in[p.pos+1]
	p.pos += 2
	switch c {
	case '"', '\\', '/':
		p.rune(rune(c))
	case 'b':
		p.rune('\b')
	case 'f':
		p.rune('\f')
	case 'n':
		p.rune('\n')
	case 'r':
		p.rune('\r')
	case 't':
		p.rune('\t')
	case 'u':
		r, ok := p.hex4(p.pos)
		if !ok {
			return p.fail()
		}
		p.pos += 4
		if utf16.IsSurrogate(r) {
			if p.pos+1 < len(p.in) && p.in[p.pos] == '\\' && p.in[p.pos+1] == 'u' {
				low, ok := p.hex4(p.pos + 2)
				if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
					p.pos += 6
					p.rune(pair)
					return nil
				}
			}
			p.unicode(r)
			return nil
		}
		p.rune(r)
	default:
		return p.fail()
	}
	return nil
}

func (p *jsonWriter) hex4(at int) (rune, bool) {
	if at+4 > len(p.in) {
		return 0, false
	}
	var r rune
	for _, c := range p.in[at : at+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func (p *jsonWriter) unicode(r rune) {
	const hex = "0123456789abcdef"
	p.out = append(p.out, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// rune writes one character of a string.
func (p *jsonWriter) rune(r rune) {
	switch {
	case r == '"' || r == '\\':
		p.out = append(p.out, '\\', byte(r))
	case r == '\n':
		p.out = append(p.out, '\\', 'n')
	case r == '\t':
		p.out = append(p.out, '\\', 't')
	case r == '\r':
		p.out = append(p.out, '\\', 'r')
	case isControl(r) || r == 0x2028 || r == 0x2029:
		p.unicode(r)
	default:
		p.out = utf8.AppendRune(p.out, r)
	}
}
