package auth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSupplyLiesOverStore(t *testing.T) {
	e := serve(t, reply{200, good, nil})
	path := credentials(t, `{"client_secret":"stored","refresh_token":"r0","passphrase":"kept"}`)
	t.Setenv("TEST_CLIENT_SECRET", "first")
	s := NewBox(BoxConfig{TokenURL: e.URL, ClientID: "c"}, WithSupply(File(path), Supply{ClientSecret: EnvSecret("TEST_CLIENT_SECRET")}), nil)
	for i, value := range []string{"first", "second", ""} {
		t.Setenv("TEST_CLIENT_SECRET", value)
		if err := s.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := value
		if value == "" {
			want = "stored"
		}
		if got := e.form(i).Get("client_secret"); got != want {
			t.Errorf("asked with %q, want %q", got, want)
		}
		if c, err := File(path).Load(); err != nil || c.ClientSecret != "stored" || c.Passphrase != "kept" || c.RefreshToken != fmt.Sprint("rt", i+1) {
			t.Errorf("stored %+v, %v", c, err)
		}
	}
}

// TestSeed starts from nothing but a refresh token in a file, as a container does.
func TestSeed(t *testing.T) {
	e := serve(t, reply{200, good, nil})
	dir := t.TempDir()
	seed := filepath.Join(dir, "seed")
	set := func(value string) {
		if err := os.WriteFile(seed, []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set("s0")
	path := filepath.Join(dir, "state", "box.json")
	open := func() Store {
		return WithSupply(File(path), Supply{ClientSecret: FixedSecret(secret), RefreshToken: FileSecret(seed)})
	}
	renew := func(want string) Credentials {
		t.Helper()
		n := int(e.calls.Load())
		if err := NewBox(BoxConfig{TokenURL: e.URL, ClientID: "c"}, open(), nil).Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := e.form(n).Get("refresh_token"); got != want {
			t.Errorf("asked with %q, want %q", got, want)
		}
		c, err := File(path).Load()
		if err != nil || c.RefreshToken != fmt.Sprint("rt", n+1) || c.ClientSecret != "" {
			t.Errorf("stored %+v, %v", c, err)
		}
		return c
	}
	first := renew("s0")
	second := renew("rt1")
	if first.Lineage == "" || second.Lineage != first.Lineage {
		t.Errorf("lineages %q and %q", first.Lineage, second.Lineage)
	}
	set("s1") // another sign-in
	if c := renew("s1"); c.Lineage == first.Lineage || c.Lineage == "" {
		t.Errorf("lineage %q", c.Lineage)
	}
	// A person signs in: the seed that is there is not used again, another one is.
	if err := open().Create(t.Context(), Credentials{RefreshToken: "p0", Lineage: "person", ClientSecret: secret}); err != nil {
		t.Fatal(err)
	}
	if c := renew("p0"); c.Lineage != "person" {
		t.Errorf("lineage %q", c.Lineage)
	}
	set("s2")
	renew("s2")
	// Signed out, and begun anew.
	if err := open().Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	set("s3")
	renew("s3")
}

// TestSeedIsNotWasted has a seed whose successor could not be stored.
func TestSeedIsNotWasted(t *testing.T) {
	e := serve(t, reply{200, good, nil})
	const nowhere = "/proc/1/workfs" // where nobody can make a directory
	s := NewBox(BoxConfig{TokenURL: e.URL, ClientID: "c"}, WithSupply(File(nowhere+"/box.json"),
		Supply{ClientSecret: FixedSecret("x"), RefreshToken: FixedSecret("s0")}), nil)
	_, err := s.Token(t.Context())
	var ae *Error
	if !errors.As(err, &ae) || ae.Kind != Broken || e.calls.Load() != 0 {
		t.Errorf("%v after %d requests", err, e.calls.Load())
	}
	// What is not used up needs no store.
	app := NewMicrosoft(MicrosoftConfig{LoginURL: e.URL, Tenant: "t", ClientID: "c", AppOnly: true},
		WithSupply(File(nowhere+"/app.json"), Supply{ClientSecret: FixedSecret("x")}), nil)
	if got := token(t, app); got != "at1" {
		t.Errorf("token %q", got)
	}
}

// TestSeedCutOff has a seed that was being used when the process died.
func TestSeedCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "box.json")
	open := func(seed string) Store { return WithSupply(File(path), Supply{RefreshToken: FixedSecret(seed)}) }
	lost := &Error{Kind: Unreachable, Action: "lost"}
	for i, step := range []struct {
		seed   string
		cutOff bool
	}{{"s0", false}, {"s0", true}, {"s1", false}, {"s1", true}} {
		open(step.seed).Update(t.Context(), func(c *Credentials) error {
			if c.RefreshToken != step.seed || c.CutOff.IsZero() == step.cutOff {
				t.Errorf("step %d: %+v", i, c)
			}
			return lost
		})
	}
}

