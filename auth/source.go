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
	// againAfter is the pause after a renewal in the background that failed: the token still lasts for a while.
	againAfter = 20 * time.Second
)

// issued is an access token with its life.
type issued struct {
	value            string
	issuedAt, expiry time.Time
}

// fresh tells whether the token needs no renewal yet: its last five minutes, or the last fifth of a short life, are for
// having the next one in time.
func (i issued) fresh(now time.Time) bool { return i.lasts(now, 5*time.Minute, 5) }

// good tells whether the token may be handed out: its last minute, or the last twentieth of a short life, are for requests
// that are under way.
func (i issued) good(now time.Time) bool { return i.lasts(now, time.Minute, 20) }

func (i issued) lasts(now time.Time, margin time.Duration, part int) bool {
	margin = min(margin, i.expiry.Sub(i.issuedAt)/time.Duration(part))
	return i.value != "" && now.Before(i.expiry.Add(-margin))
}

// grant is one way of getting an access token.
type grant interface {
	// renew asks for a token that meets claims, the JSON of a claims challenge or "". It may change c, the credentials, of
	// which it gets a fresh copy under the store's lock.
	renew(ctx context.Context, client *http.Client, c *Credentials, claims string) (issued, error)
	// rotates says that a renewal changes the credentials, so that a token whose credentials could not be stored must
	// not be used.
	rotates() bool
	// bare says that no credentials need be stored.
	bare() bool
	// stamp changes whenever a file does that a renewal uses beside the credentials.
	stamp() string
	// life tells how long the sign-in lasts.
	life(c Credentials) (Life, error)
}

// source is a Source around a grant.
type source struct {
	grant  grant
	store  Store
	client *http.Client
	key    string  // Credentials.IssuedFor of this configuration
	helper *helper // does the renewals, nil if this process does

	mu      sync.Mutex
	current issued
	refused string // access token that a service refused
	claims  string // what the next token has to meet, "" for nothing
	flight  *flight
	again   time.Time // when to try again what failed in the background
	denial  error
	denied  time.Time
	with    secrets   // what was denied
	busy    error     // the service asked to wait
	until   time.Time // for so long

	// Rotated credentials that could not be stored yet, and the ones that they replace. Used by one renewal at a time.
	unsaved *Credentials
	spent   Credentials
}

// secrets are all that a renewal depends on.
type secrets struct {
	Credentials
	stamp string
}

func (s secrets) equal(t secrets) bool {
	return s.Credentials.equal(t.Credentials) && s.stamp == t.stamp
}

// flight is a renewal under way.
type flight struct {
	force  bool   // the token that is there does not do
	claims string // what the token has to meet
	done   chan struct{}
	token  issued
	err    error
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
	now := time.Now()
	s.mu.Lock()
	if t := s.current; t.good(now) {
		if !t.fresh(now) && s.flight == nil && now.After(s.again) {
			s.begin(ctx, false)
		}
		s.mu.Unlock()
		return Token{t.value, t.expiry}, nil
	}
	f := s.flight
	if f == nil {
		f = s.begin(ctx, false)
	}
	s.mu.Unlock()
	if err := f.wait(ctx); err != nil {
		return Token{}, err
	}
	return Token{f.token.value, f.token.expiry}, f.err
}

// Renew implements Source.
func (s *source) Renew(ctx context.Context) error {
	s.mu.Lock()
	for s.flight != nil && !s.flight.force {
		// It may find a token that another process has made, and renew nothing.
		f := s.flight
		s.mu.Unlock()
		if err := f.wait(ctx); err != nil {
			return err
		}
		s.mu.Lock()
	}
	f := s.flight
	if f == nil {
		f = s.begin(ctx, true)
	}
	s.mu.Unlock()
	if err := f.wait(ctx); err != nil {
		return err
	}
	return f.err
}

// Invalidate implements Source.
func (s *source) Invalidate(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.invalidate(token)
}

func (s *source) invalidate(token string) {
	if s.current.value == token {
		s.current = issued{}
		s.refused = token
	}
}

// Challenge implements Source.
func (s *source) Challenge(token, claims string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.invalidate(token)
	// Of two requests that were refused together one may have been told the claims and the other nothing.
	if s.refused == token && s.current.value == "" && validClaims(claims) {
		s.claims = claims
	}
}

// Life implements Source.
func (s *source) Life() (Life, error) {
	c, err := s.load()
	if err != nil {
		return Life{}, err
	}
	return s.grant.life(c)
}

// begin starts a renewal. s.mu is held, and none is under way.
func (s *source) begin(ctx context.Context, force bool) *flight {
	f := &flight{force: force, claims: s.claims, done: make(chan struct{})}
	s.flight = f
	if s.grant.rotates() {
		underWay.Store(f, nil)
	}
	go s.fly(context.WithoutCancel(ctx), f)
	return f
}

// wait waits for the end of the renewal, or of ctx, whose error it returns.
func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *source) fly(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	f.token, f.err = s.renew(ctx, f)
	if s.grant.rotates() && lasting(f.err) {
		// A program that does not know the lock may have renewed in the meantime.
		if now, err := s.load(); err == nil && !s.secrets(now).equal(s.with) {
			f.token, f.err = s.renew(ctx, f)
		}
	}
	s.mu.Lock()
	switch {
	case f.err != nil:
		s.again = time.Now().Add(againAfter)
	case s.claims == f.claims:
		// Otherwise a challenge came in the meantime, which this token does not meet.
		s.current, s.claims = f.token, ""
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

// failing is a Source for a configuration that cannot work.
type failing struct{ err error }

func (f failing) Token(context.Context) (Token, error) { return Token{}, f.err }
func (f failing) Invalidate(string)                    {}
func (f failing) Challenge(string, string)             {}
func (f failing) Renew(context.Context) error          { return f.err }
func (f failing) Life() (Life, error)                  { return Life{}, f.err }

func missing(what string) Source {
	return failing{broken(errors.New(what+" is missing"), "the connection's configuration is incomplete")}
}
