package teams

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
)

// people gives the names of members in the order of their ids.
func people(members []member) []string {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b member) int { return strings.Compare(a.UserID, b.UserID) })
	list := make([]string, len(sorted))
	for i, m := range sorted {
		list[i] = cmp.Or(m.DisplayName, m.Email, m.UserID)
	}
	return list
}

func (c *conversation) cardKey() string { return "card|" + c.collection() }

func (c *conversation) loadCard(sink backends.Memory) (card, bool) {
	var known card
	v, ok := sink.Get(c.cardKey())
	return known, ok && json.Unmarshal(v, &known) == nil
}

// chatRead is what was read of a chat, newest first. One that ended early goes on where it was: a busy month has more pages
// than one operation has time for.
type chatRead struct {
	want     month  // zero for the newest messages, else no later ones were asked for
	next     string // link to the next page
	pages    int    // that were read
	messages []message
	months   map[month]bool
	at       time.Time // when it began
	modified time.Time // the latest modification
	oldest   time.Time // creation of the last message read
	ordered  bool      // creation never rose
	done     bool      // there are no more
}

// covers tells whether all of a month was read.
func (r *chatRead) covers(m month) bool {
	return r.done || r.ordered && m != undated && !r.oldest.IsZero() && r.oldest.Before(m.start)
}

func (r *chatRead) take(m message) {
	if m.created.IsZero() || !r.oldest.IsZero() && m.created.After(r.oldest) {
		r.ordered = false
	}
	r.oldest, r.modified = m.created, later(r.modified, m.modified)
	r.messages = append(r.messages, m)
	r.months[m.month] = true
}

// readChat reads a month of a chat, or for the chat's directory its newest messages, which tell its months.
func (c *conversation) readChat(ctx context.Context, want month, sink backends.Sink) error {
	options := []string{"$top", pageSize, "$orderby", "createdDateTime desc"}
	if !want.isZero() && want != undated {
		options = append(options, "$filter", "createdDateTime lt "+stamp(want.next().start))
	}
	r := c.chatRead
	if r == nil || r.want != want || c.s.now().Sub(r.at) > passAge {
		r = &chatRead{want: want, ordered: true, months: map[month]bool{}, at: c.s.now()}
	}
	c.chatRead = r
	for !r.done && (want.isZero() && r.pages < eagerPages || !want.isZero() && !r.covers(want)) {
		path, q := r.next, c.query()
		if r.pages == 0 {
			path, q = c.messagesPath(), c.query(options...)
		}
		page, err := c.s.client.Page(ctx, path, q)
		if r.pages > 0 && mustReread(err) {
			c.chatRead = nil
			return fmt.Errorf("%w: %w: %v", backends.ErrUnavailable, errSpent, err) // err's kind may be that something is gone
		}
		if err != nil {
			return err
		}
		for _, raw := range page.Values {
			if f, ok := c.decode(raw); ok {
				r.take(c.message(raw, &f, ""))
			}
		}
		r.pages++
		r.next, r.done = page.Next, page.Next == ""
	}
	if err := c.commitChat(ctx, r, sink); err != nil {
		return err
	}
	c.chatRead = nil
	return nil
}

// commitChat commits the months that were read wholly, and the chat's directory if that was wanted.
func (c *conversation) commitChat(ctx context.Context, r *chatRead, sink backends.Sink) error {
	b := sink.Begin(c.collection())
	defer b.Discard()
	how := backends.Commit{Memory: map[string][]byte{}}
	if _, known := c.loadMark(sink); !known {
		how.Memory[c.markKey()] = mark{Modified: r.modified, At: r.at}.value()
	}
	var months []month
	if r.want.isZero() {
		var err error
		if months, err = c.chatEntries(ctx, r, b, &how, sink); err != nil {
			return err
		}
	} else {
		months = span(r.months, month{})
		if !r.months[r.want] {
			months = append(months, r.want) // listed earlier, and empty
		}
	}
	for _, m := range r.messages {
		if r.covers(m.month) {
			if err := c.add(b, &how, m); err != nil {
				return err
			}
		}
	}
	for _, m := range months {
		if r.covers(m) {
			how.Whole = append(how.Whole, c.listing(c.monthKey(m)))
		}
	}
	return b.Commit(how)
}

// chatEntries puts what the chat's directory holds into a batch: its months, which it returns, and its members.
func (c *conversation) chatEntries(ctx context.Context, r *chatRead, b backends.Batch, how *backends.Commit, sink backends.Sink) ([]month, error) {
	var oldest month
	if !r.done {
		created, err := c.created(ctx, sink)
		if err != nil {
			return nil, err
		}
		oldest = monthOf(created)
	}
	months := span(r.months, oldest)
	known, ok := c.loadCard(sink)
	if !ok {
		var err error
		if known.Members, err = c.s.chatMembers(ctx, c.id); err != nil {
			return nil, err
		}
	}
	entries := []backends.Entry{memberTable(join(c.identity(), "members"), known.Members)}
	for _, m := range months {
		entries = append(entries, c.monthEntry(m))
	}
	how.Whole = append(how.Whole, c.listing(c.dir()))
	how.Memory[c.askedKey()] = c.asked()
	return months, b.Add(c.dir(), entries...)
}
