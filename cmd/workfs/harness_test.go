package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/cmd/workfs/internal/control"
	"github.com/workfs/workfs/cmd/workfs/internal/mounts"
)

// The tests of this package run the program as its users do: a process of its own on a real mount, in front of a
// simulator that listens on loopback. The process is the test binary itself, which is workfs when this variable is set.
const beWorkfs = "WORKFS_TEST_BE_WORKFS"

func TestMain(m *testing.M) {
	if os.Getenv(beWorkfs) != "" {
		main() // exits
	}
	os.Exit(m.Run())
}

// patience bounds every wait for something that must happen. It is no measurement.
const patience = 2 * time.Minute

// needFUSE skips a test where nothing can be mounted.
func needFUSE(t testing.TB) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skipf("SKIPPED: no FUSE here: %v", err)
	}
}

// needTool skips a test where a program is not installed.
func needTool(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("SKIPPED: %s is not installed", name)
		}
	}
}

// env is a simulator and a home of its own: configuration, cache, state and runtime directories below the test's
// temporary directory.
type env struct {
	t      testing.TB
	sim    *sim.Sim
	dir    string // everything
	etc    string // what Sim.WriteConfig wrote
	config string // the configuration in use, etc/config.toml unless changed
	cache  string
	state  string
	point  string   // the mountpoint in use
	vars   []string // further variables of the environment
}

// newEnv starts a simulator and writes its configuration.
func newEnv(t testing.TB, o sim.Options) *env {
	t.Helper()
	needFUSE(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e := &env{t: t, dir: dir}
	e.etc, e.cache, e.state, e.point = e.path("etc"), e.path("cache"), e.path("state"), e.path("mnt")
	e.config = filepath.Join(e.etc, "config.toml")
	for _, d := range []string{e.point, e.path("run"), e.path("home"), e.path("tmp")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if e.sim, err = sim.New(o); err != nil {
		t.Fatalf("simulator: %v", err)
	}
	if err := e.sim.Start(context.Background()); err != nil {
		t.Fatalf("simulator: %v", err)
	}
	t.Cleanup(func() {
		if err := e.sim.Close(); err != nil {
			t.Errorf("closing the simulator: %v", err)
		}
	})
	if err := e.sim.WriteConfig(e.etc); err != nil {
		t.Fatal(err)
	}
	return e
}

// path gives a path in the directory of the test.
func (e *env) path(parts ...string) string {
	return filepath.Join(append([]string{e.dir}, parts...)...)
}

// environ is the environment of the program and of the tools: nothing of the user's.
func (e *env) environ() []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC", "HOME=" + e.path("home"), "TMPDIR=" + e.path("tmp"),
		"XDG_CONFIG_HOME=" + e.path("home", ".config"), "XDG_CACHE_HOME=" + e.path("home", ".cache"),
		"XDG_STATE_HOME=" + e.path("home", ".state"), "XDG_RUNTIME_DIR=" + e.path("run"),
		"WORKFS_CONFIG=" + e.config, "WORKFS_CACHE_DIR=" + e.cache, "WORKFS_STATE_DIR=" + e.state,
	}, e.vars...)
}

// command makes a command that runs workfs.
func (e *env) command(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		e.t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(e.environ(), beWorkfs+"=1")
	return cmd
}

// workfs runs a command to its end.
func (e *env) workfs(args ...string) (stdout, stderr string, code int) {
	e.t.Helper()
	return run(e.t, e.command(args...))
}

// tool runs another program to its end, in the mountpoint, with the environment of the test.
func (e *env) tool(name string, args ...string) (stdout, stderr string, code int) {
	e.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = e.environ(), e.point
	return run(e.t, cmd)
}

// must runs another program, which must succeed, and gives what it printed.
func (e *env) must(name string, args ...string) string {
	e.t.Helper()
	stdout, stderr, code := e.tool(name, args...)
	if code != 0 {
		e.t.Fatalf("%s %s: exit %d\n%s", name, strings.Join(args, " "), code, head(stderr, 20))
	}
	return stdout
}

