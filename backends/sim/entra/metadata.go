package entra

import (
	"encoding/base64"
	"math/big"
	"net/http"
	"strings"

	"github.com/workfs/workfs/backends/sim/core"
)

// metadata serves the OpenID Connect discovery document of the v2 endpoint. For segments that stand for many tenants the
// issuer is a template with the literal text {tenantid}.
func (s *Service) metadata(r *core.Request) {
	segment := r.Param("tenant")
	if problem := s.checkTenant(segment); problem != nil {
		s.fail(r, problem, nil)
		return
	}
	base := s.world.Hosts.Login + "/" + segment
	issuer := s.world.Hosts.Login + "/" + s.company.TenantID + "/v2.0"
	if shared(segment) {
		issuer = s.world.Hosts.Login + "/{tenantid}/v2.0"
	}
	writeJSON(r.W, http.StatusOK, map[string]any{
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
		"scopes_supported":                      oidcScopes,
		"issuer":                                issuer,
		"request_uri_parameter_supported":       false,
		"userinfo_endpoint":                     s.world.Hosts.Graph + "/oidc/userinfo",
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
		"device_authorization_endpoint":         base + "/oauth2/v2.0/devicecode",
		"end_session_endpoint":                  base + "/oauth2/v2.0/logout",
		"claims_supported":                      []string{"sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver", "oid"},
		"tenant_region_scope":                   "EU",
		"cloud_instance_name":                   strings.TrimPrefix(strings.TrimPrefix(s.world.Hosts.Login, "http://"), "https://"),
		"msgraph_host":                          strings.TrimPrefix(strings.TrimPrefix(s.world.Hosts.Graph, "http://"), "https://"),
	})
}

// metadataV1 serves what validators of v1 tokens, such as those of change notifications, read.
func (s *Service) metadataV1(r *core.Request) {
	segment := r.Param("tenant")
	if problem := s.checkTenant(segment); problem != nil {
		s.fail(r, problem, nil)
		return
	}
	issuer := "https://sts.windows.net/" + s.company.TenantID + "/"
	if shared(segment) {
		issuer = "https://sts.windows.net/{tenantid}/"
	}
	base := s.world.Hosts.Login + "/" + segment
	writeJSON(r.W, http.StatusOK, map[string]any{
		"issuer": issuer, "jwks_uri": s.world.Hosts.Login + "/common/discovery/keys", "token_endpoint": base + "/oauth2/token",
		"authorization_endpoint": base + "/oauth2/authorize", "subject_types_supported": []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

// jwks serves the public keys: the one in use and its predecessors.
func (s *Service) jwks(r *core.Request) {
	keys, err := s.signer.published()
	if err != nil {
		r.W.WriteHeader(http.StatusInternalServerError)
		return
	}
	var out []map[string]any
	for _, k := range keys {
		out = append(out, map[string]any{
			"kty": "RSA", "use": "sig", "kid": k.id, "x5t": k.id, "issuer": s.world.Hosts.Login + "/{tenantid}/v2.0",
			"n": base64.RawURLEncoding.EncodeToString(k.priv.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.priv.E)).Bytes()),
		})
	}
	writeJSON(r.W, http.StatusOK, map[string]any{"keys": out})
}

// instance serves the instance discovery that Microsoft's own client libraries begin with.
func (s *Service) instance(r *core.Request) {
	host := strings.TrimPrefix(strings.TrimPrefix(s.world.Hosts.Login, "http://"), "https://")
	writeJSON(r.W, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": s.world.Hosts.Login + "/" + s.company.TenantID + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  []map[string]any{{"preferred_network": host, "preferred_cache": host, "aliases": []string{host}}},
	})
}
