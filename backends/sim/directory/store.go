package directory

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// Kinds of directory objects, as @odata.type names them.
const (
	kindUser             = "#microsoft.graph.user"
	kindGroup            = "#microsoft.graph.group"
	kindDevice           = "#microsoft.graph.device"
	kindServicePrincipal = "#microsoft.graph.servicePrincipal"
)

// Errors of changes.
var (
	ErrNotFound = errors.New("no such directory object")
	ErrExists   = errors.New("reference already exists")
)

// Change tells a listener what was changed. A group is updated also when members come or go.
type Change struct {
	Kind string // "#microsoft.graph.user", "#microsoft.graph.group" or, of a user's presence, "#microsoft.graph.presence"
	ID   string // of the user or group
	Type string // "created", "updated" or "deleted"
	Soft bool   // of a deletion: it can be undone
	// Added and Removed are the ids of the members that came to a group and left it.
	Added, Removed []string
}

// Store holds the directory with its history, so that a read can see the state of a moment ago, as replicas do, and delta
// can tell what changed.
type Store struct {
	world *core.World

	mu       sync.RWMutex
	objects  map[string]*object
	ids      []string // sorted, of all objects ever
	seq      int      // of the last change
	times    []time.Time
	listener func(Change)
}

// object is one directory object with all its versions, oldest first.
type object struct {
	id, kind string
	versions []version
}

// version is the state of an object from a change on.
type version struct {
	seq     int
	props   map[string]any // nil once deleted
	reason  string         // of the deletion: "changed" (restorable) or "deleted"
	members []string       // of a group, sorted
	changed []string       // properties that this change set
}

func newStore(w *core.World) *Store {
	return &Store{world: w, objects: map[string]*object{}, times: []time.Time{w.Start().Add(-time.Hour)}}
}

// OnChange makes f hear of every change, on the goroutine that made it, after it is stored. One listener at most.
func (s *Store) OnChange(f func(Change)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = f
}

// seed adds an object that was always there.
func (s *Store) seed(id, kind string, props map[string]any, members []string) {
	slices.Sort(members)
	s.objects[id] = &object{id: id, kind: kind, versions: []version{{props: props, members: members}}}
	i, _ := slices.BinarySearch(s.ids, id)
	s.ids = slices.Insert(s.ids, i, id)
}

// replicated gives the number of the last change that all replicas have by now.
func (s *Store) replicated() int {
	delay := time.Duration(s.world.Switches.Int("directory.replication_seconds")) * time.Second
	cut := s.world.Clock.Now().Add(-delay)
	s.mu.RLock()
	defer s.mu.RUnlock()
	// times[i] is when change i was made.
	return max(0, sort.Search(len(s.times), func(i int) bool { return s.times[i].After(cut) })-1)
}

// at gives the version of an object after change seq, or nil if it did not exist then.
func (o *object) at(seq int) *version {
	for i := len(o.versions) - 1; i >= 0; i-- {
		if o.versions[i].seq <= seq {
			return &o.versions[i]
		}
	}
	return nil
}

// live gives an object that exists after change seq.
func (s *Store) live(id, kind string, seq int) (*object, *version) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o := s.objects[id]
	if o == nil || o.kind != kind {
		return nil, nil
	}
	v := o.at(seq)
	if v == nil || v.props == nil {
		return nil, nil
	}
	return o, v
}

// list gives the objects of a kind after change seq in order of id, deleted ones left out.
func (s *Store) list(kind string, seq int) []listed {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []listed
	for _, id := range s.ids {
		o := s.objects[id]
		if o.kind != kind {
			continue
		}
		if v := o.at(seq); v != nil && v.props != nil {
			out = append(out, listed{o.id, *v})
		}
	}
	return out
}

// listed is one object in a state.
type listed struct {
	id string
	version
}

// since gives what changed in the objects of a kind after change from, up to change to, one entry per object.
func (s *Store) since(kind string, from, to int) []delta {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []delta
	for _, id := range s.ids {
		o := s.objects[id]
		now := o.at(to)
		if o.kind != kind || now == nil || now.seq <= from {
			continue
		}
		old := o.at(from)
		if old == nil && now.props == nil {
			continue // came and went in between
		}
		d := delta{listed: listed{id, *now}, isNew: true}
		var before []string
		if old != nil && old.props != nil {
			before, d.isNew = old.members, false
		}
		for _, v := range o.versions {
			if v.seq > from && v.seq <= to {
				d.fields = append(d.fields, v.changed...)
			}
		}
		d.added, d.removed = diff(before, now.members)
		out = append(out, d)
	}
	return out
}

