package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
)

// tokens counts up when a token is refused.
type tokens struct {
	n          atomic.Int64
	mu         sync.Mutex
	challenges []string // "token claims"
}

func (s *tokens) Token(context.Context) (auth.Token, error) {
	return auth.Token{Value: fmt.Sprint("token", s.n.Load()), Expires: time.Now().Add(time.Hour)}, nil
}
func (s *tokens) Invalidate(string) { s.n.Add(1) }

func (s *tokens) Renew(context.Context) error { return nil }
func (s *tokens) Life() (auth.Life, error)    { return auth.Life{}, nil }
func (s *tokens) Challenge(token, claims string) {
	s.n.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.challenges = append(s.challenges, token+" "+claims)
}

// api is a server that answers with steps in turn, the last one again and again.
type api struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
}

func (a *api) requests() []*http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen
}

type step func(w http.ResponseWriter, r *http.Request)

func answer(status int, body string, header ...string) step {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// cut announces more than it sends and resets the connection.
func cut(body string) step {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		io.WriteString(w, body)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func serve(t *testing.T, steps ...step) *api {
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		n := len(a.seen)
		a.seen = append(a.seen, r)
		a.mu.Unlock()
		steps[min(n, len(steps)-1)](w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func client(t *testing.T, a *api, change ...func(*Options)) *Client {
	t.Helper()
	base, err := url.Parse(a.URL + "/v1.0")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Base: base, Tokens: &tokens{}, Backoff: 4 * time.Millisecond, UserAgent: "test"}
	for _, f := range change {
		f(&o)
	}
	return New(o)
}

func TestRetries(t *testing.T) {
	const good = `{"n":7}`
	tests := []struct {
		name     string
		steps    []step
		requests int
		kind     error
	}{
		{"good", []step{answer(200, good)}, 1, nil},
		{"throttled with a fraction", []step{answer(429, "", "Retry-After", "0.01"), answer(200, good)}, 2, nil},
		{"throttled with a past date", []step{answer(429, "", "Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT"), answer(200, good)}, 2, nil},
		{"throttled without a time", []step{answer(429, `{"error":{"code":"UnknownError","message":""}}`), answer(429, ""), answer(200, good)}, 3, nil},
		{"throttled with nonsense", []step{answer(429, "", "Retry-After", "soon"), answer(200, good)}, 2, nil},
		{"503 empty", []step{answer(503, ""), answer(200, good)}, 2, nil},
		{"503 with a time", []step{answer(503, "", "Retry-After", "0.01"), answer(200, good)}, 2, nil},
		{"502 HTML", []step{answer(502, "<html>"), answer(200, good)}, 2, nil},
		{"reset", []step{cut(`{"n":`), answer(200, good)}, 2, nil},
		{"truncated", []step{answer(200, `{"n":`), answer(200, good)}, 2, nil},
		{"expired token", []step{answer(401, ""), answer(200, good)}, 2, nil},
		{"dead token", []step{answer(401, "")}, 2, backends.ErrForbidden},
		{"down", []step{answer(500, "")}, unavailableTries, backends.ErrUnavailable},
		{"throttled for ever", []step{answer(429, "", "Retry-After", "0")}, throttledTries, backends.ErrThrottled},
		{"not found", []step{answer(404, "")}, 1, backends.ErrNotFound},
		{"gone", []step{answer(410, "")}, 1, backends.ErrNotFound},
		{"forbidden", []step{answer(403, `{"error":{"code":"UnknownError","message":""}}`)}, 1, backends.ErrForbidden},
		{"bad request", []step{answer(400, "")}, 1, backends.ErrBroken},
		{"moved", []step{answer(302, "", "Location", "http://127.0.0.1:1/")}, 1, backends.ErrUnavailable},
		{"wrong type", []step{answer(200, `{"n":"seven"}`)}, 1, backends.ErrUnavailable},
		{"classified", []step{answer(500, `{"error":{"code":"outer","innerError":{"code":"ErrorCorruptData"}}}`)}, 1, backends.ErrBroken},
		{"busy folder", []step{answer(409, `{"code":"blocked"}`), answer(200, good)}, 2, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := serve(t, tt.steps...)
			c := client(t, a, func(o *Options) {
				o.Classify = func(status int, code, message string, h http.Header) error {
					switch code {
					case "ErrorCorruptData":
						return backends.ErrBroken
					case "blocked":
						return backends.ErrUnavailable
					}
					return nil
				}
			})
			var got struct{ N int }
			err := c.JSON(t.Context(), "/x", nil, &got)
			if !errors.Is(err, tt.kind) || tt.kind == nil && got.N != 7 {
				t.Errorf("got %+v, %v", got, err)
			}
			if n := len(a.requests()); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
		})
	}
}

func TestThrottledBeyondDeadline(t *testing.T) {
	a := serve(t, answer(429, "", "Retry-After", "3600"))
	c := client(t, a)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 3 {
		if err := c.JSON(ctx, "/x", nil, nil); !errors.Is(err, backends.ErrThrottled) {
			t.Error(err)
		}
	}
	if n := len(a.requests()); n != 1 {
		t.Errorf("%d requests while the service asked to wait", n)
	}
}

func TestNoRepeatOfWrites(t *testing.T) {
	a := serve(t, answer(500, ""))
	if _, err := client(t, a).Do(t.Context(), "POST", "/x", nil, []byte(`{}`)); !errors.Is(err, backends.ErrUnavailable) {
		t.Error(err)
	}
	if n := len(a.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestRequest(t *testing.T) {
	a := serve(t, answer(200, `[]`, "Content-Type", "application/json"))
	c := client(t, a)
	res, err := c.Do(t.Context(), "POST", "/me/mailfolders('A%2FB==')/messages?$skip=10&x=%2f", http.Header{"As-User": {"7"}}, []byte(`{"a":1}`))
	if err != nil || string(res.Body) != "[]" {
		t.Fatal(res, err)
	}
	r := a.requests()[0]
	if r.RequestURI != "/v1.0/me/mailfolders('A%2FB==')/messages?$skip=10&x=%2f" {
		t.Errorf("address changed: %s", r.RequestURI)
	}
	if r.Header.Get("Authorization") != "Bearer token0" || r.Header.Get("As-User") != "7" || r.UserAgent() != "test" || r.Header.Get("Accept-Encoding") != "gzip" {
		t.Errorf("headers %v", r.Header)
	}
	// The same as a link.
	if _, err := c.Do(t.Context(), "GET", a.URL+"/V1.0/Me('x')?$skiptoken=a%2Bb#frag", nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := a.requests()[1].RequestURI; got != "/V1.0/Me('x')?$skiptoken=a%2Bb" {
		t.Errorf("link changed: %s", got)
	}
}

func TestForeignLinks(t *testing.T) {
	other := serve(t, answer(200, `{}`))
	a := serve(t, answer(200, `{}`))
	c := client(t, a)
	host := strings.TrimPrefix(a.URL, "http://")
	for _, link := range []string{
		other.URL + "/v1.0/x",
		"https://" + host + "/v1.0/x",
		"http://user:pw@" + host + "/x",
		"http://user@" + host + "/x",
		"http://" + host + ".evil.example/x",
		"http://evil.example@" + host + "\\@evil/x",
		"//evil.example/x",
		"ftp://" + host + "/x",
		"x", "", "http://[::1", "http://" + host + "/\x00",
	} {
		err := c.JSON(t.Context(), link, nil, new(any))
		if link == "//evil.example/x" {
			// A path below the base, which is harmless.
			if err != nil || len(a.requests()) != 1 || a.requests()[0].Host != host {
				t.Errorf("%q: %v", link, err)
			}
			continue
		}
		if !errors.Is(err, backends.ErrBroken) {
			t.Errorf("%q: %v", link, err)
		}
	}
	if n := len(other.requests()); n != 0 {
		t.Errorf("%d requests to a foreign host", n)
	}
}

func TestBounds(t *testing.T) {
	a := serve(t, answer(200, `"`+strings.Repeat("x", 1000)+`"`))
	c := client(t, a, func(o *Options) { o.MaxBody = 500 })
	if err := c.JSON(t.Context(), "/x", nil, new(string)); !errors.Is(err, ErrTooLarge) || !errors.Is(err, backends.ErrUnavailable) {
		t.Error(err)
	}
	if n := len(a.requests()); n != 1 {
		t.Errorf("%d requests for an answer that is too large", n)
	}
}

func TestErrorText(t *testing.T) {
	a := serve(t, answer(403, `{"error":{"code":"ErrorAccessDenied","message":"alice@contoso.com \u001b[31m may not","innerError":{"code":"Finer"}}}`, "request-id", "r-1"))
	err := client(t, a).JSON(t.Context(), "/users/alice@contoso.com/messages/AAM=?$filter=secret", nil, nil)
	var e *Error
	if !errors.As(err, &e) || fmt.Sprint(e.Codes) != "[ErrorAccessDenied Finer]" || e.Message != "alice@contoso.com  [31m may not" {
		t.Fatalf("%+v", e)
	}
	if got, want := err.Error(), "GET /v1.0/users/{address}/messages/AAM=: permission denied, status 403 ErrorAccessDenied, request r-1"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestLogHoldsNoSecrets(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a := serve(t, answer(503, ""), answer(200, `{}`))
	c := client(t, a, func(o *Options) { o.Log = log })
	if err := c.JSON(t.Context(), "/users/bob@contoso.com?$filter=private", nil, new(any)); err != nil {
		t.Fatal(err)
	}
	a.Close()
	c.JSON(t.Context(), "/users/bob@contoso.com?$filter=private", nil, new(any))
	for _, secret := range []string{"token0", "bob", "private"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, &out)
		}
	}
	if strings.Count(out.String(), "\n") < 3 {
		t.Errorf("the log is too short:\n%s", &out)
	}
}

func TestInterrupted(t *testing.T) {
	entered := make(chan bool, 1)
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	if err := client(t, a).JSON(ctx, "/x", nil, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestStream(t *testing.T) {
	long := strings.Repeat("0123456789", streamAhead/10+1000)
	l := NewLimiter(1, 0, 0)
	limited := func(o *Options) { o.Limits = func(*http.Request) []*Limiter { return []*Limiter{l} } }

	a := serve(t, cut("short"), answer(200, "short"))
	res, err := client(t, a, limited).Stream(t.Context(), "/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(res.Body); err != nil || string(got) != "short" {
		t.Errorf("%q %v", got, err)
	}
	// A short one holds no place even before it is closed.
	release, err := l.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release()

	a = serve(t, answer(200, long))
	res, err = client(t, a, limited).Stream(t.Context(), "/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(res.Body); err != nil || string(got) != long {
		t.Errorf("%d bytes of %d, %v", len(got), len(long), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := l.Acquire(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a long stream holds no place: %v", err)
	}
	res.Body.Close()
	if release, err = l.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	release()

	a = serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, long)
		panic(http.ErrAbortHandler)
	})
	res, err = client(t, a).Stream(t.Context(), "/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(res.Body); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("a stream that broke off ended with %v", err)
	}
	res.Body.Close()
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", -1},
		{"3", "", 3 * time.Second},
		{" 1.5 ", "", 1500 * time.Millisecond},
		{"-1", "", -1},
		{"NaN", "", -1},
		{"1e300", "", time.Hour},
		{"Fri, 20 Nov 2026 12:00:07 GMT", "", 7 * time.Second},
		{"Fri, 20 Nov 2026 13:00:07 GMT", "Fri, 20 Nov 2026 13:00:00 GMT", 7 * time.Second},
		{"Fri, 20 Nov 2020 12:00:07 GMT", "", 0},
		{"later", "", -1},
	} {
		h := http.Header{"Retry-After": {tt.value}, "Date": {tt.date}}
		if got := retryAfter(h, now); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.value, got, tt.want)
		}
	}
}
