package main

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tunnel is the public address of a mount: it takes what the services deliver and passes it on, as a tunnel does.
type tunnel struct {
	url     string
	flags   []string // of the mount behind it
	refuses atomic.Bool

	mu      sync.Mutex
	arrived []time.Time
	path    string // of the latest delivery
	body    []byte
}

// newTunnel opens a public address.
func newTunnel(t testing.TB) *tunnel {
	t.Helper()
	flags := liveFlags(t)
	behind, err := url.Parse("http://" + flags[1])
	if err != nil {
		t.Fatal(err)
	}
	u := &tunnel{}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // of mounts that were killed
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u.refuses.Load() {
			http.Error(w, "the tunnel is closed", http.StatusBadGateway)
			return
		}
		if r.Method == http.MethodPost && r.URL.RawQuery == "" { // no validation of an address
			at := time.Now()
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the sender has gone
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			u.mu.Lock()
			u.arrived, u.path, u.body = append(u.arrived, at), r.URL.Path, body
			u.mu.Unlock()
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	u.url = server.URL
	u.flags = []string{flags[0], flags[1], "--webhook-address", u.url}
	return u
}

// latest gives the path and the body of the latest delivery.
func (u *tunnel) latest() (path string, body []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.path, u.body
}

// since gives when the first delivery after a time arrived, zero if none did.
func (u *tunnel) since(start time.Time) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	if i := slices.IndexFunc(u.arrived, func(at time.Time) bool { return at.After(start) }); i >= 0 {
		return u.arrived[i]
	}
	return time.Time{}
}

// rest waits until nothing has been delivered for a moment, so that the next change's delivery is told from the last one's.
func (u *tunnel) rest() {
	for {
		u.mu.Lock()
		last := time.Time{}
		if n := len(u.arrived); n > 0 {
			last = u.arrived[n-1]
		}
		u.mu.Unlock()
		if time.Since(last) > 40*time.Millisecond {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}
