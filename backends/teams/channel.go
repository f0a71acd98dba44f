package teams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/permission"
	"github.com/workfs/workfs/backends/render"
)

// passAge is how old the last page of a pass may be when it goes on; later, what changed is asked for first.
const passAge = 10 * time.Minute

// errSpent says that a link to the next page was refused.
var errSpent = errors.New("a link to a next page is spent")

// readChannel reads on until the wanted month is whole, or for the channel's directory until its months are known.
func (c *conversation) readChannel(ctx context.Context, want month, sink backends.Sink) error {
	if p := c.pass; p == nil || !want.isZero() && p.served[want] {
		// What is served is no longer held here, and the sink lost it.
		c.pass = newPass(c.rereading())
	}
	if c.pass.pages > 0 && c.s.now().Sub(c.pass.read) > passAge && !c.pass.full {
		_, known := c.loadMark(sink) // without one nothing was committed yet
		if _, err := c.catchUp(ctx, false, nil, sink); mustReread(err) {
			c.pass = newPass(known)
		} else if err != nil {
			return err
		}
	}
	err := c.read(ctx, want, sink)
	if errors.Is(err, errSpent) {
		// What the pass has read is as old as the link.
		c.pass = newPass(c.pass.full)
		err = c.read(ctx, want, sink)
	}
	switch {
	case errors.Is(err, errSpent):
		return fmt.Errorf("%w: %v", backends.ErrUnavailable, err) // whose own kind may be that something is gone
	case want.isZero() && errors.Is(err, backends.ErrForbidden):
		return c.withoutMessages(ctx, err, sink)
	}
	return err
}

// read reads pages and commits what they make whole.
func (c *conversation) read(ctx context.Context, want month, sink backends.Sink) error {
	p := c.pass
	enough := func() bool {
		if want.isZero() && !p.full {
			return p.pages >= eagerPages
		}
		return p.reached(want)
	}
	for !p.done && !enough() {
		if err := c.readPage(ctx, p); err != nil {
			return err
		}
	}
	c.seen("messages")
	c.s.learn(p.order(), sink)
	if !want.isZero() && !p.covers(want, c.s.order(sink)) {
		if err := c.check(ctx, p, want); err != nil {
			return err
		}
	}
	if (p.done || !want.isZero()) && p.pages > 1 && p.topped < p.pages {
		if err := c.topUp(ctx, p); err != nil {
			return err
		}
	}
	return c.commitPass(ctx, p, want, sink)
}

// readPage reads one page of posts with their replies.
func (c *conversation) readPage(ctx context.Context, p *pass) error {
	path, q := p.next, c.query()
	if p.pages == 0 {
		path, q = c.messagesPath(), c.query("$top", pageSize, "$expand", "replies")
		p.at = c.s.now()
	}
	page, threads, err := c.page(ctx, path, q)
	if err != nil {
		if p.pages > 0 && mustReread(err) {
			return fmt.Errorf("%w: %w", errSpent, err)
		}
		return err
	}
	for _, t := range threads {
		p.see(t)
		p.take(t.messages)
		if p.pages == 0 {
			p.mark = later(p.mark, t.modified)
		}
	}
	p.pages++
	p.read = c.s.now()
	p.next, p.done = page.Next, page.Next == ""
	return nil
}

// page reads a page whole: threads that can't be read are left out, one whose replies can't be had fails the page.
func (c *conversation) page(ctx context.Context, path string, q graph.Query) (graph.Page, []thread, error) {
	page, err := c.s.client.Page(ctx, path, q)
	if err != nil {
		return page, nil, err
	}
	threads := make([]thread, 0, len(page.Values))
	for _, raw := range page.Values {
		t, err := c.thread(ctx, raw)
		if err != nil {
			return page, nil, err
		}
		if len(t.messages) > 0 {
			threads = append(threads, t)
		}
	}
	return page, threads, nil
}

