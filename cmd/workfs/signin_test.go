package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/cmd/workfs/internal/mounts"
)

// credentials reads the credentials file of a connection.
func (e *env) credentials(name string) map[string]any {
	e.t.Helper()
	var c map[string]any
	if err := json.Unmarshal([]byte(read(e.t, filepath.Join(e.etc, "credentials", name+".json"))), &c); err != nil {
		e.t.Fatal(err)
	}
	return c
}

// editCredentials changes the credentials file of a connection, and forgets the access token that it keeps.
func (e *env) editCredentials(name string, change map[string]any) {
	e.t.Helper()
	c := e.credentials(name)
	for _, k := range []string{"access_token", "issued_at", "expires_at", "issued_for"} {
		delete(c, k)
	}
	for k, v := range change {
		c[k] = v
	}
	b, err := json.Marshal(c)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(e.etc, "credentials", name+".json"), b, 0o600); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) set(name string, value any) {
	e.t.Helper()
	if err := e.sim.World().Switches.Set(name, value); err != nil {
		e.t.Fatal(err)
	}
}

// TestRefusedSignIn: each way in which a sign-in fails has its message and exit code, and once it is mended everything
// is there as before, with the same inodes and times.
func TestRefusedSignIn(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	good := e.credentials("contoso")
	path := filepath.Join(e.etc, "credentials", "contoso.json")
	mail := alice + "/mail/Inbox"
	m := e.mount()
	before := e.must("find", mail, "-printf", "%p %i %s %T@ %C@\n")
	m.umount()
	warm := []string{e.cache, e.state}

	cases := []struct {
		name string
		code int
		text string
		do   func()
	}{
		{"secret", 12, "the client secret is wrong", func() { e.editCredentials("contoso", map[string]any{"client_secret": "wrong-secret-value"}) }},
		{"no secret", 12, "wants a client secret", func() { e.editCredentials("contoso", map[string]any{"client_secret": ""}) }},
		{"token", 12, "the refresh token or the code is damaged: sign in again", func() { e.editCredentials("contoso", map[string]any{"refresh_token": "0.wrong"}) }},
		{"no token", 10, "no refresh_token: sign in again", func() { e.editCredentials("contoso", map[string]any{"refresh_token": ""}) }},
		{"expired", 12, "sign in again (invalid_grant AADSTS700082)", func() { e.editCredentials("contoso", nil); e.set("entra.refresh_error", 700082) }},
		{"revoked", 12, "sign in again (invalid_grant AADSTS50173)", func() { e.editCredentials("contoso", nil); e.set("entra.refresh_error", 50173) }},
		{"policy", 12, "policy wants a second factor", func() { e.editCredentials("contoso", nil); e.set("entra.refresh_error", 50076) }},
		{"expired secret", 12, "the client secret has expired", func() { e.editCredentials("contoso", nil); e.set("entra.secret_expired", true) }},
		{"damaged", 10, "is damaged", func() { e.write(path, "{\"client_secret\": \"half") }},
		{"not text", 10, "is damaged", func() { e.write(path, `{"client_secret": 5}`) }},
		{"empty", 10, "is damaged", func() { e.write(path, "") }},
		{"missing", 10, "no credentials file", func() { _ = os.Remove(path) }},
		{"open to others", 10, "chmod 600", func() {
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.do()
			defer func() {
				_ = os.Remove(path) // it may be missing already
				b, err := json.Marshal(good)
				if err != nil {
					t.Fatal(err)
				}
				e.write(path, string(b))
				e.set("entra.refresh_error", 0)
				e.set("entra.secret_expired", false)
			}()
			// Nothing is cached: there is nothing to mount.
			e.cache, e.state = e.path("cold cache"), e.path("cold state")
			e.expect(c.code, []string{c.text, "connection contoso"}, "mount", e.point, "-c", "contoso")
			e.expect(c.code, []string{c.text, "connection contoso"}, "mount", "--daemon", e.point, "-c", "contoso")
			e.expect(c.code, []string{c.text}, "api", "GET", "/me", "-c", "contoso")
			// What is cached is served, and the reason told.
			e.cache, e.state = warm[0], warm[1]
			_, stderr, code := e.workfs("mount", "--daemon", e.point, "-c", "contoso")
			if code != 0 || !strings.Contains(stderr, c.text) {
				t.Fatalf("with a warm cache, mount ends with %d and says %q", code, stderr)
			}
			t.Cleanup(func() { _ = mounts.Unmount(e.point, true) })
			if after := e.must("find", mail, "-printf", "%p %i %s %T@ %C@\n"); after != before {
				t.Errorf("the cached tree:\n%s\nbefore:\n%s", head(after, 10), head(before, 10))
			}
			e.expect(0, []string{"FAILED: sign-in", c.text}, "status")
			e.expect(0, nil, "umount", e.point)
		})
	}
	m = e.mount()
	if after := e.must("find", mail, "-printf", "%p %i %s %T@ %C@\n"); after != before {
		t.Errorf("after the sign-in was mended:\n%s\nbefore:\n%s", head(after, 10), head(before, 10))
	}
	m.umount()
}

