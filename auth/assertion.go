package auth

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

const (
	// microsoftAssertionLife is the shortest that Entra's page on certificate credentials names.
	microsoftAssertionLife = 5 * time.Minute
	// boxAssertionLife is what Box's own SDKs use; Box refuses more than 60 seconds.
	boxAssertionLife = 30 * time.Second
)

// microsoftAssertion proves to Entra that this is the application (Microsoft identity platform, Certificate credentials).
func microsoftAssertion(c *Certificate, clientID, audience string, now time.Time) (string, error) {
	thumbprint := sha256.Sum256(c.der)
	return sign(jwt.SigningMethodPS256, c.key, "x5t#S256", base64.RawURLEncoding.EncodeToString(thumbprint[:]), jwt.MapClaims{
		"iss": clientID,
		"sub": clientID,
		"aud": audience,
		"jti": uuid.NewString(),
		"nbf": now.Unix(),
		"iat": now.Unix(),
		"exp": now.Add(microsoftAssertionLife).Unix(),
	})
}

// boxAssertion proves to Box that this is the application and says for whom it signs in (developer.box.com, JWT without
// SDK). aud is a text and exp an integer because Box refuses lists and fractions; there is no iat because Box refuses
// one that its own clock has not reached.
func boxAssertion(key *rsa.PrivateKey, cfg BoxConfig, now time.Time) (string, error) {
	return sign(jwt.SigningMethodRS256, key, "kid", cfg.KeyID, jwt.MapClaims{
		"iss":          cfg.ClientID,
		"sub":          cfg.SubjectID,
		"box_sub_type": cfg.SubjectType,
		"aud":          cfg.TokenURL,
		"jti":          uuid.NewString(),
		"exp":          now.Add(boxAssertionLife).Unix(),
	})
}

// sign makes a JWT with one more header.
func sign(method jwt.SigningMethod, key *rsa.PrivateKey, header, value string, claims jwt.MapClaims) (string, error) {
	token := jwt.NewWithClaims(method, claims)
	token.Header[header] = value
	signed, err := token.SignedString(key)
	if err != nil {
		return "", broken(errors.New("it may be too short"), "the private key can't sign")
	}
	return signed, nil
}
