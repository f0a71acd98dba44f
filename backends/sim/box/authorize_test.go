package box

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/oauth2"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

// browser acts as a person does: it keeps cookies, follows redirects on the account host alone and presses buttons.
type browser struct {
	*fixture
	client *http.Client
	at     *url.URL // of the page
	status int
	page   *html.Node // nil once the account host sent the browser elsewhere, to at
}

func (f *fixture) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.Fatal(err)
	}
	b := &browser{fixture: f}
	b.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	f.Cleanup(b.client.CloseIdleConnections)
	return b
}

func (b *browser) do(req *http.Request) {
	b.Helper()
	resp, err := b.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	b.at, b.status, b.page = req.URL, resp.StatusCode, nil
	if resp.StatusCode == http.StatusFound {
		to, err := resp.Location()
		if err != nil {
			b.Fatal(err)
		}
		b.at = to
		if strings.HasPrefix(to.String(), b.w.Hosts.BoxAccount) {
			b.open(to.String())
		}
		return
	}
	if b.page, err = html.Parse(resp.Body); err != nil {
		b.Fatal(err)
	}
	if resp.Header.Get("X-Frame-Options") != "DENY" || resp.Header.Get("Cache-Control") != "no-store" {
		b.Errorf("page %s has headers %v", b.at.Path, resp.Header)
	}
}

func (b *browser) open(address string) *browser {
	b.Helper()
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.do(req)
	return b
}

// authorize opens the authorize page with the first app and more or other parameters; "" removes one.
func (b *browser) authorize(kv ...string) *browser {
	b.Helper()
	q := url.Values{"client_id": {"app"}, "response_type": {"code"}, "state": {"st&te=1 ü"}}
	for i := 0; i < len(kv); i += 2 {
		q.Set(kv[i], kv[i+1])
		if kv[i+1] == "" {
			q.Del(kv[i])
		}
	}
	return b.open(b.w.Hosts.BoxAccount + "/api/oauth2/authorize?" + q.Encode())
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func find(n *html.Node, id string) *html.Node {
	if n == nil || attr(n, "id") == id {
		return n
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if hit := find(c, id); hit != nil {
			return hit
		}
	}
	return nil
}

func textOf(n *html.Node) string {
	if n == nil {
		return ""
	}
	if n.Type == html.TextNode {
		return n.Data
	}
	text := ""
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		text += textOf(c)
	}
	return text
}

