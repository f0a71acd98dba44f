package entra

import (
	"net/url"
	"strings"
	"testing"
)

// signedIn signs a person in with an application that has consent, and gives the refresh token.
func (p *person) signedIn(app *App, user string) string {
	p.t.Helper()
	page := p.authorize(p.ask(app))
	if page.Left == nil {
		page = p.signIn(page, user)
	}
	_, body := p.redeem(app, p.arrived(page).Get("code"))
	token, _ := body["refresh_token"].(string)
	if token == "" {
		p.t.Fatalf("%v", body)
	}
	return token
}

// TestRevocation ends sign-ins as users and administrators do.
func TestRevocation(t *testing.T) {
	f := newFixture(t)
	try := func(app *App, token string) float64 {
		t.Helper()
		_, body := f.post(f.c.TenantID, with(f.refresh(token), "client_id", app.ID, "client_secret", app.Secret))
		return number(body)
	}
	do := func(action string, body any) {
		t.Helper()
		if code, text := f.control("POST", "/entra/users/alice@contoso.com/"+action, body); code != 204 {
			t.Fatalf("%s: %d %s", action, code, text)
		}
	}
	for _, tt := range []struct {
		action       string
		public, conf float64 // what refresh tokens of a public and a confidential client get
		session      string  // title of the page that the next sign-in shows
	}{
		{"change_password", 50173, 0, "Sign in"},
		{"reset_password", 50173, 50173, "Sign in"},
		{"revoke", 50173, 50173, "Sign in"},
		{"disable", 50057, 50057, "Sign in"},
	} {
		p := f.person()
		public, conf := p.signedIn(f.s.Public, "alice@contoso.com"), p.signedIn(f.s.Confidential, "alice@contoso.com")
		bob := f.person().signedIn(f.s.Public, "bob@contoso.com")
		if a, b := try(f.s.Public, public), try(f.s.Confidential, conf); a != 0 || b != 0 {
			t.Fatalf("before: %v %v", a, b)
		}
		do(tt.action, map[string]string{})
		if a, b := try(f.s.Public, public), try(f.s.Confidential, conf); a != tt.public || b != tt.conf {
			t.Errorf("%s: public %v, confidential %v; want %v, %v", tt.action, a, b, tt.public, tt.conf)
		}
		if n := try(f.s.Public, bob); n != 0 {
			t.Errorf("%s of alice: bob gets %v", tt.action, n)
		}
		if page := p.authorize(f.ask(f.s.Public)); page.Title() != tt.session {
			t.Errorf("%s: the next sign-in shows %q", tt.action, page.Title())
		}
	}
	do("enable", nil)
	do("reset_password", map[string]string{"password": "another one"})
	p := f.person()
	p.arrived(p.pressAs(p.authorize(f.ask(f.s.Public)), "alice@contoso.com", "another one"))
	do("expire_password", nil)
	page := p.pressAs(p.authorize(f.ask(f.s.Public, "prompt", "login")), "alice@contoso.com", "another one")
	if page.Value("passwordError", "data-aadsts") != "50055" {
		t.Errorf("expired password: %q", page.Title())
	}
	do("lock", nil)
	if page = p.pressAs(page, "alice@contoso.com", "another one"); page.Value("passwordError", "data-aadsts") != "50053" {
		t.Errorf("locked: %s", page.Text("passwordError"))
	}
	if code, _ := f.control("POST", "/entra/users/alice@contoso.com/tickle", nil); code != 400 {
		t.Errorf("unknown action: %d", code)
	}
	if code, _ := f.control("POST", "/entra/users/nobody/revoke", nil); code != 404 {
		t.Errorf("unknown user: %d", code)
	}
}

// TestForcedErrors goes through all numbers that have a text, each of which makes a whole error body.
func TestForcedErrors(t *testing.T) {
	f := newFixture(t)
	for code := range texts {
		f.set("entra.token_error_once", code)
		status, body := f.post(f.c.TenantID, f.app())
		text, _ := body["error_description"].(string)
		if status == 200 || number(body) != float64(code) || body["error"] == "" || strings.ContainsAny(text, "{}") && code != 700005 {
			t.Errorf("%d: %d %v", code, status, body)
		}
		if status, body := f.post(f.c.TenantID, f.app()); status != 200 {
			t.Fatalf("%d lasts: %v", code, body)
		}
	}
	f.set("entra.token_error", 50076)
	f.set("entra.interaction_error", "invalid_grant")
	for range 2 {
		if _, body := f.post(f.c.TenantID, f.app()); body["error"] != "invalid_grant" || body["suberror"] != "basic_action" || !strings.Contains(body["claims"].(string), "capolids") {
			t.Errorf("%v", body)
		}
	}
}

func TestLogout(t *testing.T) {
	f := newFixture(t)
	p := f.person()
	p.arrived(p.signInTo(f.ask(f.s.Public), "alice@contoso.com"))
	out := "/common/oauth2/v2.0/logout"
	if page := p.open(out + "?" + url.Values{"post_logout_redirect_uri": {"https://evil.example/"}}.Encode()); page.Left != nil || page.Title() != "You signed out of your account" {
		t.Errorf("%q %v", page.Title(), page.Left)
	}
	if page := p.authorize(f.ask(f.s.Public)); page.Title() != "Sign in" {
		t.Errorf("after signing out: %q", page.Title())
	}
	if page := p.open(out + "?" + url.Values{"post_logout_redirect_uri": {callback}}.Encode()); page.Left == nil || page.Left.String() != callback {
		t.Errorf("registered address: %v", page.Left)
	}
}
