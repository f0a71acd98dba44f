package mailbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// AddFolder makes a folder; names are unique among siblings.
func (mb *Mailbox) AddFolder(parent *Folder, name string, hidden bool, search *Search) (*Folder, error) {
	mb.Lock()
	defer mb.finish()
	switch {
	case mb.folders[parent.Key] != parent:
		return nil, ErrNotFound
	case parent.Search != nil:
		return nil, ErrRefused
	case sibling(parent, name, nil):
		return nil, fmt.Errorf("%w: %q", ErrExists, name)
	}
	f := mb.newFolder(parent, name)
	f.Hidden, f.Search = hidden, search
	mb.record(&mb.FolderLog, Created, f.Ref(), parent.Key)
	return f, nil
}

// SeedFolder is AddFolder without a log entry, for building a mailbox. It panics on a second folder of that name.
func (mb *Mailbox) SeedFolder(parent *Folder, name string) *Folder {
	mb.Lock()
	defer mb.Unlock()
	if sibling(parent, name, nil) {
		panic("outlook seed: two folders named " + name)
	}
	return mb.newFolder(parent, name)
}

// Ref names the folder.
func (f *Folder) Ref() Ref { return Ref{Kind: KindMailFolder, Key: f.Key} }

func sibling(parent *Folder, name string, but *Folder) bool {
	return slices.ContainsFunc(parent.Children, func(c *Folder) bool { return c != but && sameName(c.Name, name) })
}

func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// RenameFolder gives a folder another name.
func (mb *Mailbox) RenameFolder(f *Folder, name string) error {
	mb.Lock()
	defer mb.finish()
	return mb.rename(f, name)
}

func (mb *Mailbox) rename(f *Folder, name string) error {
	switch {
	case mb.folders[f.Key] != f:
		return ErrNotFound
	case f.Parent == nil || f.WellKnown != "":
		return ErrRefused
	case sibling(f.Parent, name, f):
		return ErrExists
	}
	f.Name = name
	mb.record(&mb.FolderLog, Updated, f.Ref(), f.Parent.Key)
	return nil
}

// MoveFolder puts a folder below another one.
func (mb *Mailbox) MoveFolder(f, to *Folder) error {
	mb.Lock()
	defer mb.finish()
	return mb.moveFolder(f, to)
}

func (mb *Mailbox) moveFolder(f, to *Folder) error {
	switch {
	case mb.folders[f.Key] != f || mb.folders[to.Key] != to:
		return ErrNotFound
	case f.Parent == nil || f.WellKnown != "" || to.Under(f) || to.Search != nil:
		return ErrRefused
	case sibling(to, f.Name, f):
		return ErrExists
	}
	f.Parent.Children = without(f.Parent.Children, f)
	f.Parent = to
	to.Children = append(to.Children, f)
	mb.record(&mb.FolderLog, Updated, f.Ref(), to.Key)
	return nil
}

// without gives the folders without one. Readers may still walk the list that was.
func without(list []*Folder, f *Folder) []*Folder {
	return slices.DeleteFunc(slices.Clone(list), func(c *Folder) bool { return c == f })
}

// CopyFolder adds a copy of a folder below another one, with all below it.
func (mb *Mailbox) CopyFolder(f, to *Folder) (*Folder, error) {
	mb.Lock()
	defer mb.finish()
	switch {
	case mb.folders[f.Key] != f || mb.folders[to.Key] != to:
		return nil, ErrNotFound
	case f.Parent == nil || f.Search != nil || to.Search != nil || to.Under(f):
		return nil, ErrRefused
	case sibling(to, f.Name, nil):
		return nil, ErrExists
	}
	return mb.copyFolder(f, to), nil
}

func (mb *Mailbox) copyFolder(f, to *Folder) *Folder {
	twin := mb.newFolder(to, f.Name)
	twin.Hidden, twin.Search = f.Hidden, f.Search
	mb.record(&mb.FolderLog, Created, twin.Ref(), to.Key)
	for _, m := range slices.Clone(f.messages) {
		mb.add(twin, m.twin())
	}
	for _, c := range slices.Clone(f.Children) {
		mb.copyFolder(c, twin)
	}
	return twin
}

// DeleteFolder moves a folder to Deleted Items, or ends it and all below when it is there already or forever is set.
func (mb *Mailbox) DeleteFolder(f *Folder, forever bool) error {
	mb.Lock()
	defer mb.finish()
	deleted := mb.wellKnown["deleteditems"]
	switch {
	case mb.folders[f.Key] != f:
		return ErrNotFound
	case f.Parent == nil || f.WellKnown != "":
		return ErrRefused
	case forever || f.Under(deleted):
		f.Parent.Children = without(f.Parent.Children, f)
		mb.drop(f)
		return nil
	}
	err := mb.moveFolder(f, deleted)
	for n := 1; errors.Is(err, ErrExists) && n < 1000; n++ {
		// Exchange renames a deleted folder's namesake rather than refuse.
		if err = mb.rename(f, fmt.Sprintf("%s%d", f.Name, n)); err == nil {
			err = mb.moveFolder(f, deleted)
		}
	}
	return err
}

func (mb *Mailbox) drop(f *Folder) {
	for _, c := range f.Children {
		mb.drop(c)
	}
	for len(f.messages) > 0 {
		m := f.messages[len(f.messages)-1]
		mb.take(m)
		mb.messages[m.Key-1] = nil
	}
	delete(mb.folders, f.Key)
	mb.record(&mb.FolderLog, Removed, f.Ref(), f.Parent.Key)
}
