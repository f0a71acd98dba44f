package box

import (
	"cmp"
	"context"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// event is one entry of the streams; it may be there several times.
type event struct {
	*change
	id      string // on the streams of users
	adminID string // on the streams for administrators
	readers map[*user]bool
	synced  bool // the item lies in a folder marked for sync

	unknown bool // of a type that no list has
	blank   int  // source is: 1 null, 2 an empty object
	numbers bool // ids in the source are numbers
}

// entry is an event at a position.
type entry struct {
	pos int64
	ev  *event
}

// pending is an event that gets its position at a later time.
type pending struct {
	due    time.Time
	ev     *event
	silent bool // no long poll ends for it
}

// feed is what a stream gives, in the order of positions, and what it will give.
type feed struct {
	entries []entry
	due     []pending // by time
}

// journal keeps the events and hands out their positions. Its lock comes after the store's.
type journal struct {
	w  *core.World
	bg *background

	mu     sync.Mutex
	rand   *rand.Rand
	made   int
	top    int64         // the last position given out
	users  feed          // all, changes and sync
	admins feed          // admin_logs_streaming
	ledger []entry       // admin_logs: each once, in the order in which they happened
	news   chan struct{} // closed when users got entries
	nudges int           // counts news that is none
}

func newJournal(w *core.World, bg *background) *journal {
	sw := w.Switches
	sw.Register("box.event_duplicate_percent", 5, "how many events are in a stream more than once; Box's guides call that normal for all streams but admin_logs")
	sw.Register("box.event_duplicate_ms", 0, "how much later the copies come at most; 0 puts them right behind")
	sw.Register("box.event_reorder_percent", 0, "how many events come later than those that happened after them")
	sw.Register("box.event_reorder_ms", 2000, "how much later at most")
	sw.Register("box.event_late_percent", 0, "how many events come much later, without a word to long polls")
	sw.Register("box.event_late_seconds", 30, "how much later that is")
	sw.Register("box.event_short_percent", 10, "how many pages of events hold fewer than there are")
	sw.Register("box.event_blank_percent", 0, "how many events have null or an empty object for their source")
	sw.Register("box.event_unknown_percent", 0, "how many changes cause one more event, of an unknown type")
	sw.Register("box.event_number_percent", 10, "how many events have numbers for ids in their source")
	sw.Register("box.admin_delay_seconds", 12, "age at which events are in admin_logs_streaming")
	sw.Register("box.admin_logs_delay_seconds", 60, "age at which events are in admin_logs")
	sw.Register("box.admin_zero", true, "the streams for administrators give 0 for the position when there is nothing new")
	return &journal{w: w, bg: bg, rand: w.Rand("box events"), top: firstPosition, news: make(chan struct{})}
}

// firstPosition is where positions begin, plus the microseconds of the clock: beyond 2^53, as in the API reference, and
// rising over a restart.
const firstPosition = 1 << 60

// next gives a position. mu must be held.
func (j *journal) next(now time.Time) int64 {
	j.top = max(j.top+1+j.rand.Int64N(9), firstPosition+now.UnixMicro())
	return j.top
}

// chance draws for a switch in percent. mu must be held.
func (j *journal) chance(name string) bool { return j.rand.IntN(100) < j.w.Switches.Int(name) }

// within draws a duration below a switch in units. mu must be held.
func (j *journal) within(name string, unit time.Duration) time.Duration {
	if n := j.w.Switches.Int(name); n > 0 {
		return time.Duration(j.rand.Int64N(int64(n) * int64(unit)))
	}
	return 0
}

// record enters a change for those who hear of it. The store's lock must be held.
func (j *journal) record(ch *change, readers map[*user]bool) {
	if ch.userType == "" && ch.adminType == "" {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	ev := j.event(ch, readers)
	switch {
	case ch.gone:
		ev.blank = 1
	case j.chance("box.event_blank_percent"):
		ev.blank = 1 + j.rand.IntN(2)
	}
	ev.numbers = j.chance("box.event_number_percent")
	j.enter(ev)
	if j.chance("box.event_unknown_percent") {
		ev := j.event(ch, readers)
		ev.unknown = true
		j.enter(ev)
	}
	j.settle(ch.at)
}

func (j *journal) event(ch *change, readers map[*user]bool) *event {
	j.made++
	n := strconv.Itoa(j.made)
	sum := j.w.Sum("box event " + n)
	ev := &event{change: ch, id: hex.EncodeToString(sum[:20]), adminID: j.w.GUID("box event " + n), readers: readers}
	for it := ch.snap; it != nil; it = it.parent {
		ev.synced = ev.synced || it.synced
	}
	return ev
}

func (j *journal) enter(ev *event) {
	if ev.userType != "" {
		j.schedule(&j.users, ev, 0)
	}
	if ev.adminType != "" {
		j.ledger = append(j.ledger, entry{j.next(ev.at), ev})
		j.schedule(&j.admins, ev, time.Duration(j.w.Switches.Int("box.admin_delay_seconds"))*time.Second)
	}
}

// schedule plans when an event, and its copies, get into a feed.
func (j *journal) schedule(f *feed, ev *event, delay time.Duration) {
	p := pending{due: ev.at.Add(delay), ev: ev}
	if j.chance("box.event_reorder_percent") {
		p.due = p.due.Add(j.within("box.event_reorder_ms", time.Millisecond))
	}
	if j.chance("box.event_late_percent") {
		p.due, p.silent = p.due.Add(time.Duration(j.w.Switches.Int("box.event_late_seconds"))*time.Second), true
	}
	j.plan(f, p)
	if j.chance("box.event_duplicate_percent") {
		for range 1 + j.rand.IntN(2) {
			j.plan(f, pending{p.due.Add(j.within("box.event_duplicate_ms", time.Millisecond)), ev, p.silent})
		}
	}
}

func (j *journal) plan(f *feed, p pending) {
	i := sort.Search(len(f.due), func(i int) bool { return f.due[i].due.After(p.due) })
	f.due = slices.Insert(f.due, i, p)
	if f == &j.users && !p.silent && p.due.After(p.ev.at) {
		j.bg.run(func(ctx context.Context) {
			if j.w.Clock.Sleep(ctx, p.due) == nil {
				j.mu.Lock()
				defer j.mu.Unlock()
				j.settle(j.w.Clock.Now())
			}
		})
	}
}

// settle gives positions to what is due. mu must be held.
func (j *journal) settle(now time.Time) {
	heard := j.users.settle(j, now)
	j.admins.settle(j, now)
	if heard {
		j.wake()
	}
}

func (j *journal) wake() {
	close(j.news)
	j.news = make(chan struct{})
}

// nudge ends all long polls as if there were news.
func (j *journal) nudge() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.nudges++
	j.wake()
}

// settle reports whether anything came that long polls are told of.
func (f *feed) settle(j *journal, now time.Time) (heard bool) {
	n := 0
	for _, p := range f.due {
		if p.due.After(now) {
			break
		}
		f.entries = append(f.entries, entry{j.next(now), p.ev})
		heard = heard || !p.silent
		n++
	}
	f.due = slices.Delete(f.due, 0, n)
	return heard
}

// behind gives the entries behind a position.
func behind(entries []entry, pos int64) []entry {
	return entries[sort.Search(len(entries), func(i int) bool { return entries[i].pos > pos }):]
}

// stream is one of the values of stream_type.
type stream struct {
	admin bool
	kept  time.Duration
}

// Retention by the guides "Get user events" and "Get enterprise events".
var streams = map[string]stream{
	"all":                  {kept: 21 * 24 * time.Hour},
	"changes":              {kept: 21 * 24 * time.Hour},
	"sync":                 {kept: 31 * 24 * time.Hour},
	"admin_logs":           {admin: true, kept: 365 * 24 * time.Hour},
	"admin_logs_streaming": {admin: true, kept: 14 * 24 * time.Hour},
}

// tells says whether a stream of a user has an event.
func (ev *event) tells(u *user, name string) bool {
	changes, hears := ev.readers[u]
	return hears && (name == "all" || changes && (name == "changes" || ev.synced))
}

// now gives the position at which a stream stands.
func (j *journal) now() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.settle(j.w.Clock.Now())
	return j.top
}

