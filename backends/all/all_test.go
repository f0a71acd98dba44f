package all

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/sim"
)

// configured reads a configuration that a simulator wrote, the way that the program does.
func configured(t *testing.T, s *sim.Sim, name string) map[string]backends.Connection {
	t.Helper()
	dir := t.TempDir()
	if err := s.WriteConfig(dir); err != nil {
		t.Fatal(err)
	}
	var file struct {
		Connections map[string]struct {
			Type, Auth, Tenant, Subject, Credentials string
			ClientID                                 string `toml:"client_id"`
			Enterprise                               bool
			GraphURL                                 string   `toml:"graph_url"`
			LoginURL                                 string   `toml:"login_url"`
			APIURL                                   string   `toml:"api_url"`
			TokenURL                                 string   `toml:"token_url"`
			ContentHosts                             []string `toml:"content_hosts"`
			CAFile                                   string   `toml:"ca_file"`
		}
	}
	if _, err := toml.DecodeFile(filepath.Join(dir, name), &file); err != nil {
		t.Fatal(err)
	}
	all := map[string]backends.Connection{}
	for name, c := range file.Connections {
		conn := backends.Connection{
			Name: name, Type: c.Type, Auth: c.Auth, Tenant: c.Tenant, ClientID: c.ClientID, Subject: c.Subject, Enterprise: c.Enterprise,
			GraphURL: c.GraphURL, LoginURL: c.LoginURL, APIURL: c.APIURL, TokenURL: c.TokenURL, ContentHosts: c.ContentHosts,
			Credentials: filepath.Join(dir, c.Credentials),
		}
		if c.CAFile != "" {
			conn.CAFile = filepath.Join(dir, c.CAFile)
		}
		all[name] = conn
	}
	return all
}

// TestMountBudget opens every kind of connection and lists its root, by HTTP and by HTTPS.
func TestMountBudget(t *testing.T) {
	for _, tls := range []bool{false, true} {
		var o sim.Options
		if tls {
			o.TLSDir = t.TempDir()
		}
		s := backendtest.Start(t, o)
		for _, file := range []string{"config.toml", "config-admin.toml", "config-box-oauth.toml"} {
			for name, conn := range configured(t, s, file) {
				s.World().Stats.Reset()
				memory := backendtest.NewSink()
				opened, err := Open(t.Context(), conn, backends.Options{}, memory)
				if err != nil {
					t.Errorf("%s %s: %v", file, name, err)
					continue
				}
				mounted := opened.Mounted
				if conn.Type == "box" {
					if err := mounted[0].Backend.List(t.Context(), "", backendtest.NewSink()); err != nil || mounted[0].Path != "" {
						t.Errorf("%s %s: %q %v", file, name, mounted[0].Path, err)
					}
				} else if len(mounted) != 3 || mounted[0].Path != "outlook" || mounted[1].Path != "teams" || mounted[2].Path != "directory" {
					t.Errorf("%s %s: %+v", file, name, mounted)
				}
				if n := backendtest.Requests(s); n > 3 {
					t.Errorf("%s %s: mounting costs %d requests: %v", file, name, n, s.World().Stats.Snapshot().Requests)
				}
				scopes := map[string]bool{}
				for _, m := range mounted {
					scopes[m.Backend.Scope()] = true
				}
				if len(scopes) != len(mounted) {
					t.Errorf("%s %s: scopes %v", file, name, scopes)
				}

				// The second time neither a token nor the account is asked for, and without a network it works, too.
				s.World().Stats.Reset()
				again, err := Open(t.Context(), conn, backends.Options{}, memory)
				if err != nil || again.Mounted[0].Backend.Scope() != mounted[0].Backend.Scope() {
					t.Errorf("%s %s again: %v", file, name, err)
				}
				if n := backendtest.Requests(s); n != 0 {
					t.Errorf("%s %s: mounting again costs %d requests", file, name, n)
				}
			}
		}
		for _, leak := range s.World().Stats.Snapshot().Leaks {
			t.Errorf("leak: %+v", leak)
		}
	}
}

