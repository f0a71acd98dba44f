package box

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/rest"
)

// Config describes a Backend.
type Config struct {
	// APIURL is the base of the API without its version, https://api.box.com when empty.
	APIURL string
	// ClientID, Subject, AsUser and Lineage name, with the address, the account in Memory. Lineage names the stored sign-in,
	// so that another person's is not taken for the one before; "" where there is nothing to tell apart.
	ClientID, Subject, Lineage string
	// Enterprise says that the sign-in may act as every user of its enterprise. EnterpriseContent says that it sees the
	// enterprise's content by the scope for that, and acts as nobody.
	Enterprise, EnterpriseContent bool
	// AsUser is the login or id of the one user as whom everything is seen, "" for the signed-in one.
	AsUser string
	// Headers are sent with each request to the API, over those of Header. An empty value leaves a header out.
	Headers map[string]string

	Tokens    auth.Source
	Transport http.RoundTripper
	// ContentHosts are the hosts that downloads may be redirected to, *.boxcloud.com when empty.
	ContentHosts []string
	UserAgent    string
	Log          *slog.Logger
	// MaxAge is the age at which folders are listed again; 0 means the cache's default.
	MaxAge time.Duration
	// Backoff is the first wait where the service names none, 1 s by default.
	Backoff time.Duration

	// RealtimeHosts are the hosts that get a token with a long poll: "host", "host:port" or "*.domain". When empty they are
	// realtime.services.box.net and its subdomains.
	RealtimeHosts []string
	// Receiver takes webhooks; nil where Box can't reach this machine.
	Receiver backends.Receiver
	// WebhookKeys are the signature keys of the app, primary first. Without any, deliveries are refused.
	WebhookKeys []string
	// Now is the clock that the cache uses, time.Now when nil. Tick is the longest that a wait of minutes goes by the real
	// clock before it looks at Now again, 30 s when 0.
	Now  func() time.Time
	Tick time.Duration
}

// ContentHosts are the hosts that Box's downloads come from, as rest.Options wants them.
func ContentHosts() []string { return []string{"*.boxcloud.com"} }

// Backend is Box for one connection.
type Backend struct {
	cfg     Config
	rest    *rest.Client
	account signIn

	mu     sync.Mutex
	gaps   map[string]backends.Gap // by what they are about, usually their path
	views  map[string]*view        // by the acting user's id
	people map[string]user         // of the enterprise as last listed, by id

	roots sync.Mutex // held while what is remembered of roots changes; above the cache's locks

	follower atomic.Pointer[follower] // nil unless changes are followed
}

var _ backends.Follower = (*Backend)(nil)

// New makes a Backend. It asks who is signed in, once: memory keeps the answer, so that later mounts need no network.
func New(ctx context.Context, cfg Config, memory backends.Memory) (*Backend, error) {
	cfg.APIURL = cmp.Or(cfg.APIURL, "https://api.box.com")
	if len(cfg.ContentHosts) == 0 {
		cfg.ContentHosts = ContentHosts()
	}
	if len(cfg.RealtimeHosts) == 0 {
		cfg.RealtimeHosts = []string{"realtime.services.box.net", "*.realtime.services.box.net"}
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Backoff = cmp.Or(cfg.Backoff, time.Second)
	cfg.Tick = cmp.Or(cfg.Tick, 30*time.Second)
	base, err := url.Parse(cfg.APIURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, fmt.Errorf("api_url %q is not an address", cfg.APIURL)
	}
	b := &Backend{cfg: cfg, gaps: map[string]backends.Gap{}, views: map[string]*view{}}
	limiters := []*rest.Limiter{newLimiter(cfg.Backoff)}
	searching := append(searchLimits(cfg.Backoff), limiters...)
	b.rest = rest.New(rest.Options{
		Base: base.JoinPath("2.0"), Tokens: cfg.Tokens, Transport: cfg.Transport, UserAgent: cfg.UserAgent,
		ContentHosts: cfg.ContentHosts, Classify: classify, Backoff: cfg.Backoff, Log: cfg.Log,
		Header: Header(cfg.Headers),
		Limits: func(r *http.Request) []*rest.Limiter {
			if strings.HasSuffix(r.URL.Path, "/2.0/search") {
				return searching
			}
			return limiters
		},
	})
	if err := b.identify(ctx, memory); err != nil {
		return nil, err
	}
	b.remarks()
	return b, nil
}

// check refuses settings that contradict each other.
func (cfg *Config) check() error {
	if cfg.Enterprise && cfg.EnterpriseContent || cfg.AsUser != "" && (cfg.Enterprise || cfg.EnterpriseContent) {
		return errors.New("enterprise, enterprise_content and as_user exclude each other")
	}
	for name := range cfg.Headers {
		if slices.Contains([]string{"Authorization", "As-User"}, http.CanonicalHeaderKey(name)) {
			return fmt.Errorf("headers: %s can't be set, it is this program's", name)
		}
	}
	return nil
}

// AsUser gives the header by which a request to the API is made as the acting user, nil when that is who is signed in.
func (b *Backend) AsUser() http.Header { return b.as(b.own()) }

// Scope implements backends.Backend.
func (b *Backend) Scope() string {
	return strings.Join([]string{"box", string(b.account.Enterprise.ID), string(b.account.ID)}, "|")
}

// Coverage implements backends.Backend.
func (b *Backend) Coverage() []backends.Gap {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.SortedFunc(maps.Values(b.gaps), func(x, y backends.Gap) int {
		return cmp.Or(cmp.Compare(x.Path, y.Path), cmp.Compare(x.Reason, y.Reason))
	})
}

func (b *Backend) gap(path, reason string) { b.gapOf(path, path, reason) }

// gapOf notes a gap whose path may be another one at another time.
func (b *Backend) gapOf(what, path, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gaps[what] = backends.Gap{Path: path, Reason: reason}
}

func (b *Backend) noGap(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.gaps, what)
}

