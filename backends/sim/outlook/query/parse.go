package query

import (
	"strconv"
	"strings"
	"time"
)

// A filter longer or deeper than this is refused; no service takes more.
const (
	maxLength = 16 << 10
	maxDepth  = 50
)

// ParseFilter reads a $filter against the schema. An empty text gives nil. Errors are of type [*SyntaxError].
func ParseFilter(s string, schema Schema) (*Filter, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	if len(s) > maxLength {
		return nil, syntaxf("The query specified in the URI is too long.")
	}
	tokens, err := scan(s)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, schema: schema, filter: &Filter{}, text: s}
	if p.filter.root, err = p.or(0); err != nil {
		return nil, err
	}
	if p.peek().kind != end {
		return nil, p.unexpected()
	}
	return p.filter, nil
}

type tokenKind int

const (
	end tokenKind = iota
	word
	quoted
	punctuation
)

type token struct {
	kind tokenKind
	text string
	at   int
}

func scan(s string) ([]token, error) {
	var tokens []token
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t':
			i++
		case c == '\'':
			var b strings.Builder
			j := i + 1
			for {
				k := strings.IndexByte(s[j:], '\'')
				if k < 0 {
					return nil, syntaxf("There is an unterminated string literal at position %d in '%s'.", len(s), s)
				}
				b.WriteString(s[j : j+k])
				j += k + 1
				if j >= len(s) || s[j] != '\'' {
					break
				}
				b.WriteByte('\'')
				j++
			}
			tokens = append(tokens, token{quoted, b.String(), i})
			i = j
		case c == '(' || c == ')' || c == ',':
			tokens = append(tokens, token{punctuation, s[i : i+1], i})
			i++
		default:
			j := i
			for j < len(s) && !strings.ContainsRune(" \t'(),", rune(s[j])) {
				j++
			}
			tokens = append(tokens, token{word, s[i:j], i})
			i = j
		}
	}
	return append(tokens, token{kind: end, at: len(s)}), nil
}

type parser struct {
	tokens []token
	pos    int
	schema Schema
	filter *Filter
	text   string
	lambda string // the variable of the any() that is being read
}

func (p *parser) peek() token { return p.tokens[p.pos] }

func (p *parser) next() token {
	t := p.tokens[p.pos]
	if t.kind != end {
		p.pos++
	}
	return t
}

func (p *parser) accept(kind tokenKind, text string) bool {
	if t := p.peek(); t.kind == kind && t.text == text {
		p.pos++
		return true
	}
	return false
}

func (p *parser) unexpected() error {
	return syntaxf("Syntax error at position %d in '%s'.", p.peek().at, p.text)
}

func (p *parser) or(depth int) (node, error) {
	if depth > maxDepth {
		return nil, syntaxf("The recursion limit of the filter has been exceeded.")
	}
	left, err := p.and(depth)
	for err == nil && p.accept(word, "or") {
		var right node
		if right, err = p.and(depth); err == nil {
			left = either{left, right}
		}
	}
	return left, err
}

func (p *parser) and(depth int) (node, error) {
	left, err := p.unary(depth)
	for err == nil && p.accept(word, "and") {
		var right node
		if right, err = p.unary(depth); err == nil {
			left = both{left, right}
		}
	}
	return left, err
}

func (p *parser) unary(depth int) (node, error) {
	if depth > maxDepth {
		return nil, syntaxf("The recursion limit of the filter has been exceeded.")
	}
	if p.accept(word, "not") {
		n, err := p.unary(depth + 1)
		return negation{n}, err
	}
	if p.accept(punctuation, "(") {
		n, err := p.or(depth + 1)
		if err == nil && !p.accept(punctuation, ")") {
			err = p.unexpected()
		}
		return n, err
	}
	t := p.next()
	if t.kind != word {
		p.pos = max(p.pos-1, 0)
		return nil, p.unexpected()
	}
	if p.accept(punctuation, "(") {
		return p.call(t.text, depth)
	}
	path, kind, err := p.property(t.text)
	if err != nil {
		return nil, err
	}
	op := p.next()
	switch op.text {
	case "eq", "ne", "gt", "ge", "lt", "le":
	default:
		// A bare Boolean property is a condition of its own.
		if kind == Bool {
			p.pos -= btoi(op.kind != end)
			return compare{path, "eq", true}, nil
		}
		return nil, syntaxf("Syntax error at position %d in '%s'.", op.at, p.text)
	}
	value, err := p.literal(kind, op.text)
	if err != nil {
		return nil, err
	}
	return compare{path, op.text, value}, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *parser) property(name string) (string, Kind, error) {
	if p.lambda != "" {
		if name == p.lambda {
			return "", String, nil
		}
		return "", 0, syntaxf("Could not find a property named '%s' on type 'Edm.String'.", name)
	}
	path, kind, ok := p.schema.lookup(name)
	if !ok {
		return "", 0, syntaxf("Could not find a property named '%s' on type 'microsoft.graph'.", name)
	}
	for _, have := range p.filter.Props {
		if have == path {
			return path, kind, nil
		}
	}
	p.filter.Props = append(p.filter.Props, path)
	return path, kind, nil
}

