package teams

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/permission"
)

// conversation is a channel or a chat as this process knows it. Its requests come one at a time anyway, by the service's
// limits, so one List at a time reads it.
type conversation struct {
	s    *service
	kind string // kindChannel or kindChat
	host string // the channel's team, and after a ">" the team that it is shared into; the chat's view
	id   string

	turn  chan struct{} // holds one value while nobody reads
	begun atomic.Int64  // counts the rounds of asking what changed that began

	// Unfinished readings of a channel and of a chat, and what was read lately; they belong to who has the turn.
	pass     *pass
	chatRead *chatRead
	lately   map[string]lately // by item
}

func (s *service) channel(team, channel string) *conversation {
	return s.conversation(kindChannel, team, channel)
}

func (s *service) chat(view, chat string) *conversation { return s.conversation(kindChat, view, chat) }

func (s *service) conversation(kind, host, id string) *conversation {
	key := join(kind, host, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conversations[key]
	if c == nil {
		c = &conversation{s: s, kind: kind, host: host, id: id, turn: make(chan struct{}, 1)}
		c.turn <- struct{}{}
		s.conversations[key] = c
	}
	return c
}

func (c *conversation) dir() backends.DirKey { return dirKey(c.kind, c.host, c.id) }

// collection is the conversation's collection: its months, the directory that holds them, and the attachments.
func (c *conversation) collection() string { return string(c.dir()) }

// identity is c's part of identities. A channel that is shared into a team is shown there, too, and a directory can't be in
// two places.
func (c *conversation) identity() string {
	if c.kind == kindChat {
		return join(kindChat, c.host, c.id)
	}
	if via := c.via(); via != "" {
		return join(kindChannel, c.id, via)
	}
	return join(kindChannel, c.id)
}

// via is the team that the channel is shared into and shown in, "" for the one that hosts it.
func (c *conversation) via() string {
	_, via, _ := strings.Cut(c.host, ">")
	return via
}

// team is the team that hosts the channel, where its requests go.
func (c *conversation) team() string { return teamOf(c.host) }

// teamOf takes the team that hosts a channel out of a conversation's host.
func teamOf(host string) string {
	team, _, _ := strings.Cut(host, ">")
	return team
}

func (c *conversation) messageID(root, id string) string {
	return join(c.identity(), root, id)
}

func (c *conversation) monthKey(m month) backends.DirKey {
	kind := kindMonth
	if c.kind == kindChat {
		kind = kindChatMonth
	}
	return dirKey(kind, c.host, c.id, m.String())
}

func (c *conversation) attachmentsKey(root, id string) backends.DirKey {
	return dirKey(kindAttachments, c.kind, c.host, c.id, root, id)
}

// messagesPath is the path of the conversation's messages.
func (c *conversation) messagesPath() string {
	if c.kind == kindChannel {
		return graph.Path("teams", c.team(), "channels", c.id, "messages")
	}
	return graph.Path("chats", c.id, "messages")
}

func (c *conversation) messagePath(root, id string) string {
	if root != "" {
		return c.messagesPath() + graph.Path(root, "replies", id)
	}
	return c.messagesPath() + graph.Path(id)
}

// listing says how long listings of the conversation keep.
func (c *conversation) listing(dir backends.DirKey) backends.Listing {
	return backends.Listing{Dir: dir, MaxAge: c.s.refresh, Covered: true}
}

// list makes dir whole and fresh: the conversation's directory for the zero month, else a month. Who waited while somebody
// else did that has nothing to do.
func (c *conversation) list(ctx context.Context, dir backends.DirKey, m month, sink backends.Sink) error {
	asked, was := c.begun.Load(), sink.Dir(dir)
	if err := await(ctx, c.turn); err != nil {
		return err
	}
	defer func() { c.turn <- struct{}{} }()
	state := sink.Dir(dir)
	if state.Whole && (c.begun.Load() > asked || !was.Whole) && state.AsOf.After(was.AsOf) {
		return nil
	}
	if c.silent() {
		return c.listSilent(ctx, sink)
	}
	if state.Whole && !c.rereading() {
		_, err := c.catchUp(ctx, m.isZero(), nil, sink)
		if !mustReread(err) {
			return err
		}
		c.s.log.Info("reading a conversation anew", "kind", c.kind, "id", c.id, "error", err)
		if c.kind == kindChannel {
			c.pass = newPass(true)
		}
	}
	if c.kind == kindChannel {
		return c.readChannel(ctx, m, sink)
	}
	return c.readChat(ctx, m, sink)
}

// silent tells whether the conversation is shown without its messages: a channel, for its files or its members.
func (c *conversation) silent() bool {
	return c.kind == kindChannel && !c.s.view.Allows(permission.Teams, permission.ChannelMessages)
}

// rereading tells whether a channel whose changes could not be told is being read anew.
func (c *conversation) rereading() bool {
	return c.kind == kindChannel && c.pass != nil && c.pass.full
}

// mark is what is remembered of how far a conversation was read.
type mark struct {
	// Modified is the latest modification that the service told of when the reading began; zero when there were no messages.
	Modified time.Time `json:"modified,omitzero"`
	// At is when that was, by our clock.
	At time.Time `json:"at"`
	// Link is the delta link, once there is one.
	Link string `json:"link,omitempty"`
}

func (c *conversation) markKey() string { return "mark|" + c.collection() }

func (c *conversation) loadMark(sink backends.Memory) (mark, bool) {
	var m mark
	v, ok := sink.Get(c.markKey())
	return m, ok && json.Unmarshal(v, &m) == nil
}

func (m mark) value() []byte { return encode(m) }

// encode writes a value of plain fields, which can't fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("teams: encode: " + err.Error())
	}
	return b
}

