package entra

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

// maxForm bounds a token request.
const maxForm = 64 << 10

// tokenRequest is one request to the token endpoint on its way through the checks.
type tokenRequest struct {
	*core.Request
	form   url.Values
	tenant string // segment as sent
	app    *App
}

// tokenAnswer is the success body.
type tokenAnswer struct {
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    int    `json:"expires_in"`
	ExtExpiresIn int    `json:"ext_expires_in"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
}

// grants of the token endpoint by grant_type. Interactive flows add theirs here.
func (s *Service) grants() map[string]func(*tokenRequest) (*tokenAnswer, *failure) {
	return map[string]func(*tokenRequest) (*tokenAnswer, *failure){
		"client_credentials": s.clientCredentials,
		"refresh_token":      s.redeemRefresh,
	}
}

// token serves POST /{tenant}/oauth2/v2.0/token.
func (s *Service) token(r *core.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm))
	form, parseErr := url.ParseQuery(string(body))
	if err != nil || parseErr != nil {
		s.fail(r, &failure{"invalid_request", 9002313, "Invalid request. Request is malformed or invalid.", ""})
		return
	}
	t := &tokenRequest{Request: r, form: form, tenant: r.Param("tenant")}
	answer, problem := s.answerToken(t)
	if problem != nil {
		s.fail(r, problem)
		return
	}
	writeJSON(r.W, http.StatusOK, answer)
}

func (s *Service) answerToken(t *tokenRequest) (*tokenAnswer, *failure) {
	if problem := s.checkTenant(t.tenant); problem != nil {
		return nil, problem
	}
	name := t.form.Get("grant_type")
	if name == "" {
		return nil, missing("grant_type")
	}
	grant := s.grants()[name]
	if grant == nil {
		return nil, &failure{"unsupported_grant_type", 70003, "The app requested an unsupported grant type '" + name + "'.", ""}
	}
	if problem := s.checkClient(t); problem != nil {
		return nil, problem
	}
	return grant(t)
}

// checkTenant refuses segments that name no tenant of this cloud.
func (s *Service) checkTenant(segment string) *failure {
	switch strings.ToLower(segment) {
	case "common", "organizations", "consumers", s.company.TenantID, strings.ToLower(s.company.Domain):
		return nil
	}
	return &failure{"invalid_request", 90002, fmt.Sprintf("Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. "+
		"This may happen if there are no active subscriptions for the tenant.", segment), ""}
}

// shared reports whether a tenant segment stands for many tenants.
func shared(segment string) bool {
	segment = strings.ToLower(segment)
	return segment == "common" || segment == "organizations" || segment == "consumers"
}

// checkClient finds the application and checks its credential, in the form or as HTTP Basic.
func (s *Service) checkClient(t *tokenRequest) *failure {
	id, secret := t.form.Get("client_id"), t.form.Get("client_secret")
	if user, pass, ok := t.BasicAuth(); ok {
		// RFC 6749, 2.3.1: both are form-encoded inside the header.
		if u, err := url.QueryUnescape(user); err == nil && id == "" {
			id = u
		}
		if p, err := url.QueryUnescape(pass); err == nil && secret == "" {
			secret = p
		}
	}
	if id == "" {
		return missing("client_id")
	}
	s.mu.Lock()
	t.app = s.apps[strings.ToLower(id)]
	s.mu.Unlock()
	if t.app == nil || strings.EqualFold(t.tenant, "consumers") {
		return &failure{"unauthorized_client", 700016, fmt.Sprintf("Application with identifier '%s' was not found in the directory '%s'. "+
			"This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.", id, s.company.Name), ""}
	}
	if shared(t.tenant) && !s.world.Switches.Bool("entra.multi_tenant") {
		return &failure{"invalid_request", 50194, fmt.Sprintf("Application '%s'(%s) is not configured as a multi-tenant application. "+
			"Usage of the /common endpoint is not supported for such apps created after '10/15/2018'.", t.app.ID, t.app.Name), ""}
	}
	switch {
	case t.app.Secret == "" && (secret != "" || t.form.Has("client_assertion")):
		return &failure{"invalid_client", 700025, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.", ""}
	case t.app.Secret == "":
		return nil
	case t.form.Has("client_assertion"):
		return &failure{"invalid_client", 700027, "The certificate with identifier used to sign the client assertion is not registered on application.", ""}
	case secret == "":
		return &failure{"invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.", ""}
	case subtle.ConstantTimeCompare([]byte(secret), []byte(t.app.Secret)) != 1:
		return &failure{"invalid_client", 7000215, fmt.Sprintf("Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "+
			"not the client secret ID, for a secret added to app '%s'.", t.app.ID), ""}
	case s.world.Switches.Bool("entra.secret_expired"):
		return &failure{"invalid_client", 7000222, fmt.Sprintf("The provided client secret keys for app '%s' are expired.", t.app.ID), ""}
	}
	return nil
}

// clientCredentials gives an application's own token.
func (s *Service) clientCredentials(t *tokenRequest) (*tokenAnswer, *failure) {
	if shared(t.tenant) {
		return nil, &failure{"invalid_request", 50059, "No tenant-identifying information found in either the request or implied by any provided credentials.", ""}
	}
	if t.app.Secret == "" {
		return nil, &failure{"invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.", ""}
	}
	scope := t.form.Get("scope")
	if scope == "" {
		return nil, missing("scope")
	}
	scopes := strings.Fields(scope)
	resource, isDefault := strings.CutSuffix(scopes[0], "/.default")
	if len(scopes) != 1 || !isDefault {
		return nil, &failure{"invalid_scope", 1002012, fmt.Sprintf("The provided value for scope %s is not valid. Client credential flows must have a scope value with "+
			"/.default suffixed to the resource identifier (application ID URI).", scope), ""}
	}
	audience, problem := s.audience(resource)
	if problem != nil {
		return nil, problem
	}
	life := s.lifetime()
	cae, fresh := t.claims()
	token := s.Mint(Claims{
		Audience: audience, TenantID: s.company.TenantID, AppID: t.app.ID, ObjectID: t.app.ObjectID, AppOnly: true,
		Roles: s.consented("entra.roles", t.app.Roles), Expires: s.world.Clock.Now().Add(life), CAE: cae, FreshAt: fresh,
	})
	secs := int(life.Seconds())
	return &tokenAnswer{TokenType: "Bearer", ExpiresIn: secs, ExtExpiresIn: secs, AccessToken: token}, nil
}

// audience gives the aud claim for a resource; Graph is the only one here, by its public name, its application id or,
// as in every cloud, the address of its host.
func (s *Service) audience(resource string) (string, *failure) {
	switch strings.TrimSuffix(resource, "/") {
	case GraphAudience, GraphAppID:
		return strings.TrimSuffix(resource, "/"), nil
	case s.world.Hosts.Graph:
		return GraphAudience, nil
	}
	return "", &failure{"invalid_resource", 500011, fmt.Sprintf("The resource principal named %s was not found in the tenant named %s.", resource, s.company.Name), ""}
}

// redeemRefresh gives a user's token for a refresh token, and a new refresh token. The old one stays valid unless the
// switch for rotation is on.
func (s *Service) redeemRefresh(t *tokenRequest) (*tokenAnswer, *failure) {
	token := t.form.Get("refresh_token")
	if token == "" {
		return nil, missing("refresh_token")
	}
	if code := s.world.Switches.Int("entra.refresh_error"); code != 0 {
		return nil, refreshFailure(code)
	}
	now := s.world.Clock.Now()
	s.mu.Lock()
	g := s.refresh[token]
	reused := g != nil && g.used
	if g != nil {
		g.used = true
	}
	s.mu.Unlock()
	switch {
	case g == nil || g.app != t.app:
		return nil, refreshFailure(9002313)
	case !g.user.AccountEnabled:
		return nil, refreshFailure(50057)
	case now.Sub(g.born) > refreshLifetime:
		return nil, refreshFailure(700082)
	case reused && s.world.Switches.Bool("entra.refresh_rotation"):
		return nil, refreshFailure(70000)
	}
	return s.userToken(t, g.user, g.scopes)
}

// userToken gives the tokens for a user who consented to scopes; what the request asks for must be among them.
func (s *Service) userToken(t *tokenRequest, user *company.Person, agreed []string) (*tokenAnswer, *failure) {
	var granted []string
	for _, scope := range agreed {
		if slices.Contains(s.consented("entra.scopes", t.app.Scopes), scope) {
			granted = append(granted, scope)
		}
	}
	audience, openID := GraphAudience, false
	for _, scope := range strings.Fields(t.form.Get("scope")) {
		name := scope
		if i := strings.LastIndexByte(scope, '/'); i >= 0 {
			aud, problem := s.audience(scope[:i])
			if problem != nil {
				return nil, problem
			}
			audience, name = aud, scope[i+1:]
		}
		if name == ".default" || slices.Contains(oidcScopes, name) {
			openID = openID || name == "openid"
			continue
		}
		if !slices.ContainsFunc(granted, func(g string) bool { return strings.EqualFold(g, name) }) {
			return nil, &failure{"invalid_grant", 65001, fmt.Sprintf("The user or administrator has not consented to use the application with ID '%s' named '%s'. "+
				"Send an interactive authorization request for this user and resource.", t.app.ID, t.app.Name), "consent_required"}
		}
	}
	life := s.lifetime()
	now := s.world.Clock.Now()
	cae, fresh := t.claims()
	answer := &tokenAnswer{
		TokenType: "Bearer", Scope: strings.Join(granted, " "), ExpiresIn: int(life.Seconds()), ExtExpiresIn: int(life.Seconds()),
		AccessToken: s.Mint(Claims{
			Audience: audience, TenantID: s.company.TenantID, AppID: t.app.ID, ObjectID: user.ID, UPN: user.UPN, Name: user.DisplayName,
			Scopes: granted, Expires: now.Add(life), CAE: cae, FreshAt: fresh,
		}),
		RefreshToken: s.RefreshToken(t.app, user, agreed),
	}
	if openID {
		answer.IDToken = s.signer.sign(map[string]any{
			"aud": t.app.ID, "iss": s.world.Hosts.Login + "/" + s.company.TenantID + "/v2.0", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(life).Unix(),
			"name": user.DisplayName, "oid": user.ID, "preferred_username": user.UPN, "sub": s.world.GUID("id sub " + t.app.ID + user.ID),
			"tid": s.company.TenantID, "ver": "2.0", "nonce": t.form.Get("nonce"),
		}, false)
	}
	return answer, nil
}

// capability is what a client declares that can handle claims challenges (claims-challenge.md).
const capability = "cp1"

// claims reads the claims parameter: whether the client declared the capability, and the nbf value that it passes on from a
// challenge. What is malformed counts as absent.
func (t *tokenRequest) claims() (cae bool, fresh int64) {
	var c struct {
		AccessToken struct {
			CC struct {
				Values []string `json:"values"`
			} `json:"xms_cc"`
			NBF struct {
				Value string `json:"value"`
			} `json:"nbf"`
		} `json:"access_token"`
	}
	if json.Unmarshal([]byte(t.form.Get("claims")), &c) != nil {
		return false, 0
	}
	fresh, _ = strconv.ParseInt(c.AccessToken.NBF.Value, 10, 64)
	return slices.Contains(c.AccessToken.CC.Values, capability), fresh
}
