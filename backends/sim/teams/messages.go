package teams

import (
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/order"
	"github.com/workfs/workfs/backends/sim/outlook/query"
)

// onMessage finds the message that the path names, in a channel or a chat.
func (s *Service) onMessage(h func(*graph.Request, view, *Message) answer) handler {
	find := func(r *graph.Request, v view, c *Conversation) answer {
		root, id := "", r.Param("message")
		if reply := r.Param("reply"); reply != "" {
			root, id = id, reply
		}
		m := c.find(root, id)
		if m == nil || s.hidden(m) || !visible(c, r.Caller, m) {
			return notFound
		}
		return h(r, v, m)
	}
	inChannel := s.inChannel(func(r *graph.Request, v view, c *Channel) answer { return find(r, v, &c.Conversation) })
	inChat := s.inChat(func(r *graph.Request, v view, c *Chat) answer { return find(r, v, &c.Conversation) })
	return func(r *graph.Request, v view) answer {
		if r.Param("channel") != "" {
			return inChannel(r, v)
		}
		return inChat(r, v)
	}
}

// visible says whether a signed-in member may see a message of a chat: those who joined later see no history.
func visible(c *Conversation, caller graph.Caller, m *Message) bool {
	if c.chat == nil || caller.AppOnly {
		return true
	}
	me := member(c.chat.Members, caller.UserID)
	return me != nil && !m.Created.Before(me.From)
}

func (s *Service) message(_ *graph.Request, v view, m *Message) answer {
	return sendEntity(http.StatusOK, v.message(m))
}

// posts lists a channel's root posts.
func (s *Service) posts(r *graph.Request, v view, c *Channel) answer {
	size, ok := r.PageSize(messagePage, maxMessagePage)
	if !ok {
		return func(*graph.Request) {}
	}
	x := &c.active
	if s.world.Switches.String(switchOrder) == byCreation {
		x = &c.created
	}
	got, last, more := take(s.known(x.Before(resume(r))), size)
	items := []any{}
	for _, m := range got {
		items = append(items, s.thread(r, v, m))
	}
	p := keyPage(r, items, last, more)
	n := len(items)
	p.Count = &n
	return sendPage(p)
}

// thread is a post, with its replies if the request expands them.
func (s *Service) thread(r *graph.Request, v view, m *Message) map[string]any {
	one := v.message(m)
	if !expands(r, "replies") {
		return one
	}
	limit := s.world.Switches.Int(switchReplies)
	got, last, more := take(s.known(m.repliesBefore(nil)), limit)
	replies := []any{}
	for _, reply := range got {
		replies = append(replies, v.message(reply))
	}
	one["replies"] = replies
	one["replies@odata.count"] = len(replies)
	one["replies@odata.context"] = r.ContextURL("teams('" + m.conv.channel.team.ID + "')/channels('" + url.PathEscape(m.conv.channel.ID) + "')/messages('" + m.ID + "')/replies")
	if more {
		one["replies@odata.nextLink"] = r.NextLink(m.path()+"/replies", "$skiptoken", mark(last))
	}
	return one
}

// repliesBefore walks a post's replies newest first.
func (m *Message) repliesBefore(at *order.Key) iter.Seq2[order.Key, *Message] {
	i := len(m.replies)
	if at != nil {
		i, _ = slices.BinarySearchFunc(m.replies, *at, func(r *Message, k order.Key) int { return r.key(ms(r.Created)).Compare(k) })
	}
	return func(yield func(order.Key, *Message) bool) {
		for i--; i >= 0; i-- {
			if !yield(m.replies[i].key(ms(m.replies[i].Created)), m.replies[i]) {
				return
			}
		}
	}
}

func (s *Service) replies(r *graph.Request, v view, m *Message) answer {
	size, ok := r.PageSize(messagePage, maxMessagePage)
	if !ok {
		return func(*graph.Request) {}
	}
	got, last, more := take(s.known(m.repliesBefore(resume(r))), size)
	items := []any{}
	for _, reply := range got {
		items = append(items, v.message(reply))
	}
	p := keyPage(r, items, last, more)
	n := len(items)
	p.Count = &n
	return sendPage(p)
}

const (
	modifiedProperty = "lastModifiedDateTime"
	createdProperty  = "createdDateTime"
)

var timeSchema = query.Schema{modifiedProperty: query.Time, createdProperty: query.Time}

// chatMessages lists a chat newest first, by modification unless asked otherwise. A $filter on another property than the one
// in $orderby is ignored without a word.
func (s *Service) chatMessages(r *graph.Request, v view, c *Chat) answer {
	by, dir, _ := strings.Cut(strings.Join(strings.Fields(r.Query.OrderBy), " "), " ")
	x, property := &c.modified, modifiedProperty
	switch {
	case by == "":
	case !strings.EqualFold(dir, "desc"):
		return badRequest("QueryOptions to order by '" + by + "' in ascending direction is not supported.")
	case strings.EqualFold(by, createdProperty):
		x, property = &c.created, createdProperty
	case !strings.EqualFold(by, modifiedProperty):
		return badRequest("QueryOptions to order by '" + by + "' is not supported.")
	}
	var span query.Span
	if r.Query.Filter != "" && by != "" {
		f, err := query.ParseFilter(r.Query.Filter, timeSchema)
		if err != nil {
			return badRequest(err.Error())
		}
		if !slices.ContainsFunc(f.Props, func(p string) bool { return p != property }) {
			span, _ = f.Split(property)
		}
	}
	size, ok := r.PageSize(messagePage, maxMessagePage)
	if !ok {
		return func(*graph.Request) {}
	}
	walk := s.known(down(x, resume(r), within(span)))
	if me := member(c.Members, r.Caller.UserID); me != nil && !me.From.IsZero() {
		walk = since(walk, me)
	}
	got, last, more := take(walk, size)
	items := []any{}
	for _, m := range got {
		items = append(items, v.message(m))
	}
	p := keyPage(r, items, last, more)
	n := len(items)
	p.Count = &n
	return sendPage(p)
}

