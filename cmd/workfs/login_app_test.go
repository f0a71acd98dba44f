package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim/simtest/browser"
)

// TestLoginApp signs an application in by its secret, and tells what it lacks.
func TestLoginApp(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	secret := e.secretFile("secret", r.ClientSecret)
	s := e.begin(e.microsoft("--name", "company", "--app-only", "--client-id", r.ClientID, "--client-secret-file", secret, "--secret-expires", "2031-05-06", "--json")...)
	report := s.report()
	if report.Auth != "app" || report.Tenant != r.Tenant || len(report.Missing) > 0 || !slices.Contains(report.Granted, "Mail.Read") {
		t.Errorf("report %+v", report)
	}
	if config := read(t, e.config); !strings.Contains(config, `client_secret_file = "`+secret+`"`) || strings.Contains(config, r.ClientSecret) {
		t.Errorf("configuration:\n%s", config)
	}
	if c := e.stored("company"); c["client_secret"] != nil || c["secret_expires_at"] != "2031-05-06T00:00:00Z" {
		t.Errorf("stored %v", c)
	}

	// The secret from standard input is stored. With few roles the rest is named.
	e.set("entra.roles", "Mail.Read User.Read.All")
	s = e.begin(e.microsoft("--name", "few", "--app-only", "--client-id", r.ClientID, "--client-secret-file", "-", "--json")...)
	s.enter(r.ClientSecret)
	s.stdin.Close()
	report = s.report()
	if !slices.ContainsFunc(report.Missing, func(m missingPermission) bool {
		return m.Permission == "Calendars.Read" && m.Feature == "calendar" && m.Admin
	}) ||
		slices.ContainsFunc(report.Missing, func(m missingPermission) bool { return m.Permission == "Mail.Read" }) {
		t.Errorf("missing %+v", report.Missing)
	}
	if c := e.stored("few"); c["client_secret"] != r.ClientSecret {
		t.Errorf("stored %v", keysOf(c))
	}
	if strings.Contains(s.said()+s.stdout.String(), r.ClientSecret) {
		t.Error("the secret was repeated")
	}
}

// TestLoginWrongUsage: what can't work is refused before anything is asked, and nobody is asked where there is no terminal.
func TestLoginWrongUsage(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	open := e.path("open")
	e.write(open, "x")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	app := []string{"--app-only", "--client-id", r.ClientID}
	id := []string{"--client-id", r.PublicClientID}
	boxID := []string{"--client-id", r.BoxClientID}
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{e.microsoft(), 2, "--client-id is needed"},
		{e.microsoft(app...), 2, "the client secret is needed: --client-secret-file"},
		{e.microsoft(append(app, "--tenant", "organizations")...), 2, "for the sign-in of a person"},
		{e.microsoft(append(app, "--device-code")...), 2, "--device-code is for the sign-in of a person"},
		{e.microsoft(append(app, "--client-secret-file", e.path("nowhere"))...), 10, "no such file"},
		{e.microsoft(append(app, "--client-secret-file", open)...), 10, "open to others"},
		{e.microsoft(append(app, "--client-secret-file", e.secretFile("wrong", "wrong"))...), 12, "the client secret is wrong"},
		{e.microsoft(append(app, "--client-secret-command", "exit 3")...), 10, "command"},
		{e.microsoft(append(app, "--client-secret-file", "a", "--client-secret-command", "b")...), 2, "one of the two flags"},
		{e.microsoft(append(app, "--client-secret-file", "-", "--secret-expires", "tomorrow")...), 2, "is not a day"},
		{e.microsoft(append(id, "--features", "mail,letters")...), 2, `no feature "letters"`},
		{e.microsoft(append(id, "--scopes", "Mail.Read,.default")...), 2, ".default can't be mixed"},
		{e.microsoft(append(id, "--scopes", "Mail.Read,https://graph.microsoft.com/.default")...), 2, ".default can't be mixed"},
		{e.microsoft(append(id, "--prompt", "none")...), 2, "choose login, consent or select_account"},
		{e.microsoft(append(id, "--prompt", "select_account", "--login-hint", "alice@contoso.com")...), 2, "leave one out"},
		{e.microsoft(append(id, "--cloud", "us-gov")...), 2, "--cloud says what"},
		{e.microsoft(append(id, "--tenant", "consumers")...), 2, "personal accounts"},
		{e.microsoft(append(id, "--callback", "http://work.example/x")...), 2, "must be https"},
		{e.microsoft(append(id, "--callback", "https://work.example/x", "--callback-listen", "9")...), 2, "HOST:PORT"},
		{e.microsoft(append(id, "--store", "cloud")...), 2, "store"},
		{e.microsoft(append(id, "--store", "keyring")...), 10, "--store age or --store file"},
		{e.microsoft(append(id, "--name", "a/b")...), 2, "name of a directory"},
		{e.box(), 2, "--client-id is needed"},
		{e.box(boxID...), 2, "the client secret is needed"},
		{e.box("--ccg", "--client-id", "x", "--client-secret-file", e.secretFile("s", "s")), 2, "--subject is needed"},
		{e.box("--ccg", "--oauth"), 2, "give one"},
		{e.box("--jwt", e.path("none.json")), 2, "no such file"},
		{e.box("--jwt", open), 2, "chmod 600"},
		{e.box("--confirm-admin"), 2, "--confirm-admin is for"},
		{e.box("--public-key-id", "1", "--client-id", "x"), 2, "--private-key is needed"},
		{e.box("--subject", "user:1"), 2, "for the sign-in of an application"},
	} {
		s := e.begin(c.args...)
		s.stdin.Close()
		if code := s.end(); code != c.code || !strings.Contains(s.said(), c.text) {
			t.Errorf("%q: exit %d, want %d and %q:\n%s", c.args[2:], code, c.code, c.text, s.said())
		}
	}
	e.nothing()
	if n, by := e.sim.World().Stats.Snapshot().Requests["GET /{tenant}/oauth2/v2.0/authorize"], e.sim.World().Stats.Snapshot().Requests; n > 0 {
		t.Errorf("somebody was asked: %v", by)
	}
}

