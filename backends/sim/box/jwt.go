package box

import (
	"crypto"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// assertionLife is how far ahead of Box's clock "exp" may lie (guide "JWT without SDK").
const assertionLife = 60 * time.Second

// boxAudience is what "aud" must be. The simulator has other host names, so its own token URL is as good.
const boxAudience = "https://api.box.com/oauth2/token"

// jwtHashes are the algorithms that Box takes.
var jwtHashes = map[string]crypto.Hash{"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512}

// replays remembers the jti of assertions until these have expired anyway.
type replays struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// first reports whether a jti is new, and remembers it until the given time.
func (p *replays) first(jti string, now, until time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for old, end := range p.seen {
		if now.After(end) {
			delete(p.seen, old)
		}
	}
	if _, again := p.seen[jti]; again {
		return false
	}
	if p.seen == nil {
		p.seen = map[string]time.Time{}
	}
	p.seen[jti] = until
	return true
}

// claims of an assertion. Those whose JSON type Box minds are kept as they came.
type claims struct {
	Issuer   json.RawMessage `json:"iss"`
	Subject  json.RawMessage `json:"sub"`
	Kind     json.RawMessage `json:"box_sub_type"`
	Audience json.RawMessage `json:"aud"`
	ID       json.RawMessage `json:"jti"`
	Expires  json.RawMessage `json:"exp"`
	Issued   json.RawMessage `json:"iat"`
	Earliest json.RawMessage `json:"nbf"`
}

// text is a claim that must be a string.
func text(raw json.RawMessage) (string, bool) {
	var s string
	ok := len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil
	return s, ok
}

// seconds is a claim that must be an integer, without a fraction or an exponent.
func seconds(raw json.RawMessage) (time.Time, bool) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return time.Unix(n, 0), err == nil
}

func badGrant(description string) *apiError {
	return fail(http.StatusBadRequest, "invalid_grant", description)
}

// jwtBearer is the grant of an assertion that the app has signed.
func (s *Server) jwtBearer(r *core.Request, a *app, form url.Values) {
	u, err := s.assertion(a, form.Get("assertion"))
	if err != nil {
		oauthError(r, err.code, err.message)
		return
	}
	s.grant(r, a, u, s.authorised(), false)
}

// assertion verifies an assertion and finds whose token it asks for. Texts are those that people have met; the order of
// the checks, and the texts of those that no report shows, are guesses.
func (s *Server) assertion(a *app, token string) (*user, *apiError) {
	c, refusal := signed(a, token)
	if refusal != nil {
		return nil, refusal
	}
	if iss, ok := text(c.Issuer); !ok || iss != a.id {
		return nil, badGrant("Please check the 'iss' claim.")
	}
	switch aud, ok := text(c.Audience); {
	case !ok:
		return nil, badGrant("Please check the 'aud' claim. Should be a string")
	case aud != boxAudience && aud != s.w.Hosts.BoxAPI+"/oauth2/token":
		return nil, badGrant("Please check the 'aud' claim.")
	}
	if refusal := s.timely(c); refusal != nil {
		return nil, refusal
	}
	return s.named(a, c)
}

// signed checks the signature and decodes the claims.
func signed(a *app, token string) (claims, *apiError) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, badGrant("The assertion is not a valid JWT.")
	}
	var raw [3][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			return c, badGrant("The assertion is not a valid JWT.")
		}
	}
	var header struct {
		Algorithm string `json:"alg"`
		Key       string `json:"kid"`
		Type      string `json:"typ"`
	}
	if json.Unmarshal(raw[0], &header) != nil || json.Unmarshal(raw[1], &c) != nil {
		return c, badGrant("The assertion is not a valid JWT.")
	}
	hash, ok := jwtHashes[header.Algorithm]
	if !ok {
		return c, badGrant("Please check the 'alg' header. RS256, RS384 and RS512 are supported.")
	}
	key := a.key(header.Key)
	if key == nil {
		return c, badGrant("kid invalid, unable to lookup correct key")
	}
	h := hash.New()
	h.Write([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(key, hash, h.Sum(nil), raw[2]) != nil {
		return c, badGrant("Signature verification error for kid '" + header.Key + "'")
	}
	return c, nil
}

// timely checks the times and the jti by Box's clock.
func (s *Server) timely(c claims) *apiError {
	now := s.now()
	exp, ok := seconds(c.Expires)
	switch {
	case !ok:
		return badGrant("Please check the 'exp' claim. Should be an integer")
	case !exp.After(now):
		return badGrant("Current date/time MUST be before the expiration date/time listed in the 'exp' claim")
	case exp.Sub(now) > assertionLife:
		return badGrant("Please check the 'exp' claim. The 'exp' value exceeds the maximum value of 60 seconds beyond the issue time.")
	}
	// These two are optional, but a clock that is fast makes them fatal, however short the life of the assertion.
	for _, o := range []struct {
		name string
		raw  json.RawMessage
	}{{"iat", c.Issued}, {"nbf", c.Earliest}} {
		if at, ok := seconds(o.raw); o.raw != nil && (!ok || at.After(now)) {
			return badGrant("Please check the '" + o.name + "' claim.")
		}
	}
	jti, ok := text(c.ID)
	if !ok || len(jti) < 16 || len(jti) > 128 {
		return badGrant("Please check the 'jti' claim.")
	}
	if !s.replays.first(jti, now, exp) {
		return badGrant("Please check the 'jti' claim. A unique 'jti' value is required.")
	}
	return nil
}

// named finds the subject of an assertion.
func (s *Server) named(a *app, c claims) (*user, *apiError) {
	kind, _ := text(c.Kind)
	if kind != "enterprise" && kind != "user" {
		return nil, badGrant("Please check the 'box_sub_type' claim.")
	}
	id, ok := text(c.Subject)
	if !ok {
		return nil, badGrant("Please check the 'sub' claim.")
	}
	u, refusal := s.subject(a, kind, id)
	if refusal == errSubject {
		return nil, badGrant("Please check the 'sub' claim. The 'sub' specified is invalid.")
	}
	return u, refusal
}

// now is the time by Box's own clock, which assertions are judged by and answers are dated with.
func (s *Server) now() time.Time {
	return s.w.Clock.Now().Add(time.Duration(s.w.Switches.Int("box.clock_offset")) * time.Second)
}
