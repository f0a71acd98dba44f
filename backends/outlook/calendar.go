package outlook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/names"
	"golang.org/x/sync/errgroup"
)

// calendar is one calendar of one mailbox. It is always read whole: all its events make all its months.
type calendar struct {
	mailbox, id string

	ops     lock // held while events are read and committed, so that no older state overwrites a newer one
	refresh flight
	gone    gone

	mu     sync.Mutex // guards what follows
	loaded bool
	state  calendarState
}

// calendarState is what is remembered of a calendar.
type calendarState struct {
	Edition string   `json:"edition"`
	Months  []string `json:"months,omitempty"`
	Series  []string `json:"series,omitempty"` // ids, whose exceptions are remembered too
	// Count and Newest tell whether anything changed: the number of events, and those modified last with all that were
	// modified in the same second as the last of these.
	Count  int64    `json:"count"`
	Newest []string `json:"newest,omitempty"`
	// Blind says that the service answers the question for them wrongly.
	Blind bool `json:"blind,omitempty"`
}

// signals is the number of events that a look at a calendar's latest changes asks for. More are remembered, since those that
// come to be among them when others are deleted have to be known; but no more than maxSignals.
const (
	signals    = 10
	keptBehind = 90
	maxSignals = 500
)

func (s *service) calendar(mailbox, id string) *calendar {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := join(mailbox, id)
	c := s.calendars[k]
	if c == nil {
		c = &calendar{mailbox: mailbox, id: id, ops: newLock()}
		s.calendars[k] = c
	}
	return c
}

func (c *calendar) collection() string   { return join("calendar", c.mailbox, c.id) }
func (c *calendar) dir() backends.DirKey { return dirKey(kindCalendar, c.mailbox, c.id) }
func (c *calendar) month(m month) backends.DirKey {
	return dirKey(kindCalMonth, c.mailbox, c.id, m.String())
}

func (s *service) events(c *calendar) string {
	return s.prefix(c.mailbox) + graph.Path("calendars", c.id, "events")
}

// listCalendars lists the calendars of a mailbox.
func (s *service) listCalendars(ctx context.Context, mailbox string, sink backends.Sink) error {
	batch := sink.Begin(join(kindCalendars, mailbox))
	defer batch.Discard()
	dir := dirKey(kindCalendars, mailbox)
	memory := map[string][]byte{}
	add := func(raw json.RawMessage) error {
		var c struct {
			ID, Name          string
			IsDefaultCalendar bool
		}
		if err := decode(raw, &c); err != nil || c.ID == "" {
			s.log.Warn("calendar without id left out", "mailbox", mailbox)
			return nil
		}
		if c.IsDefaultCalendar {
			memory[defaultCalendarKey(mailbox)] = []byte(c.ID)
		}
		return batch.Add(dir, backends.Entry{
			Name:  userName(cmp.Or(c.Name, c.ID), s.key(mailbox, "calendar", c.ID)),
			ID:    s.id(mailbox, "calendar", c.ID, ""),
			Item:  c.ID,
			IsDir: true,
			Dir:   dirKey(kindCalendar, mailbox, c.ID),
			Info:  backends.Info{ServiceID: c.ID},
		})
	}
	_, err := s.client.Pages(ctx, s.prefix(mailbox)+"/calendars", graph.Opts("$top", "100"), func(p graph.Page) error {
		for _, raw := range p.Values {
			if err := add(raw); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, backends.ErrForbidden) && strings.HasPrefix(mailbox, sharedPrefix) {
		// The default calendar may be shared alone.
		var raw json.RawMessage
		if raw, err = s.client.Raw(ctx, s.prefix(mailbox)+"/calendar", graph.Query{}); err == nil {
			err = add(raw)
		}
	}
	if err != nil {
		return err
	}
	return batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir}}, Memory: memory})
}

func defaultCalendarKey(mailbox string) string { return join("default-calendar", mailbox) }

// listCalendar makes a calendar and all its months fresh.
func (s *service) listCalendar(ctx context.Context, c *calendar, sink backends.Sink) error {
	return c.refresh.do(ctx, func(ctx context.Context) error {
		if err := c.ops.acquire(ctx); err != nil {
			return err
		}
		defer c.ops.release()
		st := c.snapshot(sink)
		changed := true
		if st.Edition == s.edition && !st.Blind && c.whole(&st, sink) {
			batch := sink.Begin(c.collection())
			defer batch.Discard()
			same, err := s.unchanged(ctx, c, &st)
			switch {
			case badRequest(err):
				st.Blind = true
			case err != nil:
				return err
			case same:
				return batch.Commit(backends.Commit{Fresh: true})
			}
			changed = false
		}
		for range maxTries {
			err := s.readCalendar(ctx, c, st, !changed, sink)
			if !errors.Is(err, errChanged) {
				return err
			}
		}
		return fmt.Errorf("calendar: %w: %w", errChanged, backends.ErrUnavailable)
	})
}

func (c *calendar) snapshot(memory backends.Memory) calendarState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.loaded {
		c.loaded = true
		if raw, ok := memory.Get(c.collection()); ok {
			if json.Unmarshal(raw, &c.state) != nil {
				c.state = calendarState{}
			}
		}
	}
	return c.state
}

// whole tells whether the cache has all that the state speaks of.
func (c *calendar) whole(st *calendarState, sink backends.Sink) bool {
	if !sink.Dir(c.dir()).Whole {
		return false
	}
	for _, t := range st.Months {
		if m, ok := parseMonth(t); ok && !sink.Dir(c.month(m)).Whole {
			return false
		}
	}
	return true
}

// unchanged asks for the number of events and for those that were modified last. Every change shows in one of them: what is
// new or edited comes first, also a series of which one occurrence was edited, and what was deleted is missing.
func (s *service) unchanged(ctx context.Context, c *calendar, st *calendarState) (bool, error) {
	q := graph.Opts("$select", "id,changeKey,lastModifiedDateTime", "$orderby", "lastModifiedDateTime desc",
		"$top", fmt.Sprint(signals), "$count", "true")
	page, err := s.client.Page(ctx, s.events(c), q)
	if err != nil {
		return false, err
	}
	if page.Count != st.Count || int64(len(page.Values)) != min(signals, st.Count) {
		return false, nil
	}
	last := ""
	for _, raw := range page.Values {
		var x facts
		if !scanFacts(raw, &x) || last != "" && x.Modified > last || !slices.Contains(st.Newest, signalOf(&x)) {
			return false, nil
		}
		last = x.Modified
	}
	return true, nil
}

// signalOf sorts by time of modification, as text. Times have whole seconds, so the change key says more.
func signalOf(x *facts) string { return x.Modified + " " + names.Hash(x.ID+"\x00"+x.Change, 12) }

// newest gives what is remembered of the events that were modified last.
func newest(events []*event) []string {
	all := make([]string, 0, len(events))
	for _, e := range events {
		all = append(all, signalOf(&e.facts))
	}
	slices.SortFunc(all, func(a, b string) int { return strings.Compare(b, a) })
	n := min(signals+keptBehind, len(all))
	for n > 0 && n < len(all) && sameSecond(all[n], all[n-1]) {
		n++
	}
	return all[:n]
}

func sameSecond(a, b string) bool {
	a, _, _ = strings.Cut(a, " ")
	b, _, _ = strings.Cut(b, " ")
	return a == b
}

// event is an event as it was listed.
type event struct {
	facts
	raw                         json.RawMessage
	kind                        string
	subject                     string
	allDay                      bool
	attachments                 bool
	start                       string
	exceptions                  [][]byte
	cancelled                   []string
	rawExceptions, rawCancelled json.RawMessage
	organizer                   string
	master                      string // id of the series that an occurrence belongs to
	seriesMissing               bool
}

// readCalendar reads all events and commits the calendar. unexpected says that the signal told of a change: if there is none,
// it is not to be trusted.
func (s *service) readCalendar(ctx context.Context, c *calendar, st calendarState, unexpected bool, sink backends.Sink) error {
	batch := sink.Begin(c.collection())
	defer batch.Discard()
	events, err := s.readEvents(ctx, c)
	if err != nil {
		return err
	}
	memory := map[string][]byte{}
	if err := s.readSeries(ctx, c, events, sink, memory); err != nil {
		return err
	}
	next := calendarState{Edition: s.edition, Count: int64(len(events)), Blind: st.Blind}
	filled := map[month]bool{}
	for _, e := range events {
		m, entries := s.eventEntries(c, e)
		filled[m] = true
		if e.attachments {
			if err := s.refreshAttachments(ctx, owner{c.mailbox, "events", e.ID}, e.Change, sink, memory); err != nil {
				return err
			}
		}
		if err := batch.Add(c.month(m), entries...); err != nil {
			return err
		}
		if e.kind == seriesMaster {
			next.Series = append(next.Series, e.ID)
		}
	}
	if next.Newest = newest(events); len(next.Newest) > maxSignals {
		next.Newest, next.Blind = nil, true
	}
	if unexpected && next.Count == st.Count && slices.Equal(next.Newest, st.Newest) {
		next.Blind = true
	}
	for _, id := range st.Series {
		if !slices.Contains(next.Series, id) {
			memory[seriesKey(c, id)] = nil
		}
	}
	commit := backends.Commit{Fresh: true, Memory: memory, Whole: []backends.Listing{{Dir: c.dir(), Covered: true}}}
	next.setMonths(filled)
	for _, t := range next.Months {
		m, _ := parseMonth(t)
		commit.Whole = append(commit.Whole, backends.Listing{Dir: c.month(m), Covered: true})
		if err := batch.Add(c.dir(), s.monthEntry(c.mailbox, "calendarMonth", c.id, c.month(m), m)); err != nil {
			return err
		}
	}
	for _, t := range st.Months {
		// What is not shown any more must not keep what it held.
		if m, ok := parseMonth(t); ok && !slices.Contains(next.Months, t) && sink.Dir(c.month(m)).Whole {
			commit.Whole = append(commit.Whole, backends.Listing{Dir: c.month(m), Covered: true})
		}
	}
	return c.commit(batch, next, commit)
}

const seriesMaster = "seriesMaster"

