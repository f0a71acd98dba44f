package entra

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/simtest/browser"
)

const (
	callback = "http://localhost:48444/oauth/redirect/microsoft"
	verifier = "abcdefghijklmnopqrstuvwxyz-0123456789_ABCDEFGH"
)

func challenge(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// person is somebody with a browser.
type person struct {
	*fixture
	b *browser.Browser
}

func (f *fixture) person() *person {
	return &person{f, browser.New(nil, strings.TrimPrefix(f.srv.URL, "http://"))}
}

// ask gives the parameters of an authorize request, changed in pairs.
func (f *fixture) ask(app *App, change ...string) url.Values {
	return with(url.Values{
		"client_id": {app.ID}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {"Mail.Read openid offline_access"},
		"state": {"a b&c"}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}, change...)
}

func (p *person) open(path string) *browser.Page {
	p.t.Helper()
	page, err := p.b.Open(p.t.Context(), p.srv.URL+path)
	if err != nil {
		p.t.Fatal(err)
	}
	return page
}

func (p *person) authorize(q url.Values) *browser.Page {
	p.t.Helper()
	return p.open("/" + p.c.TenantID + "/oauth2/v2.0/authorize?" + q.Encode())
}

func (p *person) press(page *browser.Page, button string, fields ...string) *browser.Page {
	p.t.Helper()
	m := map[string]string{}
	for i := 0; i < len(fields); i += 2 {
		m[fields[i]] = fields[i+1]
	}
	next, err := page.Press(p.t.Context(), button, m)
	if err != nil {
		p.t.Fatal(err)
	}
	return next
}

// signIn fills in the sign-in page.
func (p *person) signIn(page *browser.Page, user string) *browser.Page {
	p.t.Helper()
	if page.Title() != "Sign in" {
		p.t.Fatalf("%q (%s), want the sign-in page", page.Title(), page.Text("exceptionMessageContainer"))
	}
	return p.press(page, "idSIButton9", "loginfmt", user, "passwd", company.Password)
}

// arrived gives the parameters with which the browser came to the callback.
func (p *person) arrived(page *browser.Page) url.Values {
	p.t.Helper()
	if page.Left == nil || !strings.HasPrefix(page.Left.String(), callback+"?") {
		p.t.Fatalf("at %v: %q %s, want the callback", page.URL, page.Title(), page.Text("exceptionMessageContainer"))
	}
	return page.Left.Query()
}

func (f *fixture) redeem(app *App, code string, change ...string) (int, map[string]any) {
	f.t.Helper()
	v := url.Values{"grant_type": {"authorization_code"}, "client_id": {app.ID}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	if app.Secret != "" {
		v.Set("client_secret", app.Secret)
	}
	return f.post(f.c.TenantID, with(v, change...))
}

func number(body map[string]any) float64 {
	codes, _ := body["error_codes"].([]any)
	if len(codes) != 1 {
		return 0
	}
	return codes[0].(float64)
}

// TestSignIn signs in for the first time: password, consent, code, tokens. The second time all is silent.
func TestSignIn(t *testing.T) {
	f := newFixture(t)
	for _, app := range []*App{f.s.NewConfidential, f.s.NewPublic} {
		p := f.person()
		page := p.signIn(p.authorize(f.ask(app, "nonce", "n-1")), "alice@contoso.com")
		if page.Title() != "Permissions requested" || page.Text("appName") != app.Name || page.Text("displayName") != "alice@contoso.com" {
			t.Fatalf("%q for %q, %q", page.Title(), page.Text("appName"), page.Text("displayName"))
		}
		if got := page.Values("data-scope"); !slices.Equal(got, []string{"Mail.Read", "User.Read", "openid", "offline_access"}) ||
			!strings.Contains(page.Text("scopes"), "Read your mail") {
			t.Errorf("the page asks for %v: %s", got, page.Text("scopes"))
		}
		got := p.arrived(p.press(page, "idSIButton9"))
		if got.Get("state") != "a b&c" || got.Get("code") == "" || got.Has("error") {
			t.Fatalf("callback %v", got)
		}
		status, body := f.redeem(app, got.Get("code"))
		if status != 200 || body["scope"] != "Mail.Read User.Read openid" || body["refresh_token"] == nil || body["token_type"] != "Bearer" {
			t.Fatalf("%d %v", status, body)
		}
		claims, err := f.s.Verify(body["access_token"].(string), GraphAudience)
		proof := proofSecret
		if app.Public {
			proof = proofNone
		}
		if err != nil || claims.UPN != "alice@contoso.com" || claims.Proof != proof || claims.TenantID != f.c.TenantID ||
			!slices.Equal(claims.Scopes, []string{"Mail.Read", "User.Read"}) {
			t.Errorf("claims %+v, %v", claims, err)
		}
		var id map[string]any
		if !decodeJSON(strings.Split(body["id_token"].(string), ".")[1], &id) || id["nonce"] != "n-1" || id["tid"] != f.c.TenantID ||
			id["aud"] != app.ID || id["preferred_username"] != "alice@contoso.com" {
			t.Errorf("id token %v", id)
		}
		// The refresh token works, without the credential only for the public client.
		form := with(f.refresh(body["refresh_token"].(string)), "client_id", app.ID, "client_secret", app.Secret)
		if status, body := f.post(f.c.TenantID, form); status != 200 || body["scope"] != "Mail.Read User.Read openid" {
			t.Errorf("refresh: %d %v", status, body)
		}
		if status, body := f.post(f.c.TenantID, with(form, "client_secret", "")); (status == 200) != app.Public {
			t.Errorf("refresh without a credential: %d %v", status, body)
		}
		// Neither password nor consent is asked for again, and no prompt is needed.
		for _, prompt := range []string{"", "none"} {
			if again := p.arrived(p.authorize(f.ask(app, "prompt", prompt))); again.Get("code") == "" {
				t.Errorf("prompt %q: %v", prompt, again)
			}
		}
		// More permissions are asked for, but only those.
		page = p.authorize(f.ask(app, "scope", "Mail.Read Chat.Read"))
		if got := page.Values("data-scope"); !slices.Equal(got, []string{"Chat.Read", "offline_access"}) {
			t.Errorf("incremental consent asks for %v", got)
		}
		// Without offline_access there is no refresh token, without openid no id token.
		got = p.arrived(p.authorize(f.ask(app, "scope", "Mail.Read")))
		if _, body := f.redeem(app, got.Get("code")); body["refresh_token"] != nil || body["id_token"] != nil || body["access_token"] == nil {
			t.Errorf("tokens %v", body)
		}
	}
}

// TestAuthorizeRefusals are the mistakes that are shown to the person, and never sent anywhere.
func TestAuthorizeRefusals(t *testing.T) {
	f := newFixture(t)
	app := f.s.Public
	for _, tt := range []struct {
		name, tenant string
		q            url.Values
		want         string
	}{
		{"unknown tenant", "nobody.example", f.ask(app), "90002"},
		{"single tenant", "common", f.ask(app), "50194"},
		{"consumers", "consumers", f.ask(app), "700016"},
		{"no client", "", f.ask(app, "client_id", ""), "900144"},
		{"unknown client", "", f.ask(app, "client_id", "22222222-2222-2222-2222-222222222222"), "700016"},
		{"no redirect", "", f.ask(app, "redirect_uri", ""), "900971"},
		{"other host", "", f.ask(app, "redirect_uri", "https://evil.example/oauth/redirect/microsoft"), "50011"},
		{"other path", "", f.ask(app, "redirect_uri", "http://localhost:48444/elsewhere"), "50011"},
		{"case", "", f.ask(app, "redirect_uri", "http://localhost:48444/OAuth/redirect/microsoft"), "50011"},
		{"host that begins alike", "", f.ask(app, "redirect_uri", "http://localhost.evil.example/oauth/redirect/microsoft"), "50011"},
		{"user in the host", "", f.ask(app, "redirect_uri", "http://localhost@evil.example/oauth/redirect/microsoft"), "50011"},
		{"https instead", "", f.ask(app, "redirect_uri", "https://localhost:48444/oauth/redirect/microsoft"), "50011"},
		{"IPv6", "", f.ask(app, "redirect_uri", "http://[::1]:48444/oauth/redirect/microsoft"), "50011"},
	} {
		tenant := tt.tenant
		if tenant == "" {
			tenant = f.c.Domain
		}
		page := f.person().open("/" + tenant + "/oauth2/v2.0/authorize?" + tt.q.Encode())
		text := page.Text("exceptionMessageContainer")
		if page.Left != nil || page.Status != 400 || page.Value("exceptionMessageContainer", "data-aadsts") != tt.want || !strings.HasPrefix(text, "AADSTS"+tt.want+": ") {
			t.Errorf("%s: %d %q, left for %v, want the page of %s", tt.name, page.Status, text, page.Left, tt.want)
		}
	}
}

// TestAuthorizeErrors are the mistakes that the client is told of.
func TestAuthorizeErrors(t *testing.T) {
	f := newFixture(t)
	app := f.s.NewPublic
	for _, tt := range []struct {
		name string
		q    url.Values
		err  string
		want string
	}{
		{"no type", f.ask(app, "response_type", ""), "invalid_request", "900144"},
		{"token", f.ask(app, "response_type", "token"), "unsupported_response_type", "70005"},
		{"id_token", f.ask(app, "response_type", "code id_token"), "unsupported_response_type", "700054"},
		{"mode", f.ask(app, "response_mode", "pigeon"), "invalid_request", "70007"},
		{"no scope", f.ask(app, "scope", ""), "invalid_request", "900144"},
		{"mixed default", f.ask(app, "scope", "https://graph.microsoft.com/.default Mail.Read"), "invalid_scope", "70011"},
		{"unknown scope", f.ask(app, "scope", "Mail.Reed"), "invalid_client", "650053"},
		{"unknown resource", f.ask(app, "scope", "https://example.com/Mail.Read"), "invalid_resource", "500011"},
		{"prompt", f.ask(app, "prompt", "admin_consent"), "invalid_request", "90023"},
		{"hint and picker", f.ask(app, "prompt", "select_account", "login_hint", "alice@contoso.com"), "invalid_request", "90005"},
		{"method without challenge", f.ask(app, "code_challenge", ""), "invalid_request", "50147"},
		{"short challenge", f.ask(app, "code_challenge", "short"), "invalid_request", "501491"},
		{"not signed in", f.ask(app, "prompt", "none"), "login_required", "50058"},
		{"claims", f.ask(app, "claims", "{"), "invalid_request", "9002313"},
	} {
		got := f.person()
		v := got.arrived(got.authorize(tt.q))
		if v.Get("error") != tt.err || !strings.HasPrefix(v.Get("error_description"), "AADSTS"+tt.want+": ") || v.Get("state") != "a b&c" || v.Has("code") {
			t.Errorf("%s: %v, want %s %s", tt.name, v, tt.err, tt.want)
		}
	}
}

// TestAccounts is about who signs in: passwords, hints, several at a time, other tenants.
func TestAccounts(t *testing.T) {
	f := newFixture(t)
	app := f.s.Public
	p := f.person()
	page := p.authorize(f.ask(app, "login_hint", "bob@contoso.com"))
	if got := page.Value("i0116", "value"); got != "bob@contoso.com" {
		t.Errorf("the hint fills in %q", got)
	}
	for _, tt := range []struct{ user, password, field, want string }{
		{"bob@contoso.com", "wrong", "passwordError", "50126"},
		{"nobody@contoso.com", company.Password, "usernameError", "50034"},
		{"support@contoso.com", company.Password, "passwordError", "50057"},
	} {
		page = p.press(page, "idSIButton9", "loginfmt", tt.user, "passwd", tt.password)
		if page.Value(tt.field, "data-aadsts") != tt.want {
			t.Errorf("%s: %q %q, want %s", tt.user, page.Title(), page.Text(tt.field), tt.want)
		}
	}
	p.arrived(p.signIn(page, "BOB@contoso.com"))
	// A second account; then the picker has both.
	page = p.authorize(f.ask(app, "prompt", "login"))
	p.arrived(p.signIn(page, "carol@contoso.com"))
	if v := p.arrived(p.authorize(f.ask(app, "prompt", "none"))); v.Get("error") != "interaction_required" || !strings.Contains(v.Get("error_description"), "AADSTS16000") {
		t.Errorf("silent with two accounts: %v", v)
	}
	page = p.authorize(f.ask(app))
	if page.Title() != "Pick an account" || !strings.Contains(page.Text("tilesHolder"), "bob@contoso.com") {
		t.Fatalf("%q %s", page.Title(), page.Text("tilesHolder"))
	}
	who := func(v url.Values) string {
		t.Helper()
		_, body := f.redeem(app, v.Get("code"))
		token, _ := body["access_token"].(string)
		c, err := f.s.Verify(token, GraphAudience)
		if err != nil {
			t.Fatal(err, body)
		}
		return c.UPN
	}
	if got := who(p.arrived(p.press(page, "tile1"))); got != "carol@contoso.com" {
		t.Errorf("picked %s", got)
	}
	if got := who(p.arrived(p.authorize(f.ask(app, "login_hint", "bob@contoso.com", "prompt", "none")))); got != "bob@contoso.com" {
		t.Errorf("hinted at %s", got)
	}
	page = p.press(p.authorize(f.ask(app, "prompt", "select_account")), "otherTile")
	if got := who(p.arrived(p.signIn(page, "alice@contoso.com"))); got != "alice@contoso.com" {
		t.Errorf("another account: %s", got)
	}
	page = f.person().signInTo(f.ask(app), ForeignUser)
	if text := page.Text("exceptionMessageContainer"); !strings.HasPrefix(text, "AADSTS50020: User account '"+ForeignUser+"'") || page.Left != nil {
		t.Errorf("user of another tenant: %q %s", page.Title(), text)
	}
	// A guest must name the tenant; through organizations it is the guest's own that is asked.
	f.set("entra.multi_tenant", true)
	guest := f.person()
	page = guest.signIn(guest.open("/organizations/oauth2/v2.0/authorize?"+f.ask(app).Encode()), "noel@northwind.example")
	if page.Value("exceptionMessageContainer", "data-aadsts") != "50020" {
		t.Errorf("guest through organizations: %q %v", page.Title(), page.Left)
	}
	if got := who(guest.arrived(guest.authorize(f.ask(app)))); got != "noel_northwind.example#EXT#@contoso.com" {
		t.Errorf("guest: %s", got)
	}
	f.set("entra.signin_error", 53003)
	page = f.person().signInTo(f.ask(app), "alice@contoso.com")
	if text := page.Text("exceptionMessageContainer"); !strings.HasPrefix(text, "AADSTS53003: ") {
		t.Errorf("policy: %s", text)
	}
	f.set("entra.signin_error", 0)
	// Ten wrong passwords lock the account for a minute.
	page = f.person().authorize(f.ask(app))
	for range lockoutThreshold {
		page = p.pressAs(page, "dmitri@contoso.com", "x")
	}
	if page = p.pressAs(page, "dmitri@contoso.com", company.Password); page.Value("passwordError", "data-aadsts") != "50053" {
		t.Errorf("after ten wrong passwords: %s", page.Text("passwordError"))
	}
	f.w.Clock.Advance(lockoutTime + time.Second)
	p.arrived(p.pressAs(page, "dmitri@contoso.com", company.Password))
}

func (p *person) pressAs(page *browser.Page, user, password string) *browser.Page {
	p.t.Helper()
	return p.press(page, "idSIButton9", "loginfmt", user, "passwd", password)
}

func (p *person) signInTo(q url.Values, user string) *browser.Page {
	p.t.Helper()
	return p.signIn(p.authorize(q), user)
}