// card is what the list of channels or chats told about a conversation.
type card struct {
	Created time.Time `json:"created,omitzero"`
	Members []member  `json:"members,omitempty"` // of chats
}

func (k card) value() []byte { return encode(k) }

// add puts messages into a batch, with the directories of their attachments. A message that can't be rendered is a gap.
func (c *conversation) add(b backends.Batch, how *backends.Commit, messages ...message) error {
	for _, m := range messages {
		f, err := c.render(m)
		if err != nil {
			c.gap("message "+m.id, fmt.Sprintf("Message %s of %s can't be shown: %v.", m.id, c.id, err))
			continue
		}
		if err := b.Add(c.monthKey(m.month), f.entries...); err != nil {
			return err
		}
		if f.dir == "" {
			continue
		}
		if err := b.Add(f.dir, f.attached...); err != nil {
			return err
		}
		how.Whole = append(how.Whole, backends.Listing{Dir: f.dir, MaxAge: -1})
	}
	return nil
}

// gap reports what can't be seen of the conversation; what is told again under a key replaces what was told before.
func (c *conversation) gap(key, reason string) {
	path := "channels"
	switch {
	case c.kind == kindChat && c.host == "":
		path = "chats"
	case c.kind == kindChat:
		path = "users"
	}
	c.s.gap(join(c.identity(), key), path, reason)
}

// seen takes back what gap reported under a key.
func (c *conversation) seen(key string) { c.s.seen(join(c.identity(), key)) }

// monthEntry describes the directory of a month. A past month shows its last second.
func (c *conversation) monthEntry(m month) backends.Entry {
	e := fixedDir(m.String(), join(c.identity(), "month", m.String()), c.monthKey(m))
	e.Item = monthItem(m)
	if m != undated && m.before(monthOf(c.s.now())) {
		e.Mtime = m.next().start.Add(-time.Second)
		e.Ctime, e.Btime = e.Mtime, m.start
	}
	return e
}

// monthItem names a month within its conversation.
func monthItem(m month) string { return "month:" + m.String() }

// maxGap is how many months without a message are still listed between others.
const maxGap = 24

