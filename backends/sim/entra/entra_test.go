package entra

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

type fixture struct {
	t   *testing.T
	w   *core.World
	c   *company.Company
	s   *Service
	srv *httptest.Server
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	w := core.NewWorld(core.Options{Seed: 1, Now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)})
	c := company.New(1)
	s, err := New(w, c)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t, w, c, s, httptest.NewServer(s)}
	t.Cleanup(f.srv.Close)
	w.Hosts.Login, w.Hosts.Graph = f.srv.URL, "http://graph.invalid"
	return f
}

func (f *fixture) set(name string, v any) {
	f.t.Helper()
	if err := f.w.Switches.Set(name, v); err != nil {
		f.t.Fatal(err)
	}
}

// post sends a token request and gives status and body.
func (f *fixture) post(tenant string, form url.Values) (int, map[string]any) {
	f.t.Helper()
	return f.postTo(tenant, "token", form)
}

func (f *fixture) postTo(tenant, endpoint string, form url.Values) (int, map[string]any) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), "POST", f.srv.URL+"/"+tenant+"/oauth2/v2.0/"+endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return f.do(req)
}

func (f *fixture) do(req *http.Request) (int, map[string]any) {
	f.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(data, &body); err != nil {
		f.t.Fatalf("%s: %v", data, err)
	}
	return resp.StatusCode, body
}

const defaultScope = "https://graph.microsoft.com/.default"

func (f *fixture) app(change ...string) url.Values {
	v := url.Values{"grant_type": {"client_credentials"}, "client_id": {f.s.Confidential.ID}, "client_secret": {f.s.Confidential.Secret}, "scope": {defaultScope}}
	return with(v, change...)
}

func (f *fixture) refresh(token string, change ...string) url.Values {
	v := url.Values{"grant_type": {"refresh_token"}, "client_id": {f.s.Confidential.ID}, "client_secret": {f.s.Confidential.Secret}, "refresh_token": {token}}
	return with(v, change...)
}

// with sets parameters given in pairs; an empty value removes one.
func with(v url.Values, change ...string) url.Values {
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == "" {
			v.Del(change[i])
		} else {
			v.Set(change[i], change[i+1])
		}
	}
	return v
}

func TestClientCredentials(t *testing.T) {
	f := newFixture(t)
	for _, tenant := range []string{f.c.TenantID, f.c.Domain, strings.ToUpper(f.c.Domain)} {
		status, body := f.post(tenant, f.app())
		if status != 200 || body["token_type"] != "Bearer" || body["expires_in"] != 3599.0 {
			t.Fatalf("%s: %d %v", tenant, status, body)
		}
		for _, absent := range []string{"refresh_token", "id_token", "scope"} {
			if _, ok := body[absent]; ok {
				t.Errorf("client credentials gave a %s", absent)
			}
		}
		claims, err := f.s.Verify(body["access_token"].(string), GraphAudience)
		if err != nil || !claims.AppOnly || claims.ObjectID != f.s.Confidential.ObjectID || !slices.Contains(claims.Roles, "Mail.Read") {
			t.Fatalf("claims %+v, %v", claims, err)
		}
	}
	// As Microsoft's own libraries ask.
	if status, body := f.post(f.c.TenantID, f.app("scope", defaultScope+" openid offline_access profile")); status != 200 || body["refresh_token"] != nil {
		t.Errorf("with OpenID Connect scopes: %d %v", status, body)
	}
	// An app without consent gets a token all the same, without roles.
	f.set("entra.roles", "")
	_, body := f.post(f.c.TenantID, f.app())
	claims, err := f.s.Verify(body["access_token"].(string), GraphAudience)
	if err != nil || len(claims.Roles) != 0 || !claims.AppOnly {
		t.Errorf("claims %+v, %v: want none", claims, err)
	}
	var raw map[string]any
	part := strings.Split(body["access_token"].(string), ".")[1]
	data, _ := base64.RawURLEncoding.DecodeString(part)
	if err := json.Unmarshal(data, &raw); err != nil || raw["roles"] != nil || raw["scp"] != nil || raw["ver"] != "1.0" {
		t.Errorf("claims %s, %v: want neither roles nor scp", data, err)
	}
}

