package box_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/box"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// wire notes what requests go out with.
type wire struct {
	http.RoundTripper
	mu   sync.Mutex
	sent []sent
}

type sent struct {
	method, base, path, asUser, notifications, extra string
	token                                            bool
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.sent = append(w.sent, sent{
		r.Method, r.URL.Scheme + "://" + r.URL.Host, r.URL.Path, r.Header.Get("As-User"), r.Header.Get("Box-Notifications"),
		r.Header.Get("X-Extra"), r.Header.Get("Authorization") != "",
	})
	w.mu.Unlock()
	return w.RoundTripper.RoundTrip(r)
}

// take gives what was sent since it was asked last.
func (w *wire) take() []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.sent
	w.sent = nil
	return all
}

// on puts the wire below a configuration.
func (w *wire) on(cfg *box.Config) {
	w.RoundTripper = cfg.Transport
	cfg.Transport = w
}

// signIn opens a backend for a subject.
func signIn(t testing.TB, s *sim.Sim, subject string, memory backends.Memory, more ...func(*box.Config)) (*box.Backend, error) {
	t.Helper()
	tokens, hosts := backendtest.Box(t, s, subject)
	cfg := box.Config{
		APIURL: s.Ready().BoxAPI, ClientID: s.Ready().BoxClientID, Subject: subject,
		Tokens: tokens, Transport: backendtest.Transport(t), ContentHosts: hosts, Backoff: backendtest.Backoff,
	}
	for _, f := range more {
		f(&cfg)
	}
	return box.New(t.Context(), cfg, memory)
}

