package box

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

// Options of a Box service.
type Options struct {
	ClientID        string // of the app for people and client credentials
	ClientSecret    string
	JWTClientID     string // of the app that signs its assertions
	JWTClientSecret string
	ImportFiles     string // a directory that becomes Alice's files instead of the seeded tree; empty for none
}

// Server is the simulated Box.
type Server struct {
	w        *core.World
	opts     Options
	co       *company.Company
	store    *store
	apps     []*app
	tokens   *tokens
	codes    *codes
	replays  replays
	sessions sessions
	key      [32]byte // signs markers, download URLs and forms
	calls    atomic.Uint64

	stop    context.CancelFunc // ends hashing
	hashing *sync.WaitGroup

	bg      *background
	journal *journal
	polls   polls
	hooks   *hooks
	scripts sync.Mutex // held while a switch that is a list loses its first entry

	api, account, download, realtime *core.Router
}

// New builds a Box enterprise for the company. Names and sizes below ImportFiles are
// read at once, contents in the background and on demand. Close must be called in the end.
func New(w *core.World, co *company.Company, o Options) (*Server, error) {
	s := &Server{w: w, opts: o, co: co, store: newStore(w), tokens: newTokens(w), codes: newCodes(w), key: w.Sum("box signing key")}
	registerSwitches(w.Switches)
	imported, err := seed(s.store, co, o.ImportFiles)
	if err != nil {
		return nil, fmt.Errorf("box: %w", err)
	}
	s.apps = newApps(o, s.store)
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.hashing = cancel, hashAhead(ctx, imported)
	s.bg = newBackground()
	s.journal = newJournal(w, s.bg)
	s.polls.channels = map[string]*channel{}
	s.hooks = newHooks(s)
	s.api = core.NewRouter(w, core.HostBoxAPI)
	s.account = core.NewRouter(w, core.HostBoxAccount)
	s.download = core.NewRouter(w, core.HostBoxDownload)
	s.realtime = core.NewRouter(w, core.HostBoxRealtime)
	s.routes()
	return s, nil
}

func registerSwitches(sw *core.Switches) {
	sw.Register("box.awkward", "folder", "odd JSON and odd pages: folder (below the seeded folder for that), all or off")
	sw.Register("box.plain_listings", false, "leave out what the official SDKs cannot decode, wherever it is")
	sw.Register("box.scopes", "root_readonly root_readwrite manage_managed_users manage_app_users manage_groups manage_webhook manage_enterprise_properties",
		"scopes of the app; tokens get those in force when they are made")
	sw.Register("box.app_authorized", true, "an admin has authorised the apps")
	sw.Register("box.authorized_scopes", "", "what the admin authorised for tokens of server grants; empty: always the app's present scopes")
	sw.Register("box.user_tokens", true, "the apps may make user tokens with client credentials or a JWT")
	sw.Register("box.enterprise_access", true, "the apps have App + Enterprise Access; off, they reach their Service Account and App users only")
	sw.Register("box.as_user", true, "the apps may use the As-User header")
	sw.Register("box.onboarding", "", "refuse API calls as Box does before a user is ready: terms_of_service_required, password_reset_required, user_email_confirmation_required or access_from_location_blocked, for one login if that follows")
	sw.Register("box.clock_offset", 0, "seconds that Box's clock is ahead, as the Date header and assertions show")
	sw.Register("box.ccg_external", true, "tokens for a user see what other enterprises share with that user")
	sw.Register("box.token_seconds", 0, "life of an access token; 0 varies between 3600 and 4110")
	sw.Register("box.drop_refresh", 0, "break the connection for so many refreshes, after the old token died")
	sw.Register("box.refresh_delay_ms", 0, "real milliseconds between the end of the old refresh token and the answer with the new one")
	sw.Register("box.json_401", false, "answer 401 with a JSON body instead of an empty one")
	sw.Register("box.rate_per_minute", 1000, "calls per acting user and minute when throttle is real")
	sw.Register("box.retry_after", true, "send Retry-After with 429")
	sw.Register("box.offset_ceiling", 100000, "highest offset in folders; elsewhere it is 10000")
	sw.Register("box.download_seconds", 900, "how long a download URL works")
	sw.Register("box.download_strict", false, "refuse download URLs that come with Authorization or As-User; off, since clients that send it are known to work, and each case shows in the statistics (leaks)")
	sw.Register("box.ignore_range", false, "the download host answers 200 with everything whatever Range says")
	sw.Register("box.truncate_downloads", 0, "break downloads off after so many bytes; 0 never")
	sw.Register("box.upload_pending", 1, "how many content requests get 202 after an upload")
	sw.Register("box.big_operation_seconds", 3, "how long a tree of more than 500 items is blocked after move, trash or restore; 0 never")
	sw.Register("box.recent_downloads", true, "a download counts as an access for GET /recent_items")
	sw.Register("box.search_lag_seconds", 0, "how long a new item stays out of the search index; Box says 10 minutes and more")
	sw.Register("box.same_ids", false, "make a folder with the id of an existing file for each folder created from now on")
}

// Close ends what runs in the background and waits for it.
func (s *Server) Close() {
	s.stop()
	s.hashing.Wait()
	s.bg.close()
	s.hooks.client.CloseIdleConnections()
}

// API is the handler of api.box.com; it also takes uploads, below /2.0 and below /api/2.0.
func (s *Server) API() http.Handler { return s.api }

// Account is the handler of account.box.com, with the pages of the authorisation code flow.
func (s *Server) Account() http.Handler { return s.account }

// Download is the handler of the download hosts below boxcloud.com.
func (s *Server) Download() http.Handler { return s.download }

// Realtime is the handler of the hosts for long polls, below realtime.services.box.net.
func (s *Server) Realtime() http.Handler { return s.realtime }

// EnterpriseID is the enterprise of the company.
func (s *Server) EnterpriseID() string { return s.store.ours.id }

// UserID gives the Box id of a login, "" when there is none.
func (s *Server) UserID(login string) string {
	if u := s.userOf(login); u != nil {
		return u.id()
	}
	return ""
}

// userOf finds a login, nil if there is none.
func (s *Server) userOf(login string) *user {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	return s.store.userByLogin(login)
}

// IssueRefreshToken gives a refresh token of the first app for a login, as if that user had just consented; "" for an unknown login.
func (s *Server) IssueRefreshToken(login string) string {
	u := s.userOf(login)
	if u == nil {
		return ""
	}
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	return s.tokens.newRefresh(s.apps[0], u, nil)
}

// requestID is that of the header; the body has another.
func (s *Server) requestID() (header, body string) {
	n := s.calls.Add(1)
	sum := s.w.Sum("box request " + strconv.FormatUint(n, 10))
	return "0" + hex.EncodeToString(sum[:16]), hex.EncodeToString(sum[16:24])
}

var gzips = sync.Pool{New: func() any { w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed); return w }}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 64<<10); return &b }}

// respond answers with v as JSON, compressed only if the client asked for it.
func respond(r *core.Request, status int, v any) {
	buf := buffers.Get().(*[]byte)
	defer func() { buffers.Put(buf) }()
	*buf = appendJSON((*buf)[:0], v)
	h := r.W.Header()
	h.Set("Content-Type", "application/json")
	if len(*buf) > 2048 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		h.Set("Vary", "Accept-Encoding")
		r.W.WriteHeader(status)
		z := gzips.Get().(*gzip.Writer)
		defer gzips.Put(z)
		z.Reset(r.W)
		_, _ = z.Write(*buf)
		_ = z.Close()
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(*buf)))
	r.W.WriteHeader(status)
	_, _ = r.W.Write(*buf)
}
