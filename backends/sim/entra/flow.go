package entra

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// flowLifetime is how long a page may be left open (its true length is not documented; afterwards 50089).
const flowLifetime = time.Hour

// browserCookie tells browsers apart. It carries the sessions, and pages are only answered from the browser that they were
// shown in.
const browserCookie = "ESTSAUTHPERSISTENT"

// flow is one person's way through the pages: who, then whether that account may, then consent, then the errand.
type flow struct {
	token   string // in every form; with the browser's cookie it keeps forged requests out
	browser string
	born    time.Time
	tenant  string // segment as sent
	app     *App
	want    wanted
	prompt  string
	hint    string
	errand  errand

	user      *account // once chosen
	signed    time.Time
	asked     []string // the permissions on the consent page
	confirmed bool     // that the person means to sign in on the device
}

// errand is what a person signs in for.
type errand interface {
	// begin may ask for more, now that the account is known. It reports whether it showed a page.
	begin(s *Service, r *core.Request, f *flow) bool
	// done ends the flow: the user is known and has consented.
	done(s *Service, r *core.Request, f *flow)
	// refuse ends the flow with an error for the client.
	refuse(s *Service, r *core.Request, f *flow, p *failure)
}

// session is one account that is signed in to a browser.
type session struct {
	user *account
	at   time.Time
}

// startFlow begins a flow in the browser of a request.
func (s *Service) startFlow(r *core.Request, f *flow) *flow {
	f.token, f.born = s.random(32), s.world.Clock.Now()
	f.browser = s.browser(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, old := range s.flows {
		if s.world.Clock.Now().Sub(old.born) > flowLifetime {
			delete(s.flows, token)
		}
	}
	s.flows[f.token] = f
	return f
}

// browser gives the id of the browser, and a new one its cookie.
func (s *Service) browser(r *core.Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, err := r.Cookie(browserCookie); err == nil {
		if _, ok := s.browsers[c.Value]; ok {
			return c.Value
		}
	}
	id := s.random(32)
	s.browsers[id] = nil
	http.SetCookie(r.W, &http.Cookie{Name: browserCookie, Value: id, Path: "/", HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode})
	return id
}

// resume finds the flow that a form belongs to, or shows why there is none.
func (s *Service) resume(r *core.Request) *flow {
	r.Body = http.MaxBytesReader(r.W, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.errorPage(r, say(9002313), nil)
		return nil
	}
	browser := ""
	if c, err := r.Cookie(browserCookie); err == nil {
		browser = c.Value
	}
	s.mu.Lock()
	f := s.flows[r.PostForm.Get("flowToken")]
	s.mu.Unlock()
	switch {
	case f == nil || f.browser != browser:
		s.errorPage(r, say(165000), nil)
	case s.world.Clock.Now().Sub(f.born) > flowLifetime:
		s.errorPage(r, say(50089), f.app)
	default:
		return f
	}
	return nil
}

// endFlow forgets a flow: its forms can be sent once only. It reports whether it was still there.
func (s *Service) endFlow(f *flow) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.flows[f.token]
	delete(s.flows, f.token)
	return ok
}

// sessions gives the accounts that are signed in to a browser.
func (s *Service) sessions(browser string) []session {
	s.mu.Lock()
	list := slices.Clone(s.browsers[browser])
	s.mu.Unlock()
	return slices.DeleteFunc(list, func(x session) bool { return s.alive(x.user, x.at, true) != nil })
}

// signIn remembers that an account is signed in to a browser.
func (s *Service) signIn(browser string, a *account) session {
	x := session{a, s.world.Clock.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(s.browsers[browser]), func(old session) bool { return old.user == a })
	s.browsers[browser] = append(list, x)
	return x
}

// proceed shows the next page of a flow or ends it.
func (s *Service) proceed(r *core.Request, f *flow) {
	if f.user == nil && !s.choose(r, f) {
		return
	}
	if problem := s.mayUse(f); problem != nil {
		if f.prompt == promptNone {
			s.endFlow(f)
			f.errand.refuse(s, r, f, problem)
			return
		}
		s.errorPage(r, problem, f.app)
		return
	}
	if f.errand.begin(s, r, f) || !s.consentTo(r, f) {
		return
	}
	s.endFlow(f)
	f.errand.done(s, r, f)
}

// choose finds the account among those signed in, or asks. It reports whether there is one.
func (s *Service) choose(r *core.Request, f *flow) bool {
	silent := f.prompt == promptNone
	refuse := func(code int) bool {
		s.endFlow(f)
		f.errand.refuse(s, r, f, say(code))
		return false
	}
	list := s.sessions(f.browser)
	switch f.prompt {
	case promptLogin:
		return s.loginPage(r, f, nil)
	case promptSelect:
		if len(list) == 0 {
			return s.loginPage(r, f, nil)
		}
		return s.pickerPage(r, f, list)
	}
	if f.hint != "" {
		list = slices.DeleteFunc(list, func(x session) bool {
			return !strings.EqualFold(x.user.person.UPN, f.hint) && !strings.EqualFold(x.user.person.Mail, f.hint)
		})
	}
	switch {
	case len(list) == 1:
		f.user, f.signed = list[0].user, list[0].at
		return true
	case len(list) == 0 && silent:
		return refuse(50058)
	case silent:
		return refuse(16000)
	case len(list) == 0:
		return s.loginPage(r, f, nil)
	}
	return s.pickerPage(r, f, list)
}

