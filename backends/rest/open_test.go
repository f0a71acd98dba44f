package rest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/workfs/workfs/backends"
)

// TestOpenFollows: a download is followed to the content host without credentials, and taken up where it breaks, also when
// the signed address has run out by then.
func TestOpenFollows(t *testing.T) {
	s := newStore(t)
	s.breaks, s.left = 2, 30000
	c, located := contents(t, s, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "0.01")
		w.WriteHeader(http.StatusAccepted) // the content is not ready
	})
	res, err := c.Open(t.Context(), "GET", "/items/1/content", http.Header{"As-User": {"9"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.valid = "2" // from now on
	s.mu.Unlock()
	data, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Equal(data, payload) || res.ContentLength != int64(len(payload)) {
		t.Errorf("%d of %d bytes, %v", len(data), res.ContentLength, err)
	}
	res.Body.Close()
	if located.Load() != 3 {
		t.Errorf("the API was asked %d times", located.Load())
	}

	other := newStore(t)
	c, _ = contents(t, other)
	c.o.ContentHosts = nil
	if _, err := c.Open(t.Context(), "GET", "/items/1/content", nil, nil); !errors.Is(err, backends.ErrBroken) || other.seen() != "" {
		t.Errorf("a redirect to a host that is not listed: %v, %q", err, other.seen())
	}
}

// TestOpenAnswers: what is no success comes with its head and body, and 202 is an answer where no content is asked for.
func TestOpenAnswers(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1.0/gone" {
			w.Header().Set("X-Why", "gone")
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"error":{"code":"itemNotFound"},"more":"facts"}`)
			return
		}
		if r.Header.Get("X-Extra") != "always" || r.Header.Get("Accept") != "text/plain" {
			t.Errorf("the request has %v", r.Header)
		}
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, r.Method)
	})
	c := client(t, a, func(o *Options) { o.Header = http.Header{"X-Extra": {"always"}, "Accept": {"none"}} })
	res, err := c.Open(t.Context(), "PUT", "/thing", http.Header{"Accept": {"text/plain"}}, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if data, err := io.ReadAll(res.Body); err != nil || string(data) != "PUT" || res.StatusCode != http.StatusAccepted {
		t.Errorf("%d %q %v", res.StatusCode, data, err)
	}
	_, err = c.Open(t.Context(), "GET", "/gone", nil, nil)
	var refused *Error
	if !errors.As(err, &refused) || refused.Header.Get("X-Why") != "gone" || !bytes.Contains(refused.Body, []byte("facts")) {
		t.Fatalf("%+v", err)
	}
	if bytes.Contains([]byte(err.Error()), []byte("facts")) {
		t.Errorf("the error tells the body: %v", err)
	}
}
