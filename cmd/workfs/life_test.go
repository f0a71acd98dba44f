package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// signInAs signs a person in to the connection contoso of the simulator's configuration.
func (e *env) signInAs(user string, args ...string) loginReport {
	e.t.Helper()
	s := e.begin(append([]string{"login", "microsoft", "--name", "contoso", "--callback", anyCallback("microsoft"), "--no-browser", "--json", "--yes"}, args...)...)
	w := newWeb(e.t)
	w.arrived(w.microsoft(e, s.address(), user), "You are signed in")
	return s.report()
}

// TestLoginWhileMounted: a sign-in anew of the same person disturbs nothing, one of somebody else shows what is theirs and
// nothing of the person before, and going back brings all back as it was.
func TestLoginWhileMounted(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.signInAs("alice@contoso.com")
	m := e.mount()
	list := func() string {
		return e.must("find", "contoso", "box/files", "-maxdepth", "4", "-path", "*/teams/*", "-prune", "-o", "-printf", "%p %i %s %T@ %C@\n")
	}
	before := list()
	inode := e.must("stat", "-c", "%i", "contoso")
	if !strings.Contains(before, "alice@contoso.com/mail/Inbox") {
		t.Fatalf("the tree:\n%s", head(before, 20))
	}
	first := e.credentials("contoso")
	opened := strings.Count(m.logged(), "was opened")
	e.resetRequests()
	if r := e.signInAs("alice@contoso.com"); r.Mounts != 1 {
		t.Errorf("%d mounts took the sign-in up", r.Mounts)
	}
	if second := e.credentials("contoso"); second["access_token"] == first["access_token"] || second["lineage"] == first["lineage"] {
		t.Error("there is no other sign-in; does the test still test something?")
	}
	if after := list(); after != before {
		t.Errorf("after the same person has signed in: %s", firstDifference(before, after))
	}
	_, by := e.requests()
	for route := range by {
		if strings.HasPrefix(route, "GET /v1.0/") && route != "GET /v1.0/me" { // by the login itself
			t.Errorf("the mount asked for %s", route)
		}
	}
	if n := strings.Count(m.logged(), "was opened"); n != opened {
		t.Error("the connection was opened anew")
	}

	if r := e.signInAs("bob@contoso.com"); r.Mounts != 1 {
		t.Errorf("%d mounts took Bob's sign-in up", r.Mounts)
	}
	if got := e.must("ls", "contoso/outlook"); got != "bob@contoso.com\n" {
		t.Errorf("Bob's mailboxes are %q", got)
	}
	if now := e.must("stat", "-c", "%i", "contoso"); now == inode {
		t.Error("Bob's directory has the inode of Alice's")
	}
	e.must("ls", "contoso/outlook/bob@contoso.com/mail/Inbox")
	if st := m.status().Connections; st[1].Account != "bob@contoso.com" || st[1].Error != "" || st[0].Error != "" {
		t.Errorf("status: %+v", st)
	}
	e.signInAs("alice@contoso.com")
	if after := list(); after != before {
		t.Errorf("after Alice is back: %s", firstDifference(before, after))
	}
	m.umount()
	for _, leak := range e.sim.World().Stats.Snapshot().Leaks {
		t.Errorf("leak: %+v", leak)
	}
}

// TestLoginMends: a connection that could not be opened is there after a sign-in, without a remount.
func TestLoginMends(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.set("entra.refresh_error", 700082)
	e.editCredentials("contoso", nil)
	m := e.mount()
	e.set("entra.refresh_error", 0)
	e.fails(syscall.EACCES, "ls", "contoso")
	st := m.status().Connections[1]
	if !strings.Contains(st.Error, "AADSTS700082") || st.Action != "sign in again: workfs login microsoft --name contoso" {
		t.Errorf("status: %+v", st)
	}
	e.expect(0, []string{"what helps: sign in again: workfs login microsoft --name contoso"}, "status")
	e.signInAs("alice@contoso.com")
	if got := e.must("ls", "contoso/outlook"); got != "alice@contoso.com\n" {
		t.Errorf("ls gives %q", got)
	}
	if n := strings.Count(m.logged(), "the sign-in does not work any more"); n != 1 {
		t.Errorf("the log tells %d times of the dead sign-in", n)
	}
	if n := strings.Count(m.logged(), "the sign-in works again"); n != 1 {
		t.Errorf("the log tells %d times that it works", n)
	}
	// What a logout leaves is served, and nothing else.
	e.must("ls", alice+"/mail/Inbox")
	e.expect(0, nil, "logout", "contoso")
	e.must("ls", alice+"/mail/Inbox")
	e.fails(syscall.EACCES, "ls", "contoso/teams/channels")
	e.expect(0, []string{"contoso (microsoft, delegated): FAILED", "workfs login microsoft --name contoso"}, "status")
	m.umount()
}