func TestFileSecret(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	theirs := file("group", secret, 0o640)
	if os.Geteuid() == 0 {
		if err := os.Chown(theirs, 1000, 1000); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ path, want, says string }{
		{file("own", secret+"\r\n", 0o600), secret, ""},
		{file("key", "-----BEGIN\nx\n-----END\n\n", 0o400), "-----BEGIN\nx\n-----END", ""},
		{file("world", secret, 0o644), "", "is open to others (mode 0644)"},
		{theirs, "", "is open to others (mode 0640)"},
		{file("writable", secret, 0o602), "", "is open to others"},
		{file("empty", "\n", 0o600), "", "must hold a secret"},
		{file("large", strings.Repeat("x", maxSecret+1), 0o600), "", "is too large"},
		{filepath.Join(dir, "none"), "", "no such file"},
		{dir, "", "not a regular file"},
		{fifo(t), "", "not a regular file"},
	} {
		got, err := FileSecret(tt.path)(t.Context())
		var e *Error
		switch {
		case tt.says == "" && (err != nil || got != tt.want):
			t.Errorf("%s: %q %v", tt.path, got, err)
		case tt.says != "" && (!errors.As(err, &e) || e.Kind != Broken || !strings.Contains(err.Error(), tt.says) || got != ""):
			t.Errorf("%s: %q %v", tt.path, got, err)
		case err != nil && strings.Contains(err.Error(), secret):
			t.Errorf("%s: the error holds the secret", tt.path)
		}
	}
}

// fifo makes a pipe that nobody writes into.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandSecret(t *testing.T) {
	dir := t.TempDir()
	runs := filepath.Join(dir, "runs")
	count := func() int {
		data, _ := os.ReadFile(runs)
		return len(data)
	}
	s := CommandSecret("printf x >>" + runs + "; echo ' " + secret + " '; echo more")
	for range 3 {
		if got, err := s(t.Context()); err != nil || got != secret {
			t.Errorf("%q %v", got, err)
		}
	}
	if count() != 1 {
		t.Errorf("run %d times for one renewal", count())
	}
	if got, err := CommandText("echo a; echo b")(t.Context()); err != nil || got != "a\nb" {
		t.Errorf("%q %v", got, err)
	}
	t.Setenv("WORKFS_CONNECTION_BOX_CLIENT_SECRET", secret)
	t.Setenv("WORKFS_CONNECTION_BOX_TENANT", "seen")
	if got, err := CommandSecret("echo $WORKFS_CONNECTION_BOX_CLIENT_SECRET$WORKFS_CONNECTION_BOX_TENANT")(t.Context()); err != nil || got != "seen" {
		t.Errorf("a command sees %q of the environment, %v", got, err)
	}
	for command, says := range map[string]string{
		"echo " + secret + "; echo first >&2; printf 'no\\033[2J vault\\n' >&2; exit 3": "exit status 3\nno[2J vault",
		"true":               "prints nothing",
		"exec /no/such/file": "not found",
	} {
		got, err := CommandSecret(command)(t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Kind != Broken || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) || got != "" {
			t.Errorf("%s: %q %v", command, got, err)
		}
	}
	if got, err := CommandSecret("sleep 20 & echo " + secret)(t.Context()); err != nil || got != secret {
		t.Errorf("a command that leaves an agent behind: %q %v", got, err)
	}
	var e *Error
	if _, err := CommandSecret("echo no network >&2; exit 75")(t.Context()); !errors.As(err, &e) || e.Kind != Unreachable || !strings.Contains(err.Error(), "no network") {
		t.Errorf("a failure that may pass: %v", err)
	}
	// A command that hangs ends with its caller, and with what it has started.
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	started := time.Now()
	if _, err := CommandSecret("sleep 600 | sleep 600")(ctx); err == nil || time.Since(started) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(started))
	}
}

