package entra

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// GraphAudience is the audience of access tokens for Microsoft Graph in v1 form.
const GraphAudience = "https://graph.microsoft.com"

// GraphAppID is the application id of Microsoft Graph, the same in every tenant.
const GraphAppID = "00000003-0000-0000-c000-000000000000"

// globalAdministrator is the template id of that role, the same in every tenant.
const globalAdministrator = "62e90394-69f5-4237-9190-012177145e10"

// Reasons why Verify refuses a token.
var (
	ErrMalformed = errors.New("token is not a JWT of this issuer")
	ErrExpired   = errors.New("token has expired")
	ErrAudience  = errors.New("token is for another resource")
)

// Claims of an access token that the simulator minted.
type Claims struct {
	Audience string
	TenantID string
	AppID    string
	ObjectID string // of the user, or of the application's service principal
	UPN      string
	Name     string
	Scopes   []string
	Roles    []string
	AppOnly  bool
	Proof    string // appidacr: "0" for a public client, "1" with a secret (also ""), "2" with a certificate
	Admin    bool   // the user is a global administrator
	OpenID   bool   // openid is among the scopes
	CAE      bool   // the client said that it can handle claims challenges (capability cp1)
	FreshAt  int64  // the nbf value that the client was challenged to ask for, epoch seconds; 0 without
	IssuedAt time.Time
	Expires  time.Time
}

// wireClaims is the JWT body, in the v1 form that Graph's own tokens have.
type wireClaims struct {
	Aud        string   `json:"aud"`
	Iss        string   `json:"iss"`
	Iat        int64    `json:"iat"`
	Nbf        int64    `json:"nbf"`
	Exp        int64    `json:"exp"`
	AppID      string   `json:"appid"`
	AppIDACR   string   `json:"appidacr"`
	IDType     string   `json:"idtyp"`
	Name       string   `json:"name,omitempty"`
	OID        string   `json:"oid"`
	Roles      []string `json:"roles,omitempty"`
	SCP        string   `json:"scp,omitempty"`
	Sub        string   `json:"sub"`
	TID        string   `json:"tid"`
	UniqueName string   `json:"unique_name,omitempty"`
	UPN        string   `json:"upn,omitempty"`
	UTI        string   `json:"uti"`
	WIDs       []string `json:"wids,omitempty"`
	Ver        string   `json:"ver"`
	XMSCC      []string `json:"xms_cc,omitempty"`
	Fresh      int64    `json:"sim_fresh,omitempty"`
}

// signer holds the keys that tokens are signed with. The first is in use, the others are published beside it, as before
// and after a key roll.
type signer struct {
	mu   sync.Mutex
	keys []key
	seen map[string]wireClaims // verified tokens, since checking a signature is dear
}

type key struct {
	id   string
	priv *rsa.PrivateKey
}

// firstKey makes the key that every signer of this process begins with: making keys is by far the slowest part of starting
// a simulator, and tests start many. Key ids tell the signers apart.
var firstKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newSigner() (*signer, error) {
	s := &signer{seen: map[string]wireClaims{}}
	priv, err := firstKey()
	if err != nil {
		return nil, fmt.Errorf("making the first signing key: %w", err)
	}
	s.add(priv)
	return s, nil
}

// published gives all keys, at least two of them. The second is made when first asked for, since making keys is slow.
func (s *signer) published() ([]key, error) {
	s.mu.Lock()
	n := len(s.keys)
	s.mu.Unlock()
	if n < 2 {
		if err := s.roll(); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, nil
}

// roll makes a new signing key; the last one stays published.
func (s *signer) roll() error {
	priv, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("making a signing key: %w", err)
	}
	s.add(priv)
	return nil
}

// add puts a key into use, under a random id.
func (s *signer) add(priv *rsa.PrivateKey) {
	id := make([]byte, 20)
	_, _ = rand.Read(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append([]key{{base64.RawURLEncoding.EncodeToString(id), priv}}, s.keys...)
	s.keys = s.keys[:min(len(s.keys), 3)]
}

func (s *signer) current() key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[0]
}

// sign makes the compact form of a JWT; v1 adds x5t to the header.
func (s *signer) sign(claims any, v1 bool) string { return s.signWith(s.current(), claims, v1) }