func TestRefusals(t *testing.T) {
	f := newFixture(t)
	good := f.s.RefreshToken(f.s.Confidential, f.c.Alice(), []string{"User.Read", "Mail.Read"})
	tests := []struct {
		name   string
		tenant string
		form   url.Values
		status int
		err    string
		code   float64
	}{
		{"unknown tenant", "11111111-1111-1111-1111-111111111111", f.app(), 400, "invalid_request", 90002},
		{"common", "common", f.app(), 400, "invalid_request", 50194},
		{"organizations", "organizations", f.refresh(good), 400, "invalid_request", 50194},
		{"consumers", "consumers", f.app(), 400, "unauthorized_client", 700016},
		{"no grant type", "", f.app("grant_type", ""), 400, "invalid_request", 900144},
		{"unknown grant type", "", f.app("grant_type", "password2"), 400, "unsupported_grant_type", 70003},
		{"no client", "", f.app("client_id", ""), 400, "invalid_request", 900144},
		{"unknown client", "", f.app("client_id", "22222222-2222-2222-2222-222222222222"), 400, "unauthorized_client", 700016},
		{"no secret", "", f.app("client_secret", ""), 401, "invalid_client", 7000218},
		{"wrong secret", "", f.app("client_secret", "x"), 401, "invalid_client", 7000215},
		{"assertion without type", "", f.app("client_secret", "", "client_assertion", "a.b.c"), 400, "invalid_request", 900144},
		{"garbled assertion", "", f.app("client_secret", "", "client_assertion", "a.b.c", "client_assertion_type", assertionType), 401, "invalid_client", 50027},
		{"public client with secret", "", f.app("client_id", f.s.Public.ID), 401, "invalid_client", 700025},
		{"no scope", "", f.app("scope", ""), 400, "invalid_request", 900144},
		{"named scope", "", f.app("scope", "https://graph.microsoft.com/Mail.Read"), 400, "invalid_scope", 1002012},
		{"two scopes", "", f.app("scope", defaultScope+" "+defaultScope), 400, "invalid_scope", 1002012},
		{"other resource", "", f.app("scope", "https://example.com/.default"), 400, "invalid_resource", 500011},
		{"no refresh token", "", f.refresh(""), 400, "invalid_request", 900144},
		{"garbled refresh token", "", f.refresh("garbage"), 400, "invalid_grant", 9002313},
		{"another app's refresh token", "", f.refresh(good, "client_id", f.s.Public.ID, "client_secret", ""), 400, "invalid_grant", 9002313},
		{"scope without consent", "", f.refresh(good, "scope", "https://graph.microsoft.com/Chat.Read"), 400, "invalid_grant", 65001},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tenant := tt.tenant
			if tenant == "" {
				tenant = f.c.TenantID
			}
			form := tt.form
			if tt.name == "no refresh token" {
				form.Del("refresh_token")
			}
			status, body := f.post(tenant, form)
			codes, _ := body["error_codes"].([]any)
			if status != tt.status || body["error"] != tt.err || len(codes) != 1 || codes[0] != tt.code {
				t.Fatalf("got %d %v %v, want %d %s %v", status, body["error"], codes, tt.status, tt.err, tt.code)
			}
			text, _ := body["error_description"].(string)
			for _, part := range []string{"AADSTS", "\r\nTrace ID: ", "\r\nCorrelation ID: ", "\r\nTimestamp: 2026-11-20 12:"} {
				if !strings.Contains(text, part) {
					t.Errorf("description %q lacks %q", text, part)
				}
			}
			for _, key := range []string{"timestamp", "trace_id", "correlation_id", "error_uri"} {
				if body[key] == nil {
					t.Errorf("no %s", key)
				}
			}
		})
	}
}

func TestSecretInBasicHeader(t *testing.T) {
	f := newFixture(t)
	form := f.app("client_id", "", "client_secret", "")
	req, err := http.NewRequestWithContext(t.Context(), "POST", f.srv.URL+"/"+f.c.TenantID+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(f.s.Confidential.ID), url.QueryEscape(f.s.Confidential.Secret))
	if status, body := f.do(req); status != 200 {
		t.Fatalf("%d %v", status, body)
	}
}

func TestRefresh(t *testing.T) {
	f := newFixture(t)
	first := f.s.RefreshToken(f.s.Confidential, f.c.Alice(), []string{"User.Read", "Mail.Read"})
	redeem := func(token string, change ...string) map[string]any {
		t.Helper()
		status, body := f.post(f.c.TenantID, f.refresh(token, change...))
		if status != 200 {
			t.Fatalf("%d %v", status, body)
		}
		return body
	}
	body := redeem(first, "scope", "https://graph.microsoft.com/Mail.Read offline_access openid")
	if body["scope"] != "https://graph.microsoft.com/User.Read https://graph.microsoft.com/Mail.Read openid" || body["id_token"] == nil {
		t.Errorf("scope %v, id_token %v", body["scope"], body["id_token"])
	}
	second, _ := body["refresh_token"].(string)
	if second == "" || second == first {
		t.Fatal("no new refresh token")
	}
	claims, err := f.s.Verify(body["access_token"].(string), GraphAudience)
	if err != nil || claims.AppOnly || claims.ObjectID != f.c.Alice().ID || !slices.Equal(claims.Scopes, []string{"User.Read", "Mail.Read"}) {
		t.Fatalf("claims %+v, %v", claims, err)
	}
	// The old one stays valid, as real ones do.
	redeem(first)
	redeem(second)
	refused := func(token string, code float64) {
		t.Helper()
		status, body := f.post(f.c.TenantID, f.refresh(token))
		codes, _ := body["error_codes"].([]any)
		if status != 400 || len(codes) != 1 || codes[0] != code {
			t.Errorf("got %d %v, want %v", status, body, code)
		}
	}
	f.set("entra.refresh_rotation", true)
	refused(first, 70000)
	f.set("entra.refresh_rotation", false)
	for _, code := range []int{50173, 700082, 50076, 70043} {
		f.set("entra.refresh_error", code)
		refused(first, float64(code))
	}
	f.set("entra.refresh_error", 0)
	f.set("entra.scopes", "User.Read")
	if body := redeem(first); body["scope"] != "User.Read" {
		t.Errorf("scope %v after consent was withdrawn", body["scope"])
	}
	f.w.Clock.Advance(91 * 24 * time.Hour)
	refused(first, 700082)
}

