package entra

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim/simtest/browser"
)

func (p *person) adminConsent(path string, app *App, change ...string) *browser.Page {
	p.t.Helper()
	q := with(url.Values{"client_id": {app.ID}, "redirect_uri": {callback}, "state": {"s 1"}, "scope": {defaultScope}}, change...)
	return p.open(path + "?" + q.Encode())
}

func TestAdminConsent(t *testing.T) {
	f := newFixture(t)
	app := f.s.NewConfidential
	roles := func() []string {
		t.Helper()
		_, body := f.post(f.c.TenantID, f.app("client_id", app.ID, "client_secret", app.Secret))
		claims, err := f.s.Verify(body["access_token"].(string), GraphAudience)
		if err != nil {
			t.Fatal(err)
		}
		return claims.Roles
	}
	if got := roles(); len(got) != 0 {
		t.Fatalf("roles without consent: %v", got)
	}
	v2, v1 := "/"+f.c.Domain+"/v2.0/adminconsent", "/"+f.c.TenantID+"/adminconsent"
	p := f.person()
	admin := f.s.Admin().UPN
	v := p.arrived(p.press(p.signIn(p.adminConsent(v2, app), admin), "idBtn_Back"))
	if v.Get("error") != "consent_required" || v.Get("admin_consent") != "True" || v.Get("state") != "s 1" || !strings.HasPrefix(v.Get("error_description"), "AADSTS65004: ") {
		t.Errorf("v2 refused: %v", v)
	}
	v = p.arrived(p.press(p.adminConsent(v1, app), "idBtn_Back"))
	if v.Get("error") != "permission_denied" || v.Has("admin_consent") || v.Get("state") != "s 1" {
		t.Errorf("v1 refused: %v", v)
	}
	if got := roles(); len(got) != 0 {
		t.Fatalf("roles after a refusal: %v", got)
	}
	// Named scopes are granted for everyone, but no roles.
	page := p.adminConsent(v2, app, "scope", "https://graph.microsoft.com/Mail.Read https://graph.microsoft.com/ChannelMessage.Read.All")
	if got := page.Values("data-scope"); !slices.Equal(got, []string{"Mail.Read", "ChannelMessage.Read.All"}) {
		t.Errorf("asks for %v", got)
	}
	v = p.arrived(p.press(page, "idSIButton9"))
	if v.Get("admin_consent") != "True" || v.Get("tenant") != f.c.TenantID || v.Get("scope") != "https://graph.microsoft.com/Mail.Read https://graph.microsoft.com/ChannelMessage.Read.All" || v.Has("error") {
		t.Errorf("v2 accepted: %v", v)
	}
	bob := f.person()
	bob.arrived(bob.signInTo(f.ask(app, "scope", "Mail.Read ChannelMessage.Read.All"), "bob@contoso.com"))
	if got := roles(); len(got) != 0 {
		t.Errorf("roles after delegated consent: %v", got)
	}
	v = p.arrived(p.press(p.adminConsent(v1, app), "idSIButton9"))
	if v.Get("admin_consent") != "True" || v.Get("tenant") != f.c.TenantID || v.Has("scope") {
		t.Errorf("v1 accepted: %v", v)
	}
	if got := roles(); !slices.Equal(got, app.Roles) {
		t.Errorf("roles %v", got)
	}
	// Others than administrators are told so, here and at the client.
	page = bob.adminConsent(v2, f.s.NewPublic)
	if page.Title() != "Need admin approval" || page.Value("exceptionMessageContainer", "data-aadsts") != "90094" {
		t.Errorf("bob sees %q", page.Title())
	}
	if v := bob.arrived(bob.press(page, "idBtn_Back")); v.Get("error") != "consent_required" || v.Get("admin_consent") != "True" {
		t.Errorf("bob returns with %v", v)
	}
	page = bob.adminConsent(v2, f.s.NewPublic)
	page = bob.signIn(bob.press(page, "otherTile"), admin)
	bob.arrived(bob.press(page, "idSIButton9"))
	for name, tt := range map[string]struct {
		path   string
		change []string
		want   string
	}{
		"common":   {"/common/v2.0/adminconsent", nil, "50059"},
		"tenant":   {"/nobody.example/adminconsent", nil, "90002"},
		"client":   {v2, []string{"client_id", "x"}, "700016"},
		"redirect": {v2, []string{"redirect_uri", "https://evil.example/"}, "50011"},
	} {
		if page := p.adminConsent(tt.path, app, tt.change...); page.Value("exceptionMessageContainer", "data-aadsts") != tt.want || page.Left != nil {
			t.Errorf("%s: %q %s", name, page.Title(), page.Text("exceptionMessageContainer"))
		}
	}
	if v := p.arrived(p.adminConsent(v2, app, "scope", "")); v.Get("error") != "invalid_request" || v.Get("admin_consent") != "True" {
		t.Errorf("without scope: %v", v)
	}
}
