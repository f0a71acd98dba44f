package outlook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
)

// walk is what is known of somebody who goes through a folder's months.
type walk struct {
	last    month // of the latest look; meaningful once looked
	looked  bool
	running int       // looks under way
	ended   time.Time // of the latest look
}

// listMonth makes a month of a folder fresh.
func (s *service) listMonth(ctx context.Context, f *folder, m month, sink backends.Sink) error {
	walking := s.enter(f, m, sink)
	defer s.idle(f, sink)
	defer f.leave()
	st := s.snapshot(f, sink)
	whole := sink.Dir(f.month(m)).Whole
	windowed := st.covers(m) || st.Extent == "" && m != 0 && m >= s.window(&st)
	switch {
	case st.Link != "" && st.covers(m) && !whole:
		return s.takeCovered(ctx, f, m, sink)
	// Where changes are followed, reading the window by the round that makes its cursor has it live from the first look on.
	case windowed && (whole || s.follower.Load() != nil):
		err := s.sync(ctx, f, sink)
		if err == nil {
			if st = s.snapshot(f, sink); st.covers(m) {
				return s.present(f, m, sink)
			}
		} else if !errors.Is(err, errNoCursor) {
			return err
		}
	}
	if walking || s.isSmall(f) || s.rounding(f) {
		if done, err := s.awaitRound(ctx, f, sink); done || err != nil {
			if err == nil {
				err = s.present(f, m, sink)
			}
			return err
		}
	}
	return s.takeMonth(ctx, f, m, sink)
}

// present gives ErrNotFound for a month that the folder turned out not to have.
func (s *service) present(f *folder, m month, sink backends.Sink) error {
	if sink.Dir(f.month(m)).Whole {
		return nil
	}
	return fmt.Errorf("month without messages: %w", backends.ErrNotFound)
}

// enter notes a look at a month and tells whether it goes on with a walk: another month was looked at a moment ago, or still
// is, and none between the two would have needed a look.
func (s *service) enter(f *folder, m month, sink backends.Sink) bool {
	st := s.snapshot(f, sink)
	f.mu.Lock()
	w := f.walk
	f.walk.last, f.walk.looked = m, true
	f.walk.running++
	f.mu.Unlock()
	if !w.looked || w.last == m || w.running == 0 && time.Since(w.ended) > s.limits.walkPause {
		return false
	}
	i, j := slices.Index(st.Months, w.last.String()), slices.Index(st.Months, m.String())
	if i < 0 || j < 0 {
		return false
	}
	for k := min(i, j) + 1; k < max(i, j); k++ {
		if between, _ := parseMonth(st.Months[k]); !sink.Dir(f.month(between)).Whole {
			return false
		}
	}
	return true
}

func (f *folder) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.walk.running--
	f.walk.ended = time.Now()
}

// isSmall tells whether one page of a round brings the whole folder.
func (s *service) isSmall(f *folder) bool {
	items, ok := s.tree(f.mailbox).total(f.id, time.Time{})
	return ok && items <= int64(s.limits.small)
}

// maxTries bounds the readings of a month that changes while it is read.
const maxTries = 4

// errChanged says that a month changed while it was read.
var errChanged = errors.New("changed while it was read")

// takeMonth lists a month that no cursor covers.
func (s *service) takeMonth(ctx context.Context, f *folder, m month, sink backends.Sink) error {
	for try := range maxTries {
		f.mu.Lock()
		started, asides := f.state.Link, f.asides
		f.mu.Unlock()
		w := newWriter(f, sink)
		err := s.readMonth(ctx, m, w)
		if err == nil && try < maxTries-1 && f.besides() != asides {
			// What was read may be older than what a notification told of the month.
			err = errChanged
		}
		if errors.Is(err, errChanged) {
			w.Discard()
			continue
		}
		if err != nil {
			w.Discard()
			return err
		}
		done, err := s.commitMonth(ctx, m, w, started)
		w.Discard()
		if done || err != nil {
			return err
		}
		if sink.Dir(f.month(m)).Whole {
			return nil
		}
	}
	return fmt.Errorf("month %s: %w: %w", m, errChanged, backends.ErrUnavailable)
}

// commitMonth commits a month that was read while the cursor was at link; where a cursor came to cover the month meanwhile,
// what was read may be older than what it says, and the answer is false.
func (s *service) commitMonth(ctx context.Context, m month, w *writer, link string) (bool, error) {
	f := w.folder
	if err := f.ops.acquire(ctx); err != nil {
		return false, err
	}
	defer f.ops.release()
	f.mu.Lock()
	st := f.state
	f.mu.Unlock()
	covered := st.Link != "" && st.covers(m)
	if covered && st.Link != link {
		return false, nil
	}
	err := w.Commit(backends.Commit{Whole: []backends.Listing{{Dir: f.month(m), Covered: covered}}, Memory: w.memory})
	if err == nil {
		f.turn()
	}
	return true, err
}

