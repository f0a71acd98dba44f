package entra

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// TestOAuth2Library signs in with golang.org/x/oauth2, which knows nothing of this package.
func TestOAuth2Library(t *testing.T) {
	f := newFixture(t)
	base := f.srv.URL + "/" + f.c.Domain + "/oauth2/v2.0"
	conf := &oauth2.Config{
		ClientID: f.s.NewPublic.ID, RedirectURL: callback, Scopes: []string{"Mail.Read", "offline_access"},
		Endpoint: oauth2.Endpoint{AuthURL: base + "/authorize", TokenURL: base + "/token", DeviceAuthURL: base + "/devicecode", AuthStyle: oauth2.AuthStyleInParams},
	}
	v := oauth2.GenerateVerifier()
	p := f.person()
	page, err := p.b.Open(t.Context(), conf.AuthCodeURL("st", oauth2.S256ChallengeOption(v)))
	if err != nil {
		t.Fatal(err)
	}
	got := p.arrived(p.press(p.signIn(page, "alice@contoso.com"), "idSIButton9"))
	token, err := conf.Exchange(t.Context(), got.Get("code"), oauth2.VerifierOption(v))
	if err != nil || token.RefreshToken == "" || got.Get("state") != "st" {
		t.Fatal(token, err)
	}
	token.Expiry = time.Now().Add(-time.Hour)
	if fresh, err := conf.TokenSource(t.Context(), token).Token(); err != nil || fresh.AccessToken == token.AccessToken {
		t.Fatal(err)
	}

	f.set("entra.device_interval", 1)
	d, err := conf.DeviceAuth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	page = p.press(p.open(strings.TrimPrefix(d.VerificationURI, f.srv.URL)), "idSIButton9", "otc", strings.ToLower(d.UserCode))
	if !strings.HasPrefix(page.Title(), "Are you trying to sign in to ") {
		t.Fatalf("%q", page.Title())
	}
	page = p.press(page, "idSIButton9")
	if !strings.Contains(page.Text("message"), "You have signed in to") {
		t.Fatalf("%q %s", page.Title(), page.Text("message"))
	}
	token, err = conf.DeviceAccessToken(t.Context(), d)
	if err != nil || token.RefreshToken == "" {
		t.Fatal(token, err)
	}
}
