package box

import (
	"cmp"
	"net/http"
	"slices"
	"sort"
	"strings"
)

func (s *Server) folderRoutes() {
	s.handle("GET /folders/{folder}", scopeRead, (*call).getFolder)
	s.handle("GET /folders/{folder}/items", scopeRead, (*call).folderItems)
	s.handle("POST /folders", scopeWrite, (*call).createFolder)
	s.handle("PUT /folders/{folder}", scopeWrite, func(c *call) error { return c.updateItem(folderKind, c.Param("folder")) })
	s.handle("DELETE /folders/{folder}", scopeWrite, func(c *call) error { return c.trashItem(folderKind, c.Param("folder")) })
	s.handle("POST /folders/{folder}/copy", scopeWrite, func(c *call) error { return c.copyItem(folderKind, c.Param("folder")) })
}

func (c *call) getFolder() error {
	return c.getItem(folderKind, c.Param("folder"))
}

// getItem answers GET of one item, with 304 for an etag that still holds.
func (c *call) getItem(k kind, id string) error {
	c.s.store.mu.RLock()
	it, a, err := c.item(k, id)
	var tag any
	if err == nil {
		tag = etag(it)
	}
	var shown []content
	if err == nil && c.wantsHash() {
		shown = contents([]*item{it})
		if k == folderKind && c.fields == nil {
			shown = contents(it.children.byName[:min(100, it.children.len())])
		}
	}
	c.s.store.mu.RUnlock()
	if err != nil {
		return err
	}
	if match := c.Header.Get("If-None-Match"); match != "" && tag != nil && strings.Trim(match, `"`) == tag {
		c.W.WriteHeader(http.StatusNotModified)
		return nil
	}
	hash(shown)
	return c.reading(func() (any, error) { return c.show(it, a, standard), nil })
}

// sortKey is where an item stands in an order.
type sortKey struct {
	kind  kind
	text  string
	value int64
	num   uint64
}

func keyOf(it *item, by string) sortKey {
	k := sortKey{kind: it.kind, num: it.num}
	switch by {
	case "name":
		k.text = it.fold
	case "date":
		k.value = it.modified.Unix()
	case "size":
		k.value = it.bytes()
	}
	return k
}

// compare orders keys; the type comes first whatever the direction.
func (k sortKey) compare(o sortKey, direction string) int {
	if c := cmp.Compare(k.kind, o.kind); c != 0 {
		return c
	}
	c := cmp.Or(strings.Compare(k.text, o.text), cmp.Compare(k.value, o.value), cmp.Compare(k.num, o.num))
	if direction == "DESC" {
		return -c
	}
	return c
}

// inOrder gives all children in an order. The two usual orders cost nothing.
func (l *listing) inOrder(by, direction string) []*item {
	switch {
	case by == "id" && direction == "ASC":
		return l.byID
	case by == "name" && direction == "ASC":
		return l.byName
	}
	sorted := slices.Clone(l.byID)
	slices.SortFunc(sorted, func(a, b *item) int { return keyOf(a, by).compare(keyOf(b, by), direction) })
	return sorted
}

// ordering reads sort and direction.
func (c *call) ordering(standard string) (by, direction string, given bool, err error) {
	q := c.URL.Query()
	by, direction = q.Get("sort"), strings.ToUpper(q.Get("direction"))
	given = by != "" || direction != ""
	if by == "" {
		by = standard
	}
	if direction == "" {
		direction = "ASC"
	}
	if !slices.Contains([]string{"id", "name", "date", "size"}, by) {
		return "", "", given, errParameter("sort", "Invalid value '"+by+"'.")
	}
	if direction != "ASC" && direction != "DESC" {
		return "", "", given, errParameter("direction", "Invalid value '"+direction+"'.")
	}
	return by, direction, given, nil
}

// highestLimit of folder items and most other collections (API reference, "limit").
const highestLimit = 1000

