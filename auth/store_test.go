package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// eachStore runs a test on every kind of store. open opens the same one again, as another process would.
func eachStore(t *testing.T, test func(t *testing.T, path string, open func() Store)) {
	for _, kind := range StoreKinds() {
		t.Run(kind, func(t *testing.T) {
			if kind == "keyring" {
				startKeyring(t)
			}
			path := filepath.Join(t.TempDir(), "new", "contoso.json")
			test(t, path, func() Store { return openStore(t, kind, path, "a passphrase") })
		})
	}
}

func openStore(t *testing.T, kind, path, passphrase string) Store {
	t.Helper()
	s, err := NewStore(StoreConfig{Kind: kind, Name: "contoso", Path: path, Passphrase: func(context.Context) (string, error) { return passphrase, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := s.(*vault).medium.(*sealed); ok {
		a.work = 10 // as little as does not slow the tests down
	}
	return s
}

func TestStores(t *testing.T) {
	eachStore(t, func(t *testing.T, path string, open func() Store) {
		s := open()
		if _, err := s.Load(); !errors.Is(err, ErrNoCredentials) {
			t.Errorf("nothing stored: %v", err)
		}
		if err := s.Delete(t.Context()); err != nil {
			t.Errorf("deleting nothing: %v", err)
		}
		// An update that fails or changes nothing leaves nothing behind.
		no := errors.New("no")
		if err := s.Update(t.Context(), func(c *Credentials) error { c.RefreshToken = "lost"; return no }); err != no {
			t.Error(err)
		}
		if err := s.Update(t.Context(), func(*Credentials) error { return nil }); err != nil {
			t.Error(err)
		}
		if _, err := s.Load(); !errors.Is(err, ErrNoCredentials) {
			t.Errorf("nothing stored: %v", err)
		}

		want := Credentials{
			ClientSecret: secret, RefreshToken: "r0", PrivateKey: "-----BEGIN\nk\n", Passphrase: "p", Lineage: "l", Account: "alice@contoso.com", Scope: "a b",
			SignedInAt: time.Unix(1e9, 0).UTC(), RefreshedAt: time.Unix(1e9, 5).UTC(), SecretExpiresAt: time.Unix(2e9, 0).UTC(),
			AccessToken: strings.Repeat("a", 8000), IssuedAt: time.Unix(3, 0).UTC(), ExpiresAt: time.Unix(4, 0).UTC(), IssuedFor: "i", Seed: "s",
		}
		if err := s.Create(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		check := func(want Credentials) {
			t.Helper()
			for _, s := range []Store{s, open()} {
				if got, err := s.Load(); err != nil || got != want {
					t.Errorf("loaded %+v, %v", got, err)
				}
			}
		}
		check(want)
		// What another process stores is seen, and an update begins with it.
		if err := open().Update(t.Context(), func(c *Credentials) error { c.RefreshToken = "r1"; return nil }); err != nil {
			t.Fatal(err)
		}
		want.RefreshToken = "r1"
		check(want)
		if err := s.Update(t.Context(), func(c *Credentials) error { c.RefreshToken += "1"; c.CutOff = time.Now(); return nil }); err != nil {
			t.Fatal(err)
		}
		want.RefreshToken = "r11"
		check(want)
		if err := s.Update(t.Context(), func(c *Credentials) error { c.RefreshToken = "lost"; return no }); err != no {
			t.Error(err)
		}
		check(want)
		// A new sign-in replaces all.
		want = Credentials{RefreshToken: "r2"}
		if err := open().Create(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		check(want)

		// Nothing is left beside the credentials, nothing is open to others, and nothing is readable that should not be.
		for _, e := range entries(t, filepath.Dir(path)) {
			if name := e.Name(); name != filepath.Base(path) && name != filepath.Base(path)+".lock" {
				t.Errorf("left behind: %s", name)
			}
			if info, _ := e.Info(); info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", e.Name(), info.Mode())
			}
			data, _ := os.ReadFile(filepath.Join(filepath.Dir(path), e.Name()))
			if plain := strings.Contains(string(data), "r2"); plain != (path == s.String() && e.Name() == filepath.Base(path)) {
				t.Errorf("%s holds %q", e.Name(), data)
			}
		}
		if info, _ := os.Stat(filepath.Dir(path)); info.Mode().Perm() != 0o700 {
			t.Errorf("the directory has mode %v", info.Mode())
		}
		if err := s.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := open().Load(); !errors.Is(err, ErrNoCredentials) {
			t.Errorf("deleted: %v", err)
		}
		if left := entries(t, filepath.Dir(path)); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

func entries(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestTwoProcesses has two sources on one store, as two daemons would: a refresh token that works once must do for both, by
// one request for both.
func TestTwoProcesses(t *testing.T) {
	eachStore(t, func(t *testing.T, _ string, open func() Store) {
		var mu sync.Mutex
		valid, n := "r0", 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if r.FormValue("refresh_token") != valid {
				w.WriteHeader(400)
				fmt.Fprint(w, `{"error":"invalid_grant","error_description":"Invalid refresh token"}`)
				return
			}
			n++
			valid = fmt.Sprint("r", n)
			fmt.Fprintf(w, `{"access_token":"at%d","refresh_token":%q,"expires_in":3600}`, n, valid)
		}))
		defer srv.Close()
		if err := open().Create(t.Context(), Credentials{ClientSecret: "x", RefreshToken: "r0"}); err != nil {
			t.Fatal(err)
		}
		cfg := BoxConfig{TokenURL: srv.URL, ClientID: "c1"}
		const rounds = 3
		for round := range rounds {
			refused := fmt.Sprint("at", round)
			var wg sync.WaitGroup
			for _, s := range []Source{NewBox(cfg, open(), nil), NewBox(cfg, open(), nil)} {
				s.(*source).refused = refused // by the service, as both have seen
				wg.Go(func() {
					if tok, err := s.Token(t.Context()); err != nil || tok.Value != fmt.Sprint("at", round+1) {
						t.Errorf("%v %v", tok, err)
					}
				})
			}
			wg.Wait()
		}
		if c, err := open().Load(); err != nil || c.RefreshToken != valid || n != rounds {
			t.Errorf("stored %q, valid is %q after %d requests, %v", c.RefreshToken, valid, n, err)
		}
	})
}

// TestAgeCommand opens a file with the age program itself, as somebody would who no longer has this one.
func TestAgeCommand(t *testing.T) {
	if _, err := exec.LookPath("age"); err != nil {
		t.Skip("SKIPPED: age is not installed")
	}
	dir := t.TempDir()
	key := filepath.Join(dir, "key.txt")
	if out, err := exec.Command("age-keygen", "-o", key).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	given, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "contoso.json")
	s := openStore(t, "age", path, string(given))
	if err := s.Create(t.Context(), Credentials{RefreshToken: "r0"}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("age", "-d", "-i", key, path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"refresh_token": "r0"`) {
		t.Errorf("age gives %s, %v", out, err)
	}
	// The second part of a file with a passphrase, by the identity in its first.
	s = openStore(t, "age", path, "a passphrase")
	if err := s.Create(t.Context(), Credentials{RefreshToken: "r1"}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, body := parts(data)
	if err := os.WriteFile(path+".2", []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	opened := fmt.Sprint(s.(*vault).medium.(*sealed).key)
	if err := os.WriteFile(key, []byte(opened), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = exec.Command("age", "-d", "-i", key, path+".2").CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"refresh_token": "r1"`) {
		t.Errorf("age gives %s, %v", out, err)
	}
}

func TestAgePassphrases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contoso.json")
	if err := openStore(t, "age", path, "right").Create(t.Context(), Credentials{RefreshToken: "r0"}); err != nil {
		t.Fatal(err)
	}
	for given, says := range map[string]string{
		"wrong":                 "the passphrase does not open",
		"":                      "is empty",
		"AGE-SECRET-KEY-1WRONG": "not one age identity",
		"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX": "does not open",
	} {
		_, err := openStore(t, "age", path, given).Load()
		var e *Error
		if !errors.As(err, &e) || e.Kind != Broken || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", given, err)
		}
		if given != "" && strings.Contains(err.Error(), given) {
			t.Errorf("the error holds the passphrase: %v", err)
		}
	}
	// The passphrase is asked for once, and again when another process has taken another one.
	asked, now := 0, "right"
	s, err := NewStore(StoreConfig{Kind: "age", Path: path, Passphrase: func(context.Context) (string, error) { asked++; return now, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		err := s.Update(t.Context(), func(c *Credentials) error { c.RefreshToken = fmt.Sprint("s", i); return nil })
		if c, loadErr := s.Load(); err != nil || loadErr != nil || c.RefreshToken != fmt.Sprint("s", i) {
			t.Errorf("%+v %v %v", c, err, loadErr)
		}
	}
	if asked != 1 {
		t.Errorf("asked for the passphrase %d times", asked)
	}
	if err := openStore(t, "age", path, "other").Create(t.Context(), Credentials{RefreshToken: "t"}); err != nil {
		t.Fatal(err)
	}
	now = "other"
	if c, err := s.Load(); err != nil || c.RefreshToken != "t" || asked != 2 {
		t.Errorf("%+v %v, asked %d times", c, err, asked)
	}
	if err := os.WriteFile(path, []byte(`{"refresh_token":"plain"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(t, "age", path, "right").Load(); err == nil || strings.Contains(err.Error(), "plain") {
		t.Errorf("a file that is not encrypted: %v", err)
	}
}

func TestOpenDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	err := File(filepath.Join(dir, "c.json")).Create(t.Context(), Credentials{RefreshToken: "r0"})
	if err == nil || !strings.Contains(err.Error(), "chmod go-w "+dir) {
		t.Errorf("%v", err)
	}
	if left := entries(t, dir); len(left) > 0 {
		t.Errorf("written: %v", left)
	}
	if _, err := NewStore(StoreConfig{Kind: "paper"}); err == nil || !strings.Contains(err.Error(), "keyring, age, file") {
		t.Errorf("%v", err)
	}
}

// TestLeftovers has the file of a process that died while it wrote, and a lock file that is removed while somebody waits.
func TestLeftovers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.json")
	s := File(path)
	if err := s.Create(t.Context(), Credentials{RefreshToken: "r0"}); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(filepath.Dir(path), ".c.json.new")
	if err := os.WriteFile(left, []byte(secret), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), func(c *Credentials) error { c.RefreshToken = "r1"; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("the file of the dead process is still there")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	held, err := takeLock(t.Context(), path+".lock", false)
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() {
		waiting <- s.Update(t.Context(), func(c *Credentials) error { c.RefreshToken += "1"; return nil })
	}()
	if err := held.remove(); err != nil {
		t.Fatal(err)
	}
	held.release()
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".lock"); err != nil {
		t.Errorf("the lock is not one that others see: %v", err)
	}
	if c, err := s.Load(); err != nil || c.RefreshToken != "r11" {
		t.Errorf("%+v %v", c, err)
	}
}

// TestCutOff checks what is remembered of a renewal by the next one.
func TestCutOff(t *testing.T) {
	unknown := &Error{Kind: Unreachable, Action: "lost"}
	refused := &Error{Kind: Denied, Action: "no"}
	eachStore(t, func(t *testing.T, _ string, open func() Store) {
		if err := open().Create(t.Context(), Credentials{ClientSecret: secret, RefreshToken: "r0"}); err != nil {
			t.Fatal(err)
		}
		update := func(next string, answer *Error) (cutOff bool) {
			t.Helper()
			err := open().Update(t.Context(), func(c *Credentials) error {
				cutOff = !c.CutOff.IsZero()
				if answer != nil {
					return answer
				}
				c.RefreshToken = next
				return nil
			})
			if answer == nil && err != nil || answer != nil && err != error(answer) {
				t.Fatal(err)
			}
			return cutOff
		}
		for i, step := range []struct {
			next   string
			answer *Error
			cutOff bool
		}{
			{"", refused, false},
			{"", unknown, false}, // a refusal is an end
			{"", refused, true},
			{"", refused, true}, // and stays the reason until there is another token
			{"r1", nil, true},
			{"r2", nil, false},
			{"r2", nil, false},
			{"", unknown, false},
			{"", unknown, true},
		} {
			if got := update(step.next, step.answer); got != step.cutOff {
				t.Errorf("step %d: %v", i, got)
			}
		}
		// A new sign-in ends it.
		if err := open().Create(t.Context(), Credentials{RefreshToken: "r9"}); err != nil {
			t.Fatal(err)
		}
		if update("r9", nil) {
			t.Error("a new sign-in is taken for the old one")
		}
	})
}

// TestUnsent: a renewal for which there was no network has used up nothing, one whose answer was lost may have.
func TestUnsent(t *testing.T) {
	deaf := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(deaf.Close)
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	for address, noted := range map[string]bool{"http://127.0.0.1:1": false, untrusted.URL: false, deaf.URL: true} {
		path := credentials(t, `{"client_secret":"c","refresh_token":"r0"}`)
		err := NewBox(BoxConfig{TokenURL: address, ClientID: "c"}, File(path), nil).Renew(t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Kind != Unreachable {
			t.Errorf("%s: %v", address, err)
		}
		if data, err := os.ReadFile(path + ".lock"); err != nil || len(data) > 0 != noted {
			t.Errorf("%s: the lock file says %q, %v", address, data, err)
		}
	}
}