// TestLoginPortInUse: two sign-ins can't wait at one port.
func TestLoginPortInUse(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	first := e.begin(e.microsoft("--client-id", r.PublicClientID, "--features", "mail")...)
	address := first.address()
	_, port, _ := strings.Cut(address, "redirect_uri=http%3A%2F%2Flocalhost%3A")
	port, _, _ = strings.Cut(port, "%2F")
	s := e.begin(e.microsoft("--client-id", r.PublicClientID, "--features", "mail", "--callback", "http://localhost:"+port+"/oauth/redirect/microsoft")...)
	if code := s.end(); code != 11 || !strings.Contains(s.said(), "127.0.0.1:"+port+", where the browser is to come back to, is in use") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	w := newWeb(t)
	w.arrived(w.microsoft(e, address, "alice@contoso.com"), "You are signed in")
	if code := first.end(); code != 0 || !strings.Contains(first.stdout.String(), "Alice Smith (alice@contoso.com)") {
		t.Errorf("exit %d:\n%s%s", code, first.said(), first.stdout.String())
	}
}

// TestLoginAgain: a connection is signed in anew with the settings that it has; another account needs a yes.
func TestLoginAgain(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	e.config = e.path("etc", "config.toml") // the simulator's own: a confidential client
	before := read(t, e.config)
	args := []string{"login", "microsoft", "--callback", anyCallback("microsoft"), "--no-browser", "--json"}
	s := e.begin(args...)
	w := newWeb(t)
	w.arrived(w.microsoft(e, s.address(), "alice@contoso.com"), "You are signed in")
	if got := s.report(); got.Name != "contoso" || got.ClientID != r.ClientID || got.Account != "alice@contoso.com" {
		t.Errorf("report %+v", got)
	}
	after := read(t, e.config)
	if after != before {
		t.Errorf("the configuration has changed:\n%s", after)
	}
	c := e.credentials("contoso")
	if c["client_secret"] != r.ClientSecret || c["refresh_token"] == r.RefreshToken || c["account"] != "alice@contoso.com" {
		t.Errorf("stored %v", keysOf(c))
	}

	s = e.begin(args...)
	w = newWeb(t)
	w.arrived(w.microsoft(e, s.address(), "bob@contoso.com"), "You are signed in")
	if code := s.end(); code != 2 || !strings.Contains(s.said(), "that of alice@contoso.com and bob@contoso.com has signed in: --yes replaces it") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	if got := e.credentials("contoso"); got["refresh_token"] != c["refresh_token"] {
		t.Error("the sign-in was replaced")
	}
	s = e.begin(append(args, "--yes")...)
	w = newWeb(t)
	w.arrived(w.microsoft(e, s.address(), "bob@contoso.com"), "You are signed in")
	if got := s.report(); got.Account != "bob@contoso.com" {
		t.Errorf("report %+v", got)
	}
	if got := e.credentials("contoso"); got["lineage"] == c["lineage"] || got["account"] != "bob@contoso.com" {
		t.Errorf("stored %v", got["account"])
	}
}

