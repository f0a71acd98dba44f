package entra

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"github.com/workfs/workfs/backends/sim/core"
)

// failure is an error of the token endpoint, or of a page.
type failure struct {
	code     string // OAuth error
	aadsts   int
	text     string
	suberror string
}

func missing(parameter string) *failure { return say(900144, "name", parameter) }

// unknownApp is the answer to a client id that nobody registered.
func unknownApp(id, tenant string) *failure {
	return &failure{"unauthorized_client", 700016, fmt.Sprintf("Application with identifier '%s' was not found in the directory '%s'. "+
		"This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. "+
		"You may have sent your authentication request to the wrong tenant.", id, tenant), ""}
}

// reported is a failure as it is told: with the ids and the time that a support engineer asks for.
type reported struct {
	*failure
	Message            string // "AADSTS…: …", one line
	Description        string // Message and the three lines below it
	Trace, Correlation string
	Stamp              string
	URI                string
}

// unknown are the places in texts for which an answer has no value, as when a switch forces a number.
var unknown = regexp.MustCompile(`\{(app|appname|from|idp|mode|name|now|reason|scope|state|until|uri|wanted)\}`)

// report prepares a failure for an answer; app may be nil.
func (s *Service) report(r *core.Request, f *failure, app *App) reported {
	if app != nil {
		f.app(app)
	}
	f.text = unknown.ReplaceAllString(strings.NewReplacer("{resource}", GraphAppID, "{tenant}", s.company.Name).Replace(f.text), "")
	out := reported{failure: f, Trace: uuid.NewString(), Correlation: r.Header.Get("client-request-id"), Stamp: s.world.Clock.Now().Format("2006-01-02 15:04:05Z")}
	if out.Correlation == "" || len(out.Correlation) > 100 {
		out.Correlation = uuid.NewString()
	}
	out.Message = fmt.Sprintf("AADSTS%d: %s", f.aadsts, f.text)
	out.Description = fmt.Sprintf("%s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s", out.Message, out.Trace, out.Correlation, out.Stamp)
	out.URI = fmt.Sprintf("%s/error?code=%d", s.world.Hosts.Login, f.aadsts)
	return out
}

// fail answers with the full Entra error body; app may be nil.
func (s *Service) fail(r *core.Request, f *failure, app *App) {
	status := http.StatusBadRequest
	if f.code == "invalid_client" {
		status = s.world.Switches.Int("entra.invalid_client_status")
	}
	told := s.report(r, f, app)
	body := map[string]any{
		"error": f.code, "error_description": told.Description, "error_codes": []int{f.aadsts}, "timestamp": told.Stamp,
		"trace_id": told.Trace, "correlation_id": told.Correlation, "error_uri": told.URI,
	}
	if f.aadsts == 0 { // an error that Entra has no number for
		delete(body, "error_codes")
		delete(body, "error_uri")
		body["error_description"] = f.text
	}
	if f.code == "interaction_required" {
		body["error"] = s.world.Switches.String("entra.interaction_error")
	}
	if f.suberror != "" {
		body["suberror"] = f.suberror
	}
	if f.suberror == "basic_action" {
		// Observed with policies: the client passes this on in its next authorization request.
		body["claims"] = fmt.Sprintf(`{"access_token":{"capolids":{"essential":true,"values":[%q]}}}`, s.world.GUID("entra policy"))
	}
	r.W.Header().Set("x-ms-request-id", told.Trace)
	writeJSON(r.W, status, body)
}
