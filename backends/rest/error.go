package rest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
)

// Error is an answer that is not a success, or no answer.
type Error struct {
	Op        string   // method and path; no query, no addresses
	Status    int      // 0 when there was no answer
	Code      string   // the service's code
	Codes     []string // the code and the finer ones nested in it
	Message   string   // the service's message, cleaned and bounded; not part of Error because it may name people
	RequestID string   // the service's id of the request
	Kind      error    // one of the kinds in package backends
	Err       error    // what happened below, if anything

	// Header and Body are the answer, of the body at most the first 64 KiB. They are for who speaks to the service directly
	// and no part of Error.
	Header http.Header
	Body   []byte

	after  time.Duration // what Retry-After says, not above 0 when it says nothing
	claims string        // the JSON of a claims challenge, "" for none
}

// Error tells all but the message.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	b.WriteString(": ")
	b.WriteString(e.Kind.Error())
	if e.Status != 0 {
		b.WriteString(", status " + strconv.Itoa(e.Status))
	}
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.RequestID != "" {
		b.WriteString(", request " + e.RequestID)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// ErrTooLarge is the cause when an answer exceeds Options.MaxBody.
var ErrTooLarge = errors.New("the answer is too large")

// refusal makes an error of an answer and the start of its body.
func (c *Client) refusal(op string, res *http.Response, body []byte) *Error {
	e := &Error{
		Op: op, Status: res.StatusCode,
		RequestID: clean(cmp.Or(res.Header.Get("Request-Id"), res.Header.Get("Box-Request-Id")), 80),
		Header:    res.Header, Body: body,
	}
	e.Codes, e.Message = decodeError(body)
	if len(e.Codes) > 0 {
		e.Code = e.Codes[0]
	}
	e.after = retryAfter(res.Header, time.Now())
	e.Kind = kindOf(res.StatusCode, e.after >= 0)
	if res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden {
		e.claims = claimsOf(res.Header)
	}
	if c.o.Classify != nil {
		for _, code := range append(e.Codes, "") {
			if kind := c.o.Classify(res.StatusCode, code, e.Message, res.Header); kind != nil {
				e.Kind = kind
				break
			}
		}
	}
	return e
}

// kindOf is the usual meaning of a status.
func kindOf(status int, retryAfter bool) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusLocked, http.StatusUnavailableForLegalReasons:
		return backends.ErrForbidden
	case http.StatusNotFound, http.StatusGone, http.StatusMethodNotAllowed:
		// Box answers 405 for an id that it cannot parse.
		return backends.ErrNotFound
	case http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return backends.ErrStale
	case http.StatusTooManyRequests, 509:
		return backends.ErrThrottled
	case http.StatusServiceUnavailable:
		if retryAfter {
			return backends.ErrThrottled
		}
		return backends.ErrUnavailable
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return backends.ErrUnavailable
	case http.StatusNotImplemented:
		return backends.ErrBroken
	}
	if status >= 400 && status < 500 {
		return backends.ErrBroken
	}
	return backends.ErrUnavailable
}

// decodeError reads the error bodies of Graph ({"error":{"code","message","innerError":{…}}}), Box ({"code","message"})
// and OAuth ({"error","error_description"}); anything else gives nothing.
func decodeError(body []byte) (codes []string, message string) {
	var outer struct {
		Error       json.RawMessage `json:"error"`
		Code        json.RawMessage `json:"code"`
		Message     json.RawMessage `json:"message"`
		Description json.RawMessage `json:"error_description"`
	}
	if json.Unmarshal(body, &outer) != nil {
		return nil, ""
	}
	add := func(raw json.RawMessage) {
		if s := text(raw); s != "" {
			codes = append(codes, clean(s, 80))
		}
	}
	type nested struct {
		Code    json.RawMessage `json:"code"`
		Message json.RawMessage `json:"message"`
		Inner   json.RawMessage `json:"innerError"` // innererror matches too: decoding ignores case
	}
	add(outer.Code)
	add(outer.Error)
	message = clean(cmp.Or(text(outer.Message), text(outer.Description)), 300)
	raw := outer.Error
	for range 5 {
		var n nested
		if len(raw) == 0 || json.Unmarshal(raw, &n) != nil {
			break
		}
		add(n.Code)
		message = cmp.Or(message, clean(text(n.Message), 300))
		raw = n.Inner
	}
	return codes, message
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// clean makes remote text fit for a log line.
func clean(s string, max int) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= max {
			break
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// longestPause bounds what a Retry-After may do to a scope.
const longestPause = time.Hour

// retryAfter reads Retry-After: seconds, also with a fraction, or a date. It is -1 when there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return -1
	}
	if seconds, err := strconv.ParseFloat(v, 64); err == nil {
		if !(seconds >= 0) {
			return -1
		}
		return time.Duration(min(seconds, longestPause.Seconds()) * float64(time.Second))
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return -1
	}
	// The date is by the service's clock.
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(0, min(at.Sub(now), longestPause))
}

// noToken makes an error of a token source's.
func noToken(op string, err error) *Error {
	kind := backends.ErrUnavailable
	var a *auth.Error
	if errors.As(err, &a) {
		switch a.Kind {
		case auth.Denied, auth.Broken:
			kind = backends.ErrForbidden
		case auth.Throttled:
			kind = backends.ErrThrottled
		}
	}
	return &Error{Op: op, Kind: kind, Err: err}
}

// network makes an error of a failure to get an answer, without the address, which may be signed.
func network(op string, err error) *Error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &Error{Op: op, Kind: backends.ErrUnavailable, Err: err}
}

// opOf names a request in errors and logs: ids stay, addresses and queries do not.
func opOf(method string, u *url.URL) string {
	parts := strings.Split(u.Path, "/")
	for i, p := range parts {
		if strings.Contains(p, "@") {
			parts[i] = "{address}"
		}
	}
	return method + " " + clean(strings.Join(parts, "/"), 400)
}

func refused(op, why string, args ...any) *Error {
	return &Error{Op: op, Kind: backends.ErrBroken, Err: fmt.Errorf(why, args...)}
}
