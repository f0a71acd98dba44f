package entra

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

//go:embed pages/pages.html
var pagesHTML string

var pages = template.Must(template.New("").Parse(pagesHTML))

// page is what the templates show.
type page struct {
	Title, Tenant string
	App, User     string
	Base          string // address that forms are sent to, before their own name
	Flow          string
	Hint          string
	Field         string // where the mistake is: user or password
	Told          *told
	Notice        string
	Accounts      []*company.Person
	Scopes        []words
	Admin         bool
}

// told is a failure on a page.
type told struct {
	Number                             int
	Message, Trace, Correlation, Stamp string
}

// words are a permission, or a value of a form, and what it says.
type words struct{ Name, Words string }

// show answers with a page.
func (s *Service) show(r *core.Request, status int, name string, data any) {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, data); err != nil {
		panic("making a page: " + err.Error())
	}
	h := r.W.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	r.W.WriteHeader(status)
	_, _ = r.W.Write(body.Bytes())
}

// page fills what all pages of a flow have.
func (s *Service) page(f *flow, title string) page {
	p := page{Title: title, Tenant: s.company.Name, Flow: f.token, Hint: f.hint, Base: "/" + url.PathEscape(f.tenant)}
	if f.app != nil {
		p.App = f.app.Name
	}
	if f.user != nil {
		p.User = f.user.person.UPN
	}
	return p
}

func (s *Service) tell(r *core.Request, f *failure, app *App) *told {
	x := s.report(r, f, app)
	return &told{f.aadsts, x.Message, x.Trace, x.Correlation, x.Stamp}
}

// errorPage shows a failure that the client is not told of. That its status is 400 is a guess.
func (s *Service) errorPage(r *core.Request, f *failure, app *App) {
	s.show(r, http.StatusBadRequest, "error", page{
		Title: "Sorry, but we're having trouble signing you in.", Tenant: s.company.Name, Told: s.tell(r, f, app),
	})
}

// loginPage asks for a user name and a password, and tells what was wrong with the last ones. It gives false.
func (s *Service) loginPage(r *core.Request, f *flow, problem *failure) bool {
	p := s.page(f, "Sign in")
	if problem != nil {
		p.Told, p.Field = s.tell(r, problem, f.app), "password"
		if problem.aadsts == 50034 {
			p.Field = "user"
		}
	}
	s.show(r, http.StatusOK, "login", p)
	return false
}

// pickerPage asks which of the accounts that are signed in shall be used. It gives false.
func (s *Service) pickerPage(r *core.Request, f *flow, list []session) bool {
	p := s.page(f, "Pick an account")
	for _, x := range list {
		p.Accounts = append(p.Accounts, x.user.person)
	}
	s.show(r, http.StatusOK, "picker", p)
	return false
}

// consentPage asks for the user's consent to permissions.
func (s *Service) consentPage(r *core.Request, f *flow, names []string) {
	p := s.page(f, "Permissions requested")
	p.Admin, p.Scopes = f.user.admin, describe(names)
	// The first consent covers this one too, asked for or not (permissions-consent-overview.md).
	for _, name := range appendNew(slices.Clone(f.want.oidc), "offline_access") {
		p.Scopes = append(p.Scopes, words{name, oidcWords[name]})
	}
	s.show(r, http.StatusOK, "consent", p)
}

func describe(names []string) []words {
	var list []words
	for _, name := range names {
		p, ok := known(name)
		if !ok {
			p.words = name
		}
		list = append(list, words{name, p.words})
	}
	return list
}

// adminNeededPage tells a user that only an administrator can consent.
func (s *Service) adminNeededPage(r *core.Request, f *flow) {
	p := s.page(f, "Need admin approval")
	p.Told = s.tell(r, say(90094), f.app)
	s.show(r, http.StatusOK, "adminNeeded", p)
}

// noticePage ends a flow that leads nowhere else.
func (s *Service) noticePage(r *core.Request, title, text string) {
	s.show(r, http.StatusOK, "notice", page{Title: title, Tenant: s.company.Name, Notice: text})
}

// postPage has the browser post values to the client (OAuth 2.0 Form Post Response Mode).
func (s *Service) postPage(r *core.Request, action string, v url.Values) {
	data := struct {
		Action template.URL // registered, so it is safe to go there
		Values []words
	}{Action: template.URL(action)} //nolint:gosec // see above
	for name := range v {
		data.Values = append(data.Values, words{name, v.Get(name)})
	}
	slices.SortFunc(data.Values, func(a, b words) int { return strings.Compare(a.Name, b.Name) })
	s.show(r, http.StatusOK, "post", data)
}
