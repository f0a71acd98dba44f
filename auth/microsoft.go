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

// bare: a certificate's key may be all there is.
func (m *microsoft) bare() bool { return m.cfg.AppOnly && m.cfg.Certificate != "" }

// stamp is that of the files with the certificate and its key.
func (m *microsoft) stamp() string { return stamp(m.cfg.Certificate, m.cfg.PrivateKey) }

// renew asks for a token (Microsoft identity platform, client credentials flow and refresh tokens).
func (m *microsoft) renew(ctx context.Context, client *http.Client, c *Credentials, claims string) (issued, error) {
	endpoint := m.cfg.Endpoint("/oauth2/v2.0/token")
	form := url.Values{"client_id": {m.cfg.ClientID}, "claims": {withCapabilities(claims)}}
	if m.cfg.AppOnly {
		form.Set("grant_type", "client_credentials")
		form.Set("scope", m.cfg.Resource+"/.default")
	} else {
		if c.RefreshToken == "" {
			return issued{}, broken(nil, "the credentials have no refresh_token: sign in again")
		}
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", c.RefreshToken)
		form.Set("scope", m.cfg.Resource+"/.default offline_access")
	}
	prove, err := m.proof(endpoint, *c)
	if err != nil {
		return issued{}, err
	}
	asked := time.Now()
	a, err := post(ctx, client, endpoint, func() (url.Values, error) { return form, prove(form) })
	if err != nil {
		return issued{}, err
	}
	if a.status != http.StatusOK {
		return issued{}, m.refusal(a)
	}
	if a.RefreshToken != "" && !m.cfg.AppOnly {
		c.RefreshToken, c.RefreshedAt = a.RefreshToken, asked.UTC()
	}
	if a.Scope != "" && !m.cfg.AppOnly {
		c.Scope = ScopeNames(a.Scope)
	}
	return a.token(asked), nil
}

// ScopeNames gives the scope of a token answer without the resource that Entra names each permission with when the request
// did: "https://graph.microsoft.com/Mail.Read openid" is "Mail.Read openid".
func ScopeNames(scope string) string {
	names := strings.Fields(scope)
	for i, name := range names {
		names[i] = name[strings.LastIndexByte(name, '/')+1:]
	}
	return strings.Join(names, " ")
}

// proof gives what puts into a form how the application proves itself: a new signed assertion each time, else its secret,
// else nothing, which does for public clients.
func (m *microsoft) proof(endpoint string, c Credentials) (func(url.Values) error, error) {
	switch {
	case m.cfg.Certificate != "":
		certificate, err := LoadCertificate(m.cfg.Certificate, m.cfg.PrivateKey, c.PrivateKey, c.Passphrase)
		if err != nil {
			return nil, err
		}
		if err := certificate.Valid(time.Now()); err != nil {
			return nil, err
		}
		return func(form url.Values) error {
			assertion, err := microsoftAssertion(certificate, m.cfg.ClientID, endpoint, time.Now())
			form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
			form.Set("client_assertion", assertion)
			return err
		}, nil
	case c.ClientSecret == "" && m.cfg.AppOnly:
		return nil, broken(nil, "the credentials have no client_secret, and there is no certificate")
	}
	return func(form url.Values) error {
		if c.ClientSecret != "" {
			form.Set("client_secret", c.ClientSecret)
		}
		return nil
	}, nil
}

// refusal puts an answer in words. A wrong clock makes signed assertions fail under several numbers.
func (m *microsoft) refusal(a answer) *Error {
	err := MicrosoftRefusal(a.Error, a.Description, a.Codes)
	for _, n := range a.Codes {
		if m.cfg.Certificate != "" && slices.Contains([]int{700024, 50012, 50013, 500133, 700027}, n) {
			if clock := clockError(a.off, err.Code); clock != nil {
				return clock
			}
		}
	}
	return err
}

// life implements grant.
func (m *microsoft) life(c Credentials) (Life, error) {
	l := lifeOf(c)
	l.By = ByPerson
	if m.cfg.AppOnly {
		l.By = BySecret
	} else {
		l.RefreshTokenEnds = refreshEnd(c, microsoftRefreshLife)
	}
	if m.cfg.Certificate == "" {
		return l, nil
	}
	l.SecretEnds = time.Time{} // the certificate takes its place
	if m.cfg.AppOnly {
		l.By = ByCertificate
	}
	certificate, err := LoadCertificate(m.cfg.Certificate, m.cfg.PrivateKey, c.PrivateKey, c.Passphrase)
	if certificate != nil {
		l.CertificateEnds = certificate.NotAfter
	}
	return l, err
}
