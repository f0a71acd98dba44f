package box

import (
	"fmt"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
)

// rememberedItems is how many items that have changed are remembered, to tell news from old stories.
const rememberedItems = 5000

// view is what is remembered of a user's tree while it is mounted, so that listings and changes, which arrive in any order,
// never take it back to what it was.
type view struct {
	id string

	mu      sync.Mutex // held while a listing or changes are committed; above the cache's locks
	flights map[*flight]bool
	gone    *recent[departure] // items that left, by identity
	applied *recent[int64]     // sequence ids, by identity
	placed  *recent[bool]      // items that were last told to be somewhere in the view, by identity
	asked   *recent[time.Time] // when Box answered a question about an item, by its clock, by identity
	// since is the time, by Box's clock, from which gone has every item that left. What is told of the time before may be
	// about one that left since.
	since time.Time
}

func newView(id string) *view {
	return &view{
		id: id, flights: map[*flight]bool{}, gone: newRecent[departure](rememberedItems), applied: newRecent[int64](rememberedItems),
		placed: newRecent[bool](rememberedItems), asked: newRecent[time.Time](rememberedItems),
	}
}

// view gives the memory of a user's tree.
func (b *Backend) view(id string) *view {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, ok := b.views[id]
	if !ok {
		v = newView(id)
		b.views[id] = v
	}
	return v
}

// departure is how an item left a view.
type departure struct {
	etag    int64
	trashed bool // into the trash, where nothing below it can change
}

// change is what became of an item in a view.
type change struct {
	id      string // identity
	etag    int64  // of the item then, -1 if Box does not tell
	seq     int64  // of the event, -1 if unknown
	dir     backends.DirKey
	entry   *backends.Entry // nil: it is in no directory of the view any more
	left    bool            // the view has lost it, rather than one directory
	trashed bool
	sure    bool      // what Box answers now, rather than what an event says of the past
	asked   time.Time // when it did, by its clock
}

// unwatched tells whether the item is in dir, which nobody had listed or was listing when the change was judged. A listing
// that has begun since knows at least as much.
func (c *change) unwatched() bool { return c.entry == nil && !c.left && !c.sure }

// flight is a listing under way. Its pages may be older than changes that are committed before it.
type flight struct {
	dir     backends.DirKey
	changes map[string]change // since it began, the last of each item
	known   map[string]int64  // etags of items whose news was known already when it came, since it began
}

// begin notes that a directory is being listed.
func (v *view) begin(dir backends.DirKey) *flight {
	f := &flight{dir: dir, changes: map[string]change{}, known: map[string]int64{}}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.flights[f] = true
	return f
}

func (v *view) end(f *flight) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.flights, f)
}

// errOld: a listing was overtaken by another one, and has to be made again.
var errOld = fmt.Errorf("%w: the folder changes while it is listed", backends.ErrUnavailable)

// land calls commit with what the directory holds now: the entries of the pages, but for items that have changed since
// they were read. errOld: another listing knew of a change, and nobody else can tell what it was.
func (v *view) land(f *flight, entries []backends.Entry, commit func([]backends.Entry) error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	merged := f.merge(entries)
	for i := range merged {
		if tag, ok := f.known[merged[i].ID]; ok && number(text(merged[i].Info.ETag)) < tag {
			return errOld
		}
	}
	return commit(merged)
}

// pass notes that news of an item was no news, because a listing had it.
func (v *view) pass(id string, etag int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.overtaken(id, etag)
}

// overtaken tells the listings under way what is known of an item; mu is held.
func (v *view) overtaken(id string, etag int64) {
	if etag < 0 {
		return
	}
	for f := range v.flights {
		f.known[id] = max(f.known[id], etag)
	}
}

