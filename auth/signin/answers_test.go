package signin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/workfs/workfs/auth"
)

const tenant = "11111111-2222-3333-4444-555555555555"

// idToken makes an id_token whose signature nobody looks at.
func idToken(claims map[string]any) string {
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + part(body) + "." + part([]byte("signature"))
}

// TestAnswers: what a token endpoint, or what stands in front of one, may answer that the simulator does not.
func TestAnswers(t *testing.T) {
	t.Parallel()
	good := func(nonce string, change map[string]any) string {
		claims := map[string]any{"aud": "app", "nonce": nonce, "tid": tenant, "oid": "o", "preferred_username": "alice@contoso.com", "name": "Alice"}
		for k, v := range change {
			claims[k] = v
		}
		b, err := json.Marshal(map[string]any{
			"access_token": "the-access-token", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "the-refresh-token",
			"scope": "Mail.Read", "id_token": idToken(claims),
		})
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	for name, c := range map[string]struct {
		answers []func(w http.ResponseWriter, nonce string)
		kind    auth.Kind
		text    string // of the error, "" for none
	}{
		"good": {[]func(http.ResponseWriter, string){
			func(w http.ResponseWriter, nonce string) { io.WriteString(w, good(nonce, nil)) },
		}, 0, ""},
		"busy, then good": {[]func(http.ResponseWriter, string){
			func(w http.ResponseWriter, _ string) { w.Header().Set("Retry-After", "0"); w.WriteHeader(503) },
			func(w http.ResponseWriter, _ string) { w.Header().Set("Retry-After", "0.01"); w.WriteHeader(429) },
			func(w http.ResponseWriter, nonce string) { io.WriteString(w, good(nonce, nil)) },
		}, 0, ""},
		"busy": {[]func(http.ResponseWriter, string){
			func(w http.ResponseWriter, _ string) { w.Header().Set("Retry-After", "0"); w.WriteHeader(502) },
		}, auth.Unreachable, "can't be reached: it answered with status 502"},
		"a page": {[]func(http.ResponseWriter, string){
			func(w http.ResponseWriter, _ string) { io.WriteString(w, "<html>the-access-token</html>") },
		}, auth.Unreachable, "can't be reached"},
		"a redirect": {[]func(http.ResponseWriter, string){
			func(w http.ResponseWriter, _ string) { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(307) },
		}, auth.Unreachable, "it answered with status 307"},
		"no refresh token": {[]func(http.ResponseWriter, string){
			func(w http.ResponseWriter, nonce string) {
				io.WriteString(w, strings.Replace(good(nonce, nil), "refresh_token", "x", 1))
			},
		}, auth.Denied, "offline_access"},
		"another nonce": {[]func(http.ResponseWriter, string){
			func(w http.ResponseWriter, _ string) { io.WriteString(w, good("another", nil)) },
		}, auth.Unreachable, "its id_token is for another sign-in"},
		"another app": {[]func(http.ResponseWriter, string){
			func(w http.ResponseWriter, nonce string) {
				io.WriteString(w, good(nonce, map[string]any{"aud": "other"}))
			},
		}, auth.Unreachable, "its id_token is for another sign-in"},
		"another tenant": {[]func(http.ResponseWriter, string){
			func(w http.ResponseWriter, nonce string) {
				io.WriteString(w, good(nonce, map[string]any{"tid": "other"}))
			},
		}, auth.Denied, "belongs to another organisation"},
		"a number in the text alone": {[]func(http.ResponseWriter, string){
			func(w http.ResponseWriter, _ string) {
				w.WriteHeader(400)
				io.WriteString(w, `{"error":"invalid_grant","error_description":"AADSTS54005: the-code was used."}`)
			},
		}, auth.Denied, "AADSTS54005"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var nonce string
			asked := 0
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.FormValue("code") != "the-code" || r.FormValue("code_verifier") == "" || r.FormValue("client_secret") != "the-secret" || r.Header.Get("Authorization") != "" {
					t.Errorf("asked %s %v", r.URL.Path, r.Form)
				}
				w.Header().Set("Content-Type", "application/json")
				c.answers[min(asked, len(c.answers)-1)](w, nonce)
				asked++
			}))
			defer service.Close()
			m := Microsoft{
				MicrosoftConfig: auth.MicrosoftConfig{LoginURL: service.URL, Tenant: tenant, ClientID: "app"},
				Own:             auth.Credentials{ClientSecret: "the-secret"},
			}
			result, err := m.Code(t.Context(), Browser{Callback: anyPort, Show: func(address string) {
				u, err := url.Parse(address)
				if err != nil {
					t.Error(err)
					return
				}
				nonce = u.Query().Get("nonce")
				go func() {
					res, err := http.Get(u.Query().Get("redirect_uri") + "?code=the-code&state=" + u.Query().Get("state"))
					if err == nil {
						res.Body.Close()
					}
				}()
			}}, Ask{Scopes: []string{"Mail.Read"}})
			if c.text == "" {
				got := result.Credentials
				if err != nil || got.RefreshToken != "the-refresh-token" || got.Account != "alice@contoso.com" || got.Scope != "Mail.Read" ||
					got.ClientSecret != "the-secret" || len(got.Lineage) != 32 || got.SignedInAt.IsZero() || result.Tenant != tenant || result.Access.Value != "the-access-token" {
					t.Errorf("%+v, %v", result, err)
				}
				return
			}
			var e *auth.Error
			if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("error %v, want %q", err, c.text)
			}
			for _, secret := range []string{"the-code", "the-secret", "the-access-token", "the-refresh-token"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%s is in the error %v", secret, err)
				}
			}
		})
	}
}
