package mailbox

import (
	"errors"
	"strings"
	"sync"
	"time"
)

// Errors of the mutating methods.
var (
	ErrNotFound = errors.New("the specified object was not found in the store")
	ErrExists   = errors.New("a folder with the specified name already exists")
	ErrRefused  = errors.New("the operation cannot be performed on this folder")
)

// Change tells a listener what happened.
type Change struct {
	Mailbox *Mailbox
	Op      Op
	Ref     Ref    // the item or folder; a moved item is Created where it went, after Removed where it was
	Parent  uint64 // key of the folder or calendar it is in, for Removed: was in
}

// Mailbox is one user's mailbox. Create it with New.
type Mailbox struct {
	sync.RWMutex
	Codec
	UserID string
	Now    func() time.Time
	// Listener is told of every change, after it, without the lock. Set it before the mailbox is used.
	Listener func(Change)

	// SharedWith holds the ids of the users who may read all of it by delegated permission.
	SharedWith map[string]bool

	Root       *Folder
	FolderLog  Log
	Calendars  []*Calendar
	Groups     []*CalendarGroup
	Contacts   *ContactFolder // the default folder, root of the others
	ContactLog Log            // of contact folders
	// CalendarLog is of the calendars themselves. No delta query tells of them in v1.0; it is for the listener's sake.
	CalendarLog Log

	folders   map[uint64]*Folder
	wellKnown map[string]*Folder
	messages  []*Message // by key-1, nil when gone
	all       Index
	items     map[uint64]*Item
	nextKey   uint64 // folders, calendars, items
	seq       uint64
	pending   []Change
}

// systemFolders are the well-known folders of every mailbox with the names an English mailbox shows.
var systemFolders = []struct {
	wellKnown, name  string
	hidden, unlisted bool
}{
	{"inbox", "Inbox", false, false},
	{"drafts", "Drafts", false, false},
	{"sentitems", "Sent Items", false, false},
	{"deleteditems", "Deleted Items", false, false},
	{"junkemail", "Junk Email", false, false},
	{"archive", "Archive", false, false},
	{"outbox", "Outbox", false, false},
	{"conversationhistory", "Conversation History", false, false},
	{"syncissues", "Sync Issues", true, false},
	{"searchfolders", "Finder", false, true},
	{"recoverableitemsdeletions", "Deletions", false, true},
}

// New makes an empty mailbox with the system folders, whose names are translated by names (well-known name to display
// name), a default calendar and a default contact folder. guid is the mailbox GUID.
func New(userID, guid string, now func() time.Time, names map[string]string) *Mailbox {
	mb := &Mailbox{
		Codec: *NewCodec(guid), UserID: userID, Now: now,
		folders: map[uint64]*Folder{}, wellKnown: map[string]*Folder{}, items: map[uint64]*Item{},
		nextKey: 0x100,
	}
	mb.Root = mb.newFolder(nil, "Top of Information Store")
	mb.Root.WellKnown, mb.Root.Unlisted = "msgfolderroot", true
	mb.wellKnown["msgfolderroot"] = mb.Root
	add := func(parent *Folder, wellKnown, name string) *Folder {
		if n, ok := names[wellKnown]; ok {
			name = n
		}
		f := mb.newFolder(parent, name)
		f.WellKnown = wellKnown
		mb.wellKnown[wellKnown] = f
		return f
	}
	for _, s := range systemFolders {
		f := add(mb.Root, s.wellKnown, s.name)
		f.Hidden, f.Unlisted = s.hidden, s.unlisted
		if s.wellKnown == "syncissues" {
			for _, c := range []string{"conflicts", "localfailures", "serverfailures"} {
				names := map[string]string{"conflicts": "Conflicts", "localfailures": "Local Failures", "serverfailures": "Server Failures"}
				add(f, c, names[c])
			}
		}
	}
	mb.Contacts = &ContactFolder{Key: mb.key(), Name: "Contacts"}
	group := &CalendarGroup{Key: mb.key(), Name: "My Calendars"}
	mb.Groups = []*CalendarGroup{group}
	mb.AddCalendar(&Calendar{Name: "Calendar", Group: group, Default: true}, true)
	return mb
}

func (mb *Mailbox) key() uint64 {
	mb.nextKey++
	return mb.nextKey
}

