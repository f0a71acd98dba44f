package graph

import (
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/entra"
)

// Version is the path prefix of the API.
const Version = "/v1.0"

// maxBody bounds request bodies; Graph itself takes 4 MB.
const maxBody = 4 << 20

// Server is the Graph host.
type Server struct {
	world   *core.World
	company *company.Company
	tokens  *entra.Service
	router  *core.Router
	key     [32]byte // signs links

	mu   sync.Mutex
	busy map[string]int // requests in flight by app and mailbox
}

// New makes the Graph host without any resources.
func New(w *core.World, c *company.Company, tokens *entra.Service) *Server {
	s := &Server{world: w, company: c, tokens: tokens, router: core.NewRouter(w, core.HostGraph), key: w.Sum("graph links"), busy: map[string]int{}}
	s.router.Guard = s.guard
	s.router.NotFound = s.notFound
	s.router.HandleEnvelope("POST "+Version+"/$batch", s.batch)
	s.router.Handle("GET /oidc/userinfo", s.userInfo)
	s.applicationRoutes()
	sw := w.Switches
	sw.Register("graph.awkward_pages", true, "now and then a page that is shorter than asked, or empty with a nextLink")
	sw.Register("graph.awkward_errors", true, "error bodies vary: innerError or innererror, nested codes, case of sync codes")
	sw.Register("graph.teams_top_error", false, "Teams $top above the maximum gives 400 instead of being clamped (undocumented)")
	sw.Register("graph.sessions_revoked", 0, "epoch seconds: clients with capability cp1 get a claims challenge until they ask for tokens with it")
	sw.Register("graph.challenge_status", http.StatusUnauthorized, "HTTP status of claims challenges; policies are said to make some with 403")
	sw.Register(switchTenantUsers, 0, "users with a licence that limits go by when throttle is real; 0: as many as the company has")
	sw.Register("graph.chunked", true, "send JSON without Content-Length")
	return s
}

// World gives what the simulator's services share.
func (s *Server) World() *core.World { return s.world }

// Company gives the people and groups that the tenant has.
func (s *Server) Company() *company.Company { return s.company }

// Handle registers a route. The pattern has no version, for example "GET {U}/messages/{message}", where {U} stands for both
// /me and /users/{user} and puts the addressed person into Request.User. Permissions are checked before h is called.
func (s *Server) Handle(pattern string, p Perms, h func(*Request)) {
	method, path, _ := strings.Cut(pattern, " ")
	rest, perUser := strings.CutPrefix(path, "{U}")
	a := areaOf(path)
	handle := func(prefix string) {
		s.router.Handle(method+" "+Version+prefix, func(cr *core.Request) { s.serve(cr, a, p, perUser, h) })
	}
	if !perUser {
		handle(path)
		return
	}
	handle("/me" + rest)
	handle("/users/{user}" + rest)
}

// ServeHTTP serves the Graph host.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w, finish := s.compress(w, r)
	defer finish()
	s.router.ServeHTTP(w, r)
}

// identity is what guard found out about a request; it travels in the request's context.
type identity struct {
	requestID string
	caller    Caller
}

type identityKey struct{}

func identityOf(r *http.Request) identity {
	id, _ := r.Context().Value(identityKey{}).(identity)
	return id
}

// guard checks the token and holds a place in the limits that apply.
func (s *Server) guard(cr *core.Request) (func(), bool) {
	r := &Request{Request: cr, server: s, area: areaOf(strings.TrimPrefix(afterMethod(cr.Route), Version))}
	id := identity{requestID: uuid.NewString()}
	s.commonHeaders(r.W.Header(), cr.Request, id.requestID)
	caller, problem := s.authenticate(cr.Request)
	id.caller = caller
	r.Caller = caller
	cr.Request = cr.Request.WithContext(contextWith(cr.Context(), id))
	if problem != "" {
		r.unauthorized(problem)
		return nil, false
	}
	if since := max(int64(s.world.Switches.Int("graph.sessions_revoked")), caller.revokedAt); caller.cae && caller.freshAt < since {
		r.challenge(since)
		return nil, false
	}
	return s.admit(r)
}

// authenticate reads the bearer token; problem is the message of the 401, empty if all is well.
func (s *Server) authenticate(r *http.Request) (c Caller, problem string) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if token == "" || !strings.EqualFold(scheme, "Bearer") {
		return c, "Access token is empty."
	}
	claims, err := s.tokens.Verify(token, entra.GraphAudience, entra.GraphAppID)
	switch {
	case errors.Is(err, entra.ErrExpired):
		return c, "Lifetime validation failed, the token is expired."
	case errors.Is(err, entra.ErrAudience):
		return c, "Access token validation failure. Invalid audience."
	case err != nil:
		return c, "IDX14100: JWT is not well formed, there are no dots (.)."
	}
	// The next whole second: what was issued before it may be older than the revocation.
	revoked := int64(0)
	if at := s.tokens.RevokedAt(claims.ObjectID); !at.IsZero() && claims.IssuedAt.Unix() <= at.Unix() {
		revoked = at.Unix() + 1
	}
	return Caller{
		openID: claims.OpenID, revokedAt: revoked,
		AppOnly: claims.AppOnly, UserID: claims.ObjectID, AppID: claims.AppID, TenantID: claims.TenantID,
		Scopes: claims.Scopes, Roles: claims.Roles, cae: claims.CAE, freshAt: claims.FreshAt,
	}, ""
}

// serve resolves the addressed user, checks permissions and link tokens, and calls the handler.
func (s *Server) serve(cr *core.Request, a area, p Perms, perUser bool, h func(*Request)) {
	r := &Request{Request: cr, server: s, area: a, Caller: identityOf(cr.Request).caller}
	r.Prefer = parsePrefer(cr.Header.Values("Prefer"))
	if r.Caller.AppOnly {
		r.Caller.UserID = ""
	}
	me := strings.HasPrefix(afterMethod(cr.Route), Version+"/me")
	if me && r.Caller.AppOnly {
		r.Error(http.StatusBadRequest, "BadRequest", "/me request is only valid with delegated authentication flow.")
		return
	}
	if me {
		r.User = s.company.Person(r.Caller.UserID)
	} else if perUser {
		r.User = s.company.Person(r.Param("user"))
	}
	if perms, ok := p.allow(r.Caller, !me && perUser && (r.User == nil || r.User.ID != r.Caller.UserID)); !ok {
		r.forbidden(perms)
		return
	}
	if perUser && r.User == nil {
		r.unknownUser()
		return
	}
	if !r.readQuery() {
		return
	}
	h(r)
}

// notFound answers paths that no service registered.
func (s *Server) notFound(cr *core.Request, pathExists bool) {
	r := &Request{Request: cr, server: s}
	if pathExists {
		r.Error(http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
		return
	}
	parts := strings.Split(strings.Trim(cr.URL.Path, "/"), "/")
	r.Error(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+parts[min(1, len(parts)-1)]+"'.")
}

// afterMethod gives the path of a route pattern.
func afterMethod(route string) string {
	_, path, _ := strings.Cut(route, " ")
	return path
}
