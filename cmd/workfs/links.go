package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
	"github.com/workfs/workfs/cache"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

// link is a connection of a mount. Another one takes its place when the connection is opened anew.
type link struct {
	conn     backends.Connection
	settings []config.Setting // what is said of it
	tokens   auth.Source      // what its backends sign in with; nil where the configuration can't work
	failed   error            // why it could not be opened
	run      func(context.Context)
	end      func() // ends run and waits for that
	// Where it failed: when it is tried again, and the pause until then.
	retryAt time.Time
	retry   time.Duration

	// Guarded by session.mu:
	life    auth.Life // as last read
	lifeErr error
	readAt  time.Time
	denied  error  // why it had no token when it was last asked for one
	token   string // that it had then
	asked   time.Time
	pause   time.Duration // until it is asked again by itself
	renewed time.Time     // when the sign-in was last kept alive, or that was tried
}

// trouble tells why the connection does not work. session.mu is held.
func (l *link) trouble() error {
	if l.failed != nil {
		return l.failed
	}
	return l.denied
}

// linked gives the connections of the mount.
func (s *session) linked() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.links)
}

// link gives a connection of the mount by its name, nil if there is none.
func (s *session) link(name string) *link {
	for _, l := range s.linked() {
		if l.conn.Name == name {
			return l
		}
	}
	return nil
}

// now is the clock of services and caches.
func (s *session) now() time.Time {
	if s.options.now != nil {
		return s.options.now()
	}
	return time.Now()
}

// openConnections signs in. A connection that fails while another works is mounted as a directory that fails with the
// reason; when none works there is nothing to mount.
func (s *session) openConnections(ctx context.Context, connections []backends.Connection) ([]cache.Connection, error) {
	if s.offline {
		// What is remembered needs no request, and nothing else may make one.
		done, cancel := context.WithCancel(ctx)
		cancel()
		ctx = done
	}
	settings := func(string) []config.Setting { return nil }
	if s.options.reread != nil {
		if file, err := s.options.reread(); err == nil { // it was read a moment ago
			settings = file.Settings
		}
	}
	var list []cache.Connection
	var errs []error
	for _, c := range connections {
		l, shown := s.open(ctx, c, settings(c.Name))
		if l.failed != nil {
			errs = append(errs, l.failed)
		}
		s.links = append(s.links, l) // nobody else has the session yet
		list = append(list, shown)
	}
	if len(errs) == len(connections) {
		return nil, errors.Join(errs...)
	}
	return list, nil
}

// open opens a connection, and gives what the tree shows of it: where it fails a directory that fails with the reason.
func (s *session) open(ctx context.Context, c backends.Connection, settings []config.Setting) (*link, cache.Connection) {
	opened, err := s.openConnection(ctx, c)
	l := &link{conn: c, settings: settings, tokens: opened.Tokens, run: opened.Run}
	if err != nil && s.offline {
		err = withCode(codeNotFound, errors.New("nothing is cached: mount it once without --offline"))
	}
	if err != nil {
		l.failed = fmt.Errorf("connection %s: %w", c.Name, err)
		opened.Mounted, opened.Gaps = []backends.Mounted{{Backend: failedBackend{c.Name, l.failed}}}, nil
	}
	s.readLife(l)
	return l, cache.Connection{Name: c.Name, Mounted: opened.Mounted, Gaps: opened.Gaps}
}

// readLife reads what is known of the sign-in, which may ask a keyring or run commands.
func (s *session) readLife(l *link) {
	if l.tokens == nil {
		return
	}
	life, err := l.tokens.Life()
	s.mu.Lock()
	defer s.mu.Unlock()
	l.life, l.lifeErr, l.readAt = life, err, s.now()
}