// TestLoginEnvironment: what a login takes from variables of other tools is there without them afterwards.
func TestLoginEnvironment(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	cmd := e.command("login", "microsoft", "--app-only", "--login-url", r.Login, "--graph-url", r.Graph, "--json")
	cmd.Env = append(cmd.Env, "AZURE_CLIENT_ID="+r.ClientID, "AZURE_CLIENT_SECRET="+r.ClientSecret, "AZURE_TENANT_ID="+r.TenantDomain)
	if _, stderr, code := run(t, cmd); code != 0 {
		t.Fatalf("exit %d:\n%s", code, stderr)
	}
	if config := read(t, e.config); !strings.Contains(config, r.ClientID) || !strings.Contains(config, `tenant = "contoso.com"`) || strings.Contains(config, r.ClientSecret) {
		t.Errorf("configuration:\n%s", config)
	}
	if c := e.stored("microsoft"); c["client_secret"] != r.ClientSecret {
		t.Errorf("stored %v", keysOf(c))
	}
	if _, stderr, code := e.workfs("api", "GET", "/users?$top=1", "-c", "microsoft"); code != 0 {
		t.Errorf("exit %d:\n%s", code, stderr)
	}
}

// TestLoginAge keeps a sign-in in an encrypted file.
func TestLoginAge(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	phrase := e.secretFile("phrase", "open sesame")
	s := e.begin(e.microsoft("--client-id", r.PublicClientID, "--features", "mail", "--store", "age", "--passphrase-file", phrase, "--json")...)
	w := newWeb(t)
	w.arrived(w.microsoft(e, s.address(), "alice@contoso.com"), "You are signed in")
	report := s.report()
	file := strings.TrimSuffix(report.Store, " (encrypted)")
	if got := read(t, file); file == report.Store || !strings.Contains(got, "BEGIN AGE ENCRYPTED FILE") || strings.Contains(got, "refresh_token") {
		t.Errorf("%s holds:\n%s", report.Store, got)
	}
	if stdout, stderr, code := e.workfs("api", "GET", "/me", "-c", "microsoft"); code != 0 || !strings.Contains(stdout, "alice@contoso.com") {
		t.Errorf("exit %d:\n%s%s", code, stdout, stderr)
	}
}

// TestLoginAdminConsent: an administrator declines, then grants an application what it needs, which can sign in then.
func TestLoginAdminConsent(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	app := e.microsoft("--name", "company", "--app-only", "--client-id", r.NewClientID, "--client-secret-file", e.secretFile("secret", r.NewClientSecret), "--json")
	consent := func() (*signing, *web, *browser.Page) {
		s := e.begin(append(app, "--admin-consent")...)
		w := newWeb(t)
		return s, w, w.press(w.open(s.address()), "idSIButton9", "loginfmt", r.Admin, "passwd", r.Password)
	}

	s, w, p := consent()
	w.arrived(w.press(p, "idBtn_Back"), "You are not signed in")
	if code := s.end(); code != 12 || !strings.Contains(s.said(), "AADSTS65004") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	e.nothing()

	// Somebody else can't.
	s = e.begin(append(app, "--admin-consent")...)
	w = newWeb(t)
	p = w.press(w.open(s.address()), "idSIButton9", "loginfmt", "alice@contoso.com", "passwd", r.Password)
	if p.Title() != "Need admin approval" {
		t.Fatalf("page %q", p.Title())
	}
	w.arrived(w.press(p, "idBtn_Back"), "You are not signed in")
	if code := s.end(); code != 12 || !strings.Contains(s.said(), "AADSTS90094") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}

	report := e.begin(app...).report()
	if len(report.Missing) == 0 || !strings.Contains(strings.Join(report.Notes, " "), "--app-only --admin-consent") {
		t.Errorf("before: %+v", report)
	}
	s, w, p = consent()
	w.arrived(w.press(p, "idSIButton9"), "The permissions are granted")
	if code := s.end(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, s.said())
	}
	var granted consentReport
	if err := json.Unmarshal(s.stdout.Bytes(), &granted); err != nil || granted.Tenant != r.Tenant || granted.ClientID != r.NewClientID ||
		!slices.Contains(granted.Granted, "https://graph.microsoft.com/Mail.Read") {
		t.Errorf("%v: %+v", err, granted)
	}
	if report := e.begin(app...).report(); len(report.Missing) > 0 {
		t.Errorf("after: %+v", report)
	}

	// Of several connections none is needed, where the application is named.
	e.editConfig(func(s string) string {
		return s + strings.Replace(s, "connections.company", `connections."my company"`, 1)
	})
	s = e.begin(e.microsoft("--client-id", r.NewClientID, "--admin-consent", "--json")...)
	if address := s.address(); !strings.Contains(address, "client_id="+r.NewClientID) {
		t.Errorf("address %s", address)
	}
	e.expect(codeUsage, []string{"which connection? Choose one of company, 'my company' by --name"}, e.microsoft("--admin-consent")...)

	// For people the permissions are named one by one, and "common" is no tenant for this page.
	e.set("entra.multi_tenant", true)
	s = e.begin(e.microsoft("--client-id", r.NewPublicClientID, "--name", "people", "--tenant", "common", "--features", "teams", "--admin-consent", "--json")...)
	w = newWeb(t)
	address := s.address()
	if !strings.Contains(address, "/organizations/v2.0/adminconsent?") {
		t.Errorf("address %s", address)
	}
	p = w.press(w.open(address), "idSIButton9", "loginfmt", r.Admin, "passwd", r.Password)
	w.arrived(w.press(p, "idSIButton9"), "The permissions are granted")
	if code := s.end(); code != 0 || !strings.Contains(s.said(), "ChannelMessage.Read.All") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	s = e.begin(e.microsoft("--client-id", r.NewPublicClientID, "--name", "people", "--features", "teams", "--json")...)
	w = newWeb(t)
	w.arrived(w.microsoft(e, s.address(), "alice@contoso.com"), "You are signed in")
	if report := s.report(); len(report.Missing) > 0 {
		t.Errorf("alice: %+v", report)
	}
}

