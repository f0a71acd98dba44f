package backends

import (
	"context"
	"io"
	"time"

	"github.com/workfs/workfs/backends/names"
)

// DirKey names a directory within one Backend. The root of a backend is "". Keys are opaque to all but the service,
// pure functions of the service's ids, and never reused for another directory.
type DirKey string

// SizeUnknown says that only fetching a content will tell its size.
const SizeUnknown int64 = -1

// Backend is one service of one connection. All methods may be called concurrently; contexts carry deadline,
// interruption and Priority.
type Backend interface {
	// Scope is what makes the identities of this backend unique in the world: cloud, tenant or enterprise,
	// principal and service. It is the same on every machine and does not depend on the connection's name.
	Scope() string

	// List makes dir whole and fresh: it writes one or more batches into sink, at least one of which commits dir as
	// whole or, where the collection's cursor covers dir already, commits what changed with Fresh set. It may make
	// other directories whole on the way. The cache never runs two Lists of one directory at a time, but may run
	// Lists of different directories of one collection together; a service shares rounds between them itself.
	// Errors are of the kinds in this package; ErrNotFound means that the directory is gone.
	List(ctx context.Context, dir DirKey, sink Sink) error

	// Fetch opens n bytes from off of a file's version (n < 0: to the end). A service that cannot serve ranges is
	// called with off 0 and n -1 only (Entry.Ranged false). The caller closes Content. Errors: ErrNotFound,
	// ErrStale (that version can't be had any more), ErrForbidden, ErrBroken, ErrThrottled, ErrUnavailable.
	Fetch(ctx context.Context, f File, off, n int64) (Content, error)

	// Coverage tells what the sign-in cannot see or could not read, with reasons, as known so far.
	Coverage() []Gap
}

// Editioned is a Backend whose listings depend on more than the service has: on what the sign-in may see, for one.
type Editioned interface {
	Backend
	// Edition names what the listings depend on. Those that were taken with another one are taken anew.
	Edition() string
}

// File is what Fetch needs to know of an entry: what List said of it.
type File struct {
	ID      string // Entry.ID
	Version string // Entry.Version
	Ref     string // Entry.Ref
	Size    int64  // Entry.Size, SizeUnknown if never learnt
}

// Content is an open stream of a file's bytes.
type Content struct {
	io.ReadCloser
	// Off is the offset of the stream's first byte: 0 where the service ignored a range.
	Off int64
	// Total is the whole content's size in bytes as the answer states it, SizeUnknown if it does not.
	Total int64
}

// Gap is one thing that cannot be seen, for coverage.md.
type Gap struct {
	Path   string // where in the service's tree it would be, slash separated; "" is the whole service
	Reason string // one sentence: why, and whom to ask
}

// Entry is one name in a directory as a service describes it.
type Entry struct {
	// Name is the wish; the final name is assigned over the whole directory by names.Assign.
	Name names.Wanted
	// ID is the identity within the backend's Scope: type, immutable id or month, part. Equal IDs are the same
	// file for ever: same inode, whatever its name, directory or version.
	ID string
	// Item names the item that this entry is a part of, unique in its collection.
	Item string
	// IsDir says that this is a directory, listed under Dir.
	IsDir bool
	Dir   DirKey

	// Version changes whenever the bytes do, and only then (services put the renderer's version in). Files only.
	Version string
	// Size is exact or SizeUnknown. Ignored when Body is given.
	Size int64
	// Body is the content where the listing gives it; non-nil even when empty. It does not change any more: the
	// sink may look at it later.
	Body []byte
	// Ranged says that Fetch serves ranges of this file.
	Ranged bool
	// Content names the content where other entries have the same one: with equal Version it is kept and fetched once.
	// Empty means ID.
	Content string
	// Ref is opaque to all but the service and comes back in File.
	Ref string

	// Mtime and Ctime are pure functions of the resource. A zero Mtime means that the service gives no time:
	// the cache uses the time at which it first saw this ID (for files: this content).
	Mtime, Ctime, Btime time.Time

	// Info is shown by `workfs info`.
	Info Info
}

// Info is what the service knows of an item beyond what stat shows; empty fields are not shown.
type Info struct {
	ServiceID string `json:"id,omitempty"`
	ETag      string `json:"etag,omitempty"`
	WebURL    string `json:"web_url,omitempty"`
	From      string `json:"from,omitempty"`
	Hash      string `json:"hash,omitempty"` // "sha1:…", "quickxor:…" as the service states it
}

// Sink is where a service writes what it learnt. It is safe for concurrent use.
type Sink interface {
	Memory
	// Begin opens a batch for one collection. The caller ends it with Commit or Discard.
	Begin(collection string) Batch
	// Dir tells what is remembered of a directory.
	Dir(dir DirKey) DirState
	// Has tells whether the collection holds the item in any whole directory.
	Has(collection, item string) bool
	// Where tells which whole directories show the identity (Entry.ID), with what is remembered of it there; usually one.
	Where(id string) []Shown
}

// Shown is an entry as a whole directory shows it.
type Shown struct {
	Dir        DirKey
	Collection string // that the entry belongs to
	Item       string // Entry.Item
	Version    string // Entry.Version
	Info       Info
}

// Memory keeps small values of a service over restarts: cursors, account facts. Keys are the service's own.
type Memory interface {
	Get(key string) ([]byte, bool)
	Put(key string, value []byte) error // nil deletes
}

// DirState is what is remembered of a directory.
type DirState struct {
	Whole bool      // it has been listed
	AsOf  time.Time // when it was last known to be right; zero if never
	Empty bool      // whole and without entries
}

// Batch collects changes of one collection. It is not safe for concurrent use. Bodies are stored as they come, so that
// a batch may be large.
type Batch interface {
	// Add says that entries belong in dir. Entries of an Item that is added replace, in all whole directories of the
	// collection, what was there of that Item before (so a moved item leaves its old directory). Directories that are
	// neither whole nor named whole by Commit ignore additions. Errors: ErrNoSpace and store failures.
	Add(dir DirKey, entries ...Entry) error
	// Remove says that the collection has lost the item. Unknown items are ignored.
	Remove(item string)
	// Commit applies the batch in one transaction: a crash leaves all of it or nothing.
	Commit(Commit) error
	// Discard forgets the batch. It does nothing after Commit, so that it can be deferred.
	Discard()
}

// Stager is a Batch that may write ahead what its Commit will make visible, so that a large one takes no long time at the end.
type Stager interface {
	// Stage says that the batch probably has all entries of these directories now, which Commit will list for the first time.
	// Nobody sees them before that. A later Add or Remove that concerns them counts like any other; it costs what was gained.
	Stage(dirs []DirKey) error
}

// Commit says what a batch amounts to.
type Commit struct {
	// Whole lists the directories of which the batch holds every entry: what it does not hold is gone from them. A directory
	// is of one collection; only while it is empty may another one list it.
	Whole []Listing
	// Fresh says that all directories of the collection listed with Covered are right as of the batch's Begin.
	Fresh bool
	// Memory is written in the same transaction, so that a cursor never runs ahead of its data. A nil value deletes.
	Memory map[string][]byte
}

// Listing names a directory that a batch describes whole.
type Listing struct {
	Dir DirKey
	// MaxAge is how long the listing may be served before List is asked again; 0 means the cache's default,
	// negative means for ever (static directories).
	MaxAge time.Duration
	// Covered says that Fresh commits of the collection renew this listing.
	Covered bool
}

// Mounted is a backend at its place in a connection.
type Mounted struct {
	Path    string // "outlook"; "" means that the backend's root is the connection's own directory
	Backend Backend
}
