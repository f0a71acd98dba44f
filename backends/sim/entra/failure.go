package entra

import (
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/workfs/workfs/backends/sim/core"
)

// failure is an error of the token endpoint.
type failure struct {
	code     string // OAuth error
	aadsts   int
	text     string
	suberror string
}

func missing(parameter string) *failure {
	return &failure{"invalid_request", 900144, "The request body must contain the following parameter: '" + parameter + "'.", ""}
}

// refreshTexts are the reasons why a refresh token is refused.
var refreshTexts = map[int]string{
	50057:   "The user account is disabled.",
	50076:   "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource.",
	50079:   "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access the resource.",
	50173:   "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.",
	65001:   "The user or administrator has not consented to use the application.",
	70000:   "Provided grant is invalid or malformed.",
	70008:   "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.",
	70043:   "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access.",
	700082:  "The refresh token has expired due to inactivity.",
	9002313: "Invalid request. Request is malformed or invalid.",
}

func refreshFailure(code int) *failure {
	text := refreshTexts[code]
	if text == "" {
		text = "The provided grant is no longer valid."
	}
	f := &failure{"invalid_grant", code, text, ""}
	switch code {
	case 50076, 50079:
		f.code, f.suberror = "interaction_required", "basic_action"
	case 65001:
		f.suberror = "consent_required"
	case 70043, 50173, 700082, 9002313:
		f.suberror = "bad_token"
	}
	return f
}

// fail answers with the full Entra error body.
func (s *Service) fail(r *core.Request, f *failure) {
	status := http.StatusBadRequest
	if f.code == "invalid_client" {
		status = s.world.Switches.Int("entra.invalid_client_status")
	}
	trace, correlation := uuid.NewString(), r.Header.Get("client-request-id")
	if correlation == "" || len(correlation) > 100 {
		correlation = uuid.NewString()
	}
	stamp := s.world.Clock.Now().Format("2006-01-02 15:04:05Z")
	body := map[string]any{
		"error": f.code,
		"error_description": fmt.Sprintf("AADSTS%d: %s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s",
			f.aadsts, f.text, trace, correlation, stamp),
		"error_codes": []int{f.aadsts}, "timestamp": stamp, "trace_id": trace, "correlation_id": correlation,
		"error_uri": fmt.Sprintf("%s/error?code=%d", s.world.Hosts.Login, f.aadsts),
	}
	if f.suberror != "" {
		body["suberror"] = f.suberror
	}
	r.W.Header().Set("x-ms-request-id", trace)
	writeJSON(r.W, status, body)
}
