package query

import (
	"slices"
	"strings"
)

// Order is one key of an $orderby.
type Order struct {
	Path string
	Kind Kind
	Desc bool
}

// ParseOrderBy reads an $orderby against the schema. Errors are of type [*SyntaxError].
func ParseOrderBy(s string, schema Schema) ([]Order, error) {
	var keys []Order
	for _, part := range strings.Split(s, ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			if s == "" {
				return nil, nil
			}
			return nil, syntaxf("Expression expected in '%s'.", s)
		}
		path, kind, ok := schema.lookup(words[0])
		if !ok || kind == Strings {
			return nil, syntaxf("Could not find a property named '%s' on type 'microsoft.graph'.", words[0])
		}
		key := Order{Path: path, Kind: kind}
		switch {
		case len(words) == 1 || (len(words) == 2 && strings.EqualFold(words[1], "asc")):
		case len(words) == 2 && strings.EqualFold(words[1], "desc"):
			key.Desc = true
		default:
			return nil, syntaxf("Syntax error in '%s'.", s)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Compare orders two items by the keys: negative when a comes first.
func Compare(keys []Order, a, b Getter) int {
	for _, k := range keys {
		x, y := a(k.Path), b(k.Path)
		c := 0
		switch {
		case x == nil && y == nil:
		case x == nil:
			c = -1
		case y == nil:
			c = 1
		default:
			c, _ = order(x, y)
		}
		if k.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// Inefficient tells whether the pair breaks the mailbox rule that the properties of $orderby appear in $filter too, in the
// same order and before all others ("The restriction or sort order is too complex for this operation.").
func Inefficient(f *Filter, keys []Order) bool {
	if f == nil {
		return false
	}
	for i, k := range keys {
		if i >= len(f.Props) || f.Props[i] != k.Path {
			return true
		}
	}
	return false
}

// Select is the set of properties that a client asked for; nil means the default ones.
type Select []string

// ParseSelect reads a $select; an absent one gives nil.
func ParseSelect(s string) Select {
	var props Select
	for _, p := range strings.Split(s, ",") {
		if p = strings.TrimSpace(p); p != "" && p != "*" {
			// A property of a subtype is named behind its type: microsoft.graph.fileAttachment/contentId.
			if name, rest, cast := strings.Cut(p, "/"); cast && strings.Contains(name, ".") {
				p = rest
			}
			p, _, _ = strings.Cut(p, "/")
			props = append(props, strings.ToLower(p))
		}
	}
	return props
}

// Wants tells whether a default property is to be returned.
func (s Select) Wants(name string) bool { return s == nil || s.Asks(name) }

// Asks tells whether the property was named, which properties outside the default set need.
func (s Select) Asks(name string) bool {
	return slices.ContainsFunc(s, func(p string) bool { return strings.EqualFold(p, name) })
}

// Expand is one relation of an $expand with its nested options ("$select", "$filter", "$expand", …).
type Expand struct {
	Name    string
	Options map[string]string
}

// ParseExpand reads an $expand. Errors are of type [*SyntaxError].
func ParseExpand(s string) ([]Expand, error) {
	if len(s) > maxLength {
		return nil, syntaxf("The query specified in the URI is too long.")
	}
	var all []Expand
	for _, part := range splitOutside(s, ',') {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, rest, nested := strings.Cut(part, "(")
		e := Expand{Name: strings.TrimSpace(name)}
		if nested {
			inner, ok := strings.CutSuffix(rest, ")")
			if !ok {
				return nil, syntaxf("Found an unbalanced bracket expression in '%s'.", s)
			}
			e.Options = map[string]string{}
			for _, option := range splitOutside(inner, ';') {
				key, value, ok := strings.Cut(option, "=")
				if !ok {
					return nil, syntaxf("Syntax error in '%s'.", s)
				}
				e.Options[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
			}
		}
		all = append(all, e)
	}
	return all, nil
}

// splitOutside cuts at sep where it stands in no parenthesis and no quoted string.
func splitOutside(s string, sep byte) []string {
	var parts []string
	depth, from, inQuote := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'':
			inQuote = !inQuote
		case inQuote:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == sep && depth == 0:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

// ExtendedIDs gives the ids that an expansion of singleValueExtendedProperties asks for, from its "id eq '…' or id eq '…'".
func (e Expand) ExtendedIDs() ([]string, error) {
	tokens, err := scan(e.Options["$filter"])
	if err != nil {
		return nil, err
	}
	var ids []string
	for i := 0; i+2 < len(tokens); i++ {
		if strings.EqualFold(tokens[i].text, "id") && tokens[i+1].text == "eq" && tokens[i+2].kind == quoted {
			ids = append(ids, tokens[i+2].text)
		}
	}
	if len(ids) == 0 {
		return nil, syntaxf("Expanding singleValueExtendedProperties requires a $filter on id.")
	}
	return ids, nil
}
