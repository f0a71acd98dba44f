package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// renewTimeout bounds one renewal, requests and waits for locks included.
	renewTimeout = 45 * time.Second
	// denialLasts is how long a refusal is believed without asking again, unless the credentials change.
	denialLasts = 30 * time.Second
)

// issued is an access token with its life.
type issued struct {
	value            string
	issuedAt, expiry time.Time
}

// fresh tells whether the token may be handed out: its last five minutes, or the last fifth of a short life, are for
// requests that are under way.
func (i issued) fresh(now time.Time) bool {
	margin := min(5*time.Minute, i.expiry.Sub(i.issuedAt)/5)
	return i.value != "" && now.Before(i.expiry.Add(-margin))
}

// grant is one way of getting an access token.
type grant interface {
	// renew asks for a token. It may change c, the credentials, of which it gets a fresh copy under the store's lock.
	renew(ctx context.Context, client *http.Client, c *Credentials) (issued, error)
	// rotates says that a renewal changes the credentials, so that a token whose credentials could not be stored must
	// not be used.
	rotates() bool
}

// source is a Source around a grant.
type source struct {
	grant  grant
	store  Store
	client *http.Client
	key    string // Credentials.IssuedFor of this configuration

	mu      sync.Mutex
	current issued
	refused string // access token that a service refused
	flight  *flight
	denial  error
	denied  time.Time
	with    Credentials // the credentials that were denied
	busy    error       // the service asked to wait
	until   time.Time   // for so long

	// Rotated credentials that could not be stored yet, and the ones that they replace. Used by one renewal at a time.
	unsaved *Credentials
	spent   Credentials
}

// flight is a renewal under way.
type flight struct {
	done  chan struct{}
	token issued
	err   error
}

func newSource(g grant, store Store, transport http.RoundTripper, config ...string) *source {
	sum := sha256.Sum256([]byte(strings.Join(config, "\x00")))
	return &source{
		grant: g, store: store, key: hex.EncodeToString(sum[:12]),
		client: &http.Client{
			Transport: transport,
			// Secrets are never posted to where an answer points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Token implements Source.
func (s *source) Token(ctx context.Context) (Token, error) {
	s.mu.Lock()
	if s.current.fresh(time.Now()) {
		t := s.current
		s.mu.Unlock()
		return Token{t.value, t.expiry}, nil
	}
	f := s.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		s.flight = f
		if s.grant.rotates() {
			underWay.Store(f, nil)
		}
		go s.fly(context.WithoutCancel(ctx), f)
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return Token{f.token.value, f.token.expiry}, f.err
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
}

// Invalidate implements Source.
func (s *source) Invalidate(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.value == token {
		s.current = issued{}
		s.refused = token
	}
}

// Challenge implements Source.
func (s *source) Challenge(token, _ string) { s.Invalidate(token) }

func (s *source) fly(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	f.token, f.err = s.renew(ctx)
	if s.grant.rotates() && lasting(f.err) {
		// A program that does not know the lock may have renewed in the meantime.
		if now, err := s.store.Load(); err == nil && !now.equal(s.with) {
			f.token, f.err = s.renew(ctx)
		}
	}
	s.mu.Lock()
	if f.err == nil {
		s.current = f.token
	}
	s.flight = nil
	s.mu.Unlock()
	close(f.done)
	underWay.Delete(f)
}

// underWay are the renewals of all sources of this process that change their credentials. They are the process's because
// its end is what would lose them.
var underWay sync.Map // of *flight

// Settle waits until no renewal is under way whose answer has to be stored, or for ctx. A program calls it before it ends:
// Box's refresh tokens work once, so that one whose successor was not stored has cost the user the sign-in.
func Settle(ctx context.Context) {
	underWay.Range(func(f, _ any) bool {
		select {
		case <-f.(*flight).done:
			return true
		case <-ctx.Done():
			return false
		}
	})
}

// renew runs in one goroutine at a time.
func (s *source) renew(ctx context.Context) (issued, error) {
	stored, err := s.store.Load()
	if err != nil {
		return issued{}, err
	}
	if t, ok := s.kept(stored); ok {
		return t, nil
	}
	s.mu.Lock()
	denial := s.denial
	if denial != nil && (time.Since(s.denied) > denialLasts || !stored.equal(s.with)) {
		denial = nil
	}
	if denial == nil && time.Now().Before(s.until) {
		denial = s.busy
	}
	s.mu.Unlock()
	if denial != nil {
		return issued{}, denial
	}

	var got issued
	var used Credentials
	asked := false
	err = s.store.Update(ctx, func(c *Credentials) error {
		if s.unsaved != nil && c.equal(s.spent) {
			*c = *s.unsaved
		}
		// Another process may have renewed while this one waited for the lock.
		if t, ok := s.kept(*c); ok {
			got = t
			return nil
		}
		used, asked = *c, true
		t, err := s.grant.renew(ctx, s.client, c)
		if err != nil {
			return err
		}
		got = t
		c.AccessToken, c.IssuedAt, c.ExpiresAt, c.IssuedFor = t.value, t.issuedAt, t.expiry, s.key
		if s.grant.rotates() {
			kept := *c
			s.unsaved, s.spent = &kept, used
		}
		return nil
	})
	if err == nil {
		s.unsaved = nil
		return got, nil
	}
	if got.value != "" && !s.grant.rotates() {
		// The token is good; only the next process will have to ask again.
		return got, nil
	}
	if !asked && !s.grant.rotates() {
		// A read-only place for the credentials is fine for secrets that never change.
		used = stored
		c := stored
		if got, err = s.grant.renew(ctx, s.client, &c); err == nil {
			return got, nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var e *Error
	switch errors.As(err, &e); {
	case lasting(err):
		s.denial, s.denied, s.with = err, time.Now(), used
	case e != nil && e.after > 0:
		s.busy, s.until = err, time.Now().Add(e.after)
	}
	return issued{}, err
}

// kept gives the access token that the store has, if this configuration may still use it.
func (s *source) kept(c Credentials) (issued, bool) {
	s.mu.Lock()
	refused := s.refused
	s.mu.Unlock()
	t := issued{c.AccessToken, c.IssuedAt, c.ExpiresAt}
	if c.IssuedFor != s.key || t.value == refused || !t.fresh(time.Now()) || t.issuedAt.After(time.Now().Add(time.Minute)) {
		return issued{}, false
	}
	return t, true
}

// failing is a Source for a configuration that cannot work.
type failing struct{ err error }

func (f failing) Token(context.Context) (Token, error) { return Token{}, f.err }
func (f failing) Invalidate(string)                    {}
func (f failing) Challenge(string, string)             {}

func missing(what string) Source {
	return failing{broken(errors.New(what+" is missing"), "the connection's configuration is incomplete")}
}
