package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
)

const (
	// unavailableTries is how often a broken answer is asked for, throttledTries a throttled one.
	unavailableTries = 5
	throttledTries   = 12
	// errorBody is how much of a refusal is read, in bytes.
	errorBody = 64 << 10
)

// send makes a request until it succeeds, fails for good, or the context leaves no time. handle gets an answer of status
// 200 to 299 and done, which it calls when it has finished with the body (also to give back the places in the limiters).
// An error of handle is a broken answer.
func (c *Client) send(ctx context.Context, method, urlOrPath string, header http.Header, body []byte, handle func(res *http.Response, done func()) error) error {
	u, err := c.resolve(method, urlOrPath)
	if err != nil {
		return err
	}
	a := attempt{c: c, method: method, u: u, header: header, body: body, op: opOf(method, u), handle: handle}
	return a.run(ctx)
}

func (a *attempt) run(ctx context.Context) error {
	c := a.c
	var throttled, unavailable int
	renewed, challenged, newConnection := false, false, false
	for {
		f := a.once(ctx, newConnection)
		if f == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", a.op, ctx.Err())
		}
		newConnection = f.Status == http.StatusServiceUnavailable
		switch {
		case f.claims != "" && !challenged:
			// A token that proves more than this one may do; if it does not, another one of the same kind won't either.
			challenged, renewed = true, true
			c.o.Tokens.Challenge(a.token, f.claims)
			continue
		case f.Status == http.StatusUnauthorized && !renewed:
			// Expired or revoked early: one new token, then believe it.
			renewed = true
			c.o.Tokens.Invalidate(a.token)
			continue
		case f.Status == 0 && errors.Is(f.Kind, backends.ErrThrottled):
			// A limiter or the token source says so; both have waited as long as they may.
			return f
		case errors.Is(f.Kind, backends.ErrThrottled):
			throttled++
			wait := f.after
			if wait < 0 {
				wait = jitter(c.backoff << min(throttled-1, 6))
			} else {
				wait += time.Duration(rand.Int64N(int64(min(wait/10, time.Second)) + 1))
			}
			wait = max(wait, 10*time.Millisecond)
			for _, l := range a.limiters {
				l.Pause(wait)
			}
			if throttled >= throttledTries || wait > remaining(ctx) {
				return f
			}
			// The wait itself happens in the limiters, together with everybody else's.
		case errors.Is(f.Kind, backends.ErrUnavailable) && a.repeatable(f):
			unavailable++
			wait := jitter(c.backoff / 4 << min(unavailable-1, 6))
			if f.after > 0 {
				wait = f.after
			}
			if unavailable >= a.tries(f) || wait > remaining(ctx) {
				return f
			}
			if err := sleep(ctx, wait); err != nil {
				return fmt.Errorf("%s: %w", a.op, err)
			}
		default:
			return f
		}
	}
}

// attempt is a request that may be made several times.
type attempt struct {
	c        *Client
	method   string
	u        *url.URL
	header   http.Header
	body     []byte
	op       string
	handle   func(res *http.Response, done func()) error
	locating bool // for the address of a content: redirects are answers, 202 means that it is not ready

	redirects bool   // redirects are answers
	token     string // sent last
	limiters  []*Limiter
}

// repeatable tells whether an answer that is missing or broken may be asked for again.
func (a *attempt) repeatable(f *Error) bool {
	var wrongType *json.UnmarshalTypeError
	var untrusted *tls.CertificateVerificationError
	var noToken *auth.Error // whose source has tried as often as makes sense
	if errors.As(f.Err, &untrusted) || errors.As(f.Err, &noToken) {
		return false
	}
	if errors.Is(f.Err, ErrTooLarge) || errors.As(f.Err, &wrongType) || f.Status >= 300 && f.Status < 400 {
		return false
	}
	return a.method == http.MethodGet || a.method == http.MethodHead
}

// tries is small where there is no network, so that what is cached can be served soon, and large where the service is
// still busy with a new content.
func (a *attempt) tries(f *Error) int {
	if f.Status == http.StatusAccepted {
		return throttledTries
	}
	var op *net.OpError
	var dns *net.DNSError
	if errors.As(f.Err, &dns) || errors.As(f.Err, &op) && op.Op == "dial" {
		return 2
	}
	return unavailableTries
}

func (a *attempt) request(ctx context.Context) *http.Request {
	req := (&http.Request{
		Method: a.method, URL: a.u, Host: a.u.Host, Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	req.Header.Set("Accept", "application/json")
	maps.Copy(req.Header, a.c.o.Header)
	maps.Copy(req.Header, a.header)
	if a.c.o.UserAgent != "" {
		req.Header.Set("User-Agent", a.c.o.UserAgent)
	}
	if a.body != nil {
		req.Body = io.NopCloser(bytes.NewReader(a.body))
		req.ContentLength = int64(len(a.body))
		if req.Header.Get("Content-Type") == "" {
			req.Header.Set("Content-Type", "application/json")
		}
	}
	return req
}

// once makes the request once. It returns nil if that went well.
func (a *attempt) once(ctx context.Context, newConnection bool) *Error {
	c := a.c
	token, err := c.o.Tokens.Token(ctx)
	if err != nil {
		return noToken(a.op, err)
	}
	a.token = token.Value
	req := a.request(ctx)
	req.Header.Set("Authorization", "Bearer "+token.Value)
	req.Close = newConnection
	packed := acceptGzip(req)

	a.limiters = c.own
	if c.o.Limits != nil {
		if ls := c.o.Limits(req); len(ls) > 0 {
			a.limiters = ls
		}
	}
	release, err := acquireAll(ctx, a.limiters)
	if err != nil {
		return &Error{Op: a.op, Kind: backends.ErrThrottled, Err: err}
	}
	began := time.Now()
	res, err := c.http.Do(req)
	if err != nil {
		release()
		e := network(a.op, err)
		c.o.Log.WarnContext(ctx, "request failed", "op", a.op, "took", time.Since(began), "error", e.Err)
		return e
	}
	if packed {
		unzipped(res)
	}
	c.o.Log.DebugContext(ctx, "request", "op", a.op, "status", res.StatusCode, "took", time.Since(began),
		"id", clean(res.Header.Get("Request-Id")+res.Header.Get("Box-Request-Id"), 80))
	body := res.Body // handle may put another one into res
	done := func() {
		body.Close()
		release()
	}
	if a.locating && res.StatusCode == http.StatusAccepted {
		done()
		return &Error{Op: a.op, Status: res.StatusCode, Kind: backends.ErrUnavailable, after: retryAfter(res.Header, time.Now())}
	}
	if res.StatusCode >= 200 && res.StatusCode < 300 || (a.locating || a.redirects && res.StatusCode < 400) && res.Header.Get("Location") != "" {
		if err := a.handle(res, done); err != nil {
			e := network(a.op, err)
			e.Status = res.StatusCode
			c.o.Log.WarnContext(ctx, "answer is broken", "op", a.op, "error", e.Err)
			return e
		}
		return nil
	}
	defer done()
	data, _ := io.ReadAll(io.LimitReader(res.Body, errorBody))
	f := c.refusal(a.op, res, data)
	c.o.Log.WarnContext(ctx, "request refused", "op", a.op, "status", f.Status, "code", f.Code, "retry_after", max(0, f.after), "id", f.RequestID)
	return f
}

// remaining is the time that a context leaves.
func remaining(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return 1<<63 - 1
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
