package entra

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// secretLife is how long the client secrets of the seeded applications live, from the start of the simulator.
const secretLife = 180 * 24 * time.Hour

// Applications gives all registrations, by name.
func (s *Service) Applications() []*App {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*App
	for _, a := range s.apps {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *App) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Application finds a registration by its object id, nil without.
func (s *Service) Application(objectID string) *App {
	for _, a := range s.Applications() {
		if strings.EqualFold(a.RegistrationID, objectID) {
			return a
		}
	}
	return nil
}

// Registration gives the application resource as Graph shows it; the certificates' content only when whole is true.
func (s *Service) Registration(a *App, whole bool) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := []any{}
	for i := range a.keys {
		keys = append(keys, a.keys[i].wire(whole))
	}
	secrets := []any{}
	if a.Secret != "" {
		secrets = append(secrets, map[string]any{
			"keyId": s.world.GUID("entra secret " + a.ID), "hint": a.Secret[:3], "displayName": nil, "secretText": nil, "customKeyIdentifier": nil,
			"startDateTime": s.world.Start().Format(time.RFC3339), "endDateTime": s.world.Start().Add(secretLife).Format(time.RFC3339),
		})
	}
	m := map[string]any{
		"id": a.RegistrationID, "appId": a.ID, "displayName": a.Name, "signInAudience": "AzureADMyOrg", "isFallbackPublicClient": a.Public,
		"keyCredentials": keys, "passwordCredentials": secrets,
	}
	for _, platform := range []string{platformWeb, platformPublic, platformSPA} {
		uris := []string{}
		for _, r := range a.redirects {
			if r.Platform == platform {
				uris = append(uris, s.absolute(r.URI))
			}
		}
		m[platform] = map[string]any{"redirectUris": uris}
	}
	return m
}

// Update changes a registration as PATCH /applications/{id} of Graph does: what is named is replaced, keyCredentials and
// redirectUris as a whole. The error says what the request has wrong; nothing has changed then.
func (s *Service) Update(a *App, body []byte) error { return s.update(a, body, false) }

// update changes a registration; a manifest may also have the older names.
func (s *Service) update(a *App, body []byte, manifest bool) error {
	type uris struct {
		RedirectURIs []string `json:"redirectUris"`
	}
	var m struct {
		KeyCredentials json.RawMessage `json:"keyCredentials"`
		Web            *uris           `json:"web"`
		PublicClient   *uris           `json:"publicClient"`
		SPA            *uris           `json:"spa"`
		Fallback       *bool           `json:"isFallbackPublicClient"`
		AllowPublic    *bool           `json:"allowPublicClient"`
		ReplyURLs      []struct {
			URL  string `json:"url"`
			Type string `json:"type"`
		} `json:"replyUrlsWithType"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return fmt.Errorf("the request is no application: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	keys, redirects := a.keys, slices.Clone(a.redirects)
	if m.KeyCredentials != nil {
		var err error
		if keys, err = readKeys(m.KeyCredentials, a.keys, manifest); err != nil {
			return err
		}
	}
	replace := func(platform string, list []string) {
		redirects = slices.DeleteFunc(redirects, func(r redirect) bool { return r.Platform == platform })
		for _, uri := range list {
			redirects = append(redirects, redirect{uri, platform})
		}
	}
	for platform, u := range map[string]*uris{platformWeb: m.Web, platformPublic: m.PublicClient, platformSPA: m.SPA} {
		if u != nil {
			replace(platform, u.RedirectURIs)
		}
	}
	if manifest && m.ReplyURLs != nil {
		redirects = nil
		for _, u := range m.ReplyURLs {
			platform := map[string]string{"Web": platformWeb, "InstalledClient": platformPublic, "Spa": platformSPA}[u.Type]
			redirects = append(redirects, redirect{u.URL, platform})
		}
	}
	for _, r := range redirects {
		if wrong := validRedirect(redirect{s.absolute(r.URI), r.Platform}); wrong != "" && !slices.Contains(a.redirects, r) {
			return fmt.Errorf("the redirect URI '%s' %s", r.URI, wrong)
		}
	}
	for _, public := range []*bool{m.Fallback, m.AllowPublic} {
		if public != nil && (manifest || public == m.Fallback) {
			a.Public = *public
		}
	}
	a.keys, a.redirects = keys, redirects
	return nil
}

// controlManifest serves GET and PUT /entra/apps/{client}/manifest of the control host: the manifest editor of the portal,
// which takes both formats.
func (s *Service) controlManifest(w http.ResponseWriter, r *http.Request) {
	a := s.app(r.PathValue("client"))
	if a == nil {
		http.Error(w, "no such application", http.StatusNotFound)
		return
	}
	if r.Method == http.MethodPut {
		var body json.RawMessage
		if !core.ReadControl(w, r, &body) {
			return
		}
		if err := s.update(a, body, true); err != nil {
			http.Error(w, "Failed to update the application's manifest: "+err.Error(), http.StatusBadRequest)
			return
		}
	}
	core.AnswerControl(w, s.Registration(a, true))
}

// controlRedirects serves POST /entra/apps/{client}/redirects of the control host: one more redirect URI.
func (s *Service) controlRedirects(w http.ResponseWriter, r *http.Request) {
	a := s.app(r.PathValue("client"))
	var add redirect
	switch {
	case a == nil:
		http.Error(w, "no such application", http.StatusNotFound)
	case !core.ReadControl(w, r, &add):
	case validRedirect(add) != "":
		http.Error(w, "the redirect URI "+validRedirect(add), http.StatusBadRequest)
	default:
		s.AddRedirect(a, add.URI, add.Platform)
		w.WriteHeader(http.StatusNoContent)
	}
}
