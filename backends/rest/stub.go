// Package rest is JSON and contents over HTTP for services that are signed in to with bearer tokens.
package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
)

// Options describe a Client.
type Options struct {
	// Base is the address of the API: tokens go to this scheme and host only, paths are below its path.
	Base *url.URL
	// Tokens gives access tokens.
	Tokens auth.Source
	// Transport carries the requests; nil means http.DefaultTransport.
	Transport http.RoundTripper
	// UserAgent identifies the program.
	UserAgent string
	// ContentHosts are the hosts that downloads may be redirected to: "host", "host:port" or "*.domain".
	ContentHosts []string
	// Limits names the limiters that a request has to pass; nil or none means the client's own, which only heeds 429.
	Limits func(*http.Request) []*Limiter
	// Classify refines the kind of a failed answer: one of the kinds of package backends, or nil for the usual one.
	Classify func(status int, code, message string, h http.Header) error
	// Backoff is the first wait where a service names none, 1 s by default.
	Backoff time.Duration
	// MaxBody bounds an answer that is held in memory, in bytes; 128 MiB by default.
	MaxBody int64
	// Log gets one line per request; nil for none.
	Log *slog.Logger
}

// Client talks to one service.
type Client struct{ o Options }

// New makes a Client.
func New(o Options) *Client { return &Client{o} }

// Response is an answer of status 200 to 299, read whole.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request and reads the answer.
func (c *Client) Do(ctx context.Context, method, urlOrPath string, header http.Header, body []byte) (*Response, error) {
	return nil, errors.New("not built yet")
}

// JSON gets a path and decodes the answer.
func (c *Client) JSON(ctx context.Context, urlOrPath string, header http.Header, into any) error {
	return errors.New("not built yet")
}

// Stream gets a path without buffering; the caller closes the body. It holds its places in the limiters until then.
func (c *Client) Stream(ctx context.Context, urlOrPath string, header http.Header) (*http.Response, error) {
	return nil, errors.New("not built yet")
}

// Content opens n bytes from off (n < 0: to the end) of what path redirects to. The signed address is kept under key.
func (c *Client) Content(ctx context.Context, urlOrPath string, header http.Header, key string, off, n int64) (backends.Content, error) {
	return backends.Content{}, errors.New("not built yet")
}

// Limiter bounds requests of one scope.
type Limiter struct{}

// NewLimiter makes a Limiter of inflight requests at a time (0: any number), of which burst may start at once and one more
// every interval (0: any number).
func NewLimiter(inflight, burst int, every time.Duration) *Limiter { return &Limiter{} }

// Error is an answer that is not a success, or no answer.
type Error struct {
	Op        string // method and path, no query
	Status    int    // 0 when there was no answer
	Code      string // the service's code
	Message   string // the service's message, cleaned and bounded
	RequestID string
	Kind      error // one of the kinds in package backends
	Err       error // what happened below, if anything
}

func (e *Error) Error() string { return e.Op }

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }
