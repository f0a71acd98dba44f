package box

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// scopeEvents is what the streams for administrators want.
const scopeEvents = "manage_enterprise_properties"

func (s *Server) eventRoutes() {
	s.handle("GET /events", scopeNone, (*call).listEvents)
	s.handle("OPTIONS /events", scopeNone, (*call).realtimeServers)
}

// stream reads stream_type and checks the right to it.
func (c *call) stream() (string, stream, error) {
	name := c.URL.Query().Get("stream_type")
	if name == "" {
		name = "all"
	}
	st, ok := streams[name]
	if !ok {
		return "", st, errParameter("stream_type", "Invalid value '"+name+"'.")
	}
	if st.admin && !c.scopes[scopeEvents] {
		return "", st, errScope()
	}
	if st.admin {
		c.s.store.mu.RLock()
		defer c.s.store.mu.RUnlock()
		// The right to run reports, which all administrators have here.
		if !c.v.user.manages() || c.v.user.enterprise != c.s.store.ours {
			return "", st, errForbidden()
		}
	}
	return name, st, nil
}

// highestEventLimit is the most events of a page (API reference, "List user and enterprise events").
const highestEventLimit = 500

func (c *call) listEvents() error {
	name, st, err := c.stream()
	if err != nil {
		return err
	}
	p, err := c.paging(100, highestEventLimit, 0)
	if err != nil {
		return err
	}
	q := c.URL.Query()
	text := q.Get("stream_position")
	if text == "now" {
		return c.events(st, nil, c.s.journal.now())
	}
	pos := int64(0)
	if text != "" {
		if pos, err = strconv.ParseInt(text, 10, 64); err != nil || pos < 0 {
			return errParameter("stream_position", "Invalid value '"+text+"'.")
		}
	}
	keep := func(ev *event) bool { return ev.tells(c.v.user, name) }
	if st.admin {
		if keep, err = c.adminFilter(name); err != nil {
			return err
		}
	}
	found, next := c.s.journal.read(name, pos, p.limit, keep)
	return c.events(st, found, next)
}

// adminFilter reads what only the streams for administrators heed.
func (c *call) adminFilter(name string) (func(*event) bool, error) {
	q := c.URL.Query()
	var types []string
	if text := q.Get("event_type"); text != "" {
		types = strings.Split(text, ",")
	}
	var after, before time.Time
	if name == "admin_logs" {
		for key, t := range map[string]*time.Time{"created_after": &after, "created_before": &before} {
			text := q.Get(key)
			if text == "" {
				continue
			}
			var err error
			if *t, err = time.Parse(time.RFC3339, text); err != nil {
				return nil, errParameter(key, "Invalid value '"+text+"'.")
			}
		}
	}
	return func(ev *event) bool {
		return (types == nil || slices.Contains(types, ev.typeFor(true))) &&
			(after.IsZero() || !ev.at.Before(after)) && (before.IsZero() || !ev.at.After(before))
	}, nil
}

// events answers with a page of a stream.
func (c *call) events(st stream, found []entry, next int64) error {
	return c.reading(func() (any, error) {
		entries := make([]object, 0, len(found))
		for _, e := range found {
			entries = append(entries, c.showEvent(e.ev, st.admin))
		}
		var pos any = next
		if st.admin {
			pos = strconv.FormatInt(next, 10)
			if len(entries) == 0 && c.URL.Query().Get("stream_position") != "now" && c.s.w.Switches.Bool("box.admin_zero") {
				// Seen as a number and as a string (box-windows-sdk-v2#371, box-node-sdk).
				pos = []any{0, "0"}[c.s.calls.Load()%2]
			}
		}
		return object{{"chunk_size", len(entries)}, {"next_stream_position", pos}, {"entries", entries}}, nil
	})
}

// typeFor is the event type on one or the other kind of stream.
func (ev *event) typeFor(admin bool) string {
	switch {
	case ev.unknown:
		return "ITEM_TELEPORTED"
	case admin:
		return ev.adminType
	}
	return ev.userType
}

// showEvent gives an event as the caller sees it. The store's lock must be held.
func (c *call) showEvent(ev *event, admin bool) object {
	at := stamp(ev.at, c.s.salt(ev))
	if admin {
		o := object{
			{"source", c.adminSource(ev)}, {"created_by", ev.by.mini()}, {"action_by", nil}, {"created_at", at}, {"event_id", ev.adminID},
			{"event_type", ev.typeFor(true)}, {"ip_address", "Unknown IP"}, {"type", "event"}, {"session_id", nil},
			{"additional_details", c.adminDetails(ev)},
		}
		if ev.collab != nil {
			o = append(o, member{"accessible_by", c.showCollab(ev.collab).get("accessible_by")})
		}
		return o
	}
	return object{
		{"type", "event"}, {"event_id", ev.id}, {"created_by", ev.by.mini()}, {"created_at", at}, {"recorded_at", at},
		{"event_type", ev.typeFor(false)}, {"session_id", nil}, {"source", c.userSource(ev)},
	}
}

