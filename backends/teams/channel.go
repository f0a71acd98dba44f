package teams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/render"
)

// pass is the reading of a channel from its newest activity on. It is kept between listings until it has reached the end.
type pass struct {
	next    string    // link to the next page, "" before the first
	done    bool      // the last page was read
	ordered bool      // activity never rose from a post to the next
	last    time.Time // activity of the last post read
	first   time.Time // the latest activity when the pass began
	mark    time.Time // the latest modification on its first page

	months  map[month]bool      // that have messages
	pending map[month][]message // of months that are not whole yet
}

func newPass() *pass {
	return &pass{ordered: true, months: map[month]bool{}, pending: map[month][]message{}}
}

// covers tells whether the pass has seen all of a month: whatever remains has been quiet since before it began.
func (p *pass) covers(m month) bool {
	return p.done || p.ordered && m != undated && !p.last.IsZero() && p.last.Before(m.start)
}

func (p *pass) take(messages []message) {
	for _, m := range messages {
		p.months[m.month] = true
		p.pending[m.month] = append(p.pending[m.month], m)
	}
}

// readChannel reads on until the wanted month is whole, or for the channel's directory until its months are known.
func (c *conversation) readChannel(ctx context.Context, want month, sink backends.Sink) error {
	if c.pass == nil {
		c.pass = newPass()
	}
	p := c.pass
	began := p.first // what moves up from now on has a later activity
	resumed := p.next != ""
	pages := 0
	for !p.done && (want.isZero() && pages < eagerPages || !want.isZero() && !p.covers(want)) {
		err := c.readPage(ctx, p)
		if mustReread(err) && resumed {
			// The link was too old. What the pass has read is as old.
			c.pass = newPass()
			return c.readChannel(ctx, want, sink)
		}
		if err != nil {
			return err
		}
		pages++
	}
	if pages > 1 || pages > 0 && resumed {
		if began.IsZero() {
			began = p.first
		}
		if err := c.topUp(ctx, p, began); err != nil {
			return err
		}
	}
	if err := c.commitPass(ctx, p, want, sink); err != nil {
		return err
	}
	if p.done {
		c.pass = nil
	}
	return nil
}

// readPage reads one page of posts with their replies.
func (c *conversation) readPage(ctx context.Context, p *pass) error {
	path, q := p.next, c.query()
	if path == "" {
		path, q = c.messagesPath(), c.query("$top", pageSize, "$expand", "replies")
	}
	page, err := c.s.client.Page(ctx, path, q)
	if err != nil {
		return err
	}
	// The page counts when all of it was read, or a retry would take half of it twice.
	var all []message
	last, ordered, mark, first := p.last, p.ordered, p.mark, p.first
	for _, raw := range page.Values {
		messages, activity, modified, err := c.thread(ctx, raw)
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			continue
		}
		if !last.IsZero() && activity.After(last) {
			ordered = false
		}
		last, first = activity, later(first, activity)
		if p.next == "" {
			mark = later(mark, modified)
		}
		all = append(all, messages...)
	}
	p.last, p.ordered, p.mark, p.first = last, ordered, mark, first
	p.take(all)
	p.next, p.done = page.Next, page.Next == ""
	return nil
}

// topUp reads the threads that moved to the front while pages were read: each page request sees the channel as it is then,
// so a thread that somebody answers meanwhile jumps from the pages to come to those that are done.
func (c *conversation) topUp(ctx context.Context, p *pass, since time.Time) error {
	path, q := c.messagesPath(), c.query("$top", pageSize, "$expand", "replies")
	for path != "" {
		page, err := c.s.client.Page(ctx, path, q)
		if err != nil {
			return err
		}
		for _, raw := range page.Values {
			messages, activity, _, err := c.thread(ctx, raw)
			if err != nil {
				return err
			}
			if !activity.After(since) {
				return nil
			}
			p.take(messages)
		}
		path, q = page.Next, c.query()
	}
	return nil
}

// commitPass commits the months that the pass has made whole, and the channel's directory if that is wanted.
func (c *conversation) commitPass(ctx context.Context, p *pass, want month, sink backends.Sink) error {
	b := sink.Begin(c.collection())
	defer b.Discard()
	how := backends.Commit{Memory: map[string][]byte{}}
	if _, known := c.loadMark(sink); !known && !p.mark.IsZero() {
		how.Memory[c.markKey()] = mark{Modified: p.mark}.value()
	}
	var oldest month
	if !p.done {
		created, err := c.created(ctx, sink)
		if err != nil {
			return err
		}
		oldest = monthOf(created)
	}
	months := span(p.months, oldest)
	if want.isZero() {
		entries, err := c.channelEntries(ctx)
		if err != nil {
			return err
		}
		for _, m := range months {
			entries = append(entries, c.monthEntry(m))
		}
		if err := b.Add(c.dir(), entries...); err != nil {
			return err
		}
		how.Whole = append(how.Whole, c.listing(c.dir()))
	} else if !p.months[want] {
		months = append(months, want) // listed earlier, and empty
	}
	for _, m := range months {
		if !p.covers(m) {
			continue
		}
		if err := c.add(b, &how, p.pending[m]...); err != nil {
			return err
		}
		how.Whole = append(how.Whole, c.listing(c.monthKey(m)))
	}
	if err := b.Commit(how); err != nil {
		return err
	}
	for _, m := range months {
		if p.covers(m) {
			delete(p.pending, m) // whole: from now on the delta keeps it right
		}
	}
	return nil
}

// channelEntries are what a channel's directory holds beside its months.
func (c *conversation) channelEntries(ctx context.Context) ([]backends.Entry, error) {
	entries := []backends.Entry{c.filesEntry()}
	members, err := c.s.channelMembers(ctx, c.team(), c.id)
	switch {
	case errors.Is(err, backends.ErrForbidden):
		c.s.gap("channels", "members of channels can't be read: ask the administrator for ChannelMember.Read.All")
	case err != nil:
		return nil, err
	default:
		entries = append(entries, memberTable(join(c.identity(), "members"), members))
	}
	return entries, nil
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