func (e *env) write(path, text string) {
	e.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// TestOneConnectionFails: the others are mounted, and the one that failed says why wherever one may look.
func TestOneConnectionFails(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.editCredentials("box", map[string]any{"client_secret": "wrong"})
	const why = "client_id or client_secret is wrong"
	m := e.mount()
	if got := e.must("ls", m.path()); got != "box\ncontoso\n" {
		t.Errorf("ls gives %q", got)
	}
	if _, stderr, code := e.tool("ls", "box"); code == 0 || !strings.Contains(stderr, "Permission denied") {
		t.Errorf("ls box: exit %d: %s", code, stderr)
	}
	e.must("ls", alice+"/mail/Inbox")
	e.expect(0, []string{"box (box, ccg): FAILED", why}, "status")
	for file, text := range map[string]string{"coverage.md": read(t, m.path(".workfs/coverage.md")), "status.json": read(t, m.path(".workfs/status.json")), "log": m.logged()} {
		if !strings.Contains(text, why) {
			t.Errorf("%s does not say why:\n%s", file, head(text, 20))
		}
	}
	m.umount()
	if _, stderr, code := e.workfs("mount", "-d", e.point); code != 0 || !strings.Contains(stderr, why) {
		t.Errorf("mount -d: exit %d, says %q", code, stderr)
	}
	e.expect(0, nil, "umount", e.point)
}

// TestMissingConsent: what the sign-in was not granted is not shown and not asked for, and the coverage tells what to do; the
// rest works. A sign-in with more is shown with more by the next mount, whatever its age.
func TestMissingConsent(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.set("entra.scopes", "User.Read offline_access Team.ReadBasic.All Channel.ReadBasic.All ChannelMessage.Read.All TeamMember.Read.All ChannelMember.Read.All")
	m := e.mount("-c", "contoso")
	if got := e.must("ls", "contoso"); got != "teams\n" {
		t.Errorf("ls of the connection gives %q", got)
	}
	if got := e.must("ls", "contoso/teams"); got != "channels\n" {
		t.Errorf("ls of Teams gives %q", got)
	}
	if got := e.must("ls", "contoso/teams/channels"); !strings.Contains(got, "Engineering") {
		t.Errorf("ls of the teams gives %q", got)
	}
	if got := e.must("ls", "contoso/teams/channels/Engineering/General"); !strings.Contains(got, "members.csv") || strings.Contains(got, "files") {
		t.Errorf("ls of a channel gives %q", got)
	}
	coverage := read(t, m.path(".workfs/coverage.md"))
	for _, scope := range []string{"Mail.Read", "Calendars.Read", "Contacts.Read", "Chat.Read", "Files.Read.All", "User.ReadBasic.All", "GroupMember.Read.All", "Presence.Read.All"} {
		if !strings.Contains(coverage, "not granted "+scope) {
			t.Errorf("coverage.md does not tell of %s:\n%s", scope, coverage)
		}
	}
	if !strings.Contains(coverage, "workfs login microsoft --name contoso") {
		t.Errorf("coverage.md does not tell what to do:\n%s", coverage)
	}
	m.umount()
	if by := e.sim.World().Stats.Snapshot(); by.Statuses["403"] != 0 {
		t.Errorf("what was not granted was asked for: %v", by.Requests)
	}
	// Consent is given: the same mount directory has it.
	e.set("entra.scopes", "*")
	e.editCredentials("contoso", nil)
	m = e.mount("-c", "contoso")
	e.must("ls", alice+"/mail/Inbox")
	if got := e.must("ls", "contoso/teams", "contoso/teams/channels/Engineering/General"); !strings.Contains(got, "chats") || !strings.Contains(got, "files") {
		t.Errorf("with consent, ls of Teams and a channel gives %q", got)
	}
	m.umount()
	// It is taken back.
	e.set("entra.scopes", "User.Read offline_access Mail.Read Chat.Read")
	e.editCredentials("contoso", nil)
	m = e.mount("-c", "contoso")
	if got := e.must("ls", "contoso", "contoso/teams", alice); got != "contoso:\noutlook\nteams\n\n"+alice+":\nmail\n\ncontoso/teams:\nchats\n" {
		t.Errorf("with less consent, ls gives %q", got)
	}
	m.umount()
}

// TestBodiesGrantedLater: mail that was shown without bodies gets them by the next mount after another sign-in. It is the same
// files, changed.
func TestBodiesGrantedLater(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.set("entra.scopes", "User.Read offline_access Mail.ReadBasic")
	m := e.mount("-c", "contoso")
	path := strings.TrimPrefix(m.newest("*.md"), m.point+"/")
	stat := func() (ino, size, changed string) {
		f := strings.Fields(e.must("stat", "-c", "%i %s %Z.%z", path))
		return f[0], f[1], strings.Join(f[2:], " ")
	}
	ino, size, changed := stat()
	if got := e.must("tail", "-n", "1", path); got != "*The body can't be read with this sign-in.*\n" {
		t.Errorf("without bodies, %s ends with %q", path, got)
	}
	if got := e.must("find", "contoso", "-name", "*.eml", "-o", "-name", "*.attachments"); got != "" {
		t.Errorf("without bodies there are\n%s", got)
	}
	if coverage := read(t, m.path(".workfs/coverage.md")); !strings.Contains(coverage, "not granted Mail.Read, which shows your mail with bodies and attachments") {
		t.Errorf("coverage.md does not tell of the bodies:\n%s", coverage)
	}
	m.umount()
	e.set("entra.scopes", "*")
	e.editCredentials("contoso", nil)
	m = e.mount("-c", "contoso")
	i, s, c := stat()
	if i != ino || s == size || c == changed {
		t.Errorf("%s was inode %s, %s bytes, changed %s; with its body it is inode %s, %s bytes, changed %s", path, ino, size, changed, i, s, c)
	}
	if got := read(t, m.path(path)); strings.Contains(got, "can't be read with this sign-in") {
		t.Errorf("%s has no body:\n%s", path, got)
	}
	m.umount()
}

// TestSingleUseRefreshToken: Box's refresh tokens work once. Neither a crash right after the rotation nor two processes
// at a time lose the sign-in.
func TestSingleUseRefreshToken(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.config = filepath.Join(e.etc, "config-box-oauth.toml")
	first := e.credentials("box-oauth")["refresh_token"]
	m := e.mount()
	files := e.must("ls", "box/files")
	if second := e.credentials("box-oauth")["refresh_token"]; second == first {
		t.Error("the refresh token has not changed; does the test still test something?")
	}
	m.kill9()
	e.editCredentials("box-oauth", nil) // and the access token is lost as well
	m = e.mount()
	if got := e.must("ls", "box/files"); got != files {
		t.Errorf("after the crash: %q, before: %q", got, files)
	}
	e.expect(0, []string{"alice@contoso.com"}, "api", "GET", "/users/me")

	// Ten more processes want a token at the same time as the mount, each with nothing but the refresh token.
	e.editCredentials("box-oauth", nil)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, stderr, code := e.workfs("api", "GET", "/users/me"); code != 0 {
				t.Errorf("api: exit %d: %s", code, stderr)
			}
		})
	}
	wg.Wait()
	e.must("ls", "-R", "box/files")
	m.umount()

	// The answer with the new token gets lost after the old one died: only a person can sign in again. What was fetched
	// stays, and the reason is told.
	e.editCredentials("box-oauth", nil)
	e.set("box.drop_refresh", 1)
	m = e.mount()
	if got := e.must("ls", "box/files"); got != files {
		t.Errorf("after the sign-in was lost: %q, before: %q", got, files)
	}
	e.expect(0, []string{"FAILED: sign-in: the refresh token has expired or was used by another program: sign in again"}, "status")
	m.umount()
}

