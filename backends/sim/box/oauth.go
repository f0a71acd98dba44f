package box

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// oauthError is the error body of the token endpoint.
func oauthError(r *core.Request, code, description string) {
	respond(r, http.StatusBadRequest, object{{"error", code}, {"error_description", description}})
}

// grantFunc serves one grant type for an app whose credentials are right.
type grantFunc func(s *Server, r *core.Request, a *app, form url.Values)

var grantTypes = map[string]grantFunc{
	grantCode:    (*Server).authorizationCode,
	grantRefresh: (*Server).refreshToken,
	grantCCG:     (*Server).clientCredentials,
	grantJWT:     (*Server).jwtBearer,
}

// client checks the form of a token or revoke request and the client's credentials; on failure it answers and gives nil.
func (s *Server) client(r *core.Request) (*app, url.Values) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	r.Body = http.MaxBytesReader(r.W, r.Body, 64<<10)
	if media != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		oauthError(r, "invalid_request", "Invalid grant_type parameter or parameter missing")
		return nil, nil
	}
	form := r.PostForm
	a := s.appOf(form.Get("client_id"))
	if a == nil || form.Get("client_secret") != a.secret {
		// Credentials in a Basic header are not looked at, so they end here too.
		oauthError(r, "invalid_client", "The client credentials are invalid")
		return nil, nil
	}
	return a, form
}

func (s *Server) token(r *core.Request) {
	a, form := s.client(r)
	if a == nil {
		return
	}
	kind := form.Get("grant_type")
	serve, ok := grantTypes[kind]
	switch {
	case !ok:
		oauthError(r, "invalid_request", "Invalid grant_type parameter or parameter missing")
	case !slices.Contains(a.grants, kind):
		oauthError(r, "invalid_request", "The grant type is unauthorized for this client_id")
	case (kind == grantCCG || kind == grantJWT) && !s.w.Switches.Bool("box.app_authorized"):
		oauthError(r, "unauthorized_client", "This app is not authorized by the enterprise")
	default:
		serve(s, r, a, form)
	}
}

func (s *Server) clientCredentials(r *core.Request, a *app, form url.Values) {
	u, err := s.subject(a, form.Get("box_subject_type"), form.Get("box_subject_id"))
	if err != nil {
		oauthError(r, err.code, err.message)
		return
	}
	s.grant(r, a, u, s.authorised(), false)
}

// errSubject says that a server grant's subject is nobody the app may be; JWTs have another text for it.
var errSubject = fail(http.StatusBadRequest, "invalid_grant", "Grant credentials are invalid")

// subject finds whom a server grant asks for: the app's Service Account for its enterprise, or a user.
func (s *Server) subject(a *app, kind, id string) (*user, *apiError) {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	switch kind {
	case "enterprise":
		if id == s.store.ours.id {
			return a.service, nil
		}
	case "user":
		num, err := strconv.ParseUint(id, 10, 64)
		u := s.store.userByID[num]
		if err != nil || u == nil || u.enterprise != s.store.ours || u.status != "active" || u.appUser && u.maker != a.id {
			break
		}
		if u.service || !s.w.Switches.Bool("box.user_tokens") || !u.appUser && !s.w.Switches.Bool("box.enterprise_access") {
			return nil, fail(http.StatusBadRequest, "invalid_request", "Cannot obtain user token based on the enterprise configuration for your app")
		}
		return u, nil
	}
	return nil, errSubject
}

func (s *Server) refreshToken(r *core.Request, a *app, form url.Values) {
	u, scopes, why := s.tokens.spend(a, form.Get("refresh_token"))
	if u == nil {
		oauthError(r, "invalid_grant", why)
		return
	}
	if n := s.w.Switches.Int("box.drop_refresh"); n > 0 {
		// The old token is dead by now and the new one never arrives: what a client meets when its network fails then.
		_ = s.w.Switches.Set("box.drop_refresh", n-1)
		s.tokens.issue(a, u, s.inForce(scopes), scopes, time.Hour, true)
		panic(http.ErrAbortHandler)
	}
	// The old token is dead by now; a client that dies while it waits has none.
	pause(r, time.Duration(s.w.Switches.Int("box.refresh_delay_ms"))*time.Millisecond)
	s.grant(r, a, u, scopes, true)
}

// grant answers with a new token of a user. scopes narrows the app's, nil for all of them.
func (s *Server) grant(r *core.Request, a *app, u *user, scopes map[string]bool, withRefresh bool) {
	life := s.w.Switches.Int("box.token_seconds")
	if life == 0 {
		sum := s.w.Sum(u.login)
		life = 3600 + int(sum[0])*2 // real answers vary between 3600 and about 4200
	}
	s.hooks.revive(u)
	access, refresh := s.tokens.issue(a, u, s.inForce(scopes), scopes, time.Duration(life)*time.Second, withRefresh)
	o := object{{"access_token", access}, {"expires_in", life}, {"restricted_to", []object{}}, {"token_type", "bearer"}}
	if withRefresh {
		o = append(o, member{"refresh_token", refresh})
	}
	r.W.Header().Set("Cache-Control", "no-store")
	respond(r, http.StatusOK, o)
}

// pause waits in real time, or until the client is gone.
func pause(r *core.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

// scopes are those of the apps.
func (s *Server) scopes() map[string]bool { return scopeSet(s.w.Switches.String("box.scopes")) }

func scopeSet(text string) map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(text) {
		m[name] = true
	}
	return m
}

// authorised are the scopes that an administrator has authorised for tokens of server grants, nil for whatever the app
// has.
func (s *Server) authorised() map[string]bool {
	if text := s.w.Switches.String("box.authorized_scopes"); text != "" {
		return scopeSet(text)
	}
	return nil
}

// inForce are the scopes of the app as far as they were asked for, nil for all. root_readwrite covers root_readonly.
func (s *Server) inForce(asked map[string]bool) map[string]bool {
	have := s.scopes()
	if asked == nil {
		return have
	}
	m := map[string]bool{}
	for name := range asked {
		if have[name] || name == scopeRead && have[scopeWrite] {
			m[name] = true
		}
	}
	return m
}

func (s *Server) revoke(r *core.Request) {
	a, form := s.client(r)
	if a == nil {
		return
	}
	s.tokens.revoke(a, form.Get("token"))
	r.W.WriteHeader(http.StatusOK)
}
