package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/workfs/workfs/backends/sim"
)

// chromium is a real browser without a window, with a profile of its own, in which a person signs in.
type chromium struct {
	t   testing.TB
	ctx context.Context
}

// newChromium starts the browser, or skips the test where there is none.
func newChromium(t testing.TB) *chromium {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("SKIPPED: neither chromium nor google-chrome is installed")
	}
	home := t.TempDir()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(home), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(patience), chromedp.Env("HOME="+home),
		// The simulator's authority is made for the run. What workfs trusts is tested by ca_file, not here.
		chromedp.Flag("ignore-certificate-errors", true),
		chromedp.Flag("disable-dev-shm-usage", true))
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return &chromium{t, ctx}
}

// do runs actions, and on failure tells the page that they met.
func (c *chromium) do(actions ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience/2)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		c.t.Fatalf("%v on the page:\n%s", err, head(c.text(), 30))
	}
}

// open goes to an address.
func (c *chromium) open(address string) {
	c.t.Helper()
	c.do(chromedp.Navigate(address))
}

// fill types into the field with an id, which must be visible.
func (c *chromium) fill(id, value string) {
	c.t.Helper()
	c.do(chromedp.SendKeys(chromedp.ID(id), value, chromedp.NodeVisible))
}

// press clicks the button with an id, which must be visible.
func (c *chromium) press(id string) {
	c.t.Helper()
	c.do(chromedp.Click(chromedp.ID(id), chromedp.NodeVisible))
}

// text is what the page says; "" while there is none.
func (c *chromium) text() string {
	ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''")) // an empty text tells
	return text
}

// sees waits until the page says a text.
func (c *chromium) sees(want string) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		text := c.text()
		if strings.Contains(text, want) {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("the page does not say %q:\n%s", want, head(text, 30))
		}
	}
}

// microsoft gives name and password to Entra's page.
func (c *chromium) microsoft(user, password string) {
	c.t.Helper()
	c.fill("i0116", user)
	c.fill("i0118", password)
	c.press("idSIButton9")
}

// newTLSLoginEnv is an env without a configuration in front of services that speak TLS.
func newTLSLoginEnv(t *testing.T) *env {
	t.Helper()
	e := newEnv(t, sim.Options{TLSDir: t.TempDir()})
	e.config = e.path("new", "config.toml")
	return e
}

