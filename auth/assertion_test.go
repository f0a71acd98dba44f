package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// opened checks the signature of an assertion with the public key, as the service would, and gives what it says.
func opened(t *testing.T, assertion, method string) (header, claims map[string]any) {
	t.Helper()
	token, err := jwt.Parse(assertion, func(*jwt.Token) (any, error) { return &rsaKey().PublicKey, nil },
		jwt.WithValidMethods([]string{method}), jwt.WithJSONNumber(), jwt.WithoutClaimsValidation())
	if err != nil {
		t.Fatalf("%s: %v", assertion, err)
	}
	return token.Header, token.Claims.(jwt.MapClaims)
}

func TestMicrosoftAssertion(t *testing.T) {
	e := serve(t, reply{503, "", nil}, reply{200, good, nil})
	certificate := goodCert(t, rsaKey(), "workfs")
	for _, appOnly := range []bool{true, false} {
		e.calls.Store(0)
		e.forms = nil
		cfg := MicrosoftConfig{LoginURL: e.URL, Tenant: "contoso.com", ClientID: "c1", AppOnly: appOnly, Certificate: write(t, 0o600, certificate, keyPEM(t, rsaKey()))}
		token(t, NewMicrosoft(cfg, File(credentials(t, `{"client_secret":"unused","refresh_token":"r0"}`)), nil))
		var ids []string
		for i := range 2 { // the first one was not answered
			form := e.form(i)
			if form.Has("client_secret") || form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
				t.Errorf("form %v", form)
			}
			if !appOnly && form.Get("grant_type") != "refresh_token" {
				t.Errorf("grant %s", form.Get("grant_type"))
			}
			header, claims := opened(t, form.Get("client_assertion"), "PS256")
			block, _ := pem.Decode(certificate)
			thumbprint := sha256.Sum256(block.Bytes)
			if header["typ"] != "JWT" || header["x5t#S256"] != base64.RawURLEncoding.EncodeToString(thumbprint[:]) {
				t.Errorf("header %v", header)
			}
			if claims["iss"] != "c1" || claims["sub"] != "c1" || claims["aud"] != e.URL+"/contoso.com/oauth2/v2.0/token" {
				t.Errorf("claims %v", claims)
			}
			if exp, nbf := seconds(t, claims, "exp"), seconds(t, claims, "nbf"); exp.Sub(nbf) != 5*time.Minute || time.Since(nbf).Abs() > time.Minute || claims["iat"] != claims["nbf"] {
				t.Errorf("from %v to %v", nbf, exp)
			}
			ids = append(ids, fmt.Sprint(claims["jti"]))
		}
		if ids[0] == ids[1] || len(ids[0]) != 36 {
			t.Errorf("ids %v", ids)
		}
	}
}

func seconds(t *testing.T, claims map[string]any, name string) time.Time {
	t.Helper()
	var n int64
	if k, err := fmt.Sscanf(fmt.Sprint(claims[name]), "%d", &n); k != 1 || strings.ContainsAny(fmt.Sprint(claims[name]), ".e") {
		t.Fatalf("%s is %v: %v", name, claims[name], err)
	}
	return time.Unix(n, 0)
}

// TestReplacedCertificate renews with the certificate that is in the file by then, and forgets a refusal for it.
func TestReplacedCertificate(t *testing.T) {
	refusal := reply{401, `{"error":"invalid_client","error_description":"AADSTS700027: no","error_codes":[700027]}`, nil}
	e := serve(t, refusal, reply{200, good, nil})
	path := write(t, 0o600, goodCert(t, otherKey(), "old"), keyPEM(t, otherKey()))
	s := NewMicrosoft(MicrosoftConfig{LoginURL: e.URL, Tenant: "t", ClientID: "c1", AppOnly: true, Certificate: path}, File(credentials(t, `{}`)), nil)
	for range 2 {
		if _, err := s.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "not one of the app's") {
			t.Fatal(err)
		}
	}
	if e.calls.Load() != 1 {
		t.Errorf("%d requests, want 1: the refusal is remembered", e.calls.Load())
	}
	replacement := append(goodCert(t, rsaKey(), "new one"), keyPEM(t, rsaKey())...)
	if err := os.WriteFile(path, replacement, 0o600); err != nil {
		t.Fatal(err)
	}
	token(t, s)
	opened(t, e.form(1).Get("client_assertion"), "PS256")
}

func TestCertificateProblemsAskNobody(t *testing.T) {
	e := serve(t, reply{200, good, nil})
	expired := certPEM(t, rsaKey(), "workfs", time.Now().AddDate(-2, 0, 0), time.Now().AddDate(0, 0, -1))
	encrypted := openssl(t, keyPEM(t, rsaKey()), "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:right")
	mine := goodCert(t, rsaKey(), "workfs")
	for says, path := range map[string]string{
		"expired on":          write(t, 0o600, expired, keyPEM(t, rsaKey())),
		"passphrase is wrong": write(t, 0o600, mine, encrypted),
		"chmod 600":           write(t, 0o644, mine, keyPEM(t, rsaKey())),
	} {
		s := NewMicrosoft(MicrosoftConfig{LoginURL: e.URL, Tenant: "t", ClientID: "c1", AppOnly: true, Certificate: path},
			File(credentials(t, `{"passphrase":"`+secret+`"}`)), nil)
		_, err := s.Token(t.Context())
		var ae *Error
		if !errors.As(err, &ae) || ae.Kind != Broken || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) {
			t.Errorf("want %q: %v", says, err)
		}
	}
	if e.calls.Load() != 0 {
		t.Errorf("%d requests", e.calls.Load())
	}
	s := NewMicrosoft(MicrosoftConfig{LoginURL: e.URL, Tenant: "t", ClientID: "c1", AppOnly: true, Certificate: write(t, 0o600, mine, encrypted)},
		File(credentials(t, `{"passphrase":"right"}`)), nil)
	token(t, s)
}

