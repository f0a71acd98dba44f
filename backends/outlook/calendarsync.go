package outlook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/subscription"
)

// defaultCalendar gives the id of the default calendar of a mailbox, "" while it is not known. It is the only one that a
// subscription tells of: the documentation says that {U}/events is about all events of the mailbox, yet people get
// notifications of those in the default calendar alone (https://github.com/microsoftgraph/microsoft-graph-docs/issues/21978).
func (fl *follower) defaultCalendar(mailbox string) string {
	id, _ := fl.known.Get(defaultCalendarKey(mailbox))
	return string(id)
}

// shownEvent tells where a calendar shows an event.
func (s *service) shownEvent(c *calendar, id string, sink backends.Sink) (backends.Shown, bool) {
	for _, at := range sink.Where(s.id(c.mailbox, "event", id, "ics")) {
		if at.Collection == c.collection() {
			return at, true
		}
	}
	return backends.Shown{}, false
}

// syncCalendar makes a calendar right: by asking for the events that notifications are about, or, without any, for whether
// anything changed. The default calendar gets the notifications of the others, too, if there are any.
func (fl *follower) syncCalendar(ctx context.Context, c *calendar, n []subscription.Notification, sink backends.Sink) ([]subscription.Notification, error) {
	if !sink.Dir(c.dir()).Whole {
		return nil, nil
	}
	st := c.snapshot(sink)
	if len(n) == 0 || st.Edition != fl.edition || !c.whole(&st, sink) {
		return nil, fl.listCalendar(ctx, c, sink)
	}
	var open, taken []subscription.Notification
	ask := false
	var news []subscription.Notification
	for _, x := range n {
		at, here := fl.shownEvent(c, x.ID, sink)
		if x.ID == "" || x.Change == "deleted" || !consistent(x, at.Info.ETag, here) {
			news = append(news, x)
		}
	}
	for _, x := range oneOfEach(news) {
		settled := x.ID != ""
		var err error
		for _, of := range fl.calendarsOf(c, x.ID, sink) {
			if settled, err = fl.syncEvent(ctx, of, x, sink); settled || err != nil {
				break
			}
		}
		switch {
		case err != nil:
			return nil, err
		case settled:
			taken = append(taken, x)
		case x.ID == "" || x.Change == "deleted":
			// Of an event that nobody knew: it may have been an occurrence of a series.
			ask = true
		default:
			open = append(open, x)
		}
	}
	if ask {
		if err := fl.listCalendar(ctx, c, sink); err != nil {
			return nil, err
		}
	}
	shown := func(id string) (backends.Shown, bool) { return fl.shownEvent(c, id, sink) }
	for _, x := range unsettled(news, shown) {
		// What is shown otherwise may not show the change yet; occurrences are not shown by themselves.
		if _, here := shown(x.ID); here && fl.isEarly(x) && slices.ContainsFunc(taken, func(t subscription.Notification) bool { return t.ID == x.ID }) {
			open = append(open, x)
		}
	}
	return open, nil
}