// span gives the months to list: all between those that have messages, but for long gaps. oldest, if set, is the earliest
// to start at.
func span(have map[month]bool, oldest month) []month {
	var first, last month
	for m := range have {
		if m == undated {
			continue
		}
		if first.isZero() || m.before(first) {
			first = m
		}
		if last.isZero() || last.before(m) {
			last = m
		}
	}
	var months []month
	if have[undated] {
		months = append(months, undated)
	}
	if first.isZero() {
		return months
	}
	if !oldest.isZero() && oldest != undated && oldest.before(first) {
		first = oldest
	}
	var gap []month
	for m := first; !last.before(m); m = m.next() {
		gap = append(gap, m)
		if have[m] || !oldest.isZero() {
			if len(gap) > maxGap+1 && oldest.isZero() {
				gap = gap[len(gap)-1:]
			}
			months = append(months, gap...)
			gap = gap[:0]
		}
	}
	return months
}

// decode reads the facts of a message. One that has no id can't be shown, which is worth a gap, not a failure.
func (c *conversation) decode(raw json.RawMessage) (facts, bool) {
	var f facts
	if err := json.Unmarshal(raw, &f); err != nil || f.ID == "" {
		c.gap("unreadable", "Some messages of "+c.id+" can't be read.")
		return f, false
	}
	return f, true
}

// thread is a post with its replies.
type thread struct {
	messages []message
	activity time.Time // when the latest of them was written
	modified time.Time // when the latest change was
	begun    time.Time // when the post was written
}

func (t *thread) add(m message) {
	t.messages = append(t.messages, m)
	t.activity, t.modified = later(t.activity, m.created), later(t.modified, m.modified)
}

// thread decodes a post with all its replies, following the pages of those that did not fit.
func (c *conversation) thread(ctx context.Context, raw json.RawMessage) (thread, error) {
	t, root, next := c.expanded(raw)
	if next == "" {
		return t, nil
	}
	_, err := c.s.client.Pages(ctx, next, c.query(), func(p graph.Page) error {
		c.replies(&t, root, p.Values)
		return nil
	})
	return t, err
}

// expanded decodes a post with those replies that came with it, and gives its id and the link to further ones. A delta may
// give a reply by itself.
func (c *conversation) expanded(raw json.RawMessage) (t thread, root, next string) {
	f, ok := c.decode(raw)
	if !ok {
		return t, "", ""
	}
	if f.ReplyTo != "" && f.ReplyTo != f.ID {
		t.add(c.message(raw, &f, f.ReplyTo))
		return t, f.ReplyTo, ""
	}
	post := c.message(raw, &f, "")
	t.begun = post.created
	t.add(post)
	c.replies(&t, f.ID, f.Replies)
	return t, f.ID, f.RepliesNext
}

func (c *conversation) replies(t *thread, root string, raws []json.RawMessage) {
	for _, raw := range raws {
		if f, ok := c.decode(raw); ok {
			t.add(c.message(raw, &f, root))
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// query is how messages are asked for: a page as large as it gets, and system messages by their name.
func (c *conversation) query(options ...string) graph.Query {
	q := graph.Opts(options...)
	q.Prefer = []string{unknownEnums}
	return q
}

// stamp writes a time for a filter.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// readAttachments lists the attachments of one message by itself, for a look that comes when they are not at hand.
func (s *service) readAttachments(ctx context.Context, dir backends.DirKey, k []string, sink backends.Sink) error {
	c := s.conversation(k[1], k[2], k[3])
	root, id := k[4], k[5]
	raw, err := s.client.Raw(ctx, c.messagePath(root, id), c.query())
	if err != nil {
		return err
	}
	var f facts
	if err := json.Unmarshal(raw, &f); err != nil || f.ID != id {
		return fmt.Errorf("%w: message %s can't be read", backends.ErrUnavailable, id)
	}
	b := sink.Begin(c.collection())
	defer b.Discard()
	// All parts of the message, because what is added of an item replaces what was there of it.
	how := backends.Commit{Whole: []backends.Listing{{Dir: dir, MaxAge: -1}}}
	if err := c.add(b, &how, c.message(raw, &f, root)); err != nil {
		return err
	}
	return b.Commit(how)
}

// filesEntry is the channel's directory of files.
func (c *conversation) filesEntry() backends.Entry {
	return fixedDir("files", join(c.identity(), "files"), dirKey(kindFiles, c.host, c.id))
}
