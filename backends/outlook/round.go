package outlook

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
)

// errNoCursor says that a folder has no cursor and that making one is not worth while or takes a round.
var errNoCursor = errors.New("no cursor")

// window gives the first month of the extent that a filtered delta serves: the newest month that the folder shows, or the
// present one if that is earlier.
func (s *service) window(st *folderState) month {
	if from, ok := parseMonth(st.Extent); ok && from != 0 {
		return from
	}
	from := monthOf(s.now())
	if months, _ := st.months(); len(months) > 0 {
		from = min(from, months[len(months)-1])
	}
	return from
}

// delta is what the pages of a delta query bring.
type delta struct {
	months  map[idHash]month // where each message lies that was added last
	holds   map[month]int    // how many of them lie there
	removed map[string]bool  // ids of those that were removed last
	changed bool
	count   int
	last    month  // of the message that was added last
	staged  int    // count when months were written ahead last
	round   *round // that the query belongs to; nil for none
}

// idHash stands for a message's id, without collisions: a round may bring a million of those.
type idHash [16]byte

func hashID(id string) idHash {
	sum := sha256.Sum256([]byte(id))
	return idHash(sum[:len(idHash{})])
}

func newDelta() *delta {
	return &delta{months: map[idHash]month{}, holds: map[month]int{}, removed: map[string]bool{}}
}

// add notes where a message lies.
func (d *delta) add(id string, m month) {
	h := hashID(id)
	d.leave(h)
	d.months[h] = m
	d.holds[m]++
	delete(d.removed, id)
}

// remove notes that a message lies nowhere.
func (d *delta) remove(id string) {
	d.leave(hashID(id))
	d.removed[id] = true
}

func (d *delta) leave(h idHash) {
	m, ok := d.months[h]
	if !ok {
		return
	}
	delete(d.months, h)
	if d.holds[m]--; d.holds[m] == 0 {
		delete(d.holds, m)
	}
}

// tells reports whether the answer says something of a message.
func (d *delta) tells(id string) bool {
	_, ok := d.months[hashID(id)]
	return ok || d.removed[id]
}

// filled gives the months with messages.
func (d *delta) filled() map[month]bool {
	out := make(map[month]bool, len(d.holds))
	for m := range d.holds {
		out[m] = true
	}
	return out
}

// read follows a delta query to its end and adds what it says to a batch. An item may come several times; the last one
// counts.
func (s *service) read(ctx context.Context, pathOrLink string, q graph.Query, w *writer, d *delta) (string, error) {
	q.MaxPage = s.limits.deltaPage
	work := newPipe(func(values []json.RawMessage) error {
		items, _ := s.messages(w.folder, values)
		if d.round != nil {
			d.round.read.Add(int64(len(items)))
		}
		for _, it := range items {
			d.changed = true
			d.count++
			if it.removed {
				d.remove(it.id)
			} else {
				d.add(it.id, it.month)
				d.last = it.month
			}
			if err := s.add(ctx, w, it); err != nil {
				return err
			}
		}
		if d.round != nil {
			return s.stage(w, d)
		}
		return nil
	})
	link, err := s.client.Pages(ctx, pathOrLink, q, func(p graph.Page) error {
		if err := work.push(p.Values); err != nil || d.round == nil || p.Next == "" {
			return err
		}
		return d.round.rest(ctx, s.limits.pace)
	})
	if failed := work.close(); err == nil {
		err = failed
	}
	if err == nil && link == "" {
		err = fmt.Errorf("delta query ended without a link: %w", backends.ErrUnavailable)
	}
	return link, err
}