// calendarsOf gives the calendars that may hold an event: the one that shows it, or else the given one and then the others
// of its mailbox that have been listed.
func (s *service) calendarsOf(c *calendar, id string, sink backends.Sink) []*calendar {
	if _, ok := s.shownEvent(c, id, sink); ok {
		return []*calendar{c}
	}
	all := []*calendar{c}
	s.mu.Lock()
	for _, other := range s.calendars {
		if other != c && other.mailbox == c.mailbox {
			all = append(all, other)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(all[1:], func(a, b *calendar) int { return strings.Compare(a.id, b.id) })
	all = slices.DeleteFunc(all, func(other *calendar) bool {
		return other != c && !sink.Dir(other.dir()).Whole
	})
	for _, other := range all[1:] {
		if _, ok := s.shownEvent(other, id, sink); ok {
			return []*calendar{other}
		}
	}
	return all
}

// syncEvent has a calendar show what a single event is now. It gives false when the calendar does not have it, or not yet,
// and did not show it.
func (s *service) syncEvent(ctx context.Context, c *calendar, n subscription.Notification, sink backends.Sink) (bool, error) {
	if err := c.ops.acquire(ctx); err != nil {
		return false, err
	}
	defer c.ops.release()
	at, here := s.shownEvent(c, n.ID, sink)
	if here && consistent(n, at.Info.ETag, here) {
		return true, nil
	}
	if !here && n.Change == "deleted" {
		heard := c.gone.has(n.ID)
		c.gone.add(n.ID)
		return heard, nil
	}
	e, err := s.getEvent(ctx, c, n.ID)
	if err == nil && e.master != "" {
		// An occurrence that is not like the others: it is shown within its series.
		if e, err = s.getEvent(ctx, c, e.master); errors.Is(err, backends.ErrNotFound) {
			return false, nil
		}
	}
	switch {
	case errors.Is(err, backends.ErrNotFound) && here && n.Change == "deleted":
		c.gone.add(n.ID)
		return true, s.dropEvent(c, n.ID, sink)
	case errors.Is(err, backends.ErrNotFound) && !here && c.gone.has(n.ID):
		return true, nil
	case errors.Is(err, backends.ErrNotFound):
		return false, nil
	case err != nil && concernsAll(err):
		return false, err
	case err != nil:
		s.log.Warn("the event of a notification can't be read", "id", n.ID, "error", err)
		return false, nil
	}
	return true, s.placeEvent(ctx, c, e, sink)
}

func (s *service) getEvent(ctx context.Context, c *calendar, id string) (*event, error) {
	raw, err := s.client.Raw(ctx, s.events(c)+graph.Path(id), graph.Query{})
	if err != nil {
		return nil, fmt.Errorf("outlook: event of a notification: %w", err)
	}
	e := newEvent(raw)
	if e == nil {
		return nil, fmt.Errorf("outlook: event without id: %w", backends.ErrUnavailable)
	}
	return e, nil
}

// placeEvent commits an event as it is now. Needs the operation lock.
func (s *service) placeEvent(ctx context.Context, c *calendar, e *event, sink backends.Sink) error {
	batch := sink.Begin(c.collection())
	defer batch.Discard()
	memory := map[string][]byte{}
	if e.kind == seriesMaster {
		// A notification may be about an exception that does not show in the change key.
		if err := s.readSeries(ctx, c, []*event{e}, forgetful{}, memory); err != nil {
			return err
		}
	}
	m, entries := s.eventEntries(c, e)
	if e.attachments {
		if err := s.refreshAttachments(ctx, owner{c.mailbox, "events", e.ID}, e.Change, sink, memory); err != nil {
			return err
		}
	}
	if err := batch.Add(c.month(m), entries...); err != nil {
		return err
	}
	st := c.snapshot(sink)
	next := st
	if _, here := s.shownEvent(c, e.ID, sink); !here {
		next.Count++
	}
	next.Newest = append([]string{signalOf(&e.facts)}, st.Newest...)
	slices.SortFunc(next.Newest, func(a, b string) int { return strings.Compare(b, a) })
	next.Newest = slices.Compact(next.Newest)
	next.Newest = next.Newest[:min(len(next.Newest), maxSignals)]
	next.Series = slices.DeleteFunc(slices.Clone(st.Series), func(id string) bool { return id == e.ID })
	if e.kind == seriesMaster {
		next.Series = append(next.Series, e.ID)
	} else if len(next.Series) < len(st.Series) {
		memory[seriesKey(c, e.ID)] = nil
	}
	filled := map[month]bool{m: true}
	for _, t := range st.Months {
		shown, _ := parseMonth(t)
		filled[shown] = true
	}
	return s.commitMonths(c, batch, next, filled, backends.Commit{Memory: memory}, sink)
}

// dropEvent commits that an event is gone. Needs the operation lock.
func (s *service) dropEvent(c *calendar, id string, sink backends.Sink) error {
	batch := sink.Begin(c.collection())
	defer batch.Discard()
	batch.Remove(eventItem(id))
	st := c.snapshot(sink)
	next := st
	next.Count--
	memory := map[string][]byte{}
	next.Series = slices.DeleteFunc(slices.Clone(st.Series), func(series string) bool { return series == id })
	if len(next.Series) < len(st.Series) {
		memory[seriesKey(c, id)] = nil
	}
	filled := map[month]bool{}
	for _, t := range st.Months {
		m, _ := parseMonth(t)
		filled[m] = true
	}
	return s.commitMonths(c, batch, next, filled, backends.Commit{Memory: memory}, sink)
}

// commitMonths commits a batch that changed some events, with the months shown that follow from those that are, or may be,
// filled. Months that it emptied at the ends go away by a second commit.
func (s *service) commitMonths(c *calendar, batch backends.Batch, next calendarState, filled map[month]bool, how backends.Commit, sink backends.Sink) error {
	before := next.Months
	next.setMonths(filled)
	for _, t := range before {
		if m, ok := parseMonth(t); ok && !slices.Contains(next.Months, t) {
			batch.Remove(monthItem(m))
		}
	}
	for _, t := range next.Months {
		m, _ := parseMonth(t)
		if slices.Contains(before, t) {
			continue
		}
		// Nothing was in it, but what the batch adds.
		how.Whole = append(how.Whole, backends.Listing{Dir: c.month(m), Covered: true})
		if err := batch.Add(c.dir(), s.monthEntry(c.mailbox, "calendarMonth", c.id, c.month(m), m)); err != nil {
			return err
		}
	}
	if err := c.commit(batch, next, how); err != nil {
		return err
	}
	for m := range filled {
		if sink.Dir(c.month(m)).Empty {
			delete(filled, m)
		}
	}
	trimmed := next
	trimmed.setMonths(filled)
	if slices.Equal(trimmed.Months, next.Months) {
		return nil
	}
	batch = sink.Begin(c.collection())
	defer batch.Discard()
	for _, t := range next.Months {
		if m, ok := parseMonth(t); ok && !slices.Contains(trimmed.Months, t) {
			batch.Remove(monthItem(m))
		}
	}
	return c.commit(batch, trimmed, backends.Commit{})
}

// setMonths sets the months shown by those that hold events.
func (st *calendarState) setMonths(filled map[month]bool) {
	st.Months = nil
	for _, m := range shown(filled) {
		st.Months = append(st.Months, m.String())
	}
	if filled[0] {
		st.Months = append(st.Months, month(0).String())
	}
}

// commit commits a batch together with a state, which takes the place of the calendar's.
func (c *calendar) commit(batch backends.Batch, next calendarState, how backends.Commit) error {
	raw, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if how.Memory == nil {
		how.Memory = map[string][]byte{}
	}
	how.Memory[c.collection()] = raw
	if err := batch.Commit(how); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = next
	return nil
}
