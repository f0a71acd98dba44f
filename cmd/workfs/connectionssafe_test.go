package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

// whileRenewing runs fn while a mount renews what a store has: from its beginning until a refresh token is stored that
// replaces the one that fn may have read before.
func whileRenewing(t *testing.T, store auth.Store, fn func() error) {
	t.Helper()
	ended := make(chan error, 1)
	err := store.Update(t.Context(), func(c *auth.Credentials) error {
		go func() { ended <- fn() }()
		time.Sleep(300 * time.Millisecond) // for what fn does without the lock; it must wait for that
		c.RefreshToken = "second"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestStoreSecretsWhileRenewing: a refresh token that works once is not put back to the one before.
func TestStoreSecretsWhileRenewing(t *testing.T) {
	t.Parallel()
	store := auth.File(filepath.Join(t.TempDir(), "credentials", "box.json"))
	first := auth.Credentials{ClientSecret: "old", RefreshToken: "first", Lineage: "l", Account: "a", Passphrase: "p", AccessToken: "of the old secret"}
	if err := store.Create(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	whileRenewing(t, store, func() error {
		return storeSecrets(context.Background(), store, auth.Credentials{ClientSecret: "new"})
	})
	want := auth.Credentials{ClientSecret: "new", RefreshToken: "second", Lineage: "l", Account: "a", Passphrase: "p"}
	if c, err := store.Load(); err != nil || c != want {
		t.Errorf("stored %+v, %v", c, err)
	}
	// Another sign-in is another account's, perhaps.
	if err := storeSecrets(t.Context(), store, auth.Credentials{RefreshToken: "third", Lineage: "m", Scope: "s"}); err != nil {
		t.Fatal(err)
	}
	want.RefreshToken, want.Lineage, want.Scope, want.Account = "third", "m", "s", ""
	if c, err := store.Load(); err != nil || c != want {
		t.Errorf("stored %+v, %v", c, err)
	}
}

// TestStoreSecretsOverSeed: a refresh token that is stored is newer than the one that the configuration names.
func TestStoreSecretsOverSeed(t *testing.T) {
	t.Parallel()
	store := auth.WithSupply(auth.File(filepath.Join(t.TempDir(), "box.json")), auth.Supply{RefreshToken: auth.FixedSecret("seed")})
	if err := storeSecrets(t.Context(), store, auth.Credentials{RefreshToken: "given", ClientSecret: "c"}); err != nil {
		t.Fatal(err)
	}
	if c, err := store.Load(); err != nil || c.RefreshToken != "given" {
		t.Errorf("stored %+v, %v", c, err)
	}
}

// TestMoveSecretsWhileRenewing: what another program has just renewed is what is moved.
func TestMoveSecretsWhileRenewing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte("[connections.box]\ntype = \"box\"\nauth = \"oauth\"\nclient_id = \"1\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := config.Load(path, pflag.NewFlagSet("", pflag.ContinueOnError))
	if err != nil {
		t.Fatal(err)
	}
	from, err := file.Vault("box")
	if err != nil {
		t.Fatal(err)
	}
	if err := from.Create(t.Context(), auth.Credentials{ClientSecret: "s", RefreshToken: "first"}); err != nil {
		t.Fatal(err)
	}
	to := auth.File(filepath.Join(dir, "credentials", "work.json"))
	whileRenewing(t, from, func() error { return moveSecrets(context.Background(), file, "box", to) })
	if c, err := to.Load(); err != nil || c != (auth.Credentials{ClientSecret: "s", RefreshToken: "second"}) {
		t.Errorf("moved %+v, %v", c, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "credentials", "box*")); err != nil || len(left) > 0 {
		t.Errorf("left %v %v", left, err)
	}
}

// TestSharing: connections may have their secrets in one file.
func TestSharing(t *testing.T) {
	t.Parallel()
	all := []backends.Connection{{Name: "a", Credentials: "/c/a"}, {Name: "b", Credentials: "/c/a"}, {Name: "c", Credentials: "/c/c"}, {Name: "d"}, {Name: "e"}}
	for i, want := range []string{"b", "a", "", "", ""} {
		if got := sharing(all, all[i]); got != want {
			t.Errorf("%s shares with %q, want %q", all[i].Name, got, want)
		}
	}
}

// TestAPIVersions: a path gets its version whatever its query holds, and a whole address is left alone.
func TestAPIVersions(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/me":                                "/v1.0/me",
		"me":                                 "/v1.0/me",
		"/beta/me":                           "/beta/me",
		"/me/messages?$search=\"https://x\"": "/v1.0/me/messages?$search=\"https://x\"",
		"https://graph.microsoft.com/me":     "https://graph.microsoft.com/me",
	} {
		if got, err := new(apiCall).versioned("microsoft", path); err != nil || got != want {
			t.Errorf("%s: %q %v", path, got, err)
		}
	}
}

// TestForgetNeedsItsApp: a token is not sent to Box itself when the application of the connection can't be had.
func TestForgetNeedsItsApp(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	l := &boxLogin{login: &login{people: &said}}
	l.forget(t.Context(), newTrial(backends.Connection{Type: "box", TokenURL: "http://127.0.0.1:1/token", CAFile: "/nowhere/ca.pem"}, auth.Credentials{RefreshToken: "r"}))
	if got := said.String(); !strings.Contains(got, "/nowhere/ca.pem") || strings.Contains(got, "sign-in service") {
		t.Errorf("said %q", got)
	}
}

// TestAddConnectionAtTerminal: secrets that a person types are not shown.
func TestAddConnectionAtTerminal(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.config = e.path("new", "config.toml")
	s, tty := e.atTerminal("connections", "add", "box", "--type", "box", "--auth", "oauth", "--set", "client_id=1", "--client-secret-file", "-", "--refresh-token-file", "-")
	for _, question := range []string{"Client secret (not shown): ", "Refresh token (not shown): "} {
		s.waitFor(question)
		if echoes(t, tty) {
			t.Errorf("%sis shown", question)
		}
		s.enter("s3cret-" + question[:6])
	}
	if code := s.end(); code != 0 || strings.Contains(s.said(), "s3cret") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	c, err := auth.File(filepath.Join(filepath.Dir(e.config), "credentials", "box.json")).Load()
	if err != nil || c.ClientSecret != "s3cret-Client" || c.RefreshToken != "s3cret-Refres" {
		t.Errorf("stored %v, %v", c.Lineage, err)
	}
}
