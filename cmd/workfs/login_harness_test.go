package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/simtest/browser"
)

// newLoginEnv is an env without a configuration.
func newLoginEnv(t *testing.T) *env {
	t.Helper()
	e := newEnv(t, sim.Options{})
	e.config = e.path("new", "config.toml")
	return e
}

// anyCallback lets the system choose the port, so that tests may run at once.
func anyCallback(service string) string { return "http://localhost:0/oauth/redirect/" + service }

// microsoft gives the arguments that sign in at the simulator's Entra.
func (e *env) microsoft(args ...string) []string {
	r := e.sim.Ready()
	return append([]string{
		"login", "microsoft", "--login-url", r.Login, "--graph-url", r.Graph, "--tenant", r.Tenant,
		"--callback", anyCallback("microsoft"), "--no-browser",
	}, args...)
}

// box gives the arguments that sign in at the simulator's Box.
func (e *env) box(args ...string) []string {
	r := e.sim.Ready()
	return append([]string{
		"login", "box", "--api-url", r.BoxAPI, "--token-url", r.BoxAPI + "/oauth2/token", "--account-url", r.BoxAccount,
		"--callback", anyCallback("box"), "--no-browser",
	}, args...)
}

// secretFile writes a file with a secret.
func (e *env) secretFile(name, secret string) string {
	e.t.Helper()
	path := e.path(name)
	e.write(path, secret+"\n")
	return path
}

// signing is a login command under way.
type signing struct {
	e     *env
	cmd   *exec.Cmd
	stdin io.WriteCloser

	mu     sync.Mutex
	stderr bytes.Buffer
	stdout bytes.Buffer
	ended  chan struct{}
}

// begin starts a login command. The test ends it if nothing else does.
func (e *env) begin(args ...string) *signing {
	e.t.Helper()
	return e.beginCommand(e.command(args...))
}

func (e *env) beginCommand(cmd *exec.Cmd) *signing {
	e.t.Helper()
	s := &signing{e: e, cmd: cmd, ended: make(chan struct{})}
	s.cmd.Stdout = &s.stdout
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := s.cmd.StderrPipe()
	if err == nil {
		s.stdin, err = s.cmd.StdinPipe()
	}
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		e.t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewReader(stderr); ; {
			line, err := lines.ReadString('\n')
			s.mu.Lock()
			s.stderr.WriteString(line)
			s.mu.Unlock()
			if err != nil {
				break
			}
		}
		_ = s.cmd.Wait() // the code is read from ProcessState
		close(s.ended)
	}()
	e.t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // most have ended
		<-s.ended
	})
	return s
}

// said gives what people have read so far.
func (s *signing) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stderr.String()
}

// waitFor waits until people have read a text.
func (s *signing) waitFor(text string) {
	s.e.t.Helper()
	deadline, ended := time.Now().Add(patience), s.ended
	for !strings.Contains(s.said(), text) {
		select {
		case <-ended:
			ended, deadline = nil, time.Now().Add(5*time.Second) // a terminal may still hold what was said last
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.e.t.Fatalf("has not said %q:\n%s", text, s.said())
		}
	}
}

// address waits for the address to open.
func (s *signing) address() string {
	s.e.t.Helper()
	const marker = "Open this address in a browser:\n\n"
	s.waitFor(marker)
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		said := s.said()
		if line, _, ok := strings.Cut(said[strings.LastIndex(said, marker)+len(marker):], "\n"); ok {
			return line
		}
		if time.Now().After(deadline) {
			s.e.t.Fatalf("has not said an address:\n%s", said)
		}
	}
}

// end waits for the end and gives the exit code.
func (s *signing) end() int {
	s.e.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.e.t.Fatalf("still waits:\n%s", s.said())
	}
	return s.cmd.ProcessState.ExitCode()
}

// report ends a login that was told --json, which must have worked.
func (s *signing) report() loginReport {
	s.e.t.Helper()
	if code := s.end(); code != 0 {
		s.e.t.Fatalf("exit %d:\n%s", code, s.said())
	}
	var r loginReport
	if err := json.Unmarshal(s.stdout.Bytes(), &r); err != nil {
		s.e.t.Fatalf("%v:\n%s", err, s.stdout.String())
	}
	return r
}

