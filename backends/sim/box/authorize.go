package box

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

const (
	authorizePath = "/api/oauth2/authorize"
	sessionCookie = "z" // Box's own name for it
)

// accountRoutes are the pages that a browser visits.
func (s *Server) accountRoutes() {
	s.account.Handle("GET "+authorizePath, s.numbered(s.authorizePage))
	s.account.Handle("POST "+authorizePath, s.numbered(s.authorizeForm))
}

// sessions are the browsers that came to the account host; a nil user has not signed in yet.
type sessions struct {
	mu sync.Mutex
	m  map[string]*user
}

// begin makes a session and gives its cookie's value.
func (b *sessions) begin(u *user) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.m == nil {
		b.m = map[string]*user{}
	}
	id := randomText(32)
	b.m[id] = u
	return id
}

// of finds the session of a request.
func (b *sessions) of(r *core.Request) (id string, u *user) {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	u, ok := b.m[c.Value]
	if !ok {
		return "", nil
	}
	return c.Value, u
}

// end forgets a session.
func (b *sessions) end(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.m, id)
}

// enter begins a session and sets its cookie.
func (s *Server) enter(r *core.Request, u *user) string {
	id := s.sessions.begin(u)
	http.SetCookie(r.W, &http.Cookie{
		Name: sessionCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(s.w.Hosts.BoxAccount, "https:"),
	})
	return id
}

// formToken ties a form to the browser that it was shown to, so that no other site can post it.
func (s *Server) formToken(session string) string {
	m := hmac.New(sha256.New, s.key[:])
	m.Write([]byte("form " + session))
	return hex.EncodeToString(m.Sum(nil))
}

// authorization is one request to authorise an app.
type authorization struct {
	app       *app
	redirect  string
	ambiguous bool            // the app has several redirect URIs and the request names none
	scopes    map[string]bool // nil for all
	state     string
	hasState  bool
}

// authorization reads the query of a request; on failure it answers, with an error page as long as nobody vouches for the
// redirect URI, and gives nil. Parameters that Box does not know are ignored, those of PKCE among them.
func (s *Server) authorization(r *core.Request) *authorization {
	q := r.URL.Query()
	a := s.appOf(q.Get("client_id"))
	if a == nil || !slices.Contains(a.grants, grantCode) {
		s.errorPage(r, "invalid_client", "The client_id of this link belongs to no application that people can grant access to.")
		return nil
	}
	to, ambiguous, ok := a.redirect(q.Get("redirect_uri"))
	if !ok {
		s.errorPage(r, "redirect_uri_mismatch", "The redirect_uri of this link is none of those that the application is configured with.")
		return nil
	}
	in := &authorization{app: a, redirect: to, ambiguous: ambiguous, state: q.Get("state"), hasState: q.Has("state")}
	// What Box answers to these two is not documented; the codes are those of RFC 6749, 4.1.2.1.
	if q.Get("response_type") != "code" {
		s.sendBack(r, in, url.Values{"error": {"unsupported_response_type"}, "error_description": {"response_type must be code"}})
		return nil
	}
	if text := q.Get("scope"); text != "" {
		in.scopes = scopeSet(text)
		if len(s.inForce(in.scopes)) < len(in.scopes) {
			s.sendBack(r, in, url.Values{"error": {"invalid_scope"}, "error_description": {"The application is not configured for a scope that was requested"}})
			return nil
		}
	}
	return in
}

// sendBack sends the browser to the app with an answer.
func (s *Server) sendBack(r *core.Request, in *authorization, answer url.Values) {
	if in.ambiguous {
		// Only now, after the user's decision (reference of GET /authorize).
		s.errorPage(r, "redirect_uri_missing", "The application has several redirect URIs and this link names none of them.")
		return
	}
	u, err := url.Parse(in.redirect)
	if err != nil {
		s.errorPage(r, "redirect_uri_mismatch", "The redirect_uri of this link is no URL.")
		return
	}
	if in.hasState {
		answer.Set("state", in.state)
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += answer.Encode()
	r.W.Header().Set("Location", u.String())
	r.W.WriteHeader(http.StatusFound)
}

// authorizePage shows the sign-in page, or the consent page to a browser that is signed in.
func (s *Server) authorizePage(r *core.Request) {
	in := s.authorization(r)
	if in == nil {
		return
	}
	session, u := s.sessions.of(r)
	if session == "" {
		session = s.enter(r, nil)
	}
	if u == nil {
		s.loginPage(r, session, in, "")
		return
	}
	s.consentPage(r, session, in, u)
}

// authorizeForm takes what the pages post: they do so to their own address, so the request is in the query again.
func (s *Server) authorizeForm(r *core.Request) {
	in := s.authorization(r)
	if in == nil {
		return
	}
	r.Body = http.MaxBytesReader(r.W, r.Body, 64<<10)
	session, u := s.sessions.of(r)
	if session == "" || r.ParseForm() != nil || !hmac.Equal([]byte(r.PostForm.Get("request_token")), []byte(s.formToken(session))) {
		s.errorPage(r, "invalid_request_token", "This page has expired. Please go back to the application and start again.")
		return
	}
	form := r.PostForm
	switch {
	case form.Has("consent_reject") && u != nil:
		s.sendBack(r, in, url.Values{"error": {"access_denied"}, "error_description": {"The user denied access to your application"}})
	case form.Has("consent_accept") && u != nil:
		if in.ambiguous {
			s.sendBack(r, in, nil)
			return
		}
		s.sendBack(r, in, url.Values{"code": {s.codes.issue(consent{app: in.app, user: u, scopes: in.scopes, redirect: in.redirect})}})
	case form.Has("login"):
		who := s.login(form.Get("login"), form.Get("password"))
		if who == nil {
			s.loginPage(r, session, in, form.Get("login"))
			return
		}
		// A new session, so that whoever planted the old cookie is not signed in with it.
		s.sessions.end(session)
		s.enter(r, who)
		r.W.Header().Set("Location", r.URL.RequestURI())
		r.W.WriteHeader(http.StatusFound)
	default:
		s.authorizePage(r)
	}
}

// login checks a password: people have one, accounts that belong to apps do not, and inactive ones get in no more.
func (s *Server) login(login, password string) *user {
	u := s.userOf(strings.TrimSpace(login))
	if u == nil || password != company.Password {
		return nil
	}
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	if u.service || u.appUser || u.status == "inactive" {
		return nil
	}
	return u
}
