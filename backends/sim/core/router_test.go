package core

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// echo answers with the route and the parameters.
func echo(r *Request) {
	r.WriteJSON(http.StatusOK, map[string]any{"route": r.Route, "params": r.Params})
}

func newTestRouter(t *testing.T, patterns ...string) (*World, *Router, *httptest.Server) {
	t.Helper()
	w := NewWorld(Options{Seed: 1, Now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)})
	rt := NewRouter(w, HostGraph)
	for _, p := range patterns {
		rt.Handle(p, echo)
	}
	srv := httptest.NewServer(rt)
	t.Cleanup(srv.Close)
	return w, rt, srv
}

func fetch(t *testing.T, method, url string, headers ...string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	// A transport of its own, so that no idle connection hides a reset behind a retry.
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func TestRouterMatches(t *testing.T) {
	_, _, srv := newTestRouter(t,
		"GET /v1.0/me/mailFolders/{folder}/messages", "GET /v1.0/me/messages/{message}", "GET /v1.0/me/messages/delta",
		"GET /v1.0/me/messages/{message}/$value", "GET /v1.0/drives/{drive}/{rest...}", "GET /v1.0/drives/{drive}/items/{item}",
		"POST /v1.0/me/messages")
	tests := []struct {
		name, method, path string
		status             int
		route              string
		params             map[string]string
	}{
		{"literal case is ignored", "GET", "/V1.0/ME/mailfolders/AAk=/Messages", 200, "GET /v1.0/me/mailFolders/{folder}/messages", map[string]string{"folder": "AAk="}},
		{"key in parentheses", "GET", "/v1.0/me/mailfolders('AAk%3D')/messages", 200, "GET /v1.0/me/mailFolders/{folder}/messages", map[string]string{"folder": "AAk="}},
		{"parentheses encoded", "GET", "/v1.0/me/mailFolders%28%27a%27%29/messages", 200, "GET /v1.0/me/mailFolders/{folder}/messages", map[string]string{"folder": "a"}},
		{"doubled quote in a key", "GET", "/v1.0/me/messages('O''Neil')", 200, "GET /v1.0/me/messages/{message}", map[string]string{"message": "O'Neil"}},
		{"literal before parameter", "GET", "/v1.0/me/messages/Delta", 200, "GET /v1.0/me/messages/delta", map[string]string{}},
		{"function parentheses", "GET", "/v1.0/me/messages/delta()", 200, "GET /v1.0/me/messages/delta", map[string]string{}},
		{"encoded slash stays inside", "GET", "/v1.0/me/messages/a%2Fb", 200, "GET /v1.0/me/messages/{message}", map[string]string{"message": "a/b"}},
		{"encoded dollar", "GET", "/v1.0/me/messages/a/%24value", 200, "GET /v1.0/me/messages/{message}/$value", map[string]string{"message": "a"}},
		{"rest", "GET", "/v1.0/drives/d/root:/x%20y('z').txt:/content", 200, "GET /v1.0/drives/{drive}/{rest...}", map[string]string{"drive": "d", "rest": "root:/x y('z').txt:/content"}},
		{"parameter before rest", "GET", "/v1.0/drives/d/items/i", 200, "GET /v1.0/drives/{drive}/items/{item}", map[string]string{"drive": "d", "item": "i"}},
		{"back to rest from a deeper literal", "GET", "/v1.0/drives/d/items/i/children", 200, "GET /v1.0/drives/{drive}/{rest...}", map[string]string{"drive": "d", "rest": "items/i/children"}},
		{"wrong method", "DELETE", "/v1.0/me/messages", 405, "", nil},
		{"unknown", "GET", "/v1.0/nothing", 404, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, body, err := fetch(t, tt.method, srv.URL+tt.path)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status {
				t.Fatalf("status %d, want %d", resp.StatusCode, tt.status)
			}
			if tt.status != 200 {
				return
			}
			var got struct {
				Route  string
				Params map[string]string
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			if got.Route != tt.route || len(got.Params) != len(tt.params) {
				t.Fatalf("got %s %v, want %s %v", got.Route, got.Params, tt.route, tt.params)
			}
			for k, v := range tt.params {
				if got.Params[k] != v {
					t.Errorf("parameter %s = %q, want %q", k, got.Params[k], v)
				}
			}
		})
	}
}

func TestRouterHeadUsesGet(t *testing.T) {
	_, _, srv := newTestRouter(t, "GET /a")
	resp, body, err := fetch(t, "HEAD", srv.URL+"/a")
	if err != nil || resp.StatusCode != 200 || body != "" {
		t.Fatalf("got %v %q %v, want 200 without a body", resp, body, err)
	}
}

func TestStatsCountRequests(t *testing.T) {
	w, _, srv := newTestRouter(t, "GET /v1.0/me/messages/{message}")
	for _, id := range []string{"a", "b", "c"} {
		if _, _, err := fetch(t, "GET", srv.URL+"/v1.0/me/messages/"+id); err != nil {
			t.Fatal(err)
		}
	}
	_, _, _ = fetch(t, "GET", srv.URL+"/v1.0/none")
	got := w.Stats.Snapshot()
	const route = "GET /v1.0/me/messages/{message}"
	if got.Requests[route] != 3 || got.Requests["GET (no route)"] != 1 || got.Total != 4 {
		t.Errorf("requests %v, total %d", got.Requests, got.Total)
	}
	if got.Bytes[route] == 0 || got.PeakConcurrency[route] != 1 || got.Hosts[HostGraph] != 4 {
		t.Errorf("bytes %v, peak %v, hosts %v", got.Bytes, got.PeakConcurrency, got.Hosts)
	}
	if got.Statuses["200"] != 3 || got.Statuses["404"] != 1 {
		t.Errorf("statuses %v", got.Statuses)
	}
	w.Stats.Reset()
	if got := w.Stats.Snapshot(); got.Total != 0 || len(got.Requests) != 0 {
		t.Errorf("after reset: %v", got)
	}
}

func TestStatsSeePeakConcurrency(t *testing.T) {
	w, rt, srv := newTestRouter(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	rt.Handle("GET /slow", func(r *Request) {
		arrived <- struct{}{}
		<-release
	})
	done := make(chan error, 3)
	for range 3 {
		go func() {
			_, _, err := fetch(t, "GET", srv.URL+"/slow")
			done <- err
		}()
	}
	for range 3 {
		<-arrived
	}
	close(release)
	for range 3 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if got := w.Stats.Snapshot().PeakConcurrency["GET /slow"]; got != 3 {
		t.Errorf("peak %d, want 3", got)
	}
}

func TestFaults(t *testing.T) {
	cut := int64(5)
	tests := []struct {
		name   string
		rule   FaultRule
		status int
		body   string // "" means any
		broken bool
		header string // Retry-After
	}{
		{name: "status without body", rule: FaultRule{Route: "GET /a*", Status: 503}, status: 503, body: ""},
		{name: "html", rule: FaultRule{Route: "GET /a/{x}", Status: 502, Body: "<html>bad gateway</html>", Headers: map[string]string{"Content-Type": "text/html"}}, status: 502, body: "<html>bad gateway</html>"},
		{name: "json", rule: FaultRule{Status: 404, Body: map[string]string{"code": "x"}}, status: 404, body: `{"code":"x"}`},
		{name: "integer retry", rule: FaultRule{Status: 429, Headers: map[string]string{"Retry-After": "7"}}, status: 429, header: "7"},
		{name: "fraction retry", rule: FaultRule{Status: 429, Headers: map[string]string{"Retry-After": "0.5"}}, status: 429, header: "0.5"},
		{name: "no retry header", rule: FaultRule{Status: 429}, status: 429},
		{name: "truncated body", rule: FaultRule{BodyCut: &cut}, status: 200, body: `{"par`},
		{name: "reset", rule: FaultRule{Reset: true}, broken: true},
		{name: "reset in the body", rule: FaultRule{BodyCut: &cut, Reset: true}, broken: true},
		{name: "delay only", rule: FaultRule{Delay: Duration(time.Millisecond)}, status: 200},
		{name: "other route", rule: FaultRule{Route: "POST *", Status: 500}, status: 200},
		{name: "other host", rule: FaultRule{Host: HostBoxAPI, Status: 500}, status: 200},
		{name: "skipped", rule: FaultRule{Status: 500, Skip: 1}, status: 200},
		{name: "never", rule: FaultRule{Status: 500, Probability: 1e-12}, status: 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, _, srv := newTestRouter(t, "GET /a/{x}")
			w.Faults.Set(tt.rule)
			resp, body, err := fetch(t, "GET", srv.URL+"/a/1")
			if tt.broken {
				if err == nil {
					t.Fatalf("got %d %q, want a broken connection", resp.StatusCode, body)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status || tt.body != "" && body != tt.body {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, body, tt.status, tt.body)
			}
			if tt.name == "status without body" && body != "" {
				t.Errorf("body %q, want none", body)
			}
			if got := resp.Header.Get("Retry-After"); got != tt.header {
				t.Errorf("Retry-After %q, want %q", got, tt.header)
			}
		})
	}
}

func TestFaultCountAndEarlyRetries(t *testing.T) {
	w, _, srv := newTestRouter(t, "GET /a")
	w.Faults.Set(FaultRule{Status: 429, Headers: map[string]string{"Retry-After": "10"}, Count: 1})
	statuses := func() int {
		resp, _, err := fetch(t, "GET", srv.URL+"/a")
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	if got := statuses(); got != 429 {
		t.Fatalf("first: %d", got)
	}
	if got := statuses(); got != 200 {
		t.Fatalf("second: %d", got)
	}
	if got := w.Stats.Snapshot().EarlyRetries; len(got) != 1 || got[0].Path != "/a" {
		t.Fatalf("early retries %v, want one of /a", got)
	}
	w.Clock.Advance(11 * time.Second)
	statuses()
	if got := w.Stats.Snapshot().EarlyRetries; len(got) != 1 {
		t.Errorf("early retries %v, want no further one", got)
	}
}

func TestMisplacedTokensAreRecorded(t *testing.T) {
	w, rt, srv := newTestRouter(t, "GET /a")
	w.Tokens.Issued("box-token", HostBoxAPI)
	w.Tokens.Issued("graph-token", HostGraph)
	for _, token := range []string{"box-token", "graph-token", "unknown"} {
		if _, _, err := fetch(t, "GET", srv.URL+"/a", "Authorization", "Bearer "+token); err != nil {
			t.Fatal(err)
		}
	}
	got := w.Stats.Snapshot().Leaks
	if len(got) != 1 || got[0].Host != HostGraph || got[0].Why != "token of another host" {
		t.Fatalf("leaks %v, want the Box token alone", got)
	}
	rt.Refuse = true
	for _, h := range []string{"Authorization", "As-User"} {
		resp, body, err := fetch(t, "GET", srv.URL+"/a", h, "Bearer secret")
		if err != nil || resp.StatusCode != 401 || strings.Contains(body, "secret") {
			t.Errorf("%s: got %v %q %v, want 401", h, resp, body, err)
		}
	}
	leaks := w.Stats.Snapshot().Leaks
	if len(leaks) != 3 {
		t.Fatalf("leaks %v, want two more", leaks)
	}
	if text, _ := json.Marshal(leaks); strings.Contains(string(text), "secret") {
		t.Errorf("the record holds the token: %s", text)
	}
	if resp, _, err := fetch(t, "GET", srv.URL+"/a"); err != nil || resp.StatusCode != 200 {
		t.Errorf("without headers: %v %v", resp, err)
	}
}

func TestGlob(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"GET /a", "get /A", true}, {"GET /a", "GET /ab", false}, {"*", "anything", true}, {"GET *messages*", "GET /me/messages/x", true},
		{"* /a", "POST /a", true}, {"*a*b*a", "xaxbx", false}, {"ab*ba", "aba", false},
		{"GET /m/{id}", "GET /m/{message}", true}, {"GET /m/{id}", "GET /m/a", true}, {"GET /m/{id}", "GET /m/a/b", false},
		{"GET /m/{id}/*", "GET /m/a/b/c", true}, {"GET /a.b", "GET /axb", false}, {"{", "{", true},
	}
	for _, tt := range tests {
		if got := compileGlob(tt.pattern).MatchString(tt.text); got != tt.want {
			t.Errorf("%q matches %q: %v", tt.pattern, tt.text, got)
		}
	}
}

// TestLatency: an answer comes when the latency has passed, however long its handler took of it, and whole, whether it is
// flushed, cut off by its handler or larger than what is held back.
func TestLatency(t *testing.T) {
	const latency = 300 * time.Millisecond
	w := NewWorld(Options{Latency: latency})
	rt := NewRouter(w, HostGraph)
	handled := make(chan time.Time, 1)
	large := strings.Repeat("0123456789abcdef", heldBytes/8)
	rt.Handle("GET /plain", func(r *Request) {
		r.W.Header().Set("X-Kind", "plain")
		r.W.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(r.W, "plain")
		handled <- time.Now()
	})
	rt.Handle("GET /flushed", func(r *Request) {
		r.W.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(r.W).Flush()
		_, _ = io.WriteString(r.W, "flushed")
		handled <- time.Now()
	})
	rt.Handle("GET /large", func(r *Request) {
		for rest := large; rest != ""; rest = rest[1<<20:] {
			_, _ = io.WriteString(r.W, rest[:1<<20])
		}
		handled <- time.Now()
	})
	rt.Handle("GET /aborted", func(r *Request) {
		r.W.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(r.W, "the start")
		_ = http.NewResponseController(r.W).Flush()
		handled <- time.Now()
		panic(http.ErrAbortHandler)
	})
	srv := httptest.NewServer(rt)
	t.Cleanup(srv.Close)

	for _, tt := range []struct {
		path, body string
		status     int
		length     int64
		broken     bool
	}{
		{"/plain", "plain", http.StatusAccepted, 5, false},
		{"/flushed", "flushed", http.StatusOK, -1, false},
		{"/large", large, http.StatusOK, -1, false},
		{"/aborted", "the start", http.StatusOK, 100, true},
		{"/nowhere", "", http.StatusNotFound, 0, false},
	} {
		began := time.Now()
		resp, body, err := fetch(t, "GET", srv.URL+tt.path)
		took := time.Since(began)
		if resp == nil || (err != nil) != tt.broken {
			t.Fatalf("%s: %v", tt.path, err)
		}
		if resp.StatusCode != tt.status || body != tt.body || resp.ContentLength != tt.length {
			t.Errorf("%s: status %d, length %d, %d bytes that start with %.20q", tt.path, resp.StatusCode, resp.ContentLength, len(body), body)
		}
		if took < latency {
			t.Errorf("%s answered after %v", tt.path, took)
		}
		if tt.path == "/nowhere" { // no handler
			continue
		}
		// What is larger than what is held back waits in its handler.
		if at := (<-handled).Sub(began); at >= latency && tt.path != "/large" {
			t.Errorf("the handler of %s ended after %v, the latency", tt.path, at)
		}
	}
}
