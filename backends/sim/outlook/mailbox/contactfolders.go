package mailbox

import "slices"

// ContactFolder is one folder of contacts. Its fields are guarded by its mailbox.
type ContactFolder struct {
	Key      uint64
	Name     string
	Parent   *ContactFolder
	Children []*ContactFolder
	Contacts []*Item
	Log      Log

	gone bool
}

// Ref names the folder.
func (f *ContactFolder) Ref() Ref { return Ref{Kind: KindContactFolder, Key: f.Key} }

// Walk visits the folder and all below, parents first.
func (f *ContactFolder) Walk(visit func(*ContactFolder)) {
	visit(f)
	for _, c := range f.Children {
		c.Walk(visit)
	}
}

// AddContactFolder makes a folder of contacts; seeding leaves no log entry. The errors are ErrNotFound for a parent that is
// gone and ErrExists for a name that a sibling has.
func (mb *Mailbox) AddContactFolder(parent *ContactFolder, name string, seeding bool) (*ContactFolder, error) {
	mb.Lock()
	defer mb.finish()
	switch {
	case parent.gone:
		return nil, ErrNotFound
	case parent.has(name, nil):
		return nil, ErrExists
	}
	f := &ContactFolder{Key: mb.key(), Name: name, Parent: parent}
	parent.Children = append(parent.Children, f)
	if !seeding {
		mb.record(&mb.ContactLog, Created, f.Ref(), parent.Key)
	}
	return f, nil
}

// has tells whether a folder of that name, other than but, lies in f.
func (f *ContactFolder) has(name string, but *ContactFolder) bool {
	return slices.ContainsFunc(f.Children, func(c *ContactFolder) bool { return c != but && sameName(c.Name, name) })
}

// ContactFolder finds a folder of contacts by id. Needs RLock.
func (mb *Mailbox) ContactFolder(id string) *ContactFolder {
	if id == "contacts" {
		return mb.Contacts
	}
	r, ok := mb.Ref(id)
	if !ok || r.Kind != KindContactFolder {
		return nil
	}
	var found *ContactFolder
	mb.Contacts.Walk(func(f *ContactFolder) {
		if f.Key == r.Key {
			found = f
		}
	})
	return found
}

// RenameContactFolder gives a folder of contacts another name.
func (mb *Mailbox) RenameContactFolder(f *ContactFolder, name string) error {
	mb.Lock()
	defer mb.finish()
	switch {
	case f.gone:
		return ErrNotFound
	case f.Parent == nil:
		return ErrRefused
	case f.Parent.has(name, f):
		return ErrExists
	}
	f.Name = name
	mb.record(&mb.ContactLog, Updated, f.Ref(), f.Parent.Key)
	return nil
}

// DeleteContactFolder ends a folder of contacts with all below.
func (mb *Mailbox) DeleteContactFolder(f *ContactFolder) error {
	mb.Lock()
	defer mb.finish()
	switch {
	case f.gone:
		return ErrNotFound
	case f.Parent == nil:
		return ErrRefused
	}
	f.Parent.Children = slices.DeleteFunc(slices.Clone(f.Parent.Children), func(c *ContactFolder) bool { return c == f })
	f.Walk(func(g *ContactFolder) {
		for _, it := range g.Contacts {
			delete(mb.items, it.Key)
			mb.record(&g.Log, Removed, it.Ref(false), g.Key)
		}
		g.Contacts, g.gone = nil, true
		mb.record(&mb.ContactLog, Removed, g.Ref(), g.Parent.Key)
	})
	return nil
}