// press fills in the form that has a button and presses that.
func (b *browser) press(button string, fields ...string) *browser {
	b.Helper()
	pressed := find(b.page, button)
	if pressed == nil {
		b.Fatalf("%s: no button %s on %q", b.at, button, textOf(b.page))
	}
	form := pressed
	for form.Data != "form" {
		form = form.Parent
	}
	v := url.Values{attr(pressed, "name"): {attr(pressed, "value")}}
	var collect func(n *html.Node)
	collect = func(n *html.Node) {
		if n.Data == "input" {
			v.Set(attr(n, "name"), attr(n, "value"))
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			collect(c)
		}
	}
	collect(form)
	for i := 0; i < len(fields); i += 2 {
		if !v.Has(fields[i]) {
			b.Fatalf("form has no field %s", fields[i])
		}
		v.Set(fields[i], fields[i+1])
	}
	to, err := b.at.Parse(attr(form, "action"))
	if err != nil {
		b.Fatal(err)
	}
	req, err := http.NewRequest("POST", to.String(), strings.NewReader(v.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	b.do(req)
	return b
}

func (b *browser) signIn(login string) *browser {
	b.Helper()
	return b.press("login-submit", "login", login, "password", company.Password)
}

func (b *browser) accept() *browser { b.Helper(); return b.press("consent_accept_button") }

// failed wants an error page.
func (b *browser) failed(code string) {
	b.Helper()
	if text := textOf(find(b.page, "error")); b.status != 400 || text != "Error: "+code {
		b.Errorf("page %d %q, want error %s", b.status, text, code)
	}
}

// code exchanges the code that the browser brought back.
func (b *browser) exchange(kv ...string) answer {
	b.Helper()
	if b.page != nil || b.at.Query().Get("code") == "" {
		b.Fatalf("the browser is at %s, without a code", b.at)
	}
	return b.form("/oauth2/token", append([]string{"grant_type", "authorization_code", "client_id", "app", "client_secret", "hush",
		"code", b.at.Query().Get("code")}, kv...)...)
}

func TestAuthorize(t *testing.T) {
	f := start(t, core.Options{}, "")
	b := f.browser().authorize()
	if find(b.page, "login") == nil || !strings.Contains(textOf(b.page), "Contoso Archive App") {
		t.Fatalf("sign-in page %q", textOf(b.page))
	}
	b.press("login-submit", "login", "alice@contoso.com", "password", "wrong")
	if textOf(find(b.page, "error")) != "Invalid Login Credentials" || attr(find(b.page, "login"), "value") != "alice@contoso.com" {
		t.Errorf("after a wrong password: %q", textOf(b.page))
	}
	b.signIn("Alice@Contoso.com")
	asked := textOf(find(b.page, "scopes"))
	if !strings.Contains(textOf(b.page), "Alice Smith") || !strings.Contains(asked, "Read all files") || !strings.Contains(asked, "Manage webhooks") {
		t.Errorf("consent page %q", textOf(b.page))
	}
	b.accept()
	q := b.at.Query()
	if to := *b.at; to.Scheme+"://"+to.Host+to.Path != Callback || q.Get("state") != "st&te=1 ü" || len(q) != 2 {
		t.Fatalf("sent to %s", b.at)
	}
	d := b.exchange().doc(t)
	if d.str("token_type") != "bearer" || len(d.str("refresh_token")) < 32 {
		t.Fatalf("token: %v", d)
	}
	f.token = d.str("access_token")
	if me := f.get("/users/me"); me.str("login") != "alice@contoso.com" {
		t.Errorf("signed in as %v", me)
	}
	a := b.exchange()
	if e := a.doc(t); a.status != 400 || e.str("error") != "invalid_grant" || !strings.Contains(e.str("error_description"), "Auth code doesn't exist") {
		t.Errorf("code used twice: %d %s", a.status, a.body)
	}
	// The browser remembers who is signed in, the app is asked for anew.
	b.authorize("state", "").press("consent_reject_button")
	if q := b.at.Query(); q.Get("error") != "access_denied" || q.Get("error_description") == "" || q.Has("state") || q.Has("code") {
		t.Errorf("refusal: %s", b.at)
	}
}

func TestAuthorizeSeveralUsers(t *testing.T) {
	f := start(t, core.Options{}, "")
	for _, login := range []string{"frank@contoso.com", f.s.store.services[0].login, "nobody@contoso.com"} {
		if b := f.browser().authorize().signIn(login); textOf(find(b.page, "error")) == "" {
			t.Errorf("%s signed in", login)
		}
	}
	guest := f.browser().authorize().signIn(f.co.Guests[0].Mail).accept()
	if d := guest.exchange().doc(t); d.str("access_token") == "" {
		t.Errorf("user of another enterprise: %v", d)
	}
}

func TestAuthorizeRefusals(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.browser().authorize("client_id", "other").failed("invalid_client")
	f.browser().authorize("client_id", "server").failed("invalid_client")
	for _, u := range []string{
		"https://evil.example/", "http://localhost:48444/other", "https://localhost:48444/oauth/redirect/box", "http://127.0.0.1:48444/oauth/redirect/box",
		"http://localhost.evil.example:48444/oauth/redirect/box", "http://localhost:48444/oauth/redirect/box?x=1",
	} {
		f.browser().authorize("redirect_uri", u).failed("redirect_uri_mismatch")
	}
	const elsewhere = "http://localhost:51234/oauth/redirect/box"
	b := f.browser().authorize("redirect_uri", elsewhere).signIn("bob@contoso.com").accept()
	if !strings.HasPrefix(b.at.String(), elsewhere+"?code=") {
		t.Errorf("another port: %s", b.at)
	}
	if a := b.exchange("redirect_uri", Callback); a.status != 400 || a.doc(t).str("error") != "invalid_grant" {
		t.Errorf("another redirect URI at the exchange: %d %s", a.status, a.body)
	}
	for _, tc := range []struct{ key, value, want string }{
		{"response_type", "token", "unsupported_response_type"}, {"response_type", "", "unsupported_response_type"}, {"scope", "root_readonly enterprise_content", "invalid_scope"},
	} {
		b := f.browser().authorize(tc.key, tc.value)
		if q := b.at.Query(); b.page != nil || q.Get("error") != tc.want || q.Get("state") == "" {
			t.Errorf("%s=%s: %s", tc.key, tc.value, b.at)
		}
	}
	// With a second redirect URI it must be named, which shows after the decision only.
	if a := f.send("POST", f.w.Hosts.Control+"/box/apps/app/redirects", strings.NewReader(`{"redirect_uri":"http://evil.example/"}`)); a.status != 400 {
		t.Errorf("plain http as a redirect URI: %d", a.status)
	}
	if a := f.send("POST", f.w.Hosts.Control+"/box/apps/app/redirects", strings.NewReader(`{"redirect_uri":"https://files.contoso.com/cb?a=b"}`)); a.status != 200 {
		t.Errorf("redirect URI: %d %s", a.status, a.body)
	}
	f.browser().authorize().signIn("bob@contoso.com").accept().failed("redirect_uri_missing")
	b = f.browser().authorize("redirect_uri", "https://files.contoso.com/cb?a=b").signIn("bob@contoso.com").accept()
	if q := b.at.Query(); q.Get("a") != "b" || q.Get("code") == "" {
		t.Errorf("redirect URI with a query: %s", b.at)
	}
}

func TestAuthorizeCSRF(t *testing.T) {
	f := start(t, core.Options{}, "")
	victim := f.browser().authorize().signIn("alice@contoso.com")
	attacker := f.browser().authorize().signIn("bob@contoso.com")
	// A form that the attacker got, posted by the victim's browser.
	attacker.client = victim.client
	attacker.press("consent_accept_button").failed("invalid_request_token")
	victim.accept()
	if victim.at.Query().Get("code") == "" {
		t.Errorf("the victim's own form: %s", victim.at)
	}
}

func TestCodeExpires(t *testing.T) {
	f := start(t, core.Options{}, "")
	b := f.browser().authorize().signIn("alice@contoso.com").accept()
	f.w.Clock.Advance(30 * time.Second)
	a := b.exchange()
	if d := a.doc(t); a.status != 400 || d.str("error") != "invalid_grant" || d.str("error_description") != "The authorization code has expired" {
		t.Errorf("late: %d %s", a.status, a.body)
	}
	b.authorize().accept()
	f.w.Clock.Advance(25 * time.Second)
	if a := b.exchange("redirect_uri", Callback); a.status != 200 {
		t.Errorf("in time: %d %s", a.status, a.body)
	}
	// Nobody else's app can redeem it, and a failed attempt of theirs does not end it.
	b.authorize().accept()
	other := f.form("/oauth2/token", "grant_type", "authorization_code", "client_id", "server", "client_secret", "quiet", "code", b.at.Query().Get("code"))
	if d := other.doc(t); d.str("error") != "invalid_request" || !strings.Contains(d.str("error_description"), "grant type is unauthorized for this client_id") {
		t.Errorf("other app: %s", other.body)
	}
	if a := b.exchange(); a.status != 200 {
		t.Errorf("after another app's attempt: %d %s", a.status, a.body)
	}
}

func TestNarrowedScope(t *testing.T) {
	f := start(t, core.Options{}, "")
	b := f.browser().authorize("scope", "root_readonly").signIn("grace@contoso.com")
	if asked := strings.TrimSpace(textOf(find(b.page, "scopes"))); asked != "Read all files and folders stored in Box" {
		t.Errorf("consent asks for %q", asked)
	}
	d := b.accept().exchange().doc(t)
	for range 2 {
		f.token = d.str("access_token")
		f.get("/folders/0")
		f.refused(f.api("GET", "/users", nil), 403, "insufficient_scope")
		f.refused(f.api("POST", "/folders", map[string]any{"name": "x", "parent": map[string]string{"id": "0"}}), 403, "insufficient_scope")
		// A refreshed token is as narrow.
		d = f.form("/oauth2/token", "grant_type", "refresh_token", "client_id", "app", "client_secret", "hush", "refresh_token", d.str("refresh_token")).doc(t)
	}
}

// TestOAuth2Library signs in with the usual library.
func TestOAuth2Library(t *testing.T) {
	f := start(t, core.Options{}, "")
	conf := oauth2.Config{
		ClientID: "app", ClientSecret: "hush", RedirectURL: "http://localhost:5000/oauth/redirect/box",
		Endpoint: oauth2.Endpoint{AuthURL: f.w.Hosts.BoxAccount + "/api/oauth2/authorize", TokenURL: f.w.Hosts.BoxAPI + "/oauth2/token", AuthStyle: oauth2.AuthStyleInParams},
	}
	b := f.browser().open(conf.AuthCodeURL("xyz")).signIn("carol@contoso.com").accept()
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, f.client)
	tok, err := conf.Exchange(ctx, b.at.Query().Get("code"))
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(tok.Expiry); tok.Type() != "Bearer" || left < 50*time.Minute || left > 70*time.Minute {
		t.Errorf("token of type %s for %v", tok.Type(), left)
	}
	old := tok.RefreshToken
	tok.Expiry = time.Now().Add(-time.Hour)
	source := conf.TokenSource(ctx, tok)
	resp, err := oauth2.NewClient(ctx, source).Get(f.w.Hosts.BoxAPI + "/2.0/users/me?fields=login")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), `"carol@contoso.com"`) {
		t.Errorf("me: %s %v", body, err)
	}
	if tok, err = source.Token(); err != nil || tok.RefreshToken == old {
		t.Errorf("after the refresh: %v", err)
	}
}
