package entra

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

// App is an application registration. Consented scopes and roles are all that its tokens can carry.
type App struct {
	ID       string
	ObjectID string // of its service principal
	Name     string
	Secret   string // empty: a public client
	Scopes   []string
	Roles    []string
}

// Service is the simulated Entra ID of one tenant.
type Service struct {
	// Confidential and Public are the two applications that are registered in the tenant.
	Confidential, Public *App

	world   *core.World
	company *company.Company
	signer  *signer
	router  *core.Router

	mu      sync.Mutex
	apps    map[string]*App
	refresh map[string]*grant
}

// grant is what a refresh token stands for.
type grant struct {
	app    *App
	user   *company.Person
	scopes []string
	born   time.Time // of this token
	used   bool
}

// refreshLifetime of a token that was not issued to a single-page application (refresh-tokens.md).
const refreshLifetime = 90 * 24 * time.Hour

// New makes the tenant's Entra ID with its two applications.
func New(w *core.World, c *company.Company) (*Service, error) {
	signer, err := newSigner()
	if err != nil {
		return nil, err
	}
	s := &Service{world: w, company: c, signer: signer, apps: map[string]*App{}, refresh: map[string]*grant{}}
	secret := w.Sum("entra client secret")
	s.Confidential = &App{
		ID: w.GUID("entra app confidential"), ObjectID: w.GUID("entra sp confidential"), Name: "workfs",
		// The tilde and the dash are in real secrets too, and must survive form encoding.
		Secret: "sim8Q~" + base64.RawURLEncoding.EncodeToString(secret[:25]),
		Scopes: delegatedScopes, Roles: appRoles,
	}
	s.Public = &App{
		ID: w.GUID("entra app public"), ObjectID: w.GUID("entra sp public"), Name: "workfs (public client)", Scopes: delegatedScopes,
	}
	s.apps[s.Confidential.ID], s.apps[s.Public.ID] = s.Confidential, s.Public
	s.registerSwitches()
	s.router = core.NewRouter(w, core.HostLogin)
	s.routes()
	return s, nil
}

func (s *Service) registerSwitches() {
	sw := s.world.Switches
	sw.Register("entra.token_lifetime", 3599, "seconds that an access token lives")
	sw.Register("entra.scopes", "*", "delegated scopes consented, space-separated; * is all that the app registered")
	sw.Register("entra.roles", "*", "application roles consented, space-separated; * is all that the app registered, empty none")
	sw.Register("entra.refresh_rotation", false, "refuse a refresh token that was redeemed before")
	sw.Register("entra.refresh_error", 0, "AADSTS code that every refresh fails with (50173, 700082, 50076, 70043 …); 0 for none")
	sw.Register("entra.multi_tenant", false, "let the app be used through common and organizations")
	sw.Register("entra.secret_expired", false, "the client secret has expired")
	sw.Register("entra.invalid_client_status", 401, "HTTP status of invalid_client answers (undocumented)")
}

// ServeHTTP serves the login host.
func (s *Service) ServeHTTP(rw http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(rw, r) }

// RefreshToken gives a fresh refresh token of a user for an app, as the end of an interactive sign-in would.
// The scopes are limited to what is consented.
func (s *Service) RefreshToken(app *App, user *company.Person, scopes []string) string {
	token := "0.A" + s.random(24) + "." + s.random(96)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh[token] = &grant{app: app, user: user, scopes: scopes, born: s.world.Clock.Now()}
	s.world.Tokens.Issued(token, core.HostLogin)
	return token
}

// RollKeys makes a new signing key; tokens signed with the last two stay valid.
func (s *Service) RollKeys() error { return s.signer.roll() }

// consented gives the scopes or roles in force: what the app registered, narrowed by the switch.
func (s *Service) consented(name string, registered []string) []string {
	v := s.world.Switches.String(name)
	if v == "*" {
		return registered
	}
	return strings.Fields(v)
}

func (s *Service) lifetime() time.Duration {
	return time.Duration(s.world.Switches.Int("entra.token_lifetime")) * time.Second
}

// random gives n random bytes in base64url. Tokens need not be reproducible.
func (s *Service) random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic("encoding an answer: " + err.Error())
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