// TestLoginCertificate: a certificate takes the secret's place, for an application and for a person.
func TestLoginCertificate(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	phrase := e.secretFile("phrase", "open sesame")
	for _, name := range []string{"good", "other"} {
		stdout, stderr, code := e.workfs("keygen", "microsoft", "--out", e.path(name), "--bits", "2048", "--passphrase-file", phrase, "--json")
		if code != 0 {
			t.Fatalf("exit %d: %s", code, stderr)
		}
		var made struct {
			Entry json.RawMessage `json:"key_credentials_entry"`
		}
		if err := json.Unmarshal([]byte(stdout), &made); err != nil {
			t.Fatal(err)
		}
		if name == "good" {
			e.controlCall("PUT", "/entra/apps/"+r.ClientID+"/manifest", `{"keyCredentials":[`+string(made.Entry)+`]}`)
		}
	}
	with := func(name string) []string {
		return e.microsoft("--client-id", r.ClientID, "--certificate", e.path(name+"-cert.pem"), "--private-key", e.path(name+"-key.pem"), "--features", "mail", "--json")
	}
	report := e.begin(append(with("good"), "--name", "company", "--app-only", "--passphrase-file", phrase)...).report()
	if report.Auth != "app" || len(report.Missing) > 0 {
		t.Errorf("report %+v", report)
	}
	if c := e.stored("company"); c["client_secret"] != nil || c["passphrase"] != nil || c["private_key"] != nil {
		t.Errorf("stored %v", keysOf(c))
	}
	s := e.begin(append(with("good"), "--name", "alice", "--passphrase-file", phrase)...)
	w := newWeb(t)
	w.arrived(w.microsoft(e, s.address(), "alice@contoso.com"), "You are signed in")
	if report := s.report(); report.Account != "alice@contoso.com" {
		t.Errorf("report %+v", report)
	}
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{append(with("other"), "--app-only", "--passphrase-file", phrase), 12, "the certificate is not one of the app's"},
		{append(with("good"), "--app-only"), 10, "its passphrase is missing"},
		{append(with("good"), "--app-only", "--passphrase-file", e.secretFile("wrong", "wrong")), 10, "its passphrase is wrong"},
		{append(with("good"), "--app-only", "--passphrase-file", phrase, "--private-key", e.path("other-key.pem")), 10, "does not belong to the certificate"},
		{append(with("good"), "--app-only", "--passphrase-file", phrase, "--client-secret-file", phrase), 2, "takes the place of the client secret"},
	} {
		s := e.begin(append(c.args, "--name", "bad")...)
		s.stdin.Close()
		if code := s.end(); code != c.code || !strings.Contains(s.said(), c.text) {
			t.Errorf("exit %d, want %d and %q:\n%s", code, c.code, c.text, s.said())
		}
	}

	// Typed at a terminal, the passphrase is kept.
	s, _ = e.atTerminal(append(with("good"), "--name", "typed", "--app-only")...)
	s.waitFor("Passphrase of the private key (not shown): ")
	s.enter("open sesame")
	if code := s.end(); code != 0 {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	if c := e.stored("typed"); c["passphrase"] != "open sesame" {
		t.Errorf("stored %v", keysOf(c))
	}
}
