package rest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/workfs/workfs/auth"
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
	// Header is sent with every request to the API that does not have the same header itself; never to ContentHosts.
	Header http.Header
	// ContentHosts are the hosts that downloads may be redirected to: "host", "host:port" or "*.domain".
	ContentHosts []string
	// Limits names the limiters that a request has to pass, always in the same order. All of them wait when it is
	// throttled. Nil or none means the client's own, which only heeds throttling.
	Limits func(*http.Request) []*Limiter
	// Classify refines the kind of a failed answer: one of the kinds of package backends, or nil for the usual one. It is
	// called for each code of the answer, outermost first, and then with "". Answers that are ErrUnavailable or
	// ErrThrottled are asked for again.
	Classify func(status int, code, message string, h http.Header) error
	// Backoff is the first wait where a service that throttles names none, 1 s by default.
	Backoff time.Duration
	// MaxBody bounds an answer that is held in memory, in bytes; 128 MiB by default.
	MaxBody int64
	// Log gets one line per request; nil for none.
	Log *slog.Logger
}

// Client talks to one service. It is safe for concurrent use.
type Client struct {
	o       Options
	http    *http.Client
	own     []*Limiter
	locate  singleflight.Group
	signed  signedURLs
	backoff time.Duration
}

// New makes a Client without a request.
func New(o Options) *Client {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.MaxBody = cmp.Or(o.MaxBody, 128<<20)
	return &Client{
		o: o,
		http: &http.Client{
			Transport: o.Transport,
			// Redirects are looked at, never followed with what the request carries.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		own:     []*Limiter{NewLimiter(0, 0, 0)},
		backoff: cmp.Or(o.Backoff, time.Second),
	}
}

// Response is an answer of status 200 to 299, read whole.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request to a path below the base or to a link that the service gave, and reads the answer. JSON that is cut
// off is asked for again. Requests other than GET are repeated only where the service refused to handle them.
func (c *Client) Do(ctx context.Context, method, urlOrPath string, header http.Header, body []byte) (*Response, error) {
	var got *Response
	err := c.send(ctx, method, urlOrPath, header, body, func(res *http.Response, done func()) error {
		defer done()
		b := buffers.get()
		defer buffers.put(b)
		if err := c.readAll(b, res.Body); err != nil {
			return err
		}
		data := bytes.Clone(b.Bytes())
		if len(data) > 0 && strings.Contains(res.Header.Get("Content-Type"), "json") && !json.Valid(data) {
			return io.ErrUnexpectedEOF
		}
		got = &Response{res.StatusCode, res.Header, data}
		return nil
	})
	return got, err
}

// Decoder is what decodes an answer by itself. data is its own until DecodeJSON returns. An error means that the answer is
// broken, and that it is not worth asking again where it is a json.UnmarshalTypeError, as with encoding/json.
type Decoder interface{ DecodeJSON(data []byte) error }

// JSON gets a path below the base, or a link that the service gave, and decodes the answer.
func (c *Client) JSON(ctx context.Context, urlOrPath string, header http.Header, into any) error {
	return c.send(ctx, http.MethodGet, urlOrPath, header, nil, func(res *http.Response, done func()) error {
		defer done()
		b := buffers.get()
		defer buffers.put(b)
		if err := c.readAll(b, res.Body); err != nil {
			return err
		}
		if d, ok := into.(Decoder); ok {
			return d.DecodeJSON(b.Bytes())
		}
		return json.Unmarshal(b.Bytes(), into)
	})
}

// streamAhead is how much of a stream is read before it is handed over, in bytes. Most are that short, and then a broken
// connection can still be repaired and the stream holds no place in a limiter.
const streamAhead = 4 << 20

// Stream gets a path without holding more than streamAhead bytes; the caller closes the body. A longer stream keeps its
// places in the limiters until then, so the caller must not wait for another request of that scope meanwhile. An error in
// mid-stream is ErrUnavailable.
func (c *Client) Stream(ctx context.Context, urlOrPath string, header http.Header) (*http.Response, error) {
	var got *http.Response
	err := c.send(ctx, http.MethodGet, urlOrPath, header, nil, func(res *http.Response, done func()) error {
		got = res
		return readAhead(res, done)
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// stream is a body that gives back its places when it is closed.
type stream struct {
	io.Reader
	op   string
	done func()
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = network(s.op, err)
	}
	return n, err
}

func (s *stream) Close() error {
	s.done()
	return nil
}

func (c *Client) readAll(b *bytes.Buffer, r io.Reader) error {
	_, err := b.ReadFrom(io.LimitReader(r, c.o.MaxBody+1))
	if err == nil && int64(b.Len()) > c.o.MaxBody {
		err = ErrTooLarge
	}
	return err
}

// resolve gives the address of a path below the base, or of a link that the service gave.
func (c *Client) resolve(method, urlOrPath string) (*url.URL, error) {
	if strings.HasPrefix(urlOrPath, "/") {
		u, err := url.Parse(strings.TrimSuffix(c.o.Base.String(), "/") + urlOrPath)
		if err != nil {
			return nil, refused(method, "a path is malformed")
		}
		return u, nil
	}
	u, err := url.Parse(urlOrPath)
	if err != nil {
		return nil, refused(method, "a link of the service is malformed")
	}
	if u.Scheme != c.o.Base.Scheme || u.User != nil || !sameHost(u, c.o.Base) {
		return nil, refused(method, "a link of the service leads to %s://%s and is not followed", clean(u.Scheme, 20), clean(u.Host, 100))
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

func sameHost(a, b *url.URL) bool {
	return strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "http" {
		return "80"
	}
	return "443"
}

// contentHost tells whether a download may go to u.
func (c *Client) contentHost(u *url.URL) bool { return Allowed(u, c.o.ContentHosts) }

// Allowed tells whether an address that a service gave is https to a host that is listed ("host", "host:port" or
// "*.domain"), or http to such a host if that is a loopback address.
func Allowed(u *url.URL, hosts []string) bool {
	loopback := u.Scheme == "http" && Loopback(u)
	if u.User != nil || u.Scheme != "https" && !loopback {
		return false
	}
	host := strings.ToLower(u.Hostname())
	for _, allowed := range hosts {
		allowed = strings.ToLower(allowed)
		if name, p, err := net.SplitHostPort(allowed); err == nil {
			if name == host && p == port(u) {
				return true
			}
			continue
		}
		if port(u) != "443" && !loopback {
			continue
		}
		suffix, wild := strings.CutPrefix(allowed, "*")
		if host == allowed || wild && strings.HasPrefix(suffix, ".") && strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

// Loopback tells whether an address leads to a loopback address, given as a number.
func Loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}
