package outlook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/render"
)

// folder is one mail folder of one mailbox.
type folder struct {
	mailbox, id string

	ops     lock   // the operation lock, see the package comment
	refresh flight // of the cursor
	gone    gone   // messages that left

	mu     sync.Mutex // guards what follows
	loaded bool
	state  folderState
	// turns counts commits of messages and notifications of changes. It tells a round whether its pages may be older than
	// what is shown, or than what will not be told again.
	turns int
	// asides counts what happened to months that no cursor covers beside their listings.
	asides int
	synced time.Time // when the cursor was asked last
	walk   walk
	round  *round
	failed time.Time   // when a round failed last
	timer  *time.Timer // until the folder is read whole while nobody asks; nil until a month was looked at
}

// folderState is what is remembered of a folder, in the same transaction as the entries that it speaks of.
type folderState struct {
	Edition string `json:"edition"`
	// Listed says that Months holds.
	Listed  bool     `json:"listed,omitempty"`
	Months  []string `json:"months,omitempty"` // as shown, "undated" among them
	RangeAt int64    `json:"range_at,omitempty"`
	// Total is the folder's totalItemCount when Months were found out.
	Total int64 `json:"total"`
	// Extent is what has ever been committed as covered: "" nothing, a month and all later ones, or everything.
	Extent string `json:"extent,omitempty"`
	// Link is the cursor for all of Extent; "" when it is lost or was never made.
	Link string `json:"link,omitempty"`
	// Busy says that a filtered delta can't serve the extent, because it stops at 5,000 messages.
	Busy bool `json:"busy,omitempty"`
}

// everything is the Extent of a folder that is known whole.
const everything = "all"

func (s *service) folder(mailbox, id string) *folder {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := join(mailbox, id)
	f := s.folders[k]
	if f == nil {
		f = &folder{mailbox: mailbox, id: id, ops: newLock()}
		s.folders[k] = f
	}
	return f
}

func (f *folder) collection() string   { return collectionOf(f.mailbox, f.id) }
func (f *folder) dir() backends.DirKey { return dirKey(kindFolder, f.mailbox, f.id) }
func (f *folder) stateKey() string     { return join("mail", f.mailbox, f.id) }
func (s *service) path(f *folder) string {
	return s.prefix(f.mailbox) + graph.Path("mailFolders", f.id, "messages")
}

func (f *folder) month(m month) backends.DirKey {
	return dirKey(kindMonth, f.mailbox, f.id, m.String())
}

// snapshot gives the folder's state, read from memory the first time.
func (s *service) snapshot(f *folder, memory backends.Memory) folderState {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.loaded {
		f.loaded = true
		if raw, ok := memory.Get(f.stateKey()); ok {
			if err := json.Unmarshal(raw, &f.state); err != nil {
				f.state = folderState{}
			}
		}
		if f.state.Edition != s.edition {
			// What is covered was rendered otherwise; it keeps its extent and loses its cursor, so that it is read anew.
			f.state.Link = ""
			f.state.Edition = s.edition
		}
	}
	st := f.state
	st.Months = slices.Clone(st.Months)
	return st
}

// commit commits a batch together with a state, which takes the place of the folder's.
func (w *writer) commit(c backends.Commit, st folderState) error {
	f := w.folder
	raw, err := json.Marshal(st)
	if err != nil {
		return err
	}
	c.Memory = w.memory
	c.Memory[f.stateKey()] = raw
	if err := w.Commit(c); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = st
	f.turns++
	if c.Fresh {
		f.synced = time.Now()
	}
	return nil
}

// covers tells whether the extent holds a month.
func (st *folderState) covers(m month) bool {
	if st.Extent == everything {
		return true
	}
	from, ok := parseMonth(st.Extent)
	return ok && from != 0 && m >= from
}

// rangeIsYoung tells whether the oldest message was looked for not long ago.
func (st *folderState) rangeIsYoung(age time.Duration) bool {
	return time.Since(time.Unix(st.RangeAt, 0)) < age
}

// months gives the months shown but undated, and whether that is shown too.
func (st *folderState) months() (ms []month, undated bool) {
	for _, t := range st.Months {
		m, ok := parseMonth(t)
		switch {
		case ok && m == 0:
			undated = true
		case ok:
			ms = append(ms, m)
		}
	}
	return ms, undated
}