// read gives the events of a stream behind a position that keep wants, at most limit, and the position to go on from.
func (j *journal) read(name string, pos int64, limit int, keep func(*event) bool) (found []entry, next int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.w.Clock.Now()
	j.settle(now)
	entries := j.users.entries
	switch name {
	case "admin_logs":
		ready := now.Add(-time.Duration(j.w.Switches.Int("box.admin_logs_delay_seconds")) * time.Second)
		n := sort.Search(len(j.ledger), func(i int) bool { return j.ledger[i].ev.at.After(ready) })
		entries = j.ledger[:n]
	case "admin_logs_streaming":
		entries = j.admins.entries
	}
	oldest := now.Add(-streams[name].kept)
	next = pos
	for _, e := range behind(entries, pos) {
		if len(found) == limit {
			break
		}
		next = e.pos
		if !e.ev.at.Before(oldest) && keep(e.ev) {
			found = append(found, e)
		}
	}
	if len(found) > 1 && j.chance("box.event_short_percent") {
		found = found[:1+j.rand.IntN(len(found)-1)]
		return found, found[len(found)-1].pos
	}
	return found, cmp.Or(next, firstPosition)
}

// watch tells whether a user's stream has anything behind a position; if not, the channel is closed when that may have
// changed. nudges counts the false alarms so far.
func (j *journal) watch(u *user, name string, pos int64) (found bool, news <-chan struct{}, nudges int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.w.Clock.Now()
	j.settle(now)
	oldest := now.Add(-streams[name].kept)
	for _, e := range behind(j.users.entries, pos) {
		if !e.ev.at.Before(oldest) && e.ev.tells(u, name) {
			return true, nil, j.nudges
		}
	}
	return false, j.news, j.nudges
}
