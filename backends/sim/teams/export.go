package teams

import (
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/order"
	"github.com/workfs/workfs/backends/sim/outlook/query"
)

// maxScan bounds how many messages one page of an export looks at: with a filter that lets little through, pages are short
// or empty.
const maxScan = 500

// exportSchema is what exports can be filtered by.
var exportSchema = query.Schema{
	modifiedProperty: query.Time, createdProperty: query.Time, "messageType": query.String,
	"from/user/id": query.String, "from/user/userIdentityType": query.String,
	"from/application/id": query.String, "from/application/applicationIdentityType": query.String,
}

// ofPerson hands on the conversations of the person that the path names.
func (s *Service) ofPerson(h func(*graph.Request, view, []*Conversation) answer) handler {
	return func(r *graph.Request, v view) answer {
		var convs []*Conversation
		for _, c := range s.Store.chats {
			if member(c.Members, r.User.ID) != nil {
				convs = append(convs, &c.Conversation)
			}
		}
		return h(r, v, convs)
	}
}

// ofTeam hands on the channels that a team hosts.
func (s *Service) ofTeam(h func(*graph.Request, view, []*Conversation) answer) func(*graph.Request, view, *Team) answer {
	return func(r *graph.Request, v view, t *Team) answer {
		var convs []*Conversation
		for _, c := range t.Channels {
			convs = append(convs, &c.Conversation)
		}
		return h(r, v, convs)
	}
}

func (s *Service) ofDeletedTeam(h func(*graph.Request, view, []*Conversation) answer) handler {
	inner := s.ofTeam(h)
	return func(r *graph.Request, v view) answer {
		t := s.Store.byTeam[strings.ToLower(r.Param("team"))]
		if t == nil || !t.Deleted {
			return notFound
		}
		return inner(r, v, t)
	}
}

// value gives a message's property for filters.
func (m *Message) value(path string) any {
	f := m.From
	switch path {
	case modifiedProperty:
		return m.Modified
	case createdProperty:
		return m.Created
	case "messageType":
		return m.Type
	}
	if f == nil {
		return nil
	}
	app := strings.HasPrefix(path, "from/application/")
	if app != (f.AppID != "") {
		return nil
	}
	switch {
	case path == "from/application/id":
		return f.AppID
	case path == "from/user/id" && f.Person != nil:
		return f.Person.ID
	case path == "from/user/id":
		return f.ID
	case f.Person != nil:
		return "aadUser"
	}
	return f.IdentityType
}

// export lists all messages of several conversations newest change first, replies among the posts. It lags behind.
func (s *Service) export(r *graph.Request, v view, convs []*Conversation) answer {
	indexes := make([]*order.Index[*Message], len(convs))
	for i, c := range convs {
		indexes[i] = &c.modified
	}
	return s.exportFrom(r, v, indexes)
}

// exportRetained lists the copies that a retention policy kept. Those of private channels are elsewhere.
func (s *Service) exportRetained(r *graph.Request, v view, convs []*Conversation) answer {
	if !s.world.Switches.Bool(switchRetention) {
		return sendPage(graph.Page{})
	}
	var indexes []*order.Index[*Message]
	for _, c := range convs {
		if c.channel == nil || c.channel.Membership != private {
			indexes = append(indexes, &c.retained)
		}
	}
	return s.exportFrom(r, v, indexes)
}

func (s *Service) exportFrom(r *graph.Request, v view, indexes []*order.Index[*Message]) answer {
	f, err := query.ParseFilter(r.Query.Filter, exportSchema)
	if err != nil {
		return badRequest(err.Error())
	}
	span, rest := f.Split(modifiedProperty)
	if limit := s.lag(r); span.To.IsZero() || span.To.After(limit) {
		span.To = limit
	}
	size, ok := r.PageSize(messagePage, maxMessagePage)
	if !ok {
		return func(*graph.Request) {}
	}
	p := graph.Page{}
	at, _ := r.State()
	scanned := 0
	for k, m := range merge(indexes, parseSpot(at), within(span), false) {
		if len(p.Items) == size || scanned == maxScan {
			p.Next = at
			break
		}
		scanned++
		at = k.mark()
		if rest.Match(m.value) {
			p.Items = append(p.Items, v.message(m))
		}
	}
	n := len(p.Items)
	p.Count = &n
	return sendPage(p)
}

// lag gives the time up to which exports know of changes.
func (s *Service) lag(r *graph.Request) time.Time {
	return r.Now().Add(-time.Duration(s.world.Switches.Int(switchLag)) * time.Minute)
}

// exportDelta lists the messages of all chats that changed, oldest change first.
func (s *Service) exportDelta(r *graph.Request, v view, convs []*Conversation) answer {
	start, _, problem := s.deltaStart(r)
	if problem != nil {
		return problem
	}
	size, ok := r.PageSize(messagePage, maxMessagePage)
	if !ok {
		return func(*graph.Request) {}
	}
	indexes := make([]*order.Index[*Message], len(convs))
	for i, c := range convs {
		indexes[i] = &c.modified
	}
	at := &spot{Key: start}
	if cut := strings.LastIndexByte(start.S, '@'); cut >= 0 {
		at.Key.S = start.S[:cut]
		at.Index, _ = strconv.Atoi(start.S[cut+1:])
	}
	p := graph.Page{}
	last := start
	limit := ms(s.lag(r))
	for k, m := range merge(indexes, at, bounds{}, true) {
		if k.Key.N >= limit {
			break
		}
		if len(p.Items) == size {
			p.Next = s.deltaMark(last)
			break
		}
		p.Items = append(p.Items, v.message(m))
		last = order.Key{N: k.Key.N, S: k.Key.S + "@" + strconv.Itoa(k.Index)}
	}
	if p.Next == "" {
		p.Delta = s.deltaMark(last)
	}
	return sendPage(p)
}

// mark writes a position in a merge for a link.
func (k spot) mark() string { return strconv.Itoa(k.Index) + "|" + mark(k.Key) }

// parseSpot reads it back; nil for the beginning.
func parseSpot(text string) *spot {
	i, rest, ok := strings.Cut(text, "|")
	index, err := strconv.Atoi(i)
	k, known := parseMark(rest)
	if !ok || err != nil || !known {
		return nil
	}
	return &spot{Key: k, Index: index}
}
