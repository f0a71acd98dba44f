package outlook

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/query"
)

// mark says where a delta round stands. It travels inside the links, so that nothing is kept for a client, and an old link
// goes on working.
type mark struct {
	gen    int
	phase  byte   // 'i' initial pages, 'c' pages of changes, 'd' between rounds
	from   uint64 // position in the log where the changes begin
	to     uint64 // 'c': where they end
	at     int    // 'c' and small collections: items given so far; initial messages: likewise
	second int64  // initial messages: received time and key of the last one given
	key    uint64
}

func (m mark) String() string {
	return fmt.Sprintf("%c.%d.%d.%d.%d.%d.%d", m.phase, m.gen, m.from, m.to, m.at, m.second, m.key)
}

func parseMark(s string) (m mark, ok bool) {
	_, err := fmt.Sscanf(s, "%c.%d.%d.%d.%d.%d.%d", &m.phase, &m.gen, &m.from, &m.to, &m.at, &m.second, &m.key)
	return m, err == nil
}

// beginDelta reads where the client stands: fresh for a new round over everything. ok is false when it was told to start over.
func (c *call) beginDelta() (m mark, fresh, ok bool) {
	gen := c.World.Switches.Int(switchGeneration)
	state, linked := c.State()
	if !linked {
		state, linked = c.DeltaState()
	}
	if !linked {
		return mark{gen: gen, phase: 'i'}, true, true
	}
	if state == "latest" {
		return mark{gen: gen, phase: 'd', from: c.mb.Seq()}, false, true
	}
	m, valid := parseMark(state)
	age := c.World.Switches.Int(switchMinimumExpiry)
	if valid && m.gen >= gen && (age == 0 || c.Now().Sub(c.TokenTime()) < time.Duration(age)*time.Hour) {
		return m, false, true
	}
	const message = "The sync state generation is not found."
	switch c.World.Switches.String(switchExpired) {
	case "syncStateNotFound":
		c.Error(http.StatusNotFound, "SyncStateNotFound", message)
	case "syncStateInvalid":
		c.Error(http.StatusBadRequest, "SyncStateInvalid", "The sync state is invalid.")
	default:
		c.Gone("SyncStateNotFound", message)
	}
	return m, false, false
}

// tracked is a collection whose changes are asked for.
type tracked struct {
	kind mailbox.Kind
	log  *mailbox.Log
	id   func(mailbox.Ref) string
	// show gives the resource of a changed item as it is now, nil to leave it out.
	show func(mailbox.Entry) map[string]any
	// showAll, in place of show, gives several.
	showAll func(mailbox.Entry) []map[string]any
	// skip leaves changes out of account; nil for none.
	skip func(mailbox.Op) bool
	// wanted leaves items out of the answer by what happened to them; nil for none.
	wanted func(mailbox.Op) bool
}

// changes answers with a page of what happened in a collection after m.from.
func (c *call) changes(m mark, size int, t tracked) {
	if m.phase == 'd' {
		m = mark{gen: m.gen, phase: 'c', from: m.from, to: max(m.from, c.known(t.log, m.from))}
	}
	var entries []mailbox.Entry
	last := map[string]uint64{} // the last word on each id wins
	created := map[string]bool{}
	for _, e := range t.log.Since(m.from) {
		if e.Seq > m.to {
			break
		}
		if t.skip != nil && t.skip(e.Op) {
			continue
		}
		id := t.id(e.Ref)
		entries = append(entries, e)
		last[id] = e.Seq
		created[id] = created[id] || e.Op == mailbox.Created
	}
	var items []any
	for _, e := range entries {
		id := t.id(e.Ref)
		if last[id] != e.Seq {
			continue
		}
		op := e.Op
		if op == mailbox.Updated && created[id] {
			op = mailbox.Created
		}
		switch {
		case t.wanted != nil && !t.wanted(op):
		case op == mailbox.Removed:
			items = append(items, removed(id))
		case t.showAll != nil:
			for _, r := range t.showAll(e) {
				items = append(items, r)
			}
		default:
			if r := t.show(e); r != nil {
				items = append(items, r)
			}
		}
	}
	if len(items) > 1 && c.replays() {
		// The service may say things twice, out of order, and remove what it never gave.
		if first, _ := items[0].(map[string]any); first["type"] != "seriesMaster" {
			items = append(items, first)
		}
		items = append(items, c.neverSeen(t.kind, m))
	}
	from, to := seriesPage(len(items), m.at, size, func(i int) any { return items[i] })
	p := graph.Page{Items: items[from:to]}
	if to < len(items) {
		m.at = to
		p.Next = m.String()
	} else {
		p.Delta = mark{gen: m.gen, phase: 'd', from: m.to}.String()
	}
	c.WritePage(p)
}

