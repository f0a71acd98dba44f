package box

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/youmark/pkcs8"

	"github.com/workfs/workfs/backends/sim/core"
)

func public(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// addKey registers a public key with the app that signs assertions, as its owner does in the console.
func (f *fixture) addKey(key *rsa.PrivateKey) string {
	f.Helper()
	a := f.send("POST", f.w.Hosts.Control+"/box/apps/server/keys", strings.NewReader(public(f.T, &key.PublicKey)))
	if a.status != 200 {
		f.Fatalf("adding a key: %d %s", a.status, a.body)
	}
	return a.doc(f).str("id")
}

// good are claims that Box takes, by its own clock.
func (f *fixture) good() jwt.MapClaims {
	return jwt.MapClaims{
		"iss": "server", "sub": f.s.EnterpriseID(), "box_sub_type": "enterprise", "aud": "https://api.box.com/oauth2/token",
		"jti": randomText(32), "exp": f.s.now().Add(45 * time.Second).Unix(),
	}
}

func (f *fixture) assert(method jwt.SigningMethod, key any, kid string, c jwt.MapClaims) answer {
	f.Helper()
	tok := jwt.NewWithClaims(method, c)
	if kid != "" {
		tok.Header["kid"] = kid
	}
	text, err := tok.SignedString(key)
	if err != nil {
		f.Fatal(err)
	}
	return f.form("/oauth2/token", "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "client_id", "server", "client_secret", "quiet", "assertion", text)
}

func TestJWT(t *testing.T) {
	f := start(t, core.Options{}, "")
	key := newKey(t)
	kid := f.addKey(key)
	for _, method := range []jwt.SigningMethod{jwt.SigningMethodRS256, jwt.SigningMethodRS384, jwt.SigningMethodRS512} {
		a := f.assert(method, key, kid, f.good())
		d := a.doc(t)
		if _, has := d["refresh_token"]; a.status != 200 || has || d.str("token_type") != "bearer" {
			t.Fatalf("%s: %d %s", method.Alg(), a.status, a.body)
		}
		f.token = d.str("access_token")
		me := f.get("/users/me")
		if login := me.str("login"); !strings.HasPrefix(login, "AutomationUser_") || login == f.s.store.services[0].login {
			t.Errorf("signed in as %s", login)
		}
	}
	as := func(id string) answer {
		c := f.good()
		c["box_sub_type"], c["sub"] = "user", id
		return f.assert(jwt.SigningMethodRS256, key, kid, c)
	}
	f.token = as(f.co.Bob().BoxID).doc(t).str("access_token")
	if me := f.get("/users/me"); me.str("login") != "bob@contoso.com" {
		t.Errorf("user token is of %v", me)
	}
	denied := func(what string, a answer, code, text string) {
		t.Helper()
		if d := a.doc(t); a.status != 400 || d.str("error") != code || !strings.Contains(d.str("error_description"), text) {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
		if a.header.Get("Date") == "" {
			t.Errorf("%s: no Date", what)
		}
	}
	const config = "Cannot obtain user token based on the enterprise configuration"
	denied("Service Account", as(f.s.store.services[1].id()), "invalid_request", config)
	appUser := ""
	for _, u := range f.s.store.users {
		if u.appUser {
			appUser = u.id()
		}
	}
	denied("other app's App user", as(appUser), "invalid_grant", "'sub'")
	denied("outsider", as(f.co.Guests[0].BoxID), "invalid_grant", "'sub'")
	f.set("box.user_tokens", false)
	denied("user tokens off", as(f.co.Bob().BoxID), "invalid_request", config)
	f.set("box.user_tokens", true)
	f.set("box.enterprise_access", false)
	denied("App access only", as(f.co.Bob().BoxID), "invalid_request", config)
	f.set("box.enterprise_access", true)
	f.set("box.app_authorized", false)
	denied("not authorised", f.assert(jwt.SigningMethodRS256, key, kid, f.good()), "unauthorized_client", "not authorized by the enterprise")
	f.set("box.app_authorized", true)
	for _, form := range [][]string{
		{"grant_type", "client_credentials", "client_id", "server", "client_secret", "quiet", "box_subject_type", "enterprise", "box_subject_id", f.s.EnterpriseID()},
		{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "client_id", "app", "client_secret", "hush", "assertion", "x"},
	} {
		denied("app of another kind", f.form("/oauth2/token", form...), "invalid_request", "grant type is unauthorized for this client_id")
	}
}

func TestJWTErrors(t *testing.T) {
	f := start(t, core.Options{}, "")
	key, other := newKey(t), newKey(t)
	kid := f.addKey(key)
	now := f.s.now()
	for _, tc := range []struct {
		name, claim string
		value       any
		text        string
	}{
		{"issuer", "iss", "app", "'iss' claim"},
		{"audience as an array", "aud", []string{"https://api.box.com/oauth2/token"}, "'aud' claim. Should be a string"},
		{"audience", "aud", "https://account.box.com/oauth2/token", "'aud' claim"},
		{"late", "exp", now.Add(-time.Second).Unix(), "MUST be before the expiration date/time listed in the 'exp' claim"},
		{"far", "exp", now.Add(10 * time.Minute).Unix(), "exceeds the maximum value of 60 seconds"},
		{"float", "exp", float64(now.Add(30*time.Second).Unix()) + 0.5, "'exp' claim. Should be an integer"},
		{"text", "exp", "1", "'exp' claim. Should be an integer"},
		{"missing expiry", "exp", nil, "'exp' claim"},
		{"issued ahead", "iat", now.Add(time.Hour).Unix(), "'iat' claim"},
		{"not yet", "nbf", now.Add(time.Hour).Unix(), "'nbf' claim"},
		{"short id", "jti", "123456789012345", "'jti' claim"},
		{"long id", "jti", strings.Repeat("x", 129), "'jti' claim"},
		{"enterprise", "sub", "4711", "'sub' claim. The 'sub' specified is invalid"},
		{"subject as a number", "sub", 4711, "'sub' claim"},
		{"kind", "box_sub_type", "group", "'box_sub_type' claim"},
	} {
		c := f.good()
		c[tc.claim] = tc.value
		if tc.value == nil {
			delete(c, tc.claim)
		}
		a := f.assert(jwt.SigningMethodRS256, key, kid, c)
		if d := a.doc(t); a.status != 400 || d.str("error") != "invalid_grant" || !strings.Contains(d.str("error_description"), tc.text) {
			t.Errorf("%s: %d %s", tc.name, a.status, a.body)
		}
	}
	refused := func(name string, a answer, text string) {
		t.Helper()
		if d := a.doc(t); a.status != 400 || d.str("error") != "invalid_grant" || !strings.Contains(d.str("error_description"), text) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	refused("other key", f.assert(jwt.SigningMethodRS256, other, kid, f.good()), "Signature verification error")
	refused("unknown kid", f.assert(jwt.SigningMethodRS256, key, "nosuchid", f.good()), "kid invalid, unable to lookup correct key")
	refused("PS256", f.assert(jwt.SigningMethodPS256, key, kid, f.good()), "'alg'")
	refused("none", f.assert(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid, f.good()), "'alg'")
	refused("HMAC", f.assert(jwt.SigningMethodHS256, []byte(public(t, &key.PublicKey)), kid, f.good()), "'alg'")

	// One key needs no name, two do.
	if a := f.assert(jwt.SigningMethodRS256, key, "", f.good()); a.status != 200 {
		t.Errorf("one key, no kid: %d %s", a.status, a.body)
	}
	second := f.addKey(other)
	refused("two keys, no kid", f.assert(jwt.SigningMethodRS256, key, "", f.good()), "kid invalid")
	if a := f.assert(jwt.SigningMethodRS256, other, second, f.good()); a.status != 200 {
		t.Errorf("second key: %d %s", a.status, a.body)
	}
	if a := f.send("DELETE", f.w.Hosts.Control+"/box/apps/server/keys/"+second, nil); a.status != 200 {
		t.Errorf("deleting a key: %d", a.status)
	}
	refused("deleted key", f.assert(jwt.SigningMethodRS256, other, second, f.good()), "kid invalid")

	c := f.good()
	if a := f.assert(jwt.SigningMethodRS256, key, kid, c); a.status != 200 {
		t.Fatalf("first use: %d %s", a.status, a.body)
	}
	refused("replay", f.assert(jwt.SigningMethodRS512, key, kid, c), "A unique 'jti' value is required")
}

// TestClockOffset lets Box's clock run ahead, which its answers tell.
func TestClockOffset(t *testing.T) {
	f := start(t, core.Options{}, "")
	key := newKey(t)
	kid := f.addKey(key)
	for _, offset := range []int{600, -600} {
		f.set("box.clock_offset", offset)
		c := f.good()
		c["exp"] = f.w.Clock.Now().Add(30 * time.Second).Unix()
		a := f.assert(jwt.SigningMethodRS256, key, kid, c)
		if d := a.doc(t); a.status != 400 || !strings.Contains(d.str("error_description"), "'exp' claim") {
			t.Errorf("offset %d: %d %s", offset, a.status, a.body)
		}
		theirs, err := http.ParseTime(a.header.Get("Date"))
		if err != nil || theirs.Sub(f.w.Clock.Now()).Round(time.Minute) != time.Duration(offset)*time.Second {
			t.Errorf("offset %d: Date %s", offset, a.header.Get("Date"))
		}
		c["exp"], c["jti"] = theirs.Add(30*time.Second).Unix(), randomText(40)
		if a := f.assert(jwt.SigningMethodRS256, key, kid, c); a.status != 200 {
			t.Errorf("offset %d, corrected: %d %s", offset, a.status, a.body)
		}
	}
}

func TestConsoleKeys(t *testing.T) {
	f := start(t, core.Options{}, "")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"no PEM": "ssh-rsa AAAA", "small": public(t, &small.PublicKey), "curve": public(t, &curve.PublicKey)} {
		if a := f.send("POST", f.w.Hosts.Control+"/box/apps/server/keys", strings.NewReader(text)); a.status != 400 || !strings.Contains(string(a.body), "2048") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := f.send("GET", f.w.Hosts.Control+"/box/apps/nobody", nil); a.status != 404 {
		t.Errorf("unknown app: %d", a.status)
	}
	a := f.send("POST", f.w.Hosts.Control+"/box/apps/server/keypair", nil)
	var file struct {
		Settings struct {
			ClientID, ClientSecret string
			AppAuth                struct{ PublicKeyID, PrivateKey, Passphrase string }
		} `json:"boxAppSettings"`
		EnterpriseID string
	}
	if err := json.Unmarshal(a.body, &file); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(file.Settings.AppAuth.PrivateKey))
	if block == nil || block.Type != "ENCRYPTED PRIVATE KEY" || file.Settings.ClientID != "server" || file.Settings.ClientSecret != "quiet" || file.EnterpriseID != f.s.EnterpriseID() {
		t.Fatalf("file %s", a.body)
	}
	key, err := pkcs8.ParsePKCS8PrivateKeyRSA(block.Bytes, []byte(file.Settings.AppAuth.Passphrase))
	if err != nil {
		t.Fatal(err)
	}
	if a := f.assert(jwt.SigningMethodRS256, key, file.Settings.AppAuth.PublicKeyID, f.good()); a.status != 200 {
		t.Errorf("key of the file: %d %s", a.status, a.body)
	}
	if d := f.send("GET", f.w.Hosts.Control+"/box/apps/server", nil).doc(t); len(d["keys"].([]any)) != 1 {
		t.Errorf("app %v", d)
	}
}

// TestAuthorisedScopes shows that an administrator's authorisation is a snapshot for tokens of server grants.
func TestAuthorisedScopes(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.set("box.scopes", "root_readonly")
	f.control(`{"action":"authorize_app"}`)
	f.set("box.scopes", "root_readonly manage_managed_users")
	svc := f.service()
	svc.refused(svc.api("GET", "/users", nil), 403, "insufficient_scope")
	f.control(`{"action":"authorize_app"}`)
	svc.refused(svc.api("GET", "/users", nil), 403, "insufficient_scope") // it takes a new token as well
	f.service().get("/users")
}
