package outlook

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/query"
)

// Why a collection cannot be watched, besides a query that it does not take.
var (
	ErrNoMailbox = errors.New("the mailbox is either inactive, soft-deleted, or is hosted on-premise")
	ErrNoFolder  = errors.New("the specified folder could not be found in the store")
)

// recoverable is the folder that no subscription to all messages covers.
const recoverable = "recoverableitemsdeletions"

// WatchOptions say what a change notification subscription is about.
type WatchOptions struct {
	UserID     string
	Collection string // "messages", "events" or "contacts"
	Folder     string // id or well-known name; "" is the whole mailbox
	Immutable  bool   // ids are immutable ones, as the request that created the subscription asked
	Data       bool   // Seen.Data is wanted
	Query      url.Values
}

// Watch sees the changes of one collection as a subscription to it does. It is safe for concurrent use.
type Watch struct {
	store  *Store
	mb     *mailbox.Mailbox
	o      WatchOptions
	kind   mailbox.Kind
	folder uint64 // key; 0 is the whole mailbox
	filter *query.Filter
	view   *view

	mu      sync.Mutex
	matched map[uint64]bool // keys of the messages that the filter let through last
}

// Seen is a change as a subscription sees it.
type Seen struct {
	Change string // "created", "updated" or "deleted"
	ID     string
	ETag   string         // "" when the item is gone
	Data   map[string]any // the item with the properties of $select, when wanted and not gone
}

// Watch makes a Watch. The error tells what is wrong with the options.
func (s *Store) Watch(o WatchOptions) (*Watch, error) {
	mb := s.boxes[o.UserID]
	if mb == nil {
		return nil, ErrNoMailbox
	}
	w := &Watch{store: s, mb: mb, o: o, matched: map[uint64]bool{}}
	var schema query.Schema
	switch o.Collection {
	case "messages":
		w.kind, schema = mailbox.KindMessage, messageSchema
	case "events":
		w.kind = mailbox.KindEvent
	case "contacts":
		w.kind = mailbox.KindContact
	default:
		return nil, fmt.Errorf("no collection %q", o.Collection)
	}
	w.view = &view{c: &call{Request: &graph.Request{Request: &core.Request{World: s.w}}, s: s, mb: mb},
		sel: query.ParseSelect(o.Query.Get("$select")), immutable: o.Immutable}
	if filter := o.Query.Get("$filter"); filter != "" {
		if schema == nil {
			// The service takes one; nobody here asks for it.
			return nil, errors.New("this simulator filters subscriptions to messages only")
		}
		f, err := query.ParseFilter(filter, schema)
		if err != nil {
			return nil, err
		}
		w.filter = f
	}
	expands, err := query.ParseExpand(o.Query.Get("$expand"))
	if err != nil {
		return nil, err
	}
	for _, e := range expands {
		if strings.EqualFold(e.Name, "singleValueExtendedProperties") {
			if w.view.extended, err = e.ExtendedIDs(); err != nil {
				return nil, err
			}
		}
	}
	mb.RLock()
	defer mb.RUnlock()
	if o.Folder != "" && !w.findFolder() {
		return nil, ErrNoFolder
	}
	if w.filter != nil {
		for _, m := range mb.All() {
			if w.folder == 0 || m.Folder.Key == w.folder {
				w.matched[m.Key] = w.filter.Match(messageGetter(m))
			}
		}
	}
	return w, nil
}

// findFolder resolves the folder. Needs RLock.
func (w *Watch) findFolder() bool {
	if w.kind == mailbox.KindContact {
		if f := w.mb.ContactFolder(w.o.Folder); f != nil {
			w.folder = f.Key
		}
		return w.folder != 0
	}
	if f := w.mb.Folder(w.o.Folder); f != nil {
		w.folder = f.Key
	}
	return w.folder != 0
}

// See tells what the subscription sees of a change; ok is false for nothing. An item that moves is deleted in one folder
// and created in another, and both in a subscription to the whole mailbox (a guess: the service may call that an update).
func (w *Watch) See(c mailbox.Change) (seen Seen, ok bool) {
	if c.Mailbox != w.mb || c.Ref.Kind != w.kind {
		return Seen{}, false
	}
	w.mb.RLock()
	defer w.mb.RUnlock()
	if w.folder != 0 && c.Parent != w.folder {
		return Seen{}, false
	}
	if f := w.mb.FolderByKey(c.Parent); w.folder == 0 && w.kind == mailbox.KindMessage && f != nil && f.WellKnown == recoverable {
		return Seen{}, false
	}
	seen.ID = w.view.id(c.Ref)
	switch c.Op {
	case mailbox.Created:
		seen.Change = "created"
	case mailbox.Updated:
		seen.Change = "updated"
	case mailbox.Removed:
		seen.Change = "deleted"
	default:
		return Seen{}, false
	}
	switch w.kind {
	case mailbox.KindMessage:
		m := w.mb.MessageByRef(c.Ref)
		if w.filter != nil && !w.pass(&seen, c, m) {
			return Seen{}, false
		}
		if m != nil && c.Op != mailbox.Removed {
			seen.ETag = etag(changeKey(m.Key, m.Rev))
			if w.o.Data {
				seen.Data = w.view.message(m)
			}
		}
	default:
		if it := w.mb.Item(c.Ref); it != nil && c.Op != mailbox.Removed {
			seen.ETag = etag(changeKey(it.Key, it.Rev))
			if w.o.Data && w.kind == mailbox.KindEvent {
				seen.Data = w.view.masterOrSingle(it)
			} else if w.o.Data {
				seen.Data = w.view.contact(it)
			}
		}
	}
	return seen, true
}

// pass holds a change against the filter: an item that begins to match is created, one that ceases to is deleted. Needs
// RLock.
func (w *Watch) pass(seen *Seen, c mailbox.Change, m *mailbox.Message) bool {
	now := c.Op != mailbox.Removed && m != nil && w.filter.Match(messageGetter(m))
	w.mu.Lock()
	before := w.matched[c.Ref.Key]
	w.matched[c.Ref.Key] = now
	w.mu.Unlock()
	switch {
	case before && now:
		seen.Change = "updated"
	case now:
		seen.Change = "created"
	case before:
		seen.Change = "deleted"
	}
	return before || now
}

// RichQuery says what is wrong with the query of a subscription whose notifications hold the item; "" for nothing.
func RichQuery(q url.Values) string {
	if q.Get("$select") == "" {
		return "The resource must contain a $select clause when includeResourceData is true."
	}
	for _, name := range query.ParseSelect(q.Get("$select")) {
		if name == "body" || name == "uniquebody" {
			return "The properties 'Body' and 'UniqueBody' are not supported in $select."
		}
	}
	for _, name := range []string{"$top", "$skip", "$orderby"} {
		if q.Has(name) {
			return "The query option '" + name + "' is not supported for subscriptions."
		}
	}
	expands, err := query.ParseExpand(q.Get("$expand"))
	if err != nil {
		return err.Error()
	}
	for _, e := range expands {
		switch strings.ToLower(e.Name) {
		case "singlevalueextendedproperties", "multivalueextendedproperties":
		default:
			return "Only extended properties are supported in $expand."
		}
	}
	return ""
}
