package subscription

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/workfs/workfs/backends/graph"
)

// changeTracking is the application "Microsoft Graph Change Tracking", which sends notifications with resource data
// (https://learn.microsoft.com/graph/change-notifications-with-resource-data#validating-the-authenticity-of-notifications).
const changeTracking = "0bf30f3b-4a52-48df-9a82-234910c4a086"

const (
	// keysAge is how long published keys are good for. An unknown one has them asked for again after keysPause.
	keysAge   = 24 * time.Hour
	keysPause = 5 * time.Minute
	// keysTime bounds asking for keys, keysSize the answer, in bytes.
	keysTime = 10 * time.Second
	keysSize = 1 << 20
	// leeway is how far the clocks of services may differ. Ours does not count: theirs is known from their answers.
	leeway = 30 * time.Second
	// maxTokens is how many tokens a delivery may have: one for each application and tenant in it.
	maxTokens = 20
)

// errKeys is why nothing can be said about a token.
var errKeys = errors.New("the keys of the sign-in service can't be had")

// tokens checks the tokens within notifications that hold resource data.
type tokens struct {
	login    string // base of the sign-in service
	clientID string
	tenant   string // GUID, else unknown
	client   *http.Client
	now      func() time.Time // the service's

	mu    sync.Mutex
	keys  map[string]*rsa.PublicKey // by id
	asked time.Time
}

func newTokens(o Options, now func() time.Time) *tokens {
	login := strings.TrimRight(o.LoginURL, "/")
	if login == "" {
		login = "https://login.microsoftonline.com"
	}
	return &tokens{
		login: login, clientID: o.ClientID, tenant: strings.ToLower(o.Account.Tenant), now: now,
		client: &http.Client{
			Transport: o.Transport, Timeout: keysTime,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// claims are those that are checked, of tokens of the first and of the second version.
type claims struct {
	jwt.RegisteredClaims
	TenantID string `json:"tid"`
	AppID    string `json:"appid"` // version 1
	Party    string `json:"azp"`   // version 2
}

// check gives an error unless all tokens are good. errKeys means that this can't be told now.
func (t *tokens) check(ctx context.Context, all []string) error {
	if len(all) == 0 || len(all) > maxTokens {
		return fmt.Errorf("it has %d validation tokens", len(all))
	}
	for _, token := range all {
		if err := t.checkOne(ctx, token); err != nil {
			return err
		}
	}
	return nil
}

func (t *tokens) checkOne(ctx context.Context, token string) error {
	var c claims
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}), jwt.WithAudience(t.clientID),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(t.now), jwt.WithLeeway(leeway),
	)
	_, err := parser.ParseWithClaims(token, &c, func(parsed *jwt.Token) (any, error) {
		id, _ := parsed.Header["kid"].(string)
		return t.key(ctx, id)
	})
	switch {
	case errors.Is(err, errKeys):
		return errKeys
	case err != nil:
		return fmt.Errorf("its validation token is not valid: %w", err)
	case !t.issued(c):
		return errors.New("its validation token is of another issuer")
	case c.Party != changeTracking && c.AppID != changeTracking:
		return errors.New("its validation token is of another application")
	}
	return nil
}

// issued tells whether the issuer of a token is our tenant, in the form of either version.
func (t *tokens) issued(c claims) bool {
	tenant := strings.ToLower(c.TenantID)
	if tenant == "" || graph.IsGUID(t.tenant) && tenant != t.tenant {
		return false
	}
	for _, issuer := range []string{
		"https://sts.windows.net/" + tenant + "/", "https://sts.chinacloudapi.cn/" + tenant + "/", t.login + "/" + tenant + "/v2.0",
	} {
		if strings.EqualFold(c.Issuer, issuer) {
			return true
		}
	}
	return false
}

// key gives a published key.
func (t *tokens) key(ctx context.Context, id string) (*rsa.PublicKey, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	age := t.now().Sub(t.asked)
	key := t.keys[id]
	if key != nil && age < keysAge && age >= 0 || key == nil && t.keys != nil && age < keysPause && age >= 0 {
		if key == nil {
			return nil, errors.New("unknown key")
		}
		return key, nil
	}
	keys := map[string]*rsa.PublicKey{}
	// Those for tokens of version 1 and 2: mostly, but not by contract, the same.
	for _, path := range []string{"/common/discovery/keys", "/common/discovery/v2.0/keys"} {
		if err := t.ask(ctx, t.login+path, keys); err != nil {
			if key != nil {
				return key, nil // old, but there is none newer
			}
			return nil, errKeys
		}
	}
	t.keys, t.asked = keys, t.now()
	if key = keys[id]; key == nil {
		return nil, errors.New("unknown key")
	}
	return key, nil
}

// ask reads a set of keys (RFC 7517).
func (t *tokens) ask(ctx context.Context, address string, into map[string]*rsa.PublicKey) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := t.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	var set struct {
		Keys []struct{ Kty, Use, Kid, N, E string }
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, keysSize)).Decode(&set); err != nil {
		return err
	}
	for _, k := range set.Keys {
		n, errN := base64.RawURLEncoding.DecodeString(k.N)
		e, errE := base64.RawURLEncoding.DecodeString(k.E)
		if k.Kty != "RSA" || k.Use != "" && k.Use != "sig" || k.Kid == "" || errN != nil || errE != nil || len(e) == 0 || len(e) > 4 {
			continue
		}
		into[k.Kid] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	}
	if len(into) == 0 {
		return errors.New("no keys")
	}
	return nil
}