// check makes sure of a month that has been reached while nothing shows how posts are ordered. The delta knows all threads
// that changed since the month began; beyond its reach, and when another month is wanted, posts are read to the end.
func (c *conversation) check(ctx context.Context, p *pass, m month) error {
	if p.reached(m) && p.checked.isZero() && c.s.now().Sub(m.start) < deltaReach {
		at := p.pages
		_, err := c.deltaSince(ctx, m.start, func(page graph.Page) error {
			for _, raw := range page.Values {
				t, err := c.thread(ctx, raw)
				if err != nil {
					return err
				}
				p.take(t.messages)
			}
			return nil
		})
		if err == nil {
			p.checked, p.topped = m, at
		}
		if !mustReread(err) {
			return err
		}
	}
	for !p.done {
		if err := c.readPage(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// topUp reads the threads that moved to the front while pages were read: each page request sees the channel as it is then,
// so a thread that somebody answers meanwhile jumps from the pages to come to those that are done.
func (c *conversation) topUp(ctx context.Context, p *pass) error {
	path, q := c.messagesPath(), c.query("$top", pageSize, "$expand", "replies")
	for path != "" {
		page, err := c.s.client.Page(ctx, path, q)
		if err != nil {
			return err
		}
		for _, raw := range page.Values {
			// The latest replies are those that come with the post.
			if t, _, _ := c.expanded(raw); len(t.messages) > 0 && t.modified.Before(p.mark) {
				p.topped = p.pages
				return nil
			}
			t, err := c.thread(ctx, raw)
			if err != nil {
				return err
			}
			p.take(t.messages)
		}
		path, q = page.Next, c.query()
	}
	p.topped = p.pages
	return nil
}

// commitPass commits the months that the pass has made whole, and the channel's directory if that is wanted.
func (c *conversation) commitPass(ctx context.Context, p *pass, want month, sink backends.Sink) error {
	b := sink.Begin(c.collection())
	defer b.Discard()
	how := backends.Commit{Memory: map[string][]byte{}, Fresh: p.full && p.done}
	if _, known := c.loadMark(sink); !known || how.Fresh {
		how.Memory[c.markKey()] = mark{Modified: p.mark, At: p.at}.value()
	}
	months, err := c.passMonths(ctx, p, want, sink)
	if err != nil {
		return err
	}
	if want.isZero() {
		entries, _, err := c.channelEntries(ctx)
		if err != nil {
			return err
		}
		if err := b.Add(c.dir(), entries...); err != nil {
			return err
		}
		how.Whole = append(how.Whole, c.listing(c.dir()))
		how.Memory[c.askedKey()] = c.asked()
	}
	var whole []month
	for _, m := range months {
		if want.isZero() || p.months[m] {
			if err := b.Add(c.dir(), c.monthEntry(m)); err != nil {
				return err
			}
		}
		// Short of the end, what moved meanwhile is read when a month is wanted.
		if p.served[m] || want.isZero() && !p.done || !p.covers(m, c.s.order(sink)) {
			continue
		}
		for _, message := range p.of(m) {
			if err := c.add(b, &how, message); err != nil {
				return err
			}
		}
		how.Whole = append(how.Whole, c.listing(c.monthKey(m)))
		whole = append(whole, m)
	}
	if err := b.Commit(how); err != nil {
		return err
	}
	for _, m := range whole {
		p.served[m] = true
		delete(p.pending, m) // from now on the delta keeps it right
	}
	if p.done {
		c.pass = nil
	}
	return nil
}

// passMonths gives the months that a commit can be about. Before the end of the pass, those since the channel's creation may
// have messages, and if posts may be ordered by creation, those up to now. They are listed then, so that a later commit has
// to tell of them as well.
func (c *conversation) passMonths(ctx context.Context, p *pass, want month, sink backends.Sink) ([]month, error) {
	if p.done && want.isZero() {
		return span(p.months, month{}), nil
	}
	known := map[month]bool{}
	for m := range p.months {
		known[m] = true
	}
	if !want.isZero() {
		known[want] = true
	}
	if !want.isZero() || p.order() != orderActivity && c.s.order(sink) != orderActivity {
		known[monthOf(c.s.now())] = true
	}
	created, err := c.created(ctx, sink)
	if err != nil {
		return nil, err
	}
	return span(known, monthOf(created)), nil
}

// withoutMessages lists a channel whose messages the sign-in may not read, for the sake of its files.
func (c *conversation) withoutMessages(ctx context.Context, cause error, sink backends.Sink) error {
	entries, members, err := c.channelEntries(ctx)
	if err != nil {
		return err
	}
	if !members {
		return cause // nothing may be seen
	}
	if err := c.commitSilent(entries, sink); err != nil {
		return err
	}
	c.gap("messages", "Messages of some channels can't be read: the sign-in may not, or lacks ChannelMessage.Read.All.")
	return nil
}

// listSilent lists a channel whose messages are not shown.
func (c *conversation) listSilent(ctx context.Context, sink backends.Sink) error {
	entries, _, err := c.channelEntries(ctx)
	if err != nil {
		return err
	}
	return c.commitSilent(entries, sink)
}

func (c *conversation) commitSilent(entries []backends.Entry, sink backends.Sink) error {
	b := sink.Begin(c.collection())
	defer b.Discard()
	if err := b.Add(c.dir(), entries...); err != nil {
		return err
	}
	return b.Commit(backends.Commit{Whole: []backends.Listing{c.listing(c.dir())}})
}

// channelEntries are what a channel's directory holds beside its months; members tells whether those may be seen.
func (c *conversation) channelEntries(ctx context.Context) (entries []backends.Entry, members bool, err error) {
	if c.s.view.Allows(permission.Files) {
		entries = append(entries, c.filesEntry())
	}
	if !c.s.view.Allows(permission.Teams, permission.ChannelMembers) {
		return entries, false, nil
	}
	list, err := c.s.channelMembers(ctx, c.team(), c.id)
	switch {
	case errors.Is(err, backends.ErrForbidden):
		c.gap("members", "Members of some channels can't be read: the sign-in may not, or lacks ChannelMember.Read.All.")
		return entries, false, nil
	case err != nil:
		return nil, false, err
	}
	c.seen("members")
	return append(entries, memberTable(join(c.identity(), "members"), list)), true, nil
}

// created tells when a conversation was made, from what its list told or from the conversation itself.
func (c *conversation) created(ctx context.Context, sink backends.Memory) (time.Time, error) {
	if known, ok := c.loadCard(sink); ok && !known.Created.IsZero() {
		return known.Created, nil
	}
	path, q := graph.Path("chats", c.id), graph.Query{}
	if c.kind == kindChannel {
		path, q = graph.Path("teams", c.team(), "channels", c.id), graph.Opts("$select", "id,createdDateTime")
	}
	var got struct {
		Created string `json:"createdDateTime"`
	}
	if err := c.s.client.Get(ctx, path, q, &got); err != nil {
		return time.Time{}, err
	}
	t, ok := render.ParseTime(got.Created)
	if !ok {
		return time.Time{}, fmt.Errorf("%w: %s %s has no date of creation", backends.ErrBroken, c.kind, c.id)
	}
	return t, nil
}

// orderKey is where is remembered how the service orders posts.
const orderKey = "order of posts"

// order tells how posts have been found to be ordered.
func (s *service) order(memory backends.Memory) order {
	v, _ := memory.Get(orderKey)
	return order(v)
}

// learn remembers what a pass proves. One channel that is out of order outweighs all others.
func (s *service) learn(o order, memory backends.Memory) {
	known := s.order(memory)
	if o == orderUnknown || o == known || known == orderOther {
		return
	}
	if err := memory.Put(orderKey, []byte(o)); err != nil {
		s.log.Warn("remembering the order of posts", "error", err)
	}
}