func mustSignIn(t testing.TB, s *sim.Sim, subject string, memory backends.Memory, more ...func(*box.Config)) *box.Backend {
	t.Helper()
	b, err := signIn(t, s, subject, memory, more...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func asUser(user string) func(*box.Config) { return func(c *box.Config) { c.AsUser = user } }

// TestAsUser sees another user's tree just as that user does, and sends nothing without saying for whom.
func TestAsUser(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	carol := boxID(t, s, "carol@contoso.com")
	plain := backendtest.NewSink()
	want := mustSignIn(t, s, "user:"+carol, plain)
	tree := backendtest.Walk(t, want, plain, nil)

	sink, w := backendtest.NewSink(), &wire{}
	s.World().Stats.Reset()
	b := mustSignIn(t, s, "enterprise:"+s.Ready().BoxEnterprise, sink, asUser("Carol@contoso.com"), w.on)
	if n := backendtest.Requests(s, "/2.0/"); n > 3 {
		t.Errorf("%d requests to open", n)
	}
	if b.Scope() != want.Scope() {
		t.Errorf("scope %q, %q when carol signs in", b.Scope(), want.Scope())
	}
	w.take()
	got := backendtest.Walk(t, b, sink, nil)
	if !slices.Equal(slices.Sorted(maps.Keys(got.Entries)), slices.Sorted(maps.Keys(tree.Entries))) || len(got.Entries) < 5 {
		t.Fatalf("%d entries, %d when carol signs in", len(got.Entries), len(tree.Entries))
	}
	for p, e := range tree.Entries {
		if g := got.Entries[p]; g.ID != e.ID || g.Version != e.Version || g.Ref != e.Ref {
			t.Errorf("%s is %+v, when carol signs in %+v", p, g, e)
		}
	}
	if data, err := backendtest.Read(t.Context(), b, got.Entries["files/todo.txt"]); err != nil || len(data) == 0 {
		t.Errorf("%q %v", data, err)
	}
	downloads := 0
	for _, r := range w.take() {
		switch r.base {
		case s.Ready().BoxAPI:
			if r.asUser != carol || r.notifications != "off" || !r.token {
				t.Errorf("%+v", r)
			}
		default:
			downloads++
			if r.asUser != "" || r.notifications != "" || r.token {
				t.Errorf("a download: %+v", r)
			}
		}
	}
	if downloads != 1 {
		t.Errorf("%d downloads", downloads)
	}
	if gaps := fmt.Sprint(b.Coverage()); !strings.Contains(gaps, "other enterprises own") {
		t.Errorf("coverage %s", gaps)
	}

	s.World().Stats.Reset()
	if again := mustSignIn(t, s, "enterprise:"+s.Ready().BoxEnterprise, sink, asUser("Carol@contoso.com")); again.Scope() != b.Scope() {
		t.Errorf("scope %q, before %q", again.Scope(), b.Scope())
	}
	if n := backendtest.Requests(s); n != 0 {
		t.Errorf("a remembered user costs %d requests", n)
	}
	if byID := mustSignIn(t, s, "enterprise:"+s.Ready().BoxEnterprise, backendtest.NewSink(), asUser(carol)); byID.Scope() != want.Scope() {
		t.Errorf("by id the scope is %q", byID.Scope())
	}
}

// TestAsUserLive: what happens in the user's tree shows, by events asked for as that user.
func TestAsUserLive(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	w := startWorld(t, s, true)
	w.stop()
	carol, rec := w.userID("carol@contoso.com"), &wire{}
	w.sink = backendtest.NewSink()
	w.open(false, func(c *box.Config) {
		c.Tokens, c.ContentHosts = backendtest.Box(t, s, "enterprise:"+s.Ready().BoxEnterprise)
		c.AsUser = carol
	}, rec.on)
	rec.take()
	w.list(w.b, w.sink, carol, "0")
	w.goesLive(carol)
	w.as = carol
	w.newFile("as carol.txt", "0", "x")
	w.eventually(func() string {
		if names := w.names(carol, "0"); !strings.Contains(names, "as carol.txt") {
			return names
		}
		return ""
	})
	polled := false
	for _, r := range rec.take() {
		polled = polled || strings.HasSuffix(r.path, "/subscribe")
		if r.token && r.asUser != carol {
			t.Errorf("%+v", r)
		}
	}
	if !polled {
		t.Error("there was no long poll")
	}
}

// TestAsOneself: Box refuses who impersonates themself.
func TestAsOneself(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	for _, user := range []string{"alice@contoso.com", "ALICE@contoso.com", s.Ready().BoxSubject} {
		sink, w := backendtest.NewSink(), &wire{}
		b := mustSignIn(t, s, "user:"+s.Ready().BoxSubject, sink, asUser(user), w.on)
		find(t, b, sink, "files/README.txt")
		for _, r := range w.take() {
			if r.asUser != "" {
				t.Errorf("as %s: %+v", user, r)
			}
		}
	}
}

// TestAsUserRefused has each way in which Box refuses to act as somebody (developer.box.com/guides/authentication/jwt/as-user).
func TestAsUserRefused(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	r := s.Ready()
	enterprise := "enterprise:" + r.BoxEnterprise
	service := mustSignIn(t, s, enterprise, backendtest.NewSink())
	serviceID := service.Scope()[strings.LastIndex(service.Scope(), "|")+1:]
	coadmin, _ := withRole(t, s, "coadmin")
	admin, boss := withRole(t, s, "admin")
	for name, c := range map[string]struct {
		subject, as, says string
		kind              error
		prepare           func()
	}{
		"unknown login":   {enterprise, "nobody@contoso.com", "no user with this login", backends.ErrNotFound, nil},
		"outsider":        {enterprise, "dana@fabrikam.com", "no user with this login", backends.ErrNotFound, nil},
		"half a login":    {enterprise, "carol@contoso", "no user with this login", backends.ErrNotFound, nil},
		"unknown id":      {enterprise, "987654321", "no such user", backends.ErrForbidden, nil},
		"inactive":        {enterprise, "frank@contoso.com", "inactive", backends.ErrForbidden, nil},
		"Service Account": {"user:" + admin, serviceID, "Service Account", backends.ErrForbidden, nil},
		"admin":           {"user:" + coadmin, boss, "co-administrator", backends.ErrForbidden, nil},
		"nobody special":  {"user:" + r.BoxSubject, boxID(t, s, "bob@contoso.com"), "only an administrator", backends.ErrForbidden, nil},
		"no list":         {"user:" + r.BoxSubject, "bob@contoso.com", "give the id instead", backends.ErrForbidden, nil},
		"setting missing": {enterprise, "carol@contoso.com", "right to perform actions as users", backends.ErrForbidden, func() {
			backendtest.Set(t, s, "box.as_user", false)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.prepare != nil {
				c.prepare()
				defer backendtest.Set(t, s, "box.as_user", true)
			}
			_, err := signIn(t, s, c.subject, backendtest.NewSink(), asUser(c.as))
			if !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.says) || !strings.Contains(fmt.Sprint(err), "as_user") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestWhoCannotBeImpersonated: those whom the sign-in cannot act as show in coverage with the reason and disturb nobody.
func TestWhoCannotBeImpersonated(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	enterprise := func(c *box.Config) { c.Enterprise = true }
	gapOf := func(t *testing.T, b *box.Backend, path string) string {
		t.Helper()
		for _, g := range b.Coverage() {
			if g.Path == path {
				return g.Reason
			}
		}
		return ""
	}
	t.Run("application", func(t *testing.T) {
		sink := backendtest.NewSink()
		b := mustSignIn(t, s, "enterprise:"+s.Ready().BoxEnterprise, sink, enterprise)
		s.World().Stats.Reset()
		list(t, b, sink, find(t, b, sink, "users").Dir)
		if n := backendtest.Requests(s); n != 1 {
			t.Errorf("%d requests to list the users", n)
		}
		refused, seen := 0, 0
		for login, e := range sink.Names("users") {
			list(t, b, sink, e.Dir)
			dir := sink.Names(e.Dir)["files"].Dir
			err := b.List(t.Context(), dir, sink)
			gap := gapOf(t, b, "users/"+login+"/files")
			switch {
			case err == nil && gap == "":
				seen++
			case errors.Is(err, backends.ErrForbidden) && strings.HasPrefix(login, "frank@") && strings.Contains(gap, "inactive"):
				refused++
			default:
				t.Errorf("%s: %v; coverage %q", login, err, gap)
			}
		}
		if refused != 1 || seen < 12 {
			t.Errorf("%d refused, %d seen", refused, seen)
		}
	})
	t.Run("co-administrator", func(t *testing.T) {
		sink := backendtest.NewSink()
		id, login := withRole(t, s, "coadmin")
		_, boss := withRole(t, s, "admin")
		b := mustSignIn(t, s, "user:"+id, sink, enterprise)
		list(t, b, sink, find(t, b, sink, "users").Dir)
		if gap := gapOf(t, b, "users/"+boss+"/files"); !strings.Contains(gap, "co-administrator") {
			t.Errorf("before anybody looks: %q", gap)
		}
		err := b.List(t.Context(), find(t, b, sink, "users/"+boss+"/files").Dir, sink)
		if !errors.Is(err, backends.ErrForbidden) {
			t.Error(err)
		}
		for _, login := range []string{"carol@contoso.com", login} {
			list(t, b, sink, find(t, b, sink, "users/"+login+"/files").Dir)
			if gap := gapOf(t, b, "users/"+login+"/files"); gap != "" {
				t.Errorf("%s: %q", login, gap)
			}
		}
	})
	t.Run("setting missing", func(t *testing.T) {
		sink := backendtest.NewSink()
		b := mustSignIn(t, s, "enterprise:"+s.Ready().BoxEnterprise, sink, enterprise)
		dir := find(t, b, sink, "users/carol@contoso.com/files").Dir
		backendtest.Set(t, s, "box.as_user", false)
		if err := b.List(t.Context(), dir, sink); !errors.Is(err, backends.ErrForbidden) {
			t.Error(err)
		}
		if gap := gapOf(t, b, "users/carol@contoso.com/files"); !strings.Contains(gap, "right to perform actions as users") {
			t.Errorf("%q", gap)
		}
		backendtest.Set(t, s, "box.as_user", true)
		list(t, b, sink, dir)
		if gap := gapOf(t, b, "users/carol@contoso.com/files"); gap != "" {
			t.Errorf("the gap stays: %q", gap)
		}
	})
	t.Run("removed", func(t *testing.T) {
		sink := backendtest.NewSink()
		b := mustSignIn(t, s, "enterprise:"+s.Ready().BoxEnterprise, sink, enterprise)
		dir := find(t, b, sink, "users/carol@contoso.com/files").Dir
		id := boxID(t, s, "carol@contoso.com")
		s.World().Faults.Set(core.FaultRule{
			Route: "GET /2.0/folders/0/items", Status: 404,
			Body: map[string]any{"type": "error", "status": 404, "code": "not_found", "message": "On-Behalf-Of User not found", "context_info": map[string]any{"invalid_user_id": map[string]string{"id": id}}},
		})
		defer s.World().Faults.Set()
		if err := b.List(t.Context(), dir, sink); !errors.Is(err, backends.ErrForbidden) || errors.Is(err, backends.ErrNotFound) {
			t.Error(err)
		}
	})
}

// TestServiceAccount: a mount that is empty because a Service Account owns nothing says so.
func TestServiceAccount(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	b := mustSignIn(t, s, "enterprise:"+s.Ready().BoxEnterprise, backendtest.NewSink())
	if gaps := fmt.Sprint(b.Coverage()); !strings.Contains(gaps, "owns nothing") || !strings.Contains(gaps, "AutomationUser_") {
		t.Error(gaps)
	}
	if gaps := fmt.Sprint(mustSignIn(t, s, "user:"+s.Ready().BoxSubject, backendtest.NewSink()).Coverage()); strings.Contains(gaps, "owns nothing") {
		t.Error(gaps)
	}
}

// TestHeaders: each request to the API has the headers of the connection, a download has none of them.
func TestHeaders(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	sink, w := backendtest.NewSink(), &wire{}
	b := mustSignIn(t, s, "user:"+s.Ready().BoxSubject, sink, w.on, func(c *box.Config) {
		c.Headers = map[string]string{"x-extra": "yes", "box-notifications": ""}
	})
	if _, err := backendtest.Read(t.Context(), b, find(t, b, sink, "files/README.txt")); err != nil {
		t.Fatal(err)
	}
	for _, r := range w.take() {
		extra := "yes"
		if r.base != s.Ready().BoxAPI {
			extra = ""
		}
		if r.extra != extra || r.notifications != "" {
			t.Errorf("%+v", r)
		}
	}
	for _, name := range []string{"authorization", "As-User"} {
		if _, err := signIn(t, s, "user:"+s.Ready().BoxSubject, sink, func(c *box.Config) { c.Headers = map[string]string{name: "x"} }); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestLineage: another person's sign-in under the same name is not taken for the one before.
func TestLineage(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	memory := backendtest.NewSink()
	lineage := func(l string) func(*box.Config) {
		return func(c *box.Config) { c.Subject, c.Lineage = "", l }
	}
	alice := mustSignIn(t, s, "user:"+s.Ready().BoxSubject, memory, lineage("one")).Scope()
	carol := mustSignIn(t, s, "user:"+boxID(t, s, "carol@contoso.com"), memory, lineage("two")).Scope()
	if alice == carol {
		t.Errorf("both are %q", alice)
	}
	s.World().Stats.Reset()
	if again := mustSignIn(t, s, "user:"+s.Ready().BoxSubject, memory, lineage("one")).Scope(); again != alice {
		t.Errorf("%q, before %q", again, alice)
	}
	if n := backendtest.Requests(s); n != 0 {
		t.Errorf("a remembered account costs %d requests", n)
	}
}

func boxID(t testing.TB, s *sim.Sim, mail string) string {
	t.Helper()
	for _, u := range s.Ready().Users {
		if u.Mail == mail {
			return u.BoxID
		}
	}
	t.Fatalf("nobody is %s", mail)
	return ""
}

// withRole finds somebody by what the enterprise has made of them.
func withRole(t testing.TB, s *sim.Sim, role string) (id, login string) {
	t.Helper()
	sink := backendtest.NewSink()
	b := mustSignIn(t, s, "enterprise:"+s.Ready().BoxEnterprise, sink, func(c *box.Config) { c.Enterprise = true })
	users := table(t, find(t, b, sink, "directory/users.csv").Body)
	i := slices.Index(column(users, "role"), role)
	if i < 0 {
		t.Fatalf("there is no %s", role)
	}
	return column(users, "id")[i], column(users, "login")[i]
}
