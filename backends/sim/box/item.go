package box

import (
	"strings"
	"time"
)

// kind is the type of an item; the values are in the order in which listings are sorted.
type kind uint8

const (
	folderKind kind = iota
	fileKind
	linkKind
)

func (k kind) String() string {
	switch k {
	case folderKind:
		return "folder"
	case fileKind:
		return "file"
	}
	return "web_link"
}

// item is a folder, a file or a web link. The store's lock guards it.
type item struct {
	kind        kind
	num         uint64
	name        string
	fold        string // name as Box compares it: without case
	parent      *item  // nil for a root; kept while in the trash
	owner       *user
	etag        int
	description string
	url         string // web links

	created, modified               time.Time
	contentCreated, contentModified time.Time // zero means null
	createdBy, modifiedBy           *user

	versions []*version // files: oldest first, the current one last
	children *listing   // folders
	size     int64      // folders: sum of the current versions of all files below

	trashed      time.Time // zero unless this very item was put into the trash
	purge        time.Time
	collabs      []*collab
	mounts       []*item // roots of collaborators in whose listing this item appears
	lock         *lock
	pending      int       // how many more content requests get 202
	blockedUntil time.Time // a big operation runs on the tree below
	synced       bool      // a folder marked for sync
	odd          bool      // listed with awkward JSON
	policy       bool      // a Shield policy forbids downloads

	extra *extras
}

// extras are what few items have.
type extras struct {
	tags      []string
	comments  []*comment
	tasks     []*task
	metadata  []*instance
	shared    *sharedLink
	class     string
	isPackage bool
	uploader  string
}

type lock struct {
	num              uint64
	by               *user
	created, expires time.Time
	noDownload       bool
	app              string
}

type sharedLink struct {
	key, access string
	download    bool
}

type version struct {
	num               uint64
	name              string
	content           content
	created, modified time.Time
	by                *user
	trashed           time.Time
}

type comment struct {
	num               uint64
	message, tagged   string
	reply             bool
	by                *user
	created, modified time.Time
}

type task struct {
	num          uint64
	action, text string
	rule         string
	by, to       *user
	created, due time.Time
	state        string
}

// instance is one metadata template applied to an item.
type instance struct {
	scope, template string
	values          object
}

// more gives the extras of it, made if need be.
func (it *item) more() *extras {
	if it.extra == nil {
		it.extra = &extras{}
	}
	return it.extra
}

func (it *item) isRoot() bool { return it.parent == nil }

// id is "0" for every user's root.
func (it *item) id() string {
	if it.isRoot() {
		return "0"
	}
	return numeral(it.num)
}

// current is the newest version of a file.
func (it *item) current() *version { return it.versions[len(it.versions)-1] }

// bytes is what the item adds to the size of its folders.
func (it *item) bytes() int64 {
	switch it.kind {
	case fileKind:
		return it.current().content.size()
	case folderKind:
		return it.size
	}
	return 0
}

// inTrash says whether the item or a folder above it was put into the trash.
func (it *item) inTrash() bool {
	for ; it != nil; it = it.parent {
		if !it.trashed.IsZero() {
			return true
		}
	}
	return false
}

// within says whether it is dir or lies below it.
func (it *item) within(dir *item) bool {
	for ; it != nil; it = it.parent {
		if it == dir {
			return true
		}
	}
	return false
}

// grow adds n bytes to all folders above the item.
func (it *item) grow(n int64) {
	for d := it.parent; d != nil; d = d.parent {
		d.size += n
	}
}

// blocked says whether a big operation runs on the tree that the item is in.
func (it *item) blocked(now time.Time) bool {
	for ; it != nil; it = it.parent {
		if now.Before(it.blockedUntil) {
			return true
		}
	}
	return false
}

func foldName(name string) string { return strings.ToLower(name) }
