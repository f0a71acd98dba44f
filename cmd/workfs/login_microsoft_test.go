package main

import (
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
)

// TestLoginMicrosoft: a person signs in for the first time with a new application, and a mount shows their mail.
func TestLoginMicrosoft(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	s := e.begin(e.microsoft("--name", "work", "--client-id", r.NewPublicClientID, "--features", "mail,calendar", "--json")...)
	w := newWeb(t)
	u, err := url.Parse(s.address())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("state") == "" || q.Get("nonce") == "" || q.Has("prompt") {
		t.Errorf("asked %v", q)
	}
	if got, want := q.Get("scope"), "openid profile offline_access User.Read Mail.Read Calendars.Read"; got != want {
		t.Errorf("asked for %q, want %q", got, want)
	}
	w.arrived(w.microsoft(e, u.String(), "alice@contoso.com"), "You are signed in")
	report := s.report()
	if report.Account != "alice@contoso.com" || report.Person != "Alice Smith" || report.Tenant != r.Tenant || len(report.Missing) > 0 ||
		!slices.Contains(report.Granted, "Calendars.Read") || report.Auth != "delegated" {
		t.Errorf("report %+v", report)
	}
	for _, text := range []string{"Mail.Read", "mail: your mail with bodies and attachments", "calendar: your calendars", "who signs in"} {
		if !strings.Contains(s.said(), text) {
			t.Errorf("has not said %q:\n%s", text, s.said())
		}
	}
	c := e.stored("work")
	if c["account"] != "alice@contoso.com" || c["lineage"] == nil || c["signed_in_at"] == nil || c["client_secret"] != nil {
		t.Errorf("stored the members %v", keysOf(c))
	}
	for _, secret := range []string{c["refresh_token"].(string), c["access_token"].(string), q.Get("code_challenge"), q.Get("nonce")} {
		if strings.Contains(s.stdout.String()+read(t, e.config), secret) {
			t.Error("a secret is in the report or the configuration")
		}
	}
	e.resetRequests()
	m := e.mount()
	if got := e.must("ls", "work/outlook/alice@contoso.com"); !strings.Contains(got, "mail") || !strings.Contains(got, "calendar") {
		t.Errorf("the mount shows:\n%s", got)
	}
	m.umount()
}

func keysOf(m map[string]any) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// TestLoginMicrosoftRefused: Cancel on the page of consent, and the page that wants an administrator.
func TestLoginMicrosoftRefused(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	s := e.begin(e.microsoft("--client-id", r.NewPublicClientID, "--features", "mail")...)
	w := newWeb(t)
	p := w.press(w.open(s.address()), "idSIButton9", "loginfmt", "alice@contoso.com", "passwd", r.Password)
	w.arrived(w.press(p, "idBtn_Back"), "You are not signed in")
	if code := s.end(); code != 12 || !strings.Contains(s.said(), "65004") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	e.nothing()

	s = e.begin(e.microsoft("--client-id", r.NewPublicClientID)...)
	p = w.open(s.address())
	if p.Title() != "Need admin approval" {
		t.Fatalf("page %q", p.Title())
	}
	w.arrived(w.press(p, "idBtn_Back"), "You are not signed in")
	if code := s.end(); code != 12 {
		t.Errorf("exit %d", code)
	}
	said := s.said()
	for _, text := range []string{
		"90094", "Only an administrator can grant ChannelMessage.Read.All", r.Login + "/" + r.Tenant + "/v2.0/adminconsent?client_id=" + r.NewPublicClientID,
		"--features mail,calendar,contacts,chats,files,presence", "(an administrator has to grant it)",
	} {
		if !strings.Contains(said, text) {
			t.Errorf("has not said %q:\n%s", text, said)
		}
	}
	e.nothing()
}

// TestLoginMicrosoftForged: answers with a wrong state do not end the sign-in; a code of another request does, without harm.
func TestLoginMicrosoftForged(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	args := e.microsoft("--client-id", r.PublicClientID, "--features", "mail", "--json")
	s := e.begin(args...)
	w := newWeb(t)
	u, err := url.Parse(s.address())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	res, err := http.Get(q.Get("redirect_uri") + "?code=forged&state=forged")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("a forged answer: status %d", res.StatusCode)
	}
	s.waitFor("belongs to another sign-in")
	w.arrived(w.microsoft(e, u.String(), "alice@contoso.com"), "You are signed in")
	s.report()

	// Somebody who knows the state but not the verifier puts in a code of theirs.
	s = e.begin(args...)
	if u, err = url.Parse(s.address()); err != nil {
		t.Fatal(err)
	}
	q = u.Query()
	q.Set("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
	u.RawQuery = q.Encode()
	w.arrived(w.microsoft(e, u.String(), "bob@contoso.com"), "You are not signed in")
	if code := s.end(); code != 12 || !strings.Contains(s.said(), "AADSTS501481") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	if c := e.stored("microsoft"); c["account"] != "alice@contoso.com" {
		t.Errorf("stored %v", c["account"])
	}
}

