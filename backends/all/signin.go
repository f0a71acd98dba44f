package all

import (
	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/auth/signin"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
)

// MicrosoftApp gives the application of a connection of type microsoft as which a person signs in. own is what it proves
// itself with.
func MicrosoftApp(conn backends.Connection, own auth.Credentials) (signin.Microsoft, error) {
	transport, err := Transport(conn)
	return signin.Microsoft{
		MicrosoftConfig: auth.MicrosoftConfig{
			LoginURL: conn.LoginURL, Tenant: conn.Tenant, ClientID: conn.ClientID, Resource: graph.Resource(conn.GraphURL),
			Certificate: conn.Certificate, PrivateKey: conn.PrivateKey,
		},
		Own: own, Transport: transport,
	}, err
}

// BoxApp gives the application of a connection of type box as which a person signs in.
func BoxApp(conn backends.Connection, own auth.Credentials) (signin.Box, error) {
	transport, err := Transport(conn)
	return signin.Box{
		AccountURL: conn.AccountURL, TokenURL: conn.TokenURL, ClientID: conn.ClientID, ClientSecret: own.ClientSecret, Transport: transport,
	}, err
}