// seriesPage gives the items of a page: size from at on, and those of the last one's series that follow.
func seriesPage(n, at, size int, item func(int) any) (from, to int) {
	from = min(at, n)
	to = min(from+size, n)
	for to < n && to > from {
		next, _ := item(to).(map[string]any)
		if series, _ := next["seriesMasterId"].(string); series == "" {
			break
		}
		to++
	}
	return from, to
}

func removed(id string) map[string]any {
	return map[string]any{"id": id, "@removed": map[string]any{"reason": "deleted"}}
}

func (c *call) replays() bool { return c.World.Switches.Bool(switchReplays) }

// neverSeen removes an item that there never was.
func (c *call) neverSeen(kind mailbox.Kind, m mark) map[string]any {
	return removed(c.mb.ID(mailbox.Ref{Kind: kind, Immutable: c.Prefer.ImmutableID, Folder: 1, Key: 1<<40 + m.from}))
}

// wantedChange reads the changeType option of a message delta.
func (c *call) wantedChange() (wanted func(mailbox.Op) bool, ok bool) {
	var want mailbox.Op
	switch t := c.Query.Get("changeType"); strings.ToLower(t) {
	case "":
		return nil, true
	case "created":
		want = mailbox.Created
	case "updated":
		want = mailbox.Updated
	case "deleted":
		want = mailbox.Removed
	default:
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", "The changeType '"+t+"' is not supported.")
		return nil, false
	}
	return func(op mailbox.Op) bool { return op == want }, true
}

func (s *Store) messageDelta(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	f := c.lookFolder()
	if f == nil {
		return
	}
	v, ok := c.newView()
	if !ok {
		return
	}
	v.typed = true
	wanted, ok := c.wantedChange()
	if !ok {
		return
	}
	filter, keys, ok := c.options(messageSchema)
	if !ok {
		return
	}
	unsupported := ""
	switch {
	case f.Search != nil:
		unsupported = "Change tracking is not supported on search folders."
	case filter != nil && !filter.OnlyLowerBound("receivedDateTime"):
		unsupported = "Change tracking supports only $filter with receivedDateTime ge or gt."
	case len(keys) > 1 || (len(keys) == 1 && (keys[0].Path != "receivedDateTime" || !keys[0].Desc)):
		unsupported = "Change tracking supports only $orderby=receivedDateTime desc."
	case c.Query.Search != "":
		unsupported = "The query parameter '$search' is not supported with change tracking."
	case c.Query.Skip > 0:
		unsupported = "The query parameter '$skip' is not supported with change tracking."
	}
	if unsupported != "" {
		c.Error(http.StatusBadRequest, "ErrorInvalidUrlQuery", unsupported)
		return
	}
	m, fresh, ok := c.beginDelta()
	if !ok {
		return
	}
	size, ok := c.PageSize(10, 1000)
	if !ok {
		return
	}
	if m.phase == 'i' {
		if fresh {
			m.from = c.mb.Seq()
			if known := c.known(&f.Log, 0); known < f.Log.Last() {
				m.from = known
			}
		}
		c.initialMessages(f, v, m, fresh, size, filter, wanted, len(keys) > 0)
		return
	}
	show := func(e mailbox.Entry) map[string]any {
		r := e.Ref
		r.Immutable = v.immutable
		msg := c.mb.MessageByRef(r)
		if msg == nil || msg.Folder != f || !filter.Match(messageGetter(msg)) {
			return nil
		}
		return v.message(msg)
	}
	c.changes(m, size, tracked{kind: mailbox.KindMessage, log: &f.Log, id: v.id, show: show, wanted: wanted})
}

