package entra

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

// Service is the simulated Entra ID of one tenant.
type Service struct {
	// Confidential and Public are two applications that have the consent of everyone for all that they registered.
	Confidential, Public *App
	// NewConfidential and NewPublic are registered but have nobody's consent.
	NewConfidential, NewPublic *App

	world   *core.World
	company *company.Company
	signer  *signer
	router  *core.Router

	admin *company.Person

	forms sync.Mutex // held while a form is handled, before mu

	mu       sync.Mutex
	apps     map[string]*App     // by client id
	accounts map[string]*account // by object id, user name and mail address
	refresh  map[string]*grant
	codes    map[string]*authCode
	devices  map[string]*device
	flows    map[string]*flow
	browsers map[string][]session
	seen     map[string]bool // assertions, by application and jti
}

// New makes the tenant's Entra ID with its applications and accounts.
func New(w *core.World, c *company.Company) (*Service, error) {
	signer, err := newSigner()
	if err != nil {
		return nil, err
	}
	s := &Service{
		world: w, company: c, signer: signer, apps: map[string]*App{}, accounts: map[string]*account{}, refresh: map[string]*grant{},
		codes: map[string]*authCode{}, devices: map[string]*device{}, flows: map[string]*flow{}, browsers: map[string][]session{},
		seen: map[string]bool{},
	}
	s.register()
	s.newAccounts()
	s.registerSwitches()
	s.router = core.NewRouter(w, core.HostLogin)
	s.routes()
	return s, nil
}

func (s *Service) registerSwitches() {
	sw := s.world.Switches
	sw.Register("entra.token_lifetime", 3599, "seconds that an access token lives")
	sw.Register("entra.scopes", "*", "delegated scopes consented from the start for everyone, space-separated; * is all that the app registered")
	sw.Register("entra.roles", "*", "application roles consented from the start, space-separated; * is all that the app registered, empty none")
	sw.Register("entra.refresh_rotation", false, "refuse a refresh token that was redeemed before")
	sw.Register("entra.refresh_error", 0, "AADSTS code that every refresh fails with (50173, 700082, 50076, 70043 …); 0 for none")
	sw.Register("entra.token_error", 0, "AADSTS code that every request to the token endpoint fails with; 0 for none")
	sw.Register("entra.token_error_once", 0, "AADSTS code that the next request to the token endpoint fails with; 0 for none")
	sw.Register("entra.signin_error", 0, "AADSTS code that is shown to everyone who signed in (50053, 50074, 50105, 53003 …); 0 for none")
	sw.Register("entra.interaction_error", "interaction_required", "error of policies at the token endpoint; invalid_grant is seen too")
	sw.Register("entra.all_consented", true, "tokens of a sign-in have all scopes that are consented, also those that it did not ask for")
	sw.Register("entra.withheld_scopes", "", "delegated scopes that no token has, whatever was consented to, space-separated")
	sw.Register("entra.qualified_scopes", true, "name scopes with their resource in answers to requests that did (Microsoft's libraries rely on it)")
	sw.Register("entra.user_consent", true, "users may consent; else only administrators, whatever the scope")
	sw.Register("entra.admin_scopes", "", "further delegated scopes that only an administrator can consent to, space-separated")
	sw.Register("entra.device_lifetime", 900, "seconds that a device code lives")
	sw.Register("entra.device_interval", 5, "seconds between polls for a device code")
	sw.Register("entra.device_early_polls", 3, "polls before the interval that are forgiven; then 50196")
	sw.Register("entra.slow_down", 0, "polls still to be answered with slow_down (not documented by Entra), each of which adds 5 s to the interval")
	sw.Register("entra.refuse_replay", false, "refuse a client assertion that was used before (Entra does not)")
	sw.Register("entra.multi_tenant", false, "let the app be used through common and organizations")
	sw.Register("entra.secret_expired", false, "the client secret has expired")
	sw.Register("entra.invalid_client_status", 401, "HTTP status of invalid_client answers (undocumented)")
}

// ServeHTTP serves the login host.
func (s *Service) ServeHTTP(rw http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(rw, r) }

// RollKeys makes a new signing key; tokens signed with the last two stay valid.
func (s *Service) RollKeys() error { return s.signer.roll() }

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
