package entra

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
)

// App is an application registration with its service principal.
type App struct {
	ID             string // client id
	ObjectID       string // of its service principal
	RegistrationID string // object id of the registration, which Graph knows as /applications/{id}
	Name           string
	Secret         string   // empty: none was made
	Public         bool     // "Allow public client flows": no credential is needed
	Scopes         []string // delegated permissions that it registered as required
	Roles          []string // application permissions likewise

	// The fields below are guarded by Service.mu.

	redirects []redirect
	keys      []keyCredential
	consent   consent
}

// Platforms of redirect URIs (reply-url.md). They decide whether the one who redeems a code must have a credential.
const (
	platformWeb    = "web"
	platformPublic = "publicClient"
	platformSPA    = "spa"
)

// redirect is one registered redirect URI.
type redirect struct {
	URI      string `json:"uri"`
	Platform string `json:"platform"`
}

// nativeClient is the redirect URI of programs that show the pages in a window of their own.
const nativeClient = "/common/oauth2/nativeclient"

// loopback are the redirect URIs that the seeded applications have: the bare host, as Microsoft's own libraries use it,
// and the path of this program's documentation, on both names of this machine.
var loopback = []string{
	"http://localhost", "http://localhost/oauth/redirect/microsoft",
	"http://127.0.0.1", "http://127.0.0.1/oauth/redirect/microsoft",
}

// register makes the four applications of the tenant.
func (s *Service) register() {
	w := s.world
	secret := func(purpose string) string {
		sum := w.Sum(purpose)
		// The tilde and the dash are in real secrets too, and must survive form encoding.
		return "sim8Q~" + base64.RawURLEncoding.EncodeToString(sum[:25])
	}
	s.Confidential = &App{Name: "workfs", Secret: secret("entra client secret"), Scopes: delegatedScopes, Roles: appRoles}
	s.Public = &App{Name: "workfs (public client)", Public: true, Scopes: delegatedScopes}
	s.NewConfidential = &App{Name: "workfs (not consented)", Secret: secret("entra client secret new"), Scopes: readScopes, Roles: readRoles}
	s.NewPublic = &App{Name: "workfs (public client, not consented)", Public: true, Scopes: readScopes}
	for purpose, app := range map[string]*App{
		"confidential": s.Confidential, "public": s.Public, "new confidential": s.NewConfidential, "new public": s.NewPublic,
	} {
		app.ID, app.ObjectID = w.GUID("entra app "+purpose), w.GUID("entra sp "+purpose)
		app.RegistrationID = w.GUID("entra registration " + purpose)
		platform := platformWeb
		if app.Public {
			platform = platformPublic
			app.redirects = append(app.redirects, redirect{nativeClient, platform})
		}
		for _, uri := range loopback {
			app.redirects = append(app.redirects, redirect{uri, platform})
		}
		app.consent = consent{users: map[string][]string{}}
		s.apps[app.ID] = app
	}
	for _, app := range []*App{s.Confidential, s.Public} {
		app.consent.initial = true
	}
}

// confidential reports whether the application has a credential. s.mu is held.
func (a *App) confidential() bool { return a.Secret != "" || len(a.keys) > 0 }

// app finds an application by its client id, nil without.
func (s *Service) app(id string) *App {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apps[strings.ToLower(id)]
}

// match finds the registration of a redirect URI: the same string, or on this machine the same but for the port
// (reply-url.md, "Localhost exceptions"; the IPv6 loopback is not supported). Case counts.
func (s *Service) match(a *App, uri string) (redirect, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(a.redirects, func(r redirect) bool { return sameRedirect(s.absolute(r.URI), uri) })
	if i < 0 {
		return redirect{}, false
	}
	return a.redirects[i], true
}

// absolute completes a redirect URI that is on the login host itself.
func (s *Service) absolute(uri string) string {
	if strings.HasPrefix(uri, "/") {
		return s.world.Hosts.Login + uri
	}
	return uri
}

func sameRedirect(registered, given string) bool {
	if registered == given {
		return true
	}
	r, err1 := url.Parse(registered)
	g, err2 := url.Parse(given)
	if err1 != nil || err2 != nil || g.Fragment != "" || g.User != nil {
		return false
	}
	local := r.Hostname() == "localhost" || r.Hostname() == "127.0.0.1"
	return local && r.Scheme == g.Scheme && r.Hostname() == g.Hostname() &&
		strings.TrimSuffix(r.EscapedPath(), "/") == strings.TrimSuffix(g.EscapedPath(), "/") && r.RawQuery == g.RawQuery
}

// validRedirect tells what is wrong with a redirect URI that somebody wants to register, "" if nothing is.
func validRedirect(r redirect) string {
	u, err := url.Parse(r.URI)
	switch {
	case err != nil || u.Host == "" || u.Fragment != "":
		return "is no absolute URI without a fragment"
	case len(r.URI) > 256:
		return "has more than 256 characters"
	case r.Platform != platformWeb && r.Platform != platformPublic && r.Platform != platformSPA:
		return "has the platform '" + r.Platform + "', which is none of web, publicClient and spa"
	case u.Scheme == "http" && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1":
		return "must begin with https"
	case u.Scheme != "http" && u.Scheme != "https" && r.Platform != platformPublic:
		return "must begin with https"
	}
	return ""
}

// AddRedirect registers a redirect URI, as the portal does. platform is web, publicClient or spa.
func (s *Service) AddRedirect(a *App, uri, platform string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.redirects = append(a.redirects, redirect{uri, platform})
}

// checkApp finds the application of a request and refuses tenant segments through which it cannot be used.
func (s *Service) checkApp(id, segment string) (*App, *failure) {
	if id == "" {
		return nil, missing("client_id")
	}
	app := s.app(id)
	if app == nil || strings.EqualFold(segment, "consumers") {
		return nil, unknownApp(id, s.company.Name)
	}
	if shared(segment) && !s.world.Switches.Bool("entra.multi_tenant") {
		return app, say(50194)
	}
	return app, nil
}

// redirectPlace builds the address that an answer goes to: a URI without a path gets one (reply-url.md).
func redirectPlace(uri string, answer url.Values, fragment bool) string {
	if u, err := url.Parse(uri); err == nil && u.Path == "" && u.RawQuery == "" {
		uri += "/"
	}
	switch {
	case fragment:
		return uri + "#" + answer.Encode()
	case strings.Contains(uri, "?"):
		return uri + "&" + answer.Encode()
	}
	return uri + "?" + answer.Encode()
}
