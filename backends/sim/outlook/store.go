package outlook

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/query"
	"github.com/workfs/workfs/backends/sim/outlook/rfc822"
	"github.com/workfs/workfs/backends/sim/outlook/seed"
)

// Options of New.
type Options struct {
	// Context bounds the import; nil is no bound.
	Context context.Context
	// ImportMail is a directory of .eml or Maildir files that becomes Alice's mail, all in her Inbox, in place of the seeded
	// mail.
	ImportMail string
	// Listener is told of every change in any mailbox, once, after it, from the goroutine of the request that made it. What it
	// gets, by the kind of Change.Ref, which is always of the default form, without the number of an occurrence:
	//   - messages: Created, Updated (also for attachments, flags, read state) and Removed, with the folder as Parent; a move, and
	//     a deletion to Deleted Items, is Removed where it was and then Created where it went, by another default id
	//   - mail folders: Created, Updated (renamed, moved) and Removed, with the folder above as Parent; a folder that is deleted
	//     is moved first, and its messages go with it unmentioned
	//   - events: Created, Updated and Removed of singles and series masters, with the calendar as Parent; a date of a series that
	//     is edited or cancelled is Updated of the master
	//   - calendars: Created, Updated and Removed, Parent 0; a deleted one Removes its events first
	//   - contacts and their folders: as messages and mail folders; a deleted folder Removes all that was in it
	// A collection's item as it is now has the etag that Watch.See gives.
	Listener func(mailbox.Change)
	// Empty leaves the mailboxes without seeded mail, events and contacts.
	Empty bool
}

// Store is the mailboxes of the company behind the Graph host.
type Store struct {
	w     *core.World
	c     *company.Company
	boxes map[string]*mailbox.Mailbox // by user id; read-only after New
	out   map[string]string           // user id to the error of those without a mailbox

	mimeCalls atomic.Uint64
	attached  atomic.Uint32 // attachments added by clients
}

// Names of the switches.
const (
	switchStableMIME    = "outlook.stable_mime"
	switchReplays       = "outlook.delta_replays"
	switchGeneration    = "outlook.delta_generation"
	switchExpired       = "outlook.delta_expired"
	switchFolderCounts  = "outlook.folder_delta_counts"
	switchNoOData       = "outlook.no_odata"
	switchDeltaLimit    = "outlook.delta_filter_limit"
	switchMinimumExpiry = "outlook.delta_max_age_hours"
	switchReplication   = "outlook.replication_seconds"
	switchVanished      = "outlook.delta_vanished_occurrences"
)

// New builds the mailboxes of everyone who has one, seeds them, and registers their routes on g.
func New(w *core.World, g *graph.Server, c *company.Company, o Options) (*Store, error) {
	s := &Store{w: w, c: c, boxes: map[string]*mailbox.Mailbox{}, out: map[string]string{}}
	sw := w.Switches
	sw.Register(switchStableMIME, false, "made MIME is the same on every request instead of having other boundaries each time")
	sw.Register(switchReplays, true, "delta rounds repeat items, disorder them, and remove ids that were never seen")
	sw.Register(switchGeneration, 0, "raise it to expire all delta and skip tokens of delta rounds given out before")
	sw.Register(switchExpired, "410", "answer to an expired delta token: 410, syncStateNotFound (404) or syncStateInvalid (400)")
	sw.Register(switchMinimumExpiry, 0, "delta tokens expire after so many virtual hours; 0: never by age")
	sw.Register(switchReplication, 0, "virtual seconds until reads know of a new message, of which notifications tell at once")
	sw.Register(switchFolderCounts, true, "mailFolders/delta shows a folder again when only its counts changed (undocumented)")
	sw.Register(switchVanished, false, "calendarView/delta removes occurrences that a changed series no longer has; the service is observed to send only the rest")
	sw.Register(switchNoOData, "", "users, separated by commas, whom an application access policy hides from applications")
	sw.Register(switchDeltaLimit, 5000, "how many messages a delta round with a filter gives at most")
	for _, p := range c.Everyone() {
		if p.Kind == company.Guest {
			s.out[p.ID] = "MailboxNotEnabledForRESTAPI"
			if len(s.out)%2 == 0 {
				s.out[p.ID] = "ResourceNotFound"
			}
			continue
		}
		mb := mailbox.New(p.ID, c.GUID("mailbox "+p.UPN), w.Clock.Now, seed.FolderNames(p.Language))
		mb.Listener = o.Listener
		s.boxes[p.ID] = mb
	}
	if !o.Empty {
		seed.Fill(seed.Options{Company: c, Boxes: s.boxes, Now: lastNoon(w.Start()), Scale: w.Scale, NoMail: o.ImportMail != ""})
	}
	if o.ImportMail != "" {
		ctx := o.Context
		if ctx == nil {
			ctx = context.Background()
		}
		mail, err := rfc822.ReadDir(ctx, o.ImportMail)
		if err != nil {
			return nil, fmt.Errorf("importing mail: %w", err)
		}
		alice := s.boxes[c.Alice().ID]
		alice.Fill(alice.Folder("inbox"), mail)
	}
	s.routes(g)
	return s, nil
}