// salt varies the time zone from event to event.
func (s *Server) salt(ev *event) uint64 { return uint64(ev.id[0]) }

// blankSource is the source of events that have none; ok is false for those that have one.
func (ev *event) blankSource() (v any, ok bool) {
	switch ev.blank {
	case 1:
		return nil, true
	case 2:
		return object{}, true
	}
	return nil, false
}

// userSource is the source of an event on the stream of a user: the thing as it was then, null if it was purged since.
// That a collaboration's event has the collaboration and a comment's the comment is a guess; the reference allows for it.
func (c *call) userSource(ev *event) any {
	if v, blank := ev.blankSource(); blank {
		return v
	}
	switch {
	case ev.user != nil:
		return append(ev.group.mini(), member{"user", ev.user.mini()})
	case ev.collab != nil:
		return c.showCollab(ev.collab)
	case ev.comment != nil:
		return c.showComment(ev.snap, ev.comment)
	}
	return c.itemSource(ev)
}

func (c *call) itemSource(ev *event) any {
	it := ev.snap
	if c.s.store.items[itemKey{it.kind, it.num}] != ev.item {
		return nil
	}
	a := c.v.look(ev.item)
	if a.role == "" {
		return object{{"type", it.kind.String()}, {"id", it.id()}}
	}
	if a.top == ev.item {
		a.top = it
	}
	o := slices.DeleteFunc(c.show(it, a, standard), func(m member) bool { return m.key == "item_collection" && c.fields == nil })
	if ev.numbers {
		for i, m := range o {
			if p, ok := m.val.(object); ok && m.key == "parent" && p != nil {
				o[i].val = numericID(p)
			}
		}
		o = numericID(o)
	}
	return o
}

// numericID makes the id a number, as in some of Box's samples.
func numericID(o object) object {
	o = slices.Clone(o)
	for i, m := range o {
		if id, ok := m.val.(string); ok && m.key == "id" {
			o[i].val = literal(id)
		}
	}
	return o
}

// adminSource is the source on the streams for administrators: of another shape, and without the right to see the item.
// The shape of the sources of collaborations and groups is as logs of real enterprises have it, not documented.
func (c *call) adminSource(ev *event) any {
	if v, blank := ev.blankSource(); blank {
		return v
	}
	if ev.user != nil {
		if ev.group != nil {
			return object{{"user_id", ev.user.id()}, {"user_name", ev.user.name}, {"group_id", numeral(ev.group.num)}, {"group_name", ev.group.name}}
		}
		return ev.user.mini()
	}
	it := ev.snap
	id := any(it.id())
	if ev.numbers {
		id = literal(it.id())
	}
	parent := object{{"type", "folder"}, {"name", it.parent.name}, {"id", it.parent.id()}}
	if ev.collab != nil && it.kind == folderKind {
		o := object{{"folder_id", id}, {"folder_name", it.name}}
		if u := ev.collab.user; u != nil {
			o = append(o, member{"user_id", u.id()}, member{"user_name", u.name})
		}
		return append(o, member{"parent", parent}, member{"owned_by", it.owner.mini()})
	}
	o := object{{"item_type", it.kind.String()}, {"item_id", id}, {"item_name", it.name}}
	if it.extra != nil && it.extra.class != "" {
		o = append(o, member{"classification", object{{"name", it.extra.class}}})
	}
	return append(o, member{"parent", parent}, member{"owned_by", it.owner.mini()})
}

func (c *call) adminDetails(ev *event) any {
	service := object{{"service_id", c.s.apps[0].id}, {"service_name", c.s.apps[0].name}}
	switch {
	case ev.collab != nil:
		return append(object{{"collab_id", numeral(ev.collab.num)}, {"role", ev.collab.role}, {"type", ev.snap.kind.String()}}, service...)
	case ev.comment != nil:
		return append(object{{"comment_id", numeral(ev.comment.num)}}, service...)
	case ev.version != nil:
		return append(object{{"size", ev.version.content.size()}, {"ekm_id", ""}, {"version_id", numeral(ev.version.num)}}, service...)
	}
	return service
}