func (s *session) openConnection(ctx context.Context, c backends.Connection) (all.Opened, error) {
	o := s.options
	options := backends.Options{
		Formats:      o.formats,
		TeamsRefresh: time.Duration(o.teamsRefresh),
		MaxAge:       time.Duration(o.maxAge),
		PollInterval: time.Duration(o.pollInterval),
		ResourceData: o.webhook.data,
		Now:          o.now,
		Tick:         o.tick,
		Log:          s.log.With("connection", c.Name),
		UserAgent:    userAgent(),
	}
	if s.receiver != nil {
		options.Receiver = s.receiver
		keys, err := signatureKeys(c)
		if err != nil {
			return all.Opened{}, err
		}
		options.WebhookKeys = keys
	}
	return all.Open(ctx, c, options, s.cache.Memory(c.Name))
}

// keep keeps what the backends of a connection share, until the link's end or the session's.
func (s *session) keep(l *link) {
	ctx, cancel := context.WithCancel(s.ending)
	done := make(chan struct{})
	l.end = func() { cancel(); <-done }
	s.beside.Go(func() {
		defer close(done)
		if l.run != nil {
			l.run(ctx)
		}
	})
}

// signInPatience bounds the wait for the sign-in services. What is slow only is found out by the first request.
const signInPatience = 5 * time.Second

// renewSignIns has the sign-ins renewed that need it, before what they were granted decides what is shown.
func renewSignIns(ctx context.Context, connections []backends.Connection) {
	ctx, cancel := context.WithTimeout(ctx, signInPatience)
	defer cancel()
	var wg sync.WaitGroup
	for _, c := range connections {
		wg.Go(func() {
			if tokens, err := all.SignIn(c); err == nil {
				_, _ = tokens.Token(ctx) // opening the connection, or checkSignIns, tells why there is none
			}
		})
	}
	wg.Wait()
}

// checkSignIns asks each connection for a token. What is remembered of an account lets a mount start without one, and then
// its owner should hear that only the cache is served.
func (s *session) checkSignIns(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, signInPatience)
	defer cancel()
	var wg sync.WaitGroup
	for _, l := range s.linked() {
		wg.Go(func() { s.ask(ctx, l) })
	}
	wg.Wait()
}

// ask asks a connection for a token and notes how that ended. While one lasts that makes no request.
func (s *session) ask(ctx context.Context, l *link) {
	if l.tokens == nil {
		return // opening the connection failed for the same reason
	}
	t, err := l.tokens.Token(ctx)
	if errors.Is(err, context.Canceled) {
		return // nobody wants to know any more
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l.denied, l.asked = err, s.now()
	if err != nil {
		if l.pause = min(max(2*l.pause, tendEvery), lastAsk); !isDeath(err) {
			l.pause = 0
		}
		return
	}
	l.pause = 0
	if t.Value != l.token {
		l.token = t.Value
		l.readAt = time.Time{} // there has been a renewal, maybe by another program
	}
}

// warnings tell which connections could not be opened.
func (s *session) warnings() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, l := range s.links {
		switch {
		case l.failed != nil:
			list = append(list, l.failed.Error())
		case l.denied != nil:
			list = append(list, fmt.Sprintf("connection %s: %v; what the cache has is served", l.conn.Name, l.denied))
		}
	}
	return list
}

// failedBackend stands for a connection that could not be opened: looking into it gives the reason's errno.
type failedBackend struct {
	name string
	err  error
}

// Scope implements backends.Backend.
func (b failedBackend) Scope() string { return "failed/" + b.name }

// List implements backends.Backend.
func (b failedBackend) List(context.Context, backends.DirKey, backends.Sink) error { return b.kind() }

// Fetch implements backends.Backend.
func (b failedBackend) Fetch(context.Context, backends.File, int64, int64) (backends.Content, error) {
	return backends.Content{}, b.kind()
}

// Coverage implements backends.Backend.
func (b failedBackend) Coverage() []backends.Gap { return []backends.Gap{{Reason: b.err.Error()}} }

// kind gives the error one of the kinds of package backends: what is not temporary is a sign-in that does not work.
func (b failedBackend) kind() error {
	if backends.Temporary(b.err) || errors.Is(b.err, backends.ErrForbidden) {
		return b.err
	}
	return fmt.Errorf("%w: %w", backends.ErrForbidden, b.err)
}