// TestLoginMicrosoftExpiredCode: the code lay around for longer than it lives.
func TestLoginMicrosoftExpiredCode(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	s := e.begin(e.microsoft("--client-id", r.PublicClientID, "--features", "mail", "--paste")...)
	// The address is one where nothing listens, so that the browser stays there with the code.
	w := &web{t, newPaster(t, e)}
	p := w.microsoft(e, s.address(), "alice@contoso.com")
	if p.Left == nil {
		t.Fatalf("page %q", p.Title())
	}
	e.sim.World().Clock.Advance(11 * time.Minute)
	s.enter(p.Left.String())
	if code := s.end(); code != 12 || !strings.Contains(s.said(), "AADSTS70008") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	e.nothing()
}

// TestLoginMicrosoftPasted: the browser is on another machine.
func TestLoginMicrosoftPasted(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	s := e.begin(e.microsoft("--client-id", r.PublicClientID, "--features", "mail", "--paste", "--callback", r.Login+"/common/oauth2/nativeclient", "--json")...)
	w := &web{t, newPaster(t, e)}
	p := w.microsoft(e, s.address(), "alice@contoso.com")
	ended := p.URL.String()
	if !strings.Contains(ended, "code=") {
		t.Fatalf("the browser ended at %s %q", p.URL.Redacted(), p.Title())
	}
	s.enter("what?")
	s.waitFor("is not the address of the page")
	s.enter(strings.Replace(ended, "&state=", "&state=x", 1))
	s.waitFor("belongs to another sign-in")
	s.enter(ended)
	if got := s.report(); got.Account != "alice@contoso.com" {
		t.Errorf("report %+v", got)
	}
	if strings.Contains(s.said(), p.URL.Query().Get("code")) {
		t.Error("the code was repeated")
	}
}

// TestLoginMicrosoftTenants: everybody's tenant becomes that of the person; accounts of others are refused.
func TestLoginMicrosoftTenants(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	e.set("entra.multi_tenant", true)
	args := e.microsoft("--client-id", r.PublicClientID, "--features", "mail", "--tenant", "organizations", "--json")
	s := e.begin(args...)
	w := newWeb(t)
	w.arrived(w.microsoft(e, s.address(), "alice@contoso.com"), "You are signed in")
	if got := s.report(); got.Tenant != r.Tenant {
		t.Errorf("report %+v", got)
	}
	if config := read(t, e.config); !strings.Contains(config, `tenant = "`+r.Tenant+`"`) {
		t.Errorf("configuration:\n%s", config)
	}

	s = e.begin(e.microsoft("--client-id", r.PublicClientID, "--features", "mail")...)
	p := newWeb(t).microsoft(e, s.address(), r.ForeignUser)
	if text := p.Text("exceptionMessageContainer"); !strings.Contains(text, "AADSTS50020") {
		t.Errorf("page %q: %s", p.Title(), text)
	}
	// The page leads nowhere, so the person gives up.
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := s.end(); code != 130 || !strings.Contains(s.said(), "workfs: interrupted") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}

	s = e.begin(e.microsoft("--client-id", r.PublicClientID, "--name", "typo", "--tenant", "contoso.example", "--timeout", "2s")...)
	if p := newWeb(t).open(s.address()); !strings.Contains(p.Text("exceptionMessageContainer"), "AADSTS90002") {
		t.Errorf("page %q", p.Title())
	}
	if code := s.end(); code != 5 || !strings.Contains(s.said(), "nobody finished the sign-in in time") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
}

// TestLoginInterrupted: Ctrl-C leaves nothing behind.
func TestLoginInterrupted(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	for _, args := range [][]string{
		e.microsoft("--client-id", e.sim.Ready().PublicClientID),
		e.microsoft("--client-id", e.sim.Ready().PublicClientID, "--device-code"),
		e.box("--client-id", e.sim.Ready().BoxClientID, "--client-secret-file", e.secretFile("box-secret", e.sim.Ready().BoxClientSecret)),
	} {
		s := e.begin(args...)
		s.waitFor("http") // it waits for the person
		if !slices.Contains(args, "--device-code") {
			s.address()
		} else {
			s.waitFor("enter the code")
		}
		if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if code := s.end(); code != 130 {
			t.Errorf("exit %d:\n%s", code, s.said())
		}
		e.nothing()
	}
}

// TestLoginBrowser: the person's browser gets the address, and nothing of the secrets in the environment.
func TestLoginBrowser(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	opened := e.path("opened")
	script := e.path("browser")
	e.write(script, "#!/bin/sh\nenv > "+opened+".env\necho \"$1\" > "+opened+".new\nmv "+opened+".new "+opened+"\n")
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := e.command("login", "microsoft", "--login-url", r.Login, "--graph-url", r.Graph, "--callback", anyCallback("microsoft"), "--features", "mail", "--json")
	cmd.Env = append(cmd.Env, "BROWSER="+script, "MICROSOFT_CLIENT_ID="+r.ClientID, "MICROSOFT_CLIENT_SECRET="+r.ClientSecret, "MICROSOFT_TENANT_ID="+r.Tenant)
	s := e.beginCommand(cmd)
	s.waitFor("Your browser should open now.")
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(opened); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no browser was opened")
		}
	}
	address := strings.TrimSpace(read(t, opened))
	if !strings.Contains(s.said(), address) {
		t.Errorf("opened %s and said:\n%s", address, s.said())
	}
	if env := read(t, opened+".env"); strings.Contains(env, r.ClientSecret) || !strings.Contains(env, "HOME=") {
		t.Errorf("the browser's environment:\n%s", env)
	}
	w := newWeb(t)
	w.arrived(w.microsoft(e, address, "alice@contoso.com"), "You are signed in")
	if got := s.report(); got.ClientID != r.ClientID {
		t.Errorf("report %+v", got)
	}
	if c := e.stored("microsoft"); c["client_secret"] != r.ClientSecret {
		t.Errorf("stored %v", keysOf(c))
	}
}

