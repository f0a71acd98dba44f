package mailbox

import (
	"maps"
	"slices"
	"time"
)

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
// leaves no log entry. The error is ErrNotFound when the calendar or folder is gone.
func (mb *Mailbox) AddItem(it *Item, seeding bool) error {
	mb.Lock()
	defer mb.finish()
	if it.gone() {
		return ErrNotFound
	}
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
	return nil
}

// gone tells whether the calendar or folder that the item would be in is there no more.
func (it *Item) gone() bool {
	if it.Folder != nil {
		return it.Folder.gone
	}
	return it.Calendar.gone
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
