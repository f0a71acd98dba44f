package entra

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

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
	proof  string // credential that the client showed, as appidacr tells it: "0" none, "1" a secret, "2" a certificate
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

// grants of the token endpoint by grant_type.
func (s *Service) grants() map[string]func(*tokenRequest) (*tokenAnswer, *failure) {
	return map[string]func(*tokenRequest) (*tokenAnswer, *failure){
		"client_credentials": s.clientCredentials,
		"refresh_token":      s.redeemRefresh,
		"authorization_code": s.redeemCode,
		deviceGrant:          s.redeemDevice,
		"device_code":        s.redeemDevice, // as Microsoft's own libraries call it
	}
}

// token serves POST /{tenant}/oauth2/v2.0/token.
func (s *Service) token(r *core.Request) {
	t, problem := readForm(r)
	var answer *tokenAnswer
	if problem == nil {
		answer, problem = s.answerToken(t)
	}
	if problem != nil {
		s.fail(r, problem, t.app)
		return
	}
	writeJSON(r.W, http.StatusOK, answer)
}

// readForm reads the body of a request to the token or the device endpoint.
func readForm(r *core.Request) (*tokenRequest, *failure) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm))
	form, parseErr := url.ParseQuery(string(body))
	t := &tokenRequest{Request: r, form: form, tenant: r.Param("tenant")}
	if err != nil || parseErr != nil {
		return t, say(9002313)
	}
	return t, nil
}

func (s *Service) answerToken(t *tokenRequest) (*tokenAnswer, *failure) {
	if problem := s.checkTenant(t.tenant); problem != nil {
		return nil, problem
	}
	if code := s.forced(); code != 0 {
		t.app = s.app(t.form.Get("client_id"))
		return nil, say(code)
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

// forced gives the number that the switches want the token endpoint to fail with, 0 for none.
func (s *Service) forced() int {
	if code := s.world.Switches.Int("entra.token_error"); code != 0 {
		return code
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	code := s.world.Switches.Int("entra.token_error_once")
	if code != 0 {
		_ = s.world.Switches.Set("entra.token_error_once", 0)
	}
	return code
}

// checkTenant refuses segments that name no tenant of this cloud.
func (s *Service) checkTenant(segment string) *failure {
	switch strings.ToLower(segment) {
	case "common", "organizations", "consumers", s.company.TenantID, strings.ToLower(s.company.Domain):
		return nil
	}
	return say(90002, "tenant", segment)
}

// shared reports whether a tenant segment stands for many tenants.
func shared(segment string) bool {
	segment = strings.ToLower(segment)
	return segment == "common" || segment == "organizations" || segment == "consumers"
}

// sameTenant reports whether two segments name the same: the domain stands for the tenant's id.
func (s *Service) sameTenant(a, b string) bool {
	plain := func(segment string) string {
		if strings.EqualFold(segment, s.company.Domain) {
			return s.company.TenantID
		}
		return strings.ToLower(segment)
	}
	return plain(a) == plain(b)
}

// clientCredentials gives an application's own token.
func (s *Service) clientCredentials(t *tokenRequest) (*tokenAnswer, *failure) {
	if shared(t.tenant) {
		return nil, say(50059)
	}
	if t.proof == proofNone {
		return nil, say(7000218)
	}
	scope := t.form.Get("scope")
	if scope == "" {
		return nil, missing("scope")
	}
	// OpenID Connect scopes mean nothing here, but Microsoft's own libraries send them.
	scopes := slices.DeleteFunc(strings.Fields(scope), func(name string) bool { return slices.Contains(oidcScopes, name) })
	if len(scopes) == 0 {
		return nil, say(1002012, "scope", scope)
	}
	resource, isDefault := strings.CutSuffix(scopes[0], "/.default")
	if len(scopes) != 1 || !isDefault {
		return nil, say(1002012, "scope", scope)
	}
	audience, problem := s.audience(resource)
	if problem != nil {
		return nil, problem
	}
	life := s.lifetime()
	cae, fresh := t.claims()
	token := s.Mint(Claims{
		Audience: audience, TenantID: s.company.TenantID, AppID: t.app.ID, ObjectID: t.app.ObjectID, AppOnly: true, Proof: t.proof,
		Roles: s.roles(t.app), Expires: s.world.Clock.Now().Add(life), CAE: cae, FreshAt: fresh,
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
