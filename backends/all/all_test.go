package all

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
			*c = backends.Connection{Type: "microsoft", Auth: "app", ClientID: "c", Tenant: "11111111-1111-1111-1111-111111111111", Features: []string{"mail"}}
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
