package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestLoginBox signs a person in in the browser.
func TestLoginBox(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	args := e.box("--client-id", r.BoxClientID, "--client-secret-file", e.secretFile("secret", r.BoxClientSecret), "--json")
	s := e.begin(args...)
	w := newWeb(t)
	w.arrived(w.box(e, s.address(), "alice@contoso.com", "consent_accept_button"), "You are signed in")
	report := s.report()
	if report.Account != "alice@contoso.com" || report.Enterprise != r.BoxEnterprise || report.Auth != "oauth" || report.Role == "" {
		t.Errorf("report %+v", report)
	}
	c := e.stored("box")
	if c["account"] != "alice@contoso.com" || c["refresh_token"] == nil || c["lineage"] == nil || c["client_secret"] != nil {
		t.Errorf("stored %v", keysOf(c))
	}
	m := e.mount()
	if got := e.must("ls", "box/files"); strings.TrimSpace(got) == "" {
		t.Error("the mount shows nothing of Box")
	}
	m.umount()

	s = e.begin(append(args, "--name", "other")...)
	w = newWeb(t)
	w.arrived(w.box(e, s.address(), "alice@contoso.com", "consent_reject_button"), "You are not signed in")
	if code := s.end(); code != 12 || !strings.Contains(s.said(), "the sign-in was declined") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	// Somebody else signs in by mistake: the sign-in is ended at Box, too.
	s = e.begin(args...)
	w = newWeb(t)
	w.arrived(w.box(e, s.address(), "bob@contoso.com", "consent_accept_button"), "You are signed in")
	if code := s.end(); code != 2 || !strings.Contains(s.said(), "--yes replaces it") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	if n := e.sim.World().Stats.Snapshot().Requests["POST /oauth2/revoke"]; n != 1 {
		t.Errorf("%d sign-ins were ended, want one", n)
	}
	if config := read(t, e.config); strings.Contains(config, "other") {
		t.Errorf("configuration:\n%s", config)
	}
}

// TestLoginBoxExpiredCode: Box's codes live for 30 seconds. One that is pasted in time works.
func TestLoginBoxExpiredCode(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	for _, late := range []bool{true, false} {
		s := e.begin(e.box("--client-id", r.BoxClientID, "--client-secret-command", "echo '"+r.BoxClientSecret+"'", "--paste", "--json")...)
		w := &web{t, boxPaster(t, e)}
		p := w.box(e, s.address(), "alice@contoso.com", "consent_accept_button")
		if p.Left == nil {
			t.Fatalf("page %q", p.Title())
		}
		if !late {
			s.enter(p.Left.Query().Get("code"))
			if got := s.report(); got.Account != "alice@contoso.com" {
				t.Errorf("report %+v", got)
			}
			continue
		}
		e.sim.World().Clock.Advance(31 * time.Second)
		s.enter(p.Left.String())
		if code := s.end(); code != 12 || !strings.Contains(s.said(), "a code is good for 30 seconds") {
			t.Errorf("exit %d:\n%s", code, s.said())
		}
		e.nothing()
	}
}

// boxApp calls the developer console of the simulator's Box.
func (e *env) console(method, path, body string) string {
	e.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, e.sim.Ready().Control+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	res, err := e.client().Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		e.t.Fatalf("%s %s: %d %v %s", method, path, res.StatusCode, err, b)
	}
	return string(b)
}

// TestLoginBoxJWT: Box's own file is used where it is; the Service Account owns nothing, and --as-user sees as somebody.
func TestLoginBoxJWT(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	file := e.path("box_config.json")
	e.write(file, e.console("POST", "/box/apps/"+r.BoxJWTClientID+"/keypair", ""))
	report := e.begin(e.box("--jwt", file, "--json")...).report()
	if !strings.HasPrefix(report.Account, "AutomationUser_") || report.Auth != "jwt" || report.ClientID != r.BoxJWTClientID || report.Enterprise != r.BoxEnterprise ||
		!strings.Contains(strings.Join(report.Notes, " "), "owns nothing") {
		t.Errorf("report %+v", report)
	}
	config := read(t, e.config)
	if !strings.Contains(config, `jwt_config = "`+file+`"`) || strings.Contains(config, "client_id") {
		t.Errorf("configuration:\n%s", config)
	}
	if c := e.stored("box"); c["private_key"] != nil || c["passphrase"] != nil || c["client_secret"] != nil {
		t.Errorf("stored %v", keysOf(c))
	}

	// Again, with what it has, as somebody.
	report = e.begin("login", "box", "--as-user", "bob@contoso.com", "--json").report()
	if report.ActsAs != "bob@contoso.com" || len(report.Notes) > 0 {
		t.Errorf("report %+v", report)
	}
	s := e.begin("login", "box", "--as-user", "nobody@contoso.com")
	if code := s.end(); code != 3 || !strings.Contains(s.said(), "no user with this login") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	if config := read(t, e.config); !strings.Contains(config, `as_user = "bob@contoso.com"`) {
		t.Errorf("configuration:\n%s", config)
	}

	// The same by single values.
	var app struct {
		Settings struct {
			Secret string `json:"clientSecret"`
			Auth   struct {
				ID     string `json:"publicKeyID"`
				Key    string `json:"privateKey"`
				Phrase string `json:"passphrase"`
			} `json:"appAuth"`
		} `json:"boxAppSettings"`
	}
	if err := json.Unmarshal([]byte(read(t, file)), &app); err != nil {
		t.Fatal(err)
	}
	e.write(e.path("key.pem"), app.Settings.Auth.Key)
	values := e.box("--name", "values", "--client-id", r.BoxJWTClientID, "--client-secret-file", e.secretFile("secret", app.Settings.Secret),
		"--public-key-id", app.Settings.Auth.ID, "--private-key", e.path("key.pem"), "--enterprise-id", r.BoxEnterprise, "--json")
	report = e.begin(append(values, "--passphrase-file", e.secretFile("phrase", app.Settings.Auth.Phrase), "--enterprise")...).report()
	if !strings.HasPrefix(report.Account, "AutomationUser_") || report.Auth != "jwt" || len(report.Notes) > 0 {
		t.Errorf("report %+v", report)
	}
	if config := read(t, e.config); !strings.Contains(config, `subject = "enterprise:`+r.BoxEnterprise+`"`) || !strings.Contains(config, "enterprise = true") {
		t.Errorf("configuration:\n%s", config)
	}
	s = e.begin(append(values, "--passphrase-file", e.secretFile("phrase", "wrong"), "--name", "third")...)
	if code := s.end(); code != 10 || !strings.Contains(s.said(), "passphrase is wrong") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
}

