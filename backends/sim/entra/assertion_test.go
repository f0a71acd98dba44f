package entra

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // thumbprints of certificates are SHA-1
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// certified is a client with a certificate.
type certified struct {
	key *rsa.PrivateKey
	der []byte
}

func newCertified(t *testing.T, from, until time.Time) certified {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return certified{key, der}
}

func (c certified) sha1() []byte { sum := sha1.Sum(c.der); return sum[:] } //nolint:gosec // see the import

// sign makes an assertion as the library does; change may alter it before it is signed.
func (c certified) sign(t *testing.T, f *fixture, app *App, change func(h map[string]any, claims jwt.MapClaims)) string {
	t.Helper()
	now := f.w.Clock.Now()
	sum := sha256.Sum256(c.der)
	claims := jwt.MapClaims{
		"aud": f.srv.URL + "/" + f.c.TenantID + "/oauth2/v2.0/token", "iss": app.ID, "sub": app.ID, "jti": f.s.random(16),
		"nbf": now.Unix(), "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	}
	token := jwt.NewWithClaims(jwt.SigningMethodPS256, claims)
	token.Header["x5t#S256"] = base64.RawURLEncoding.EncodeToString(sum[:])
	if change != nil {
		change(token.Header, claims)
	}
	if token.Header["alg"] == "RS256" {
		token.Method = jwt.SigningMethodRS256
	}
	signed, err := token.SignedString(c.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// control calls the control host.
func (f *fixture) control(method, path string, body any) (int, string) {
	f.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		f.t.Fatal(err)
	}
	w := httptest.NewRecorder()
	f.w.Control(func() any { return nil }).ServeHTTP(w, httptest.NewRequest(method, path, bytes.NewReader(data)))
	return w.Code, w.Body.String()
}

const keyID = "33333333-3333-4333-8333-333333333333"

// entry is the certificate as an application registration takes it, changed in pairs; nil removes.
func (c certified) entry(change ...any) map[string]any {
	e := map[string]any{
		"customKeyIdentifier": base64.StdEncoding.EncodeToString(c.sha1()), "keyId": keyID, "type": "AsymmetricX509Cert", "usage": "Verify",
		"key": base64.StdEncoding.EncodeToString(c.der),
	}
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == nil {
			delete(e, change[i].(string))
		} else {
			e[change[i].(string)] = change[i+1]
		}
	}
	return e
}

func manifestOf(entries ...any) map[string]any {
	return map[string]any{"keyCredentials": entries, "id": "left alone"}
}

func (f *fixture) upload(app *App, entries ...any) {
	f.t.Helper()
	if code, body := f.control("PUT", "/entra/apps/"+app.ID+"/manifest", manifestOf(entries...)); code != 200 {
		f.t.Fatalf("%d %s", code, body)
	}
}

func (f *fixture) asserted(assertion string, change ...string) url.Values {
	return f.app(append([]string{"client_secret", "", "client_assertion_type", assertionType, "client_assertion", assertion}, change...)...)
}

func TestCertificate(t *testing.T) {
	f := newFixture(t)
	now := f.w.Clock.Now()
	c, other := newCertified(t, now.Add(-time.Hour), now.AddDate(1, 0, 0)), newCertified(t, now.Add(-time.Hour), now.AddDate(1, 0, 0))
	app := f.s.Confidential
	if _, body := f.post(f.c.TenantID, f.asserted(c.sign(t, f, app, nil))); number(body) != 700027 || !strings.Contains(body["error_description"].(string), "The key was not found.") {
		t.Errorf("before the upload: %v", body)
	}
	f.upload(app, c.entry())
	set := func(name string, v any) func(map[string]any, jwt.MapClaims) {
		return func(_ map[string]any, claims jwt.MapClaims) { claims[name] = v }
	}
	clock := func(by time.Duration) func(map[string]any, jwt.MapClaims) {
		return func(_ map[string]any, claims jwt.MapClaims) {
			claims["nbf"], claims["iat"], claims["exp"] = now.Add(by).Unix(), now.Add(by).Unix(), now.Add(by+5*time.Minute).Unix()
		}
	}
	older := func(h map[string]any, _ jwt.MapClaims) {
		delete(h, "x5t#S256")
		h["alg"], h["x5t"] = "RS256", base64.RawURLEncoding.EncodeToString(c.sha1())
	}
	for name, change := range map[string]func(map[string]any, jwt.MapClaims){
		"PS256 with x5t#S256": nil, "RS256 with x5t": older,
		"padded x5t#S256": func(h map[string]any, _ jwt.MapClaims) {
			sum := sha256.Sum256(c.der)
			h["x5t#S256"] = base64.StdEncoding.EncodeToString(sum[:])
		},
		"domain as audience": set("aud", f.srv.URL+"/"+f.c.Domain+"/oauth2/v2.0/token"),
		"issuer as audience": set("aud", f.srv.URL+"/"+f.c.TenantID+"/v2.0"),
		"clock 4 min fast":   clock(4 * time.Minute), "clock 4 min slow": clock(-4 * time.Minute),
	} {
		status, body := f.post(f.c.Domain, f.asserted(c.sign(t, f, app, change)))
		if status != 200 {
			t.Errorf("%s: %d %v", name, status, body)
			continue
		}
		if claims, err := f.s.Verify(body["access_token"].(string), GraphAudience); err != nil || claims.Proof != proofCertificate || !claims.AppOnly {
			t.Errorf("%s: %+v %v", name, claims, err)
		}
	}
	for _, tt := range []struct {
		name   string
		by     certified
		change func(map[string]any, jwt.MapClaims)
		want   float64
		text   string
	}{
		{"unknown certificate", other, nil, 700027, "The key was not found."},
		{"another key under its thumbprint", certified{other.key, c.der}, nil, 700027, "signature value did not match"},
		{"no thumbprint", c, func(h map[string]any, _ jwt.MapClaims) { delete(h, "x5t#S256") }, 50027, "thumbprint"},
		{"audience of another tenant", c, set("aud", f.srv.URL+"/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token"), 700023, "audience"},
		{"audience common", c, set("aud", f.srv.URL+"/common/oauth2/v2.0/token"), 700023, "audience"},
		{"subject", c, set("sub", f.s.Public.ID), 50048, "Subject"},
		{"client", c, func(_ map[string]any, claims jwt.MapClaims) {
			claims["iss"], claims["sub"] = f.s.Public.ID, f.s.Public.ID
		}, 700021, "client_id"},
		{"clock 10 min fast", c, clock(10 * time.Minute), 700024, "Current time: 2026-11-20T12:00:0"},
		{"clock 11 min slow", c, clock(-11 * time.Minute), 700024, "expiry time of assertion 2026-11-20T11:5"},
		{"never expires", c, set("exp", 0), 700024, "valid time range"},
	} {
		status, body := f.post(f.c.TenantID, f.asserted(tt.by.sign(t, f, app, tt.change)))
		if text, _ := body["error_description"].(string); status != 401 || body["error"] != "invalid_client" || number(body) != tt.want || !strings.Contains(text, tt.text) {
			t.Errorf("%s: %d %v, want %v", tt.name, status, body, tt.want)
		}
	}
	// One assertion works until it expires, unless the switch says otherwise.
	again := c.sign(t, f, app, nil)
	for range 2 {
		if status, body := f.post(f.c.TenantID, f.asserted(again)); status != 200 {
			t.Errorf("again: %v", body)
		}
	}
	f.set("entra.refuse_replay", true)
	f.post(f.c.TenantID, f.asserted(again))
	if status, _ := f.post(f.c.TenantID, f.asserted(again)); status != 401 {
		t.Errorf("replayed: %d", status)
	}
	// It serves in place of the secret elsewhere too, and ends with the certificate.
	refresh := f.s.RefreshToken(app, f.c.Alice(), []string{"User.Read"})
	form := with(f.refresh(refresh), "client_secret", "", "client_assertion_type", assertionType, "client_assertion", c.sign(t, f, app, nil))
	if status, body := f.post(f.c.TenantID, form); status != 200 {
		t.Errorf("refresh: %v", body)
	}
	f.w.Clock.Advance(366 * 24 * time.Hour)
	if _, body := f.post(f.c.TenantID, f.asserted(c.sign(t, f, app, nil))); number(body) != 700027 || !strings.Contains(body["error_description"].(string), "The key used is expired.") {
		t.Errorf("after a year: %v", body)
	}
}

func TestManifest(t *testing.T) {
	f := newFixture(t)
	now := f.w.Clock.Now()
	c, d := newCertified(t, now.Add(-time.Hour), now.AddDate(1, 0, 0)), newCertified(t, now.Add(-time.Hour), now.AddDate(1, 0, 0))
	app := f.s.Confidential
	path := "/entra/apps/" + app.ID + "/manifest"
	f.upload(app, c.entry())
	f.upload(app, c.entry("key", nil, "value", base64.StdEncoding.EncodeToString(c.der))) // the older format
	f.upload(app, c.entry("customKeyIdentifier", strings.ToUpper(hex.EncodeToString(c.sha1())), "displayName", "laptop",
		"startDateTime", now.Format(time.RFC3339), "endDateTime", now.AddDate(0, 6, 0).Format(time.RFC3339)))
	// The whole list is replaced; what is there may be named without its key.
	const second = "44444444-4444-4444-8444-444444444444"
	f.upload(app, c.entry("key", nil, "customKeyIdentifier", nil), d.entry("keyId", second))
	for _, x := range []certified{c, d} {
		if status, body := f.post(f.c.TenantID, f.asserted(x.sign(t, f, app, nil))); status != 200 {
			t.Errorf("one of two certificates: %v", body)
		}
	}
	weak, _ := rsa.GenerateKey(rand.Reader, 2048)
	for name, entries := range map[string][]any{
		"PEM armour":       {c.entry("key", "-----BEGIN CERTIFICATE-----")},
		"key instead":      {c.entry("key", base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&weak.PublicKey)))},
		"other thumbprint": {c.entry("customKeyIdentifier", base64.StdEncoding.EncodeToString(d.sha1()))},
		"no GUID":          {c.entry("keyId", "one")},
		"same GUID twice":  {c.entry(), d.entry()},
		"type":             {c.entry("type", "AsymmetricX509Certificate")},
		"usage":            {c.entry("usage", "Sign")},
		"no key":           {c.entry("key", nil, "keyId", "55555555-5555-4555-8555-555555555555")},
		"late end":         {c.entry("endDateTime", now.AddDate(2, 0, 0).Format(time.RFC3339))},
		"early start":      {c.entry("startDateTime", now.AddDate(-1, 0, 0).Format(time.RFC3339))},
		"end before start": {c.entry("startDateTime", now.AddDate(0, 2, 0).Format(time.RFC3339), "endDateTime", now.AddDate(0, 1, 0).Format(time.RFC3339))},
		"unknown field":    {c.entry("thumbprint", "x")},
	} {
		if code, body := f.control("PUT", path, manifestOf(entries...)); code != 400 || !strings.Contains(body, "keyCredentials[") && name != "same GUID twice" {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	if err := f.s.Update(app, []byte(`{"keyCredentials":[{"keyId":"`+keyID+`","type":"AsymmetricX509Cert","usage":"Verify","value":"x"}]}`)); err == nil {
		t.Error("Graph takes the older format")
	}
	// Nothing of that changed anything.
	if _, body := f.control("GET", path, nil); strings.Count(body, "AsymmetricX509Cert") != 2 || !strings.Contains(body, keyID) {
		t.Errorf("%s", body)
	}
	if code, _ := f.control("GET", "/entra/apps/x/manifest", nil); code != 404 {
		t.Errorf("unknown application: %d", code)
	}
}

func TestRedirectsOfApps(t *testing.T) {
	f := newFixture(t)
	app := f.s.Confidential
	for uri, want := range map[string]int{
		"https://tunnel.example/oauth/redirect/microsoft": 204, "http://tunnel.example/x": 400, "https://tunnel.example/#x": 400, "/x": 400, "http://localhost/y": 204,
	} {
		if code, body := f.control("POST", "/entra/apps/"+app.ID+"/redirects", redirect{uri, platformWeb}); code != want {
			t.Errorf("%s: %d %s", uri, code, body)
		}
	}
	if code, _ := f.control("POST", "/entra/apps/"+app.ID+"/redirects", redirect{"https://a.example/", "phone"}); code != 400 {
		t.Errorf("unknown platform: %d", code)
	}
	p := f.person()
	q := f.ask(app, "redirect_uri", "https://tunnel.example/oauth/redirect/microsoft")
	if page := p.signInTo(q, "alice@contoso.com"); page.Left == nil || page.Left.Host != "tunnel.example" {
		t.Errorf("%q", page.Title())
	}
	if page := p.authorize(with(q, "redirect_uri", "https://tunnel.example:8443/oauth/redirect/microsoft")); page.Value("exceptionMessageContainer", "data-aadsts") != "50011" {
		t.Errorf("another port away from this machine: %q %v", page.Title(), page.Left)
	}
	// The manifest replaces them as a whole.
	body := map[string]any{"web": map[string]any{"redirectUris": []string{"http://localhost/only"}}}
	if code, text := f.control("PUT", "/entra/apps/"+app.ID+"/manifest", body); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	if page := p.authorize(f.ask(app)); page.Value("exceptionMessageContainer", "data-aadsts") != "50011" {
		t.Errorf("%q", page.Title())
	}
	if page := p.authorize(f.ask(app, "redirect_uri", "")); page.Left == nil || page.Left.Path != "/only" {
		t.Errorf("the only one left out: %q %v", page.Title(), page.Left)
	}
}