func run(t testing.TB, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Start()
	if err == nil {
		// A mount that was to fail would serve for ever.
		stop := time.AfterFunc(patience, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
		err = cmd.Wait()
		stop.Stop()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// head cuts a long text for a failure message.
func head(s string, lines int) string {
	parts := strings.SplitAfterN(s, "\n", lines+1)
	if len(parts) > lines {
		parts[lines] = "…\n"
	}
	return strings.Join(parts, "")
}

// requests tells what the services were asked since the last reset. Sign-in is not counted: how often a token is
// fetched is no matter of the tree.
func (e *env) requests() (total int, by map[string]int) {
	by = e.sim.World().Stats.Snapshot().Requests
	for route, n := range by {
		if strings.Contains(route, "/oauth2/") {
			delete(by, route)
			continue
		}
		total += n
	}
	return total, by
}

// resetRequests starts counting anew.
func (e *env) resetRequests() { e.sim.World().Stats.Reset() }

// budget fails the test when more requests were made since the last reset, and resets.
func (e *env) budget(what string, most int) {
	e.t.Helper()
	total, by := e.requests()
	for route, n := range by {
		// Box is listened to from the mount on, whatever is looked at: the standing poll is no cost of a look.
		if strings.HasSuffix(route, " /2.0/events") || strings.HasSuffix(route, " /subscribe") {
			total -= n
			delete(by, route)
		}
	}
	e.t.Logf("%s: %d requests (at most %d)", what, total, most)
	if total > most {
		e.t.Errorf("%s: %d requests, at most %d allowed:\n%s", what, total, most, routes(by))
	}
	e.resetRequests()
}

// routes prints counted requests, most frequent first.
func routes(by map[string]int) string {
	var lines []string
	for route, n := range by {
		lines = append(lines, fmt.Sprintf("%7d  %s\n", n, route))
	}
	sort.Sort(sort.Reverse(sort.StringSlice(lines)))
	return strings.Join(lines, "")
}

// wipeCache removes the cache directory. Nothing may be mounted.
func (e *env) wipeCache() {
	e.t.Helper()
	if err := os.RemoveAll(e.cache); err != nil {
		e.t.Fatal(err)
	}
}

// editConfig rewrites the configuration in use.
func (e *env) editConfig(edit func(string) string) {
	e.t.Helper()
	b, err := os.ReadFile(e.config)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(e.config, []byte(edit(string(b))), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// features limits what the connection contoso shows.
func (e *env) features(names ...string) {
	e.t.Helper()
	const head = "[connections.contoso]\n"
	e.editConfig(func(s string) string {
		return strings.Replace(s, head, head+fmt.Sprintf("features = [\"%s\"]\n", strings.Join(names, `", "`)), 1)
	})
}

// mnt is a mount and the process that serves it.
type mnt struct {
	e     *env
	point string
	cmd   *exec.Cmd
	log   string // file of the process's standard error
	ended chan struct{}
}

// mount runs `workfs mount` in the foreground on e.point and returns when it serves. The mount ends with the test.
func (e *env) mount(args ...string) *mnt {
	e.t.Helper()
	return e.mountEnv(nil, args...)
}

// mountEnv is mount with more in the environment.
func (e *env) mountEnv(environ []string, args ...string) *mnt {
	e.t.Helper()
	log, err := os.CreateTemp(e.dir, "workfs-*.log")
	if err != nil {
		e.t.Fatal(err)
	}
	defer log.Close()
	m := &mnt{e: e, point: e.point, log: log.Name(), ended: make(chan struct{})}
	m.cmd = e.command(append([]string{"mount", e.point}, args...)...)
	m.cmd.Env = append(m.cmd.Env, environ...)
	m.cmd.Stdout, m.cmd.Stderr = log, log
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	go func() {
		_ = m.cmd.Wait() // the code is read from ProcessState
		close(m.ended)
	}()
	e.t.Cleanup(m.discard)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := m.control().Call(context.Background(), "GET", "/ping", nil); err == nil {
			return m
		}
		select {
		case <-m.ended:
			e.t.Fatalf("workfs mount %s: exit %d\n%s", strings.Join(args, " "), m.cmd.ProcessState.ExitCode(), m.logged())
		default:
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("workfs mount %s: not ready after %v\n%s", strings.Join(args, " "), patience, m.logged())
		}
	}
}

func (m *mnt) control() *control.Client {
	return control.Dial(control.SocketPath(m.e.path("run", "workfs"), m.point))
}

// logged gives what the process has written to its standard error.
func (m *mnt) logged() string {
	b, err := os.ReadFile(m.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// path gives a path in the mount.
func (m *mnt) path(parts ...string) string {
	return filepath.Join(append([]string{m.point}, parts...)...)
}

// status asks the process, without a FUSE request.
func (m *mnt) status() mountStatus {
	m.e.t.Helper()
	var st mountStatus
	if err := m.control().Get(context.Background(), "/status", nil, &st); err != nil {
		m.e.t.Fatal(err)
	}
	return st
}

// fuseRequests counts what the kernel has asked so far, without STATFS: whoever watches the disks of this machine asks that.
func (m *mnt) fuseRequests() (total uint64, by map[string]uint64) {
	m.e.t.Helper()
	by = m.status().FUSERequests
	for op, n := range by {
		if op == "STATFS" {
			delete(by, op)
			continue
		}
		total += n
	}
	return total, by
}

// umount unmounts as a user does, and checks that the process ends well.
func (m *mnt) umount() {
	m.e.t.Helper()
	if _, stderr, code := m.e.workfs("umount", m.point); code != 0 {
		m.e.t.Fatalf("workfs umount: exit %d: %s", code, stderr)
	}
	select {
	case <-m.ended:
	case <-time.After(patience):
		m.e.t.Fatalf("the process still runs after umount\n%s", m.logged())
	}
	if code := m.cmd.ProcessState.ExitCode(); code != 0 {
		m.e.t.Errorf("workfs mount: exit %d\n%s", code, m.logged())
	}
}

// kill9 ends the process as a crash does and leaves the dead mount in place.
func (m *mnt) kill9() {
	m.e.t.Helper()
	if err := m.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		m.e.t.Fatal(err)
	}
	<-m.ended
}

// discard leaves nothing behind, whatever state the test left.
func (m *mnt) discard() {
	if m.e.t.Failed() {
		m.e.t.Logf("log of the mount:\n%s", head(m.logged(), 40))
	}
	if mounted, ok := mounts.At(m.point); ok && mounted.Type == mounts.FSType {
		_ = mounts.Unmount(m.point, true) // a later mount on the same point may have done it
	}
	select {
	case <-m.ended:
		return
	case <-time.After(5 * time.Second):
	}
	_ = m.cmd.Process.Kill() // it may have ended meanwhile
	<-m.ended
}

// alice is where the owner of the delegated sign-in has her mailbox.
const alice = "contoso/outlook/alice@contoso.com"
