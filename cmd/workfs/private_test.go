package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/workfs/workfs/backends/sim"
)

// nobody is a user who has nothing to do with the mount.
const nobody = 65534

// as runs a program as another user.
func (e *env) as(uid uint32, name string, args ...string) (stdout, stderr string, code int) {
	e.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = e.environ(), "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return run(e.t, cmd)
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can act as other users")
	}
}

// TestSecretsStayPrivate looks for every secret in every file that the program wrote, after it was talkative and met
// failures.
func TestSecretsStayPrivate(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	secrets := map[string]string{}
	note := func() {
		for _, name := range []string{"contoso", "box", "box-oauth"} {
			for key, v := range e.credentials(name) {
				if s, _ := v.(string); strings.HasSuffix(key, "_secret") || strings.HasSuffix(key, "_token") {
					secrets[s] = name + " " + key
				}
			}
		}
	}
	note()
	m := e.mount("-vv", "--debug-fuse")
	e.must("ls", "-R", "box", alice+"/calendar")
	e.must("ls", "contoso/teams/channels/Engineering", "contoso/directory")
	e.must("grep", "-rs", "budget", alice+"/mail/Inbox")
	note()
	e.set("entra.refresh_error", 50173)
	e.editCredentials("contoso", nil)
	e.expect(12, nil, "api", "GET", "/me", "-c", "contoso", "-vv")
	e.set("entra.refresh_error", 0)
	e.expect(0, nil, "api", "GET", "/me", "-c", "contoso", "-vv", "--log-file", e.path("api.log"))
	note()
	m.umount()
	e.expect(0, nil, "mount", "-d", "-vv", "--debug-fuse", e.point)
	e.must("ls", "box/files")
	e.expect(0, nil, "status", "--json")
	e.expect(0, nil, "umount", e.point)
	note()
	config := e.config
	e.config = filepath.Join(e.etc, "config-box-oauth.toml")
	m = e.mount("-vv", "--log-format", "json", "--log-file", e.path("mount.log"))
	e.must("ls", "box/files")
	m.umount()
	e.config = config
	note()
	if len(secrets) < 7 {
		t.Fatalf("only %d secrets were seen", len(secrets))
	}
	searched := 0
	err := filepath.WalkDir(e.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		credentials := filepath.Dir(path) == filepath.Join(e.etc, "credentials")
		// What is below home, tmp and the mountpoint is not the program's.
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if credentials {
			return nil
		}
		searched++
		text := read(t, path)
		for secret, what := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds the %s", path, what)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"api.log", "mount.log", "state/workfs.log", "cache/meta.db"} {
		if len(read(t, e.path(name))) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
	for _, dir := range []string{e.cache, e.state, e.path("run", "workfs"), filepath.Join(e.cache, "blobs")} {
		if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v", dir, st, err)
		}
	}
	if log := read(t, e.path("mount.log")); !strings.Contains(log, `"msg":`) {
		t.Errorf("the log is not JSON:\n%s", head(log, 3))
	}
	t.Logf("looked for %d secrets in %d files", len(secrets), searched)
}

// TestLogsNameNobody: the log of a day of work, failures included, tells of items by id.
func TestLogsNameNobody(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount("-vv", "--formats", "md,eml")
	// Some of it fails, for there is a corrupt message in it.
	if _, _, code := e.tool("ls", "-lR", alice+"/mail"); code == 0 {
		t.Error("nothing failed")
	}
	e.must("ls", "-lR", alice+"/contacts", alice+"/calendar", "contoso/directory", "box/files")
	e.must("ls", "contoso/teams/channels/Engineering", "contoso/teams/chats")
	names := strings.Fields(e.must("find", "contoso/teams/channels", "contoso/teams/chats", "box/files", "-maxdepth", "1", "-mindepth", "1", "-printf", "%f\n"))
	m.umount()
	log := m.logged()
	for _, name := range append(names, "alice@", "@contoso.com", "Smith", "numbers", "Inbox") {
		if len(name) > 4 && name != "Contoso" && name != "folder" && strings.Contains(strings.ToLower(log), strings.ToLower(name)) {
			t.Errorf("the log names %q", name)
		}
	}
	if n := strings.Count(log, "msg=request "); n < 100 {
		t.Errorf("only %d requests are logged", n)
	}
}

// TestControlSocket: nobody else may talk to a mount.
func TestControlSocket(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needTool(t, "curl")
	e := newEnv(t, sim.Options{})
	m := e.mount("-c", "contoso")
	sockets, err := filepath.Glob(e.path("run", "workfs", "*.sock"))
	if err != nil || len(sockets) != 1 {
		t.Fatal(sockets, err)
	}
	if st, err := os.Stat(sockets[0]); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v %v", st, err)
	}
	ask := []string{"-sS", "--max-time", "60", "--unix-socket", sockets[0], "http://workfs/status"}
	if _, stderr, code := e.as(nobody, "curl", ask...); code != 7 {
		t.Errorf("a stranger connects: exit %d, %s", code, stderr)
	}
	// Even if the modes were lost, the peer's user is looked at.
	for p := sockets[0]; p != filepath.Dir(e.dir); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(e.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, stderr, code := e.as(nobody, "curl", ask...); code == 0 || out != "" {
		t.Errorf("a stranger gets an answer: exit %d, %q, %s", code, out, stderr)
	}
	if out, stderr, code := run(t, exec.Command("curl", ask...)); code != 0 || !strings.Contains(out, m.point) {
		t.Errorf("the owner gets no answer: exit %d, %q, %s", code, out, stderr)
	}
	// A runtime directory that others can write to is not used.
	e.expect(1, []string{"not a directory of this user alone"}, "status")
	if err := os.Chmod(e.path("run", "workfs"), 0o700); err != nil {
		t.Fatal(err)
	}
	m.umount()
}

