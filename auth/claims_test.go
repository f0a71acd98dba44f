package auth

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

const challenge = `{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}`

func TestChallenge(t *testing.T) {
	down := reply{500, "", nil}
	e := serve(t, reply{200, good, nil}, down, down, down, reply{200, good, nil})
	path := credentials(t, `{"client_secret":"x","refresh_token":"r0"}`)
	cfg := MicrosoftConfig{LoginURL: e.URL, Tenant: "t", ClientID: "c1"}
	s := NewMicrosoft(cfg, File(path), nil)
	token(t, s)
	s.Challenge("another token", challenge)
	s.Challenge("at1", "{not json")
	s.Challenge("at1", challenge) // told to a second request that was under way
	// The claims outlive a renewal that failed.
	if _, err := s.Token(t.Context()); err == nil {
		t.Fatal("a token although the service is down")
	}
	if got := token(t, s); got != "at5" {
		t.Errorf("token %q", got)
	}
	s.Invalidate("at5")
	token(t, s)
	want := `{"access_token":{"nbf":{"essential":true,"value":"1604106651"},"xms_cc":{"values":["cp1"]}}}`
	for i, claims := range []string{capabilities, want, want, want, want, capabilities} {
		if got := e.form(i).Get("claims"); !sameJSON(t, got, claims) {
			t.Errorf("request %d has claims %s, want %s", i, got, claims)
		}
	}
}

// TestChallengeLeavesStoredTokens asks for a token of its own although another process has stored a fresh one: that one
// may not meet the claims.
func TestChallengeLeavesStoredTokens(t *testing.T) {
	e := serve(t, reply{200, good, nil})
	path := credentials(t, `{"client_secret":"x","refresh_token":"r0"}`)
	cfg := MicrosoftConfig{LoginURL: e.URL, Tenant: "t", ClientID: "c1"}
	a, b := NewMicrosoft(cfg, File(path), nil), NewMicrosoft(cfg, File(path), nil)
	token(t, a)
	token(t, b)
	a.Invalidate("at1")
	token(t, a)
	b.Challenge("at1", challenge)
	if got := token(t, b); got != "at3" {
		t.Errorf("token %q", got)
	}
}

// TestChallengeDuringRenewal has a challenge come while a renewal that knows nothing of it is under way.
func TestChallengeDuringRenewal(t *testing.T) {
	e := serve(t, reply{200, good, nil})
	s := NewMicrosoft(MicrosoftConfig{LoginURL: e.URL, Tenant: "t", ClientID: "c1"}, File(credentials(t, `{"refresh_token":"r0"}`)), nil).(*source)
	token(t, s)
	s.mu.Lock()
	f := s.begin(t.Context(), true)
	s.mu.Unlock()
	s.Challenge("at1", challenge)
	if err := f.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.token.value != "at2" {
		t.Fatalf("token %q", f.token.value)
	}
	if got := token(t, s); got != "at3" || !strings.Contains(e.form(2).Get("claims"), "1604106651") {
		t.Errorf("token %q, claims %q", got, e.form(2).Get("claims"))
	}
}

// TestChallengeThatAPersonMustMeet ends the sign-in, until there is another one.
func TestChallengeThatAPersonMustMeet(t *testing.T) {
	refusal := reply{400, `{"error":"interaction_required","error_description":"AADSTS50076: ...","error_codes":[50076],"claims":"{}"}`, nil}
	e := serve(t, reply{200, good, nil}, refusal, reply{200, good, nil})
	path := credentials(t, `{"refresh_token":"r0"}`)
	s := NewMicrosoft(MicrosoftConfig{LoginURL: e.URL, Tenant: "t", ClientID: "c1"}, File(path), nil)
	s.Challenge(token(t, s), challenge)
	for range 3 {
		_, err := s.Token(t.Context())
		var refused *Error
		if !errors.As(err, &refused) || refused.Kind != Denied || refused.Code != "interaction_required AADSTS50076" {
			t.Fatal(err)
		}
	}
	if e.calls.Load() != 2 {
		t.Errorf("%d requests, want 2", e.calls.Load())
	}
	if err := File(path).Update(t.Context(), func(c *Credentials) error { c.Lineage = "another sign-in"; return nil }); err != nil {
		t.Fatal(err)
	}
	if got := token(t, s); got != "at3" {
		t.Errorf("token %q", got)
	}
}

func TestMerge(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    capabilities,
		`{}`:                                  capabilities,
		`{"id_token":{"a":null}}`:             `{"id_token":{"a":null},"access_token":{"xms_cc":{"values":["cp1"]}}}`,
		`{"access_token":null}`:               capabilities,
		`{"access_token":{"xms_cc":{"x":1}}}`: `{"access_token":{"xms_cc":{"x":1,"values":["cp1"]}}}`,
	} {
		if got := withCapabilities(in); !sameJSON(t, got, want) {
			t.Errorf("%s gives %s, want %s", in, got, want)
		}
	}
	for _, claims := range []string{"", "null", "[]", `"x"`, `{"a":`, `{"a":"` + strings.Repeat("x", maxClaims) + `"}`} {
		if validClaims(claims) {
			t.Errorf("%.20s passes for claims", claims)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatalf("%q: %v", a, err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	return reflect.DeepEqual(x, y)
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}
