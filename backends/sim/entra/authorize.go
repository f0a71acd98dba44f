package entra

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/workfs/workfs/backends/sim/core"
)

// Values of prompt. admin_consent belongs to the v1 endpoint; that v2 refuses it is a guess.
const (
	promptNone    = "none"
	promptLogin   = "login"
	promptConsent = "consent"
	promptSelect  = "select_account"
)

// authorization is a request to the authorize endpoint (v2-oauth2-auth-code-flow.md).
type authorization struct {
	redirect  redirect // as registered
	uri       string   // as sent
	mode      string   // query, fragment or form_post
	state     string
	hasState  bool
	nonce     string
	challenge string
	method    string // of the challenge
	claims    string
}

// authorize serves GET /{tenant}/oauth2/v2.0/authorize.
func (s *Service) authorize(r *core.Request) {
	r.Body = http.MaxBytesReader(r.W, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.errorPage(r, say(9002313), nil)
		return
	}
	segment := r.Param("tenant")
	if problem := s.checkTenant(segment); problem != nil {
		s.errorPage(r, problem, nil)
		return
	}
	app, problem := s.checkApp(r.Form.Get("client_id"), segment)
	if problem != nil {
		s.errorPage(r, problem, app)
		return
	}
	a := &authorization{uri: r.Form.Get("redirect_uri")}
	// Nothing is ever sent to an address that is not registered.
	if a.redirect, problem = s.checkRedirect(app, a.uri); problem != nil {
		s.errorPage(r, problem, app)
		return
	}
	if a.uri == "" {
		a.uri = s.absolute(a.redirect.URI)
	}
	want, problem := s.readAuthorization(r, app, a)
	f := &flow{tenant: segment, app: app, want: want, errand: a, prompt: r.Form.Get("prompt"), hint: r.Form.Get("login_hint")}
	if problem != nil {
		a.refuse(s, r, f, problem)
		return
	}
	s.proceed(r, s.startFlow(r, f))
}

// checkRedirect finds the registration of a redirect URI. The only one may be left out.
func (s *Service) checkRedirect(app *App, uri string) (redirect, *failure) {
	if uri == "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(app.redirects) == 1 {
			return app.redirects[0], nil
		}
		return redirect{}, say(900971)
	}
	reg, ok := s.match(app, uri)
	if !ok {
		return reg, say(50011, "uri", uri)
	}
	return reg, nil
}

// readAuthorization reads the parameters whose mistakes the client is told of.
func (s *Service) readAuthorization(r *core.Request, app *App, a *authorization) (wanted, *failure) {
	q := r.Form
	a.state, a.hasState, a.nonce, a.claims = q.Get("state"), q.Has("state"), q.Get("nonce"), q.Get("claims")
	a.challenge, a.method = q.Get("code_challenge"), q.Get("code_challenge_method")
	a.mode = q.Get("response_mode")
	problem := func() *failure {
		switch a.mode {
		case "", "query", "fragment", "form_post":
		default:
			mode := a.mode
			a.mode = ""
			return say(70007, "mode", mode)
		}
		switch types := strings.Fields(q.Get("response_type")); {
		case len(types) == 0:
			return missing("response_type")
		case slices.Contains(types, "id_token"):
			return say(700054)
		case len(types) != 1 || types[0] != "code":
			return say(70005)
		}
		if strings.TrimSpace(q.Get("scope")) == "" {
			return missing("scope")
		}
		switch q.Get("prompt") {
		case "", promptNone, promptLogin, promptConsent, promptSelect:
		default:
			return say(90023)
		}
		if q.Get("prompt") == promptSelect && q.Get("login_hint") != "" {
			return say(90005)
		}
		if a.claims != "" && !json.Valid([]byte(a.claims)) {
			return say(9002313) // a guess
		}
		return a.checkChallenge()
	}()
	if problem != nil {
		return wanted{}, problem
	}
	want, problem := s.parseScopes(q.Get("scope"))
	if problem == nil {
		problem = want.exist(app)
	}
	return want, problem
}

// checkChallenge checks the parameters of PKCE (RFC 7636). A method that is left out is plain.
func (a *authorization) checkChallenge() *failure {
	if a.challenge == "" {
		switch {
		case a.method != "":
			return say(50147)
		case a.redirect.Platform == platformSPA:
			return say(9002325)
		}
		return nil
	}
	switch a.method {
	case "":
		a.method = "plain"
	case "plain", "S256":
	default:
		return say(501491) // a guess: the number for an unknown method is not documented
	}
	if len(a.challenge) < 43 || len(a.challenge) > 128 || a.method == "S256" && len(a.challenge) != 43 {
		return say(501491)
	}
	return nil
}

func (a *authorization) begin(*Service, *core.Request, *flow) bool { return false }

// done sends the client a code.
func (a *authorization) done(s *Service, r *core.Request, f *flow) {
	code := s.newCode(f, a)
	a.answer(s, r, url.Values{"code": {code}, "session_state": {s.world.GUID("session " + f.browser)}})
}

func (a *authorization) refuse(s *Service, r *core.Request, f *flow, p *failure) {
	told := s.report(r, p, f.app)
	v := url.Values{"error": {p.code}, "error_description": {told.Description}, "error_uri": {told.URI}}
	if p.aadsts == 65004 {
		v.Set("error_subcode", "cancel")
	}
	a.answer(s, r, v)
}

// answer sends the browser back to the client.
func (a *authorization) answer(s *Service, r *core.Request, v url.Values) {
	if a.hasState {
		v.Set("state", a.state)
	}
	if a.mode == "form_post" {
		s.postPage(r, a.uri, v)
		return
	}
	r.W.Header().Set("Cache-Control", "no-store, no-cache")
	http.Redirect(r.W, r.Request, redirectPlace(a.uri, v, a.mode == "fragment"), http.StatusFound)
}