// stage has the months written that the round has probably read: those later than the month where it is, since the newest
// messages come first (not that the service promises it). What the round brings at its very end is little then, and so is the
// time from its last page to its commit.
func (s *service) stage(w *writer, d *delta) error {
	st, ok := w.Batch.(backends.Stager)
	// Each time looks at the whole batch, hence seldomer in large ones.
	if !ok || d.count-d.staged < max(s.limits.stage, d.count/8) {
		return nil
	}
	d.staged = d.count
	var dirs []backends.DirKey
	for m := range d.filled() {
		if m > d.last {
			dirs = append(dirs, w.folder.month(m))
		}
	}
	return st.Stage(dirs)
}

// sync asks the cursor what changed, or makes the filtered one. It fails with errNoCursor when there is none to ask and only
// a round would make one.
func (s *service) sync(ctx context.Context, f *folder, sink backends.Sink) error {
	return f.refresh.do(ctx, func(ctx context.Context) error {
		if err := f.ops.acquire(ctx); err != nil {
			return err
		}
		defer f.ops.release()
		_, err := s.ask(ctx, f, sink)
		return err
	})
}

// ask does what sync does, and gives the answer of the service. Needs the operation lock.
func (s *service) ask(ctx context.Context, f *folder, sink backends.Sink) (*delta, error) {
	st := s.snapshot(f, sink)
	if st.Link == "" {
		return s.openWindow(ctx, f, st, sink)
	}
	d, err := s.advance(ctx, f, st, sink)
	if graph.IsResync(err) {
		s.log.Info("delta link is spent, reading the folder anew", "folder", f.id)
		st.Link = ""
		if err := newWriter(f, sink).commit(backends.Commit{}, st); err != nil {
			return nil, err
		}
		return s.openWindow(ctx, f, st, sink)
	}
	return d, err
}

// advance commits what changed since the cursor. Needs the operation lock.
func (s *service) advance(ctx context.Context, f *folder, st folderState, sink backends.Sink) (*delta, error) {
	w := newWriter(f, sink)
	defer w.Discard()
	d := newDelta()
	link, err := s.read(ctx, st.Link, graph.Query{}, w, d)
	if err != nil {
		return nil, err
	}
	if st.Extent != everything && d.count >= s.limits.window {
		// Nobody says that a filtered delta does not stop here too.
		st.Link = ""
		if err := newWriter(f, sink).commit(backends.Commit{}, st); err != nil {
			return nil, err
		}
		return s.openWindow(ctx, f, st, sink)
	}
	st.Link = link
	c := backends.Commit{Fresh: true}
	if err := s.newMonths(&st, d, w, &c); err != nil {
		return nil, err
	}
	if err := w.commit(c, st); err != nil {
		return nil, err
	}
	f.gone.take(d)
	if d.changed {
		err = s.trimMonths(f, st, sink)
	}
	return d, err
}

// newMonths adds months that did not exist before to the folder. All that the covered ones hold is in the batch.
func (s *service) newMonths(st *folderState, d *delta, w *writer, c *backends.Commit) error {
	f := w.folder
	for m := range d.filled() {
		if slices.Contains(st.Months, m.String()) {
			continue
		}
		months, undated := st.months()
		if m == 0 {
			undated = true
		} else {
			i, _ := slices.BinarySearch(months, m)
			months = slices.Insert(months, i, m)
		}
		st.setMonths(months, undated)
		if st.covers(m) {
			c.Whole = append(c.Whole, backends.Listing{Dir: f.month(m), Covered: true})
		}
		if err := w.Add(f.dir(), s.monthEntry(f.mailbox, "mailMonth", f.id, f.month(m), m)); err != nil {
			return err
		}
	}
	return nil
}

