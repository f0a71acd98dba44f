package entra

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

// ForeignUser can sign in to a tenant of its own only, not to this one.
const ForeignUser = "guest@fabrikam.example"

// Smart lockout: as many wrong passwords lock an account for that long (howto-password-smart-lockout.md).
const (
	lockoutThreshold = 10
	lockoutTime      = time.Minute
)

// account is what can sign in. Its fields are guarded by Service.mu but for those set by newAccounts.
type account struct {
	person *company.Person
	tenant string // home tenant's id
	admin  bool

	password    string
	disabled    bool
	expired     bool // the password
	failures    int
	lockedUntil time.Time
	// Grants and sessions that began before these times are dead: all, or those of public clients.
	revoked, revokedPublic time.Time
}

// newAccounts makes an account for every identity of the company, and one of another tenant. Nobody in the company is
// marked as its administrator; the one who keeps the machines running is.
func (s *Service) newAccounts() {
	add := func(p *company.Person, tenant string) *account {
		a := &account{person: p, tenant: tenant, password: company.Password, disabled: !p.AccountEnabled}
		for _, key := range []string{p.ID, p.UPN, p.Mail} {
			s.accounts[strings.ToLower(key)] = a
		}
		return a
	}
	for _, p := range s.company.Everyone() {
		a := add(p, s.company.TenantID)
		a.admin = strings.HasPrefix(p.UPN, "lukasz@")
		if a.admin {
			s.admin = p
		}
	}
	add(&company.Person{
		ID: s.world.GUID("entra foreign user"), Kind: company.Guest, UPN: ForeignUser, Mail: ForeignUser,
		DisplayName: "Guest of Fabrikam", AccountEnabled: true,
	}, s.world.GUID("entra foreign tenant"))
}

// Admin is the global administrator of the tenant.
func (s *Service) Admin() *company.Person { return s.admin }

// account finds an account by user name or object id, nil without.
func (s *Service) account(name string) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accounts[strings.ToLower(strings.TrimSpace(name))]
}

// checkPassword gives the account that a user name and password belong to.
func (s *Service) checkPassword(name, password string) (*account, *failure) {
	a := s.account(name)
	if a == nil {
		return nil, say(50034, "name", name, "tenant", s.company.Name)
	}
	now := s.world.Clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(a.lockedUntil) {
		return nil, say(50053)
	}
	if subtle.ConstantTimeCompare([]byte(password), []byte(a.password)) != 1 {
		if a.failures++; a.failures >= lockoutThreshold {
			a.failures, a.lockedUntil = 0, now.Add(lockoutTime)
		}
		return nil, say(50126)
	}
	a.failures = 0
	switch {
	case a.disabled:
		return nil, say(50057)
	case a.expired:
		return nil, say(50055)
	}
	return a, nil
}

// alive tells why a grant of an account that began at a time is dead, nil if it is not.
func (s *Service) alive(a *account, began time.Time, public bool) *failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case a == nil:
		return nil // a person whom a test made up
	case a.disabled:
		return say(50057)
	case began.Before(a.revoked), public && began.Before(a.revokedPublic):
		return say(50173)
	}
	return nil
}

// controlUser serves POST /entra/users/{user}/{action} of the control host.
func (s *Service) controlUser(w http.ResponseWriter, r *http.Request) {
	a := s.account(r.PathValue("user"))
	if a == nil {
		http.Error(w, "no such user", http.StatusNotFound)
		return
	}
	var change struct {
		Password string `json:"password"`
	}
	if r.ContentLength != 0 && !core.ReadControl(w, r, &change) {
		return
	}
	now := s.world.Clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.PathValue("action") {
	case "revoke":
		a.revoked = now
	case "change_password": // by the user: ends what public clients and browsers have (refresh-tokens.md)
		a.revokedPublic = now
		a.setPassword(change.Password)
	case "reset_password": // by an administrator: ends everything
		a.revoked = now
		a.setPassword(change.Password)
	case "expire_password":
		a.expired = true
	case "disable":
		a.disabled, a.revoked = true, now
	case "enable":
		a.disabled = false
	case "lock":
		a.lockedUntil = now.Add(lockoutTime)
	case "unlock":
		a.lockedUntil = time.Time{}
	default:
		http.Error(w, "want revoke, change_password, reset_password, expire_password, disable, enable, lock or unlock", http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *account) setPassword(password string) {
	if password != "" {
		a.password = password
	}
	a.expired = false
}

// Revoke ends all sign-ins of a user, as "revoke sessions" does.
func (s *Service) Revoke(p *company.Person) {
	a := s.account(p.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	a.revoked = s.world.Clock.Now()
}

// RevokedAt gives when the sessions of a user were last revoked, zero if never.
func (s *Service) RevokedAt(userID string) time.Time {
	a := s.account(userID)
	if a == nil {
		return time.Time{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.revoked
}
