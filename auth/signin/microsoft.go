package signin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/workfs/workfs/auth"
)

// Microsoft is an application of Entra ID as which people sign in.
type Microsoft struct {
	// LoginURL is the cloud's login host, https://login.microsoftonline.com when empty.
	LoginURL string
	// Tenant is a GUID, a domain, "common" or "organizations".
	Tenant string
	// ClientID is the application's id.
	ClientID string
	// ClientSecret is the application's secret, Assert makes a signed assertion in its place (auth.MicrosoftAssertion). A
	// public client has neither.
	ClientSecret string
	Assert       func() (string, error)
	// Transport carries the requests to the token endpoint, http.DefaultTransport when nil.
	Transport http.RoundTripper
}

// Ask is what a person is asked for.
type Ask struct {
	// Scopes are permissions of one service, or its .default. What a sign-in itself needs is added: openid and profile, which
	// tell who it was, and offline_access, without which it would end within the hour.
	Scopes []string
	// Prompt is "login", "consent", "select_account" or "" for what Entra finds right. LoginHint is the account to offer.
	Prompt, LoginHint string
}

// own are the scopes of the sign-in itself (OpenID Connect Core, 3.1.2.1 and 11).
var own = []string{"openid", "profile", "offline_access"}

func (a Ask) scopes() []string {
	list := slices.Clone(own)
	for _, s := range a.Scopes {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

func (m Microsoft) address(path string) string {
	login := m.LoginURL
	if login == "" {
		login = "https://login.microsoftonline.com"
	}
	return strings.TrimSuffix(login, "/") + "/" + url.PathEscape(m.Tenant) + path
}

// config is the application as x/oauth2 wants it. It never tries HTTP Basic: a refusal would count as a failed try.
func (m Microsoft) config(a Ask, redirect string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: m.ClientID, ClientSecret: m.ClientSecret, RedirectURL: redirect, Scopes: a.scopes(),
		Endpoint: oauth2.Endpoint{
			AuthURL: m.address("/oauth2/v2.0/authorize"), TokenURL: m.address("/oauth2/v2.0/token"), AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

// proof proves the application to the token endpoint where a secret, which x/oauth2 sends itself, does not.
func (m Microsoft) proof() ([]oauth2.AuthCodeOption, error) {
	if m.Assert == nil {
		return nil, nil
	}
	assertion, err := m.Assert()
	if err != nil {
		return nil, err
	}
	return []oauth2.AuthCodeOption{
		oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
		oauth2.SetAuthURLParam("client_assertion", assertion),
	}, nil
}

// Code signs a person in by an authorization code with PKCE (Microsoft identity platform, OAuth 2.0 authorization code flow;
// RFC 7636). Errors are *auth.Error, the context's, or tell what is wrong with the callback.
func (m Microsoft) Code(ctx context.Context, b Browser, a Ask) (Result, error) {
	verifier, nonce := oauth2.GenerateVerifier(), random()
	var result Result
	err := b.visit(ctx, func(redirect, state string) string {
		options := []oauth2.AuthCodeOption{
			oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", nonce), oauth2.SetAuthURLParam("response_mode", "query"),
		}
		if a.Prompt != "" {
			options = append(options, oauth2.SetAuthURLParam("prompt", a.Prompt))
		}
		if a.LoginHint != "" {
			options = append(options, oauth2.SetAuthURLParam("login_hint", a.LoginHint))
		}
		return m.config(a, redirect).AuthCodeURL(state, options...)
	}, func(answer url.Values, redirect string) error {
		if answer.Has("error") {
			return auth.MicrosoftRefusal(answer.Get("error"), answer.Get("error_description"), nil)
		}
		options, err := m.proof()
		if err != nil {
			return err
		}
		cfg := m.config(a, redirect)
		options = append(options, oauth2.VerifierOption(verifier), oauth2.SetAuthURLParam("scope", strings.Join(cfg.Scopes, " ")))
		token, err := exchange(ctx, cfg, client(m.Transport), answer.Get("code"), options...)
		if err != nil {
			return failure(ctx, err, auth.MicrosoftRefusal)
		}
		result, err = m.result(token, nonce)
		return err
	})
	return result, err
}

// result reads the answer of the token endpoint. nonce is that of the request, "" where the flow has none.
func (m Microsoft) result(token *oauth2.Token, nonce string) (Result, error) {
	if token.RefreshToken == "" {
		return Result{}, &auth.Error{Kind: auth.Denied, Action: "the sign-in would end within the hour, for the app was not granted offline_access: " +
			"have it consented to, then sign in again"}
	}
	c := newCredentials(m.ClientSecret, token.RefreshToken)
	c.Scope, _ = token.Extra("scope").(string)
	r := Result{Credentials: c, Access: auth.Token{Value: token.AccessToken, Expires: token.Expiry}}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return r, nil // the caller can ask Graph
	}
	id, err := m.identity(raw, nonce)
	if err != nil {
		return Result{}, err
	}
	r.Credentials.Account = id.Username
	r.Tenant, r.UserID, r.Name = id.Tenant, id.ObjectID, id.Name
	return r, nil
}
