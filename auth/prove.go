package auth

import (
	"net/url"
	"strings"
)

// Prove puts into the form of a request to the token endpoint how the application proves itself: an assertion signed anew
// with its certificate, else the client secret of c, else nothing, which does for public clients. Flows that begin a
// sign-in need it; a Source does it by itself. Errors are *Error.
func (cfg MicrosoftConfig) Prove(c Credentials, form url.Values) error {
	cfg.AppOnly = false // an application of its own has nothing to begin
	m := microsoft{cfg}
	put, err := m.proof(cfg.Endpoint("/oauth2/v2.0/token"), c)
	if err != nil {
		return err
	}
	return put(form)
}

// Endpoint gives the address of a path at the login host for the tenant, as "/oauth2/v2.0/token" (Microsoft identity
// platform, Endpoints).
func (cfg MicrosoftConfig) Endpoint(path string) string {
	login := cfg.LoginURL
	if login == "" {
		login = "https://login.microsoftonline.com"
	}
	return strings.TrimSuffix(login, "/") + "/" + url.PathEscape(cfg.Tenant) + path
}
