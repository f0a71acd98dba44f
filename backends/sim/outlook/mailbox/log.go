package mailbox

import "sort"

// Op is what happened to an item, as seen from one collection.
type Op byte

// The ways in which a collection changes. An item that moves is Removed from one and Created in another.
const (
	Created Op = iota + 1
	Updated
	Removed
	Counted // a folder's item counts changed, nothing else
)

// Entry is one change in a collection.
type Entry struct {
	Seq uint64 // position among all changes of the mailbox, from 1
	Op  Op
	Ref Ref // names the item as its id in this collection did
}

// Log is the history of one collection, oldest first.
type Log struct{ entries []Entry }

func (l *Log) add(e Entry) { l.entries = append(l.entries, e) }

// Since gives the changes after seq, oldest first. The caller must not change them.
func (l *Log) Since(seq uint64) []Entry {
	from := sort.Search(len(l.entries), func(i int) bool { return l.entries[i].Seq > seq })
	return l.entries[from:]
}

// Last is the position of the newest change, 0 when there is none.
func (l *Log) Last() uint64 {
	if len(l.entries) == 0 {
		return 0
	}
	return l.entries[len(l.entries)-1].Seq
}
