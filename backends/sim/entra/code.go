package entra

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// codeLifetime of an authorization code: "about 10 minutes" (v2-oauth2-auth-code-flow.md).
const codeLifetime = 10 * time.Minute

// authCode is what a code stands for.
type authCode struct {
	request *authorization
	grant   *grant
	tenant  string // segment that it was asked for through
	born    time.Time
	used    bool
}

// newGrant makes the grant of a flow that has come to its end.
func (s *Service) newGrant(f *flow) *grant {
	g := &grant{app: f.app, user: f.user.person, oidc: f.want.oidc, signed: f.signed}
	if !s.world.Switches.Bool("entra.all_consented") {
		g.scopes = f.want.names
		if f.want.all {
			g.scopes = s.delegated(f.app, f.user.person.ID)
		}
		if g.scopes == nil {
			g.scopes = []string{}
		}
	}
	return g
}

// newCode makes a code for a flow that has come to its end.
func (s *Service) newCode(f *flow, a *authorization) string {
	g := s.newGrant(f)
	g.nonce, g.platform = a.nonce, a.redirect.Platform
	code := "1.A" + s.random(24) + "." + s.random(96)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = &authCode{request: a, grant: g, tenant: f.tenant, born: s.world.Clock.Now()}
	s.world.Tokens.Issued(code, core.HostLogin)
	return code
}

// redeemCode gives the first tokens of a sign-in for its code.
func (s *Service) redeemCode(t *tokenRequest) (*tokenAnswer, *failure) {
	for _, name := range []string{"code", "redirect_uri"} {
		if t.form.Get(name) == "" {
			return nil, missing(name)
		}
	}
	s.mu.Lock()
	c := s.codes[t.form.Get("code")]
	s.mu.Unlock()
	if c == nil || c.grant.app != t.app {
		return nil, say(9002313).as("invalid_grant")
	}
	if problem := t.needProof(c.grant.platform); problem != nil {
		return nil, problem
	}
	if problem := oneResource(t.form.Get("scope")); problem != nil {
		return nil, problem
	}
	if problem := c.check(s, t); problem != nil {
		return nil, problem
	}
	s.mu.Lock()
	used := c.used
	c.used = true
	s.mu.Unlock()
	if used {
		return nil, say(54005)
	}
	if t.form.Get("claims") == "" && c.request.claims != "" {
		t.form.Set("claims", c.request.claims)
	}
	g := *c.grant
	g.public = t.proof == proofNone
	return s.issue(t, &g, c.grant.offline())
}

// check compares a request with what the code was given for.
func (c *authCode) check(s *Service, t *tokenRequest) *failure {
	switch uri := t.form.Get("redirect_uri"); {
	case s.world.Clock.Now().Sub(c.born) > codeLifetime:
		return say(70008)
	case !s.sameTenant(t.tenant, c.tenant):
		return say(700005)
	case uri != c.request.uri:
		return say(500112, "uri", uri, "wanted", c.request.uri)
	case !c.request.verified(t.form.Get("code_verifier")):
		return say(501481)
	}
	return s.alive(s.account(c.grant.user.ID), c.grant.signed, c.grant.public)
}

// verified checks the verifier of PKCE against the challenge (RFC 7636, 4.6). That one without a challenge is ignored is
// a guess.
func (a *authorization) verified(verifier string) bool {
	if a.challenge == "" {
		return true
	}
	if a.method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return subtle.ConstantTimeCompare([]byte(verifier), []byte(a.challenge)) == 1
}

// offline reports whether the grant comes with a refresh token.
func (g *grant) offline() bool {
	for _, name := range g.oidc {
		if name == "offline_access" {
			return true
		}
	}
	return false
}