// reachable lets other users come as far as the mountpoint.
func (e *env) reachable() {
	e.t.Helper()
	for _, p := range []string{e.dir, filepath.Dir(e.dir)} {
		if err := os.Chmod(p, 0o755); err != nil {
			e.t.Fatal(err)
		}
	}
}

// TestOtherUsers: whatever is cached, the modes keep others out, and --uid, --gid and --umask let in whom they name.
func TestOtherUsers(t *testing.T) {
	t.Parallel()
	needRoot(t)
	e := newEnv(t, sim.Options{})
	e.reachable()
	modes := func(m *mnt) string {
		return strings.TrimSpace(e.must("stat", "-c", "%A %u:%g", "contoso", m.newest("*.md")))
	}
	m := e.mount("-c", "contoso")
	file := m.newest("*.md")
	text := read(t, file)
	if got := modes(m); got != "dr-x------ 0:0\n-r-------- 0:0" {
		t.Errorf("modes by default: %s", got)
	}
	if _, _, code := e.as(nobody, "cat", file); code == 0 {
		t.Error("a stranger reads without --allow-other")
	}
	m.umount()

	m = e.mount("-c", "contoso", "--allow-other")
	if got := read(t, file); got != text { // so that it is in the page cache
		t.Fatal("the message changed")
	}
	for _, args := range [][]string{{"cat", file}, {"ls", m.path(alice)}, {"ls", m.point}, {"head", "-c", "1", m.path(".workfs/status.json")}} {
		if out, stderr, code := e.as(nobody, args[0], args[1:]...); code == 0 || !strings.Contains(stderr, errnoText(syscall.EACCES)) || out != "" {
			t.Errorf("a stranger's %v with --allow-other: exit %d, %q, %s", args, code, out, stderr)
		}
	}
	m.umount()

	m = e.mount("-c", "contoso", "--allow-other", "--uid", "65534", "--gid", "65534", "--umask", "0227")
	if got := modes(m); got != "dr-xr-x--- 65534:65534\n-r--r----- 65534:65534" {
		t.Errorf("modes with --umask 0227: %s", got)
	}
	if out, stderr, code := e.as(nobody, "cat", file); code != 0 || out != text {
		t.Errorf("the owner reads %q: exit %d, %s", head(out, 2), code, stderr)
	}
	if _, _, code := e.as(1234, "cat", file); code == 0 {
		t.Error("a stranger reads what belongs to another")
	}
	m.umount()
}

// TestReadOnly: no call that would change something gets further than EROFS, not even as root.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount("-c", "contoso")
	file, dir := m.newest("*.md"), m.path(alice, "mail/Inbox")
	before := e.must("find", alice+"/mail/Inbox", "-printf", "%p %i %s %T@ %C@ %m %U\n")
	for name, call := range map[string]func() error{
		"open for writing": func() error { _, err := os.OpenFile(file, os.O_RDWR, 0); return err },
		"append":           func() error { _, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0); return err },
		"truncate":         func() error { return syscall.Truncate(file, 0) },
		"create":           func() error { _, err := os.Create(filepath.Join(dir, "new")); return err },
		"mkdir":            func() error { return os.Mkdir(filepath.Join(dir, "new"), 0o700) },
		"mknod":            func() error { return syscall.Mknod(filepath.Join(dir, "new"), syscall.S_IFIFO|0o600, 0) },
		"symlink":          func() error { return os.Symlink("x", filepath.Join(dir, "new")) },
		"link":             func() error { return os.Link(file, filepath.Join(dir, "new")) },
		"rename":           func() error { return os.Rename(file, filepath.Join(dir, "new")) },
		"unlink":           func() error { return syscall.Unlink(file) },
		"rmdir":            func() error { return syscall.Rmdir(dir) },
		"chmod":            func() error { return os.Chmod(file, 0o666) },
		"chown":            func() error { return os.Chown(file, 1, 1) },
		"utimes":           func() error { return syscall.UtimesNano(file, make([]syscall.Timespec, 2)) },
		"setxattr":         func() error { return syscall.Setxattr(file, "user.x", []byte("x"), 0) },
		"removexattr":      func() error { return syscall.Removexattr(file, "user.x") },
		"in .workfs":       func() error { _, err := os.Create(m.path(".workfs/new")); return err },
		"in the root":      func() error { return os.Mkdir(m.path("new"), 0o700) },
	} {
		if err := call(); !errorIs(err, syscall.EROFS) {
			t.Errorf("%s: %v, want EROFS", name, err)
		}
	}
	if after := e.must("find", alice+"/mail/Inbox", "-printf", "%p %i %s %T@ %C@ %m %U\n"); after != before {
		t.Errorf("something changed: %s", firstDifference(before, after))
	}
	m.umount()
}
