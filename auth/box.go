package auth

import (
	"context"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/url"
	"strings"
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

	// Helper is the command line of a program that calls ServeRenewal. Where a person has signed in it does the renewals, so
	// that one survives the end of this process. Empty, or where it can't be run: they are done in this process.
	Helper []string
	// CAFile is what the transport trusts beside the system's certificates; the helper makes its own transport.
	CAFile string
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
	case cfg.JWT && cfg.SubjectType == "":
		return missing("subject")
	case cfg.JWT && cfg.KeyID == "":
		return missing("public_key_id")
	}
	s := newSource(&box{cfg: cfg}, store, transport, "box", cfg.TokenURL, cfg.ClientID, cfg.SubjectType, cfg.SubjectID)
	if cfg.SubjectType == "" && len(cfg.Helper) > 0 {
		s.helper = &helper{command: cfg.Helper, config: cfg}
	}
	return s
}

type box struct {
	cfg BoxConfig
	// off is how far this machine's clock was found to be ahead of Box's (JWT). Used by one renewal at a time.
	off time.Duration
}

// rotates: Box's refresh tokens work once.
func (b *box) rotates() bool { return b.cfg.SubjectType == "" }

// bare: the client secret is always needed.
func (b *box) bare() bool { return false }

// stamp is that of the file with the private key.
func (b *box) stamp() string { return stamp(b.cfg.PrivateKey) }

// renew asks for a token (developer.box.com, Client Credentials Grant, JWT without SDK, and Refresh a token). The client's
// id and secret go into the body because Box refuses HTTP Basic. Box knows no claims.
func (b *box) renew(ctx context.Context, client *http.Client, c *Credentials, _ string) (issued, error) {
	if c.ClientSecret == "" {
		return issued{}, broken(nil, "the credentials have no client_secret")
	}
	form := url.Values{"client_id": {b.cfg.ClientID}, "client_secret": {c.ClientSecret}}
	switch {
	case b.cfg.JWT:
		return b.assert(ctx, client, form, *c)
	case b.rotates():
		if c.RefreshToken == "" {
			return issued{}, broken(nil, "the credentials have no refresh_token: sign in again")
		}
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", c.RefreshToken)
	default:
		form.Set("grant_type", "client_credentials")
		form.Set("box_subject_type", b.cfg.SubjectType)
		form.Set("box_subject_id", b.cfg.SubjectID)
	}
	asked := time.Now()
	a, err := post(ctx, client, b.cfg.TokenURL, func() (url.Values, error) { return form, nil })
	if err != nil {
		return issued{}, err
	}
	if a.status != http.StatusOK {
		err := BoxRefusal(a.Error, a.Description)
		if b.rotates() && a.Error == "invalid_grant" && !c.CutOff.IsZero() {
			err.Action = "a renewal at " + c.CutOff.UTC().Format("2006-01-02 15:04 MST") +
				" was cut off before its answer was stored, and it used up the refresh token: sign in again"
		}
		return issued{}, err
	}
	if b.rotates() {
		if a.RefreshToken == "" {
			return issued{}, unreachable(errors.New("its answer holds no new refresh token"))
		}
		c.RefreshToken, c.RefreshedAt = a.RefreshToken, asked.UTC()
	}
	return a.token(asked), nil
}

// assert asks for a token by an assertion. Box takes one for a minute at most, so that a clock that is off by more gets
// refused; then it is made again by Box's clock, as Box's SDKs do.
func (b *box) assert(ctx context.Context, client *http.Client, form url.Values, c Credentials) (issued, error) {
	key, err := b.key(c)
	if err != nil {
		return issued{}, err
	}
	form.Set("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
	for first := true; ; first = false {
		asked := time.Now()
		a, err := post(ctx, client, b.cfg.TokenURL, func() (url.Values, error) {
			assertion, err := boxAssertion(key, b.cfg, time.Now().Add(-b.off))
			form.Set("assertion", assertion)
			return form, err
		})
		if err != nil {
			return issued{}, err
		}
		if a.status == http.StatusOK {
			return a.token(asked), nil
		}
		if !first || !aboutTime(a) {
			return issued{}, b.refusal(a)
		}
		b.off = a.off
	}
}

// aboutTime tells whether a new assertion by Box's clock may be taken where this one was not: Box's SDKs look for the
// names of these claims.
func aboutTime(a answer) bool {
	return a.status == http.StatusBadRequest && (strings.Contains(a.Description, "exp") || strings.Contains(a.Description, "jti"))
}

// refusal puts the answer to an assertion in words.
func (b *box) refusal(a answer) *Error {
	err := BoxRefusal(a.Error, a.Description)
	if aboutTime(a) {
		if clock := clockError(a.off, err.Code); clock != nil {
			return clock
		}
	}
	return err
}

// key gives the private key that signs.
func (b *box) key(c Credentials) (*rsa.PrivateKey, error) {
	if b.cfg.PrivateKey == "" {
		if c.PrivateKey == "" {
			return nil, broken(nil, "there is no private key: set private_key, or jwt_config to the file from Box's developer console")
		}
		return parseKey([]byte(c.PrivateKey), c.Passphrase, "the credentials")
	}
	data, err := readPEM(b.cfg.PrivateKey, "private key")
	if err != nil {
		return nil, err
	}
	return parseKey(data, c.Passphrase, b.cfg.PrivateKey)
}

// life implements grant.
func (b *box) life(c Credentials) (Life, error) {
	l := lifeOf(c)
	switch {
	case b.cfg.JWT:
		l.By = ByKey
	case b.rotates():
		l.By, l.RefreshTokenEnds = ByPerson, refreshEnd(c, boxRefreshLife)
	default:
		l.By = BySecret
	}
	return l, nil
}
