// Package graph is what the Microsoft services share: paths and options, paging, delta links, error codes, request limits
// and the account that is signed in.
package graph

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
)

// Config describes a Client.
type Config struct {
	// BaseURL is the cloud's Graph host, https://graph.microsoft.com when empty. The version is added.
	BaseURL string
	// Tenant and ClientID are the connection's; Tenant may be a domain.
	Tenant, ClientID string
	// AppOnly says that tokens are the application's own (client credentials), so that there is no /me.
	AppOnly bool

	Tokens       auth.Source
	Transport    http.RoundTripper
	ContentHosts []string
	UserAgent    string
	Log          *slog.Logger
	// TeamsInterval is the time between requests to one channel or chat, 1 s by default (limits of Teams).
	TeamsInterval time.Duration
	// Backoff is the first wait where the service names none, 1 s by default.
	Backoff time.Duration
}

// Client talks to Graph. It is safe for concurrent use.
type Client struct{ cfg Config }

// New makes a Client without a request.
func New(cfg Config) (*Client, error) { return &Client{cfg}, nil }

// AppOnly tells whether the sign-in is an application's.
func (c *Client) AppOnly() bool { return c.cfg.AppOnly }

// Query is what goes with a request besides its path.
type Query struct {
	// Options are names (with $ where they have one) and values by turns, sent in this order, values unescaped.
	Options []string
	// Prefer are values of the Prefer header; IdType="ImmutableId" is always among those sent.
	Prefer []string
	// MaxPage asks for pages of that many elements by odata.maxpagesize; 0 leaves it to the service.
	MaxPage int
	// Header are further headers, as ConsistencyLevel.
	Header http.Header
}

// Opts is a Query of options: Opts("$top", "50", "$select", "id").
func Opts(namesAndValues ...string) Query { return Query{Options: namesAndValues} }

// Path joins segments to a path, each percent-encoded: Path("users", id, "messages").
func Path(segments ...string) string { return "" }

// Get reads a resource, "/me/…" or "/users/…" below the version, into out.
func (c *Client) Get(ctx context.Context, path string, q Query, out any) error {
	return errors.New("not built yet")
}

// Raw reads a resource as it is.
func (c *Client) Raw(ctx context.Context, path string, q Query) (json.RawMessage, error) {
	return nil, errors.New("not built yet")
}

// Page is one page of a collection.
type Page struct {
	Values []json.RawMessage
	// Count is @odata.count, -1 where the page has none.
	Count int64
	// Next and Delta are the links of the page; at most one is set.
	Next, Delta string
}

// Pages reads a collection from its path, a nextLink or a deltaLink, and follows nextLinks byte for byte. The options of q
// go with the first request of a path only (links have them baked in), its headers with every one. fn gets each page once,
// in order, empty ones too. It returns the deltaLink if the last page had one.
func (c *Client) Pages(ctx context.Context, pathOrLink string, q Query, fn func(Page) error) (deltaLink string, err error) {
	return "", errors.New("not built yet")
}

// Stream opens a $value without buffering. The caller closes it and makes no other request of the same mailbox meanwhile,
// because the stream counts as one of the four in flight.
func (c *Client) Stream(ctx context.Context, path string) (io.ReadCloser, http.Header, error) {
	return nil, nil, errors.New("not built yet")
}

// Content opens n bytes from off (n < 0: to the end) of a drive item's /content path. The signed address that the service
// redirects to is kept under key, which names the item's version.
func (c *Client) Content(ctx context.Context, path, key string, off, n int64) (backends.Content, error) {
	return backends.Content{}, errors.New("not built yet")
}

// ErrCode gives the innermost code that Graph named in an error, in lower case, "" if err has none.
func ErrCode(err error) string { return "" }

// IsResync tells whether err means that a delta link is spent and the collection has to be read anew.
func IsResync(err error) bool { return false }

// Account is who is signed in.
type Account struct {
	Tenant      string `json:"tenant"`  // GUID
	UserID      string `json:"user_id"` // GUID; "" when app-only
	UPN         string `json:"upn,omitempty"`
	Mail        string `json:"mail,omitempty"`
	DisplayName string `json:"display_name,omitempty"`
}

// Scope is what makes identities of a service of this account unique: cloud, tenant, principal and service.
func (c *Client) Scope(a Account, service string) string { return "" }

// Account tells who is signed in. It asks once (/me, and /organization where the tenant is not configured as a GUID) and
// remembers the answer in memory, so that mounts without a network work.
func (c *Client) Account(ctx context.Context, memory backends.Memory) (Account, error) {
	return Account{}, errors.New("not built yet")
}
