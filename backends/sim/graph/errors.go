package graph

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/workfs/workfs/backends/sim/entra"
)

// Error answers with Graph's error body. Its shape varies as Graph's does: innerError or innererror, sometimes a finer code
// inside, and sync codes in either case.
func (r *Request) Error(status int, code, message string) {
	id := r.W.Header().Get("request-id")
	inner := map[string]any{
		"date": r.World.Clock.Now().Format("2006-01-02T15:04:05"), "request-id": id, "client-request-id": r.W.Header().Get("client-request-id"),
	}
	innerName := "innerError"
	if r.server.world.Switches.Bool("graph.awkward_errors") {
		sum := r.World.Sum("error " + id)
		if sum[0]&1 == 1 {
			innerName = "innererror"
		}
		if sum[1]&3 == 1 && code != "" {
			inner["code"] = code
			inner = map[string]any{"code": strings.ToLower(code[:1]) + code[1:], "innerError": inner}
		}
		if strings.HasPrefix(strings.ToLower(code), "syncstate") && sum[2]&1 == 1 {
			code = strings.ToLower(code[:1]) + code[1:]
		}
	}
	r.applied = nil
	r.JSON(status, map[string]any{"error": map[string]any{"code": code, "message": message, innerName: inner}})
}

// NotFound answers 404 in the words of the workload that the endpoint belongs to.
func (r *Request) NotFound(id string) {
	switch r.area {
	case areaOutlook:
		r.Error(http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store.")
	case areaTeams:
		r.Error(http.StatusNotFound, "NotFound", "Resource not found.")
	case areaDrive:
		r.Error(http.StatusNotFound, "itemNotFound", "The resource could not be found.")
	default:
		r.Error(http.StatusNotFound, "Request_ResourceNotFound",
			fmt.Sprintf("Resource '%s' does not exist or one of its queried reference-property objects are not present.", id))
	}
}

// AccessDenied answers 403 in the words of the workload that the endpoint belongs to.
func (r *Request) AccessDenied() { r.forbidden(nil) }

// forbidden answers 403; perms are those that would have sufficed.
func (r *Request) forbidden(perms []string) {
	switch r.area {
	case areaOutlook:
		r.Error(http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
	case areaTeams:
		held := r.Caller.Scopes
		kind := "Scopes"
		if r.Caller.AppOnly {
			held, kind = r.Caller.Roles, "Roles"
		}
		r.Error(http.StatusForbidden, "Forbidden", fmt.Sprintf("Missing %s permissions on the request. API requires one of '%s'. %s on the request '%s'",
			strings.ToLower(strings.TrimSuffix(kind, "s")), strings.Join(perms, ", "), kind, strings.Join(held, ", ")))
	case areaDrive:
		r.Error(http.StatusForbidden, "accessDenied", "Access denied")
	default:
		r.Error(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
}

func (r *Request) unknownUser() {
	if r.area == areaOutlook {
		r.Error(http.StatusNotFound, "ErrorInvalidUser", fmt.Sprintf("The requested user '%s' is invalid.", r.Param("user")))
		return
	}
	r.area = areaDirectory
	r.NotFound(r.Param("user"))
}

// unauthorized answers 401 with the challenge of Graph.
func (r *Request) unauthorized(message string) {
	r.W.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="", authorization_uri="%s/common/oauth2/authorize", client_id="%s"`,
		r.World.Hosts.Login, entra.GraphAppID))
	r.Error(http.StatusUnauthorized, "InvalidAuthenticationToken", message)
}

// challenge answers 401, or what the switch says, to a token that was issued before sessions were revoked; it is satisfied only by a token that was
// requested with the claims in the header.
func (r *Request) challenge(since int64) {
	claims := fmt.Sprintf(`{"access_token":{"nbf":{"essential":true,"value":"%d"}}}`, since)
	r.W.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="", authorization_uri="%s/common/oauth2/authorize", error="insufficient_claims", claims="%s"`,
		r.World.Hosts.Login, base64.StdEncoding.EncodeToString([]byte(claims))))
	r.Error(r.World.Switches.Int("graph.challenge_status"), "InvalidAuthenticationToken", "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp")
}

// commonHeaders sets what every answer of Graph has.
func (s *Server) commonHeaders(h http.Header, r *http.Request, requestID string) {
	client := r.Header.Get("client-request-id")
	if client == "" || len(client) > 200 {
		client = requestID
	}
	h.Set("request-id", requestID)
	h.Set("client-request-id", client)
	h.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"002","RoleInstance":"AM2PEPF0001BE03"}}`)
	h.Set("Cache-Control", "no-cache")
	h.Set("Strict-Transport-Security", "max-age=31536000")
}

func contextWith(ctx context.Context, id identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}
