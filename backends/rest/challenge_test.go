package rest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
)

const revoked = `{"access_token":{"nbf":{"essential":true,"value":"1702682181"}}}`

// graphChallenge is a field as Graph sends it.
func graphChallenge(claims string) string {
	return `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", ` +
		`error="insufficient_claims", claims="` + claims + `"`
}

func encoded(claims string) string { return base64.StdEncoding.EncodeToString([]byte(claims)) }

// TestClaimsChallenge: the source hears what the service wants, and the request is made once more.
func TestClaimsChallenge(t *testing.T) {
	const good = `{"n":7}`
	claims := graphChallenge(encoded(revoked))
	plain := `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`
	tests := []struct {
		name       string
		steps      []step
		requests   int
		challenges []string
		kind       error
	}{
		{"401", []step{answer(401, "", "WWW-Authenticate", claims), answer(200, good)}, 2, []string{"token0 " + revoked}, nil},
		{"403", []step{answer(403, "", "WWW-Authenticate", claims), answer(200, good)}, 2, []string{"token0 " + revoked}, nil},
		{"after a plain 401", []step{answer(401, "", "WWW-Authenticate", plain), answer(401, "", "WWW-Authenticate", claims), answer(200, good)}, 3, []string{"token1 " + revoked}, nil},
		{"again and again", []step{answer(401, "", "WWW-Authenticate", claims)}, 2, []string{"token0 " + revoked}, backends.ErrForbidden},
		{"then refused", []step{answer(401, "", "WWW-Authenticate", claims), answer(401, "")}, 2, []string{"token0 " + revoked}, backends.ErrForbidden},
		{"malformed", []step{answer(401, "", "WWW-Authenticate", graphChallenge("%%%")), answer(200, good)}, 2, nil, nil},
		{"no object", []step{answer(401, "", "WWW-Authenticate", graphChallenge(encoded(`"nbf"`))), answer(200, good)}, 2, nil, nil},
		{"403 without claims", []step{answer(403, "", "WWW-Authenticate", plain)}, 1, nil, backends.ErrForbidden},
		{"403 malformed", []step{answer(403, "", "WWW-Authenticate", graphChallenge(""))}, 1, nil, backends.ErrForbidden},
		{"another error", []step{answer(403, "", "WWW-Authenticate", strings.Replace(claims, "insufficient_claims", "insufficient_scope", 1))}, 1, nil, backends.ErrForbidden},
		{"not a refusal", []step{answer(404, "", "WWW-Authenticate", claims)}, 1, nil, backends.ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := serve(t, tt.steps...)
			source := &tokens{}
			c := client(t, a, func(o *Options) { o.Tokens = source })
			var got struct{ N int }
			err := c.JSON(t.Context(), "/me", nil, &got)
			if !errors.Is(err, tt.kind) || err == nil && got.N != 7 {
				t.Errorf("got %v, %v; want %v", got, err, tt.kind)
			}
			seen := a.requests()
			if len(seen) != tt.requests {
				t.Errorf("%d requests, want %d", len(seen), tt.requests)
			}
			for i, r := range seen {
				if want := fmt.Sprint("Bearer token", i); r.Header.Get("Authorization") != want {
					t.Errorf("request %d has %q, want %q", i, r.Header.Get("Authorization"), want)
				}
			}
			if !slices.Equal(source.challenges, tt.challenges) {
				t.Errorf("the source heard %q, want %q", source.challenges, tt.challenges)
			}
			if err != nil && strings.Contains(err.Error(), "nbf") {
				t.Errorf("the error quotes the claims: %v", err)
			}
		})
	}
}

func TestClaimsOf(t *testing.T) {
	safe := base64.RawURLEncoding.EncodeToString([]byte(`{"access_token":{"acrs":{"value":"c1??>>"}}}`))
	tests := map[string]struct {
		fields []string
		want   string
	}{
		"none":             {nil, ""},
		"as Graph":         {[]string{graphChallenge(encoded(revoked))}, revoked},
		"another order":    {[]string{`Bearer claims="` + encoded(revoked) + `", error="insufficient_claims"`}, revoked},
		"no spaces":        {[]string{`Bearer realm="",claims="` + encoded(revoked) + `",error=insufficient_claims`}, revoked},
		"odd case, spaces": {[]string{`bEARER ERROR = "insufficient_claims" ,	Claims = "` + encoded(revoked) + `"`}, revoked},
		"url alphabet":     {[]string{graphChallenge(safe)}, `{"access_token":{"acrs":{"value":"c1??>>"}}}`},
		"second field":     {[]string{`Negotiate`, graphChallenge(encoded(revoked))}, revoked},
		"second challenge": {[]string{`Basic realm="a, \"b\", Bearer", Negotiate YII=, PoP nonce="x", ` + graphChallenge(encoded(revoked))}, revoked},
		"bare scheme":      {[]string{`Negotiate, NTLM, ` + graphChallenge(encoded(revoked))}, revoked},
		"another scheme":   {[]string{strings.Replace(graphChallenge(encoded(revoked)), "Bearer", "PoP", 1)}, ""},
		"error of another": {[]string{`Bearer error="insufficient_claims", Basic claims="` + encoded(revoked) + `"`}, ""},
		"open quote":       {[]string{`Bearer error="insufficient_claims", claims="` + encoded(revoked)}, ""},
		"no scheme":        {[]string{`error="insufficient_claims", claims="` + encoded(revoked) + `"`}, ""},
		"twice":            {[]string{graphChallenge(encoded(revoked)) + `, claims="` + encoded(`{"id_token":{}}`) + `"`}, revoked},
		"null":             {[]string{graphChallenge(encoded(`null`))}, ""},
		"a list":           {[]string{graphChallenge(encoded(`[1]`))}, ""},
	}
	for name, tt := range tests {
		if got := claimsOf(http.Header{"Www-Authenticate": tt.fields}); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// FuzzClaims: whatever a field says, reading it ends, and what comes of it is a JSON object or nothing.
func FuzzClaims(f *testing.F) {
	for _, s := range []string{graphChallenge(encoded(revoked)), `Basic a="\`, `a=b, c d=,e`, `Bearer =`, `Negotiate YII==`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, field string) {
		if got := claimsOf(http.Header{"Www-Authenticate": {field}}); got != "" && !strings.HasPrefix(strings.TrimSpace(got), "{") {
			t.Errorf("%q gives %q", field, got)
		}
		for _, c := range parseChallenges(field) {
			if c.scheme == "" {
				t.Errorf("%q gives a challenge without a scheme", field)
			}
		}
	})
}