// readEvents reads all single events and series masters. As with mail, what was lost or doubled by paging shows in the count.
func (s *service) readEvents(ctx context.Context, c *calendar) ([]*event, error) {
	q := graph.Opts("$count", "true")
	q.MaxPage = s.limits.listPage
	var events []*event
	seen := map[string]bool{}
	first, last, dropped, pages := int64(-1), int64(-1), 0, 0
	_, err := s.client.Pages(ctx, s.events(c), q, func(p graph.Page) error {
		if pages++; pages == 1 {
			first = p.Count
		}
		last = p.Count
		for _, raw := range p.Values {
			e := newEvent(raw)
			switch {
			case e == nil:
				dropped++
			case !seen[e.ID]:
				seen[e.ID] = true
				events = append(events, e)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if pages > 1 && last == -1 {
		last = first
	}
	n := int64(len(events) + dropped)
	if first != -1 && first != n || last != -1 && last != n {
		return nil, errChanged
	}
	return events, nil
}

func newEvent(raw json.RawMessage) *event {
	var x struct {
		Kind           string `json:"type"`
		Subject        string `json:"subject"`
		IsAllDay       bool   `json:"isAllDay"`
		HasAttachments bool   `json:"hasAttachments"`
		SeriesMasterID string `json:"seriesMasterId"`
		Start          struct {
			DateTime string `json:"dateTime"`
		} `json:"start"`
		Organizer struct {
			EmailAddress struct {
				Address string `json:"address"`
			} `json:"emailAddress"`
		} `json:"organizer"`
	}
	var known facts
	if err := decode(raw, &x); err != nil || !scanFacts(raw, &known) || known.ID == "" {
		return nil
	}
	e := &event{facts: known, kind: x.Kind, subject: x.Subject, allDay: x.IsAllDay, attachments: x.HasAttachments,
		start: x.Start.DateTime, organizer: x.Organizer.EmailAddress.Address, master: x.SeriesMasterID}
	if e.Change == "" {
		e.Change = e.Modified
	}
	e.raw = canonical(raw, &e.facts, "#microsoft.graph.event")
	return e
}

// series is what is remembered of a series' exceptions, which change with their master's change key only.
type series struct {
	Change     string          `json:"change"`
	Exceptions json.RawMessage `json:"exceptions,omitempty"`
	Cancelled  json.RawMessage `json:"cancelled,omitempty"`
}

func seriesKey(c *calendar, id string) string { return join("series", c.mailbox, c.id, id) }

// readSeries adds the exceptions and cancelled occurrences of all series, in one request for each that is new or has changed.
// What is remembered comes from known, what is to be goes to memory.
func (s *service) readSeries(ctx context.Context, c *calendar, events []*event, known backends.Memory, memory map[string][]byte) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4) // of a mailbox, see the client
	var mu sync.Mutex
	for _, e := range events {
		if e.kind != seriesMaster {
			continue
		}
		key := seriesKey(c, e.ID)
		if raw, ok := known.Get(key); ok {
			var x series
			if json.Unmarshal(raw, &x) == nil && x.Change == e.Change {
				e.use(x)
				continue
			}
		}
		group.Go(func() error {
			var x struct {
				ID         string          `json:"id"`
				Exceptions json.RawMessage `json:"exceptionOccurrences"`
				Cancelled  json.RawMessage `json:"cancelledOccurrences"`
			}
			q := graph.Opts("$select", "id,exceptionOccurrences,cancelledOccurrences", "$expand", "exceptionOccurrences")
			err := s.client.Get(ctx, s.events(c)+graph.Path(e.ID), q, &x)
			switch {
			case errors.Is(err, backends.ErrNotFound):
				return errChanged
			case errors.Is(err, backends.ErrBroken):
				e.seriesMissing = true
				return nil
			case err != nil:
				return err
			case x.ID == "":
				return fmt.Errorf("series without id: %w", backends.ErrUnavailable)
			}
			read := series{e.Change, x.Exceptions, x.Cancelled}
			e.use(read)
			raw, err := json.Marshal(read)
			if err != nil {
				return err
			}
			mu.Lock()
			memory[key] = raw
			mu.Unlock()
			return nil
		})
	}
	return group.Wait()
}

func (e *event) use(x series) {
	var exceptions []json.RawMessage
	if decode(x.Exceptions, &exceptions) == nil {
		for _, raw := range exceptions {
			e.exceptions = append(e.exceptions, raw)
		}
	}
	if decode(x.Cancelled, &e.cancelled) != nil {
		e.cancelled = nil
	}
	e.rawExceptions, e.rawCancelled = x.Exceptions, x.Cancelled
}

// resource gives the event as the API gave it, with what the request for its series added.
func (e *event) resource() json.RawMessage {
	if len(e.exceptions) == 0 && len(e.cancelled) == 0 {
		return e.raw
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(e.raw, &members) != nil {
		return e.raw
	}
	if len(e.exceptions) > 0 {
		members["exceptionOccurrences"] = e.rawExceptions
	}
	if len(e.cancelled) > 0 {
		members["cancelledOccurrences"] = e.rawCancelled
	}
	raw, err := json.Marshal(members)
	if err != nil {
		return e.raw
	}
	return raw
}
