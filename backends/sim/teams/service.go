package teams

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/drive"
	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/order"
)

// Switches of this package.
const (
	switchOrder       = "teams.channel_order"
	switchLag         = "teams.export_lag_minutes"
	switchProtected   = "teams.protected_api_refused"
	switchRetention   = "teams.retention_policy"
	switchEmptyDelta  = "teams.delta_empty_first_page"
	switchEpoch       = "teams.delta_epoch"
	switchResync      = "teams.resync_status"
	switchReplies     = "teams.max_expanded_replies"
	switchListTeams   = "teams.list_by_users"
	switchReplication = "teams.replication_seconds"
)

const byCreation = "created" // of switchOrder; the other is "activity"

// Service serves the teams and chats of a Store.
type Service struct {
	Store *Store

	world  *core.World
	drives *drive.Service
	made   atomic.Uint64 // channels and chats made by clients, part of their ids
}

// New seeds teams, chats and their files and registers the routes with the Graph host.
func New(w *core.World, g *graph.Server, people *company.Company, drives *drive.Service) *Service {
	s := &Service{Store: newStore(w.Clock.Now, people, drives.Store), world: w, drives: drives}
	sw := w.Switches
	sw.Register(switchOrder, "activity", "order of channel posts: activity (of the thread) or created (undocumented)")
	sw.Register(switchLag, 60, "minutes that the export calls lag behind; the service says up to 24 hours")
	sw.Register(switchProtected, false, "app-only reads of messages are refused, as for apps not approved for protected APIs")
	sw.Register(switchRetention, true, "a retention policy keeps what is edited and deleted, for getAllRetainedMessages")
	sw.Register(switchEmptyDelta, true, "the first page of a full delta round of a channel is empty")
	sw.Register(switchEpoch, 1, "delta tokens of another epoch are refused: raise it to force a resync")
	sw.Register(switchResync, http.StatusGone, "status of that refusal: 410 with a Location, or 400 or 404 without")
	sw.Register(switchReplies, 1000, "replies that $expand=replies gives per post")
	sw.Register(switchListTeams, false, "users who are no administrators may list all teams of the organization (undocumented)")
	sw.Register(switchReplication, 0, "virtual seconds until reads know of a new message, of which notifications tell at once")
	newSeeder(s).seed()
	s.routes(g)
	return s
}

// handler answers under the Store's read lock, into a value, so that a slow client holds no lock.
type handler func(r *graph.Request, v view) answer

// answer is what to send once the lock is gone.
type answer func(r *graph.Request)

func (s *Service) view(r *graph.Request) view {
	return view{graph: s.world.Hosts.Graph, tenant: s.Store.people.TenantID, late: r.Enum}
}

// read runs a handler under the lock and sends its answer without it.
func (s *Service) read(h handler) func(*graph.Request) {
	return func(r *graph.Request) {
		s.Store.mu.RLock()
		a := h(r, s.view(r))
		s.Store.mu.RUnlock()
		a(r)
	}
}

func sendEntity(status int, m map[string]any) answer {
	return func(r *graph.Request) { r.Entity(status, m) }
}

func sendPage(p graph.Page) answer { return func(r *graph.Request) { r.WritePage(p) } }

func notFound(r *graph.Request) { r.Error(http.StatusNotFound, "NotFound", "Resource not found.") }

func refused(r *graph.Request) {
	r.Error(http.StatusForbidden, "Forbidden", "The caller is not a member of the team, channel or chat.")
}

func badRequest(message string) answer {
	return func(r *graph.Request) { r.Error(http.StatusBadRequest, "BadRequest", message) }
}

// guarded refuses app-only reads of messages when the protected APIs are closed.
func (s *Service) guarded(h func(*graph.Request)) func(*graph.Request) {
	return func(r *graph.Request) {
		if r.Caller.AppOnly && s.world.Switches.Bool(switchProtected) {
			r.Error(http.StatusForbidden, "UnknownError", "")
			return
		}
		h(r)
	}
}

// inTeam finds the team that the path names for a caller who may see it.
func (s *Service) inTeam(h func(*graph.Request, view, *Team) answer) handler {
	return func(r *graph.Request, v view) answer {
		t := s.Store.team(r.Param("team"))
		if t == nil {
			return notFound
		}
		if !r.Caller.AppOnly && member(t.Members, r.Caller.UserID) == nil && !t.hostsFor(r.Caller.UserID) {
			return refused
		}
		return h(r, v, t)
	}
}

// hostsFor says whether a person who is no member gets into one of the team's shared channels.
func (t *Team) hostsFor(userID string) bool {
	for _, c := range t.Channels {
		if c.Membership == shared && member(c.allMembers(), userID) != nil {
			return true
		}
	}
	return false
}

// sees says whether the caller may see a channel.
func (c *Channel) sees(caller graph.Caller) bool {
	return caller.AppOnly || member(c.allMembers(), caller.UserID) != nil
}

// inChannel finds the channel that the path names for a caller who may see it.
func (s *Service) inChannel(h func(*graph.Request, view, *Channel) answer) handler {
	return s.inTeam(func(r *graph.Request, v view, t *Team) answer {
		c := s.Store.byChan[r.Param("channel")]
		if c == nil || c.team != t {
			return notFound
		}
		if !c.sees(r.Caller) {
			return refused
		}
		return h(r, v, c)
	})
}

// inChat finds the chat that the path names for a caller who may see it. Through /users/{user} the person must be in it.
func (s *Service) inChat(h func(*graph.Request, view, *Chat) answer) handler {
	return func(r *graph.Request, v view) answer {
		c := s.Store.byChat[r.Param("chat")]
		if c == nil || r.User != nil && member(c.Members, r.User.ID) == nil {
			return notFound
		}
		if !r.Caller.AppOnly && member(c.Members, r.Caller.UserID) == nil {
			return refused
		}
		return h(r, v, c)
	}
}

// mark writes a position for a link.
func mark(k order.Key) string { return strconv.FormatInt(k.N, 10) + "|" + k.S }

func parseMark(text string) (order.Key, bool) {
	n, id, ok := strings.Cut(text, "|")
	number, err := strconv.ParseInt(n, 10, 64)
	return order.Key{N: number, S: id}, ok && err == nil
}

// resume gives the position of a followed link; nil on the first page.
func resume(r *graph.Request) *order.Key {
	text, ok := r.State()
	if !ok {
		return nil
	}
	k, ok := parseMark(text)
	if !ok {
		return nil
	}
	return &k
}

// keyPage makes a page of items that were taken up to a position. A page that had to be empty keeps its own position.
func keyPage(r *graph.Request, items []any, last order.Key, more bool) graph.Page {
	p := graph.Page{Items: items}
	if !more {
		return p
	}
	p.Next = mark(last)
	if len(items) == 0 {
		p.Next, _ = r.State()
	}
	return p
}

// offsetPage pages through a list that is short enough to be made anew for each page.
func offsetPage(r *graph.Request, all []any, size int) graph.Page {
	start := 0
	if text, ok := r.State(); ok {
		start, _ = strconv.Atoi(text)
		start = max(0, min(start, len(all)))
	}
	end := min(start+size, len(all))
	p := graph.Page{Items: all[start:end]}
	if end < len(all) {
		p.Next = strconv.Itoa(end)
	}
	return p
}