func TestTokenCommand(t *testing.T) {
	dir := t.TempDir()
	out, runs := filepath.Join(dir, "out"), filepath.Join(dir, "runs")
	print := func(text string) {
		if err := os.WriteFile(out, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		data, _ := os.ReadFile(runs)
		return len(data)
	}
	command := "printf x >>" + runs + "; cat " + out
	// {"exp":4102444800}, the end of the year 2099
	const signed = "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln"
	for text, lasts := range map[string]time.Duration{
		"opaque\n":                               5 * time.Minute,
		signed:                                   time.Until(time.Unix(4102444800, 0)),
		"a.b.c":                                  5 * time.Minute,
		`{"access_token":"j","expires_in":1200}`: 20 * time.Minute,
		`{"access_token":"` + signed + `","expires_in":"60"}` + "\n": time.Minute,
		`{"access_token":"j"}`: 5 * time.Minute,
	} {
		print(text)
		before := count()
		s := NewCommand(command)
		for range 3 {
			tok, err := s.Token(t.Context())
			if err != nil || !strings.Contains(text, tok.Value) {
				t.Fatalf("%q: %+v %v", text, tok, err)
			}
			if off := time.Until(tok.Expires) - lasts; off > time.Second || off < -time.Minute {
				t.Errorf("%q lasts until %v", text, tok.Expires)
			}
		}
		if count() != before+1 {
			t.Errorf("%q: run %d times", text, count()-before)
		}
	}
	for text, says := range map[string]string{
		"":                                      "must print an access token",
		"two words " + secret:                   "must print an access token",
		`{"access_token":["` + secret:           "must print an access token",
		`{"error":"` + secret + `"}`:            "must print an access token",
		"eyJhbGciOiJub25lIn0.eyJleHAiOjF9.c2ln": "has expired",
	} {
		print(text)
		before := count()
		s := NewCommand(command)
		for range 3 {
			_, err := s.Token(t.Context())
			var e *Error
			if !errors.As(err, &e) || e.Kind != Broken || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) {
				t.Errorf("%q: %v", text, err)
			}
		}
		if count() != before+1 {
			t.Errorf("%q: run %d times", text, count()-before)
		}
	}
	// A token that the service refuses is not taken again, the next one is.
	print("t1")
	s := NewCommand(command)
	s.Invalidate(token(t, s))
	if _, err := s.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "refuses the token") {
		t.Errorf("%v", err)
	}
	print("t2")
	s = NewCommand(command)
	s.Invalidate("t1")
	if got := token(t, s); got != "t2" {
		t.Errorf("token %q", got)
	}
	if l, err := s.Life(); err != nil || l.By != ByCommand {
		t.Errorf("%+v %v", l, err)
	}
	if _, err := NewCommand(" ").Token(t.Context()); err == nil || !strings.Contains(err.Error(), "token_command is missing") {
		t.Error(err)
	}
}
