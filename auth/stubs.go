package auth

import (
	"context"
	"net/http"
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

// BoxConfig describes a sign-in to Box.
type BoxConfig struct {
	// TokenURL is the address of the token endpoint, https://api.box.com/oauth2/token when empty.
	TokenURL string
	// ClientID is the application's id.
	ClientID string
	// SubjectType and SubjectID ("user" or "enterprise") ask for a client credentials grant; empty means refresh token.
	SubjectType, SubjectID string
}

// Credentials are the secrets of one connection.
type Credentials struct{}

// Store keeps the credentials of one connection.
type Store interface {
	Load() (Credentials, error)
	Update(ctx context.Context, fn func(*Credentials) error) error
}

// File is a Store in one file.
func File(path string) Store { return nil }

// NewMicrosoft makes a Source for Graph. It makes no request yet.
func NewMicrosoft(cfg MicrosoftConfig, store Store, transport http.RoundTripper) Source { return nil }

// NewBox makes a Source for Box. It makes no request yet.
func NewBox(cfg BoxConfig, store Store, transport http.RoundTripper) Source { return nil }
