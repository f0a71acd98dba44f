package drive

import (
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/order"
)

// Change tells a listener what happened to an item. What is below a deleted folder is deleted unmentioned, and so are the new
// times and sizes of the folders above; delta gives them.
type Change struct {
	DriveID, ItemID string
	Deleted         bool // else it is new or changed
}

// OnChange sets the one function that hears of every change after it happened, once; it is called without locks held.
func (s *Store) OnChange(f func(Change)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = f
}

// change runs a change of an item of a drive under the lock and tells the listener of it.
func (s *Store) change(d *Drive, it *Item, deleted bool, do func() error) error {
	s.mu.Lock()
	err := ErrGone
	if !it.deleted {
		err = do()
	}
	f := s.listener
	s.mu.Unlock()
	if err == nil && f != nil {
		f(Change{DriveID: d.ID, ItemID: it.ID, Deleted: deleted})
	}
	return err
}

// Readers runs f, which changes what the Readers of drives say, while no one asks them.
func (s *Store) Readers(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Create makes a folder (content nil) or a file in a folder, as a person does now.
func (s *Store) Create(d *Drive, parent *Item, name string, content Content, contentType string, by *company.Person) (*Item, error) {
	it := &Item{Name: name, CreatedBy: by, ModifiedBy: by, Content: content, ContentType: contentType}
	err := s.change(d, it, false, func() error {
		if !parent.IsFolder() || parent.deleted {
			return ErrNotFolder
		}
		if !validName(name) {
			return ErrInvalidName
		}
		if _, taken := parent.children.Get(nameKey(name)); taken {
			return ErrNameTaken
		}
		now := s.now()
		it.Created, it.Modified, it.HashAfter = now, now, now.Add(hashDelay)
		purpose := parent.ID + "/" + name + "/" + now.String() + "/" + strconv.FormatInt(d.log.Last().N, 10)
		s.attach(d, parent, purpose, content == nil, it)
		s.register(d, it, now)
		s.logNow(d, it)
		s.touchAbove(d, it, 0)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return it, nil
}

// SetContent replaces a file's bytes; the old ones become a version.
func (s *Store) SetContent(d *Drive, it *Item, content Content, contentType string, by *company.Person) error {
	return s.change(d, it, false, func() error {
		before := it.size()
		it.Older = append(it.Older, &Version{Number: len(it.Older) + 1, Content: it.Content, Modified: it.Modified, By: it.ModifiedBy})
		it.Content, it.StatedSize, it.HashAfter = content, 0, s.now().Add(hashDelay)
		if contentType != "" {
			it.ContentType = contentType
		}
		it.Modified, it.ContentTime, it.ModifiedBy = s.now(), s.now(), by
		it.version++
		it.cversion++
		s.logNow(d, it)
		s.touchAbove(d, it, it.size()-before)
		return nil
	})
}

// promote does what SharePoint does to an Office file after an upload: it writes the library's properties into it, so that
// listings give another size than before, with a new eTag but the same cTag. Called with the lock held.
func (s *Store) promote(d *Drive, it *Item, at time.Time) {
	before := it.size()
	it.StatedSize = before + promotedBytes
	it.version++
	s.logAt(d, it, max(at.UnixNano(), it.logged+1))
	for p := it.parent; p != nil; p = p.parent {
		p.total += promotedBytes
	}
}

// Edit is a change of anything but the bytes. What is zero stays as it is.
type Edit struct {
	Parent      *Item
	Name        string
	Description *string
	ContentTime time.Time
}

// Edit renames, moves, describes or dates an item, in one change.
func (s *Store) Edit(d *Drive, it *Item, e Edit, by *company.Person) error {
	return s.change(d, it, false, func() error {
		moves := e.Parent != nil || e.Name != ""
		if moves {
			if err := s.place(d, it, e.Parent, e.Name); err != nil {
				return err
			}
		}
		if e.Description != nil {
			it.Description = *e.Description
		}
		if !e.ContentTime.IsZero() {
			it.ContentTime = e.ContentTime
		}
		it.Modified, it.ModifiedBy = s.now(), by
		it.version++
		s.logNow(d, it)
		if moves {
			s.touchAbove(d, it, it.size())
		}
		return nil
	})
}

// place puts an item below a folder by a name, either of which may be left as it is, and takes its size from the folders
// that it was in. Called with the lock held.
func (s *Store) place(d *Drive, it, parent *Item, name string) error {
	if it.parent == nil {
		return ErrRoot
	}
	if parent == nil {
		parent = it.parent
	}
	if name == "" {
		name = it.Name
	}
	if !validName(name) && name != it.Name {
		return ErrInvalidName
	}
	if !parent.IsFolder() || d.items[parent.ID] != parent {
		return ErrNotFolder
	}
	for p := parent; p != nil; p = p.parent {
		if p == it {
			return ErrNotFolder
		}
	}
	if other, taken := parent.children.Get(nameKey(name)); taken && other != it {
		return ErrNameTaken
	}
	it.parent.children.Delete(nameKey(it.Name))
	s.touchAbove(d, it, -it.size())
	it.parent, it.Name = parent, name
	parent.children.Put(nameKey(name), it)
	return nil
}

// Delete removes an item and all below it.
func (s *Store) Delete(d *Drive, it *Item) error {
	return s.change(d, it, true, func() error {
		if it.parent == nil {
			return ErrRoot
		}
		it.parent.children.Delete(nameKey(it.Name))
		s.touchAbove(d, it, -it.size())
		s.bury(d, it)
		return nil
	})
}

func (s *Store) bury(d *Drive, it *Item) {
	it.deleted = true
	delete(d.items, it.ID)
	delete(s.byGUID, strings.ToLower(it.GUID))
	s.logNow(d, it)
	if it.children != nil {
		for _, c := range it.children.After(order.Key{}) {
			s.bury(d, c)
		}
	}
}
