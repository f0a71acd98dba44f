package teams

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/rest"
)

// deltaReach is how far back the delta of a channel goes (chatMessage: delta, 8 months), less some days for months that are
// short and clocks that differ.
const deltaReach = 8*30*24*time.Hour - 5*24*time.Hour

// errReread says that what changed can't be told and the conversation has to be read anew.
var errReread = errors.New("the service can't tell what changed")

// mustReread tells whether a failure to follow a link or a delta is cured by reading from the start.
func mustReread(err error) bool {
	var e *rest.Error
	return errors.Is(err, errReread) || graph.IsResync(err) ||
		errors.As(err, &e) && e.Status == http.StatusBadRequest
}

// catchUp asks what changed since the conversation was read and makes all its whole directories fresh. beside says that the
// conversation's own directory is wanted, with what it holds beside months. Of the notifications that told of changes, those
// are given back that the service does not show yet; then the next round begins where this one did.
func (c *conversation) catchUp(ctx context.Context, beside bool, told []subscription.Notification, sink backends.Sink) (open []subscription.Notification, err error) {
	since, ok := c.loadMark(sink)
	if !ok {
		return told, fmt.Errorf("%w: it was not read before", errReread)
	}
	c.begun.Add(1)
	b := sink.Begin(c.collection())
	defer b.Discard()
	how := backends.Commit{Memory: map[string][]byte{}}
	next := mark{Modified: since.Modified, At: c.s.now()}
	months, round := map[month]bool{}, map[string]bool{}
	members := false // somebody came or went
	take := func(p graph.Page) error {
		for _, raw := range p.Values {
			t, err := c.thread(ctx, raw)
			if err != nil {
				return err
			}
			next.Modified = later(next.Modified, t.modified)
			if err := c.add(b, &how, t.messages...); err != nil {
				return err
			}
			for _, m := range t.messages {
				months[m.month] = true
				members = members || m.members && m.modified.After(since.Modified)
				c.note(m, round)
			}
			if c.pass != nil {
				c.pass.take(t.messages)
			}
		}
		return nil
	}
	if c.kind == kindChannel {
		next.Link, err = c.channelDelta(ctx, since, take)
	} else {
		err = c.chatDelta(ctx, &next, take)
	}
	if err != nil {
		return told, err
	}
	for _, n := range told {
		if !c.accounted(n, round, sink) {
			open = append(open, n)
		}
	}
	if how.Fresh = len(open) == 0; !how.Fresh {
		next = since
	}
	if err := c.addMonths(b, &how, months, sink); err != nil {
		return told, err
	}
	if beside || members {
		if err := c.refreshBeside(ctx, b, &how, members, sink); err != nil {
			return told, err
		}
	}
	how.Memory[c.markKey()] = next.value()
	if err := b.Commit(how); err != nil {
		return told, err
	}
	if len(months) > 0 {
		c.chatRead = nil // it may hold messages as they were before, and nobody tells of them again
	}
	return open, nil
}

// channelDelta runs the channel's delta: from its link, without one from the time of the mark. A link that is too old for
// the service is no loss as long as the delta reaches back to when it was given.
func (c *conversation) channelDelta(ctx context.Context, since mark, take func(graph.Page) error) (link string, err error) {
	if since.Link != "" {
		link, err = c.s.client.Pages(ctx, since.Link, c.query(), take)
		if err == nil && link != "" || err != nil && !mustReread(err) {
			return link, err
		}
	}
	if c.s.now().Sub(since.At) > deltaReach {
		return "", fmt.Errorf("%w: it is too long ago", errReread)
	}
	return c.deltaSince(ctx, since.Modified, take)
}

// deltaSince runs a delta of the channel over what was modified at a time or later.
func (c *conversation) deltaSince(ctx context.Context, since time.Time, take func(graph.Page) error) (link string, err error) {
	options := []string{"$top", pageSize, "$expand", "replies"}
	if !since.IsZero() {
		options = append(options, "$filter", "lastModifiedDateTime gt "+before(since))
	}
	link, err = c.s.client.Pages(ctx, c.messagesPath()+"/delta", c.query(options...), take)
	if err == nil && link == "" {
		err = fmt.Errorf("%w: a delta without a link", errReread)
	}
	return link, err
}