func (c *call) folderItems() error {
	if c.Param("folder") == "trash" {
		return c.trashItems()
	}
	p, err := c.paging(100, highestLimit, c.s.w.Switches.Int("box.offset_ceiling"))
	if err != nil {
		return err
	}
	if p.marker != "" && !p.useMarker {
		return errMarkerUse
	}
	standardOrder := "name"
	if p.useMarker {
		standardOrder = "id"
	}
	by, direction, given, err := c.ordering(standardOrder)
	if err != nil {
		return err
	}
	if p.useMarker && given && c.Param("folder") == "0" {
		return errMarkerUse
	}
	c.s.store.mu.RLock()
	dir, a, err := c.folder()
	var picked pick
	var shown []content
	if err == nil {
		if !can(a.role, "list") {
			err = errForbidden()
		} else {
			picked, err = c.choose(dir.children, dir, p, by, direction)
		}
		if c.wantsHash() {
			shown = contents(picked.items)
		}
	}
	c.s.store.mu.RUnlock()
	if err != nil {
		return err
	}
	hash(shown)
	return c.reading(func() (any, error) {
		o := object{}
		if !p.useMarker {
			o = append(o, member{"total_count", picked.total})
		}
		o = append(o, member{"entries", c.entries(dir, picked.items)}, member{"limit", p.limit})
		switch {
		case !p.useMarker:
			o = append(o, member{"offset", p.offset}, member{"order", nameOrderBy(by, direction)})
		case picked.next != "":
			o = append(o, member{"next_marker", picked.next})
		default:
			o = c.s.lastMarker(o)
		}
		if c.awkward(dir) {
			o = append(o, member{"x_experiment", object{{"bucket", "b"}}})
		}
		return o, nil
	})
}

func nameOrderBy(by, direction string) []object {
	o := nameOrder(direction)
	o[1][0].val = by
	return o
}

// pick is what a page of a listing holds before it is shown.
type pick struct {
	items []*item
	total int
	next  string
}

// choose takes the items of a page. What the viewer may not see is dropped after counting, so a page can be short and
// the total too high, as with Box. The store's lock must be held.
func (c *call) choose(l *listing, dir *item, p page, by, direction string) (pick, error) {
	ordered := l.inOrder(by, direction)
	out := pick{total: len(ordered)}
	from, to := p.window(len(ordered))
	if p.useMarker {
		scope := "items " + dir.owner.id() + " " + dir.id() + " " + by + " " + direction
		m, err := c.s.decodeMark(p.marker, scope)
		if err != nil {
			return out, err
		}
		from = 0
		if p.marker != "" {
			after := sortKey{m.Kind, m.Text, m.Value, m.Num}
			from = sort.Search(len(ordered), func(i int) bool { return keyOf(ordered[i], by).compare(after, direction) > 0 })
		}
		size := p.limit
		if c.awkward(dir) {
			// The second page is empty, all others have half of what was asked for.
			size = (size + 1) / 2
			if m.Stage == 1 {
				size = 0
			}
		}
		to = min(from+size, len(ordered))
		if to < len(ordered) {
			next := mark{Scope: scope, Kind: m.Kind, Text: m.Text, Value: m.Value, Num: m.Num, Stage: m.Stage + 1}
			if to > from {
				k := keyOf(ordered[to-1], by)
				next.Kind, next.Text, next.Value, next.Num = k.kind, k.text, k.value, k.num
			}
			out.next = c.s.encodeMark(next)
		}
	} else if c.awkward(dir) && len(ordered) > 1 {
		// An item that the caller never sees is counted in second place.
		out.total++
		from, to = p.window(out.total)
		for i := from; i < to; i++ {
			switch {
			case i == 0:
				out.items = append(out.items, ordered[0])
			case i > 1:
				out.items = append(out.items, ordered[i-1])
			}
		}
		return out, nil
	}
	for _, it := range ordered[from:to] {
		if c.v.look(it).role != "" {
			out.items = append(out.items, it)
		}
	}
	return out, nil
}

// entries shows the items of a page. The store's lock must be held.
func (c *call) entries(dir *item, items []*item) []object {
	entries := make([]object, 0, len(items)+1)
	odd := c.awkward(dir)
	for i, it := range items {
		o := c.show(it, c.v.look(it), mini)
		if odd {
			if i%3 == 2 {
				o[1].val = literal(it.id())
			}
			o = append(o, member{"x_color_index", i})
		}
		entries = append(entries, o)
		if odd && i == 0 {
			entries = append(entries, object{
				{"type", "hologram"}, {"id", numeral(it.num + 1)}, {"etag", "0"}, {"name", "Type of the future"}, {"depth", 3},
			})
		}
	}
	return entries
}
