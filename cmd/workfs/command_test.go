package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/cache"
	"github.com/workfs/workfs/cmd/workfs/internal/mounts"
)

// expect runs a command and checks its exit code and what it prints: each of the texts on standard output, or where
// the code is not 0 on standard error.
func (e *env) expect(code int, texts []string, args ...string) string {
	e.t.Helper()
	stdout, stderr, got := e.workfs(args...)
	if got != code {
		e.t.Fatalf("workfs %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, code, head(stdout, 10), head(stderr, 10))
	}
	said := stdout
	if code != 0 {
		said = stderr
	}
	for _, text := range texts {
		if !strings.Contains(said, text) {
			e.t.Errorf("workfs %s does not say %q:\n%s", strings.Join(args, " "), text, head(said, 20))
		}
	}
	return stdout
}

// newest gives a message of alice's Inbox, in its newest month.
func (m *mnt) newest(pattern string) string {
	m.e.t.Helper()
	found, err := filepath.Glob(m.path(alice, "mail/Inbox/*", pattern))
	if err != nil || len(found) == 0 {
		m.e.t.Fatalf("no %s in the Inbox (%v)", pattern, err)
	}
	return found[len(found)-1]
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	e := &env{t: t, dir: t.TempDir()}
	for _, d := range []string{"run", "mnt"} {
		if err := os.Mkdir(e.path(d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	e.cache, e.state, e.config = e.path("cache"), e.path("state"), e.path("config.toml")
	for _, c := range []struct {
		code int
		text string
		args []string
	}{
		{2, `no command "frob"`, []string{"frob"}},
		{2, "did you mean mount?", []string{"moun"}},
		{2, `no command "sttas"`, []string{"cache", "sttas"}},
		{2, "unknown flag: --frob", []string{"mount", "--frob", "x"}},
		{2, "write workfs mount DIR", []string{"mount"}},
		{2, "write workfs mount DIR", []string{"mount", "a", "b"}},
		{2, "not a size", []string{"mount", e.path("mnt"), "--cache-max-size", "much"}},
		{2, "not a duration", []string{"mount", e.path("mnt"), "--op-timeout", "-5s"}},
		{2, "not a format", []string{"mount", e.path("mnt"), "--formats", "pdf"}},
		{2, "not an octal mask", []string{"mount", e.path("mnt"), "--umask", "9"}},
		{2, "try `workfs demo`", []string{"mount", e.path("mnt")}},
		{3, "not a workfs mount", []string{"umount", e.path("mnt")}},
		{3, "not a workfs mount", []string{"umount", "--force", e.path("mnt")}},
		{3, "no mount is running", []string{"status"}},
		{3, "in no workfs mount", []string{"status", e.path("mnt")}},
		{3, "in no workfs mount", []string{"info", "/etc/hostname"}},
		{0, "workfs ", []string{"--version"}},
		{0, "renderer", []string{"version"}},
		{0, "Exit codes:", []string{"--help"}},
		{0, "Exit codes:", nil},
		{0, "clear", []string{"cache"}},
		{0, "__start_workfs", []string{"completion", "bash"}},
		{0, "[]", []string{"status", "--json"}},
		{0, "", []string{"man", e.path("man")}},
		{2, "try `workfs demo`", []string{"cache", "clear"}},
	} {
		e.expect(c.code, []string{c.text}, c.args...)
	}
	e.config = "" // the default place, which may be empty for what needs no connection
	e.expect(0, []string{"entries"}, "cache", "stats")
	e.expect(0, nil, "cache", "clear")
	var v versionInfo
	if err := json.Unmarshal([]byte(e.expect(0, nil, "version", "--json")), &v); err != nil || v.Version == "" || v.Renderer == 0 {
		t.Errorf("version --json gives %+v (%v)", v, err)
	}
	for _, page := range []string{"workfs.1", "workfs-mount.1", "workfs-cache-clear.1"} {
		if !strings.Contains(read(t, e.path("man", page)), ".TH") {
			t.Errorf("%s is no manual page", page)
		}
	}
}

func TestDemoOnce(t *testing.T) {
	t.Parallel()
	needFUSE(t)
	e := &env{t: t, dir: t.TempDir()}
	for _, d := range []string{"tmp", "run"} {
		if err := os.Mkdir(e.path(d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	e.expect(0, []string{"box\ncontoso", "alice@contoso.com", "subject:", ".ics", "Engineering", "mail,", "box/files/",
		"yes, by webhook", "Hello-from-the-tour", "  created   ", "  (webhook, "}, "demo", "--once")
	e.expect(0, nil, "demo", "--once", e.path("made"))
	if _, err := os.Stat(e.path("made")); !os.IsNotExist(err) {
		t.Errorf("the demo left its directory (%v)", err)
	}
	left, err := os.ReadDir(e.path("tmp"))
	if err != nil || len(left) != 0 {
		t.Errorf("the demo left %v (%v)", left, err)
	}
}

func TestDaemon(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	t.Cleanup(func() { _ = mounts.Unmount(e.point, true) })
	e.expect(0, nil, "mount", "-d", e.point)
	m := &mnt{e: e, point: e.point}
	if got := e.must("ls"); got != "box\ncontoso\n" {
		t.Errorf("ls gives %q", got)
	}
	e.must("ls", alice+"/mail/Inbox")
	e.expect(0, []string{e.point, "contoso (microsoft, delegated): open", "box (box, ccg): open", "contoso/outlook"}, "status")
	e.expect(11, []string{"is a workfs mount already", "workfs umount"}, "mount", e.point)
	other := e.path("other")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	e.expect(11, []string{"another --cache-dir"}, "mount", other)
	e.expect(11, []string{"another --cache-dir"}, "mount", "-d", other)

	t.Run("info", func(t *testing.T) {
		file := m.newest("*.md")
		e.expect(0, []string{"from", "inode", "web url", "https://outlook.office365.com/"}, "info", file)
		var info cache.FileInfo
		if err := json.Unmarshal([]byte(e.expect(0, nil, "info", "--json", file)), &info); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if ino := st.Sys().(*syscall.Stat_t).Ino; info.Size != st.Size() || info.Ino != ino || !info.Mtime.Equal(st.ModTime()) || info.Item == nil {
			t.Errorf("info %+v, stat %d bytes, inode %d, %v", info, st.Size(), ino, st.ModTime())
		}
		link := e.path("link")
		if err := os.Symlink(m.path(alice), link); err != nil {
			t.Fatal(err)
		}
		e.expect(0, []string{alice}, "info", link)
		e.expect(3, []string{"not found"}, "info", m.path(alice, "nothing"))
		e.expect(3, []string{"made by workfs itself"}, "info", m.path(".workfs", "status.json"))
	})
	t.Run("cache", func(t *testing.T) {
		var s cache.Stats
		if err := json.Unmarshal([]byte(e.expect(0, nil, "cache", "stats", "--json")), &s); err != nil || s.Entries == 0 {
			t.Errorf("cache stats gives %+v (%v)", s, err)
		}
		before := e.must("find", ".", "-maxdepth", "4", "-printf", "%p %i %T@\n")
		file := m.newest("*.md")
		text := read(t, file)
		e.expect(0, nil, "cache", "clear")
		if got := read(t, file); got != text {
			t.Errorf("after cache clear a message is %q", head(got, 5))
		}
		if after := e.must("find", ".", "-maxdepth", "4", "-printf", "%p %i %T@\n"); after != before {
			t.Errorf("after cache clear:\n%s\nbefore:\n%s", head(after, 20), head(before, 20))
		}
		// Another way to write the same directory finds the same mount.
		rel, err := filepath.Rel(mustGetwd(t), e.cache)
		if err != nil {
			t.Fatal(err)
		}
		e.expect(0, []string{"entries"}, "cache", "stats", "--cache-dir", rel)
	})
	t.Run("busy", func(t *testing.T) {
		f, err := os.Open(m.path(alice))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		e.expect(11, []string{"in use", "--force"}, "umount", e.point)
		if got := e.must("ls"); got != "box\ncontoso\n" {
			t.Errorf("after a refused umount, ls gives %q", got)
		}
		e.expect(0, nil, "umount", "--force", e.point)
		// The cache is free although the directory is still open.
		e.expect(0, nil, "mount", "-d", e.point)
		e.expect(0, nil, "umount", e.point)
	})
	e.expect(3, []string{"no mount is running"}, "status")
	t.Run("fusermount", func(t *testing.T) {
		needTool(t, "fusermount3")
		e.expect(0, nil, "mount", "--daemon", e.point)
		e.must("fusermount3", "-u", e.point)
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			if _, stderr, code := e.workfs("status"); code == 3 && strings.Contains(stderr, "no mount") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the daemon still runs after fusermount3 -u")
			}
		}
	})
	// What a daemon says before it is ready comes back to who started it.
	e.expect(2, []string{"does not exist", "mkdir -p"}, "mount", "-d", e.path("nowhere"))
}

func mustGetwd(t *testing.T) string {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return wd
}

// TestInterruptedStart: a mount that waits for a service can be interrupted, and leaves nothing.
func TestInterruptedStart(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.faults(core.FaultRule{Delay: core.Duration(10 * time.Minute)})
	cmd := e.command("mount", e.point)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e.poll("the cache", func() bool {
		_, err := os.Stat(filepath.Join(e.cache, "meta.db"))
		return err == nil
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the code is read from ProcessState
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		t.Fatal("the start can't be interrupted")
	}
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.HasSuffix(stderr.String(), "workfs: interrupted\n") {
		t.Errorf("exit %d, says %q", code, stderr.String())
	}
	if _, ok := mounts.At(e.point); ok {
		t.Error("something is mounted")
	}
	// The parent of a daemon gives up at its own time, with the daemon.
	e.expect(5, []string{"not ready after 1s", "workfs.log"}, "mount", "--daemon", "--daemon-timeout", "1s", e.point)
	e.faults()
	m := e.mount() // once the daemon has let go of the cache
	m.umount()
}

// TestSignals: a signal ends the mount with code 0, also while a file is open.
func TestSignals(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		m := e.mount("-c", "contoso")
		dir, err := os.Open(m.path(alice))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		select {
		case <-m.ended:
		case <-time.After(patience):
			t.Fatalf("%v does not end the mount", sig)
		}
		dir.Close()
		if code := m.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%v: exit %d\n%s", sig, code, m.logged())
		}
		if _, ok := mounts.At(m.point); ok {
			t.Errorf("%v left the mount", sig)
		}
	}
}

func TestAPI(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.expect(2, []string{"which connection?", "-c box or -c contoso"}, "api", "GET", "/me")
	e.expect(2, []string{`no connection "nope"`, "box, contoso"}, "api", "GET", "/me", "-c", "nope")
	e.expect(0, nil, "connections", "add", "my box", "--type", "box", "--auth", "token", "--set", "token_command=echo x")
	e.expect(2, []string{"-c box or -c contoso or -c 'my box'"}, "api", "GET", "/me")
	var me struct{ Mail, Login string }
	if err := json.Unmarshal([]byte(e.expect(0, nil, "api", "get", "/me", "-c", "contoso")), &me); err != nil || me.Mail != "alice@contoso.com" {
		t.Errorf("GET /me gives %+v (%v)", me, err)
	}
	if err := json.Unmarshal([]byte(e.expect(0, nil, "api", "GET", "2.0/users/me", "-c", "box")), &me); err != nil || me.Login != "alice@contoso.com" {
		t.Errorf("GET /users/me gives %+v (%v)", me, err)
	}
	graph := e.sim.Ready().Graph
	e.expect(0, []string{`"Inbox"`}, "api", "GET", graph+"/v1.0/me/mailFolders?$top=1", "-c", "contoso")
	e.expect(0, []string{`"displayName":"From a test"`}, "api", "POST", "/me/mailFolders", "-c", "contoso", "--data", `{"displayName":"From a test"}`)
	body := e.path("body.json")
	if err := os.WriteFile(body, []byte(`{"displayName":"From a file"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	e.expect(0, []string{`"displayName":"From a file"`}, "api", "POST", "/me/mailFolders", "-c", "contoso", "--data", "@"+body)
	e.expect(3, []string{"HTTP 404", "not_found"}, "api", "GET", "/folders/999", "-c", "box")
	e.expect(1, []string{"HTTP 400", "BadRequest", "segment 'nope'"}, "api", "GET", "/nope", "-c", "contoso")
	e.expect(1, []string{"HTTP 400", "JSON"}, "api", "POST", "/me/mailFolders", "-c", "contoso", "--data", `{"displa`)
	e.expect(2, []string{"not at the API of this connection"}, "api", "GET", "https://graph.example/v1.0/me", "-c", "contoso")
	e.expect(2, []string{"not at the API of this connection"}, "api", "GET", e.sim.Ready().BoxAPI+"/2.0/users/me", "-c", "contoso")
	e.expect(2, []string{"Authorization"}, "api", "GET", "/me", "-c", "contoso", "-H", "authorization: Bearer x")
	e.expect(2, []string{`"Name: value"`}, "api", "GET", "/me", "-c", "contoso", "-H", "nothing")
}

// TestPrecedence: flag, then environment, then file, then preset, then default.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	var variables []string
	formats := func(args ...string) string {
		t.Helper()
		dir := e.point
		cmd := e.command(append([]string{"mount", "-d", dir, "-c", "contoso"}, args...)...)
		cmd.Env = append(cmd.Env, variables...)
		t.Cleanup(func() { _ = mounts.Unmount(dir, true) })
		if _, stderr, code := run(t, cmd); code != 0 {
			t.Fatalf("mount %v: exit %d: %s", args, code, stderr)
		}
		defer e.expect(0, nil, "umount", dir)
		got := map[string]bool{}
		for _, name := range strings.Fields(e.must("find", alice+"/mail/Inbox", "-type", "f", "-not", "-path", "*.attachments/*")) {
			got[filepath.Ext(name)] = true
		}
		var list []string
		for _, f := range []string{".md", ".json", ".eml"} {
			if got[f] {
				list = append(list, f[1:])
			}
		}
		return strings.Join(list, ",")
	}
	check := func(what, want string, args ...string) {
		t.Helper()
		if got := formats(args...); got != want {
			t.Errorf("%s: formats %s, want %s", what, got, want)
		}
	}
	check("default", "md")
	e.editConfig(func(s string) string { return "preset = \"backup\"\n" + s })
	check("preset of the file", "json,eml")
	e.editConfig(func(s string) string { return "formats = [\"json\"]\n" + s })
	check("file over preset", "json")
	variables = []string{"WORKFS_FORMATS=eml"}
	check("environment over file", "eml")
	check("flag over environment", "md,json", "--formats", "json,md")

	variables = nil
	e.editConfig(func(s string) string { return "cache_max_sise = \"1G\"\n" + s })
	e.expect(2, []string{`unknown key "cache_max_sise"`, e.config}, "mount", e.point)
}

// TestBadConfiguration: a mistake in the file is named with the file, and nothing is mounted.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	e := &env{t: t, dir: t.TempDir()}
	for _, d := range []string{"run", "mnt"} {
		if err := os.Mkdir(e.path(d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	e.cache, e.state, e.config = e.path("cache"), e.path("state"), e.path("config.toml")
	const good = "[connections.a]\ntype = \"microsoft\"\nauth = \"delegated\"\ntenant = \"t\"\nclient_id = \"c\"\n"
	for _, c := range []struct{ text, file string }{
		{"names no connection", "formats = [\"md\"]\n"},
		{"expected", "formats = [\n"},
		{`unknown key "connections.a.clientid"`, good + "clientid = \"x\"\n"},
		{"it must be microsoft or box", "[connections.a]\ntype = \"slack\"\n"},
		{"it must be delegated, app or token", "[connections.a]\ntype = \"microsoft\"\nauth = \"oauth\"\n"},
		{"client_id is missing", "[connections.a]\ntype = \"microsoft\"\nauth = \"app\"\n"},
		{"no preset \"all\"", "preset = \"all\"\n" + good},
		{"not a format", "formats = [\"pdf\"]\n" + good},
		{"do as the name of a directory", "[connections.\"../a\"]\ntype = \"box\"\n"},
		{"do as the name of a directory", "[connections.\"a\\u001b[31m\"]\ntype = \"box\"\n"},
		{"graph_url", good + "graph_url = \"http://graph.example\"\n"},
		{"login_url", good + "login_url = \"ftp://127.0.0.1\"\n"},
		{"features", good + "features = [\"outlok\"]\n"},
	} {
		if err := os.WriteFile(e.config, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		e.expect(2, []string{c.text, e.config}, "mount", e.path("mnt"))
	}
}
