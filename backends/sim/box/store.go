package box

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// store is all that Box remembers of the enterprise: users, groups, items, collaborations. mu guards the mutable part;
// methods say whether they want it held.
type store struct {
	w  *core.World
	mu sync.RWMutex

	ours      *enterprise // the company
	users     []*user     // sorted by id
	userByID  map[uint64]*user
	groups    []*group
	groupByID map[uint64]*group
	services  []*user // the Service Accounts of the apps

	items    map[itemKey]*item
	versions map[uint64]*version
	collabs  map[uint64]*collab
	comments map[uint64]*item // comment id to the file it is on
	reps     map[repKey]*representation
	visits   map[*user]map[*item]visit
	made     int // counts what was made since the start, for ids
}

type itemKey struct {
	kind kind
	num  uint64
}

func newStore(w *core.World) *store {
	return &store{
		w: w, userByID: map[uint64]*user{}, groupByID: map[uint64]*group{}, items: map[itemKey]*item{},
		versions: map[uint64]*version{}, collabs: map[uint64]*collab{}, comments: map[uint64]*item{},
		reps: map[repKey]*representation{}, visits: map[*user]map[*item]visit{},
	}
}

// number gives an unused id of 12 digits for a purpose. Ids follow from what a thing is and not from the order in which
// things are made, so that one more file does not renumber the rest.
func (s *store) number(purpose string, taken func(uint64) bool) uint64 {
	sum := s.w.Sum("box id " + purpose)
	n := 100_000_000_000 + binary.BigEndian.Uint64(sum[:8])%900_000_000_000
	for taken(n) {
		n++
	}
	return n
}

// itemTaken keeps ids of files, folders and links apart from each other.
func (s *store) itemTaken(n uint64) bool {
	for _, k := range []kind{folderKind, fileKind, linkKind} {
		if s.items[itemKey{k, n}] != nil {
			return true
		}
	}
	return false
}

func (s *store) versionTaken(n uint64) bool { return s.versions[n] != nil }

// fresh gives a purpose that was never used before.
func (s *store) fresh(what string) string {
	s.made++
	return fmt.Sprintf("%s %d", what, s.made)
}

// newItem makes an item with an id for a purpose, without putting it anywhere.
func (s *store) newItem(k kind, purpose, name string, parent *item, by *user, at time.Time) *item {
	it := &item{
		kind: k, name: name, fold: foldName(name), parent: parent, owner: parent.owner,
		created: at, modified: at, contentCreated: at, contentModified: at, createdBy: by, modifiedBy: by, odd: parent.odd,
	}
	it.num = s.number(purpose, s.itemTaken)
	if k == folderKind {
		it.children = &listing{}
	}
	s.items[itemKey{k, it.num}] = it
	return it
}

// addVersion makes c the current content of a file and keeps the sizes of the folders above.
func (s *store) addVersion(it *item, purpose string, c content, by *user, created, modified time.Time) *version {
	v := &version{num: s.number("version "+purpose, s.versionTaken), name: it.name, content: c, created: created, modified: modified, by: by}
	s.versions[v.num] = v
	old := int64(0)
	if len(it.versions) > 0 {
		old = it.bytes()
	}
	it.versions = append(it.versions, v)
	it.grow(c.size() - old)
	return v
}

// newRoot makes the empty tree of a user.
func (s *store) newRoot(u *user) {
	u.root = &item{kind: folderKind, num: u.num, name: "All Files", fold: "all files", owner: u, children: &listing{}}
	u.trash = &listing{}
}

// put enters an item into the listing of its parent and of the roots it is mounted in.
func (s *store) put(it *item) {
	it.parent.children.add(it)
	for _, r := range it.mounts {
		r.children.add(it)
	}
}

// take is the reverse of put.
func (s *store) take(it *item) {
	it.parent.children.remove(it)
	for _, r := range it.mounts {
		r.children.remove(it)
	}
}

// rename changes the name of an item where it lies. mu must be held.
func (s *store) rename(it *item, name string) {
	s.take(it)
	it.name, it.fold = name, foldName(name)
	s.put(it)
}

// move puts an item into another folder, whose owner it gets. mu must be held.
func (s *store) move(it, dir *item) {
	s.take(it)
	it.grow(-it.bytes())
	it.parent = dir
	it.grow(it.bytes())
	s.put(it)
	if it.owner != dir.owner {
		setOwner(it, dir.owner)
	}
	s.remount()
}

func setOwner(it *item, u *user) {
	it.owner = u
	if it.kind == folderKind {
		for _, c := range it.children.byID {
			setOwner(c, u)
		}
	}
}

// toTrash puts an item into its owner's trash. mu must be held.
func (s *store) toTrash(it *item, now time.Time) {
	s.take(it)
	it.grow(-it.bytes())
	it.trashed, it.purge = now, now.Add(30*24*time.Hour)
	if it.extra != nil {
		it.extra.shared = nil
	}
	it.owner.trash.add(it)
	s.remount()
}

// restore takes an item out of the trash into a folder under a name. mu must be held.
func (s *store) restore(it, dir *item, name string) {
	it.owner.trash.remove(it)
	it.trashed, it.purge = time.Time{}, time.Time{}
	it.parent, it.name, it.fold = dir, name, foldName(name)
	it.grow(it.bytes())
	s.put(it)
	s.remount()
}

// forget removes an item in the trash, and all below it, for good. mu must be held.
func (s *store) forget(it *item) {
	if !it.trashed.IsZero() {
		it.owner.trash.remove(it)
	}
	if it.kind == folderKind {
		for _, c := range it.children.byID {
			s.forget(c)
		}
	}
	for _, v := range it.versions {
		delete(s.versions, v.num)
	}
	for _, c := range it.collabs {
		delete(s.collabs, c.num)
	}
	it.unmount()
	for _, of := range s.visits {
		delete(of, it)
	}
	delete(s.items, itemKey{it.kind, it.num})
}

// count gives the number of items in a tree, itself included, but stops counting above limit.
func (it *item) count(limit int) int {
	n := 1
	if it.kind == folderKind {
		for _, c := range it.children.byID {
			if n > limit {
				break
			}
			n += c.count(limit - n)
		}
	}
	return n
}

// touch records who changed an item and when.
func (it *item) touch(by *user, at time.Time) {
	it.modified, it.modifiedBy = at, by
	it.etag++
}

// userByLogin finds a login whatever its case, nil if there is none. mu must be held.
func (s *store) userByLogin(login string) *user {
	for _, u := range s.users {
		if strings.EqualFold(u.login, login) {
			return u
		}
	}
	return nil
}
