package auth

import (
	"context"
	"errors"
	"time"
)

// renew runs in one goroutine at a time.
func (s *source) renew(ctx context.Context, f *flight) (issued, error) {
	stored, err := s.load()
	if err != nil {
		return issued{}, err
	}
	if t, ok := s.kept(stored, f); ok && !f.force {
		return t, nil
	}
	s.mu.Lock()
	denial := s.denial
	if denial != nil && (time.Since(s.denied) > denialLasts || !s.secrets(stored).equal(s.with)) {
		denial = nil
	}
	if denial == nil && time.Now().Before(s.until) {
		denial = s.busy
	}
	s.mu.Unlock()
	if denial != nil {
		return issued{}, denial
	}

	if s.helper != nil && s.unsaved == nil {
		got, err := s.renewApart(ctx, f)
		if err != errNotPortable {
			s.remember(err, stored)
			return got, err
		}
	}

	var got issued
	var used Credentials
	asked := false
	err = s.store.Update(ctx, func(c *Credentials) error {
		if s.unsaved != nil && c.equal(s.spent) {
			*c = *s.unsaved
		}
		// Another process may have renewed while this one waited for the lock.
		if t, ok := s.kept(*c, f); ok && !(f.force && t.value == stored.AccessToken) {
			got = t
			return nil
		}
		used, asked = *c, true
		t, err := s.grant.renew(ctx, s.client, c, f.claims)
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
		if got, err = s.grant.renew(ctx, s.client, &c, f.claims); err == nil {
			return got, nil
		}
	}
	s.remember(err, used)
	return issued{}, err
}

// remember keeps in mind what came of a renewal with used, if that says when not to ask again.
func (s *source) remember(err error, used Credentials) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var e *Error
	switch errors.As(err, &e); {
	case lasting(err):
		s.denial, s.denied, s.with = err, time.Now(), s.secrets(used)
	case e != nil && e.after > 0:
		s.busy, s.until = err, time.Now().Add(e.after)
	}
}

// renewApart has the helper renew, and takes what it has stored.
func (s *source) renewApart(ctx context.Context, f *flight) (issued, error) {
	s.mu.Lock()
	j := job{Current: s.current.value, Refused: s.refused, Force: f.force}
	s.mu.Unlock()
	if err := s.helper.renew(ctx, s.store, j); err != nil {
		return issued{}, err
	}
	stored, err := s.load()
	if err != nil {
		return issued{}, err
	}
	t, ok := s.kept(stored, f)
	if !ok {
		return issued{}, unreachable(errors.New("the token that was stored is not for this sign-in"))
	}
	return t, nil
}

// load reads what is stored.
func (s *source) load() (Credentials, error) {
	c, err := s.store.Load()
	if errors.Is(err, ErrNoCredentials) && s.grant.bare() {
		return Credentials{}, nil
	}
	return c, err
}

// secrets gives what a renewal with c would depend on.
func (s *source) secrets(c Credentials) secrets { return secrets{c, s.grant.stamp()} }

// kept gives the access token that the store has, if this configuration may still use it and the renewal f can do with it.
// The token of this very source must be fresh: it is the one to renew.
func (s *source) kept(c Credentials, f *flight) (issued, bool) {
	now := time.Now()
	s.mu.Lock()
	refused, current := s.refused, s.current.value
	s.mu.Unlock()
	t := issued{c.AccessToken, c.IssuedAt, c.ExpiresAt}
	if c.IssuedFor != s.key || f.claims != "" || t.value == refused || t.issuedAt.After(now.Add(time.Minute)) {
		return issued{}, false
	}
	return t, t.fresh(now) || t.value != current && t.good(now)
}
