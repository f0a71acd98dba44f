package auth

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// aged makes the token that a source holds look as if its life, an hour, had but left to go.
func aged(t *testing.T, s Source, left time.Duration) {
	t.Helper()
	src := s.(*source)
	end := time.Now().Add(left)
	err := src.store.Update(t.Context(), func(c *Credentials) error {
		c.IssuedAt, c.ExpiresAt = end.Add(-time.Hour), end
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	src.mu.Lock()
	defer src.mu.Unlock()
	src.current.issuedAt, src.current.expiry = end.Add(-time.Hour), end
}

// TestRenewalAheadOfTheEnd has nobody wait while the old token lasts.
func TestRenewalAheadOfTheEnd(t *testing.T) {
	var calls atomic.Int64
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		if n > 1 {
			<-release
		}
		w.Write([]byte(`{"access_token":"at` + string(rune('0'+n)) + `","refresh_token":"r","expires_in":3600}`))
	}))
	defer srv.Close()
	s := NewBox(BoxConfig{TokenURL: srv.URL, ClientID: "c1"}, File(credentials(t, `{"client_secret":"x","refresh_token":"r0"}`)), nil)
	token(t, s)
	aged(t, s, 6*time.Minute)
	token(t, s)
	if calls.Load() != 1 {
		t.Fatalf("%d requests while there is time", calls.Load())
	}
	aged(t, s, 4*time.Minute)
	for range 5 {
		if got := token(t, s); got != "at1" {
			t.Fatalf("token %q", got)
		}
	}
	eventually(t, "the renewal begins", func() bool { return calls.Load() == 2 })
	if got := token(t, s); got != "at1" {
		t.Fatalf("token %q during the renewal", got)
	}
	close(release)
	eventually(t, "the new token is there", func() bool { return token(t, s) == "at2" })
	if calls.Load() != 2 {
		t.Errorf("%d requests, want 2", calls.Load())
	}
}

// TestFailedRenewalAheadOfTheEnd is not tried again with each request, and callers notice nothing before the end.
func TestFailedRenewalAheadOfTheEnd(t *testing.T) {
	e := serve(t, reply{200, good, nil}, reply{400, `{"error":"invalid_grant","error_codes":[50173]}`, nil})
	s := NewMicrosoft(MicrosoftConfig{LoginURL: e.URL, Tenant: "t", ClientID: "c1"}, File(credentials(t, `{"refresh_token":"r0"}`)), nil)
	token(t, s)
	aged(t, s, 4*time.Minute)
	token(t, s)
	src := s.(*source)
	eventually(t, "the renewal fails", func() bool {
		src.mu.Lock()
		defer src.mu.Unlock()
		return src.flight == nil && !src.again.IsZero()
	})
	for range 10 {
		if got := token(t, s); got != "at1" {
			t.Fatalf("token %q", got)
		}
	}
	if e.calls.Load() != 2 {
		t.Errorf("%d requests, want 2", e.calls.Load())
	}
	aged(t, s, 10*time.Second)
	var refused *Error
	if _, err := s.Token(t.Context()); !errors.As(err, &refused) || refused.Code != "invalid_grant AADSTS50173" {
		t.Errorf("%v", err)
	}
}

// TestNewProcessTakesWhatLasts has a process start while the stored token is in its last minutes: it goes on with that
// and renews beside.
func TestNewProcessTakesWhatLasts(t *testing.T) {
	e := serve(t, reply{200, good, nil})
	path := credentials(t, `{"client_secret":"x","refresh_token":"r0"}`)
	cfg := BoxConfig{TokenURL: e.URL, ClientID: "c1"}
	token(t, NewBox(cfg, File(path), nil))
	err := File(path).Update(t.Context(), func(c *Credentials) error {
		c.ExpiresAt = time.Now().Add(3 * time.Minute)
		c.IssuedAt = c.ExpiresAt.Add(-time.Hour)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := NewBox(cfg, File(path), nil)
	if got := token(t, s); got != "at1" || e.calls.Load() != 1 {
		t.Errorf("token %q after %d requests", got, e.calls.Load())
	}
	eventually(t, "the new token is there", func() bool { return token(t, s) == "at2" })
	if c, err := File(path).Load(); err != nil || c.RefreshToken != "rt2" {
		t.Errorf("%q %v", c.RefreshToken, err)
	}
}

func TestRenew(t *testing.T) {
	e := serve(t, reply{200, good, nil})
	path := credentials(t, `{"client_secret":"x","refresh_token":"r0"}`)
	cfg := BoxConfig{TokenURL: e.URL, ClientID: "c1"}
	s := NewBox(cfg, File(path), nil)
	token(t, s)
	for range 2 {
		if err := s.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c, err := File(path).Load()
	if err != nil || c.RefreshToken != "rt3" || c.AccessToken != "at3" || e.calls.Load() != 3 {
		t.Errorf("%q, %q after %d requests, %v", c.RefreshToken, c.AccessToken, e.calls.Load(), err)
	}
	if got := token(t, s); got != "at3" {
		t.Errorf("token %q", got)
	}
	if time.Since(c.RefreshedAt).Abs() > time.Minute {
		t.Errorf("refreshed at %v", c.RefreshedAt)
	}
	// What a service says to that comes back.
	e = serve(t, reply{400, `{"error":"invalid_grant","error_description":"Invalid refresh token"}`, nil})
	cfg.TokenURL = e.URL
	var refused *Error
	if err := NewBox(cfg, File(path), nil).Renew(t.Context()); !errors.As(err, &refused) || refused.Kind != Denied {
		t.Error(err)
	}
	if err := missing("client_id").Renew(t.Context()); err == nil {
		t.Error("no error")
	}
}

// TestRenewOfTwoProcesses makes one request where both want the same at once: what the other has just made is new enough.
func TestRenewOfTwoProcesses(t *testing.T) {
	asked, release := make(chan struct{}, 2), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-release
		w.Write([]byte(`{"access_token":"at-` + r.FormValue("refresh_token") + `","refresh_token":"r1","expires_in":3600}`))
	}))
	defer srv.Close()
	path := credentials(t, `{"client_secret":"x","refresh_token":"r0"}`)
	cfg := BoxConfig{TokenURL: srv.URL, ClientID: "c1"}
	a, b := NewBox(cfg, File(path), nil), NewBox(cfg, File(path), nil)
	results := make(chan error, 2)
	go func() { results <- a.Renew(t.Context()) }()
	<-asked
	waiting := &waitingStore{Store: File(path), waits: make(chan struct{})}
	b.(*source).store = waiting
	go func() { results <- b.Renew(t.Context()) }()
	<-waiting.waits
	close(release)
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if len(asked) != 0 {
		t.Error("both asked")
	}
	if got := token(t, b); got != "at-r0" {
		t.Errorf("token %q", got)
	}
}

// waitingStore tells when somebody begins to wait for its lock.
type waitingStore struct {
	Store
	waits chan struct{}
}

func (w *waitingStore) Update(ctx context.Context, fn func(*Credentials) error) error {
	close(w.waits)
	return w.Store.Update(ctx, fn)
}