func (st *folderState) setMonths(ms []month, undated bool) {
	st.Months = st.Months[:0:0]
	for _, m := range ms {
		st.Months = append(st.Months, m.String())
	}
	if undated {
		st.Months = append(st.Months, month(0).String())
	}
	st.Listed = true
}

// keepMonths shows those of the months shown before that the cursor knows to hold messages: it may have told of them after
// the others were found out, and does not tell again.
func (st *folderState) keepMonths(f *folder, before []month, sink backends.Sink) {
	months, undated := st.months()
	all := map[month]bool{}
	for _, m := range months {
		all[m] = true
	}
	for _, m := range before {
		d := sink.Dir(f.month(m))
		if st.Link != "" && st.covers(m) && d.Whole && !d.Empty {
			all[m] = true
		}
	}
	if len(all) > len(months) {
		st.setMonths(shown(all), undated)
	}
}

// listFolder lists child folders and months.
func (s *service) listFolder(ctx context.Context, f *folder, sink backends.Sink) error {
	children, err := s.childrenOf(ctx, f.mailbox, f.id, sink.Dir(f.dir()))
	if err != nil {
		return err
	}
	st := s.snapshot(f, sink)
	synced := false
	if st.Listed && s.coveredInUse(f, &st, sink) {
		err := s.sync(ctx, f, sink)
		if err != nil && !errors.Is(err, errNoCursor) {
			return err
		}
		st = s.snapshot(f, sink)
		synced = err == nil && (st.Extent == everything || st.rangeIsYoung(s.limits.rangeAge))
	}
	var found *ends
	if !synced && !s.monthsHold(f, &st) {
		e, err := s.findEnds(ctx, f)
		if err != nil {
			return err
		}
		found = &e
	}
	return s.commitFolder(ctx, f, children, sink, found)
}

// coveredInUse tells whether a covered month, or the one that would be, has been listed, so that the cursor is worth asking.
func (s *service) coveredInUse(f *folder, st *folderState, sink backends.Sink) bool {
	if st.Link != "" {
		return true
	}
	months, undated := st.months()
	from := s.window(st)
	for _, m := range months {
		if (st.Extent == everything || m >= from) && sink.Dir(f.month(m)).Whole {
			return true
		}
	}
	return st.Extent == everything && undated && sink.Dir(f.month(0)).Whole
}

// monthsHold tells whether the months that were shown can be taken for right without a request: nothing came or went as
// far as the folder's counter tells, a message that came would not need a new month, and the last look is not long ago.
func (s *service) monthsHold(f *folder, st *folderState) bool {
	items, ok := s.tree(f.mailbox).total(f.id, time.Now().Add(-s.limits.treeAge))
	if ok && items == 0 && !st.Listed {
		return false // findEnds needs no request either
	}
	return ok && st.Listed && items == st.Total && slices.Contains(st.Months, monthOf(s.now()).String()) &&
		st.rangeIsYoung(s.limits.rangeAge)
}

// commitFolder makes the folder's directory whole, from found or, without it, from the state.
func (s *service) commitFolder(ctx context.Context, f *folder, children []child, sink backends.Sink, found *ends) error {
	if err := f.ops.acquire(ctx); err != nil {
		return err
	}
	defer f.ops.release()
	w := newWriter(f, sink)
	defer w.Discard()
	st := s.snapshot(f, sink)
	before, _ := st.months()
	if found != nil && (st.Extent != everything || st.Link == "") {
		st.setMonths(found.months, found.undated)
		st.keepMonths(f, before, sink)
		st.RangeAt, st.Total = time.Now().Unix(), found.total
	}
	if err := w.Add(f.dir(), s.folderEntries(f.mailbox, children)...); err != nil {
		return err
	}
	months, undated := st.months()
	if err := s.addMonths(w, months, undated); err != nil {
		return err
	}
	return w.commit(backends.Commit{Whole: []backends.Listing{{Dir: f.dir()}}}, st)
}

// addMonths adds the entries of months to the folder's directory.
func (s *service) addMonths(w *writer, months []month, undated bool) error {
	f := w.folder
	if undated {
		months = append(slices.Clone(months), 0)
	}
	for _, m := range months {
		if err := w.Add(f.dir(), s.monthEntry(f.mailbox, "mailMonth", f.id, f.month(m), m)); err != nil {
			return err
		}
	}
	return nil
}

// ends is what a folder's first and last messages tell of its months.
type ends struct {
	months  []month
	undated bool
	total   int64
}