// turn counts a commit, or a notification.
func (f *folder) turn() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turns++
}

// besides gives the count of asides.
func (f *folder) besides() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asides
}

// takeCovered lists a month that the cursor covers and that the cache does not have any more. The cursor stays where it is
// meanwhile, so that what changes from here on is told by its next answer.
func (s *service) takeCovered(ctx context.Context, f *folder, m month, sink backends.Sink) error {
	if err := f.ops.acquire(ctx); err != nil {
		return err
	}
	defer f.ops.release()
	for range maxTries {
		w := newWriter(f, sink)
		err := s.readMonth(ctx, m, w)
		if err == nil {
			err = w.Commit(backends.Commit{Whole: []backends.Listing{{Dir: f.month(m), Covered: true}}, Memory: w.memory})
		}
		w.Discard()
		if !errors.Is(err, errChanged) {
			return err
		}
	}
	return fmt.Errorf("month %s: %w: %w", m, errChanged, backends.ErrUnavailable)
}

// readMonth adds all messages of a month to a batch, or fails with errChanged.
func (s *service) readMonth(ctx context.Context, m month, w *writer) error {
	if m == 0 {
		return s.readUndated(ctx, w)
	}
	filter := "receivedDateTime ge " + rfc3339(m.start()) + " and receivedDateTime lt " + rfc3339((m + 1).start())
	return s.readList(ctx, filter, w)
}

// readList adds all messages that match a filter on receivedDateTime. Paging by $skip loses and doubles items when messages
// come or go meanwhile; that all were seen shows in their number.
func (s *service) readList(ctx context.Context, filter string, w *writer) error {
	f := w.folder
	q := s.messageQuery(f.mailbox, "$filter", filter, "$orderby", "receivedDateTime", "$count", "true")
	q.MaxPage = s.limits.listPage
	seen := map[string]bool{}
	var dropped, pages int
	first, last := int64(-1), int64(-1)
	work := newPipe(func(values []json.RawMessage) error {
		items, bad := s.messages(f, values)
		dropped += bad
		for _, it := range items {
			if seen[it.id] {
				continue
			}
			seen[it.id] = true
			if err := s.add(ctx, w, it); err != nil {
				return err
			}
		}
		return nil
	})
	_, err := s.client.Pages(ctx, s.path(f), q, func(p graph.Page) error {
		if pages++; pages == 1 {
			first = p.Count
		}
		last = p.Count
		return work.push(p.Values)
	})
	if failed := work.close(); err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	if dropped > 0 {
		s.gaps.note(s.memory, s.gaps.title(f.mailbox)+"/mail/"+f.id, "The service listed messages without an id.")
	}
	n := int64(len(seen) + dropped)
	if pages > 1 && last == -1 {
		last = first
	}
	if first != n || last != n {
		s.log.Info("listing does not add up, reading it again", "count", first, "last_count", last, "seen", n)
		return errChanged
	}
	return nil
}

// readUndated adds the messages with absurd dates: those before the first month that counts, and those after the last one.
func (s *service) readUndated(ctx context.Context, w *writer) error {
	if err := s.readList(ctx, "receivedDateTime lt "+rfc3339(firstMonth.start()), w); err != nil {
		return err
	}
	return s.readList(ctx, "receivedDateTime ge "+rfc3339((lastMonth+1).start()), w)
}

// writer is a batch of a folder's collection.
type writer struct {
	backends.Batch
	folder *folder
	sink   backends.Sink
	// memory is what the commit has to remember beside the state.
	memory map[string][]byte
}

func newWriter(f *folder, sink backends.Sink) *writer {
	return &writer{Batch: sink.Begin(f.collection()), folder: f, sink: sink, memory: map[string][]byte{}}
}

// add puts a message into a batch, or takes it out, and makes its attachments fresh if they were listed and it changed.
func (s *service) add(ctx context.Context, w *writer, it item) error {
	if it.removed {
		w.Remove(messageItem(it.id))
		return nil
	}
	if it.attachments != "" {
		if err := s.refreshAttachments(ctx, owner{w.folder.mailbox, "messages", it.id}, it.change, w.sink, w.memory); err != nil {
			return err
		}
	}
	return w.Add(w.folder.month(it.month), it.entries...)
}
