package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// atTerminal starts a login command with a person at a terminal, who sees all that it says and types with enter.
func (e *env) atTerminal(args ...string) (s *signing, tty *os.File) {
	e.t.Helper()
	keyboard, tty := newTerminalPair(e.t)
	s = &signing{e: e, cmd: e.command(args...), ended: make(chan struct{}), stdin: keyboard}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = tty, tty, tty
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := keyboard.Read(buf)
			s.mu.Lock()
			s.stderr.WriteString(strings.ReplaceAll(string(buf[:n]), "\r\n", "\n"))
			s.mu.Unlock()
			if err != nil {
				return // the terminal is gone
			}
		}
	}()
	go func() {
		_ = s.cmd.Wait() // the code is read from ProcessState
		close(s.ended)
	}()
	e.t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // most have ended
		<-s.ended
	})
	return s, tty
}

// newTerminalPair makes a terminal: what a person has in front of them, and what the program has.
func newTerminalPair(t testing.TB) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED: no terminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

func echoes(t testing.TB, tty *os.File) bool {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}

// TestLoginTerminal: what is missing is asked for, a secret is not shown, and Ctrl-C gives the terminal back as it was.
func TestLoginTerminal(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	args := []string{"login", "microsoft", "--app-only", "--login-url", r.Login, "--graph-url", r.Graph}
	s, tty := e.atTerminal(args...)
	s.waitFor("the Application (client) ID of the app registration: ")
	s.enter(r.ClientID)
	s.waitFor("the Directory (tenant) ID or a domain of the organisation: ")
	s.enter(r.Tenant)
	s.waitFor("Client secret (not shown): ")
	if echoes(t, tty) {
		t.Error("the terminal shows what is typed")
	}
	if _, err := io.WriteString(s.stdin, "\x03"); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	if code := s.end(); code != 130 || !echoes(t, tty) {
		t.Errorf("exit %d, echo %v:\n%s", code, echoes(t, tty), s.said())
	}
	e.nothing()

	s, _ = e.atTerminal(append(args, "--client-id", r.ClientID, "--tenant", r.Tenant)...)
	s.waitFor("Client secret (not shown): ")
	s.enter(r.ClientSecret)
	if code := s.end(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, s.said())
	}
	s.waitFor("Secrets in")
	if strings.Contains(s.said(), r.ClientSecret) {
		t.Errorf("the secret was shown:\n%s", s.said())
	}
	if c := e.stored("microsoft"); c["client_secret"] != r.ClientSecret {
		t.Errorf("stored %v", keysOf(c))
	}
}

// TestLoginTerminalChoices: a person without an administrator goes on with less, pastes, and decides what happens to the
// account that the connection had.
func TestLoginTerminalChoices(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	s, _ := e.atTerminal(e.microsoft("--client-id", r.NewPublicClientID)...)
	w := newWeb(t)
	p := w.press(w.open(s.address()), "idSIButton9", "loginfmt", "alice@contoso.com", "passwd", r.Password)
	w.arrived(w.press(p, "idBtn_Back"), "You are not signed in")
	s.waitFor("Sign in without these now? [y/N]")
	first := s.address()
	s.enter("y")
	s.waitFor("Sign in without these now? [y/N] y\nSigning in to the connection microsoft")
	for s.address() == first {
		s.waitFor("authorize") // the second address is on its way
	}
	w = &web{t, newPaster(t, e)}
	p = w.microsoft(e, s.address(), "alice@contoso.com")
	if p.Left == nil {
		t.Fatalf("page %q", p.Title())
	}
	s.enter(p.Left.String())
	if code := s.end(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, s.said())
	}
	if config := read(t, e.config); !strings.Contains(config, `features = ["mail", "calendar", "contacts", "chats", "files", "presence"]`) {
		t.Errorf("configuration:\n%s", config)
	}
	before := e.stored("microsoft")

	for _, c := range []struct{ answer, account string }{{"n", "alice@contoso.com"}, {"y", "bob@contoso.com"}} {
		s, _ = e.atTerminal("login", "microsoft", "--no-browser", "--callback", anyCallback("microsoft"))
		w = newWeb(t)
		w.arrived(w.microsoft(e, s.address(), "bob@contoso.com"), "You are signed in")
		s.waitFor("Replace it? [y/N]")
		s.enter(c.answer)
		s.end()
		if got := e.stored("microsoft"); got["account"] != c.account || (got["lineage"] == before["lineage"]) != (c.answer == "n") {
			t.Errorf("after %q the account is %v:\n%s", c.answer, got["account"], s.said())
		}
	}
}
