package box

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/rest"
)

// realtime is a server that answers when something changes (developer.box.com/guides/events/user-events/polling).
type realtime struct {
	url     *url.URL
	retries int           // how often it may be asked without an answer
	timeout time.Duration // of a request
}

// The bounds of what Box says of a realtime server, and what counts when it says nothing.
const (
	defaultRetries, mostRetries = 10, 100
	defaultPoll                 = 610 * time.Second
	leastPoll, mostPoll         = 10 * time.Second, time.Hour
)

// realtimeServer asks where to wait for changes.
func (b *Backend) realtimeServer(ctx context.Context) (realtime, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	res, err := b.rest.Do(ctx, http.MethodOptions, "/events?stream_type="+userStream, b.as(b.own()), nil)
	if err != nil {
		return realtime{}, err
	}
	return decodeRealtime(res.Body)
}

func decodeRealtime(body []byte) (realtime, error) {
	var answer struct {
		Entries []struct {
			Type    text `json:"type"`
			URL     text `json:"url"`
			Retries text `json:"max_retries"` // texts or numbers, all three
			Timeout text `json:"retry_timeout"`
		} `json:"entries"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return realtime{}, fmt.Errorf("%w: Box names no realtime server", backends.ErrUnavailable)
	}
	for _, e := range answer.Entries {
		if e.Type != "realtime_server" || e.URL == "" {
			continue
		}
		u, err := url.Parse(string(e.URL))
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
			return realtime{}, fmt.Errorf("%w: the address of Box's realtime server is unusable", backends.ErrBroken)
		}
		if u.Scheme == "http" && !rest.Loopback(u) {
			u.Scheme = "https"
			if u.Port() == "80" {
				u.Host = u.Hostname()
			}
		}
		r := realtime{url: u, retries: defaultRetries, timeout: defaultPoll}
		if n, err := strconv.Atoi(string(e.Retries)); err == nil && n >= 0 {
			r.retries = min(n, mostRetries)
		}
		if n, err := strconv.Atoi(string(e.Timeout)); err == nil && n > 0 {
			r.timeout = min(max(time.Duration(n)*time.Second, leastPoll), mostPoll)
		}
		return r, nil
	}
	return realtime{}, fmt.Errorf("%w: Box names no realtime server", backends.ErrUnavailable)
}

// The answers of a realtime server.
const (
	newChange  = "new_change"
	reconnect  = "reconnect"   // another server is to be asked for
	maxRetries = "max_retries" // so it is here
	timedOut   = "timed out"   // ours: nothing happened for as long as a request may take
)

// pollClient makes the requests that wait. The transport of others gives up on answers that take minutes.
func (b *Backend) pollClient() *http.Client {
	tr := b.cfg.Transport
	if tr == nil {
		tr = http.DefaultTransport
	}
	if t, ok := tr.(*http.Transport); ok {
		t = t.Clone()
		t.ResponseHeaderTimeout = 0
		t.DisableKeepAlives = true // Box closes the connection after each answer
		tr = t
	}
	return &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// errPoll: a realtime server did not answer as it should.
var errPoll = errors.New("the realtime server does not answer")

// poll waits at a realtime server until there is something after a position, and gives its message.
func (b *Backend) poll(ctx context.Context, c *http.Client, r realtime, position string) (string, error) {
	waiting, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	u := *r.url
	q := "stream_position=" + url.QueryEscape(position)
	if u.RawQuery != "" {
		q = u.RawQuery + "&" + q
	}
	u.RawQuery = q
	req, err := http.NewRequestWithContext(waiting, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", "application/json")
	if b.cfg.UserAgent != "" {
		req.Header.Set("User-Agent", b.cfg.UserAgent)
	}
	token := ""
	if rest.Allowed(&u, b.cfg.RealtimeHosts) {
		t, err := b.cfg.Tokens.Token(waiting)
		if err != nil {
			return "", err
		}
		token = t.Value
		req.Header.Set("Authorization", "Bearer "+token)
		// As Box's SDKs do; the address holds a channel of the acting user's anyway.
		maps.Copy(req.Header, b.as(b.own()))
	}
	res, err := c.Do(req)
	if err == nil {
		defer res.Body.Close()
		var body []byte
		if body, err = io.ReadAll(io.LimitReader(res.Body, 64<<10)); err == nil {
			return b.pollAnswer(res.StatusCode, body, token)
		}
	}
	if ctx.Err() == nil && waiting.Err() != nil {
		return timedOut, nil
	}
	return "", errors.Join(errPoll, backends.ErrUnavailable) // without the address, which holds a secret
}

func (b *Backend) pollAnswer(status int, body []byte, token string) (string, error) {
	switch {
	case status == http.StatusUnauthorized && token != "":
		b.cfg.Tokens.Invalidate(token)
		return reconnect, nil
	case status >= 400 && status < 500:
		return reconnect, nil
	case status != http.StatusOK:
		return "", fmt.Errorf("%w: %w, status %d", backends.ErrUnavailable, errPoll, status)
	}
	var answer struct {
		Message text `json:"message"`
	}
	_ = json.Unmarshal(body, &answer) // what is unknown, or no JSON, is to be polled again
	return string(answer.Message), nil
}