// mayUse tells why an account cannot sign in to the application. There is one tenant here, so accounts of others can
// never; guests can when they name it.
func (s *Service) mayUse(f *flow) *failure {
	a := f.user
	guest := strings.Contains(a.person.UPN, "#EXT#")
	if a.tenant != s.company.TenantID || guest && shared(f.tenant) {
		idp := "https://sts.windows.net/" + a.tenant + "/"
		if guest {
			idp = "mail"
		}
		return say(50020, "name", a.person.Mail, "idp", idp, "tenant", s.company.Name)
	}
	if code := s.world.Switches.Int("entra.signin_error"); code != 0 {
		return say(code, "name", a.person.UPN)
	}
	return nil
}

// login serves POST /{tenant}/login: the user name and password, or an account picked.
func (s *Service) login(r *core.Request) {
	f := s.resume(r)
	if f == nil {
		return
	}
	if picked, ok := r.PostForm["account"]; ok {
		s.pick(r, f, picked[0])
		return
	}
	name := r.PostForm.Get("loginfmt")
	f.hint = name
	a, problem := s.checkPassword(name, r.PostForm.Get("passwd"))
	if problem != nil {
		s.loginPage(r, f, problem)
		return
	}
	x := s.signIn(f.browser, a)
	f.user, f.signed = x.user, x.at
	s.proceed(r, f)
}

// pick takes an account that is signed in, or goes to the sign-in page for another.
func (s *Service) pick(r *core.Request, f *flow, name string) {
	for _, x := range s.sessions(f.browser) {
		if strings.EqualFold(x.user.person.UPN, name) {
			f.user, f.signed = x.user, x.at
			s.proceed(r, f)
			return
		}
	}
	f.user, f.hint = nil, name
	s.loginPage(r, f, nil)
}

// consentTo makes sure that the user's consent is there, or asks. It reports whether the flow can go on.
func (s *Service) consentTo(r *core.Request, f *flow) bool {
	have := s.delegated(f.app, f.user.person.ID)
	names := f.want.names
	if f.want.all {
		names = f.app.Scopes
	}
	if len(have) == 0 {
		names = appendNew(slices.Clone(names), "User.Read") // always part of the first consent (permissions-consent-overview.md)
	}
	lacking := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(have, n) })
	ask := lacking
	if f.prompt == promptConsent {
		ask = names
	}
	switch {
	case len(ask) == 0 || len(lacking) == 0 && f.prompt != promptConsent:
		return true
	case f.prompt == promptNone:
		s.endFlow(f)
		f.errand.refuse(s, r, f, say(65001).as("consent_required").app(f.app))
	case !f.user.admin && s.needAdmin(lacking):
		s.adminNeededPage(r, f)
	default:
		f.asked = ask
		s.consentPage(r, f, ask)
	}
	return false
}

// needAdmin reports whether only an administrator can consent to one of the permissions.
func (s *Service) needAdmin(names []string) bool {
	if len(names) > 0 && !s.world.Switches.Bool("entra.user_consent") {
		return true
	}
	more := strings.Fields(s.world.Switches.String("entra.admin_scopes"))
	return slices.ContainsFunc(names, func(name string) bool {
		p, ok := known(name)
		return !ok || p.admin || slices.Contains(more, name)
	})
}

// answerConsent serves POST /{tenant}/consent: the buttons of the pages that ask for consent or tell that it lacks.
func (s *Service) answerConsent(r *core.Request) {
	f := s.resume(r)
	if f == nil || !s.known(r, f) {
		return
	}
	switch r.PostForm.Get("action") {
	case "accept":
		s.agree(f.app, f.user.person.ID, f.user.admin && r.PostForm.Get("onBehalfOfOrganization") != "", f.asked)
		if f.prompt == promptConsent {
			f.prompt = ""
		}
		s.proceed(r, f)
	case "other": // sign in with an account that is an administrator's
		f.user, f.hint = nil, ""
		s.loginPage(r, f, nil)
	case "return":
		s.endFlow(f)
		f.errand.refuse(s, r, f, say(90094).as("access_denied").app(f.app))
	default:
		s.endFlow(f)
		f.errand.refuse(s, r, f, say(65004).as("access_denied"))
	}
}

// known makes sure that the account of a flow has been chosen.
func (s *Service) known(r *core.Request, f *flow) bool {
	if f.user == nil || f.errand == nil {
		s.errorPage(r, say(165000), f.app)
		return false
	}
	return true
}
