package auth

import (
	"strings"
	"time"
)

const (
	// microsoftRefreshLife is how long an unused refresh token of Entra lasts (Microsoft identity platform, Refresh tokens:
	// 90 days, 24 hours for single-page apps, which this program never is).
	microsoftRefreshLife = 90 * 24 * time.Hour
	// boxRefreshLife is how long an unused refresh token of Box lasts (developer.box.com, Refresh a token).
	boxRefreshLife = 60 * 24 * time.Hour
)

// Ways of signing in, as Life has them.
const (
	ByPerson      = "person"      // a person's refresh token
	BySecret      = "secret"      // an application's client secret: client credentials
	ByCertificate = "certificate" // an assertion signed with an application's certificate
	ByKey         = "key"         // an assertion signed with an application's key: Box's JWT
	ByCommand     = "command"     // a command that prints tokens
)

// Life is what is known of a sign-in and of how long its parts last. Zero times are unknown, or of parts that it has not.
type Life struct {
	// By is the way of signing in: one of the constants above.
	By string
	// Lineage names the sign-in, as Credentials.Lineage.
	Lineage string
	// Account is who signed in as people know it, "" if unknown.
	Account string
	// Scopes are what the service granted, nil if unknown.
	Scopes []string
	// SignedInAt is when the person signed in, RefreshedAt when the refresh token was issued.
	SignedInAt, RefreshedAt time.Time
	// AccessTokenEnds is the end of the access token, which says little: it is renewed.
	AccessTokenEnds time.Time
	// RefreshTokenEnds is when the refresh token ends if nothing uses it.
	RefreshTokenEnds time.Time
	// SecretEnds is the end of the client secret as its owner stated it.
	SecretEnds time.Time
	// CertificateEnds is the end of the certificate.
	CertificateEnds time.Time
}

// lifeOf gives what the credentials say.
func lifeOf(c Credentials) Life {
	l := Life{
		Lineage: c.Lineage, Account: c.Account, SignedInAt: c.SignedInAt, RefreshedAt: c.RefreshedAt,
		AccessTokenEnds: c.ExpiresAt,
	}
	if c.Scope != "" {
		l.Scopes = strings.Fields(c.Scope)
	}
	if c.ClientSecret != "" {
		l.SecretEnds = c.SecretExpiresAt
	}
	return l
}

// refreshEnd gives the end of an unused refresh token. Where nobody wrote down when it was issued, the access token that
// came with it or the sign-in tell.
func refreshEnd(c Credentials, life time.Duration) time.Time {
	for _, issued := range []time.Time{c.RefreshedAt, c.IssuedAt, c.SignedInAt} {
		if c.RefreshToken != "" && !issued.IsZero() {
			return issued.Add(life)
		}
	}
	return time.Time{}
}