func (f *flight) merge(entries []backends.Entry) []backends.Entry {
	if len(f.changes) == 0 {
		return entries
	}
	merged := make([]backends.Entry, 0, len(entries))
	listed := map[string]bool{} // items of which the pages know more than the changes
	for _, e := range entries {
		if c, ok := f.changes[e.ID]; ok && !c.olderThan(&e) && !(c.unwatched() && c.dir == f.dir) {
			continue
		}
		listed[e.ID] = true
		merged = append(merged, e)
	}
	for id, c := range f.changes {
		if c.entry != nil && c.dir == f.dir && !listed[id] {
			merged = append(merged, *c.entry)
		}
	}
	return merged
}

// olderThan tells whether a listed entry is newer than a change of its item.
func (c *change) olderThan(e *backends.Entry) bool {
	listed := number(text(e.Info.ETag))
	if listed < 0 || c.etag < 0 {
		return !c.sure
	}
	return listed > c.etag
}

// watches tells whether a directory is shown or being listed.
func (v *view) watches(sink backends.Sink, dir backends.DirKey) bool {
	if v.listing(dir) {
		return true
	}
	return sink.Dir(dir).Whole // looked at last: a listing that ends meanwhile makes it so
}

func (v *view) listing(dir backends.DirKey) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for f := range v.flights {
		if f.dir == dir {
			return true
		}
	}
	return false
}

// busy tells whether a directory of the view is being listed.
func (v *view) busy() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.flights) > 0
}

// apply commits changes, and memory with them. Those that a listing has overtaken meanwhile are left out. now is Box's time.
func (v *view) apply(sink backends.Sink, changes []change, memory map[string][]byte, now time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	batch := sink.Begin(viewCollection(v.id))
	defer batch.Discard()
	var applied []change
	for _, c := range changes {
		shown := sink.Where(c.id)
		if tag := etagOf(shown); c.etag >= 0 && tag > c.etag || c.unwatched() && inDir(shown, c.dir) {
			v.overtaken(c.id, tag)
			continue
		}
		if c.entry == nil {
			batch.Remove(c.id)
		} else if err := batch.Add(c.dir, *c.entry); err != nil {
			return err
		}
		applied = append(applied, c)
	}
	if err := batch.Commit(backends.Commit{Memory: memory}); err != nil {
		return err
	}
	for _, c := range applied {
		v.note(c, now)
	}
	return nil
}

// note remembers a change that is committed; mu is held.
func (v *view) note(c change, now time.Time) {
	for f := range v.flights {
		f.changes[c.id] = c
		if c.unwatched() && c.dir == f.dir {
			f.known[c.id] = max(f.known[c.id], c.etag) // its pages were read later than this, or have to be read again
		}
	}
	if !c.asked.IsZero() {
		v.asked.put(c.id, c.asked)
	}
	v.placed.put(c.id, !c.left)
	if c.seq >= 0 {
		v.applied.put(c.id, c.seq)
	}
	d := departure{etag: c.etag, trashed: c.trashed}
	if !c.left {
		d = departure{etag: -1} // it is back
		if _, ok := v.gone.get(c.id); !ok {
			return
		}
	}
	if v.gone.put(c.id, d) {
		v.since = now // when the item left that is forgotten now is not known, but it is past
	}
}

// returns tells whether a folder comes back into a view, of which an old listing is remembered. What happened below it while
// it was out of sight was told to nobody. mu is held.
func (v *view) returns(sink backends.Sink, e *backends.Entry) bool {
	if !sink.Dir(e.Dir).Whole || len(sink.Where(e.ID)) > 0 {
		return false
	}
	placed, _ := v.placed.get(e.ID) // in a folder that nobody has listed, perhaps
	return !placed
}

// etagOf is the newest etag that the places of an item know; -1 for none.
func etagOf(shown []backends.Shown) int64 {
	newest := int64(-1)
	for _, s := range shown {
		newest = max(newest, number(text(s.Info.ETag)))
	}
	return newest
}

// forget begins anew: nothing is known of items that left before now, by Box's clock.
func (v *view) forget(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gone.clear()
	v.placed.clear()
	v.since = now
}
