package auth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// MicrosoftConfig describes a sign-in to Entra ID.
type MicrosoftConfig struct {
	// LoginURL is the cloud's login host, https://login.microsoftonline.com when empty.
	LoginURL string
	// Tenant is a GUID or a domain.
	Tenant string
	// ClientID is the application's id.
	ClientID string
	// Resource is the API that tokens are for, https://graph.microsoft.com when empty.
	Resource string
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
		return issued{}, m.refusal(a)
	}
	if a.RefreshToken != "" && !m.cfg.AppOnly {
		c.RefreshToken = a.RefreshToken
	}
	return a.token(asked), nil
}

// refusal puts an answer in words by the code of OAuth and, where that leaves a choice, by AADSTS number.
func (m *microsoft) refusal(a answer) *Error {
	has := func(codes ...int) bool {
		return slices.ContainsFunc(a.Codes, func(c int) bool { return slices.Contains(codes, c) })
	}
	switch {
	case a.Error == "temporarily_unavailable", has(50033, 50087):
		return &Error{Kind: Unreachable, Code: a.code(), Action: "the sign-in service is out of order for the moment"}
	case has(50196, 90055):
		return &Error{Kind: Throttled, Code: a.code(), Action: "the sign-in service asks to wait"}
	case has(7000222):
		return a.denied("the client secret has expired: make a new one in the app registration and store it")
	case has(7000215):
		return a.denied("the client secret is wrong: store the secret's value, not its id")
	case has(7000218):
		return a.denied("the app registration wants a client secret: store one, or allow public client flows")
	case has(700025):
		return a.denied("the app registration is a public client and takes no secret: remove client_secret")
	case has(700016, 700011, 7000112, 70001):
		return a.denied("client_id is unknown or disabled in this tenant: check client_id and tenant")
	case has(90002, 50059, 50128, 90019, 50194):
		return a.denied("the tenant is unknown or unfit for this app: check tenant")
	case has(90038):
		return a.denied("the tenant lives in another national cloud: set login_url and graph_url")
	case has(65001, 90094, 90095, 65004), a.Error == "consent_required":
		return a.denied("consent is missing: an administrator has to grant the app its permissions")
	case has(70011, 1002012), a.Error == "invalid_scope":
		return a.denied("the requested scope is refused: check graph_url and the app's permissions")
	case has(50057):
		return a.denied("the user account is disabled")
	case a.Error == "interaction_required", has(50072, 50074, 50076, 50078, 50079, 53000, 53003):
		return a.denied("the organisation's policy wants a person at the sign-in: sign in again")
	case a.Error == "invalid_grant":
		return a.denied("the refresh token has expired or was revoked: sign in again")
	case a.Error == "invalid_client":
		return a.denied("the application's credentials are refused: check client_id and client_secret")
	}
	return a.denied("the sign-in service refused the request")
}
