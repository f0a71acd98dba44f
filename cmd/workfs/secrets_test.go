package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/simtest/browser"
)

// secrets are all that nobody may read, with what each is.
type secrets struct {
	mu  sync.Mutex
	all map[string]string
}

func (s *secrets) add(what string, values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if len(v) >= 8 { // what is shorter is found by chance
			s.all[v] = what
		}
	}
}

// in tells which secrets a text holds, whole or without their first and last characters, as where one is cut off.
func (s *secrets) in(text []byte) (found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for secret, what := range s.all {
		part := secret
		if len(part) > 40 {
			part = part[8:40]
		}
		if bytes.Contains(text, []byte(part)) {
			found = append(found, what)
		}
	}
	return found
}

// watchProcesses notes the arguments and the environment of the processes that this test starts and of those that they
// start, as ps shows them, until it is called.
func (e *env) watchProcesses() (stop func() []byte) {
	seen := map[string]bool{}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, f := range files {
				environ, err := os.ReadFile(filepath.Join(filepath.Dir(f), "environ"))
				arguments, gone := os.ReadFile(f)
				if err == nil && gone == nil && bytes.Contains(environ, []byte("HOME="+e.dir)) { // it still runs, and is ours
					seen[string(arguments)], seen[string(environ)] = true, true
				}
			}
			select {
			case <-quit:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func() []byte {
		close(quit)
		<-done
		var all bytes.Buffer
		for s := range seen {
			all.WriteString(s + "\n")
		}
		return all.Bytes()
	}
}

// TestSecretsStayInTheirStores signs in by every way, uses what that gives, with the fullest log, makes each way fail, and
// looks for every secret of the run in the logs, the processes, what is printed, the mount's own files and all files but
// those that are for secrets.
func TestSecretsStayInTheirStores(t *testing.T) {
	t.Parallel()
	e := newTLSLoginEnv(t)
	r := e.sim.Ready()
	s := &secrets{all: map[string]string{}}
	e.sim.World().Tokens.Listen(func(token string) { s.add("a token or code", token) })
	s.add("a client secret", r.ClientSecret, r.NewClientSecret, r.BoxClientSecret, r.BoxJWTClientSecret)
	s.add("the password", r.Password)
	const passphrase = "one passphrase for the key"
	s.add("the passphrase", passphrase)

	var printed bytes.Buffer
	stop := e.watchProcesses()
	workfs := func(want int, args ...string) string {
		t.Helper()
		stdout, stderr, code := e.workfs(args...)
		printed.WriteString(stdout + stderr)
		if code != want {
			t.Errorf("workfs %s: exit %d, want %d\n%s", strings.Join(args, " "), code, want, head(stderr, 10))
		}
		return stdout
	}
	login := func(args ...string) *signing {
		t.Helper()
		return e.begin(append(args, "--ca-file", r.CA, "-vv")...)
	}
	ended := func(l *signing) {
		t.Helper()
		if code := l.end(); code != 0 {
			t.Errorf("exit %d:\n%s", code, l.said())
		}
		printed.WriteString(l.said())
		l.mu.Lock()
		printed.Write(l.stdout.Bytes())
		l.mu.Unlock()
	}
	w := &web{t, browser.New(e.client().Transport, "")}

	// Every way to sign in.
	l := login(e.microsoft("--name", "person", "--client-id", r.NewClientID, "--client-secret-file", e.secretFile("new.secret", r.NewClientSecret),
		"--features", "mail,calendar,contacts,chats")...)
	w.microsoft(e, l.address(), "alice@contoso.com")
	ended(l)
	phrase := e.secretFile("phrase.secret", passphrase)
	out := workfs(0, "keygen", "microsoft", "--json", "--out", e.path("app"), "--passphrase-file", phrase)
	var made struct {
		PrivateKey  string          `json:"private_key"`
		Certificate string          `json:"certificate"`
		Entry       json.RawMessage `json:"key_credentials_entry"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, line := range strings.Split(read(t, made.PrivateKey), "\n") {
		if !strings.HasPrefix(line, "-----") && len(line) > 40 {
			s.add("the private key", line)
		}
	}
	e.console("PUT", "/entra/apps/"+r.ClientID+"/manifest", fmt.Sprintf(`{"keyCredentials":[%s]}`, made.Entry))
	ended(login(e.microsoft("--name", "company", "--app-only", "--client-id", r.ClientID, "--certificate", made.Certificate,
		"--private-key", made.PrivateKey, "--passphrase-file", phrase)...))
	ended(login(e.microsoft("--name", "secret", "--app-only", "--client-id", r.ClientID, "--client-secret-file", e.secretFile("app.secret", r.ClientSecret))...))
	boxSecret := e.secretFile("box.secret", r.BoxClientSecret)
	l = login(e.box("--name", "boxperson", "--client-id", r.BoxClientID, "--client-secret-file", boxSecret)...)
	w.box(e, l.address(), "alice@contoso.com", "consent_accept_button")
	ended(l)
	ended(login(e.box("--name", "boxccg", "--ccg", "--client-id", r.BoxClientID, "--client-secret-file", boxSecret,
		"--subject", "user:"+r.Users[1].BoxID)...))
	jwt := e.path("box_config.secret")
	file := e.console("POST", "/box/apps/"+r.BoxJWTClientID+"/keypair", "")
	e.write(jwt, file)
	var app struct {
		Settings struct {
			Auth struct{ PrivateKey, Passphrase string } `json:"appAuth"`
		} `json:"boxAppSettings"`
	}
	if err := json.Unmarshal([]byte(file), &app); err != nil {
		t.Fatal(err)
	}
	s.add("the passphrase of Box's file", app.Settings.Auth.Passphrase)
	s.add("the key in Box's file", strings.Split(app.Settings.Auth.PrivateKey, "\n")...)
	delete(s.all, "-----BEGIN ENCRYPTED PRIVATE KEY-----")
	delete(s.all, "-----END ENCRYPTED PRIVATE KEY-----")
	ended(login(e.box("--name", "boxjwt", "--jwt", jwt, "--enterprise")...))

	// What that gives is used and looked at. Where the real services keep contents is known, but not where these do.
	e.editConfig(func(config string) string {
		for _, name := range []string{"boxperson", "boxccg", "boxjwt"} {
			table := "[connections." + name + "]\n"
			config = strings.Replace(config, table, table+fmt.Sprintf("content_hosts = [%q]\nrealtime_hosts = [%q]\n", host(r.BoxDownload), host(r.BoxRealtime)), 1)
		}
		return config
	})
	log := e.path("workfs.log")
	m := e.mount("--log-file", log, "-vv", "-c", "person,company,boxperson,boxccg,boxjwt") // secret shows what company shows
	for _, dir := range []string{
		"person/outlook", "person/teams", "company/teams/channels", "company/outlook/bob@contoso.com/calendar", "boxperson", "boxccg", "boxjwt/users/bob@contoso.com",
	} {
		e.must("find", dir)
	}
	e.must("grep", "-r", "-m1", "-c", "", "boxperson/files/Finance", "person/outlook/alice@contoso.com/mail/Inbox")
	for _, name := range []string{"status.json", "coverage.md", "activity.jsonl", "README.md"} {
		printed.WriteString(read(t, m.path(".workfs", name)))
	}
	workfs(0, "status", m.point, "--json")
	workfs(0, "status", m.point)
	workfs(0, "connections", "list", "--json")
	for name, path := range map[string]string{
		"person": "/me", "company": "/users?$top=1", "secret": "/users?$top=1", "boxperson": "/users/me", "boxccg": "/users/me", "boxjwt": "/users?limit=1",
	} {
		workfs(0, "connections", "show", name, "--json")
		workfs(0, "api", "GET", path, "-c", name, "--include", "-vv")
	}
	workfs(0, "connections", "test", "person", "-vv")

	// And each fails: secrets that are wrong, sign-ins that end, commands with a secret where none belongs.
	for _, name := range []string{"app.secret", "box.secret"} {
		e.write(e.path(name), "a wrong and secret value\n")
	}
	s.add("the wrong secret", "a wrong and secret value")
	e.write(phrase, "a wrong and secret passphrase\n")
	s.add("the wrong passphrase", "a wrong and secret passphrase")
	for _, set := range []struct {
		name  string
		value any
	}{{"entra.refresh_error", 50173}, {"entra.token_lifetime", 1}, {"box.token_seconds", 1}} {
		if err := e.sim.World().Switches.Set(set.name, set.value); err != nil {
			t.Fatal(err)
		}
	}
	for name, code := range map[string]int{
		"person": codeRefused, "company": codeNotSignedIn, "secret": codeRefused, "boxperson": codeRefused, "boxccg": codeRefused,
	} {
		e.forgetAccess(name)
		workfs(code, "api", "GET", "/me", "-c", name, "-vv")
	}
	workfs(codeRefused, "login", "microsoft", "--name", "secret", "-vv")
	workfs(0, "status", m.point, "--json")
	m.umount()
	workfs(codeUsage, "api", "GET", "/me", "-c", "person", "--header", "Authorization: Bearer "+"not a secret of ours")
	e.write(boxSecret, r.BoxClientSecret+"\n")
	workfs(0, "logout", "boxperson")

	processes := stop()
	if !bytes.Contains(processes, []byte("mount")) {
		t.Error("no process was seen: the search does not work")
	}
	for what, text := range map[string][]byte{"output": printed.Bytes(), "processes": processes, "log": []byte(read(t, log)), "mount's log": []byte(m.logged())} {
		for _, found := range s.in(text) {
			t.Errorf("the %s: %s", what, found)
		}
	}
	// Files for secrets are the owner's alone; no other file may have one.
	keeps := 0
	err := filepath.WalkDir(e.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(path, e.etc+"/") { // etc is the simulator's, unused here
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found := s.in(b)
		if len(found) == 0 {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if path != made.PrivateKey && filepath.Ext(path) != ".secret" && filepath.Base(filepath.Dir(path)) != "credentials" {
			t.Errorf("%s: %v", path, found)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		keeps++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if keeps < 5 {
		t.Errorf("only %d files with secrets were found: the search does not work", keeps)
	}
	for _, leak := range e.sim.World().Stats.Snapshot().Leaks {
		t.Errorf("leak: %+v", leak)
	}
}

// client trusts the simulator's authority.
func (e *env) client() *http.Client {
	e.t.Helper()
	ca := e.sim.Ready().CA
	if ca == "" {
		return http.DefaultClient
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(read(e.t, ca))) {
		e.t.Fatal("the simulator's authority is no certificate")
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
}

// host is host:port of an address.
func host(address string) string {
	_, after, _ := strings.Cut(address, "://")
	return after
}

// forgetAccess takes the access token out of a connection's stored credentials, so that the next command needs another.
func (e *env) forgetAccess(name string) {
	e.t.Helper()
	c := e.stored(name)
	delete(c, "access_token")
	b, err := json.Marshal(c)
	if err != nil {
		e.t.Fatal(err)
	}
	e.write(filepath.Join(filepath.Dir(e.config), "credentials", name+".json"), string(b))
}