func (s *signer) signWith(k key, claims any, v1 bool) string {
	header := map[string]string{"typ": "JWT", "alg": "RS256", "kid": k.id}
	if v1 {
		header["x5t"] = k.id
	}
	input := encodeJSON(header) + "." + encodeJSON(claims)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(rand.Reader, k.priv, crypto.SHA256, sum[:])
	if err != nil {
		panic("signing a token: " + err.Error())
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func encodeJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("encoding a token: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parse checks the signature and decodes the claims.
func (s *signer) parse(token string) (wireClaims, error) {
	s.mu.Lock()
	c, ok := s.seen[token]
	keys := s.keys
	s.mu.Unlock()
	if ok {
		return c, nil
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, ErrMalformed
	}
	var header struct{ Alg, Kid string }
	if !decodeJSON(parts[0], &header) || header.Alg != "RS256" || !decodeJSON(parts[1], &c) {
		return c, ErrMalformed
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return c, ErrMalformed
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	for _, k := range keys {
		if k.id == header.Kid && rsa.VerifyPKCS1v15(&k.priv.PublicKey, crypto.SHA256, sum[:], sig) == nil {
			s.mu.Lock()
			if len(s.seen) > 10000 {
				clear(s.seen)
			}
			s.seen[token] = c
			s.mu.Unlock()
			return c, nil
		}
	}
	return c, ErrMalformed
}

func decodeJSON(part string, v any) bool {
	b, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(b, v) == nil
}

// Mint gives an access token with the claims; IssuedAt zero means now.
func (s *Service) Mint(c Claims) string {
	if c.IssuedAt.IsZero() {
		c.IssuedAt = s.world.Clock.Now()
	}
	w := wireClaims{
		Aud: c.Audience, Iss: "https://sts.windows.net/" + c.TenantID + "/",
		Iat: c.IssuedAt.Unix(), Nbf: c.IssuedAt.Unix(), Exp: c.Expires.Unix(),
		AppID: c.AppID, AppIDACR: cmp.Or(c.Proof, proofSecret), IDType: "user", Name: c.Name, OID: c.ObjectID, Roles: c.Roles,
		SCP: strings.Join(c.Scopes, " "), TID: c.TenantID, UniqueName: c.UPN, UPN: c.UPN, UTI: s.random(16), Ver: "1.0",
	}
	if c.CAE {
		w.XMSCC, w.Fresh = []string{capability}, c.FreshAt
	}
	if c.OpenID {
		w.SCP = strings.TrimSpace(w.SCP + " openid")
	}
	if c.Admin {
		w.WIDs = []string{globalAdministrator}
	}
	if c.AppOnly {
		w.IDType, w.Name, w.UPN, w.UniqueName, w.Sub = "app", "", "", "", c.ObjectID
	} else {
		w.Sub = s.Subject(c.AppID, c.ObjectID)
	}
	token := s.signer.sign(w, true)
	s.world.Tokens.Issued(token, core.HostGraph)
	return token
}

// Subject gives the subject by which one application knows a user.
func (s *Service) Subject(appID, userID string) string {
	sum := s.world.Sum("sub:" + appID + userID)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Verify checks a token for a resource that accepts the given audiences. The error is one of the reasons above.
func (s *Service) Verify(token string, audiences ...string) (Claims, error) {
	w, err := s.signer.parse(token)
	if err != nil {
		return Claims{}, err
	}
	c := Claims{
		Audience: w.Aud, TenantID: w.TID, AppID: w.AppID, ObjectID: w.OID, UPN: w.UPN, Name: w.Name,
		Scopes: slices.DeleteFunc(strings.Fields(w.SCP), func(n string) bool { return n == "openid" }), Roles: w.Roles, AppOnly: w.IDType == "app",
		Proof: w.AppIDACR, Admin: slices.Contains(w.WIDs, globalAdministrator), OpenID: slices.Contains(strings.Fields(w.SCP), "openid"),
		CAE: slices.Contains(w.XMSCC, capability), FreshAt: w.Fresh,
		IssuedAt: time.Unix(w.Iat, 0).UTC(), Expires: time.Unix(w.Exp, 0).UTC(),
	}
	for _, a := range audiences {
		if strings.TrimSuffix(w.Aud, "/") == a {
			if !s.world.Clock.Now().Before(c.Expires) {
				return c, ErrExpired
			}
			return c, nil
		}
	}
	return c, ErrAudience
}
