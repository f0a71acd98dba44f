package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/simtest/browser"
)

// theCode finds the code and the address in the sentence that Entra gives.
var theCode = regexp.MustCompile(`open the page (\S+) and enter the code (\S+) to authenticate`)

// device is a sign-in on another device.
func (e *env) device(args ...string) (s *signing, address, code string) {
	e.t.Helper()
	s = e.begin(e.microsoft(append([]string{"--client-id", e.sim.Ready().PublicClientID, "--features", "mail", "--device-code", "--json"}, args...)...)...)
	s.waitFor("to authenticate")
	m := theCode.FindStringSubmatch(s.said())
	if m == nil {
		e.t.Fatalf("said:\n%s", s.said())
	}
	return s, m[1], m[2]
}

// device fills in the pages up to the question whether to go on.
func (w *web) device(e *env, address, code string) *browser.Page {
	w.t.Helper()
	p := w.press(w.open(address), "idSIButton9", "otc", code)
	return w.press(p, "idSIButton9", "loginfmt", "alice@contoso.com", "passwd", e.sim.Ready().Password)
}

// early counts polls that came too early.
func (e *env) early() (polls, early int) {
	e.t.Helper()
	res, err := http.Get(e.sim.Ready().Control + "/entra/devices")
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	var devices []struct {
		Polls []time.Time
		Early int
	}
	if err := json.NewDecoder(res.Body).Decode(&devices); err != nil {
		e.t.Fatal(err)
	}
	for _, d := range devices {
		polls += len(d.Polls)
		early += d.Early
	}
	return polls, early
}

// TestLoginDevice signs in on another device while the service asks to go slower once.
func TestLoginDevice(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	e.set("entra.device_interval", 1)
	e.set("entra.slow_down", 1)
	s, address, code := e.device()
	w := newWeb(t)
	w.press(w.device(e, address, code), "idSIButton9")
	if got := s.report(); got.Account != "alice@contoso.com" || got.Auth != "delegated" {
		t.Errorf("report %+v", got)
	}
	if polls, early := e.early(); polls < 2 || early > 0 {
		t.Errorf("%d polls, %d of them too early", polls, early)
	}
	if c := e.stored("microsoft"); c["refresh_token"] == nil {
		t.Errorf("stored %v", keysOf(c))
	}
	e.config = e.path("another", "config.toml")

	// Another time the person cancels.
	s, address, code = e.device()
	w = newWeb(t)
	w.press(w.device(e, address, code), "idBtn_Back")
	if code := s.end(); code != 12 || !strings.Contains(s.said(), "declined") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	e.nothing()

	// And once nobody comes.
	e.set("entra.device_lifetime", 2)
	s, _, _ = e.device()
	if code := s.end(); code != 12 || !strings.Contains(s.said(), "expired_token") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	e.nothing()
}

// TestLoginDeviceTrouble: the network fails for once while the person signs in; a policy forbids device codes.
func TestLoginDeviceTrouble(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	e.set("entra.device_interval", 1)
	s, address, code := e.device()
	e.sim.World().Faults.Set(
		core.FaultRule{Route: "POST /{tenant}/oauth2/v2.0/token", Status: http.StatusServiceUnavailable, Count: 1},
		core.FaultRule{Route: "POST /{tenant}/oauth2/v2.0/token", Reset: true, Count: 1},
	)
	w := newWeb(t)
	p := w.device(e, address, code)
	w.press(p, "idSIButton9")
	if got := s.report(); got.Account != "alice@contoso.com" {
		t.Errorf("report %+v", got)
	}

	e.config = e.path("another", "config.toml")
	e.set("entra.token_error_once", 53003)
	s, _, _ = e.device()
	if code := s.end(); code != 12 || !strings.Contains(s.said(), "53003") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	e.nothing()
}
