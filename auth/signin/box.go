package signin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"github.com/workfs/workfs/auth"
)

// Box is an application of Box as which people sign in.
type Box struct {
	// AccountURL is the base of the sign-in pages, https://account.box.com when empty; TokenURL the address of the token
	// endpoint, https://api.box.com/oauth2/token when empty.
	AccountURL, TokenURL string
	// ClientID and ClientSecret are the application's; Box has no public clients.
	ClientID, ClientSecret string
	// Transport carries the requests to the token endpoint, http.DefaultTransport when nil.
	Transport http.RoundTripper
}

func (x Box) tokenURL() string {
	if x.TokenURL == "" {
		return "https://api.box.com/oauth2/token"
	}
	return x.TokenURL
}

func boxRefusal(code, description string, _ []int) *auth.Error {
	return auth.BoxRefusal(code, description)
}

// Code signs a person in by an authorization code (developer.box.com, Authorize user and Request access token). Box
// documents no PKCE: state alone ties the answer to the request. Scopes narrow what the application has; none ask for all of
// it. Who it was Box does not say: the caller can ask with the access token. Errors are those of Microsoft.Code.
func (x Box) Code(ctx context.Context, b Browser, scopes []string) (Result, error) {
	account := x.AccountURL
	if account == "" {
		account = "https://account.box.com"
	}
	config := func(redirect string) *oauth2.Config {
		return &oauth2.Config{
			ClientID: x.ClientID, ClientSecret: x.ClientSecret, RedirectURL: redirect, Scopes: scopes,
			// Box refuses the client's secret in HTTP Basic.
			Endpoint: oauth2.Endpoint{
				AuthURL: strings.TrimSuffix(account, "/") + "/api/oauth2/authorize", TokenURL: x.tokenURL(), AuthStyle: oauth2.AuthStyleInParams,
			},
		}
	}
	var result Result
	err := b.visit(ctx, pageDone, func(redirect, state string) string {
		return config(redirect).AuthCodeURL(state)
	}, func(answer url.Values, redirect string) error {
		if answer.Has("error") {
			return auth.BoxRefusal(answer.Get("error"), answer.Get("error_description"))
		}
		token, err := exchange(ctx, config(redirect), client(x.Transport), answer.Get("code"))
		if err != nil {
			return failure(ctx, err, boxRefusal)
		}
		if token.RefreshToken == "" {
			return nonsense("its answer holds no refresh token")
		}
		result = Result{
			Credentials: newCredentials(auth.Credentials{ClientSecret: x.ClientSecret}, token.RefreshToken),
			Access:      auth.Token{Value: token.AccessToken, Expires: token.Expiry},
		}
		return nil
	})
	return result, err
}

// Revoke ends a token, and the sign-in that it belongs to (developer.box.com, Revoke access token).
func (x Box) Revoke(ctx context.Context, token string) error {
	address, ok := strings.CutSuffix(x.tokenURL(), "/token")
	if !ok {
		return errors.New("token_url does not end in /token, so that the address for revoking is unknown")
	}
	form := url.Values{"client_id": {x.ClientID}, "client_secret": {x.ClientSecret}, "token": {token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/revoke", strings.NewReader(form.Encode()))
	if err != nil {
		return nonsense("its address is malformed")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client(x.Transport).Do(req)
	if err != nil {
		return failure(ctx, err, boxRefusal)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxDeviceAnswer)) // the body says nothing; the connection can be used again
	if res.StatusCode != http.StatusOK {
		return unreachable(errors.New("revoking answered with status " + strconv.Itoa(res.StatusCode)))
	}
	return nil
}