// TestClockOff is refused by Entra because of this machine's clock: the answer's Date tells by how much it is wrong.
func TestClockOff(t *testing.T) {
	for says, ahead := range map[string]time.Duration{"10 minutes behind": 10 * time.Minute, "10 minutes ahead": -10 * time.Minute, "out of the time": 0} {
		date := http.Header{"Date": {time.Now().Add(ahead).UTC().Format(http.TimeFormat)}}
		e := serve(t, reply{401, `{"error":"invalid_client","error_codes":[700024]}`, date})
		s := NewMicrosoft(MicrosoftConfig{LoginURL: e.URL, Tenant: "t", ClientID: "c1", AppOnly: true,
			Certificate: write(t, 0o600, goodCert(t, rsaKey(), "workfs"), keyPEM(t, rsaKey()))}, File(credentials(t, `{}`)), nil)
		if _, err := s.Token(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q: %v", says, err)
		}
	}
}

func boxJWT(t *testing.T, e *endpoint, content string) Source {
	return NewBox(BoxConfig{TokenURL: e.URL, ClientID: "c1", JWT: true, KeyID: "k1", SubjectType: "enterprise", SubjectID: "77",
		PrivateKey: write(t, 0o600, keyPEM(t, rsaKey()))}, File(credentials(t, content)), nil)
}

func TestBoxAssertion(t *testing.T) {
	e := serve(t, reply{503, "", nil}, reply{200, `{"access_token":"at%N","expires_in":4123}`, nil})
	token(t, boxJWT(t, e, `{"client_secret":"`+secret+`"}`))
	var ids []string
	for i := range 2 {
		form := e.form(i)
		if form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || form.Get("client_id") != "c1" || form.Get("client_secret") != secret {
			t.Errorf("form %v", form)
		}
		header, claims := opened(t, form.Get("assertion"), "RS256")
		if header["kid"] != "k1" || header["typ"] != "JWT" {
			t.Errorf("header %v", header)
		}
		// aud is a text, not a list.
		if claims["iss"] != "c1" || claims["sub"] != "77" || claims["box_sub_type"] != "enterprise" || claims["aud"] != any(e.URL) || claims["iat"] != nil {
			t.Errorf("claims %v", claims)
		}
		if left := time.Until(seconds(t, claims, "exp")); left > 31*time.Second || left < 0 {
			t.Errorf("lasts for %v", left)
		}
		ids = append(ids, fmt.Sprint(claims["jti"]))
	}
	if ids[0] == ids[1] || len(ids[0]) < 16 {
		t.Errorf("ids %v", ids)
	}
	if s := NewBox(BoxConfig{ClientID: "c1", JWT: true, SubjectType: "user", SubjectID: "1"}, nil, nil); !says(t, s, "public_key_id") {
		t.Error("no key id is not noticed")
	}
}

func says(t *testing.T, s Source, text string) bool {
	t.Helper()
	_, err := s.Token(t.Context())
	return err != nil && strings.Contains(err.Error(), text)
}

// TestBoxClock makes the assertion again by Box's clock, and keeps to that clock.
func TestBoxClock(t *testing.T) {
	off := 10 * time.Minute
	date := http.Header{"Date": {time.Now().Add(off).UTC().Format(http.TimeFormat)}}
	refusal := reply{400, `{"error":"invalid_grant","error_description":"Please check the 'exp' claim."}`, date}
	e := serve(t, refusal, reply{200, `{"access_token":"at%N","expires_in":3600}`, nil})
	s := boxJWT(t, e, `{"client_secret":"x"}`)
	s.Invalidate(token(t, s))
	token(t, s)
	if e.calls.Load() != 3 {
		t.Errorf("%d requests, want 3: the offset is remembered", e.calls.Load())
	}
	ids := map[string]bool{}
	for i, want := range []time.Duration{0, off, off} {
		_, claims := opened(t, e.form(i).Get("assertion"), "RS256")
		if got := time.Until(seconds(t, claims, "exp")) - boxAssertionLife; (got - want).Abs() > 30*time.Second {
			t.Errorf("request %d is by a clock %v ahead, want %v", i, got, want)
		}
		ids[fmt.Sprint(claims["jti"])] = true
	}
	if len(ids) != 3 {
		t.Errorf("ids %v", ids)
	}

	// Box may not be pleased by that either.
	e = serve(t, refusal)
	if s := boxJWT(t, e, `{"client_secret":"x"}`); !says(t, s, "10 minutes behind") || e.calls.Load() != 2 {
		t.Errorf("%d requests", e.calls.Load())
	}
	// A replay is not a clock that is off.
	e = serve(t, reply{400, `{"error":"invalid_grant","error_description":"Please check the 'jti' claim. A unique value is required"}`, nil}, reply{200, good, nil})
	token(t, boxJWT(t, e, `{"client_secret":"x"}`))
	// Other refusals are not asked twice.
	e = serve(t, reply{400, `{"error":"invalid_grant","error_description":"Please check the 'sub' claim."}`, date})
	if s := boxJWT(t, e, `{"client_secret":"x"}`); !says(t, s, "check subject") || e.calls.Load() != 1 {
		t.Errorf("%d requests", e.calls.Load())
	}
}