// initialMessages gives a page of a first round, newest first from where the mark stands. What changes meanwhile comes with
// the deltaLink.
func (c *call) initialMessages(f *mailbox.Folder, v *view, m mark, fresh bool, size int, filter *query.Filter, wanted func(mailbox.Op) bool, ordered bool) {
	span, _ := filter.Split("receivedDateTime")
	index := c.replicated(f.Messages())
	low := 0
	if !span.From.IsZero() {
		low = index.At(ceilSecond(span.From))
	}
	high := len(index)
	if !fresh {
		high = max(low, index.Position(time.Unix(m.second, 0).UTC(), m.key))
	}
	replay := c.replays() && !ordered
	p := graph.Page{}
	if replay && !fresh && size > 4 && high < len(index) {
		// The last one of the page before comes again.
		p.Items = append(p.Items, v.message(index[high]))
		size--
	}
	limit := 1 << 60
	if filter != nil {
		limit = c.World.Switches.Int(switchDeltaLimit)
	}
	next := high
	for ; next > low && size > 0 && m.at < limit; size-- {
		next--
		m.at++
		m.second, m.key = index[next].Received.Unix(), index[next].Key
		if wanted == nil || wanted(mailbox.Created) {
			p.Items = append(p.Items, v.message(index[next]))
		}
	}
	if n := len(p.Items); replay && n > 2 {
		p.Items[n-1], p.Items[n-2] = p.Items[n-2], p.Items[n-1]
	}
	if next > low && m.at < limit {
		p.Next = m.String()
		c.WritePage(p)
		return
	}
	if replay && len(index) > 0 && (wanted == nil || wanted(mailbox.Removed)) {
		p.Items = append(p.Items, c.neverSeen(mailbox.KindMessage, m))
	}
	p.Delta = mark{gen: m.gen, phase: 'd', from: m.from}.String()
	c.WritePage(p)
}

// wholeThenChanges runs the delta of a small collection: all of it at first, its log afterwards.
func wholeThenChanges[T any](c *call, all []T, show func(T) map[string]any, t tracked) {
	m, fresh, ok := c.beginDelta()
	if !ok {
		return
	}
	size, ok := c.PageSize(10, 1000)
	if !ok {
		return
	}
	if m.phase != 'i' {
		c.changes(m, size, t)
		return
	}
	if fresh {
		m.from = c.mb.Seq()
	}
	from, to := seriesPage(len(all), m.at, size, func(i int) any { return any(all[i]) })
	p := graph.Page{}
	for _, one := range all[from:to] {
		p.Items = append(p.Items, show(one))
	}
	if to < len(all) {
		m.at = to
		p.Next = m.String()
	} else {
		p.Delta = mark{gen: m.gen, phase: 'd', from: m.from}.String()
	}
	c.WritePage(p)
}

func (s *Store) folderDelta(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	if !c.owns() {
		c.AccessDenied()
		return
	}
	v, ok := c.newView()
	if !ok {
		return
	}
	if c.Query.Filter != "" || c.Query.OrderBy != "" {
		c.Error(http.StatusBadRequest, "ErrorInvalidUrlQuery", "The following query options are not supported with change tracking: $filter, $orderby.")
		return
	}
	shown := func(f *mailbox.Folder) bool {
		for g := f; g.Parent != nil; g = g.Parent {
			if g.Unlisted || g.Hidden {
				return false
			}
		}
		return f.Parent != nil
	}
	var all []*mailbox.Folder
	c.mb.Folders(func(f *mailbox.Folder) {
		if shown(f) {
			all = append(all, f)
		}
	})
	counts := c.World.Switches.Bool(switchFolderCounts)
	wholeThenChanges(c, all, v.folder, tracked{
		kind: mailbox.KindMailFolder, log: &c.mb.FolderLog, id: v.id,
		skip: func(op mailbox.Op) bool { return op == mailbox.Counted && !counts },
		show: func(e mailbox.Entry) map[string]any {
			f := c.mb.FolderByKey(e.Ref.Key)
			if f == nil || !shown(f) {
				return nil
			}
			return v.folder(f)
		},
	})
}