// TestChromiumMicrosoft: an administrator consents for the organisation; a person, whose browser workfs opens, signs in
// and agrees, and refuses another time; a device code is entered. All over TLS.
func TestChromiumMicrosoft(t *testing.T) {
	t.Parallel()
	e := newTLSLoginEnv(t)
	c := newChromium(t)
	r := e.sim.Ready()
	const person = "alice@contoso.com"

	// The person's desktop opens a browser; here it notes the address.
	opened := e.path("opened")
	script := e.path("browser")
	e.write(script, "#!/bin/sh\nprintf '%s\\n' \"$1\" > '"+opened+"'\n")
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	login := func(args ...string) *signing {
		t.Helper()
		var browsing []string
		for _, a := range e.microsoft(append([]string{"--client-id", r.NewPublicClientID, "--ca-file", r.CA}, args...)...) {
			if a != "--no-browser" {
				browsing = append(browsing, a)
			}
		}
		_ = os.Remove(opened) // of the login before
		return e.begin(browsing...)
	}
	address := func(s *signing) string {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			if text, err := os.ReadFile(opened); err == nil && strings.HasSuffix(string(text), "\n") {
				return strings.TrimSpace(string(text))
			}
			if time.Now().After(deadline) {
				t.Fatalf("no browser was opened:\n%s", s.said())
			}
		}
	}
	e.vars = append(e.vars, "BROWSER="+script)

	// Cancelled on the page of consent.
	s := login("--name", "work", "--features", "mail")
	c.open(address(s))
	c.microsoft(person, r.Password)
	c.sees("Permissions requested")
	c.press("idBtn_Back")
	c.sees("You are not signed in")
	if code := s.end(); code != codeRefused || !strings.Contains(s.said(), "65004") {
		t.Errorf("cancelled: exit %d:\n%s", code, s.said())
	}

	// All features need an administrator. The browser remembers who signed in.
	s = login("--name", "work")
	c.open(address(s))
	c.sees("Need admin approval")
	c.press("idBtn_Back")
	c.sees("You are not signed in")
	if code := s.end(); code != codeRefused || !strings.Contains(s.said(), "/v2.0/adminconsent?") {
		t.Errorf("needs an administrator: exit %d:\n%s", code, s.said())
	}

	// Who consents, in another browser.
	admin := newChromium(t)
	s = login("--name", "work", "--admin-consent")
	admin.open(address(s))
	admin.microsoft(r.Admin, r.Password)
	admin.sees("Permissions requested") // the button has the id of the one on the page before
	admin.press("idSIButton9")
	if code := s.end(); code != 0 {
		t.Fatalf("admin consent: exit %d:\n%s", code, s.said())
	}

	// Now the person is asked for nothing but the account.
	s = login("--name", "work", "--prompt", "select_account", "--json")
	c.open(address(s))
	c.press("tile0")
	c.sees("You are signed in")
	if report := s.report(); report.Account != person || len(report.Missing) > 0 {
		t.Errorf("report %+v", report)
	}

	// Another connection by a code that is entered on another device.
	s = e.begin(e.microsoft("--client-id", r.NewPublicClientID, "--ca-file", r.CA, "--name", "device", "--features", "mail", "--device-code", "--json")...)
	s.waitFor("enter the code ")
	_, rest, _ := strings.Cut(s.said(), "enter the code ")
	code, _, _ := strings.Cut(rest, " ")
	c.open(r.Login + "/devicelogin")
	c.fill("otc", code)
	c.press("idSIButton9")
	c.sees("Are you trying to sign in")
	c.press("idSIButton9")
	if report := s.report(); report.Account != person {
		t.Errorf("device code: %+v", report)
	}

	m := e.mount("-c", "work") // device shows the same mailbox
	if got := e.must("ls", "work/outlook/"+person, "work/teams/channels"); !strings.Contains(got, "mail") || !strings.Contains(got, "Engineering") {
		t.Errorf("the mount shows:\n%s", got)
	}
	m.umount()
	for _, leak := range e.sim.World().Stats.Snapshot().Leaks {
		t.Errorf("leak: %+v", leak)
	}
}

// TestChromiumBox: a person signs in to Box, agrees, and refuses another time. Over TLS.
func TestChromiumBox(t *testing.T) {
	t.Parallel()
	e := newTLSLoginEnv(t)
	c := newChromium(t)
	r := e.sim.Ready()
	const person = "alice@contoso.com"
	args := e.box("--name", "box", "--client-id", r.BoxClientID, "--client-secret-file", e.secretFile("box-secret", r.BoxClientSecret), "--ca-file", r.CA, "--json")

	s := e.begin(args...)
	c.open(s.address())
	c.fill("login", person)
	c.fill("password", r.Password)
	c.press("login-submit")
	c.press("consent_reject_button")
	c.sees("You are not signed in")
	if code := s.end(); code != codeRefused {
		t.Errorf("refused: exit %d:\n%s", code, s.said())
	}

	s = e.begin(args...)
	c.open(s.address())
	c.press("consent_accept_button")
	c.sees("You are signed in")
	if report := s.report(); report.Account != person {
		t.Errorf("report %+v", report)
	}
	m := e.mount()
	if got := e.must("ls", "box"); !strings.Contains(got, "files") {
		t.Errorf("the mount shows:\n%s", got)
	}
	m.umount()
	for _, leak := range e.sim.World().Stats.Snapshot().Leaks {
		t.Errorf("leak: %+v", leak)
	}
}
