package entra

import (
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

// grant is a user's sign-in to an application, which a refresh token stands for.
type grant struct {
	app      *App
	user     *company.Person
	scopes   []string // nil: whatever is consented to at the time
	oidc     []string
	nonce    string    // for the first id token
	platform string    // of the redirect URI, "" for none
	public   bool      // the client showed no credential
	signed   time.Time // when the user signed in
	born     time.Time // of this token
	used     bool
}

// Lifetimes of refresh tokens (refresh-tokens.md). That of a single-page application's is carried over to its successors.
const (
	refreshLifetime = 90 * 24 * time.Hour
	spaLifetime     = 24 * time.Hour
)

// RefreshToken gives a fresh refresh token of a user for an app, as the end of an interactive sign-in would.
// The scopes are limited to what is consented.
func (s *Service) RefreshToken(app *App, user *company.Person, scopes []string) string {
	now := s.world.Clock.Now()
	return s.refreshToken(&grant{app: app, user: user, scopes: scopes, signed: now, public: app.Public})
}

// refreshToken makes the token that stands for a grant.
func (s *Service) refreshToken(g *grant) string {
	g.born = s.world.Clock.Now()
	token := "1.A" + s.random(24) + "." + s.random(96)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh[token] = g
	s.world.Tokens.Issued(token, core.HostLogin)
	return token
}

// redeemRefresh gives a user's token for a refresh token, and a new refresh token. The old one stays valid unless the
// switch for rotation is on.
func (s *Service) redeemRefresh(t *tokenRequest) (*tokenAnswer, *failure) {
	token := t.form.Get("refresh_token")
	if token == "" {
		return nil, missing("refresh_token")
	}
	s.mu.Lock()
	g := s.refresh[token]
	reused := g != nil && g.used
	if g != nil {
		g.used = true
	}
	s.mu.Unlock()
	platform := ""
	if g != nil {
		platform = g.platform
	}
	if problem := t.needProof(platform); problem != nil {
		return nil, problem
	}
	if code := s.world.Switches.Int("entra.refresh_error"); code != 0 {
		return nil, say(code)
	}
	if g == nil || g.app != t.app {
		return nil, say(9002313).as("invalid_grant")
	}
	now := s.world.Clock.Now()
	if problem := s.alive(s.account(g.user.ID), g.signed, g.public); problem != nil {
		return nil, problem
	}
	switch {
	case !g.user.AccountEnabled:
		return nil, say(50057)
	case g.platform == platformSPA && now.Sub(g.signed) > spaLifetime:
		return nil, say(700084)
	case now.Sub(g.born) > refreshLifetime:
		return nil, say(700082)
	case reused && s.world.Switches.Bool("entra.refresh_rotation"):
		return nil, say(70000)
	}
	next := *g
	next.used, next.nonce = false, ""
	return s.issue(t, &next, true)
}

// issue gives the tokens for a grant. What the request asks for must be in it; a request that names nothing is for all.
func (s *Service) issue(t *tokenRequest, g *grant, refresh bool) (*tokenAnswer, *failure) {
	raw := t.form.Get("scope")
	asked, problem := s.parseScopes(raw)
	if problem != nil {
		return nil, problem
	}
	have := s.delegated(t.app, g.user.ID)
	granted := have
	if g.scopes != nil {
		granted = nil
		for _, name := range g.scopes {
			if slices.Contains(have, name) {
				granted = append(granted, name)
			}
		}
	}
	for _, name := range asked.names {
		if !slices.Contains(granted, name) {
			return nil, say(65001)
		}
	}
	withheld := strings.Fields(s.world.Switches.String("entra.withheld_scopes"))
	granted = slices.DeleteFunc(slices.Clone(granted), func(n string) bool { return slices.Contains(withheld, n) })
	openID := asked.has("openid") || slices.Contains(g.oidc, "openid")
	cae, fresh := t.claims()
	life, now := s.lifetime(), s.world.Clock.Now()
	secs := int(life.Seconds())
	claims := Claims{
		Audience: asked.audience, TenantID: s.company.TenantID, AppID: t.app.ID, ObjectID: g.user.ID, UPN: g.user.UPN, Name: g.user.DisplayName,
		Scopes: granted, Expires: now.Add(life), CAE: cae, FreshAt: fresh, Proof: t.proof, Admin: g.user == s.admin, OpenID: openID,
	}
	answer := &tokenAnswer{
		TokenType: "Bearer", Scope: s.spell(granted, asked, g), ExpiresIn: secs, ExtExpiresIn: secs, AccessToken: s.Mint(claims),
	}
	if refresh {
		answer.RefreshToken = s.refreshToken(g)
	}
	if openID {
		answer.IDToken = s.idToken(t, g, now.Add(life))
	}
	return answer, nil
}

// spell writes the scope of an answer: the permissions, then those OpenID Connect scopes that it shows.
func (s *Service) spell(granted []string, asked wanted, g *grant) string {
	list := slices.Clone(granted)
	if asked.resource != "" && s.world.Switches.Bool("entra.qualified_scopes") {
		for i := range list {
			list[i] = asked.resource + "/" + list[i]
		}
	}
	for _, name := range slices.Concat(g.oidc, asked.oidc) {
		if name != "offline_access" {
			list = appendNew(list, name)
		}
	}
	return strings.Join(list, " ")
}

// idToken tells the client who signed in (id-token-claims-reference.md).
func (s *Service) idToken(t *tokenRequest, g *grant, expires time.Time) string {
	now := s.world.Clock.Now()
	claims := map[string]any{
		"aud": t.app.ID, "iss": s.world.Hosts.Login + "/" + s.company.TenantID + "/v2.0", "iat": now.Unix(), "nbf": now.Unix(), "exp": expires.Unix(),
		"name": g.user.DisplayName, "oid": g.user.ID, "preferred_username": g.user.UPN, "sub": s.Subject(t.app.ID, g.user.ID),
		"tid": s.company.TenantID, "ver": "2.0", "auth_time": g.signed.Unix(),
	}
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	if slices.Contains(g.oidc, "email") {
		claims["email"] = g.user.Mail
	}
	return s.signer.sign(claims, false)
}