// call reads the rest of contains(path,'text'), its like, and collection/any(x:x eq 'text'), after the parenthesis. Names of
// functions have no case: the service's own pages write both endsWith and endswith, Any and any.
func (p *parser) call(name string, depth int) (node, error) {
	function := strings.ToLower(name)
	if strings.HasSuffix(function, "/any") && p.lambda == "" {
		path, kind, err := p.property(name[:len(name)-len("/any")])
		if err != nil {
			return nil, err
		}
		variable, first, ok := strings.Cut(p.next().text, ":")
		if !ok || kind != Strings || variable == "" {
			return nil, p.unexpected()
		}
		if first == "" {
			first = p.next().text
		}
		// The scanner gave "x:x" as one word: put the second half back as the condition's first word.
		p.pos--
		p.tokens[p.pos] = token{word, first, p.tokens[p.pos].at}
		p.lambda = variable
		n, err := p.or(depth + 1)
		p.lambda = ""
		if err == nil && !p.accept(punctuation, ")") {
			err = p.unexpected()
		}
		return anyOf{path, n}, err
	}
	switch function {
	case "contains", "startswith", "endswith":
	default:
		return nil, syntaxf("An unknown function with name '%s' was found.", name)
	}
	path, kind, err := p.property(p.next().text)
	if err != nil {
		return nil, err
	}
	if kind != String {
		return nil, syntaxf("No function signature for the function with name '%s' matches the specified arguments.", name)
	}
	if !p.accept(punctuation, ",") {
		return nil, p.unexpected()
	}
	arg := p.next()
	if arg.kind != quoted || !p.accept(punctuation, ")") {
		return nil, p.unexpected()
	}
	var n node = text{function, path, arg.text}
	if p.accept(word, "eq") {
		want, err := p.literal(Bool, "eq")
		if err != nil {
			return nil, err
		}
		if want == false {
			n = negation{n}
		}
	}
	return n, nil
}

func (p *parser) literal(kind Kind, op string) (any, error) {
	t := p.next()
	if t.kind == end || t.kind == punctuation {
		return nil, p.unexpected()
	}
	if t.kind == word && t.text == "null" {
		return nil, nil
	}
	wrong := func(found string) error {
		return syntaxf("A binary operator with incompatible types was detected. Found operand types '%s' and '%s' for operator kind '%s'.",
			kind.edm(), found, op)
	}
	switch {
	case t.kind == quoted && kind == String:
		return t.text, nil
	case t.kind == quoted:
		return nil, wrong("Edm.String")
	case kind == Bool && (t.text == "true" || t.text == "false"):
		return t.text == "true", nil
	case kind == Time:
		if at, err := ParseTime(t.text); err == nil {
			return at, nil
		}
		return nil, wrong("Edm.Int32")
	case kind == Number:
		if n, err := strconv.ParseInt(t.text, 10, 64); err == nil {
			return n, nil
		}
	}
	return nil, wrong("Edm.Boolean")
}

func (k Kind) edm() string {
	switch k {
	case Bool:
		return "Edm.Boolean"
	case Time:
		return "Edm.DateTimeOffset"
	case Number:
		return "Edm.Int32"
	}
	return "Edm.String"
}

// ParseTime reads an Edm.DateTimeOffset or Edm.Date literal; without an offset it is UTC.
func ParseTime(s string) (time.Time, error) {
	var err error
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		var t time.Time
		if t, err = time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, err
}
