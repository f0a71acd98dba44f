package box

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// call is one authenticated request of the API.
type call struct {
	*core.Request
	s       *Server
	app     *app
	v       viewer
	scopes  map[string]bool
	now     time.Time
	fields  []string  // nil when the query has no fields
	changes []*change // told when the call has succeeded
}

// Scopes that a route may ask for.
const (
	scopeNone    = ""
	scopeRead    = "root_readonly" // root_readwrite does too
	scopeWrite   = "root_readwrite"
	scopeUsers   = "manage_managed_users"
	scopeGroups  = "manage_groups"
	scopeContent = "enterprise_content"
)

// handle registers a call of the API below /2.0.
func (s *Server) handle(pattern, scope string, f func(*call) error) {
	method, path, _ := strings.Cut(pattern, " ")
	s.api.Handle(method+" /2.0"+path, func(r *core.Request) { s.serve(r, scope, f) })
}

// number gives the answer its box-request-id, and returns the other id that error bodies have.
func (s *Server) number(r *core.Request) (body string) {
	header, body := s.requestID()
	r.W.Header().Set("Date", s.now().Format(http.TimeFormat))
	name := "box-request-id"
	if body[0] > '7' {
		name = "BOX-REQUEST-ID"
	}
	// Set would put the name into the usual case, which Box does not promise.
	r.W.Header()[name] = []string{header}
	return body
}

// numbered is number for handlers that have no error body of the API's kind.
func (s *Server) numbered(h func(*core.Request)) func(*core.Request) {
	return func(r *core.Request) {
		s.number(r)
		h(r)
	}
}

// serve authenticates, runs f and answers with its error if there is one.
func (s *Server) serve(r *core.Request, scope string, f func(*call) error) {
	body := s.number(r)
	if !strings.EqualFold(r.Header.Get("Box-Notifications"), "off") {
		s.w.Stats.Count("box_notifying")
	}
	c, err := s.authenticate(r, scope)
	if err == nil {
		err = f(c)
	}
	if err == nil {
		return
	}
	var e *apiError
	if !errors.As(err, &e) {
		e = fail(http.StatusInternalServerError, "internal_server_error", "Internal Server Error")
	}
	if e == errToken {
		s.refuseToken(r, body)
		return
	}
	if e.retry > 0 && s.w.Switches.Bool("box.retry_after") {
		r.W.Header().Set("Retry-After", strconv.Itoa(int((e.retry+time.Second-1)/time.Second)))
	}
	respond(r, e.status, e.body(body))
}

// errToken stands for a missing, unknown or expired access token; its answer is unlike all others.
var errToken = fail(http.StatusUnauthorized, "unauthorized", "Unauthorized")

func (s *Server) refuseToken(r *core.Request, requestID string) {
	r.W.Header().Set("WWW-Authenticate", `Bearer realm="Service", error="invalid_token", error_description="The access token provided is invalid."`)
	if s.w.Switches.Bool("box.json_401") {
		respond(r, http.StatusUnauthorized, errToken.body(requestID))
		return
	}
	r.W.Header().Set("Content-Length", "0")
	r.W.WriteHeader(http.StatusUnauthorized)
}

func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// authenticate finds out whose eyes the call has.
func (s *Server) authenticate(r *core.Request, scope string) (*call, error) {
	token := bearer(r.Header)
	if token == "" && strings.HasSuffix(r.Route, "/content") {
		token = r.URL.Query().Get("access_token") // downloads take it there as well
	}
	g := s.tokens.check(token)
	if g == nil {
		return nil, errToken
	}
	c := &call{Request: r, s: s, app: g.app, scopes: g.scopes, now: s.w.Clock.Now()}
	// What the scope gives, it gives to administrators and Service Accounts (guide "Scopes").
	c.v = viewer{user: g.user, everything: g.scopes[scopeContent] && g.user.manages()}
	c.v.insiders = g.server && !s.w.Switches.Bool("box.ccg_external")
	if as := r.Header.Get("As-User"); as != "" {
		target, err := s.asUser(g, as)
		if err != nil {
			return nil, err
		}
		c.v = viewer{user: target, insiders: true}
	}
	if err := s.onboarding(c.v.user); err != nil {
		return nil, err
	}
	if err := c.limit(core.Quota{Name: "box per user", Key: c.v.user.id(), Limit: s.w.Switches.Int("box.rate_per_minute"), Per: time.Minute}); err != nil {
		return nil, err
	}
	if scope != scopeNone && !g.scopes[scope] && (scope != scopeRead || !g.scopes[scopeWrite]) {
		return nil, errScope()
	}
	if q := r.URL.Query(); q.Has("fields") {
		c.fields = []string{}
		for _, f := range strings.Split(strings.Join(q["fields"], ","), ",") {
			if f = strings.TrimSpace(f); f != "" {
				c.fields = append(c.fields, f)
			}
		}
		if len(c.fields) == 0 {
			c.fields = nil
		}
	}
	return c, nil
}