func (mb *Mailbox) newFolder(parent *Folder, name string) *Folder {
	f := &Folder{Key: mb.key(), Name: name, Parent: parent}
	mb.folders[f.Key] = f
	if parent != nil {
		parent.Children = append(parent.Children, f)
	}
	return f
}

// record notes a change in a collection's log and for the listener.
func (mb *Mailbox) record(l *Log, op Op, r Ref, parent uint64) {
	mb.seq++
	l.add(Entry{Seq: mb.seq, Op: op, Ref: r})
	mb.pending = append(mb.pending, Change{Mailbox: mb, Op: op, Ref: r, Parent: parent})
}

// finish ends a mutation: it unlocks and tells the listener.
func (mb *Mailbox) finish() {
	changes := mb.pending
	mb.pending = nil
	mb.Unlock()
	if mb.Listener != nil {
		for _, c := range changes {
			mb.Listener(c)
		}
	}
}

// Seq is the position of the newest change. Needs RLock.
func (mb *Mailbox) Seq() uint64 { return mb.seq }

// All is the index over all folders but the recoverable items. Needs RLock.
func (mb *Mailbox) All() Index { return mb.all }

// Folder finds a mail folder by id or well-known name. Needs RLock.
func (mb *Mailbox) Folder(id string) *Folder {
	if f := mb.wellKnown[strings.ToLower(id)]; f != nil {
		return f
	}
	if r, ok := mb.Ref(id); ok && r.Kind == KindMailFolder {
		return mb.folders[r.Key]
	}
	return nil
}

// FolderByKey finds a mail folder. Needs RLock.
func (mb *Mailbox) FolderByKey(key uint64) *Folder { return mb.folders[key] }

// Message finds a message by either form of id. A default id names it only where it was when the id was given out.
// Needs RLock.
func (mb *Mailbox) Message(id string) *Message {
	r, ok := mb.Ref(id)
	if !ok || r.Kind != KindMessage || r.Sub != 0 {
		return nil
	}
	return mb.MessageByRef(r)
}

// MessageByRef is Message for a reference. Needs RLock.
func (mb *Mailbox) MessageByRef(r Ref) *Message {
	if r.Key == 0 || r.Key > uint64(len(mb.messages)) {
		return nil
	}
	m := mb.messages[r.Key-1]
	if m == nil || (!r.Immutable && (r.Moves != m.Moves || r.Folder != m.Folder.Key)) {
		return nil
	}
	return m
}

// Fill adds messages in bulk, without log entries: it is how a mailbox is seeded. Unset times and content are the
// caller's fault. They may come in any order.
func (mb *Mailbox) Fill(f *Folder, messages []*Message) {
	mb.Lock()
	defer mb.Unlock()
	for _, m := range messages {
		mb.messages = append(mb.messages, m)
		m.Key, m.Folder = uint64(len(mb.messages)), f
		if !m.IsRead {
			f.Unread++
		}
	}
	indexes := []*Index{&f.messages, &mb.all}
	if !f.counted() {
		indexes = indexes[:1]
	}
	for _, x := range indexes {
		*x = append(*x, messages...)
		x.Sort()
	}
}

func (mb *Mailbox) put(m *Message, f *Folder) {
	m.Folder = f
	f.messages.insert(m)
	if f.counted() {
		mb.all.insert(m)
	}
	if !m.IsRead {
		f.Unread++
	}
	mb.record(&f.Log, Created, m.Ref(false), f.Key)
	mb.touch(f)
}

func (mb *Mailbox) take(m *Message) {
	f := m.Folder
	f.messages.remove(m)
	mb.all.remove(m)
	if !m.IsRead {
		f.Unread--
	}
	mb.record(&f.Log, Removed, m.Ref(false), f.Key)
	mb.touch(f)
}

// touch notes that a folder's counts changed, in the folder log alone: no listener hears of it.
func (mb *Mailbox) touch(f *Folder) {
	mb.seq++
	mb.FolderLog.add(Entry{Seq: mb.seq, Op: Counted, Ref: f.Ref()})
}

// AddMessage puts a new message into a folder. Unset times become now. The error is ErrNotFound when the folder is gone.
func (mb *Mailbox) AddMessage(f *Folder, m *Message) (*Message, error) {
	mb.Lock()
	defer mb.finish()
	if mb.folders[f.Key] != f {
		return nil, ErrNotFound
	}
	return mb.add(f, m), nil
}

