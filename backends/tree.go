package backends

import (
	"context"
	"time"
)

// NodeID names a node of a Tree while it is mounted. Ids are never reused. A directory keeps its id over renames and
// new listings; a new content version of a file is a new id. 0 is no node.
type NodeID uint64

// RootID is the root of every Tree.
const RootID NodeID = 1

// Forever is the Valid of what may stay cached until an Event says otherwise.
const Forever time.Duration = 1<<63 - 1

// Attr is what stat shows.
type Attr struct {
	Ino   uint64 // 63-bit hash of the identity, st_ino and d_ino
	Dir   bool
	Size  int64 // SizeUnknown only from Lookup and ReadDir
	Mtime time.Time
	Ctime time.Time
	Btime time.Time
	// Valid is how long the kernel may keep entry and attributes without asking; 0: not at all, Forever: until an
	// Event. While Size is unknown the attributes are not to be kept.
	Valid time.Duration
}

// Dirent is one entry of a directory.
type Dirent struct {
	Name   string
	Cookie uint64 // stored with the entry, ascending in listing order, never reused in its directory; never 0
	Node   NodeID
	Attr   Attr
}

// Place is where a file is listed.
type Place struct {
	Dir    NodeID
	Cookie uint64
	Name   string
}

// Neighbour is a file beside another one.
type Neighbour struct {
	Name   string
	Cookie uint64
	Node   NodeID
	Size   int64
	// Read gives the content, good until the function returns that the Neighbour was handed to.
	Read func() ([]byte, error)
}

// Tree is what a filesystem shows. Errors are of the kinds in this package or the context's. All methods may be
// called concurrently and return soon after their context ends.
type Tree interface {
	// Lookup finds a name in a directory; ErrNotFound if the whole listing does not have it. negative is how long
	// the absence may be kept.
	Lookup(ctx context.Context, dir NodeID, name string) (d Dirent, negative time.Duration, err error)
	// ReadDir calls fn for the entries of dir whose cookies are greater than after, in ascending order, until fn
	// returns false. It never fetches contents. A listing that cannot be had whole is an error before the first call.
	ReadDir(ctx context.Context, dir NodeID, after uint64, fn func(Dirent) bool) error
	// Attr returns exact attributes; it fetches the content if only that tells the size. ErrStale when the node is
	// a version of a file that can't be had any more, ErrNotFound when the directory is gone.
	Attr(ctx context.Context, n NodeID) (Attr, error)
	// ReadAt reads the version that n names; short only at the end, (0, nil) at or past it.
	ReadAt(ctx context.Context, n NodeID, p []byte, off int64) (int, error)
	// Place tells where a file is listed, in the first of the directories if there are several; ErrStale when it is in none.
	Place(ctx context.Context, n NodeID) (Place, error)
	// Neighbours calls fn with files of dir whose contents are at hand without a request, until fn returns false: those
	// whose cookies are greater than from, ascending, or, backward, smaller and descending. Together with Place it serves
	// pushes into the page cache.
	Neighbours(ctx context.Context, dir NodeID, from uint64, backward bool, fn func(Neighbour) bool) error
	// Usage answers statfs without a request: the sum of known sizes and the number of known entries.
	Usage() (bytes, entries uint64)
	// Watch calls fn for all changes, in order, those of a commit together, from goroutines of the tree that hold no lock;
	// stop ends it. fn must not change the slice nor keep it.
	Watch(fn func([]Event)) (stop func())
}

// EventKind says what an Event is about.
type EventKind uint8

const (
	// EventAdded: Name is new in Dir.
	EventAdded EventKind = iota
	// EventRemoved: Name is gone from Dir; Node is what it was, IsDir whether it was a directory.
	EventRemoved
	// EventReplaced: Name in Dir is another Node now (a new version of a file), or the same one but not Forever any more.
	// Never for directories.
	EventReplaced
	// EventAttr: the attributes of Node changed (a directory's later mtime), but not the content of a file.
	EventAttr
	// EventExpired: the listing of Dir has outlived its age, or is not told of changes any more; the next look has to ask.
	EventExpired
)

// Event is one change in a Tree.
type Event struct {
	Kind  EventKind
	Dir   NodeID
	Name  string
	Node  NodeID
	Was   NodeID // of EventReplaced: the node that Name was before, 0 if it is the same
	IsDir bool
}
