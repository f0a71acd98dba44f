package auth

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// MicrosoftConfig describes a sign-in to Entra ID.
type MicrosoftConfig struct {
	// LoginURL is the cloud's login host, https://login.microsoftonline.com when empty.
	LoginURL string
	// Tenant is a GUID or a domain, or for a person also "common" or "organizations".
	Tenant string
	// ClientID is the application's id.
	ClientID string
	// Resource is the API that tokens are for, https://graph.microsoft.com when empty.
	Resource string
	// Certificate is the path of a PEM file with the certificate that is registered for the application, "" for none. With
	// it the application proves itself by a signed assertion instead of the client secret. The file is read for each
	// renewal, so that a new certificate in it is used from then on.
	Certificate string
	// PrivateKey is the path of the certificate's key in PEM form; "" where Certificate's file has it, too, or the
	// credentials have it.
	PrivateKey string
	// AppOnly asks for tokens of the application itself (client credentials) rather than of a person (refresh token).
	AppOnly bool
}

// NewMicrosoft makes a Source for Graph. It makes no request yet.
func NewMicrosoft(cfg MicrosoftConfig, store Store, transport http.RoundTripper) Source {
	if cfg.LoginURL == "" {
		cfg.LoginURL = "https://login.microsoftonline.com"
	}
	if cfg.Resource == "" {
		cfg.Resource = "https://graph.microsoft.com"
	}
	switch {
	case cfg.Tenant == "":
		return missing("tenant")
	case cfg.ClientID == "":
		return missing("client_id")
	}
	mode := "delegated"
	if cfg.AppOnly {
		mode = "app"
	}
	return newSource(&microsoft{cfg}, store, transport, "microsoft", mode, cfg.LoginURL, cfg.Tenant, cfg.ClientID, cfg.Resource)
}

type microsoft struct{ cfg MicrosoftConfig }

// rotates is true for people only: the old refresh token stays good, but its successor lives longer.
func (m *microsoft) rotates() bool { return !m.cfg.AppOnly }

// renew asks for a token (Microsoft identity platform, client credentials flow and refresh tokens).
func (m *microsoft) renew(ctx context.Context, client *http.Client, c *Credentials) (issued, error) {
	form := url.Values{"client_id": {m.cfg.ClientID}}
	if c.ClientSecret != "" {
		form.Set("client_secret", c.ClientSecret)
	}
	if m.cfg.AppOnly {
		if c.ClientSecret == "" {
			return issued{}, broken(nil, "the credentials file has no client_secret")
		}
		form.Set("grant_type", "client_credentials")
		form.Set("scope", m.cfg.Resource+"/.default")
	} else {
		if c.RefreshToken == "" {
			return issued{}, broken(nil, "the credentials file has no refresh_token: sign in again")
		}
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", c.RefreshToken)
		form.Set("scope", m.cfg.Resource+"/.default offline_access")
	}
	endpoint := strings.TrimSuffix(m.cfg.LoginURL, "/") + "/" + url.PathEscape(m.cfg.Tenant) + "/oauth2/v2.0/token"
	asked := time.Now()
	a, err := post(ctx, client, endpoint, form)
	if err != nil {
		return issued{}, err
	}
	if a.status != http.StatusOK {
		return issued{}, MicrosoftRefusal(a.Error, a.Description, a.Codes)
	}
	if a.RefreshToken != "" && !m.cfg.AppOnly {
		c.RefreshToken = a.RefreshToken
	}
	return a.token(asked), nil
}