func (mb *Mailbox) add(f *Folder, m *Message) *Message {
	now := mb.second()
	for _, t := range []*time.Time{&m.Received, &m.Created, &m.Modified} {
		if t.IsZero() {
			*t = now
		}
	}
	mb.messages = append(mb.messages, m)
	m.Key = uint64(len(mb.messages))
	mb.put(m, f)
	return m
}

func (mb *Mailbox) second() time.Time { return mb.Now().UTC().Truncate(time.Second) }

// UpdateMessage lets change alter a message, and moves its version and modification time on; an error of change leaves it
// as it was. Change must not touch Key, Folder or Received.
func (mb *Mailbox) UpdateMessage(r Ref, change func(*Message) error) (*Message, error) {
	mb.Lock()
	defer mb.finish()
	m := mb.MessageByRef(r)
	if m == nil {
		return nil, ErrNotFound
	}
	before := *m
	if err := change(m); err != nil {
		*m = before
		return nil, err
	}
	if m.IsRead != before.IsRead {
		if m.IsRead {
			m.Folder.Unread--
		} else {
			m.Folder.Unread++
		}
		mb.touch(m.Folder)
	}
	m.Rev++
	m.Modified = mb.second()
	mb.record(&m.Folder.Log, Updated, m.Ref(false), m.Folder.Key)
	return m, nil
}

// MoveMessage puts a message into another folder; its default id changes.
func (mb *Mailbox) MoveMessage(r Ref, to *Folder) (*Message, error) {
	mb.Lock()
	defer mb.finish()
	m := mb.MessageByRef(r)
	if m == nil || mb.folders[to.Key] != to {
		return nil, ErrNotFound
	}
	if to.Search != nil {
		return nil, ErrRefused
	}
	mb.move(m, to)
	return m, nil
}

func (mb *Mailbox) move(m *Message, to *Folder) {
	mb.take(m)
	m.Moves++
	m.Rev++
	m.Modified = mb.second()
	mb.put(m, to)
}

// CopyMessage adds a copy of a message to a folder.
func (mb *Mailbox) CopyMessage(r Ref, to *Folder) (*Message, error) {
	mb.RLock()
	m := mb.MessageByRef(r)
	if m == nil || to.Search != nil {
		mb.RUnlock()
		return nil, ErrNotFound
	}
	twin := m.twin()
	mb.RUnlock()
	return mb.AddMessage(to, twin)
}

// twin gives a copy that is in no folder yet.
func (m *Message) twin() *Message {
	c := *m
	c.Key, c.Moves, c.Rev, c.Created, c.Modified = 0, 0, 0, time.Time{}, time.Time{}
	return &c
}

// SendMessage makes a draft a message that was sent now, in Sent Items, after change has had a say; an error of change leaves
// it as it was. Change must not touch Key, Folder or the times.
func (mb *Mailbox) SendMessage(r Ref, change func(*Message) error) (*Message, error) {
	mb.Lock()
	defer mb.finish()
	m := mb.MessageByRef(r)
	if m == nil {
		return nil, ErrNotFound
	}
	before := *m
	if err := change(m); err != nil {
		*m = before
		return nil, err
	}
	mb.take(m)
	m.IsDraft, m.IsRead = false, true
	m.Sent, m.Modified = mb.second(), mb.second()
	m.Received = m.Sent
	m.Moves++
	m.Rev++
	mb.put(m, mb.wellKnown["sentitems"])
	return m, nil
}

// DeleteMessage moves a message to Deleted Items, from there to the recoverable items, and ends it there or when forever
// is set.
func (mb *Mailbox) DeleteMessage(r Ref, forever bool) error {
	mb.Lock()
	defer mb.finish()
	m := mb.MessageByRef(r)
	if m == nil {
		return ErrNotFound
	}
	deleted, recoverable := mb.wellKnown["deleteditems"], mb.wellKnown["recoverableitemsdeletions"]
	switch {
	case forever || m.Folder == recoverable:
		mb.take(m)
		mb.messages[m.Key-1] = nil
	case m.Folder.Under(deleted):
		mb.move(m, recoverable)
	default:
		mb.move(m, deleted)
	}
	return nil
}

// Folders walks all folders below the root, parents before children. Needs RLock.
func (mb *Mailbox) Folders(visit func(*Folder)) {
	var walk func(*Folder)
	walk = func(f *Folder) {
		for _, c := range f.Children {
			visit(c)
			walk(c)
		}
	}
	walk(mb.Root)
}
