package entra

import (
	"strings"
	"testing"
)

// TestConsentRefused is about everyone who does not say yes.
func TestConsentRefused(t *testing.T) {
	f := newFixture(t)
	app := f.s.NewPublic
	p := f.person()
	v := p.arrived(p.press(p.signInTo(f.ask(app), "alice@contoso.com"), "idBtn_Back"))
	if v.Get("error") != "access_denied" || v.Get("error_subcode") != "cancel" || !strings.HasPrefix(v.Get("error_description"), "AADSTS65004: ") || v.Get("state") != "a b&c" {
		t.Errorf("cancelled: %v", v)
	}
	if v := p.arrived(p.authorize(f.ask(app, "prompt", "none"))); v.Get("error") != "consent_required" || !strings.Contains(v.Get("error_description"), "AADSTS65001") {
		t.Errorf("silent without consent: %v", v)
	}
	wide := f.ask(app, "scope", "ChannelMessage.Read.All Mail.Read offline_access")
	page := p.authorize(wide)
	if page.Title() != "Need admin approval" || page.Value("exceptionMessageContainer", "data-aadsts") != "90094" {
		t.Fatalf("%q for a permission that only administrators grant", page.Title())
	}
	if v := p.arrived(p.press(page, "idBtn_Back")); v.Get("error") != "access_denied" || !strings.HasPrefix(v.Get("error_description"), "AADSTS90094: ") {
		t.Errorf("returned: %v", v)
	}
	// An administrator comes to help, and consents for all.
	page = p.signIn(p.press(p.authorize(wide), "otherTile"), f.s.Admin().UPN)
	p.arrived(p.press(page, "idSIButton9", "onBehalfOfOrganization", "yes"))
	bob := f.person()
	v = bob.arrived(bob.signInTo(wide, "bob@contoso.com"))
	if _, body := f.redeem(app, v.Get("code")); body["scope"] != "ChannelMessage.Read.All Mail.Read User.Read" {
		t.Errorf("bob has %v", body["scope"])
	}
	f.set("entra.user_consent", false)
	if page := bob.authorize(f.ask(app, "scope", "Chat.Read")); page.Title() != "Need admin approval" {
		t.Errorf("%q where users may not consent", page.Title())
	}
	// prompt=consent asks again although all is there.
	f.set("entra.user_consent", true)
	page = bob.authorize(f.ask(app, "prompt", "consent"))
	if page.Title() != "Permissions requested" {
		t.Errorf("prompt=consent shows %q", page.Title())
	}
	bob.arrived(bob.press(page, "idSIButton9"))
}