// since leaves out what was written before a member joined.
func since(walk iter.Seq2[order.Key, *Message], me *Member) iter.Seq2[order.Key, *Message] {
	return func(yield func(order.Key, *Message) bool) {
		for k, m := range walk {
			if !m.Created.Before(me.From) && !yield(k, m) {
				return
			}
		}
	}
}

// deltaMonths is how far back channel delta goes (Graph documentation, chatMessage: delta).
const deltaMonths = 8

// channelDelta lists the threads that changed, oldest change first.
func (s *Service) channelDelta(r *graph.Request, v view, c *Channel) answer {
	at, first, problem := s.deltaStart(r)
	if problem != nil {
		return problem
	}
	size, ok := r.PageSize(messagePage, maxMessagePage)
	if !ok {
		return func(*graph.Request) {}
	}
	if first && s.world.Switches.Bool(switchEmptyDelta) {
		return sendPage(graph.Page{Next: s.deltaMark(at)})
	}
	return sendPage(s.deltaPage(s.settled(c.changed.After(at)), at, size, func(m *Message) any { return s.thread(r, v, m) }))
}

// deltaStart gives the position that a delta request begins after. first is true for a full round.
func (s *Service) deltaStart(r *graph.Request) (at order.Key, first bool, problem answer) {
	at = order.Key{N: ms(r.Now().AddDate(0, -deltaMonths, 0))}
	if r.Query.Filter != "" {
		f, err := query.ParseFilter(r.Query.Filter, timeSchema)
		if err != nil {
			return at, false, badRequest(err.Error())
		}
		span, rest := f.Split(modifiedProperty)
		if rest != nil || !span.To.IsZero() || !strings.Contains(strings.ToLower(r.Query.Filter), " gt ") {
			return at, false, badRequest("Only 'lastModifiedDateTime gt' is supported in $filter.")
		}
		// The key of (n, "") lies before all of that millisecond, and gt wants what comes after it.
		if n := ms(span.From.Add(-1)); n >= at.N {
			at = order.Key{N: n + 1}
		}
	}
	text, ok := r.State()
	if !ok {
		if text, ok = r.DeltaState(); !ok {
			return at, true, nil
		}
	}
	epoch, position, _ := strings.Cut(text, ":")
	k, known := parseMark(position)
	if !known || epoch != strconv.Itoa(s.world.Switches.Int(switchEpoch)) {
		return at, false, func(r *graph.Request) {
			const message = "The sync state generation is not found; start over with a full synchronization."
			if status := s.world.Switches.Int(switchResync); status != http.StatusGone {
				r.Error(status, "SyncStateNotFound", message)
				return
			}
			r.Gone("SyncStateNotFound", message)
		}
	}
	if k.Compare(at) > 0 {
		at = k
	}
	return at, false, nil
}

func (s *Service) deltaMark(at order.Key) string {
	return strconv.Itoa(s.world.Switches.Int(switchEpoch)) + ":" + mark(at)
}

// deltaPage takes one page of a delta round that stands at a position.
func (s *Service) deltaPage(walk iter.Seq2[order.Key, *Message], at order.Key, size int, render func(*Message) any) graph.Page {
	got, last, more := take(walk, size)
	p := graph.Page{}
	for _, m := range got {
		p.Items = append(p.Items, render(m))
		at = last
	}
	if more {
		p.Next = s.deltaMark(at)
	} else {
		p.Delta = s.deltaMark(at)
	}
	return p
}

func (s *Service) hostedContents(_ *graph.Request, _ view, m *Message) answer {
	if !m.Deleted.IsZero() {
		return notFound
	}
	items := []any{}
	for _, h := range m.Hosted {
		items = append(items, hostedJSON(h))
	}
	n := len(items)
	return sendPage(graph.Page{Items: items, Count: &n})
}

// hostedJSON is a hosted content as the entity, whose bytes and type are always null.
func hostedJSON(h Hosted) map[string]any {
	return map[string]any{"id": h.ID, "contentBytes": nil, "contentType": nil}
}

func (s *Service) hostedContent(r *graph.Request, _ view, m *Message) answer {
	h := m.hostedContent(r.Param("content"))
	if h == nil || !m.Deleted.IsZero() {
		return notFound
	}
	return sendEntity(http.StatusOK, hostedJSON(*h))
}

func (s *Service) hostedValue(r *graph.Request, _ view, m *Message) answer {
	h := m.hostedContent(r.Param("content"))
	if h == nil || !m.Deleted.IsZero() {
		return notFound
	}
	return func(r *graph.Request) { r.Bytes(http.StatusOK, h.ContentType, h.Data()) }
}
