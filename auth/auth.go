// Package auth makes access tokens for one connection and knows nothing else: no Graph, no Box API, no filesystem.
//
// A Source answers from memory while its token lasts, renews it early, and lets any number of callers share one renewal.
// A renewal belongs to nobody: it goes on when the caller that caused it is interrupted, because Box's refresh tokens
// work once and an abandoned answer would cost the user the sign-in.
//
// Secrets live in a Store and appear in no error.
package auth

import (
	"context"
	"time"
)

// Token is an access token.
type Token struct {
	Value   string
	Expires time.Time
}

// Source gives access tokens for one connection. It is safe for concurrent use.
type Source interface {
	// Token returns a token that is good for a while, renewing it if need be. A token that is about to end is renewed in the
	// background, so that a caller waits only where there is none. Errors are *Error or the context's.
	Token(ctx context.Context) (Token, error)
	// Invalidate says that a service has refused the token, so that the next Token is another one. Tokens that are not
	// the current one are ignored.
	Invalidate(token string)
	// Challenge says that a service has refused the token and wants one that meets claims, the JSON of a claims challenge
	// (Microsoft identity platform, Claims challenges). The claims are asked for until a renewal succeeds. Sources of
	// services that know no such thing treat it as Invalidate.
	Challenge(token, claims string)
	// Renew renews the sign-in although its access token lasts: a person's refresh token, whose life ends when it is not
	// used, gets a successor, and anything else proves that it still works. Errors are those of Token.
	Renew(ctx context.Context) error
	// Life tells who is signed in and how long that lasts. It makes no request. With an error it tells what it could find
	// out.
	Life() (Life, error)
}
