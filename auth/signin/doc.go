// Package signin signs a person in: by the browser with a callback to this machine, by an address that the person pastes,
// or by a code that is typed on another device. Each flow ends with auth.Credentials that a Store can keep.
//
// The package speaks to the sign-in services and to a browser, never to a terminal or to files: what a person has to see
// or to open is handed to functions of the caller, and what a person types comes through a channel. It knows nothing of
// what the tokens are for.
//
// A flow holds its secrets (state, verifier, code, tokens) in memory only. They are in no error and in no log line, and
// nothing is left behind by a flow that ends early: the listener closes, and there is nothing stored to take back.
package signin

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/workfs/workfs/auth"
)

// Result is what a flow ends with.
type Result struct {
	// Credentials have the tokens, what was granted, and a new Lineage. The access token is not among them: Access is it,
	// since only a Source knows for what configuration a kept one may be used again.
	Credentials auth.Credentials
	// Access is the access token of this sign-in, good for about an hour.
	Access auth.Token
	// Tenant is the GUID of the directory that the account belongs to, UserID the account's object id in it, Name the
	// person's name. All are "" where the service did not say (Box never does).
	Tenant, UserID, Name string
}

// newCredentials are the credentials of a sign-in that has just succeeded, with those of the application itself.
func newCredentials(own auth.Credentials, refresh string) auth.Credentials {
	now := time.Now().UTC().Truncate(time.Second)
	var lineage [16]byte
	rand.Read(lineage[:]) // never fails (crypto/rand)
	return auth.Credentials{
		ClientSecret: own.ClientSecret, PrivateKey: own.PrivateKey, Passphrase: own.Passphrase, SecretExpiresAt: own.SecretExpiresAt,
		RefreshToken: refresh,
		Lineage:      hex.EncodeToString(lineage[:]), SignedInAt: now, RefreshedAt: now,
	}
}

// random gives 256 bits that nobody guesses, fit for a URL.
func random() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// client sends the requests of a flow. Secrets are never posted to where an answer points.
func client(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       30 * time.Second,
	}
}