// TestConnectionsOfARunningMount: connections appear, change and disappear while the mount serves.
func TestConnectionsOfARunningMount(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	all := read(t, e.config)
	at := strings.Index(all, "[connections.contoso]")
	other := strings.Index(all, "[connections.box]")
	if at < 0 || other < 0 {
		t.Fatalf("the configuration:\n%s", all)
	}
	without := all[:at]
	if other > at {
		without = all[:at] + all[other:]
	}
	e.write(e.config, without)
	m := e.mount()
	reload := func(name string) error {
		_, err := m.control().Call(t.Context(), "POST", "/connections/reload", map[string][]string{"name": {name}})
		return err
	}
	e.fails(syscall.ENOENT, "ls", "contoso")
	if err := reload("contoso"); err == nil {
		t.Error("a connection that there is not is taken up")
	}
	e.write(e.config, all)
	if err := reload("contoso"); err != nil {
		t.Fatal(err)
	}
	if got := e.must("ls"); got != "box\ncontoso\n" {
		t.Errorf("ls gives %q", got)
	}
	e.must("ls", alice+"/mail/Inbox")
	e.write(e.config, strings.Replace(all, "[connections.contoso]\n", "[connections.contoso]\nfeatures = [\"teams\"]\n", 1))
	if err := reload("contoso"); err != nil {
		t.Fatal(err)
	}
	if got := e.must("ls", "contoso"); got != "teams\n" {
		t.Errorf("ls of the connection with fewer features gives %q", got)
	}
	if text := read(t, m.path(".workfs/coverage.md")); !strings.Contains(text, "contoso") {
		t.Errorf("coverage.md does not tell of it:\n%s", text)
	}
	files := e.must("ls", "box/files")
	e.write(e.config, without)
	if err := reload("contoso"); err != nil {
		t.Fatal(err)
	}
	if got := e.must("ls"); got != "box\n" {
		t.Errorf("ls gives %q", got)
	}
	e.fails(syscall.ENOENT, "ls", "contoso")
	if got := e.must("ls", "box/files"); got != files {
		t.Errorf("box: %q, before %q", got, files)
	}
	m.umount()

	// A mount of some connections knows of no others.
	e.write(e.config, all)
	m = e.mount("-c", "box")
	if err := reload("contoso"); err == nil {
		t.Error("a connection that was not chosen is taken up")
	}
	if err := reload("box"); err != nil {
		t.Error(err)
	}
	if got := e.must("ls"); got != "box\n" {
		t.Errorf("ls gives %q", got)
	}
	m.umount()
}

