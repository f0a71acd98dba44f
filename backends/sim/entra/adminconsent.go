package entra

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/workfs/workfs/backends/sim/core"
)

// adminConsent is a request for an administrator's consent on behalf of everyone (v2-admin-consent.md).
type adminConsent struct {
	v2       bool
	uri      string
	state    string
	hasState bool
	roles    []string
}

// adminConsentV2 serves GET /{tenant}/v2.0/adminconsent.
func (s *Service) adminConsentV2(r *core.Request) { s.askAdmin(r, true) }

// adminConsentV1 serves GET /{tenant}/adminconsent, which grants all that the application registered.
func (s *Service) adminConsentV1(r *core.Request) { s.askAdmin(r, false) }

func (s *Service) askAdmin(r *core.Request, v2 bool) {
	q, segment := r.URL.Query(), r.Param("tenant")
	problem := s.checkTenant(segment)
	if problem == nil && v2 && strings.EqualFold(segment, "common") {
		problem = say(50059) // the page is not for common; the number is a guess
	}
	var app *App
	if problem == nil {
		app, problem = s.checkApp(q.Get("client_id"), segment)
	}
	a := &adminConsent{v2: v2, uri: q.Get("redirect_uri"), state: q.Get("state"), hasState: q.Has("state")}
	if problem == nil {
		var reg redirect
		if reg, problem = s.checkRedirect(app, a.uri); a.uri == "" {
			a.uri = s.absolute(reg.URI)
		}
	}
	if problem != nil {
		s.errorPage(r, problem, app)
		return
	}
	f := &flow{tenant: segment, app: app, errand: a}
	f.want, a.roles, problem = s.adminScopes(app, v2, q.Get("scope"))
	if problem != nil {
		a.refuse(s, r, f, problem)
		return
	}
	s.proceed(r, s.startFlow(r, f))
}

// adminScopes gives what an administrator is asked for: everything registered with .default and on the older page, else
// the delegated permissions that are named.
func (s *Service) adminScopes(app *App, v2 bool, raw string) (wanted, []string, *failure) {
	if !v2 {
		return wanted{audience: GraphAudience, names: app.Scopes}, app.Roles, nil
	}
	if strings.TrimSpace(raw) == "" {
		return wanted{}, nil, missing("scope")
	}
	w, problem := s.parseScopes(raw)
	if problem == nil {
		problem = w.exist(app)
	}
	if problem != nil || !w.all {
		return w, nil, problem
	}
	w.names = app.Scopes
	return w, app.Roles, nil
}

// begin shows the consent page, to an administrator alone. Its answer comes to answerAdmin.
func (a *adminConsent) begin(s *Service, r *core.Request, f *flow) bool {
	if !f.user.admin {
		s.adminNeededPage(r, f)
		return true
	}
	p := s.page(f, "Permissions requested")
	p.Base += "/adminconsent"
	p.Notice = "This app would like to, for all users in your organization:"
	p.Scopes = describe(f.want.names)
	for _, role := range a.roles {
		p.Scopes = append(p.Scopes, words{role, role + ", without a signed-in user"})
	}
	s.show(r, http.StatusOK, "adminConsent", p)
	return true
}

// answerAdmin serves POST /{tenant}/adminconsent: the buttons of the page.
func (s *Service) answerAdmin(r *core.Request) {
	f := s.resume(r)
	if f == nil || !s.known(r, f) {
		return
	}
	a, ok := f.errand.(*adminConsent)
	if !ok || !f.user.admin {
		s.errorPage(r, say(165000), f.app)
		return
	}
	s.endFlow(f)
	if r.PostForm.Get("action") != "accept" {
		a.refuse(s, r, f, say(65004))
		return
	}
	s.agree(f.app, "", true, f.want.names)
	s.agreeRoles(f.app, a.roles)
	a.done(s, r, f)
}

func (a *adminConsent) done(s *Service, r *core.Request, f *flow) {
	v := url.Values{"admin_consent": {"True"}, "tenant": {s.company.TenantID}}
	if a.v2 {
		var scopes []string
		for _, name := range slices.Concat(f.want.names, a.roles) {
			scopes = appendNew(scopes, f.want.audience+"/"+name)
		}
		v.Set("scope", strings.Join(scopes, " "))
	}
	a.answer(r, v)
}

// refuse sends the client the error: of the newer page with admin_consent=True all the same.
func (a *adminConsent) refuse(s *Service, r *core.Request, f *flow, p *failure) {
	consent := p.aadsts == 65004 || p.aadsts == 90094
	told := s.report(r, p, f.app)
	v := url.Values{"error": {p.code}, "error_description": {told.Description}}
	switch {
	case consent && a.v2:
		v.Set("error", "consent_required")
	case consent:
		v.Set("error", "permission_denied")
	}
	if a.v2 {
		v.Set("admin_consent", "True")
		v.Set("tenant", s.company.TenantID)
	}
	a.answer(r, v)
}

func (a *adminConsent) answer(r *core.Request, v url.Values) {
	if a.hasState {
		v.Set("state", a.state)
	}
	r.W.Header().Set("Cache-Control", "no-store, no-cache")
	http.Redirect(r.W, r.Request, redirectPlace(a.uri, v, false), http.StatusFound)
}
