package signin

import (
	"crypto/subtle"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/workfs/workfs/auth"
)

// identity are the claims of an id_token that tell who signed in (Microsoft identity platform, ID token claims reference).
type identity struct {
	Tenant   string `json:"tid"`
	ObjectID string `json:"oid"`
	Username string `json:"preferred_username"`
	Name     string `json:"name"`
	Nonce    string `json:"nonce"`
	jwt.RegisteredClaims
}

// identity reads an id_token. Its signature proves nothing here: it came from the token endpoint itself, over TLS (OpenID
// Connect Core, 3.1.3.7, 6). That it is for this application and this request does.
func (m Microsoft) identity(raw, nonce string) (identity, error) {
	var id identity
	if _, _, err := jwt.NewParser().ParseUnverified(raw, &id); err != nil {
		return id, nonsense("its id_token can't be read")
	}
	if !slices.Contains(id.Audience, m.ClientID) || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return id, nonsense("its id_token is for another sign-in")
	}
	if uuid.Validate(m.Tenant) == nil && id.Tenant != "" && !strings.EqualFold(id.Tenant, m.Tenant) {
		return id, &auth.Error{Kind: auth.Denied, Action: "the account belongs to another organisation than tenant says: " +
			"sign in with another account, or set tenant to " + id.Tenant}
	}
	return id, nil
}
