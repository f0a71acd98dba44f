package graph_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/entra"
	"github.com/workfs/workfs/backends/sim/graph"
)

func TestApplicationKeys(t *testing.T) {
	f := newFixture(t)
	app := f.id.Confidential
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"},
		NotBefore: f.w.Clock.Now().Add(-time.Hour), NotAfter: f.w.Clock.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	value := base64.StdEncoding.EncodeToString(der)
	entry := `{"keyCredentials":[{"keyId":"33333333-3333-4333-8333-333333333333","type":"AsymmetricX509Cert","usage":"Verify","key":"` + value + `"}]}`
	path, other := "/applications/"+app.RegistrationID, "/applications/"+f.id.Public.RegistrationID
	owner, reader := f.app("Application.ReadWrite.OwnedBy"), f.app("Application.Read.All")
	for _, tt := range []struct {
		name, token, path, body string
		want                    int
	}{
		{"without the permission", f.app("User.Read.All"), path, entry, 403},
		{"reading alone", reader, path, entry, 403},
		{"another's", owner, other, entry, 403},
		{"unknown", owner, "/applications/11111111-1111-1111-1111-111111111111", entry, 404},
		{"older format", owner, path, strings.Replace(entry, `"key":`, `"value":`, 1), 400},
		{"its own", owner, path, entry, 204},
		{"any", f.app("Application.ReadWrite.All"), other, entry, 204},
	} {
		if got := f.call(tt.token, http.MethodPatch, tt.path, tt.body).status; got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	if a := f.get(owner, path); a.status != 200 || !strings.Contains(a.text, `"key":null`) || !strings.Contains(a.text, app.ID) {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := f.get(owner, path+"?$select=keyCredentials"); !strings.Contains(a.text, value) {
		t.Errorf("selected: %s", a.text)
	}
	a := f.get(reader, "/applications?$filter="+strings.ReplaceAll("appId eq '"+app.ID+"'", " ", "%20")+"&$select=id")
	if a.status != 200 || strings.Count(a.text, `"id"`) != 1 || !strings.Contains(a.text, app.RegistrationID) {
		t.Errorf("by client id: %d %s", a.status, a.text)
	}
}

func TestUserInfo(t *testing.T) {
	f := newFixture(t)
	mint := func(open bool) string {
		alice := f.c.Alice()
		return f.id.Mint(entra.Claims{Audience: entra.GraphAudience, TenantID: f.c.TenantID, AppID: f.id.Public.ID, ObjectID: alice.ID,
			Scopes: []string{"User.Read"}, OpenID: open, Expires: f.w.Clock.Now().Add(time.Hour)})
	}
	for token, want := range map[string]int{mint(true): 200, mint(false): 403, f.app("User.Read.All"): 403, "x": 401} {
		a := f.get(token, f.w.Hosts.Graph+"/oidc/userinfo")
		if a.status != want || want == 200 && (a.body["email"] != f.c.Alice().Mail || a.body["sub"] != f.id.Subject(f.id.Public.ID, f.c.Alice().ID)) {
			t.Errorf("%d %s, want %d", a.status, a.text, want)
		}
	}
}

// TestRevokedUser sees that a revocation reaches only the user, and clients that can handle it.
func TestRevokedUser(t *testing.T) {
	f := newFixture(t)
	f.s.Handle("GET /me", graph.Perms{Delegated: []string{"User.Read"}}, ok)
	mint := func(userID string, cae bool, fresh int64) string {
		return f.id.Mint(entra.Claims{Audience: entra.GraphAudience, TenantID: f.c.TenantID, AppID: f.id.Public.ID, ObjectID: userID,
			Scopes: []string{"User.Read"}, CAE: cae, FreshAt: fresh, Expires: f.w.Clock.Now().Add(time.Hour)})
	}
	alice, bob := f.c.Alice(), f.c.Bob()
	capable, plain, others := mint(alice.ID, true, 0), mint(alice.ID, false, 0), mint(bob.ID, true, 0)
	f.id.Revoke(alice)
	f.set("graph.challenge_status", 403)
	if a := f.get(capable, "/me"); a.status != 403 || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="insufficient_claims"`) {
		t.Errorf("capable client: %d %q", a.status, a.header.Get("WWW-Authenticate"))
	}
	for name, token := range map[string]string{
		"a client without the capability": plain, "another user": others, "a token that meets the challenge": mint(alice.ID, true, f.w.Clock.Now().Unix()+1),
	} {
		if a := f.get(token, "/me"); a.status != 200 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	f.w.Clock.Advance(2 * time.Second)
	if a := f.get(mint(alice.ID, true, 0), "/me"); a.status != 200 {
		t.Errorf("a token of a later sign-in: %d", a.status)
	}
}
