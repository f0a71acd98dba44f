package box

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"sync"
)

// Callback is the redirect URI that both apps have from the start.
const Callback = "http://localhost:48444/oauth/redirect/box"

// app is an application of the developer console. A real one has one kind of authentication; the first of ours has two,
// so that one set of credentials serves most tests.
type app struct {
	id, secret string
	name       string
	grants     []string // values of grant_type
	service    *user    // its Service Account, nil when it has none

	mu        sync.Mutex
	redirects []string
	keys      []appKey
}

// appKey is a public key that signs assertions of the app.
type appKey struct {
	id  string
	key *rsa.PublicKey
}

// Grant types (reference of POST /oauth2/token).
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantCCG     = "client_credentials"
	grantJWT     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// newApps registers the two apps: one for people and client credentials, one for JWTs, and hands out the accounts that
// the seeded data have for them.
func newApps(o Options, s *store) []*app {
	first := &app{id: o.ClientID, secret: o.ClientSecret, name: "Contoso Archive App", grants: []string{grantCode, grantRefresh, grantCCG},
		service: s.services[0], redirects: []string{Callback}}
	second := &app{id: o.JWTClientID, secret: o.JWTClientSecret, name: "Contoso Archive Server", grants: []string{grantJWT},
		service: s.services[1], redirects: []string{Callback}}
	for _, u := range s.users {
		if u.appUser {
			u.maker = first.id
		}
	}
	return []*app{first, second}
}

// appOf finds an app by its client id, nil if there is none.
func (s *Server) appOf(id string) *app {
	for _, a := range s.apps {
		if a.id == id && id != "" {
			return a
		}
	}
	return nil
}

// redirect finds out where an authorisation leads. want is the request's redirect_uri, empty for none; ambiguous reports
// that it is missing although the app has several, and ok is false for one that is not the app's.
func (a *app) redirect(want string) (to string, ambiguous, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if want == "" {
		if len(a.redirects) != 1 {
			return "", true, true
		}
		return a.redirects[0], false, true
	}
	return want, false, slices.ContainsFunc(a.redirects, func(have string) bool { return sameRedirect(have, want) })
}

// sameRedirect compares redirect URIs: exactly, except that loopback hosts may use any port.
func sameRedirect(have, want string) bool {
	if have == want {
		return true
	}
	h, err := url.Parse(have)
	if err != nil {
		return false
	}
	w, err := url.Parse(want)
	if err != nil || !loopback(w.Hostname()) || h.Hostname() != w.Hostname() {
		return false
	}
	h.Host, w.Host = "", ""
	return *h == *w
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// addRedirect registers one more redirect URI: https, or http on a loopback host (guide "Redirect URIs").
func (a *app) addRedirect(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return errors.New("a redirect URI must be https, or http on a loopback host")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.redirects, text) {
		a.redirects = append(a.redirects, text)
	}
	return nil
}

// errKey is how the console refuses what is no public key that it takes (guide "JWT setup": 2048 or 4096 bits; that any
// size from 2048 on is taken is a guess).
var errKey = errors.New("the public key must be an RSA key of at least 2048 bits in PEM format")

// addKey registers a public key and gives its id, by which an assertion's kid names it.
func (a *app) addKey(text []byte) (string, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return "", errKey
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return "", errKey
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < 2048 {
		return "", errKey
	}
	return a.enrol(key), nil
}

// enrol registers a key under a new id, eight characters as Box's are.
func (a *app) enrol(key *rsa.PublicKey) string {
	id := randomText(8)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys = append(a.keys, appKey{id, key})
	return id
}

// removeKey reports whether there was such a key.
func (a *app) removeKey(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.keys)
	a.keys = slices.DeleteFunc(a.keys, func(k appKey) bool { return k.id == id })
	return len(a.keys) < n
}

// key finds the key that an assertion names. Without a name that is the only one.
func (a *app) key(kid string) *rsa.PublicKey {
	a.mu.Lock()
	defer a.mu.Unlock()
	if kid == "" && len(a.keys) == 1 {
		return a.keys[0].key
	}
	for _, k := range a.keys {
		if k.id == kid {
			return k.key
		}
	}
	return nil
}

// randomText gives lower case letters and digits. Keys are not derived from the seed, and so their ids are not either.
func randomText(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b)
}
