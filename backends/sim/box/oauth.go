package box

import (
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// oauthError is the error body of the token endpoint.
func oauthError(r *core.Request, code, description string) {
	respond(r, http.StatusBadRequest, object{{"error", code}, {"error_description", description}})
}

// grantFunc serves one grant type.
type grantFunc func(s *Server, r *core.Request, form url.Values)

var grantTypes = map[string]grantFunc{
	"client_credentials": (*Server).clientCredentials,
	"refresh_token":      (*Server).refreshToken,
}

// client checks the form of a token or revoke request and the client's credentials; on failure it answers and gives nil.
func (s *Server) client(r *core.Request) url.Values {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	r.Body = http.MaxBytesReader(r.W, r.Body, 64<<10)
	if media != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		oauthError(r, "invalid_request", "Invalid grant_type parameter or parameter missing")
		return nil
	}
	form := r.PostForm
	if form.Get("client_id") != s.opts.ClientID || form.Get("client_secret") != s.opts.ClientSecret {
		// Credentials in a Basic header are not looked at, so they end here too.
		oauthError(r, "invalid_client", "The client credentials are invalid")
		return nil
	}
	return form
}

func (s *Server) token(r *core.Request) {
	form := s.client(r)
	if form == nil {
		return
	}
	serve, ok := grantTypes[form.Get("grant_type")]
	if !ok {
		oauthError(r, "invalid_request", "Invalid grant_type parameter or parameter missing")
		return
	}
	serve(s, r, form)
}

func (s *Server) clientCredentials(r *core.Request, form url.Values) {
	if !s.w.Switches.Bool("box.app_authorized") {
		oauthError(r, "unauthorized_client", "This app is not authorized by the enterprise")
		return
	}
	u, err := s.subject(form)
	if err != nil {
		oauthError(r, err.code, err.message)
		return
	}
	s.grant(r, u, false)
}

// subject finds whom client credentials ask for.
func (s *Server) subject(form url.Values) (*user, *apiError) {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	var u *user
	switch id := form.Get("box_subject_id"); form.Get("box_subject_type") {
	case "enterprise":
		if id == s.store.ours.id {
			u = s.store.service
		}
	case "user":
		num, err := strconv.ParseUint(id, 10, 64)
		if u = s.store.userByID[num]; err == nil && u != nil && (u.service || !s.w.Switches.Bool("box.user_tokens")) {
			return nil, fail(http.StatusBadRequest, "invalid_request", "Cannot obtain user token based on the enterprise configuration for your app")
		}
		if u != nil && (u.enterprise != s.store.ours || u.status != "active") {
			u = nil
		}
	}
	if u == nil {
		return nil, fail(http.StatusBadRequest, "invalid_grant", "Grant credentials are invalid")
	}
	return u, nil
}

func (s *Server) refreshToken(r *core.Request, form url.Values) {
	u, why := s.tokens.spend(form.Get("refresh_token"))
	if u == nil {
		oauthError(r, "invalid_grant", why)
		return
	}
	if n := s.w.Switches.Int("box.drop_refresh"); n > 0 {
		// The old token is dead by now and the new one never arrives: what a client meets when its network fails then.
		_ = s.w.Switches.Set("box.drop_refresh", n-1)
		s.tokens.issue(u, s.scopes(), time.Hour, true)
		panic(http.ErrAbortHandler)
	}
	s.grant(r, u, true)
}

// grant answers with a new token of a user.
func (s *Server) grant(r *core.Request, u *user, withRefresh bool) {
	life := s.w.Switches.Int("box.token_seconds")
	if life == 0 {
		sum := s.w.Sum(u.login)
		life = 3600 + int(sum[0])*2 // real answers vary between 3600 and about 4200
	}
	s.hooks.revive(u)
	access, refresh := s.tokens.issue(u, s.scopes(), time.Duration(life)*time.Second, withRefresh)
	o := object{{"access_token", access}, {"expires_in", life}, {"restricted_to", []object{}}, {"token_type", "bearer"}}
	if withRefresh {
		o = append(o, member{"refresh_token", refresh})
	}
	r.W.Header().Set("Cache-Control", "no-store")
	respond(r, http.StatusOK, o)
}

// scopes are those of the app, which all its tokens get.
func (s *Server) scopes() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(s.w.Switches.String("box.scopes")) {
		m[name] = true
	}
	return m
}

func (s *Server) revoke(r *core.Request) {
	form := s.client(r)
	if form == nil {
		return
	}
	s.tokens.revoke(form.Get("token"))
	r.W.WriteHeader(http.StatusOK)
}
