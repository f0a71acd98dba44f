package drive

import (
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/order"
)

// Item is a file, a folder or something odder in a drive. Its fields are guarded by the Store's lock once the item is
// in a drive; change them through the Store.
type Item struct {
	ID      string
	GUID    string // SharePoint's unique id, part of the tags
	Name    string
	Created time.Time
	// Modified moves with every change; ContentTime, what fileSystemInfo gives, only with the bytes.
	Modified, ContentTime time.Time
	CreatedBy, ModifiedBy *company.Person
	Description           string
	Content               Content // nil: not a file
	ContentType           string
	// StatedSize is what listings give as the size of an Office file that SharePoint makes longer in the
	// download (property promotion); 0 means the true size.
	StatedSize int64
	// HashAfter is when the service has got round to computing the hash; until then there is none.
	HashAfter time.Time
	Malware   string            // description of the finding; "" is clean
	Package   string            // "oneNote": a package, which has no plain content
	Remote    *Remote           // a shortcut into another drive
	Shared    bool              // has permissions of its own
	Grants    []*company.Person // who may read it without being a reader of the drive
	Older     []*Version        // earlier versions, oldest first

	parent   *Item
	children *order.Index[*Item] // by lower-case name; nil: not a folder
	total    int64               // sum of the sizes below
	version  int                 // counts changes of any kind: eTag
	cversion int                 // counts changes of content: cTag
	logged   int64               // key of its entry in the drive's log
	deleted  bool
	hash     hash
}

// Version is an earlier state of a file's bytes.
type Version struct {
	Number   int
	Content  Content
	Modified time.Time
	By       *company.Person
}

// Remote is where a shortcut points.
type Remote struct {
	DriveID, ItemID string
}

// IsFolder says whether it may have children.
func (it *Item) IsFolder() bool { return it.children != nil }

// Parent is the folder that holds it; nil for a drive's root.
func (it *Item) Parent() *Item { return it.parent }

// size is what listings give.
func (it *Item) size() int64 {
	switch {
	case it.children != nil || it.Package != "":
		return it.total
	case it.StatedSize != 0:
		return it.StatedSize
	case it.Content != nil:
		return it.Content.Size()
	}
	return 0
}

// eTag changes on any change.
func (it *Item) eTag() string {
	return `"{` + strings.ToUpper(it.GUID) + `},` + strconv.Itoa(it.version) + `"`
}

// cTag changes with the content.
func (it *Item) cTag() string {
	return `"c:{` + strings.ToUpper(it.GUID) + `},` + strconv.Itoa(it.cversion) + `"`
}

// hash remembers the QuickXorHash of the content that was asked for last. It has a lock of its own, since
// requests that only read share the Store's.
type hash struct {
	mu  sync.Mutex
	of  Content
	sum string
}

// get computes the hash once per content.
func (h *hash) get(c Content) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of != c {
		sum, err := quickXor(io.NewSectionReader(c, 0, c.Size()))
		if err != nil {
			return "" // simulated contents do not fail
		}
		h.of, h.sum = c, sum
	}
	return h.sum
}

// path is the names from below the root, each with a leading slash; "" for the root.
func (it *Item) path() string {
	if it.parent == nil {
		return ""
	}
	return it.parent.path() + "/" + it.Name
}

func nameKey(name string) order.Key { return order.Key{S: strings.ToLower(name)} }
