package box

import (
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/workfs/workfs/backends/sim/core"
)

// Searches that are allowed (guide "Rate limits").
const (
	searchesPerMinute    = 60 // of a user
	searchesPerSecond    = 6  // of a user
	searchesOfEnterprise = 12 // per second, of all users
)

func (s *Server) searchRoutes() {
	s.handle("GET /search", scopeRead, (*call).search)
}

// search looks for words in names, descriptions and tags; the real one knows contents and comments, too. Hits are in the
// order of names, where Box has one of relevance.
//
// With scope=enterprise_content it looks through the whole enterprise. It then counts before it looks at permissions, so
// that a page may be short or empty while total_count is large (box-node-sdk issue 221).
func (c *call) search() error {
	q := c.URL.Query()
	wanted := parseQuery(q.Get("query"))
	if wanted == nil && !q.Has("mdfilters") {
		return errParameter("query", "query is required")
	}
	p, err := c.paging(30, 200, 10000)
	if err != nil {
		return err
	}
	switch scope := q.Get("scope"); {
	case scope == "" || scope == "user_content":
		c.v.everything = false
	case scope != "enterprise_content":
		return errParameter("scope", "Invalid value '"+scope+"'.")
	case !c.v.everything:
		return errScope() // a guess
	}
	user := c.v.user.id()
	err = c.limit(
		core.Quota{Name: "box searches per second and user", Key: user, Limit: searchesPerSecond, Per: time.Second},
		core.Quota{Name: "box searches per second and enterprise", Key: c.v.user.enterprise.id, Limit: searchesOfEnterprise, Per: time.Second},
		core.Quota{Name: "box searches per minute and user", Key: user, Limit: searchesPerMinute, Per: time.Minute})
	if err != nil {
		return err
	}
	list := func(key string) []string {
		if !q.Has(key) {
			return nil
		}
		return strings.Split(q.Get(key), ",")
	}
	types, owners, extensions := list("type"), list("owner_user_ids"), list("file_extensions")
	indexed := c.now.Add(-time.Duration(c.s.w.Switches.Int("box.search_lag_seconds")) * time.Second)
	return c.reading(func() (any, error) {
		var within []*item
		for _, id := range list("ancestor_folder_ids") {
			dir, _, err := c.item(folderKind, id)
			if err != nil {
				return nil, err
			}
			within = append(within, dir)
		}
		var found []*item
		for _, it := range c.s.store.items {
			switch {
			case wanted == nil || it.isRoot() || it.inTrash() || it.created.After(indexed):
			case types != nil && !slices.Contains(types, it.kind.String()):
			case owners != nil && !slices.Contains(owners, it.owner.id()):
			case extensions != nil && (it.kind != fileKind || !slices.Contains(extensions, strings.TrimPrefix(path.Ext(it.fold), "."))):
			case !wanted.match(haystack(it)):
			case within != nil && !slices.ContainsFunc(within, func(dir *item) bool { return it.parent.within(dir) || slices.Contains(it.mounts, dir) }):
			case c.v.look(it).role != "" || c.v.everything:
				found = append(found, it)
			}
		}
		slices.SortFunc(found, compareName)
		return c.hits(p, found), nil
	})
}

// hits shows a page of what was found, without what the caller may not see.
func (c *call) hits(p page, found []*item) object {
	from, to := p.window(len(found))
	entries := []object{}
	for _, it := range found[from:to] {
		if a := c.v.look(it); a.role != "" {
			entries = append(entries, c.show(it, a, standard))
		}
	}
	return object{
		{"type", "search_results_items"}, {"total_count", len(found)}, {"entries", entries}, {"limit", p.limit}, {"offset", p.offset},
	}
}

// haystack is what is searched: the words of each part of an item, each with a space before and after it.
func haystack(it *item) string {
	parts := []string{it.name, it.description}
	if it.extra != nil {
		parts = append(parts, it.extra.tags...)
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(" " + strings.Join(words(p), " ") + " \n")
	}
	return b.String()
}

// words takes a text apart as Box does (guide "Query operators"): at all that is neither letter nor digit.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
}

// query is alternatives, each of terms that must all hold. There are no wildcards.
type query [][]term

type term struct {
	phrase string // words with single spaces, one before the first and one after the last
	not    bool
}

// parseQuery reads a query, nil for one without a word. Words are alternatives unless an operator, in capitals, says
// otherwise; between words without one the operators' company makes it AND (a guess).
func parseQuery(text string) query {
	var alternatives query
	var current []term
	operators, not, joined := false, false, true
	pieces := splitQuery(text)
	for _, p := range pieces {
		operators = operators || p == "AND" || p == "NOT"
	}
	end := func() {
		if len(current) > 0 {
			alternatives, current = append(alternatives, current), nil
		}
	}
	for _, p := range pieces {
		switch p {
		case "AND":
			joined = true
		case "OR":
			end()
			joined = true
		case "NOT":
			not = true
		default:
			w := words(p)
			if len(w) == 0 {
				continue
			}
			if !joined && !operators {
				end()
			}
			current = append(current, term{" " + strings.Join(w, " ") + " ", not})
			joined, not = false, false
		}
	}
	end()
	return alternatives
}

// splitQuery parts a query at spaces, except within quotes.
func splitQuery(text string) []string {
	var pieces []string
	for i, part := range strings.Split(text, `"`) {
		if i%2 == 1 {
			pieces = append(pieces, part)
			continue
		}
		pieces = append(pieces, strings.Fields(part)...)
	}
	return pieces
}

func (q query) match(haystack string) bool {
	return slices.ContainsFunc(q, func(all []term) bool {
		return !slices.ContainsFunc(all, func(t term) bool { return strings.Contains(haystack, t.phrase) == t.not })
	})
}
