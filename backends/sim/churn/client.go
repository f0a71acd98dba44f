package churn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/workfs/workfs/backends/sim"
)

// Who a request is made as.
const (
	asApp   = "app"   // the application, by client credentials
	asAlice = "alice" // alice, by her refresh token
	asBox   = "box"   // alice in Box, by the application's server grant
)

// client sends requests with the tokens they need.
type client struct {
	ready   sim.Ready
	http    http.Client
	maxWait time.Duration
	tokens  map[string]string
	refresh string
}

func newClient(ready sim.Ready, o Options) *client {
	return &client{ready: ready, maxWait: o.MaxWait, tokens: map[string]string{}, refresh: ready.RefreshToken, http: http.Client{Transport: o.Transport}}
}

// refusal is an answer that is no success.
type refusal struct {
	method, path string
	status       int
	body         string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s %s: %d %.300s", r.method, r.path, r.status, r.body)
}

// moot tells whether somebody else has changed the thing, so that something else is to be tried: gone, changed, name taken.
func (r *refusal) moot() bool {
	return r.status == http.StatusNotFound || r.status == http.StatusConflict || r.status == http.StatusPreconditionFailed || r.status == http.StatusGone
}

// refusedAs tells whether an error is an answer with that status.
func refusedAs(err error, status int) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == status
}

// gone tells whether an error says that the thing is not there any more.
func gone(err error) bool {
	return refusedAs(err, http.StatusNotFound) || refusedAs(err, http.StatusGone)
}

type object = map[string]any

// call is one request.
type call struct {
	as           string
	method, url  string
	body         any // nil, a []byte, or something for JSON
	contentType  string
	extraHeaders [][2]string
}

// attempts bounds how often a request is sent that fails for reasons that pass.
const attempts = 12

// do sends a request until it is answered for good, and gives the object of the answer, nil without one.
func (c *client) do(ctx context.Context, r call) (object, error) {
	wait, renewed := c.maxWait/64, false
	for n := 1; ; n++ {
		status, header, body, err := c.once(ctx, r)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		switch {
		case err == nil && status == http.StatusUnauthorized && !renewed:
			delete(c.tokens, r.as)
			renewed = true
			continue
		case err == nil && status < 300:
			if len(body) == 0 {
				return nil, nil
			}
			var out object
			if err := json.Unmarshal(body, &out); err == nil {
				return out, nil
			}
			err = fmt.Errorf("%s %s: the answer is no JSON", r.method, r.url)
		case err == nil && status != http.StatusTooManyRequests && status < 500:
			return nil, &refusal{r.method, path(r.url), status, string(body)}
		case err == nil:
			err = &refusal{r.method, path(r.url), status, string(body)}
		}
		if n == attempts {
			return nil, err
		}
		pause := wait
		if asked, parse := strconv.ParseFloat(header.Get("Retry-After"), 64); parse == nil {
			pause = time.Duration(asked * float64(time.Second))
		}
		if wait *= 2; wait > c.maxWait {
			wait = c.maxWait
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(pause, c.maxWait)):
		}
	}
}

func path(link string) string {
	if u, err := url.Parse(link); err == nil {
		return u.Path
	}
	return link
}

func (c *client) once(ctx context.Context, r call) (int, http.Header, []byte, error) {
	token, err := c.token(ctx, r.as)
	if err != nil {
		return 0, nil, nil, err
	}
	var body io.Reader
	kind := r.contentType
	switch b := r.body.(type) {
	case nil:
	case []byte:
		body = bytes.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			return 0, nil, nil, err
		}
		body, kind = bytes.NewReader(data), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, body)
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for _, h := range r.extraHeaders {
		req.Header.Add(h[0], h[1])
	}
	return c.send(req)
}

func (c *client) send(req *http.Request) (int, http.Header, []byte, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, data, err
}

// token gives an access token, from the sign-in service when there is none.
func (c *client) token(ctx context.Context, as string) (string, error) {
	if t := c.tokens[as]; t != "" {
		return t, nil
	}
	r := c.ready
	address := r.Login + "/" + r.Tenant + "/oauth2/v2.0/token"
	form := url.Values{"client_id": {r.ClientID}, "client_secret": {r.ClientSecret}}
	switch as {
	case asApp:
		form.Set("grant_type", "client_credentials")
		form.Set("scope", "https://graph.microsoft.com/.default")
	case asAlice:
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", c.refresh)
	case asBox:
		address = r.BoxAPI + "/oauth2/token"
		form = url.Values{"grant_type": {"client_credentials"}, "client_id": {r.BoxClientID}, "client_secret": {r.BoxClientSecret},
			"box_subject_type": {"user"}, "box_subject_id": {r.BoxSubject}}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewBufferString(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, _, body, err := c.send(req)
	if err != nil {
		return "", err
	}
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		return "", fmt.Errorf("signing in as %s: status %d", as, status)
	}
	c.tokens[as] = answer.Access
	if as == asAlice && answer.Refresh != "" {
		c.refresh = answer.Refresh
	}
	return answer.Access, nil
}

// graph sends a request to a path of Graph. Ids of mailbox items are immutable ones.
func (c *Churn) graph(ctx context.Context, as, method, path string, body any) (object, error) {
	c.sent = time.Now()
	return c.http.do(ctx, call{as: as, method: method, url: c.http.ready.Graph + "/v1.0" + path, body: body, extraHeaders: immutable})
}

// all gives the items of a collection of Graph, up to a number.
func (c *Churn) all(ctx context.Context, as, path string, limit int) ([]object, error) {
	link := c.http.ready.Graph + "/v1.0" + path
	var items []object
	for link != "" && len(items) < limit {
		page, err := c.http.do(ctx, call{as: as, method: "GET", url: link, extraHeaders: immutable})
		if err != nil {
			return nil, err
		}
		items = append(items, objects(page["value"])...)
		link = text(page["@odata.nextLink"])
	}
	return items[:min(limit, len(items))], nil
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func objects(v any) (list []object) {
	all, _ := v.([]any)
	for _, one := range all {
		if o, ok := one.(object); ok {
			list = append(list, o)
		}
	}
	return list
}