// TestSignInDiesLater: a sign-in that is revoked while the mount runs keeps out what is not cached, and a new one is
// taken up without a remount.
func TestSignInDiesLater(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.set("entra.token_lifetime", 1)
	m := e.mount("-c", "contoso")
	inbox := e.must("ls", alice+"/mail/Inbox")
	e.set("entra.refresh_error", 50173)
	e.poll("the end of the last token", func() bool {
		_, stderr, code := e.workfs("api", "GET", "/me", "-c", "contoso")
		return code == 12 && strings.Contains(stderr, "revoked")
	})
	e.fails(syscall.EACCES, "ls", "contoso/teams/chats")
	if got := e.must("ls", alice+"/mail/Inbox"); got != inbox {
		t.Errorf("the cached Inbox is %q, was %q", got, inbox)
	}
	e.poll("the reason in status", func() bool {
		return strings.Contains(m.status().Connections[0].Error, "the sign-in was revoked by a changed password or by an administrator: sign in again")
	})
	e.set("entra.refresh_error", 0)
	e.set("entra.token_lifetime", 3599)
	e.editCredentials("contoso", map[string]any{"refresh_token": e.sim.Ready().RefreshToken})
	e.must("ls", "contoso/teams/chats")
	e.expect(0, []string{"contoso (microsoft, delegated): open"}, "status")
	m.umount()
}

// TestOffline: what was never fetched is no mount at all, what was is served, and nobody is asked.
func TestOffline(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.expect(3, []string{"nothing is cached", "without --offline"}, "mount", "--offline", e.point)
	m := e.mount()
	mail := alice + "/mail/Inbox"
	month := filepath.Dir(strings.TrimPrefix(m.newest("*.md"), m.point+"/"))
	before := e.must("ls", "-l", mail) + e.must("grep", "-r", "", month, "--include=*.md")
	m.umount()
	e.editCredentials("contoso", nil)
	e.resetRequests()
	m = e.mount("--offline", "--max-age", "1s")
	if after := e.must("ls", "-l", mail) + e.must("grep", "-r", "", month, "--include=*.md"); after != before {
		t.Errorf("offline: %s", firstDifference(before, after))
	}
	e.fails(syscall.EIO, "ls", "contoso/teams/chats")
	e.expect(0, nil, "status")
	m.umount()
	if by := e.sim.World().Stats.Snapshot().Requests; len(by) != 0 {
		t.Errorf("offline, somebody was asked: %v", by)
	}
}