// web is a person with a browser.
type web struct {
	t testing.TB
	b *browser.Browser
}

func newWeb(t testing.TB) *web { return &web{t, browser.New(nil, "")} }

func (w *web) open(address string) *browser.Page {
	w.t.Helper()
	p, err := w.b.Open(context.Background(), address)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *web) press(p *browser.Page, button string, fields ...string) *browser.Page {
	w.t.Helper()
	m := map[string]string{}
	for i := 0; i < len(fields); i += 2 {
		m[fields[i]] = fields[i+1]
	}
	next, err := p.Press(context.Background(), button, m)
	if err != nil {
		w.t.Fatal(err)
	}
	return next
}

// microsoft fills in the pages of Entra, with consent if it is asked for, to where they lead.
func (w *web) microsoft(e *env, address, user string) *browser.Page {
	w.t.Helper()
	p := w.open(address)
	if p.Title() == "Sign in" {
		p = w.press(p, "idSIButton9", "loginfmt", user, "passwd", e.sim.Ready().Password)
	}
	if p.Title() == "Permissions requested" {
		p = w.press(p, "idSIButton9")
	}
	return p
}

// box fills in the pages of Box, to the button with the given id.
func (w *web) box(e *env, address, user, button string) *browser.Page {
	w.t.Helper()
	p := w.press(w.open(address), "login-submit", "login", user, "password", e.sim.Ready().Password)
	return w.press(p, button)
}

// arrived checks that the browser ended on our page of a title.
func (w *web) arrived(p *browser.Page, title string) {
	w.t.Helper()
	if !strings.HasPrefix(p.Title(), title) || p.URL.Hostname() != "localhost" {
		w.t.Fatalf("the browser ended at %s: %q %s", p.URL.Redacted(), p.Title(), p.Text("exceptionMessageContainer"))
	}
}

// stored reads what a login stored.
func (e *env) stored(name string) map[string]any {
	e.t.Helper()
	var c map[string]any
	path := filepath.Join(filepath.Dir(e.config), "credentials", name+".json")
	if err := json.Unmarshal([]byte(read(e.t, path)), &c); err != nil {
		e.t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		e.t.Errorf("credentials: mode %v (%v)", info.Mode(), err)
	}
	return c
}

// nothing checks that a login left nothing behind.
func (e *env) nothing() {
	e.t.Helper()
	left, err := filepath.Glob(filepath.Join(filepath.Dir(e.config), "*"))
	if err != nil {
		e.t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(filepath.Dir(e.config), "credentials", "*"))
	if err != nil {
		e.t.Fatal(err)
	}
	if left = append(left, more...); len(left) > 0 {
		e.t.Errorf("left behind: %v", left)
	}
}

// newPaster is a browser on another machine: it stays where the pages of Entra send it.
func newPaster(t testing.TB, e *env) *browser.Browser {
	t.Helper()
	u, err := url.Parse(e.sim.Ready().Login)
	if err != nil {
		t.Fatal(err)
	}
	return browser.New(nil, u.Host)
}

// enter types a line.
func (s *signing) enter(line string) {
	s.e.t.Helper()
	if _, err := io.WriteString(s.stdin, line+"\n"); err != nil {
		s.e.t.Fatal(err)
	}
}

// boxPaster is newPaster for Box's pages.
func boxPaster(t testing.TB, e *env) *browser.Browser {
	t.Helper()
	u, err := url.Parse(e.sim.Ready().BoxAccount)
	if err != nil {
		t.Fatal(err)
	}
	return browser.New(nil, u.Host)
}

// commandWith is command with another configuration.
func (e *env) commandWith(config string, args ...string) *exec.Cmd {
	e.t.Helper()
	cmd := e.command(args...)
	cmd.Env = append(cmd.Env, "WORKFS_CONFIG="+config) // of two the last counts
	return cmd
}