// Mailbox gives a user's mailbox by GUID, user principal name or address; nil for those without one.
func (s *Store) Mailbox(user string) *mailbox.Mailbox {
	if p := s.c.Person(user); p != nil {
		return s.boxes[p.ID]
	}
	return nil
}

// call is one request to one mailbox.
type call struct {
	*graph.Request
	s  *Store
	mb *mailbox.Mailbox

	answer func()
}

// reply keeps an answer until the handler is done and has released the mailbox, so that a client that reads slowly holds
// nobody up. The first one counts.
func (c *call) reply(answer func()) {
	if c.answer == nil {
		c.answer = answer
	}
}

// JSON, Error and the others answer as those of graph.Request do, after the handler.

func (c *call) JSON(status int, v any) { c.reply(func() { c.Request.JSON(status, v) }) }

func (c *call) Error(status int, code, message string) {
	c.reply(func() { c.Request.Error(status, code, message) })
}

func (c *call) WritePage(p graph.Page) { c.reply(func() { c.Request.WritePage(p) }) }

func (c *call) Bytes(status int, contentType string, body []byte) {
	c.reply(func() { c.Request.Bytes(status, contentType, body) })
}

func (c *call) Empty(status int) { c.reply(func() { c.Request.Empty(status) }) }

func (c *call) AccessDenied() { c.reply(c.Request.AccessDenied) }

func (c *call) Gone(code, message string) { c.reply(func() { c.Request.Gone(code, message) }) }

// perms are the permissions of a kind of endpoint. Shared ones let a user into mailboxes, folders and calendars that others
// share with them.
func perms(name string) graph.Perms {
	return graph.Perms{Delegated: []string{name}, App: []string{name, name + ".All"}, DelegatedShared: []string{name + ".Shared"}}
}

func (s *Store) handle(g *graph.Server, pattern string, p graph.Perms, h func(*call)) {
	g.Handle(pattern, p, func(r *graph.Request) {
		c := &call{Request: r, s: s, mb: s.boxes[r.User.ID]}
		if c.mb == nil {
			if s.out[r.User.ID] == "ResourceNotFound" {
				r.Error(http.StatusNotFound, "ResourceNotFound", "Resource could not be discovered.")
				return
			}
			r.Error(http.StatusNotFound, "MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise.")
			return
		}
		if r.Caller.AppOnly {
			for _, user := range strings.Split(s.w.Switches.String(switchNoOData), ",") {
				if p := s.c.Person(strings.TrimSpace(user)); p != nil && p.ID == r.User.ID {
					r.Error(http.StatusForbidden, "ErrorAccessDenied", "Access to OData is disabled.")
					return
				}
			}
		}
		if r.Prefer.ImmutableID {
			r.Apply(`IdType="ImmutableId"`)
		}
		h(c)
		if c.answer != nil {
			c.answer()
		}
	})
}

// owns tells whether the caller may see all of the mailbox.
func (c *call) owns() bool {
	return c.Caller.AppOnly || c.Caller.UserID == c.mb.UserID || c.mb.SharedWith[c.Caller.UserID]
}

// sees tells whether the caller may see something shared with those users. Needs RLock.
func (c *call) sees(sharedWith map[string]bool) bool { return c.owns() || sharedWith[c.Caller.UserID] }

// badQuery answers a query option that cannot be served.
func (c *call) badQuery(err error) {
	c.Error(http.StatusBadRequest, "RequestBroker--ParseUri", err.Error())
}

// inefficient answers a filter and order that the store does not combine.
func (c *call) inefficient() {
	c.Error(http.StatusBadRequest, "InefficientFilter", "The restriction or sort order is too complex for this operation.")
}

func (c *call) itemNotFound() {
	c.Error(http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store.")
}

// malformed answers an id that no mailbox can have given out.
func (c *call) malformed() {
	c.Error(http.StatusBadRequest, "ErrorInvalidIdMalformed", "Id is malformed.")
}

// unknownID answers an id that names nothing: malformed, or not there (any more).
func (c *call) unknownID(id string) {
	if _, ok := c.mb.Ref(id); !ok {
		c.malformed()
		return
	}
	c.itemNotFound()
}

// options parses $filter and $orderby against a schema, and answers for itself when it cannot.
func (c *call) options(schema query.Schema) (f *query.Filter, keys []query.Order, ok bool) {
	f, err := query.ParseFilter(c.Query.Filter, schema)
	if err == nil {
		keys, err = query.ParseOrderBy(c.Query.OrderBy, schema)
	}
	if err != nil {
		c.badQuery(err)
		return nil, nil, false
	}
	if query.Inefficient(f, keys) {
		c.inefficient()
		return nil, nil, false
	}
	return f, keys, true
}

func (c *call) selection() query.Select { return query.ParseSelect(c.Query.Values.Get("$select")) }

// stamp writes a time as Outlook does: whole seconds, UTC.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "0001-01-01T00:00:00Z"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// lastNoon is where seeded mail ends: simulators that start on the same day tell the same.
func lastNoon(t time.Time) time.Time {
	return t.Add(-12 * time.Hour).Truncate(24 * time.Hour).Add(12 * time.Hour)
}