// chatDelta reads what was modified since the mark, latest first. What is modified while pages are read moves to those that
// are done, so after several pages it asks again.
func (c *conversation) chatDelta(ctx context.Context, next *mark, take func(graph.Page) error) error {
	for range maxRounds {
		options := []string{"$top", pageSize, "$orderby", "lastModifiedDateTime desc"}
		if !next.Modified.IsZero() {
			options = append(options, "$filter", "lastModifiedDateTime gt "+before(next.Modified))
		}
		pages := 0
		_, err := c.s.client.Pages(ctx, c.messagesPath(), c.query(options...), func(p graph.Page) error {
			pages++
			return take(p)
		})
		if err != nil || pages <= 1 {
			return err
		}
	}
	return fmt.Errorf("%w: chat %s changes faster than it can be read", backends.ErrUnavailable, c.id)
}

// maxRounds bounds how often a chat is asked that changes all the time.
const maxRounds = 10

// before writes the last moment before a time, for filters that know "gt" alone: what has the very time of a mark may be
// new.
func before(t time.Time) string { return stamp(t.Add(-time.Millisecond)) }

// addMonths adds months that have messages to the conversation's directory. One that is new there holds what the batch has
// and nothing else; the months between it and those that are listed are empty.
func (c *conversation) addMonths(b backends.Batch, how *backends.Commit, months map[month]bool, sink backends.Sink) error {
	if !sink.Dir(c.dir()).Whole {
		return nil
	}
	added := map[month]bool{}
	listed := func(m month) bool {
		return added[m] || sink.Has(c.collection(), monthItem(m))
	}
	for _, m := range slices.SortedFunc(maps.Keys(months), func(a, b month) int { return a.start.Compare(b.start) }) {
		if listed(m) {
			continue
		}
		fresh := []month{m}
		if m != undated {
			gap := m.previous()
			for len(fresh) <= maxGap && !listed(gap) {
				fresh, gap = append(fresh, gap), gap.previous()
			}
			if !listed(gap) {
				fresh = fresh[:1]
			} else if err := b.Add(c.dir(), c.monthEntry(gap)); err != nil { // it may be over now
				return err
			}
		}
		for _, m := range fresh {
			added[m] = true
			if err := b.Add(c.dir(), c.monthEntry(m)); err != nil {
				return err
			}
			how.Whole = append(how.Whole, c.listing(c.monthKey(m)))
		}
	}
	return nil
}

// refreshBeside brings what the conversation's directory holds beside months up to date, if that was not done lately or
// has changed.
func (c *conversation) refreshBeside(ctx context.Context, b backends.Batch, how *backends.Commit, changed bool, sink backends.Sink) error {
	if !sink.Dir(c.dir()).Whole {
		return nil
	}
	if v, ok := sink.Get(c.askedKey()); ok && !changed {
		at, err := strconv.ParseInt(string(v), 10, 64)
		if age := c.s.now().Sub(time.Unix(at, 0)); err == nil && age >= 0 && age < c.s.refresh/2 {
			return nil
		}
	}
	var entries []backends.Entry
	if c.kind == kindChannel {
		var err error
		if entries, _, err = c.channelEntries(ctx); err != nil {
			return err
		}
	} else {
		members, err := c.s.chatMembers(ctx, c.id)
		if err != nil {
			return err
		}
		entries = append(entries, memberTable(join(c.identity(), "members"), members))
	}
	how.Memory[c.askedKey()] = c.asked()
	return b.Add(c.dir(), entries...)
}

// askedKey is where is remembered when the members were asked for.
func (c *conversation) askedKey() string { return "asked|" + c.collection() }

func (c *conversation) asked() []byte { return strconv.AppendInt(nil, c.s.now().Unix(), 10) }