// everybody tells whether the connection shows the files of all users.
func (b *Backend) everybody() bool { return b.cfg.Enterprise || b.cfg.EnterpriseContent }

// seesDirectory tells whether the sign-in may list users: an administrator may, within the app's scopes. Of a Service
// Account Box states role "user", yet it may.
func (b *Backend) seesDirectory() bool {
	return b.everybody() || b.account.Role == "admin" || b.account.Role == "coadmin"
}

// List implements backends.Backend.
func (b *Backend) List(ctx context.Context, dir backends.DirKey, sink backends.Sink) error {
	kind, view, id := parseKey(dir)
	switch kind {
	case rootKind:
		return b.listRoot(ctx, sink)
	case recentKind:
		return b.listRecents(ctx, sink)
	case usersKind:
		return b.listUsers(ctx, sink)
	case userKind:
		return b.listUser(view, sink)
	case folderKind:
		return b.listFolder(ctx, view, id, sink)
	case directoryKind:
		return b.listDirectory(ctx, sink)
	case groupsKind:
		return b.listGroups(ctx, sink)
	}
	return fmt.Errorf("%w: no such directory", backends.ErrNotFound)
}

const forever = -1

func (b *Backend) listRoot(ctx context.Context, sink backends.Sink) error {
	maxAge := time.Duration(forever)
	entries := []backends.Entry{fixedDir("files", b.identity(text(b.own()), "folder", "0"), folderKey(b.own(), "0"))}
	if b.everybody() {
		entries = append(entries, fixedDir("users", "users", key(usersKind)))
	}
	if b.seesDirectory() {
		entries = append(entries, fixedDir("directory", "directory", key(directoryKind)))
	}
	if b.hasRecents() {
		// Only the list itself tells whether there is one.
		err := b.listRecents(ctx, sink)
		if !refused(err) {
			entries = append(entries, fixedDir("recent", recentKind, key(recentKind)))
		}
		if err != nil {
			maxAge = b.cfg.MaxAge
		}
	}
	return commit(sink, "", maxAge, entries)
}

// identity names an item within the connection: view, type, id.
func (b *Backend) identity(view text, kind, id string) string {
	return string(view) + "|" + kind + "|" + id
}

// itemOf gives the type and the id of an item from its identity.
func itemOf(identity string) (kind, id text) {
	parts := strings.SplitN(identity, "|", 3)
	if len(parts) < 3 {
		return "", ""
	}
	return text(parts[1]), text(parts[2])
}

func fixedDir(name, id string, dir backends.DirKey) backends.Entry {
	return backends.Entry{
		Name: names.Wanted{Stem: name, Fixed: true}, ID: id, Item: id, IsDir: true, Dir: dir,
	}
}

// commit writes a directory that is a collection of its own.
func commit(sink backends.Sink, dir backends.DirKey, maxAge time.Duration, entries []backends.Entry) error {
	batch := sink.Begin(collection(dir))
	defer batch.Discard()
	if err := batch.Add(dir, entries...); err != nil {
		return err
	}
	return batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir, MaxAge: maxAge}}})
}

// Box allows 1000 requests per minute and user (developer.box.com, Rate limits), in whatever rhythm. So requests go out as
// they come, and only when Box has refused one do they keep a pace that stays below, a fraction of Config.Backoff. Whether
// impersonation uses the budget of the caller or of the acting user is not documented, so it is one budget here. The number
// in flight is ours.
const (
	paceOfBackoff = 65 * time.Millisecond // at a Backoff of one second
	inFlight      = 12
)

func newLimiter(backoff time.Duration) *rest.Limiter {
	return rest.NewPacedLimiter(inFlight, time.Duration(float64(paceOfBackoff)*backoff.Seconds()))
}

// Header gives the headers that every request to the API has: notifications by mail and webhook are off, where Box has
// permitted that to the application (elsewhere it takes no notice), and what else more says. An empty value leaves a header
// out.
func Header(more map[string]string) http.Header {
	h := http.Header{"Box-Notifications": {"off"}}
	for name, value := range more {
		if h.Del(name); value != "" {
			h.Set(name, value)
		}
	}
	return h
}

// classify knows Box's codes that mean something else than their status.
func classify(_ int, code, message string, _ http.Header) error {
	switch code {
	case "not_found":
		if strings.HasPrefix(message, "On-Behalf-Of") {
			return backends.ErrForbidden // not the item is missing, but the user who looks for it
		}
	case "operation_blocked_temporary":
		// A big move, copy or removal locks its tree.
		return backends.ErrUnavailable
	case "terms_of_service_required", "password_reset_required", "user_email_confirmation_required":
		return backends.ErrForbidden
	}
	return nil
}