func TestRefusedCertificate(t *testing.T) {
	s := backendtest.Start(t, sim.Options{TLSDir: t.TempDir()})
	for name, conn := range configured(t, s, "config.toml") {
		conn.CAFile = ""
		if _, err := Open(t.Context(), conn, backends.Options{}, backendtest.NewSink()); !errors.Is(err, backends.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusedSignIn(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	for name, conn := range configured(t, s, "config-admin.toml") {
		if err := os.WriteFile(conn.Credentials, []byte(`{"client_secret":"not the right one"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		// An application with a tenant's GUID need not ask who it is, so only a request shows it.
		opened, err := Open(t.Context(), conn, backends.Options{}, backendtest.NewSink())
		if err == nil {
			err = opened.Mounted[0].Backend.List(t.Context(), "", backendtest.NewSink())
		}
		var refusal *auth.Error
		if !errors.Is(err, backends.ErrForbidden) || !errors.As(err, &refusal) || !strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "not the right one") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadConfiguration(t *testing.T) {
	good := backends.Connection{Type: "box", Auth: "ccg", ClientID: "c", Subject: "user:1", Credentials: "/nowhere/credentials.json"}
	for says, change := range map[string]func(*backends.Connection){
		`type is "dropbox"`:   func(c *backends.Connection) { c.Type = "dropbox" },
		`auth is "app"`:       func(c *backends.Connection) { c.Auth = "app" },
		`auth is ""`:          func(c *backends.Connection) { c.Type, c.Auth = "microsoft", "" },
		"subject":             func(c *backends.Connection) { c.Subject = "1" },
		"ca_file":             func(c *backends.Connection) { c.CAFile = "/nowhere/ca.pem" },
		"api_url":             func(c *backends.Connection) { c.APIURL = "api.box.com" },
		"no credentials file": func(*backends.Connection) {},
		"client_id":           func(c *backends.Connection) { c.ClientID = "" },
		"tenant":              func(c *backends.Connection) { c.Type, c.Auth = "microsoft", "app" },
		"graph_url":           func(c *backends.Connection) { c.Type, c.Auth, c.Tenant, c.GraphURL = "microsoft", "app", "t", "graph" },
		"features": func(c *backends.Connection) {
			*c = backends.Connection{Type: "microsoft", Auth: "app", ClientID: "c", Tenant: "11111111-1111-1111-1111-111111111111", Features: []string{"male"}}
		},
	} {
		conn := good
		change(&conn)
		_, err := Open(t.Context(), conn, backends.Options{}, backendtest.NewSink())
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}

func TestAPI(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	conns := configured(t, s, "config.toml")
	for name, path := range map[string]string{"contoso": "/v1.0/me", "box": "/2.0/users/me"} {
		c, err := API(conns[name], backends.Options{})
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(context.Background(), "GET", path, nil, nil)
		if err != nil || !strings.Contains(string(res.Body), "alice@contoso.com") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// noReceiver takes nothing.
type noReceiver struct{}

func (noReceiver) Handle(string, backends.DeliveryHandler) (string, func()) {
	return "http://127.0.0.1:1/nobody", func() {}
}

func TestSubscriptionsAreForReachableMachines(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	for name, conn := range configured(t, s, "config.toml") {
		for _, r := range []backends.Receiver{nil, noReceiver{}} {
			opened, err := Open(t.Context(), conn, backends.Options{Receiver: r}, backendtest.NewSink())
			if err != nil {
				t.Fatal(err)
			}
			// Box keeps its webhooks itself.
			if want := r != nil && conn.Type == "microsoft"; (opened.Run != nil) != want {
				t.Errorf("%s, with a receiver: %v: it has subscriptions to keep: %v", name, r != nil, !want)
			}
			for _, m := range opened.Mounted {
				if _, ok := m.Backend.(backends.Follower); !ok && m.Path != "directory" {
					t.Errorf("%s/%s follows no changes", name, m.Path)
				}
			}
		}
	}
}

// keep writes what a connection's credentials file holds.
func keep(t *testing.T, conn backends.Connection, change map[string]any) {
	t.Helper()
	data, err := os.ReadFile(conn.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	maps.Copy(all, change)
	if data, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conn.Credentials, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestServicesByFeatures: a service of which nothing is shown is not mounted, and the gaps say why.
func TestServicesByFeatures(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	for _, tt := range []struct {
		features []string
		scope    string // what the credentials say was granted
		mounted  string
		says     string
	}{
		{nil, "", "outlook teams directory", ""},
		{[]string{"calendar", "files"}, "", "outlook teams", "Not chosen: mail, contacts, teams, chats, directory, presence"},
		{[]string{"presence"}, "", "directory", "Not chosen: mail"},
		{nil, "User.Read Mail.Read", "outlook", "not granted Chat.Read"},
		{nil, "https://graph.microsoft.com/Chat.Read https://graph.microsoft.com/User.ReadBasic.All", "teams directory", "workfs login microsoft --name contoso"},
	} {
		conn := configured(t, s, "config.toml")["contoso"]
		conn.Features = tt.features
		if tt.scope != "" {
			keep(t, conn, map[string]any{"scope": tt.scope})
		}
		opened, err := Open(t.Context(), conn, backends.Options{}, backendtest.NewSink())
		if err != nil {
			t.Errorf("%v, %q: %v", tt.features, tt.scope, err)
			continue
		}
		var mounted []string
		for _, m := range opened.Mounted {
			mounted = append(mounted, m.Path)
		}
		if got := strings.Join(mounted, " "); got != tt.mounted {
			t.Errorf("%v, %q: mounted are %s, want %s", tt.features, tt.scope, got, tt.mounted)
		}
		if got := fmt.Sprint(opened.Gaps); !strings.Contains(got, tt.says) || tt.says == "" && len(opened.Gaps) > 0 {
			t.Errorf("%v, %q: gaps %s, want %q", tt.features, tt.scope, got, tt.says)
		}
	}
	conn := configured(t, s, "config.toml")["contoso"]
	keep(t, conn, map[string]any{"scope": "User.Read openid profile"})
	if _, err := Open(t.Context(), conn, backends.Options{}, backendtest.NewSink()); !errors.Is(err, backends.ErrForbidden) || !strings.Contains(err.Error(), "workfs login microsoft --name contoso") {
		t.Errorf("nothing was granted: %v", err)
	}
}

// TestAnotherSignIn: somebody else who signs in under the same name is not taken for the one before, while credentials that
// can't be read at the moment are taken for those that were.
func TestAnotherSignIn(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	for name, conn := range configured(t, s, "config-box-oauth.toml") {
		testAnotherSignIn(t, s, name, conn)
	}
	testAnotherSignIn(t, s, "contoso", configured(t, s, "config.toml")["contoso"])
}

func testAnotherSignIn(t *testing.T, s *sim.Sim, name string, conn backends.Connection) {
	memory := backendtest.NewSink()
	open := func() (requests int, err error) {
		s.World().Stats.Reset()
		_, err = Open(t.Context(), conn, backends.Options{}, memory)
		return backendtest.Requests(s, "/me"), err
	}
	for _, step := range []struct {
		what   string
		change func()
		asks   int
	}{
		{"the first", func() { keep(t, conn, map[string]any{"lineage": "first"}) }, 1},
		{"again", func() {}, 0},
		{"a second one", func() { keep(t, conn, map[string]any{"lineage": "second"}) }, 1},
		{"lost credentials", func() {
			if err := os.Remove(conn.Credentials); err != nil {
				t.Fatal(err)
			}
		}, 0},
	} {
		step.change()
		if asked, err := open(); err != nil || asked != step.asks {
			t.Errorf("%s, %s: %v, %d questions who that is, want %d", name, step.what, err, asked, step.asks)
		}
	}
}

// TestHeaders: the connection's headers go with requests to the API.
func TestHeaders(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	var mu sync.Mutex
	var seen []http.Header
	graph, err := url.Parse(s.Ready().Graph)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(graph)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.Header.Clone())
		mu.Unlock()
		forward.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	conn := configured(t, s, "config.toml")["contoso"]
	conn.GraphURL, conn.Headers = proxy.URL, map[string]string{"x-cost-centre": "4711"}
	if _, err := Open(t.Context(), conn, backends.Options{}, backendtest.NewSink()); err != nil {
		t.Fatal(err)
	}
	c, err := API(conn, backends.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), "GET", "/v1.0/me", nil, nil); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) < 2 {
		t.Fatalf("%d requests went through", len(seen))
	}
	for _, h := range seen {
		if h.Get("X-Cost-Centre") != "4711" {
			t.Errorf("a request without the header: %v", h)
		}
	}
}

// TestClaimsChallenge: sessions are revoked, and the next request gets a token that answers Graph's challenge.
func TestClaimsChallenge(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	for _, name := range []string{"config.toml", "config-admin.toml"} {
		var conn backends.Connection
		for _, c := range configured(t, s, name) {
			if c.Type == "microsoft" {
				conn = c
			}
		}
		c, err := API(conn, backends.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ask := func() error {
			_, err := c.Do(t.Context(), "GET", "/v1.0/users", nil, nil)
			return err
		}
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		before := backendtest.Requests(s, "/token")
		backendtest.Set(t, s, "graph.sessions_revoked", int(s.World().Clock.Now().Add(time.Minute).Unix()))
		if err := ask(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := backendtest.Requests(s, "/token") - before; n != 1 {
			t.Errorf("%s: %d tokens were asked for, want the one that meets the challenge", name, n)
		}
		if s.World().Stats.Snapshot().Statuses["401"] == 0 {
			t.Errorf("%s: nothing was challenged", name)
		}
		backendtest.Set(t, s, "graph.sessions_revoked", 0)
		s.World().Stats.Reset()
	}
}

// TestTokenCommand: tokens of a command do, and one to another organisation is noticed.
func TestTokenCommand(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	for name, conn := range configured(t, s, "config.toml") {
		tokens, err := SignIn(conn)
		if err != nil {
			t.Fatal(err)
		}
		token, err := tokens.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(`{"access_token":"`+token.Value+`","expires_in":3600}`), 0o600); err != nil {
			t.Fatal(err)
		}
		conn.Auth, conn.TokenCommand, conn.Credentials = "token", "cat '"+file+"'", ""
		if _, err := Open(t.Context(), conn, backends.Options{}, backendtest.NewSink()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if conn.Type != "microsoft" {
			continue
		}
		for tenant, want := range map[string]error{"": nil, "contoso.com": nil, "11111111-1111-1111-1111-111111111111": backends.ErrForbidden} {
			conn.Tenant = tenant
			if _, err := Open(t.Context(), conn, backends.Options{}, backendtest.NewSink()); !errors.Is(err, want) {
				t.Errorf("tenant %q: %v, want %v", tenant, err, want)
			}
		}
	}
}
