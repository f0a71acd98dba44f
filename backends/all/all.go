// Package all is the list of services: a new one is a folder of its own and a line here.
package all

import (
	"context"
	"fmt"
	"net/http"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/box"
	"github.com/workfs/workfs/backends/directory"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/permission"
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

// microsoft are the services that share a Microsoft sign-in, each at a place of its name where the view shows anything of it.
var microsoft = []struct {
	name  string
	shown func(permission.View) bool
	open  func(s signedIn) backends.Backend
}{
	{"outlook", permission.View.Mailboxes, func(s signedIn) backends.Backend {
		return outlook.New(outlook.Config{
			Client: s.client, Account: s.account, Options: s.options, SharedMailboxes: s.conn.SharedMailboxes, Memory: s.memory,
			Subscriptions: s.subscriptions, Now: s.options.Now,
		})
	}},
	{"teams", permission.View.Conversations, func(s signedIn) backends.Backend {
		return teams.New(teams.Config{
			Client: s.client, Account: s.account, Options: s.options, Subscriptions: s.subscriptions, Now: s.options.Now,
		})
	}},
	{"directory", permission.View.People, func(s signedIn) backends.Backend {
		return directory.New(directory.Config{Client: s.client, Account: s.account, Options: s.options})
	}},
}

// Opened is an open connection.
type Opened struct {
	// Mounted are its backends at their places.
	Mounted []backends.Mounted
	// Gaps are what the connection does not show, beside what its backends tell.
	Gaps []backends.Gap
	// Tokens are what its backends sign in with; nil where the configuration can't work.
	Tokens auth.Source
	// Run keeps the subscriptions that the backends share until ctx ends, and deletes them then. It is nil where there is
	// nothing to keep.
	Run func(ctx context.Context)
}

// Open gives the backends of a connection at their places. It signs in and asks who that is, unless memory knows. Where it
// fails there are Tokens only.
func Open(ctx context.Context, conn backends.Connection, o backends.Options, memory backends.Memory) (Opened, error) {
	tokens, transport, err := reach(conn)
	if err != nil {
		return Opened{}, err
	}
	opened := Opened{Tokens: tokens}
	if conn.Type == "box" {
		b, err := openBox(ctx, conn, o, tokens, transport, memory)
		if err != nil {
			return opened, err
		}
		opened.Mounted = []backends.Mounted{{Backend: b}}
		return opened, nil
	}
	in := lastSignIn(conn, memory)
	if _, err := permission.Parse(conn.Features); err != nil {
		return opened, fmt.Errorf("features: %w", err)
	}
	o.Features, o.Granted = conn.Features, in.granted()
	view := permission.ViewOf(o, conn.Auth == "app")
	client, err := graphClient(conn, o, in.Lineage, tokens, transport)
	if err != nil {
		return opened, err
	}
	account, err := client.Account(ctx, memory)
	if err != nil {
		return opened, err
	}
	opened.Gaps = view.Gaps(conn.Name, len(conn.SharedMailboxes) > 0)
	s := signedIn{client: client, account: account, conn: conn, options: o, memory: memory}
	if o.Receiver != nil {
		s.subscriptions = subscription.New(subscription.Options{
			Name: conn.Name, Client: client, Account: account, ClientID: conn.ClientID, LoginURL: conn.LoginURL, Transport: transport,
			Memory: memory, Receiver: o.Receiver, Options: o,
		})
		opened.Run = s.subscriptions.Run
	}
	for _, service := range microsoft {
		if service.shown(view) {
			opened.Mounted = append(opened.Mounted, backends.Mounted{Path: service.name, Backend: service.open(s)})
		}
	}
	if len(opened.Mounted) == 0 {
		// An empty directory would say that there is nothing.
		return Opened{Tokens: tokens}, fmt.Errorf("%w: nothing of what features chooses was granted to the sign-in: run workfs login microsoft --name %s", backends.ErrForbidden, conn.Name)
	}
	return opened, nil
}

func openBox(ctx context.Context, conn backends.Connection, o backends.Options, tokens auth.Source, transport http.RoundTripper, memory backends.Memory) (*box.Backend, error) {
	return box.New(ctx, box.Config{
		APIURL: conn.APIURL, ClientID: conn.ClientID, Subject: conn.Subject, Enterprise: conn.Enterprise,
		EnterpriseContent: conn.EnterpriseContent, AsUser: conn.AsUser, Headers: conn.Headers, Lineage: lastSignIn(conn, memory).Lineage,
		Tokens: tokens, Transport: transport, ContentHosts: conn.ContentHosts, UserAgent: o.UserAgent, Log: o.Log, MaxAge: o.MaxAge,
		RealtimeHosts: conn.RealtimeHosts, Receiver: o.Receiver, WebhookKeys: o.WebhookKeys, Now: o.Now, Tick: o.Tick,
	}, memory)
}
