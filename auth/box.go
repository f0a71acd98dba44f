package auth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// BoxConfig describes a sign-in to Box.
type BoxConfig struct {
	// TokenURL is the address of the token endpoint, https://api.box.com/oauth2/token when empty.
	TokenURL string
	// ClientID is the application's id.
	ClientID string
	// SubjectType ("user" or "enterprise") and SubjectID are for whom the application signs in by itself; both empty means
	// that a person's refresh token is used.
	SubjectType, SubjectID string
	// JWT has the application sign in by an assertion that its private key signs (server authentication with JWT) rather
	// than by the client credentials grant.
	JWT bool
	// KeyID is the id that Box gave to the public key (JWT).
	KeyID string
	// PrivateKey is the path of the private key in PEM form, "" where the credentials have it (JWT). It is read for each
	// renewal.
	PrivateKey string
}

// NewBox makes a Source for Box. It makes no request yet.
func NewBox(cfg BoxConfig, store Store, transport http.RoundTripper) Source {
	if cfg.TokenURL == "" {
		cfg.TokenURL = "https://api.box.com/oauth2/token"
	}
	switch {
	case cfg.ClientID == "":
		return missing("client_id")
	case cfg.SubjectType != "" && cfg.SubjectID == "":
		return missing("the id in subject")
	}
	return newSource(&box{cfg}, store, transport, "box", cfg.TokenURL, cfg.ClientID, cfg.SubjectType, cfg.SubjectID)
}

type box struct{ cfg BoxConfig }

// rotates: Box's refresh tokens work once.
func (b *box) rotates() bool { return b.cfg.SubjectType == "" }

// renew asks for a token (developer.box.com, Client Credentials Grant and Refresh a token). The client's id and secret go
// into the body because Box refuses HTTP Basic.
func (b *box) renew(ctx context.Context, client *http.Client, c *Credentials) (issued, error) {
	if c.ClientSecret == "" {
		return issued{}, broken(nil, "the credentials file has no client_secret")
	}
	form := url.Values{"client_id": {b.cfg.ClientID}, "client_secret": {c.ClientSecret}}
	if b.rotates() {
		if c.RefreshToken == "" {
			return issued{}, broken(nil, "the credentials file has no refresh_token: sign in again")
		}
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", c.RefreshToken)
	} else {
		form.Set("grant_type", "client_credentials")
		form.Set("box_subject_type", b.cfg.SubjectType)
		form.Set("box_subject_id", b.cfg.SubjectID)
	}
	asked := time.Now()
	a, err := post(ctx, client, b.cfg.TokenURL, form)
	if err != nil {
		return issued{}, err
	}
	if a.status != http.StatusOK {
		return issued{}, BoxRefusal(a.Error, a.Description)
	}
	if b.rotates() {
		if a.RefreshToken == "" {
			return issued{}, unreachable(errors.New("its answer holds no new refresh token"))
		}
		c.RefreshToken = a.RefreshToken
	}
	return a.token(asked), nil
}
