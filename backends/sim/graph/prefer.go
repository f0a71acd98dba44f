package graph

import (
	"strconv"
	"strings"
)

// Prefer holds the values of the Prefer header. A value counts as honoured only once the handler says so with
// Request.Apply.
type Prefer struct {
	MaxPageSize   int    // odata.maxpagesize; 0 if absent
	BodyType      string // outlook.body-content-type: "text", "html" or ""
	TimeZone      string // outlook.timezone; "" if absent
	UnsafeHTML    bool   // outlook.allow-unsafe-html
	ImmutableID   bool   // IdType="ImmutableId"
	UnknownEnums  bool   // include-unknown-enum-members
	ReturnMinimal bool   // return=minimal

	values map[string]string
}

// Has reports whether the header has a preference of that name, without regard to case.
func (p Prefer) Has(name string) bool {
	_, ok := p.values[strings.ToLower(name)]
	return ok
}

func parsePrefer(headers []string) Prefer {
	p := Prefer{values: map[string]string{}}
	for _, h := range headers {
		for _, item := range splitQuoted(h, ',') {
			name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
			name = strings.ToLower(strings.TrimSpace(name))
			if name != "" {
				p.values[name] = strings.Trim(strings.TrimSpace(value), `"`)
			}
		}
	}
	p.MaxPageSize, _ = strconv.Atoi(p.values["odata.maxpagesize"])
	p.MaxPageSize = max(0, p.MaxPageSize)
	if t := strings.ToLower(p.values["outlook.body-content-type"]); t == "text" || t == "html" {
		p.BodyType = t
	}
	p.TimeZone = p.values["outlook.timezone"]
	p.UnsafeHTML = p.Has("outlook.allow-unsafe-html")
	p.ImmutableID = strings.EqualFold(p.values["idtype"], "ImmutableId")
	p.UnknownEnums = p.Has("include-unknown-enum-members")
	p.ReturnMinimal = strings.EqualFold(p.values["return"], "minimal")
	return p
}

// splitQuoted splits at sep outside double quotes.
func splitQuoted(s string, sep byte) []string {
	var parts []string
	quoted, start := false, 0
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}
