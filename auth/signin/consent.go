package signin

import (
	"context"
	"net/url"
	"strings"

	"github.com/workfs/workfs/auth"
)

// Consent is what an administrator granted to an application for a whole organisation.
type Consent struct {
	Tenant string // GUID
	Scopes []string
}

// ConsentAddress gives the page on which an administrator grants scopes to the application for everybody (Microsoft identity
// platform, Admin consent on the Microsoft identity platform). redirect is a redirect URI of the application. The page knows
// no "common": it gets "organizations" instead.
func (m Microsoft) ConsentAddress(scopes []string, redirect, state string) string {
	if strings.EqualFold(m.Tenant, "common") {
		m.Tenant = "organizations"
	}
	query := url.Values{"client_id": {m.ClientID}, "redirect_uri": {redirect}, "scope": {strings.Join(m.Qualify(scopes), " ")}}
	if state != "" {
		query.Set("state", state)
	}
	return m.Endpoint("/v2.0/adminconsent") + "?" + query.Encode()
}

// AdminConsent shows that page and waits for its answer. Errors are *auth.Error, the context's, or tell what is wrong with
// the callback.
func (m Microsoft) AdminConsent(ctx context.Context, b Browser, scopes []string) (Consent, error) {
	var consent Consent
	err := b.visit(ctx, pageGranted, func(redirect, state string) string {
		return m.ConsentAddress(scopes, redirect, state)
	}, func(answer url.Values, _ string) error {
		// A refusal says admin_consent=True, too.
		if answer.Has("error") {
			return auth.MicrosoftRefusal(answer.Get("error"), answer.Get("error_description"), nil)
		}
		if !strings.EqualFold(answer.Get("admin_consent"), "true") {
			return nonsense("its answer tells of no consent")
		}
		consent = Consent{Tenant: answer.Get("tenant"), Scopes: strings.Fields(answer.Get("scope"))}
		return nil
	})
	return consent, err
}
