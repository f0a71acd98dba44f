package signin

import (
	"cmp"
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
	auth.MicrosoftConfig
	// Own is what the application proves itself with: its secret, or what opens the key of its certificate. A public client
	// has none.
	Own auth.Credentials
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

func (m Microsoft) scopes(a Ask) []string {
	list := slices.Clone(own)
	for _, s := range m.Qualify(a.Scopes) {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// globalGraph is the resource that names of permissions alone belong to.
const globalGraph = "https://graph.microsoft.com"

// Qualify gives names of permissions of Graph their resource where Entra would take them for another cloud's. .default gets
// it always.
func (m Microsoft) Qualify(scopes []string) []string {
	resource := cmp.Or(m.Resource, globalGraph)
	list := make([]string, len(scopes))
	for i, s := range scopes {
		list[i] = s
		if !strings.Contains(s, "/") && !slices.Contains(own, s) && s != "email" && (resource != globalGraph || s == ".default") {
			list[i] = resource + "/" + s
		}
	}
	return list
}

// config is the application as x/oauth2 wants it. proof has the secret, and nothing tries HTTP Basic: a refusal would count as
// a failed try.
func (m Microsoft) config(a Ask, redirect string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: m.ClientID, RedirectURL: redirect, Scopes: m.scopes(a),
		Endpoint: oauth2.Endpoint{
			AuthURL: m.Endpoint("/oauth2/v2.0/authorize"), TokenURL: m.Endpoint("/oauth2/v2.0/token"), AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

// proof proves the application to the token endpoint.
func (m Microsoft) proof() (options []oauth2.AuthCodeOption, err error) {
	form := url.Values{}
	if err := m.Prove(m.Own, form); err != nil {
		return nil, err
	}
	for key := range form {
		options = append(options, oauth2.SetAuthURLParam(key, form.Get(key)))
	}
	return options, nil
}

// Code signs a person in by an authorization code with PKCE (Microsoft identity platform, OAuth 2.0 authorization code flow;
// RFC 7636). Errors are *auth.Error, the context's, or tell what is wrong with the callback.
func (m Microsoft) Code(ctx context.Context, b Browser, a Ask) (Result, error) {
	verifier, nonce := oauth2.GenerateVerifier(), random()
	var result Result
	err := b.visit(ctx, pageDone, func(redirect, state string) string {
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
	c := newCredentials(m.Own, token.RefreshToken)
	scope, _ := token.Extra("scope").(string)
	c.Scope = auth.ScopeNames(scope)
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
