package entra

import (
	"slices"
	"strings"
)

// consent is what an application may do in the tenant.
type consent struct {
	initial  bool // all that it registered was consented to before the simulator began
	everyone []string
	roles    []string
	users    map[string][]string // by object id
}

// delegated gives the permissions that an application has for a user.
func (s *Service) delegated(a *App, userID string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	if a.consent.initial {
		list = slices.Clone(s.consented("entra.scopes", a.Scopes))
	}
	for _, name := range slices.Concat(a.consent.everyone, a.consent.users[userID]) {
		list = appendNew(list, name)
	}
	return list
}

// roles gives the permissions that an application has by itself.
func (s *Service) roles(a *App) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.consent.initial {
		return s.consented("entra.roles", a.Roles)
	}
	return slices.Clone(a.consent.roles)
}

// agree remembers the consent of a user, or of an administrator for everyone.
func (s *Service) agree(a *App, userID string, everyone bool, names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		if everyone {
			a.consent.everyone = appendNew(a.consent.everyone, name)
		} else {
			a.consent.users[userID] = appendNew(a.consent.users[userID], name)
		}
	}
}

// agreeRoles remembers an administrator's consent to application permissions.
func (s *Service) agreeRoles(a *App, names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		a.consent.roles = appendNew(a.consent.roles, name)
	}
}

// consented gives the scopes or roles in force of an application that was consented to from the start.
func (s *Service) consented(name string, registered []string) []string {
	v := s.world.Switches.String(name)
	if v == "*" {
		return registered
	}
	return strings.Fields(v)
}