// TestLoginMicrosoftAsks: what the sign-in page is asked for by the flags.
func TestLoginMicrosoftAsks(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	r := e.sim.Ready()
	own := "openid profile offline_access "
	for _, c := range []struct {
		args  []string
		param string
		want  string
	}{
		{nil, "scope", own + "User.Read Mail.Read Calendars.Read Contacts.Read Team.ReadBasic.All Channel.ReadBasic.All ChannelMessage.Read.All " +
			"TeamMember.Read.All ChannelMember.Read.All Chat.Read Files.Read.All User.ReadBasic.All GroupMember.Read.All Presence.Read.All"},
		{[]string{"--features", "mail-names"}, "scope", own + "User.Read Mail.ReadBasic"},
		{[]string{"--scopes", "Mail.Read,Tasks.Read"}, "scope", own + "User.Read Mail.Read Tasks.Read"},
		{[]string{"--scopes", ".default"}, "scope", own + "https://graph.microsoft.com/.default"},
		{[]string{"--prompt", "select_account"}, "prompt", "select_account"},
		{[]string{"--prompt", "login", "--login-hint", "alice@contoso.com"}, "login_hint", "alice@contoso.com"},
		{[]string{"--callback", "https://work.example/x", "--paste"}, "redirect_uri", "https://work.example/x"},
	} {
		s := e.begin(e.microsoft(append([]string{"--client-id", r.PublicClientID}, c.args...)...)...)
		u, err := url.Parse(s.address())
		if err != nil {
			t.Fatal(err)
		}
		if got := u.Query().Get(c.param); got != c.want || u.Query().Get("client_id") != r.PublicClientID {
			t.Errorf("%q: %s is %q, want %q", c.args, c.param, got, c.want)
		}
	}
	s := e.begin("login", "microsoft", "--client-id", "x", "--cloud", "us-gov", "--features", "mail", "--no-browser", "--callback", anyCallback("microsoft"))
	const want = "https://login.microsoftonline.us/organizations/oauth2/v2.0/authorize?"
	if got := s.address(); !strings.HasPrefix(got, want) || !strings.Contains(got, url.QueryEscape("https://graph.microsoft.us/Mail.Read")) {
		t.Errorf("address %s", got)
	}
}

// TestLoginMicrosoftWithheld: what was asked for and not granted is named, and is no error.
func TestLoginMicrosoftWithheld(t *testing.T) {
	t.Parallel()
	e := newLoginEnv(t)
	e.set("entra.withheld_scopes", "Calendars.Read Calendars.ReadWrite Calendars.Read.Shared Calendars.ReadWrite.Shared")
	s := e.begin(e.microsoft("--client-id", e.sim.Ready().PublicClientID, "--features", "mail,calendar")...)
	w := newWeb(t)
	w.arrived(w.microsoft(e, s.address(), "alice@contoso.com"), "You are signed in")
	if code := s.end(); code != 0 || !strings.Contains(s.said(), "Not granted, so that it is not shown") ||
		!strings.Contains(s.said(), "  Calendars.Read  calendar: your calendars\n") {
		t.Errorf("exit %d:\n%s", code, s.said())
	}
	m := e.mount()
	if got := read(t, m.path(".workfs", "coverage.md")); !strings.Contains(got, "Calendars.Read") {
		t.Errorf("coverage.md:\n%s", got)
	}
	m.umount()
}

// TestLoginMicrosoftShared: for the mailboxes of others there are permissions of their own, asked for where some are named.
func TestLoginMicrosoftShared(t *testing.T) {
	t.Parallel()
	conn := backends.Connection{Type: "microsoft", Auth: "delegated", Features: []string{"mail", "contacts"}}
	if got := strings.Join(askedScopes(conn), " "); got != "User.Read Mail.Read Contacts.Read" {
		t.Errorf("asks for %s", got)
	}
	conn.SharedMailboxes = []string{"invoices@contoso.com"}
	if got := strings.Join(askedScopes(conn), " "); got != "User.Read Mail.Read Contacts.Read Mail.Read.Shared Contacts.Read.Shared" {
		t.Errorf("with shared mailboxes, asks for %s", got)
	}
	if got := buys(needsOf(conn), "Mail.Read.Shared"); got != "mail: the mail of shared mailboxes" {
		t.Errorf("says of it: %s", got)
	}
}
