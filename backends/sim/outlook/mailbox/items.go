package mailbox

import (
	"maps"
	"slices"
	"time"
)

// Calendar is one calendar. Its fields are guarded by its mailbox.
type Calendar struct {
	Key     uint64
	Name    string
	Color   string // "auto", "lightBlue", …
	Group   *CalendarGroup
	Default bool
	// ReadOnly calendars (holidays, birthdays) cannot be edited or removed.
	ReadOnly bool
	Owner    *Address // nil: the mailbox's owner
	// SharedWith holds the ids of the users who may read it by delegated permission.
	SharedWith map[string]bool
	Events     []*Item // singles and series masters
	Log        Log
}

// CalendarGroup is a group of calendars.
type CalendarGroup struct {
	Key  uint64
	Name string
}

// ContactFolder is one folder of contacts. Its fields are guarded by its mailbox.
type ContactFolder struct {
	Key      uint64
	Name     string
	Parent   *ContactFolder
	Children []*ContactFolder
	Contacts []*Item
	Log      Log
}

// Item is an event or a contact. Its fields are guarded by its mailbox.
type Item struct {
	Key               uint64
	Moves             uint32
	Rev               uint32
	Created, Modified time.Time
	// Props are the properties that clients write, as JSON values by their names in the API; replaced whole on a change.
	Props       map[string]any
	Attachments []*Attachment

	Calendar *Calendar
	Folder   *ContactFolder

	// Of events: the first occurrence, in the zone the event was made in.
	Start, End time.Time
	Zone       string // Windows name
	// Exceptions of a series by the date of the occurrence they replace; Cancelled are the dates without one.
	Exceptions map[Day]*Item
	Cancelled  map[Day]bool
	Master     *Item // of an exception
	On         Day   // of an exception: the date it replaces
}

// Day counts days since 1970-01-01, by the calendar of the event's own zone.
type Day uint32

// DayOf gives the day that t shows in its location.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// Time gives the day's midnight in a location.
func (d Day) Time(loc *time.Location) time.Time {
	y, m, day := time.Unix(int64(d)*86400, 0).UTC().Date()
	return time.Date(y, m, day, 0, 0, 0, 0, loc)
}

// Ref names the item.
func (it *Item) Ref(immutable bool) Ref {
	r := Ref{Kind: KindContact, Immutable: immutable, Moves: it.Moves, Key: it.Key}
	if it.Folder != nil {
		r.Folder = it.Folder.Key
		return r
	}
	r.Kind, r.Folder = KindEvent, it.Calendar.Key
	if it.Master != nil {
		r.Key, r.Sub, r.Day = it.Master.Key, uint32(it.On), true
	}
	return r
}

// Ref names the calendar.
func (c *Calendar) Ref() Ref { return Ref{Kind: KindCalendar, Key: c.Key} }

// Ref names the group.
func (g *CalendarGroup) Ref() Ref { return Ref{Kind: KindCalendarGroup, Key: g.Key} }

// Ref names the folder.
func (f *ContactFolder) Ref() Ref { return Ref{Kind: KindContactFolder, Key: f.Key} }

// Walk visits the folder and all below, parents first.
func (f *ContactFolder) Walk(visit func(*ContactFolder)) {
	visit(f)
	for _, c := range f.Children {
		c.Walk(visit)
	}
}

// AddCalendar adds a calendar, at the end of the list.
func (mb *Mailbox) AddCalendar(c *Calendar) *Calendar {
	mb.Lock()
	defer mb.Unlock()
	c.Key = mb.key()
	if c.Color == "" {
		c.Color = "auto"
	}
	mb.Calendars = append(mb.Calendars, c)
	return c
}

// Calendar finds a calendar by id. Needs RLock.
func (mb *Mailbox) Calendar(id string) *Calendar {
	if r, ok := mb.Ref(id); ok && r.Kind == KindCalendar {
		for _, c := range mb.Calendars {
			if c.Key == r.Key {
				return c
			}
		}
	}
	return nil
}