// limit takes one of each quota, if the documented limits are on.
func (c *call) limit(quotas ...core.Quota) error {
	if !c.s.w.Throttled() {
		return nil
	}
	for _, q := range quotas {
		if ok, _, wait := c.s.w.Limits.Take(q, 1); !ok {
			wait = max(wait, time.Second)
			c.s.w.Stats.Throttle("box", wait)
			return errRate(wait)
		}
	}
	return nil
}

// onboarding refuses the calls of a user who is not ready; a new token cures none of that.
func (s *Server) onboarding(u *user) error {
	code, login, _ := strings.Cut(s.w.Switches.String("box.onboarding"), " ")
	if login != "" && !strings.EqualFold(login, u.login) {
		return nil
	}
	switch code {
	case "":
		return nil
	case "terms_of_service_required":
		return fail(http.StatusBadRequest, code, "User must accept custom terms of service before action can be taken")
	case "password_reset_required":
		return fail(http.StatusBadRequest, code, "User needs to reset password")
	case "user_email_confirmation_required":
		return fail(http.StatusForbidden, code, "User needs to complete email confirmation")
	case "access_from_location_blocked":
		return fail(http.StatusForbidden, code, "You're attempting to log in to Box from a location that has not been approved by your admin")
	}
	return fail(http.StatusForbidden, code, "Forbidden")
}

// asUser resolves the As-User header of a caller.
func (s *Server) asUser(g *grant, id string) (*user, error) {
	caller := g.user
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	if !s.w.Switches.Bool("box.as_user") || !caller.manages() {
		return nil, errForbidden()
	}
	num, err := strconv.ParseUint(id, 10, 64)
	u := s.store.userByID[num]
	switch {
	case err != nil || u == nil || u.enterprise != s.store.ours:
		e := fail(http.StatusNotFound, "not_found", "On-Behalf-Of User not found")
		e.context = object{{"invalid_user_id", object{{"id", id}}}}
		return nil, e
	case u == caller || u.service || u.status != "active":
		return nil, errForbidden()
	case u.appUser && u.maker != g.app.id || !u.appUser && !s.w.Switches.Bool("box.enterprise_access"):
		// Others' App users are out of reach; the status is a guess.
		return nil, errForbidden()
	case caller.role == "coadmin" && u.role != "user":
		return nil, errForbidden()
	}
	return u, nil
}

// item finds what the path names, for whoever may see it. The store's lock must be held.
func (c *call) item(k kind, id string) (*item, access, error) {
	if k == folderKind && id == "0" {
		// One's own root, whatever else the token may see: nobody else's has an id (a guess for enterprise_content).
		return c.v.user.root, c.v.look(c.v.user.root), nil
	}
	num, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return nil, access{}, errMethod()
	}
	it := c.s.store.items[itemKey{k, num}]
	if it == nil {
		return nil, access{}, errNotFound(k.String(), id)
	}
	a := c.v.look(it)
	if a.role == "" {
		return nil, access{}, errNotFound(k.String(), id)
	}
	if it.inTrash() {
		return nil, access{}, errTrashed()
	}
	return it, a, nil
}

// file is item for the path parameter of a file's call.
func (c *call) file() (*item, access, error) { return c.item(fileKind, c.Param("file")) }

// folder is item for the path parameter of a folder's call.
func (c *call) folder() (*item, access, error) { return c.item(folderKind, c.Param("folder")) }

// reading runs f with the store locked for reading and answers with what it gives.
func (c *call) reading(f func() (any, error)) error {
	c.s.store.mu.RLock()
	v, err := f()
	c.s.store.mu.RUnlock()
	if err != nil {
		return err
	}
	respond(c.Request, http.StatusOK, v)
	return nil
}

// awkward says whether odd JSON is due for an item.
func (c *call) awkward(it *item) bool {
	if c.s.w.Switches.Bool("box.plain_listings") {
		return false
	}
	switch c.s.w.Switches.String("box.awkward") {
	case "all":
		return true
	case "off":
		return false
	}
	return it.odd
}