// errStop ends a run of pages.
var errStop = errors.New("enough pages")

// findEnds finds the months between the oldest and the newest message in two requests: none where the folder is empty, one
// where it is small. Runs of empty months are found as far as the rows tell; where so few messages lie between them that a
// gap is likely, it reads on.
func (s *service) findEnds(ctx context.Context, f *folder) (ends, error) {
	items, counted := s.tree(f.mailbox).total(f.id, time.Time{})
	e := ends{total: items}
	if _, young := s.tree(f.mailbox).total(f.id, time.Now().Add(-s.limits.emptyAge)); young && items == 0 {
		return e, nil
	}
	var newest, oldest []month
	var more bool
	var count int64
	large := counted && items > int64(s.limits.ends) // one answer can't hold all of it, so both ends are asked for at once
	asks, actx := errgroup.WithContext(ctx)
	asks.Go(func() (err error) {
		newest, more, count, err = s.rows(actx, f, "", "desc")
		return err
	})
	if large {
		asks.Go(func() (err error) {
			oldest, _, _, err = s.rows(actx, f, "", "asc")
			return err
		})
	}
	err := asks.Wait()
	if err != nil {
		return e, err
	}
	if !counted {
		// After a restart the parent's listing may be remembered by the cache alone.
		items = max(count, 0)
		e.total = items
	}
	filled := map[month]bool{}
	for _, m := range newest {
		filled[m] = true
	}
	if !more {
		e.undated = filled[0]
		e.months = shown(filled)
		return e, nil
	}
	if !large {
		if oldest, _, _, err = s.rows(ctx, f, "", "asc"); err != nil {
			return e, err
		}
	}
	for _, m := range oldest {
		filled[m] = true
	}
	e.undated = filled[0]
	low, high := latest(oldest), earliest(newest)
	if high == 0 {
		// Nothing but absurd dates at one end.
		if newest, _, _, err = s.rows(ctx, f, "receivedDateTime lt "+rfc3339((lastMonth+1).start()), "desc"); err != nil {
			return e, err
		}
		for _, m := range newest {
			filled[m] = true
		}
		high = earliest(newest)
	}
	if low == 0 {
		if oldest, _, _, err = s.rows(ctx, f, "receivedDateTime ge "+rfc3339(firstMonth.start()), "asc"); err != nil {
			return e, err
		}
		for _, m := range oldest {
			filled[m] = true
		}
		low = latest(oldest)
	}
	unseen := items - int64(2*s.limits.ends)
	for low != 0 && high-low > maxGap && unseen < 8*int64(high-low) {
		next, more, _, err := s.rows(ctx, f, "receivedDateTime ge "+rfc3339((low+1).start()), "asc")
		if err != nil {
			return e, err
		}
		for _, m := range next {
			filled[m] = true
		}
		unseen -= int64(len(next))
		if low = latest(next); !more {
			break
		}
	}
	if low != 0 && high != 0 {
		for m := low; m < high; m++ {
			if high-low <= maxGap || unseen >= 8*int64(high-low) {
				filled[m] = true
			}
		}
	}
	e.months = shown(filled)
	return e, nil
}

func latest(ms []month) month { return slices.Max(append([]month{0}, ms...)) }

func earliest(ms []month) month {
	low := month(0)
	for _, m := range ms {
		if m != 0 && (low == 0 || m < low) {
			low = m
		}
	}
	return low
}

// rows gives the months of the first messages in the given order, whether there are more messages, and how many there are
// in all, -1 if the service does not say.
func (s *service) rows(ctx context.Context, f *folder, filter, order string) (ms []month, more bool, count int64, err error) {
	options := []string{"$select", "receivedDateTime", "$top", fmt.Sprint(s.limits.ends), "$orderby", "receivedDateTime " + order, "$count", "true"}
	if filter != "" {
		options = append(options, "$filter", filter)
	}
	_, err = s.client.Pages(ctx, s.path(f), graph.Opts(options...), func(p graph.Page) error {
		for _, raw := range p.Values {
			var x facts
			if !scanFacts(raw, &x) {
				continue
			}
			t, _ := render.ParseTime(x.Received)
			ms = append(ms, monthOf(t))
		}
		count = p.Count
		if more = p.Next != ""; len(ms) > 0 {
			return errStop
		}
		return nil
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return ms, more, count, err
}
