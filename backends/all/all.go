// Package all is the list of services: a new one is a folder of its own and a line here.
package all

import (
	"context"
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
	"github.com/workfs/workfs/backends/directory"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/outlook"
	"github.com/workfs/workfs/backends/teams"
)

// signedIn is what the services of one Microsoft sign-in share.
type signedIn struct {
	client        *graph.Client
	account       graph.Account
	conn          backends.Connection
	options       backends.Options
	memory        backends.Memory
	subscriptions *subscription.Manager // nil where the service can't reach this machine
}

// microsoft are the services that share a Microsoft sign-in, each at a place of its name.
var microsoft = []struct {
	name string
	open func(s signedIn) backends.Backend
}{
	{"outlook", func(s signedIn) backends.Backend {
		return outlook.New(outlook.Config{
			Client: s.client, Account: s.account, Options: s.options, SharedMailboxes: s.conn.SharedMailboxes, Memory: s.memory,
			Subscriptions: s.subscriptions, Now: s.options.Now,
		})
	}},
	{"teams", func(s signedIn) backends.Backend {
		return teams.New(teams.Config{
			Client: s.client, Account: s.account, Options: s.options, Subscriptions: s.subscriptions, Now: s.options.Now,
		})
	}},
	{"directory", func(s signedIn) backends.Backend {
		return directory.New(directory.Config{Client: s.client, Account: s.account, Options: s.options})
	}},
}

// Opened is an open connection.
type Opened struct {
	// Mounted are its backends at their places.
	Mounted []backends.Mounted
	// Run keeps the subscriptions that the backends share until ctx ends, and deletes them then. It is nil where there is
	// nothing to keep.
	Run func(ctx context.Context)
}

// Open gives the backends of a connection at their places. It signs in and asks who that is, unless memory knows.
func Open(ctx context.Context, conn backends.Connection, o backends.Options, memory backends.Memory) (Opened, error) {
	if conn.Type == "box" {
		b, err := openBox(ctx, conn, o, memory)
		if err != nil {
			return Opened{}, err
		}
		return Opened{Mounted: []backends.Mounted{{Backend: b}}}, nil
	}
	tokens, transport, err := reach(conn)
	if err != nil {
		return Opened{}, err
	}
	client, err := graphClient(conn, o, tokens, transport)
	if err != nil {
		return Opened{}, err
	}
	account, err := client.Account(ctx, memory)
	if err != nil {
		return Opened{}, err
	}
	var opened Opened
	s := signedIn{client: client, account: account, conn: conn, options: o, memory: memory}
	if o.Receiver != nil {
		s.subscriptions = subscription.New(subscription.Options{
			Name: conn.Name, Client: client, Account: account, ClientID: conn.ClientID, LoginURL: conn.LoginURL, Transport: transport,
			Memory: memory, Receiver: o.Receiver, Options: o,
		})
		opened.Run = s.subscriptions.Run
	}
	for _, service := range microsoft {
		if len(conn.Features) == 0 || slices.Contains(conn.Features, service.name) {
			opened.Mounted = append(opened.Mounted, backends.Mounted{Path: service.name, Backend: service.open(s)})
		}
	}
	if len(opened.Mounted) == 0 {
		return Opened{}, fmt.Errorf("features %v name no service: choose from outlook, teams, directory", conn.Features)
	}
	return opened, nil
}

func openBox(ctx context.Context, conn backends.Connection, o backends.Options, memory backends.Memory) (*box.Backend, error) {
	tokens, transport, err := reach(conn)
	if err != nil {
		return nil, err
	}
	return box.New(ctx, box.Config{
		APIURL: conn.APIURL, ClientID: conn.ClientID, Subject: conn.Subject, Enterprise: conn.Enterprise,
		EnterpriseContent: conn.EnterpriseContent, AsUser: conn.AsUser, Headers: conn.Headers,
		Tokens: tokens, Transport: transport, ContentHosts: conn.ContentHosts, UserAgent: o.UserAgent, Log: o.Log, MaxAge: o.MaxAge,
		RealtimeHosts: conn.RealtimeHosts, Receiver: o.Receiver, WebhookKeys: o.WebhookKeys, Now: o.Now, Tick: o.Tick,
	}, memory)
}

// Graph gives a client of Microsoft Graph for a connection of type microsoft. It makes no request.
func Graph(conn backends.Connection, o backends.Options) (*graph.Client, error) {
	tokens, transport, err := reach(conn)
	if err != nil {
		return nil, err
	}
	return graphClient(conn, o, tokens, transport)
}

func graphClient(conn backends.Connection, o backends.Options, tokens auth.Source, transport http.RoundTripper) (*graph.Client, error) {
	return graph.New(graph.Config{
		BaseURL: conn.GraphURL, Tenant: conn.Tenant, ClientID: conn.ClientID, AppOnly: conn.Auth == "app",
		Tokens: tokens, Transport: transport, ContentHosts: conn.ContentHosts, UserAgent: o.UserAgent, Log: o.Log,
	})
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
	transport, err := transport(conn)
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
	store := conn.Store
	if store == nil {
		store = auth.File(conn.Credentials)
	}
	if conn.Type != "box" {
		return auth.NewMicrosoft(auth.MicrosoftConfig{
			LoginURL: conn.LoginURL, Tenant: conn.Tenant, ClientID: conn.ClientID, Certificate: conn.Certificate, PrivateKey: conn.PrivateKey,
			Resource: graph.Resource(conn.GraphURL), AppOnly: conn.Auth == "app",
		}, store, transport), nil
	}
	cfg := auth.BoxConfig{
		TokenURL: conn.TokenURL, ClientID: conn.ClientID, JWT: conn.Auth == "jwt", KeyID: conn.PublicKeyID, PrivateKey: conn.PrivateKey,
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

// transport carries the requests of a connection. It takes proxies from the environment and trusts the configured
// certificates on top of the system's.
func transport(conn backends.Connection) (http.RoundTripper, error) {
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
