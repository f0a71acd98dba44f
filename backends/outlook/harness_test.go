package outlook

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/directory"
	"github.com/workfs/workfs/backends/sim/entra"
	simgraph "github.com/workfs/workfs/backends/sim/graph"
	simoutlook "github.com/workfs/workfs/backends/sim/outlook"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// today is when the simulated world and the service under test believe to be.
var today = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// cloud is a simulated Graph with mailboxes.
type cloud struct {
	t       testing.TB
	world   *core.World
	company *company.Company
	entra   *entra.Service
	store   *simoutlook.Store
	url     string

	mu     sync.Mutex
	listen func(mailbox.Change) // is told of every change
}

// newCloud makes one. With scale -1 the mailboxes are empty, with 0 those of a small company.
func newCloud(t testing.TB, scale int) *cloud {
	t.Helper()
	w := core.NewWorld(core.Options{Seed: 1, Scale: max(scale, 0), Now: today})
	co := company.New(1)
	tokens, err := entra.New(w, co)
	if err != nil {
		t.Fatal(err)
	}
	g := simgraph.New(w, co, tokens)
	directory.New(w, g, co)
	c := &cloud{t: t, world: w, company: co, entra: tokens}
	if c.store, err = simoutlook.New(w, g, co, simoutlook.Options{Empty: scale < 0, Listener: c.changed}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	w.Hosts.Graph, c.url = srv.URL, srv.URL
	return c
}

func (c *cloud) changed(ch mailbox.Change) {
	c.mu.Lock()
	listen := c.listen
	c.mu.Unlock()
	if listen != nil {
		listen(ch)
	}
}

// alice is the mailbox of the delegated user.
func (c *cloud) alice() *mailbox.Mailbox { return c.store.Mailbox("alice@contoso.com") }

// fixed is a token source for one token.
type fixed string

func (f fixed) Token(context.Context) (auth.Token, error) {
	return auth.Token{Value: string(f), Expires: time.Now().Add(time.Hour)}, nil
}
func (fixed) Invalidate(string) {}

func (fixed) Challenge(string, string)    {}
func (fixed) Renew(context.Context) error { return nil }
func (fixed) Life() (auth.Life, error)    { return auth.Life{}, nil }

// sign says who signs in, and how.
type sign struct {
	app       bool
	without   string // a permission that was not consented
	scopes    string // all that was consented, instead
	features  []string
	granted   []string // what the mount knows of that
	formats   []string
	shared    []string
	transport http.RoundTripper
	throttled bool // answers of 429 are part of the test
}

// mount is a service with a cache that forgets nothing.
type mount struct {
	*service
	t     testing.TB
	cloud *cloud
	sink  *backendtest.Sink
}

func (c *cloud) mount(o sign) *mount {
	c.t.Helper()
	return c.remount(o, backendtest.NewSink())
}

// remount starts another process on the same cache.
func (c *cloud) remount(o sign, sink *backendtest.Sink) *mount {
	c.t.Helper()
	app := c.entra.Confidential
	claims := entra.Claims{
		Audience: entra.GraphAudience, TenantID: c.company.TenantID, AppID: app.ID, AppOnly: o.app,
		ObjectID: c.company.Alice().ID, UPN: "alice@contoso.com", Expires: today.AddDate(1, 0, 0),
	}
	granted := app.Scopes
	if o.app {
		granted = app.Roles
	}
	granted = slices.DeleteFunc(slices.Clone(granted), func(p string) bool { return o.without != "" && strings.HasPrefix(p, o.without) })
	if o.scopes != "" {
		granted = strings.Fields(o.scopes)
	}
	if o.app {
		claims.Roles, claims.ObjectID, claims.UPN = granted, app.ObjectID, ""
	} else {
		claims.Scopes = granted
	}
	client, err := graph.New(graph.Config{
		BaseURL: c.url, Tenant: c.company.TenantID, ClientID: app.ID, AppOnly: o.app, Tokens: fixed(c.entra.Mint(claims)),
		Transport: o.transport, Backoff: time.Millisecond,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	account, err := client.Account(context.Background(), sink)
	if err != nil {
		c.t.Fatal(err)
	}
	svc := newService(Config{
		Client: client, Account: account, Options: backends.Options{Formats: o.formats, Features: o.features, Granted: o.granted}, SharedMailboxes: o.shared,
		Memory: sink, Now: func() time.Time { return today },
	})
	// However slow the machine is.
	svc.limits.walkPause, svc.limits.roundWait = time.Minute, 2*time.Minute
	// Tests that let the service lag behind say so.
	svc.limits.early = 0
	m := &mount{svc, c.t, c, sink}
	c.t.Cleanup(func() {
		if p := sink.Problems(); len(p) > 0 {
			c.t.Errorf("against the contract: %v", p)
		}
		if s := c.world.Stats.Snapshot(); s.Statuses["429"] > 0 && !o.throttled {
			c.t.Errorf("%d requests ran into the limit of the mailbox", s.Statuses["429"])
		}
	})
	return m
}

func (m *mount) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	m.t.Cleanup(cancel)
	return ctx
}

// find goes to a path by names, listing on the way what the cache does not have.
func (m *mount) find(path string) backends.Entry {
	m.t.Helper()
	e, err := m.tryFind(path)
	if err != nil {
		m.t.Fatalf("%s: %v", path, err)
	}
	return e
}

func (m *mount) tryFind(path string) (backends.Entry, error) {
	at := backends.Entry{IsDir: true}
	if path == "" {
		return at, nil
	}
	for part := range strings.SplitSeq(path, "/") {
		entries, err := m.tryList(at.Dir)
		if err != nil {
			return at, err
		}
		next, ok := entries[part]
		if !ok {
			return at, fmt.Errorf("no %q among %q: %w", part, slices.Sorted(maps.Keys(entries)), backends.ErrNotFound)
		}
		at = next
	}
	return at, nil
}

func (m *mount) tryList(dir backends.DirKey) (map[string]backends.Entry, error) {
	if !m.sink.Dir(dir).Whole {
		if err := m.List(m.ctx(), dir, m.sink); err != nil {
			return nil, err
		}
		if !m.sink.Dir(dir).Whole {
			return nil, fmt.Errorf("%q is not whole after its listing", dir)
		}
	}
	return m.sink.Names(dir), nil
}

// list gives a directory's entries by name.
func (m *mount) list(path string) map[string]backends.Entry {
	m.t.Helper()
	entries, err := m.tryList(m.find(path).Dir)
	if err != nil {
		m.t.Fatalf("%s: %v", path, err)
	}
	return entries
}

func (m *mount) names(path string) []string {
	m.t.Helper()
	return slices.Sorted(maps.Keys(m.list(path)))
}

// refresh asks again for a directory that has grown old, and gives its entries.
func (m *mount) refresh(path string) map[string]backends.Entry {
	m.t.Helper()
	e := m.find(path)
	if err := m.List(m.ctx(), e.Dir, m.sink); err != nil {
		m.t.Fatalf("%s: %v", path, err)
	}
	return m.sink.Names(e.Dir)
}

// read fetches a file, or gives the body that its listing brought.
func (m *mount) read(path string) string {
	m.t.Helper()
	body, err := m.tryRead(m.find(path))
	if err != nil {
		m.t.Fatalf("%s: %v", path, err)
	}
	return body
}

func (m *mount) tryRead(e backends.Entry) (string, error) {
	if e.Body != nil {
		return string(e.Body), nil
	}
	c, err := m.Fetch(m.ctx(), backends.File{ID: e.ID, Version: e.Version, Ref: e.Ref, Size: e.Size}, 0, -1)
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	return string(b), err
}

// counted runs fn and tells how many requests it made, and which.
func (m *mount) counted(fn func()) (int, map[string]int) {
	m.cloud.world.Stats.Reset()
	fn()
	s := m.cloud.world.Stats.Snapshot()
	return s.Total, s.Requests
}

// atMost fails when fn makes more requests than want.
func (m *mount) atMost(want int, what string, fn func()) {
	m.t.Helper()
	if n, routes := m.counted(fn); n > want {
		m.t.Errorf("%s: %d requests, want at most %d: %v", what, n, want, routes)
	}
}

// exactly fails when fn does not make just so many requests.
func (m *mount) exactly(want int, what string, fn func()) {
	m.t.Helper()
	if n, routes := m.counted(fn); n != want {
		m.t.Errorf("%s: %d requests, want %d: %v", what, n, want, routes)
	}
}

// months gives the names in a folder that are months.
func (m *mount) months(path string) (out []string) {
	m.t.Helper()
	for name, e := range m.list(path) {
		if e.Name.Fixed {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// walk lists a folder's months one after the other, as grep -r does, and gives all their files by path.
func (m *mount) walk(path string) map[string]backends.Entry {
	m.t.Helper()
	all := map[string]backends.Entry{}
	for _, month := range m.months(path) {
		for name, e := range m.list(path + "/" + month) {
			all[month+"/"+name] = e
		}
	}
	return all
}

// say makes the content of a plain message.
func say(subject, body string) *mailbox.Content {
	return &mailbox.Content{
		Subject: subject, Body: body, HTML: true, From: &mailbox.Address{Name: "Bob Jones", Address: "bob@contoso.com"},
		To:        []mailbox.Address{{Name: "Alice Smith", Address: "alice@contoso.com"}},
		MessageID: "<" + subject + "@contoso.com>", ConversationID: "c-" + subject,
	}
}

func message(at time.Time, c *mailbox.Content) *mailbox.Message {
	return &mailbox.Message{
		Received: at, Sent: at, Created: at, Modified: at, HasAttachments: c.HasAttachments(),
		Content: func() *mailbox.Content { return c },
	}
}

// add puts a message into a folder of alice's.
func (c *cloud) add(f *mailbox.Folder, m *mailbox.Message) *mailbox.Message {
	c.t.Helper()
	added, err := c.alice().AddMessage(f, m)
	if err != nil {
		c.t.Fatal(err)
	}
	return added
}

// fill puts n plain messages into a folder, evenly over the months from first to last.
func (c *cloud) fill(f *mailbox.Folder, n int, first, last month) {
	var all []*mailbox.Message
	for i := range n {
		m := first + month(i*int(last-first+1)/n)
		at := m.start().Add(time.Duration(i%2000) * time.Minute)
		all = append(all, message(at, say(fmt.Sprintf("Subject %d", i), fmt.Sprintf("<p>Body %d</p>", i))))
	}
	c.alice().Fill(f, all)
}

func parsed(t *testing.T, s string) month {
	t.Helper()
	m, ok := parseMonth(s)
	if !ok {
		t.Fatalf("%q is no month", s)
	}
	return m
}

const inbox = "alice@contoso.com/mail/Inbox"