// trimMonths makes the months shown follow from those that hold messages, after changes. Those that are not covered count as
// holding some. Needs the operation lock.
func (s *service) trimMonths(f *folder, st folderState, sink backends.Sink) error {
	months, undated := st.months()
	filled := map[month]bool{}
	for _, m := range months {
		d := sink.Dir(f.month(m))
		filled[m] = !st.covers(m) || !d.Whole || !d.Empty
	}
	if st.Extent != everything {
		// The oldest months are no concern of the window, and where it is empty altogether another month is the newest one.
		from := s.window(&st)
		seen := false
		for m, full := range filled {
			seen = seen || full && m >= from
		}
		if !seen {
			st.RangeAt = 0
		}
	} else if d := sink.Dir(f.month(0)); d.Whole && d.Empty {
		undated = false
	}
	for m, full := range filled {
		if !full {
			delete(filled, m)
		}
	}
	next := st
	next.setMonths(shown(filled), undated)
	if slices.Equal(next.Months, st.Months) {
		return nil
	}
	w := newWriter(f, sink)
	defer w.Discard()
	c, err := s.replaceMonths(&st, shown(filled), undated, w)
	if err != nil {
		return err
	}
	return w.commit(c, st)
}

// replaceMonths turns the months shown into others: it adds and removes their entries and makes those that are new whole,
// with what the batch holds of them.
func (s *service) replaceMonths(st *folderState, months []month, undated bool, w *writer) (backends.Commit, error) {
	f := w.folder
	var c backends.Commit
	old := st.Months
	st.setMonths(months, undated)
	for _, t := range old {
		if m, ok := parseMonth(t); ok && !slices.Contains(st.Months, t) {
			w.Remove(monthItem(m))
		}
	}
	for _, t := range st.Months {
		m, _ := parseMonth(t)
		if st.covers(m) && !slices.Contains(old, t) {
			c.Whole = append(c.Whole, backends.Listing{Dir: f.month(m), Covered: true})
		}
	}
	return c, s.addMonths(w, months, undated)
}

// openWindow makes the cursor of the folder's newest months by a filtered delta round, which makes these months whole.
// Needs the operation lock.
func (s *service) openWindow(ctx context.Context, f *folder, st folderState, sink backends.Sink) (*delta, error) {
	if st.Extent == everything || st.Busy || !st.Listed {
		return nil, errNoCursor
	}
	if st.Extent == "" && s.isSmall(f) {
		return nil, errNoCursor
	}
	from := s.window(&st)
	w := newWriter(f, sink)
	defer w.Discard()
	d := newDelta()
	q := s.messageQuery(f.mailbox, "$filter", "receivedDateTime ge "+rfc3339(from.start()))
	link, err := s.read(ctx, s.path(f)+"/delta", q, w, d)
	if graph.IsResync(err) {
		return nil, graph.Spent(err)
	}
	if err != nil {
		return nil, err
	}
	if d.count >= s.limits.window {
		st.Busy = true
		if err := newWriter(f, sink).commit(backends.Commit{}, st); err != nil {
			return nil, err
		}
		return nil, errNoCursor
	}
	st.Extent, st.Link = from.String(), link
	filled := d.filled()
	months, undated := st.months()
	current := false
	for m := range filled {
		current = current || m >= from
	}
	for _, m := range months {
		filled[m] = filled[m] || m < from
	}
	if !current {
		st.RangeAt = 0
	}
	for m, full := range filled {
		if !full {
			delete(filled, m)
		}
	}
	c, err := s.replaceMonths(&st, shown(filled), undated || filled[0], w)
	if err != nil {
		return nil, err
	}
	c.Whole = s.wholeMonths(f, &st, months, sink)
	c.Fresh = true
	return d, w.commit(c, st)
}

// wholeMonths lists all covered months, those shown and those that were, as whole.
func (s *service) wholeMonths(f *folder, st *folderState, before []month, sink backends.Sink) []backends.Listing {
	all := map[month]bool{}
	for _, t := range st.Months {
		m, _ := parseMonth(t)
		all[m] = true
	}
	for _, m := range append(before, 0) {
		if sink.Dir(f.month(m)).Whole {
			all[m] = true
		}
	}
	var out []backends.Listing
	for m := range all {
		if st.covers(m) {
			out = append(out, backends.Listing{Dir: f.month(m), Covered: true})
		}
	}
	return out
}
