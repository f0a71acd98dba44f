package query

import (
	"fmt"
	"strings"
	"time"
)

// Kind is the type of a filterable property.
type Kind int

// The kinds of property that a filter can compare.
const (
	String Kind = iota + 1
	Bool
	Time
	Number
	// Strings is a collection of strings, reachable only by any().
	Strings
)

// Schema lists what may be filtered and sorted, by path as the API spells it ("from/emailAddress/address").
type Schema map[string]Kind

// lookup finds a property whatever the case of its letters, as the service does.
func (s Schema) lookup(path string) (string, Kind, bool) {
	if k, ok := s[path]; ok {
		return path, k, true
	}
	for name, k := range s {
		if strings.EqualFold(name, path) {
			return name, k, true
		}
	}
	return "", 0, false
}

// Getter gives an item's value at a path: string, bool, time.Time, int64, []string, or nil when unset.
type Getter func(path string) any

// Filter is a parsed $filter. The nil filter matches everything.
type Filter struct {
	root node
	// Props are the properties that it mentions, in order of first appearance.
	Props []string
}

// Match tells whether the item behind get satisfies the filter.
func (f *Filter) Match(get Getter) bool { return f == nil || f.root == nil || f.root.eval(get) }

// Span is a half-open interval of time; a zero bound is open.
type Span struct{ From, To time.Time }

// Contains tells whether t lies in the span.
func (s Span) Contains(t time.Time) bool {
	return (s.From.IsZero() || !t.Before(s.From)) && (s.To.IsZero() || t.Before(s.To))
}

// Split takes the bounds on the time property prop out of the filter's top-level conjunction, so that a sorted index can
// serve them; rest is what remains to be checked for each item (nil: nothing).
func (f *Filter) Split(prop string) (span Span, rest *Filter) {
	if f == nil || f.root == nil {
		return Span{}, nil
	}
	var left []node
	for _, n := range conjuncts(f.root, nil) {
		c, ok := n.(compare)
		t, isTime := c.value.(time.Time)
		if !ok || c.path != prop || !isTime || !span.narrow(c.op, t) {
			left = append(left, n)
		}
	}
	if len(left) == 0 {
		return span, nil
	}
	root := left[0]
	for _, n := range left[1:] {
		root = both{root, n}
	}
	return span, &Filter{root: root, Props: f.Props}
}

func (s *Span) narrow(op string, t time.Time) bool {
	from, to := time.Time{}, time.Time{}
	switch op {
	case "ge":
		from = t
	case "gt":
		from = t.Add(1)
	case "lt":
		to = t
	case "le":
		to = t.Add(1)
	case "eq":
		from, to = t, t.Add(1)
	default:
		return false
	}
	if !from.IsZero() && from.After(s.From) {
		s.From = from
	}
	if !to.IsZero() && (s.To.IsZero() || to.Before(s.To)) {
		s.To = to
	}
	return true
}

// OnlyLowerBound tells whether the filter is a single "prop ge t" or "prop gt t", all that a message delta takes.
func (f *Filter) OnlyLowerBound(prop string) bool {
	c, ok := f.root.(compare)
	return ok && c.path == prop && (c.op == "ge" || c.op == "gt")
}

func conjuncts(n node, to []node) []node {
	if b, ok := n.(both); ok {
		return conjuncts(b.right, conjuncts(b.left, to))
	}
	return append(to, n)
}

type node interface{ eval(Getter) bool }

type both struct{ left, right node }

func (n both) eval(get Getter) bool { return n.left.eval(get) && n.right.eval(get) }

type either struct{ left, right node }

func (n either) eval(get Getter) bool { return n.left.eval(get) || n.right.eval(get) }

type negation struct{ of node }

func (n negation) eval(get Getter) bool { return !n.of.eval(get) }

type compare struct {
	path, op string
	value    any
}

func (n compare) eval(get Getter) bool {
	have := get(n.path)
	if have == nil || n.value == nil {
		equal := have == nil && n.value == nil
		return (n.op == "eq" && equal) || (n.op == "ne" && !equal)
	}
	order, ok := order(have, n.value)
	if !ok {
		return n.op == "ne"
	}
	switch n.op {
	case "eq":
		return order == 0
	case "ne":
		return order != 0
	case "gt":
		return order > 0
	case "ge":
		return order >= 0
	case "lt":
		return order < 0
	default:
		return order <= 0
	}
}

// order compares two values of one kind; strings without regard to case, as Exchange does.
func order(a, b any) (int, bool) {
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		return strings.Compare(strings.ToLower(x), strings.ToLower(y)), ok
	case time.Time:
		y, ok := b.(time.Time)
		return x.Compare(y), ok
	case int64:
		y, ok := b.(int64)
		switch {
		case x < y:
			return -1, ok
		case x > y:
			return 1, ok
		}
		return 0, ok
	case bool:
		y, ok := b.(bool)
		switch {
		case x == y:
			return 0, ok
		case y:
			return -1, ok
		}
		return 1, ok
	}
	return 0, false
}

type text struct{ fn, path, value string }

func (n text) eval(get Getter) bool {
	have, _ := get(n.path).(string)
	have, want := strings.ToLower(have), strings.ToLower(n.value)
	switch n.fn {
	case "contains":
		return strings.Contains(have, want)
	case "startswith":
		return strings.HasPrefix(have, want)
	default:
		return strings.HasSuffix(have, want)
	}
}

type anyOf struct {
	path string
	of   node // reads its element at the path ""
}

func (n anyOf) eval(get Getter) bool {
	all, _ := get(n.path).([]string)
	for _, one := range all {
		if n.of.eval(func(string) any { return one }) {
			return true
		}
	}
	return false
}

// SyntaxError tells a client what is wrong with its query option.
type SyntaxError struct{ Reason string }

func (e *SyntaxError) Error() string { return e.Reason }

func syntaxf(format string, args ...any) error {
	return &SyntaxError{Reason: fmt.Sprintf(format, args...)}
}
