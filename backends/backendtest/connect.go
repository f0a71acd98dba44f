package backendtest

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/sim"
)

// Now is the virtual time at which simulators start.
var Now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// Backoff is a first wait that does not slow down tests.
const Backoff = 4 * time.Millisecond

// Start runs a simulator until the test ends. Without a time of its own it starts at Now.
func Start(t testing.TB, o sim.Options) *sim.Sim {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = Now
	}
	s, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Set changes a switch of a simulator.
func Set(t testing.TB, s *sim.Sim, name string, value any) {
	t.Helper()
	if err := s.World().Switches.Set(name, value); err != nil {
		t.Fatal(err)
	}
}

// Requests counts the requests of a simulator since its statistics were reset, of routes that contain all of the words.
func Requests(s *sim.Sim, words ...string) (n int) {
	for route, count := range s.World().Stats.Snapshot().Requests {
		match := true
		for _, w := range words {
			match = match && strings.Contains(route, w)
		}
		if match {
			n += count
		}
	}
	return n
}

// Credentials is a store that holds a secret and a refresh token, which may be empty.
func Credentials(t testing.TB, secret, refresh string) auth.Store {
	t.Helper()
	data, err := json.Marshal(map[string]string{"client_secret": secret, "refresh_token": refresh})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return auth.File(path)
}

// Transport is an http.Transport of the test's own.
func Transport(t testing.TB) *http.Transport {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// Graph is a client of a simulator's Graph, signed in as alice or as the application, and the account. Requests to one
// channel or chat are as close together as they like.
func Graph(t testing.TB, s *sim.Sim, appOnly bool, memory backends.Memory) (*graph.Client, graph.Account) {
	t.Helper()
	r := s.Ready()
	refresh := r.RefreshToken
	if appOnly {
		refresh = ""
	}
	tokens := auth.NewMicrosoft(auth.MicrosoftConfig{LoginURL: r.Login, Tenant: r.Tenant, ClientID: r.ClientID, AppOnly: appOnly},
		Credentials(t, r.ClientSecret, refresh), Transport(t))
	c, err := graph.New(graph.Config{
		BaseURL: r.Graph, Tenant: r.Tenant, ClientID: r.ClientID, AppOnly: appOnly,
		Tokens: tokens, Transport: Transport(t), ContentHosts: []string{hostOf(r.DriveDownload)},
		TeamsInterval: time.Microsecond, Backoff: Backoff,
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Account(t.Context(), memory)
	if err != nil {
		t.Fatal(err)
	}
	return c, a
}

// Box gives tokens and content hosts for a simulator's Box, for a subject as in the configuration.
func Box(t testing.TB, s *sim.Sim, subject string) (auth.Source, []string) {
	t.Helper()
	r := s.Ready()
	kind, id, _ := strings.Cut(subject, ":")
	tokens := auth.NewBox(auth.BoxConfig{TokenURL: r.BoxAPI + "/oauth2/token", ClientID: r.BoxClientID, SubjectType: kind, SubjectID: id},
		Credentials(t, r.BoxClientSecret, r.BoxRefreshToken), Transport(t))
	return tokens, []string{hostOf(r.BoxDownload)}
}

func hostOf(base string) string {
	_, host, _ := strings.Cut(base, "://")
	return host
}
