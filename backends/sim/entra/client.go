package entra

import (
	"crypto/subtle"
	"net/url"
)

// What a client showed to prove who it is, as the claim appidacr tells it.
const (
	proofNone        = "0"
	proofSecret      = "1"
	proofCertificate = "2"
)

// checkClient finds the application and checks the credential that it shows, if any: in the form, as HTTP Basic or as a
// signed assertion. Whether it must show one is for needProof.
func (s *Service) checkClient(t *tokenRequest) *failure {
	id, secret := t.form.Get("client_id"), t.form.Get("client_secret")
	if user, pass, ok := t.BasicAuth(); ok {
		// RFC 6749, 2.3.1: both are form-encoded inside the header.
		if u, err := url.QueryUnescape(user); err == nil && id == "" {
			id = u
		}
		if p, err := url.QueryUnescape(pass); err == nil && secret == "" {
			secret = p
		}
	}
	app, problem := s.checkApp(id, t.tenant)
	t.app, t.proof = app, proofNone
	if problem != nil {
		return problem
	}
	s.mu.Lock()
	confidential := app.confidential()
	s.mu.Unlock()
	switch {
	case secret == "" && !t.form.Has("client_assertion"):
		return nil
	case !confidential:
		return say(700025)
	case t.form.Has("client_assertion"):
		t.proof = proofCertificate
		return s.checkAssertion(t)
	case app.Secret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(app.Secret)) != 1:
		return say(7000215)
	case s.world.Switches.Bool("entra.secret_expired"):
		return say(7000222)
	}
	t.proof = proofSecret
	return nil
}

// needProof refuses a client that shows a credential too few or too many for what it redeems: platform is that of the
// redirect URI that the sign-in came back through, "" if there was none.
func (t *tokenRequest) needProof(platform string) *failure {
	public := t.app.Public
	switch platform {
	case platformPublic, platformSPA:
		public = true
		if t.proof != proofNone {
			return say(700025)
		}
	case platformWeb:
		public = false
	}
	if !public && t.proof == proofNone {
		return say(7000218)
	}
	return nil
}