// TestOnAuthFailure: the command runs once for each death, with the facts, its own secrets and none of ours.
func TestOnAuthFailure(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.set("entra.token_lifetime", 1)
	said := e.path("deaths")
	cmd := `echo "$WORKFS_CONNECTION|$WORKFS_REASON|$WORKFS_ACTION|$PAGER_TOKEN|$WORKFS_CONNECTION_CONTOSO_CLIENT_SECRET" >> ` + said + `; echo told the pager`
	env := []string{"PAGER_TOKEN=the command's own", "WORKFS_CONNECTION_CONTOSO_CLIENT_SECRET=" + e.sim.Ready().ClientSecret}
	m := e.mountEnv(env, "-c", "contoso", "--on-auth-failure", cmd)
	e.must("ls", alice+"/mail/Inbox")
	deaths := func() []string {
		b, err := os.ReadFile(said)
		if err != nil {
			return nil
		}
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	die := func(n int) {
		e.set("entra.refresh_error", 50173)
		e.poll("the death", func() bool {
			// Whoever asks for the status has the sign-in checked; the mount does it by itself every minute.
			m.reload("contoso")
			return len(deaths()) == n
		})
		for range 3 {
			m.reload("contoso")
		}
	}
	die(1)
	want := "contoso|the sign-in was revoked by a changed password or by an administrator (invalid_grant AADSTS50173)|sign in again: workfs login microsoft --name contoso|the command's own|"
	if got := deaths(); len(got) != 1 || got[0] != want {
		t.Errorf("told %q, want %q", got, want)
	}
	e.poll("what the command said", func() bool { return strings.Contains(m.logged(), "told the pager") })
	e.set("entra.refresh_error", 0)
	e.editCredentials("contoso", map[string]any{"refresh_token": e.sim.Ready().RefreshToken})
	m.reload("contoso")
	if err := m.status().Connections[0].Error; err != "" {
		t.Errorf("after it was mended: %s", err)
	}
	die(2)
	if got := deaths(); len(got) != 2 {
		t.Errorf("told %q", got)
	}
	m.umount()
}

// reload tells the mount that a connection has changed.
func (m *mnt) reload(name string) {
	m.e.t.Helper()
	if _, err := m.control().Call(m.e.t.Context(), "POST", "/connections/reload", map[string][]string{"name": {name}}); err != nil {
		m.e.t.Fatal(err)
	}
}

// tokens counts the requests for tokens.
func (e *env) tokens(route string) (n int) {
	for r, count := range e.sim.World().Stats.Snapshot().Requests {
		if strings.HasPrefix(r, "POST ") && strings.Contains(r, route) {
			n += count
		}
	}
	return n
}

// TestKeepAlive: the refresh token of an idle mount is renewed long before its end, and not more often than that takes.
func TestKeepAlive(t *testing.T) {
	e := newEnv(t, sim.Options{})
	t.Setenv("XDG_RUNTIME_DIR", e.path("run"))
	e.set("entra.token_lifetime", 100*24*60*60) // nothing else shall want a renewal
	clock := e.sim.World().Clock
	clock.Set(time.Now()) // by which refresh tokens are stamped
	e.inProcess(nil, "contoso")
	first := e.credentials("contoso")
	e.resetRequests()
	for day := range 60 {
		clock.Advance(24 * time.Hour)
		time.Sleep(20 * time.Millisecond) // a few ticks: a failure by speed would be too few renewals
		if day == 5 && e.credentials("contoso")["refresh_token"] != first["refresh_token"] {
			t.Error("renewed before it was time")
		}
		if (day+1)%7 == 0 {
			e.poll(fmt.Sprintf("renewal %d", (day+1)/7), func() bool { return e.tokens("/oauth2/v2.0/token") >= (day+1)/7 })
		}
	}
	last := e.credentials("contoso")
	if last["refresh_token"] == first["refresh_token"] {
		t.Error("the refresh token is the one of the start")
	}
	if n := e.tokens("/oauth2/v2.0/token"); n != 8 {
		t.Errorf("%d renewals in 60 days, want 8", n)
	}
}

// TestNetworkComesLater: what could not be opened for want of a network is opened when there is one, by itself.
func TestNetworkComesLater(t *testing.T) {
	e := newEnv(t, sim.Options{})
	t.Setenv("XDG_RUNTIME_DIR", e.path("run"))
	clock, faults := e.sim.World().Clock, e.sim.World().Faults
	faults.Set(core.FaultRule{Host: "graph", Status: 503})
	s := e.inProcess(nil)
	if got := s.connectionStatuses()[1]; !strings.Contains(got.Error, "503") {
		t.Fatalf("without a network: %+v", got)
	}
	clock.Advance(2 * time.Minute)
	e.fails(syscall.EIO, "ls", "contoso")
	faults.Set()
	e.poll("the connection", func() bool {
		clock.Advance(time.Minute)
		_, _, code := e.tool("ls", "contoso/outlook")
		return code == 0
	})
	if got := s.connectionStatuses()[1]; got.Error != "" {
		t.Errorf("with a network: %+v", got)
	}
}

// TestStatusTellsEnds: status tells how long the parts of a sign-in last, and holds no secret.
func TestStatusTellsEnds(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	soon := time.Now().Add(12*24*time.Hour + time.Hour).UTC()
	e.editCredentials("contoso", map[string]any{"secret_expires_at": soon, "account": "alice@contoso.com"})
	m := e.mount()
	e.expect(0, []string{"client secret lasts 12 days", "refresh token lasts 89 days", "signed in as alice@contoso.com", "secrets in " + e.etc}, "status")
	stdout, _, _ := e.workfs("status", "--json")
	var list []mountStatus
	if err := json.Unmarshal([]byte(stdout), &list); err != nil || len(list) != 1 {
		t.Fatalf("%v\n%s", err, stdout)
	}
	c := list[0].Connections[1]
	if len(c.Ends) != 2 || c.Ends[0].What != "refresh_token" || c.Ends[0].Days != 89 || c.Ends[1].What != "client_secret" || c.Ends[1].Days != 12 || c.Renewed.IsZero() {
		t.Errorf("status: %+v", c)
	}
	texts := stdout + read(t, m.path(".workfs/status.json")) + m.logged()
	for _, name := range []string{"contoso", "box"} {
		for key, value := range e.credentials(name) {
			if s, ok := value.(string); ok && (strings.Contains(key, "token") || key == "client_secret") && s != "" && strings.Contains(texts, s) {
				t.Errorf("the %s of %s is shown", key, name)
			}
		}
	}
	m.umount()
}
