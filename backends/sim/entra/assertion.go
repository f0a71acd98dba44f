package entra

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // thumbprints of certificates are SHA-1
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// clockSkew is how far clocks may be apart (JWT validation in Microsoft's libraries: 5 minutes; Entra's own is not
// documented).
const clockSkew = 5 * time.Minute

// assertion is a JWT that a client signed with the key of its certificate (certificate-credentials.md).
type assertion struct {
	header struct {
		Alg     string `json:"alg"`
		X5T     string `json:"x5t"`
		X5TS256 string `json:"x5t#S256"`
	}
	claims struct {
		Aud string  `json:"aud"`
		Iss string  `json:"iss"`
		Sub string  `json:"sub"`
		JTI string  `json:"jti"`
		Exp float64 `json:"exp"`
		Nbf float64 `json:"nbf"`
	}
	signed    string // what the signature is of
	signature []byte
}

func parseAssertion(token string) (a assertion, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || !decodeJSON(parts[0], &a.header) || !decodeJSON(parts[1], &a.claims) {
		return a, false
	}
	var err error
	a.signed = parts[0] + "." + parts[1]
	a.signature, err = base64.RawURLEncoding.DecodeString(parts[2])
	return a, err == nil
}

// checkAssertion checks a client's assertion: form, key, signature, then claims.
func (s *Service) checkAssertion(t *tokenRequest) *failure {
	if t.form.Get("client_assertion_type") != assertionType {
		return missing("client_assertion_type")
	}
	a, ok := parseAssertion(t.form.Get("client_assertion"))
	if !ok {
		return say(50027).reword("Invalid JWT token. Token format is not proper.")
	}
	if a.header.X5T == "" && a.header.X5TS256 == "" {
		return say(50027)
	}
	now := s.world.Clock.Now()
	key := s.assertionKey(t.app, a)
	switch {
	case key == nil:
		return badKey("The key was not found., Thumbprint of key used by client: '" + a.thumbprint() + "'" + visit(t.app))
	case now.Before(key.from()) || now.After(key.until()):
		return badKey("The key used is expired., " + key.describe())
	case !a.verify(key):
		return badKey("The provided signature value did not match the expected signature value., " + key.describe())
	}
	return s.checkAssertionClaims(t, a, now)
}

func (s *Service) checkAssertionClaims(t *tokenRequest, a assertion, now time.Time) *failure {
	from, until := time.Unix(int64(a.claims.Nbf), 0).UTC(), time.Unix(int64(a.claims.Exp), 0).UTC()
	switch {
	case a.claims.Iss != a.claims.Sub:
		return say(50048)
	case !strings.EqualFold(a.claims.Iss, t.app.ID):
		return say(700021)
	case !s.realm(a.claims.Aud):
		return say(700023)
	case now.Add(clockSkew).Before(from) || now.Add(-clockSkew).After(until):
		const form = "2006-01-02T15:04:05.0000000Z"
		return say(700024, "now", now.Format(form), "from", from.Format(form), "until", until.Format(form))
	}
	return s.checkReplay(t.app, a)
}

// checkReplay refuses an assertion that was used before, where the switch wants that: Entra takes one until it expires. The
// number is a guess.
func (s *Service) checkReplay(app *App, a assertion) *failure {
	if !s.world.Switches.Bool("entra.refuse_replay") {
		return nil
	}
	id := app.ID + " " + a.claims.JTI
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.claims.JTI == "" || s.seen[id] {
		return badKey("The assertion was used before.")
	}
	s.seen[id] = true
	return nil
}

// realm reports whether an audience is this tenant's token endpoint, or its issuer, of either version. Names that stand for
// many tenants are not.
func (s *Service) realm(audience string) bool {
	audience = strings.TrimSuffix(audience, "/")
	for _, tenant := range []string{s.company.TenantID, s.company.Domain} {
		for _, form := range []string{"/oauth2/v2.0/token", "/oauth2/token", "/v2.0", ""} {
			if strings.EqualFold(audience, s.world.Hosts.Login+"/"+tenant+form) {
				return true
			}
		}
	}
	return audience == "https://sts.windows.net/"+s.company.TenantID
}

// assertionKey finds the key of the application that an assertion says it was signed with, nil without.
func (s *Service) assertionKey(app *App, a assertion) *keyCredential {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range app.keys {
		k := app.keys[i]
		one, two := sha1.Sum(k.cert.Raw), sha256.Sum256(k.cert.Raw) //nolint:gosec // see the import
		old, err1 := decodeThumbprint(a.header.X5T)
		modern, err2 := decodeThumbprint(a.header.X5TS256)
		if err1 == nil && bytes.Equal(old, one[:]) || err2 == nil && bytes.Equal(modern, two[:]) {
			return &k
		}
	}
	return nil
}

// verify checks the signature with the public key of the certificate.
func (a assertion) verify(k *keyCredential) bool {
	public, ok := k.cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return false
	}
	sum := sha256.Sum256([]byte(a.signed))
	switch a.header.Alg {
	case "RS256":
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], a.signature) == nil
	case "PS256":
		return rsa.VerifyPSS(public, crypto.SHA256, sum[:], a.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}
	return false
}

// decodeThumbprint reads base64url without padding, and the common base64 that some of Microsoft's own libraries send.
func decodeThumbprint(v string) ([]byte, error) {
	v = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(v, "="))
	return base64.RawURLEncoding.DecodeString(v)
}

// thumbprint writes the key that the client used as the messages do.
func (a assertion) thumbprint() string {
	v := a.header.X5T
	if v == "" {
		v = a.header.X5TS256
	}
	b, _ := decodeThumbprint(v)
	return strings.ToUpper(hex.EncodeToString(b))
}

func badKey(reason string) *failure { return say(700027, "reason", reason) }

func visit(app *App) string {
	return ", Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '" + app.ID + "'"
}
