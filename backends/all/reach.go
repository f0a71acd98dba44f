package all

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/box"
	"github.com/workfs/workfs/backends/graph"
)

// Graph gives a client of Microsoft Graph for a connection of type microsoft. It makes no request.
func Graph(conn backends.Connection, o backends.Options) (*graph.Client, error) {
	tokens, transport, err := reach(conn)
	if err != nil {
		return nil, err
	}
	return graphClient(conn, o, "", tokens, transport)
}

func graphClient(conn backends.Connection, o backends.Options, lineage string, tokens auth.Source, transport http.RoundTripper) (*graph.Client, error) {
	return graph.New(graph.Config{
		BaseURL: conn.GraphURL, Tenant: conn.Tenant, ClientID: conn.ClientID, AppOnly: conn.Auth == "app", Foreign: conn.Auth == "token",
		Lineage: lineage, Header: headers(conn),
		Tokens: tokens, Transport: transport, ContentHosts: conn.ContentHosts, UserAgent: o.UserAgent, Log: o.Log,
	})
}

// headers gives what goes with every request to the API.
func headers(conn backends.Connection) http.Header {
	if conn.Type == "box" {
		return box.Header(conn.Headers)
	}
	h := http.Header{}
	for name, value := range conn.Headers {
		h.Set(name, value)
	}
	return h
}

// ways are the values of Auth by Type.
var ways = map[string][]string{"microsoft": {"delegated", "app", "token"}, "box": {"oauth", "ccg", "jwt", "token"}}

// SignIn gives the source of a connection's access tokens, to ask whether it is signed in. It makes no request.
func SignIn(conn backends.Connection) (auth.Source, error) {
	tokens, _, err := reach(conn)
	return tokens, err
}

// reach gives what every request of a connection needs: where its tokens come from, and what carries it.
func reach(conn backends.Connection) (auth.Source, http.RoundTripper, error) {
	transport, err := Transport(conn)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := tokens(conn, transport)
	return tokens, transport, err
}

// tokens gives the source of access tokens of a connection. It makes no request.
func tokens(conn backends.Connection, transport http.RoundTripper) (auth.Source, error) {
	known, ok := ways[conn.Type]
	if !ok {
		return nil, fmt.Errorf("type is %q: it must be microsoft or box", conn.Type)
	}
	if !slices.Contains(known, conn.Auth) {
		return nil, fmt.Errorf("auth is %q: with type %s it must be %s", conn.Auth, conn.Type, strings.Join(known, " or "))
	}
	if conn.Auth == "token" {
		if conn.TokenCommand == "" {
			return nil, errors.New("token_command is missing")
		}
		return auth.NewCommand(conn.TokenCommand), nil
	}
	store := storeOf(conn)
	if conn.Type != "box" {
		return auth.NewMicrosoft(auth.MicrosoftConfig{
			LoginURL: conn.LoginURL, Tenant: conn.Tenant, ClientID: conn.ClientID, Resource: graph.Resource(conn.GraphURL),
			AppOnly: conn.Auth == "app", Certificate: conn.Certificate, PrivateKey: conn.PrivateKey,
		}, store, transport), nil
	}
	cfg := auth.BoxConfig{
		TokenURL: conn.TokenURL, ClientID: conn.ClientID, JWT: conn.Auth == "jwt", KeyID: conn.PublicKeyID, PrivateKey: conn.PrivateKey,
		Helper: conn.RenewHelper, CAFile: conn.CAFile,
	}
	if conn.Auth != "oauth" {
		var ok bool
		cfg.SubjectType, cfg.SubjectID, ok = strings.Cut(conn.Subject, ":")
		if !ok || cfg.SubjectID == "" || cfg.SubjectType != "user" && cfg.SubjectType != "enterprise" {
			return nil, fmt.Errorf("subject is %q: it must be user:ID or enterprise:ID", conn.Subject)
		}
	}
	return auth.NewBox(cfg, store, transport), nil
}

// storeOf gives what keeps the credentials of a connection.
func storeOf(conn backends.Connection) auth.Store {
	if conn.Store != nil {
		return conn.Store
	}
	return auth.File(conn.Credentials)
}

// Transport carries the requests of a connection. It takes proxies from the environment and trusts the configured
// certificates on top of the system's.
func Transport(conn backends.Connection) (http.RoundTripper, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	t.ResponseHeaderTimeout = 2 * time.Minute // what a service thinks about for longer is lost
	if conn.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(conn.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("ca_file: " + conn.CAFile + " holds no certificate in PEM form")
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool}
	return t, nil
}