// TestLoginBoxConfirmed: before access to a whole enterprise is stored an administrator signs in, of whose sign-in nothing
// stays.
func TestLoginBoxConfirmed(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	file := e.path("box_config.json")
	e.write(file, e.console("POST", "/box/apps/"+r.BoxJWTClientID+"/keypair", ""))
	args := e.box("--jwt", file, "--enterprise", "--confirm-admin", "--confirm-client-id", r.BoxClientID,
		"--confirm-client-secret-file", e.secretFile("secret", r.BoxClientSecret), "--json")
	admin := e.boxUsers("admin")
	user := e.boxUsers("user")

	s := e.begin(args...)
	w := newWeb(t)
	w.arrived(w.box(e, s.address(), user, "consent_accept_button"), "You are signed in")
	if code := s.end(); code != 12 || !strings.Contains(s.said(), user+" is no administrator at Box") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	e.nothing()

	s = e.begin(args...)
	w = newWeb(t)
	w.arrived(w.box(e, s.address(), admin, "consent_accept_button"), "You are signed in")
	if report := s.report(); !strings.HasPrefix(report.Account, "AutomationUser_") || !strings.Contains(s.said(), admin+" (admin) has confirmed it") {
		t.Errorf("report %+v", report)
	}
	if c := e.stored("box"); c["refresh_token"] != nil {
		t.Errorf("stored %v", keysOf(c))
	}
	if n := e.sim.World().Stats.Snapshot().Requests["POST /oauth2/revoke"]; n != 2 {
		t.Errorf("%d sign-ins were ended, want both", n)
	}
}

// boxUsers gives the login of somebody with a role.
func (e *env) boxUsers(role string) string {
	e.t.Helper()
	stdout, stderr, code := run(e.t, e.commandWith(e.path("etc", "config-admin.toml"), "api", "GET", "/users?fields=login,role&limit=100", "-c", "box"))
	if code != 0 {
		e.t.Fatal(stderr)
	}
	var page struct {
		Entries []struct{ Login, Role string }
	}
	if err := json.Unmarshal([]byte(stdout), &page); err != nil {
		e.t.Fatal(err)
	}
	for _, u := range page.Entries {
		if u.Role == role && strings.HasSuffix(u.Login, "@contoso.com") {
			return u.Login
		}
	}
	e.t.Fatalf("nobody has the role %s:\n%s", role, stdout)
	return ""
}

// TestLoginBoxCCG signs an application in by its secret.
func TestLoginBoxCCG(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	secret := e.secretFile("secret", r.BoxClientSecret)
	args := e.box("--ccg", "--client-id", r.BoxClientID, "--client-secret-file", secret, "--json")
	if report := e.begin(append(args, "--subject", "user:"+r.BoxSubject)...).report(); report.Account != "alice@contoso.com" || report.Auth != "ccg" {
		t.Errorf("report %+v", report)
	}
	s := e.begin(append(args, "--subject", "user:1")...)
	if code := s.end(); code != 12 {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	e.set("box.app_authorized", false)
	s = e.begin(append(args, "--name", "unauthorised", "--subject", "enterprise:"+r.BoxEnterprise)...)
	if code := s.end(); code != 12 || !strings.Contains(s.said(), "have an admin authorise it") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
}

// TestLoginBoxForged: the state is all that ties Box's answer to the request.
func TestLoginBoxForged(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	s := e.begin(e.box("--client-id", r.BoxClientID, "--client-secret-file", e.secretFile("secret", r.BoxClientSecret), "--json")...)
	u, err := url.Parse(s.address())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("state", "forged")
	forged := *u
	forged.RawQuery = q.Encode()
	w := newWeb(t)
	w.arrived(w.box(e, forged.String(), "bob@contoso.com", "consent_accept_button"), "Not this sign-in")
	s.waitFor("belongs to another sign-in")
	w = newWeb(t)
	w.arrived(w.box(e, u.String(), "alice@contoso.com", "consent_accept_button"), "You are signed in")
	if got := s.report(); got.Account != "alice@contoso.com" {
		t.Errorf("report %+v", got)
	}
}
