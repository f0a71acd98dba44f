// Package simtest runs a simulated Graph host over real HTTP for the conformance tests of the services that register
// routes with it.
package simtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/entra"
	"github.com/workfs/workfs/backends/sim/graph"
)

// Now is the virtual time that hosts start at.
var Now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// Host is a Graph host and what its services share.
type Host struct {
	T       testing.TB
	World   *core.World
	Company *company.Company
	Graph   *graph.Server
	Entra   *entra.Service
}

// New starts a host that ends with the test. Awkward pages and error shapes are off, so that tests see what they ask for.
func New(t testing.TB, scale int) *Host {
	t.Helper()
	w := core.NewWorld(core.Options{Seed: 1, Scale: scale, Now: Now})
	people := company.New(1)
	tokens, err := entra.New(w, people)
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{T: t, World: w, Company: people, Graph: graph.New(w, people, tokens), Entra: tokens}
	w.Hosts.Graph = h.Serve(h.Graph)
	for _, name := range []string{"graph.awkward_pages", "graph.awkward_errors"} {
		h.Set(name, false)
	}
	return h
}

// Serve runs one more handler until the test ends and gives its base URL.
func (h *Host) Serve(handler http.Handler) string {
	srv := httptest.NewServer(handler)
	h.T.Cleanup(srv.Close)
	return srv.URL
}

// Set changes a switch.
func (h *Host) Set(name string, value any) {
	h.T.Helper()
	if err := h.World.Switches.Set(name, value); err != nil {
		h.T.Fatal(err)
	}
}

// Client makes requests with one token.
type Client struct {
	h     *Host
	token string
}

// As gives a client that is signed in as a person, with all scopes unless some are named.
func (h *Host) As(p *company.Person, scopes ...string) *Client {
	if scopes == nil {
		scopes = h.Entra.Confidential.Scopes
	}
	return &Client{h, h.Entra.Mint(entra.Claims{
		Audience: entra.GraphAudience, TenantID: h.Company.TenantID, AppID: h.Entra.Confidential.ID, ObjectID: p.ID, UPN: p.UPN, Name: p.DisplayName,
		Scopes: scopes, Expires: h.World.Clock.Now().AddDate(1, 0, 0),
	})}
}

// App gives a client that is signed in as the application, with all roles.
func (h *Host) App() *Client {
	return &Client{h, h.Entra.Mint(entra.Claims{
		Audience: entra.GraphAudience, TenantID: h.Company.TenantID, AppID: h.Entra.Confidential.ID, ObjectID: h.Entra.Confidential.ObjectID,
		Roles: h.Entra.Confidential.Roles, AppOnly: true, Expires: h.World.Clock.Now().AddDate(1, 0, 0),
	})}
}

// Response is an answer, read whole.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	JSON   map[string]any // nil if the body is no JSON object
}

// Code gives the error code of the body, "" without one.
func (r *Response) Code() string {
	e, _ := r.JSON["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

// Items gives the objects of a collection.
func (r *Response) Items() (items []map[string]any) {
	values, _ := r.JSON["value"].([]any)
	for _, v := range values {
		items = append(items, v.(map[string]any))
	}
	return items
}

// Link gives @odata.nextLink or another annotation that is a text, "" without one.
func (r *Response) Link(name string) string {
	link, _ := r.JSON[name].(string)
	return link
}

// Do sends a request to a path below /v1.0 or to an absolute URL. body is sent as it is if it is a []byte, else as JSON;
// headers come in pairs. Redirects are not followed.
func (c *Client) Do(method, path string, body any, headers ...string) *Response {
	c.h.T.Helper()
	if !strings.HasPrefix(path, "http") {
		path = c.h.World.Hosts.Graph + graph.Version + path
	}
	var reader io.Reader
	if raw, ok := body.([]byte); ok {
		reader = bytes.NewReader(raw)
	} else if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			c.h.T.Fatal(err)
		}
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(c.h.T.Context(), method, path, reader)
	if err != nil {
		c.h.T.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		c.h.T.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.h.T.Fatalf("%s %s: %v", method, path, err)
	}
	r := &Response{Status: resp.StatusCode, Header: resp.Header, Body: data}
	_ = json.Unmarshal(data, &r.JSON)
	return r
}

// Get sends a GET that must succeed.
func (c *Client) Get(path string, headers ...string) *Response {
	c.h.T.Helper()
	r := c.Do("GET", path, nil, headers...)
	if r.Status != http.StatusOK {
		c.h.T.Fatalf("GET %s: %d %s", path, r.Status, r.Body)
	}
	return r
}

// All follows nextLinks to the end and gives all items and the last answer.
func (c *Client) All(path string, headers ...string) ([]map[string]any, *Response) {
	c.h.T.Helper()
	var items []map[string]any
	for pages := 0; ; pages++ {
		r := c.Get(path, headers...)
		items = append(items, r.Items()...)
		path = r.Link("@odata.nextLink")
		if path == "" {
			return items, r
		}
		if pages > 1000 {
			c.h.T.Fatal("nextLinks without end")
		}
	}
}

// Anonymous gives a client without a token, for hosts with signed URLs.
func (h *Host) Anonymous() *Client { return &Client{h: h} }
