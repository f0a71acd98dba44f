package entra

import (
	"net/http"

	"github.com/workfs/workfs/backends/sim/core"
)

// logout serves GET and POST /{tenant}/oauth2/v2.0/logout: the browser's sessions end. It goes to an address only that some
// application registered (v2-protocols-oidc.md).
func (s *Service) logout(r *core.Request) {
	r.Body = http.MaxBytesReader(r.W, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.errorPage(r, say(9002313), nil)
		return
	}
	if problem := s.checkTenant(r.Param("tenant")); problem != nil {
		s.errorPage(r, problem, nil)
		return
	}
	if c, err := r.Cookie(browserCookie); err == nil {
		s.mu.Lock()
		delete(s.browsers, c.Value)
		s.mu.Unlock()
	}
	http.SetCookie(r.W, &http.Cookie{Name: browserCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode})
	if uri := r.Form.Get("post_logout_redirect_uri"); uri != "" {
		for _, app := range s.Applications() {
			if _, ok := s.match(app, uri); ok {
				http.Redirect(r.W, r.Request, uri, http.StatusFound)
				return
			}
		}
	}
	s.noticePage(r, "You signed out of your account", "It's a good idea to close all browser windows.")
}