// Item finds an event (singles and masters) or contact by reference. Needs RLock.
func (mb *Mailbox) Item(r Ref) *Item {
	it := mb.items[r.Key]
	if it == nil || it.Ref(false).Kind != r.Kind {
		return nil
	}
	if have := it.Ref(false); !r.Immutable && (have.Folder != r.Folder || have.Moves != r.Moves) {
		return nil
	}
	return it
}

func (it *Item) log() *Log {
	if it.Folder != nil {
		return &it.Folder.Log
	}
	return &it.Calendar.Log
}

func (it *Item) parent() uint64 {
	if it.Folder != nil {
		return it.Folder.Key
	}
	return it.Calendar.Key
}

// AddItem adds an event or contact to its Calendar or Folder, which must be set, as must not be its Key. A seeding call
// leaves no log entry.
func (mb *Mailbox) AddItem(it *Item, seeding bool) *Item {
	mb.Lock()
	defer mb.finish()
	now := mb.second()
	if it.Created.IsZero() {
		it.Created = now
	}
	if it.Modified.IsZero() {
		it.Modified = it.Created
	}
	it.Key = mb.key()
	mb.items[it.Key] = it
	if it.Folder != nil {
		it.Folder.Contacts = append(it.Folder.Contacts, it)
	} else {
		it.Calendar.Events = append(it.Calendar.Events, it)
	}
	if !seeding {
		mb.record(it.log(), Created, it.Ref(false), it.parent())
	}
	return it
}

// UpdateItem lets change alter an event or contact; an error of change leaves it as it was. Change gets the item with a
// copy of its properties to write to, and must not touch Key, Calendar or Folder.
func (mb *Mailbox) UpdateItem(r Ref, change func(*Item) error) (*Item, error) {
	mb.Lock()
	defer mb.finish()
	it := mb.Item(r)
	if it == nil {
		return nil, ErrNotFound
	}
	before := *it
	it.Props = maps.Clone(it.Props)
	it.Exceptions, it.Cancelled = maps.Clone(it.Exceptions), maps.Clone(it.Cancelled)
	if err := change(it); err != nil {
		*it = before
		return nil, err
	}
	it.Rev++
	it.Modified = mb.second()
	mb.record(it.log(), Updated, it.Ref(false), it.parent())
	return it, nil
}

// DeleteItem ends an event or contact.
func (mb *Mailbox) DeleteItem(r Ref) error {
	mb.Lock()
	defer mb.finish()
	it := mb.Item(r)
	if it == nil {
		return ErrNotFound
	}
	is := func(other *Item) bool { return other == it }
	if it.Folder != nil {
		it.Folder.Contacts = slices.DeleteFunc(it.Folder.Contacts, is)
	} else {
		it.Calendar.Events = slices.DeleteFunc(it.Calendar.Events, is)
	}
	delete(mb.items, it.Key)
	mb.record(it.log(), Removed, it.Ref(false), it.parent())
	return nil
}

// AddContactFolder makes a folder of contacts; seeding leaves no log entry.
func (mb *Mailbox) AddContactFolder(parent *ContactFolder, name string, seeding bool) *ContactFolder {
	mb.Lock()
	defer mb.finish()
	f := &ContactFolder{Key: mb.key(), Name: name, Parent: parent}
	parent.Children = append(parent.Children, f)
	if !seeding {
		mb.record(&mb.ContactLog, Created, f.Ref(), parent.Key)
	}
	return f
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
func (mb *Mailbox) RenameContactFolder(f *ContactFolder, name string) {
	mb.Lock()
	defer mb.finish()
	f.Name = name
	mb.record(&mb.ContactLog, Updated, f.Ref(), f.Parent.Key)
}

// DeleteContactFolder ends a folder of contacts with all below.
func (mb *Mailbox) DeleteContactFolder(f *ContactFolder) {
	mb.Lock()
	defer mb.finish()
	f.Parent.Children = slices.DeleteFunc(f.Parent.Children, func(c *ContactFolder) bool { return c == f })
	f.Walk(func(g *ContactFolder) {
		for _, it := range g.Contacts {
			delete(mb.items, it.Key)
			mb.record(&g.Log, Removed, it.Ref(false), g.Key)
		}
		g.Contacts = nil
		mb.record(&mb.ContactLog, Removed, g.Ref(), g.Parent.Key)
	})
}
