package entra

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestCodeRules are what a code is redeemed with, and for how long.
func TestCodeRules(t *testing.T) {
	f := newFixture(t)
	p := f.person()
	p.arrived(p.signInTo(f.ask(f.s.Public), "alice@contoso.com"))
	code := func(app *App, change ...string) string {
		t.Helper()
		page := p.authorize(f.ask(app, change...))
		if page.Left == nil {
			t.Fatalf("%q, want to arrive", page.Title())
		}
		return page.Left.Query().Get("code")
	}
	plain := []string{"code_challenge", verifier, "code_challenge_method", ""}
	for _, tt := range []struct {
		name   string
		app    *App
		ask    []string
		redeem []string
		err    string
		want   float64
	}{
		{"wrong verifier", f.s.Public, nil, []string{"code_verifier", strings.Repeat("x", 43)}, "invalid_grant", 501481},
		{"no verifier", f.s.Public, nil, []string{"code_verifier", ""}, "invalid_grant", 501481},
		{"plain by default", f.s.Public, plain, []string{"code_verifier", challenge(verifier)}, "invalid_grant", 501481},
		{"other redirect", f.s.Public, nil, []string{"redirect_uri", "http://localhost:1/oauth/redirect/microsoft"}, "invalid_client", 500112},
		{"no redirect", f.s.Public, nil, []string{"redirect_uri", ""}, "invalid_request", 900144},
		{"secret of a public client", f.s.Public, nil, []string{"client_secret", "x"}, "invalid_client", 700025},
		{"no secret", f.s.Confidential, nil, []string{"client_secret", ""}, "invalid_client", 7000218},
		{"wrong secret", f.s.Confidential, nil, []string{"client_secret", "x"}, "invalid_client", 7000215},
		{"another client", f.s.Public, nil, []string{"client_id", f.s.NewPublic.ID}, "invalid_grant", 9002313},
		{"two resources", f.s.Public, nil, []string{"scope", "https://graph.microsoft.com/Mail.Read https://outlook.office.com/Mail.Read"}, "invalid_request", 28000},
		{"mixed default", f.s.Public, nil, []string{"scope", "https://graph.microsoft.com/.default https://graph.microsoft.com/Mail.Read"}, "invalid_scope", 70011},
	} {
		status, body := f.redeem(tt.app, code(tt.app, tt.ask...), tt.redeem...)
		if status == 200 || body["error"] != tt.err || number(body) != tt.want {
			t.Errorf("%s: %d %v %v, want %s %v", tt.name, status, body["error"], body["error_codes"], tt.err, tt.want)
		}
	}
	if status, body := f.redeem(f.s.Public, code(f.s.Public, plain...)); status != 200 {
		t.Errorf("plain challenge: %d %v", status, body)
	}
	used := code(f.s.Public)
	if status, body := f.redeem(f.s.Public, used, "scope", "https://graph.microsoft.com/.default"); status != 200 {
		t.Fatalf("%d %v", status, body)
	}
	if _, body := f.redeem(f.s.Public, used); body["error"] != "invalid_grant" || number(body) != 54005 {
		t.Errorf("second use: %v", body)
	}
	old := code(f.s.Public)
	f.w.Clock.Advance(codeLifetime + time.Second)
	if _, body := f.redeem(f.s.Public, old); body["error"] != "invalid_grant" || number(body) != 70008 {
		t.Errorf("after ten minutes: %v", body)
	}
	// A confidential client whose redirect URI is that of a public one needs no secret.
	f.s.AddRedirect(f.s.Confidential, "http://localhost/native", platformPublic)
	native := code(f.s.Confidential, "redirect_uri", "http://localhost:9/native")
	if status, body := f.redeem(f.s.Confidential, native, "redirect_uri", "http://localhost:9/native", "client_secret", ""); status != 200 {
		t.Errorf("public redirect of a confidential client: %d %v", status, body)
	}
	// A page of one script: its refresh tokens end after a day, whatever is done with them.
	f.s.AddRedirect(f.s.Public, "http://localhost/spa", platformSPA)
	_, body := f.redeem(f.s.Public, code(f.s.Public, "redirect_uri", "http://localhost/spa"), "redirect_uri", "http://localhost/spa")
	again := func() map[string]any {
		t.Helper()
		_, body = f.post(f.c.TenantID, url.Values{"grant_type": {"refresh_token"}, "client_id": {f.s.Public.ID}, "refresh_token": {body["refresh_token"].(string)}})
		return body
	}
	f.w.Clock.Advance(20 * time.Hour)
	if again()["access_token"] == nil {
		t.Fatalf("%v", body)
	}
	f.w.Clock.Advance(5 * time.Hour)
	if again(); number(body) != 700084 {
		t.Errorf("after a day: %v", body)
	}
}

// TestScopesOfAnswers is about what is granted beside what was asked for.
func TestScopesOfAnswers(t *testing.T) {
	f := newFixture(t)
	p := f.person()
	f.set("entra.qualified_scopes", false)
	ask := f.ask(f.s.Public, "scope", "https://graph.microsoft.com/Mail.Read offline_access")
	scope := func(change ...string) string {
		t.Helper()
		page := p.authorize(ask)
		if page.Title() == "Sign in" {
			page = p.signIn(page, "alice@contoso.com")
		}
		_, body := f.redeem(f.s.Public, p.arrived(page).Get("code"), change...)
		s, _ := body["scope"].(string)
		return s
	}
	if got := strings.Fields(scope()); len(got) != len(f.s.Public.Scopes) {
		t.Errorf("all that is consented: %v", got)
	}
	f.set("entra.all_consented", false)
	if got := scope(); got != "Mail.Read" {
		t.Errorf("only what was asked: %q", got)
	}
	f.set("entra.qualified_scopes", true)
	if got := scope("scope", "https://graph.microsoft.com/Mail.Read"); got != "https://graph.microsoft.com/Mail.Read" {
		t.Errorf("with the resource: %q", got)
	}
	f.set("entra.withheld_scopes", "Mail.Read")
	if got := scope(); got != "" {
		t.Errorf("withheld: %q", got)
	}
}
