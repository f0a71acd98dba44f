package entra

import "github.com/workfs/workfs/backends/sim/core"

// routes registers what the login host serves, and the control calls that are about it.
func (s *Service) routes() {
	s.world.HandleControl("GET /entra/devices", s.controlDevices)
	s.world.HandleControl("GET /entra/apps/{client}/manifest", s.controlManifest)
	s.world.HandleControl("PUT /entra/apps/{client}/manifest", s.controlManifest)
	s.world.HandleControl("POST /entra/apps/{client}/redirects", s.controlRedirects)
	s.world.HandleControl("POST /entra/users/{user}/{action}", s.controlUser)
	s.router.Handle("POST /{tenant}/oauth2/v2.0/token", s.token)
	s.router.Handle("GET /{tenant}/oauth2/v2.0/authorize", s.authorize)
	s.router.Handle("POST /{tenant}/oauth2/v2.0/authorize", s.authorize)
	s.router.Handle("POST /{tenant}/login", s.oneByOne(s.login))
	s.router.Handle("POST /{tenant}/consent", s.oneByOne(s.answerConsent))
	s.router.Handle("GET /{tenant}/v2.0/adminconsent", s.adminConsentV2)
	s.router.Handle("GET /{tenant}/adminconsent", s.adminConsentV1)
	s.router.Handle("POST /{tenant}/adminconsent", s.oneByOne(s.answerAdmin))
	s.router.Handle("GET /{tenant}/oauth2/v2.0/logout", s.logout)
	s.router.Handle("POST /{tenant}/oauth2/v2.0/logout", s.logout)
	s.router.Handle("GET /{tenant}/oauth2/nativeclient", func(r *core.Request) { s.noticePage(r, "Done", "You may close this window.") })
	s.router.Handle("POST /{tenant}/oauth2/v2.0/devicecode", s.deviceCode)
	s.router.Handle("GET /devicelogin", s.devicePage)
	s.router.Handle("POST /devicelogin", s.oneByOne(s.deviceForm))
	s.router.Handle("GET /{tenant}/v2.0/.well-known/openid-configuration", s.metadata)
	s.router.Handle("GET /{tenant}/.well-known/openid-configuration", s.metadataV1)
	s.router.Handle("GET /{tenant}/discovery/v2.0/keys", s.jwks)
	s.router.Handle("GET /{tenant}/discovery/keys", s.jwks)
	s.router.Handle("GET /{tenant}/discovery/instance", s.instance)
}

// oneByOne keeps two forms of one flow, as from a double click, from being handled at the same time.
func (s *Service) oneByOne(h func(*core.Request)) func(*core.Request) {
	return func(r *core.Request) {
		s.forms.Lock()
		defer s.forms.Unlock()
		h(r)
	}
}
