package backendtest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
)

// Sink is a simple backends.Sink in memory that follows the contract to the letter and complains about those who do not.
type Sink struct {
	mu       sync.Mutex
	memory   map[string][]byte
	dirs     map[backends.DirKey]*dir
	commits  int
	problems []string
}

var _ backends.Sink = (*Sink)(nil)

// dir is a whole directory.
type dir struct {
	collection string
	entries    map[string]backends.Entry // by ID
	maxAge     time.Duration
	covered    bool
	asOf       time.Time
}

// NewSink makes an empty Sink.
func NewSink() *Sink {
	return &Sink{memory: map[string][]byte{}, dirs: map[backends.DirKey]*dir{}}
}

// Get implements backends.Memory.
func (s *Sink) Get(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.memory[key]
	return bytes.Clone(v), ok
}

// Put implements backends.Memory.
func (s *Sink) Put(key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, value)
	return nil
}

func (s *Sink) put(key string, value []byte) {
	if value == nil {
		delete(s.memory, key)
		return
	}
	s.memory[key] = bytes.Clone(value)
}

// Dir implements backends.Sink.
func (s *Sink) Dir(key backends.DirKey) backends.DirState {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.dirs[key]
	if !ok {
		return backends.DirState{}
	}
	return backends.DirState{Whole: true, AsOf: d.asOf, Empty: len(d.entries) == 0}
}

// Has implements backends.Sink.
func (s *Sink) Has(collection, item string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dirs {
		if d.collection != collection {
			continue
		}
		for _, e := range d.entries {
			if e.Item == item {
				return true
			}
		}
	}
	return false
}

// Where implements backends.Sink.
func (s *Sink) Where(id string) []backends.Shown {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []backends.Shown
	for _, key := range slices.Sorted(maps.Keys(s.dirs)) {
		d := s.dirs[key]
		if e, ok := d.entries[id]; ok {
			all = append(all, backends.Shown{Dir: key, Collection: d.collection, Item: e.Item, Version: e.Version, Info: e.Info})
		}
	}
	return all
}

// Begin implements backends.Sink.
func (s *Sink) Begin(collection string) backends.Batch {
	return &batch{sink: s, collection: collection, began: time.Now(), adds: map[string]placed{}}
}

// Entries gives the entries of a whole directory ordered by ID; false if it is not whole.
func (s *Sink) Entries(key backends.DirKey) ([]backends.Entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.dirs[key]
	if !ok {
		return nil, false
	}
	var all []backends.Entry
	for _, id := range slices.Sorted(maps.Keys(d.entries)) {
		all = append(all, d.entries[id])
	}
	return all, true
}

// Names gives the entries of a whole directory under the names that they get; nil if it is not whole.
func (s *Sink) Names(key backends.DirKey) map[string]backends.Entry {
	all, ok := s.Entries(key)
	if !ok {
		return nil
	}
	wanted := make([]names.Wanted, len(all))
	for i, e := range all {
		wanted[i] = e.Name
	}
	named := make(map[string]backends.Entry, len(all))
	for i, name := range names.Assign(wanted) {
		named[name] = all[i]
	}
	return named
}

// MaxAge gives the MaxAge that a whole directory was committed with.
func (s *Sink) MaxAge(key backends.DirKey) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.dirs[key]; ok {
		return d.maxAge
	}
	return 0
}

// Commits counts the commits so far.
func (s *Sink) Commits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commits
}

// Forget makes a directory unknown again, as a cache does that dropped it.
func (s *Sink) Forget(key backends.DirKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.dirs, key)
}

// Problems lists what services did against the contract.
func (s *Sink) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.problems)
}

func (s *Sink) complain(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

// placed is an entry in its directory.
type placed struct {
	dir   backends.DirKey
	entry backends.Entry
}

type batch struct {
	sink       *Sink
	collection string
	began      time.Time
	adds       map[string]placed // by ID: what is added last counts
	removes    []string
	done       bool
}

var errDone = errors.New("batch is committed or discarded")

// Add implements backends.Batch.
func (b *batch) Add(dir backends.DirKey, entries ...backends.Entry) error {
	if b.done {
		b.sink.complain("Add to %q after the end of the batch", dir)
		return errDone
	}
	for _, e := range entries {
		b.check(dir, e)
		e.Body = bytes.Clone(e.Body)
		if !e.IsDir && e.Body != nil {
			e.Size = int64(len(e.Body))
		}
		b.adds[e.ID] = placed{dir, e}
	}
	return nil
}

func (b *batch) check(dir backends.DirKey, e backends.Entry) {
	switch {
	case e.ID == "" || e.Item == "":
		b.sink.complain("entry %q of %q without identity or item", e.Name.Stem, dir)
	case e.Name.Stem == "":
		b.sink.complain("entry %q of %q without a name", e.ID, dir)
	case e.IsDir && (e.Dir == "" || e.Body != nil || e.Version != ""):
		b.sink.complain("directory %q of %q without a key, or with content", e.ID, dir)
	case !e.IsDir && e.Version == "":
		b.sink.complain("file %q of %q without a version", e.ID, dir)
	case !e.IsDir && e.Body == nil && e.Size < backends.SizeUnknown:
		b.sink.complain("file %q of %q has size %d", e.ID, dir, e.Size)
	case e.Name.Key == "" && !e.Name.Fixed:
		b.sink.complain("entry %q of %q wants a name without a key", e.ID, dir)
	}
}

// Remove implements backends.Batch.
func (b *batch) Remove(item string) {
	if b.done {
		b.sink.complain("Remove of %q after the end of the batch", item)
		return
	}
	for id, p := range b.adds {
		if p.entry.Item == item {
			delete(b.adds, id)
		}
	}
	b.removes = append(b.removes, item)
}

// Discard implements backends.Batch.
func (b *batch) Discard() { b.done = true }

// Commit implements backends.Batch.
func (b *batch) Commit(c backends.Commit) error {
	if b.done {
		b.sink.complain("Commit of %q after the end of the batch", b.collection)
		return errDone
	}
	b.done = true
	s := b.sink
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits++

	touched := map[string]bool{}
	for _, item := range b.removes {
		touched[item] = true
	}
	for _, p := range b.adds {
		touched[p.entry.Item] = true
	}
	for _, d := range s.dirs {
		if d.collection == b.collection {
			maps.DeleteFunc(d.entries, func(_ string, e backends.Entry) bool { return touched[e.Item] })
		}
	}
	for _, w := range c.Whole {
		if old, ok := s.dirs[w.Dir]; ok && old.collection != b.collection && len(old.entries) > 0 {
			s.problems = append(s.problems, fmt.Sprintf("directory %q is of collections %q and %q", w.Dir, old.collection, b.collection))
		}
		s.dirs[w.Dir] = &dir{
			collection: b.collection, entries: map[string]backends.Entry{},
			maxAge: w.MaxAge, covered: w.Covered, asOf: b.began,
		}
	}
	for id, p := range b.adds {
		if d, ok := s.dirs[p.dir]; ok && d.collection == b.collection {
			d.entries[id] = p.entry
		}
	}
	if c.Fresh {
		for _, d := range s.dirs {
			if d.collection == b.collection && d.covered {
				d.asOf = b.began
			}
		}
	}
	for k, v := range c.Memory {
		s.put(k, v)
	}
	return nil
}