// delta is what happened to one object between two changes.
type delta struct {
	listed
	isNew          bool
	fields         []string
	added, removed []string // members
}

// diff gives what is in b only and what is in a only; both are sorted.
func diff(a, b []string) (added, removed []string) {
	for _, x := range b {
		if _, ok := slices.BinarySearch(a, x); !ok {
			added = append(added, x)
		}
	}
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); !ok {
			removed = append(removed, x)
		}
	}
	return added, removed
}

// change stores a new version made by edit from the last one; edit may refuse with an error.
func (s *Store) change(id, kind, what string, edit func(*version) error) error {
	s.mu.Lock()
	o := s.objects[id]
	if o == nil && what == "created" {
		o = &object{id: id, kind: kind}
	}
	var last, next version
	err := ErrNotFound
	if o != nil && o.kind == kind {
		if n := len(o.versions); n > 0 {
			last = o.versions[n-1]
			next = version{props: maps.Clone(last.props), members: slices.Clone(last.members), reason: last.reason}
		}
		if err = edit(&next); err == nil {
			s.seq++
			next.seq = s.seq
			s.times = append(s.times, s.world.Clock.Now())
			o.versions = append(o.versions, next)
			if s.objects[id] == nil {
				s.objects[id] = o
				i, _ := slices.BinarySearch(s.ids, id)
				s.ids = slices.Insert(s.ids, i, id)
			}
		}
	}
	s.mu.Unlock()
	if err == nil {
		c := Change{Kind: kind, ID: id, Type: what, Soft: what == "deleted" && next.reason == "changed"}
		c.Added, c.Removed = diff(last.members, next.members)
		s.tell(c)
	}
	return err
}

// tell tells the listener. Not to be called with the lock held.
func (s *Store) tell(c Change) {
	s.mu.RLock()
	f := s.listener
	s.mu.RUnlock()
	if f != nil {
		f(c)
	}
}

// Update sets properties of a user or a group.
func (s *Store) Update(kind, id string, props map[string]any) error {
	return s.change(id, kind, "updated", func(v *version) error {
		if v.props == nil {
			return ErrNotFound
		}
		for k, x := range props {
			v.props[k] = x
			v.changed = append(v.changed, k)
		}
		return nil
	})
}

// GroupName gives the name and the description of a group, "" without one.
func (s *Store) GroupName(id string) (name, description string) {
	if _, v := s.live(id, kindGroup, s.last()); v != nil {
		name, _ = v.props["displayName"].(string)
		description, _ = v.props["description"].(string)
	}
	return name, description
}

// Create adds a user or a group with the given properties; id and createdDateTime are set for it.
func (s *Store) Create(kind string, props map[string]any) (id string) {
	s.mu.RLock()
	id = s.world.GUID("directory object " + fmt.Sprint(s.seq, s.world.Clock.Now()))
	s.mu.RUnlock()
	props = maps.Clone(props)
	props["id"], props["createdDateTime"] = id, s.world.Clock.Now().Format(time.RFC3339)
	_ = s.change(id, kind, "created", func(v *version) error {
		v.props = props
		return nil
	})
	return id
}

// Delete removes a user or a group: first softly, so that it could be restored, and a second time for good.
func (s *Store) Delete(kind, id string) error {
	return s.change(id, kind, "deleted", func(v *version) error {
		switch {
		case v.props != nil:
			v.props, v.reason, v.members = nil, "changed", nil
		case v.reason == "changed":
			v.reason = "deleted"
		default:
			return ErrNotFound
		}
		return nil
	})
}

// AddMember puts an object into a group.
func (s *Store) AddMember(group, id string) error {
	s.mu.RLock()
	known := s.objects[id] != nil
	s.mu.RUnlock()
	if !known {
		return ErrNotFound
	}
	return s.change(group, kindGroup, "updated", func(v *version) error {
		i, found := slices.BinarySearch(v.members, id)
		if v.props == nil {
			return ErrNotFound
		}
		if found {
			return ErrExists
		}
		v.members = slices.Insert(v.members, i, id)
		return nil
	})
}

// RemoveMember takes an object out of a group.
func (s *Store) RemoveMember(group, id string) error {
	return s.change(group, kindGroup, "updated", func(v *version) error {
		i, found := slices.BinarySearch(v.members, id)
		if v.props == nil || !found {
			return ErrNotFound
		}
		v.members = slices.Delete(v.members, i, i+1)
		return nil
	})
}
