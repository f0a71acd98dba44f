package render

import (
	"strconv"
	"time"
)

// frontMatter writes the YAML block at the start of a Markdown file. Keys come from our code alone; values are double-quoted
// one-line strings, so that nothing in them can end the block, add a key or change its type.
type frontMatter struct{ out []byte }

func newFrontMatter(size int) *frontMatter {
	f := &frontMatter{out: make([]byte, 0, size)}
	f.out = append(f.out, "---\n"...)
	return f
}

// text writes a value if there is one.
func (f *frontMatter) text(key, value string) {
	if value = oneLine(value); value == "" {
		return
	}
	f.out = append(f.out, key...)
	f.out = append(f.out, ": "...)
	f.quote(value)
	f.out = append(f.out, '\n')
}

// list writes values one a line, if there are any.
func (f *frontMatter) list(key string, values []string) {
	first := true
	for _, v := range values {
		if v = oneLine(v); v == "" {
			continue
		}
		if first {
			f.out = append(f.out, key...)
			f.out = append(f.out, ":\n"...)
			first = false
		}
		f.out = append(f.out, "  - "...)
		f.quote(v)
		f.out = append(f.out, '\n')
	}
}

func (f *frontMatter) time(key string, t time.Time) {
	if t.IsZero() {
		return
	}
	f.out = append(f.out, key...)
	f.out = append(f.out, ": "...)
	f.out = append(f.out, stamp(t)...)
	f.out = append(f.out, '\n')
}

func (f *frontMatter) bool(key string, v bool) {
	f.out = append(f.out, key...)
	f.out = append(f.out, ": "...)
	f.out = strconv.AppendBool(f.out, v)
	f.out = append(f.out, '\n')
}

func (f *frontMatter) quote(s string) {
	f.out = append(f.out, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			f.out = append(f.out, '\\')
		}
		f.out = append(f.out, s[i])
	}
	f.out = append(f.out, '"')
}

// end closes the block and appends the body.
func (f *frontMatter) end(body string) []byte {
	f.out = append(f.out, "---\n"...)
	return appendBody(f.out, body)
}
