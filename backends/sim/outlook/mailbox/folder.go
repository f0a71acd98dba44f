package mailbox

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// Folder is one mail folder. Its fields are guarded by its mailbox.
type Folder struct {
	Key       uint64
	Name      string
	WellKnown string // "inbox" and so on, else empty
	Parent    *Folder
	Children  []*Folder
	Hidden    bool
	// Unlisted folders (the root, recoverable items, the search root) are reachable by their names alone.
	Unlisted bool
	Search   *Search // nil: an ordinary folder
	// OtherItems counts what lies in the folder besides messages; the service's totalItemCount includes it.
	OtherItems int
	Unread     int
	// SharedWith holds the ids of the users who may read it by delegated permission.
	SharedWith map[string]bool
	Log        Log

	messages Index
}

// Search makes a folder a search folder: it shows messages that live in other folders.
type Search struct {
	Sources []*Folder
	Nested  bool
	Filter  string // OData
}

// Messages is the folder's index. A search folder's is empty.
func (f *Folder) Messages() Index { return f.messages }

// Under tells whether f is other or lies below it.
func (f *Folder) Under(other *Folder) bool {
	for ; f != nil; f = f.Parent {
		if f == other {
			return true
		}
	}
	return false
}

// Index holds messages by received time, oldest first, ties by key.
type Index []*Message

// At gives the first position not before the given time.
func (x Index) At(t time.Time) int {
	return sort.Search(len(x), func(i int) bool { return !x[i].Received.Before(t) })
}

// Position gives the place of (received, key): of that message if it is there, else where it would stand.
func (x Index) Position(received time.Time, key uint64) int {
	return sort.Search(len(x), func(i int) bool { return !x[i].before(received, key) })
}

// Sort puts an index that was collected from several into its order.
func (x Index) Sort() {
	slices.SortFunc(x, func(a, b *Message) int {
		if c := a.Received.Compare(b.Received); c != 0 {
			return c
		}
		return cmp.Compare(a.Key, b.Key)
	})
}

func (x *Index) insert(m *Message) {
	if n := len(*x); n == 0 || (*x)[n-1].before(m.Received, m.Key) {
		*x = append(*x, m)
		return
	}
	*x = slices.Insert(*x, x.Position(m.Received, m.Key), m)
}

func (x *Index) remove(m *Message) {
	if i := x.Position(m.Received, m.Key); i < len(*x) && (*x)[i] == m {
		*x = slices.Delete(*x, i, i+1)
	}
}

// counted tells whether the folder's messages are among those of the whole mailbox.
func (f *Folder) counted() bool { return f.WellKnown != "recoverableitemsdeletions" }
