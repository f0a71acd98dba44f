package directory

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/graph"
)

// tokenLife is how long delta tokens of directory objects live (delta-query-overview.md).
const tokenLife = 7 * 24 * time.Hour

// maxIDs is how many ids a delta filter may name.
const maxIDs = 50

func (d *Directory) usersDelta(r *graph.Request) { d.delta(r, kindUser, "users") }

func (d *Directory) groupsDelta(r *graph.Request) { d.delta(r, kindGroup, "groups") }

// delta serves one page of a delta round. The mark of a link is "from:to:position": the round tells of the changes after
// from (-1 in a full round) up to to. That of a deltaLink is the number of the last change told of.
func (d *Directory) delta(r *graph.Request, kind, fragment string) {
	ids, ok := deltaIDs(r)
	if !ok {
		return
	}
	from, to, at := -1, d.Store.replicated(), 0
	if mark, ok := r.State(); ok {
		if _, err := fmt.Sscanf(mark, "%d:%d:%d", &from, &to, &at); err != nil {
			r.Error(http.StatusBadRequest, "Request_BadRequest", "Badly formed token.")
			return
		}
	} else if mark, ok := r.DeltaState(); ok {
		if mark == "latest" {
			r.WritePage(graph.Page{Fragment: fragment, Delta: itoa(to)})
			return
		}
		if _, err := fmt.Sscanf(mark, "%d", &from); err != nil {
			r.Error(http.StatusBadRequest, "Request_BadRequest", "Badly formed token.")
			return
		}
	}
	if t := r.TokenTime(); !t.IsZero() && r.Now().Sub(t) > tokenLife {
		r.Gone("syncStateNotFound", "The delta token is expired. A full synchronization is required.")
		return
	}
	// A clock that was set back shows less than the client has seen already.
	to = max(to, from)
	entries := d.entries(r, kind, from, to, ids)
	n := max(1, r.World.Switches.Int("directory.delta_page"))
	end := min(at+n, len(entries))
	p := graph.Page{Fragment: fragment, Items: entries[min(at, len(entries)):end]}
	if end < len(entries) {
		p.Next = fmt.Sprintf("%d:%d:%d", from, to, end)
	} else {
		p.Delta = itoa(to)
	}
	r.WritePage(p)
}

var idClause = regexp.MustCompile(`(?i)^\s*id\s+eq\s+'([0-9a-f-]+)'\s*$`)

// deltaIDs reads the only filter that delta of directory objects takes: id eq '…' or id eq '…'.
func deltaIDs(r *graph.Request) (ids []string, ok bool) {
	if r.Query.Filter == "" {
		return nil, true
	}
	for _, clause := range regexp.MustCompile(`(?i)\s+or\s+`).Split(r.Query.Filter, -1) {
		m := idClause.FindStringSubmatch(clause)
		if m == nil {
			r.Error(http.StatusBadRequest, "Request_UnsupportedQuery", "Only filters on id are supported with delta query.")
			return nil, false
		}
		ids = append(ids, strings.ToLower(m[1]))
	}
	if len(ids) > maxIDs {
		r.Error(http.StatusBadRequest, "Request_UnsupportedQuery", fmt.Sprintf("Too many ids in the filter, at most %d are supported.", maxIDs))
		return nil, false
	}
	return ids, true
}

// entries gives all entries of a round. Those of one object may be several, anywhere in the sequence.
func (d *Directory) entries(r *graph.Request, kind string, from, to int, ids []string) []any {
	wanted := func(id string) bool { return len(ids) == 0 || slices.Contains(ids, id) }
	awkward := r.World.Switches.Bool("directory.awkward_delta") && len(ids) == 0
	var first, later []any
	if from < 0 {
		for i, o := range d.Store.list(kind, to) {
			if !wanted(o.id) {
				continue
			}
			entry := d.entry(r, kind, o, nil)
			more := d.memberEntries(r, kind, entry, o.members, nil)
			first, later = append(first, entry), append(later, more...)
			if awkward && i == 1 {
				later = append(later, entry)
			}
		}
		if awkward {
			// The tail of something that was deleted long ago.
			ghost := map[string]any{"id": r.World.GUID("deleted long ago " + kind), "@removed": map[string]any{"reason": "deleted"}}
			first = slices.Insert(first, min(1, len(first)), any(ghost))
		}
		return append(first, later...)
	}
	for _, c := range d.Store.since(kind, from, to) {
		switch {
		case !wanted(c.id):
			continue
		case c.props == nil:
			first = append(first, map[string]any{"id": c.id, "@removed": map[string]any{"reason": c.reason}})
			continue
		}
		var fields []string
		if r.Prefer.ReturnMinimal && !c.isNew {
			r.Apply("return=minimal")
			fields = c.fields
			if fields == nil {
				fields = []string{"id"}
			}
		}
		entry := d.entry(r, kind, c.listed, fields)
		more := d.memberEntries(r, kind, entry, c.added, c.removed)
		first, later = append(first, entry), append(later, more...)
	}
	return append(first, later...)
}

// entry gives an object as delta shows it: the selected properties, or only fields of them.
func (d *Directory) entry(r *graph.Request, kind string, o listed, fields []string) map[string]any {
	props, defaults := o.props, []string(nil)
	if kind == kindUser {
		props, defaults = shown(r, props, false), defaultUser
	}
	out := copyOf(r.Select(props, defaults...))
	for k := range out {
		if fields != nil && k != "id" && !slices.Contains(fields, k) {
			delete(out, k)
		}
	}
	return out
}

// memberEntries puts the first members into entry and gives further entries of the same group for the rest.
func (d *Directory) memberEntries(r *graph.Request, kind string, entry map[string]any, added, removed []string) []any {
	if kind != kindGroup || len(added)+len(removed) == 0 {
		return nil
	}
	if len(r.Query.Select) > 0 && !r.Query.Selected("members") && !strings.Contains(strings.ToLower(r.Query.Expand), "members") {
		return nil
	}
	var all []any
	for _, id := range added {
		all = append(all, map[string]any{"@odata.type": d.kindOf(id), "id": id})
	}
	for _, id := range removed {
		all = append(all, map[string]any{"@odata.type": d.kindOf(id), "id": id, "@removed": map[string]any{"reason": "deleted"}})
	}
	var more []any
	chunks := slices.Collect(slices.Chunk(all, max(1, r.World.Switches.Int("directory.delta_members"))))
	entry["members@delta"] = chunks[0]
	for _, c := range chunks[1:] {
		again := copyOf(entry)
		again["members@delta"] = c
		more = append(more, again)
	}
	return more
}

func (d *Directory) kindOf(id string) string {
	d.Store.mu.RLock()
	defer d.Store.mu.RUnlock()
	if o := d.Store.objects[id]; o != nil {
		return o.kind
	}
	return kindUser
}
