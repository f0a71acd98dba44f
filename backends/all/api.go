package all

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/box"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/rest"
)

// API gives a client for the raw API of a connection. Paths begin with the version, as in "/v1.0/me" and "/2.0/users/me".
// Requests have the connection's headers, and downloads lead to the same hosts as in a mount.
func API(conn backends.Connection, o backends.Options) (*rest.Client, error) {
	tokens, transport, err := reach(conn)
	if err != nil {
		return nil, err
	}
	address, hosts := cmp.Or(conn.GraphURL, "https://graph.microsoft.com"), graph.ContentHosts(conn.GraphURL)
	if conn.Type == "box" {
		address, hosts = cmp.Or(conn.APIURL, "https://api.box.com"), box.ContentHosts()
	}
	if len(conn.ContentHosts) > 0 {
		hosts = conn.ContentHosts
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("%q is not an address", address)
	}
	return rest.New(rest.Options{
		Base: base, Tokens: tokens, Transport: transport, UserAgent: o.UserAgent, Header: headers(conn), ContentHosts: hosts, Log: o.Log,
	}), nil
}

// BoxAsUser gives the header that makes requests to the API of a Box connection act as a user, given by login or id; nil
// for who is signed in. It asks Box whether that works.
func BoxAsUser(ctx context.Context, conn backends.Connection, o backends.Options, user string) (http.Header, error) {
	conn.AsUser, conn.Enterprise, conn.EnterpriseContent = user, false, false
	tokens, transport, err := reach(conn)
	if err != nil {
		return nil, err
	}
	b, err := openBox(ctx, conn, o, tokens, transport, forgetful{})
	if err != nil {
		return nil, err
	}
	return b.AsUser(), nil
}

// forgetful is a Memory without any.
type forgetful struct{}

func (forgetful) Get(string) ([]byte, bool) { return nil, false }
func (forgetful) Put(string, []byte) error  { return nil }
