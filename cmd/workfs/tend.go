package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/auth"
)

const (
	// tendEvery is how often connections are looked after.
	tendEvery = time.Minute
	// lastAsk is the longest that a dead sign-in is not asked about by itself; who reads, asks anyway.
	lastAsk = 15 * time.Minute
	// lifeAge is how old what is known of a sign-in may be.
	lifeAge = time.Hour
	// keepAliveAge is the age at which an unused refresh token is renewed. Box's end after 60 days without use, Microsoft's
	// after 90 (auth.Life).
	keepAliveAge = 7 * 24 * time.Hour
	// keepAliveAgain is the pause after that failed.
	keepAliveAgain = time.Hour
	// openTime bounds opening a connection while the mount serves.
	openTime = time.Minute
)

// tend looks after the connections until the session ends: has sign-ins renewed in time, takes up what others have changed,
// opens what could not be opened, and tells when a sign-in has died.
func (s *session) tend() {
	s.tellDeaths()
	tick := time.NewTicker(cmp.Or(s.options.tick, tendEvery/2))
	defer tick.Stop()
	for last := s.now(); ; {
		select {
		case <-tick.C:
		case <-s.ending.Done():
			return
		}
		if now := s.now(); now.Sub(last) >= tendEvery || now.Before(last) {
			last = now
			s.tendAll()
		}
	}
}

func (s *session) tendAll() {
	for _, l := range s.linked() {
		if s.ending.Err() != nil {
			return
		}
		ctx, cancel := context.WithTimeout(s.ending, openTime)
		s.tendOne(ctx, l)
		cancel()
	}
	s.tellDeaths()
}

// tendOne looks after a connection.
func (s *session) tendOne(ctx context.Context, l *link) {
	s.mu.Lock()
	due := s.now().Sub(l.asked) >= l.pause
	before := l.life
	s.mu.Unlock()
	if due {
		s.ask(ctx, l)
	}
	s.mu.Lock()
	old := s.now().Sub(l.readAt) >= lifeAge
	s.mu.Unlock()
	if old {
		s.readLife(l)
	}
	s.mu.Lock()
	life, alive := l.life, l.denied == nil && l.tokens != nil
	s.mu.Unlock()
	switch {
	case l.failed != nil && alive && (isTemporary(l.failed) || isDeath(l.failed)) && !s.now().Before(l.retryAt):
		s.reopen(ctx, l)
	case l.failed == nil && alive && !sameSignIn(before, life):
		s.log.Warn("somebody has signed in anew", "connection", l.conn.Name)
		s.reopen(ctx, l)
	default:
		s.keepAlive(ctx, l)
	}
}

// keepAlive renews the refresh token of a person who has not been here for a while.
func (s *session) keepAlive(ctx context.Context, l *link) {
	s.mu.Lock()
	now, life := s.now(), l.life
	last := life.RefreshedAt
	if l.renewed.After(last) {
		last = l.renewed
	}
	due := l.tokens != nil && life.By == auth.ByPerson && !life.RefreshTokenEnds.IsZero() && l.denied == nil && now.Sub(last) >= keepAliveAge
	s.mu.Unlock()
	if !due {
		return
	}
	err := l.tokens.Renew(ctx)
	s.mu.Lock()
	l.renewed = now
	if err != nil {
		l.renewed = now.Add(keepAliveAgain - keepAliveAge)
	}
	s.mu.Unlock()
	if err != nil {
		s.log.Warn("the sign-in could not be kept alive, it will be tried again", "connection", l.conn.Name, "error", err)
		return
	}
	s.log.Info("the sign-in was kept alive", "connection", l.conn.Name)
	s.readLife(l)
}

// sameSignIn tells whether what was opened by one sign-in may go on with another: they are of the same person, and show the
// same as far as that is known.
func sameSignIn(a, b auth.Life) bool {
	scopes := func(l auth.Life) []string {
		list := slices.Clone(l.Scopes)
		for i := range list {
			list[i] = strings.ToLower(list[i])
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	if a.Lineage == b.Lineage {
		return a.Scopes == nil || b.Scopes == nil || slices.Equal(scopes(a), scopes(b))
	}
	return a.Account != "" && strings.EqualFold(a.Account, b.Account) && slices.Equal(scopes(a), scopes(b))
}