func TestPublicClientNeedsNoSecret(t *testing.T) {
	f := newFixture(t)
	token := f.s.RefreshToken(f.s.Public, f.c.Bob(), []string{"User.Read"})
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {f.s.Public.ID}, "refresh_token": {token}}
	if status, body := f.post(f.c.TenantID, form); status != 200 {
		t.Fatalf("%d %v", status, body)
	}
	f.set("entra.multi_tenant", true)
	if status, body := f.post("organizations", form); status != 200 {
		t.Fatalf("through organizations: %d %v", status, body)
	}
}

func TestTokensExpire(t *testing.T) {
	f := newFixture(t)
	f.set("entra.token_lifetime", 5)
	_, body := f.post(f.c.TenantID, f.app())
	if body["expires_in"] != 5.0 {
		t.Fatalf("expires_in %v", body["expires_in"])
	}
	token := body["access_token"].(string)
	if _, err := f.s.Verify(token, "https://other.example"); !errors.Is(err, ErrAudience) {
		t.Errorf("other audience: %v", err)
	}
	if _, err := f.s.Verify(token+"x", GraphAudience); !errors.Is(err, ErrMalformed) {
		t.Errorf("garbled: %v", err)
	}
	f.w.Clock.Advance(6 * time.Second)
	if _, err := f.s.Verify(token, GraphAudience); !errors.Is(err, ErrExpired) {
		t.Errorf("expired: %v", err)
	}
}

// TestSignatureByPublishedKeys checks tokens as any other party would, by the metadata and the published keys.
func TestSignatureByPublishedKeys(t *testing.T) {
	f := newFixture(t)
	get := func(u string) map[string]any {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", u, nil)
		if err != nil {
			t.Fatal(err)
		}
		status, body := f.do(req)
		if status != 200 {
			t.Fatalf("%s: %d %v", u, status, body)
		}
		return body
	}
	old := f.s.Mint(Claims{Audience: GraphAudience, Expires: f.w.Clock.Now().Add(time.Hour)})
	if err := f.s.RollKeys(); err != nil {
		t.Fatal(err)
	}
	fresh := f.s.Mint(Claims{Audience: GraphAudience, Expires: f.w.Clock.Now().Add(time.Hour)})
	meta := get(f.srv.URL + "/" + f.c.TenantID + "/v2.0/.well-known/openid-configuration")
	if meta["issuer"] != f.srv.URL+"/"+f.c.TenantID+"/v2.0" {
		t.Errorf("issuer %v", meta["issuer"])
	}
	if shared := get(f.srv.URL + "/common/v2.0/.well-known/openid-configuration"); shared["issuer"] != f.srv.URL+"/{tenantid}/v2.0" {
		t.Errorf("issuer of common %v, want a template", shared["issuer"])
	}
	keys, _ := get(meta["jwks_uri"].(string))["keys"].([]any)
	if len(keys) < 2 {
		t.Fatalf("%d keys published, want several", len(keys))
	}
	for name, token := range map[string]string{"before the roll": old, "after the roll": fresh} {
		_, err := jwt.NewParser(jwt.WithTimeFunc(f.w.Clock.Now), jwt.WithValidMethods([]string{"RS256"})).Parse(token, func(tok *jwt.Token) (any, error) {
			for _, k := range keys {
				k := k.(map[string]any)
				if k["kid"] == tok.Header["kid"] {
					return publicKey(k)
				}
			}
			return nil, errors.New("key not published")
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", f.srv.URL+"/nobody.example/v2.0/.well-known/openid-configuration", nil)
	if status, body := f.do(req); status != 400 || body["error"] != "invalid_request" {
		t.Errorf("unknown tenant: %d %v", status, body)
	}
}

func TestTokensOfAnotherInstanceAreRefused(t *testing.T) {
	a, b := newFixture(t), newFixture(t)
	token := a.s.Mint(Claims{Audience: GraphAudience, Expires: a.w.Clock.Now().Add(time.Hour)})
	if _, err := a.s.Verify(token, GraphAudience); err != nil {
		t.Fatal(err)
	}
	if _, err := b.s.Verify(token, GraphAudience); !errors.Is(err, ErrMalformed) {
		t.Errorf("another instance says %v, want it refused", err)
	}
}
