package box

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/rest"
)

// stream follows the events of the signed-in user, whose view it keeps right.
type stream struct {
	b    *Backend
	feed backends.Feed
	view *view
	poll *http.Client

	wanted *once // somebody looks at the view
	ready  *once // the position is known, or can't be had
	kicked chan backends.Origin

	seen  *recent[struct{}]
	dry   *rest.Limiter // paces fetches that bring nothing
	fresh bool          // no events have been read yet
	news  bool          // the present realtime server has told of something

	mu            sync.Mutex
	mark          mark
	kept          time.Time // the mark's time in Memory
	live          bool
	asked, polled contact
}

// ownMark is where Memory keeps the mark of the signed-in user's stream.
const ownMark = "box/events/own"

const (
	// safetyNet is how often events are asked for although nobody said that there are any: late ones come without a word.
	safetyNet = 10 * time.Minute
	// catchUp is how many pages are read after a pause. Listing anew what somebody looks at is cheaper than more.
	catchUp = 60
	// dryBurst is how many fetches that bring nothing may follow each other at once; then they are a second apart, as Box
	// asks.
	dryBurst = 20
)

func newStream(b *Backend, feed backends.Feed) *stream {
	return &stream{
		b: b, feed: feed, view: b.view(b.own()), poll: b.pollClient(),
		wanted: newOnce(), ready: newOnce(), kicked: make(chan backends.Origin, 1),
		seen: newRecent[struct{}](seenEvents), fresh: true, dry: rest.NewLimiter(0, dryBurst, b.cfg.Backoff),
	}
}

// run follows the stream until ctx ends. The position is taken at once, because only listings that come later can be live;
// the rest waits until somebody looks. An enterprise sign-in seldom has files of its own, so there all of it waits.
func (s *stream) run(ctx context.Context) {
	defer s.ready.set()
	if s.b.everybody() && !wait(ctx, s.wanted) {
		return
	}
	back := backoff{first: s.b.cfg.Backoff}
	for behind := true; ctx.Err() == nil; {
		began := time.Now()
		s.news = false
		err := s.session(ctx, behind)
		behind = err != nil
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.failed(&s.asked, err)
			back.wait(ctx)
		case time.Since(began) < back.first && !s.news:
			back.wait(ctx) // a realtime server that sends everybody on
		default:
			back.reset()
		}
	}
}

func wait(ctx context.Context, o *once) bool {
	select {
	case <-o.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// session listens to one realtime server for as long as that works, once it has caught up if it may be behind. Without an
// error, the next server is to be asked for.
func (s *stream) session(ctx context.Context, behind bool) error {
	taken, err := s.position(ctx)
	s.ready.set()
	if err != nil || !wait(ctx, s.wanted) {
		return err
	}
	if behind && !taken || s.current().gap(s.b.cfg.Now()) {
		if err := s.fetch(ctx, backends.Origin{By: backends.ByEvents}); err != nil {
			return err
		}
	}
	server, err := s.b.realtimeServer(ctx)
	if err != nil {
		return err
	}
	s.reached(&s.asked)
	return s.listen(ctx, server)
}

func (s *stream) current() *mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mark
	return &m
}

// position finds the mark, in Memory or by taking the stream's present position.
func (s *stream) position(ctx context.Context) (taken bool, err error) {
	if s.current().Position != "" {
		return false, nil
	}
	memory := s.feed.Sink(backends.Origin{})
	var m mark
	if v, ok := memory.Get(ownMark); ok && json.Unmarshal(v, &m) == nil && m.good(s.b.cfg.Now()) {
		return false, s.move(func(to *mark) error {
			*to = m
			return nil
		})
	}
	return true, s.begin(ctx)
}

// begin takes the stream's present position. Nothing that was listed before is live.
func (s *stream) begin(ctx context.Context) error {
	p, err := s.b.getEvents(ctx, userStream, "now", nil)
	if err != nil {
		return err
	}
	if p.next == "" {
		return errNoPosition
	}
	s.fresh = false
	s.view.forget(p.now)
	return s.move(func(m *mark) error {
		*m = mark{Position: p.next, Since: p.at, At: p.at}
		return s.keep(m)
	})
}

// errNoPosition: a stream does not say where it is.
var errNoPosition = errors.Join(backends.ErrUnavailable, errors.New("no position of the events is given"))

func (m mark) encode() []byte {
	v, err := json.Marshal(m)
	if err != nil {
		panic(err) // texts and times of this era can be encoded
	}
	return v
}

// move makes a mark the present one, once it is kept, and says what is live with it. change gets the present one, and the
// function that commits it.
func (s *stream) move(change func(m *mark) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mark
	if err := change(&m); err != nil {
		return err
	}
	moved := !m.Since.Equal(s.mark.Since)
	s.mark = m
	if moved && s.live {
		s.say("")
	}
	return nil
}

// keep writes a mark on its own.
func (s *stream) keep(m *mark) error {
	s.kept = m.At
	return s.feed.Sink(backends.Origin{}).Put(ownMark, m.encode())
}

// restart makes nothing live that was listed before now.
func (s *stream) restart() {
	err := s.move(func(m *mark) error {
		if m.Position == "" {
			return nil
		}
		m.Since = s.b.cfg.Now()
		return s.keep(m)
	})
	if err != nil {
		s.b.log("the time from which changes are known can't be kept", "error", err)
	}
}

// say tells how the view is kept right; mu is held.
func (s *stream) say(problem string) {
	l := backends.Liveness{By: backends.ByLongPoll, Problem: problem}
	if problem == "" {
		l.Since = s.mark.Since
	}
	s.feed.Live(viewCollection(s.view.id), l)
}

// reached says that one of the two answers, or lets wait as it should. The view is live while both do.
func (s *stream) reached(c *contact) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.succeeded()
	if !s.live && s.asked.lost.IsZero() && s.polled.lost.IsZero() {
		s.live = true
		s.say("")
	}
}

// failed says that one of the two can't be reached.
func (s *stream) failed(c *contact, err error) {
	s.b.log("the events of Box can't be followed", "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.failed(s.b.cfg.Now()) && s.live {
		s.live = false
		s.say("Box can't be asked for its events: " + kindOf(err))
	}
}

// kindOf says why in words that hold no address.
func kindOf(err error) string {
	for _, kind := range []error{backends.ErrForbidden, backends.ErrThrottled, backends.ErrNotFound, backends.ErrBroken, backends.ErrNoSpace} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return backends.ErrUnavailable.Error()
}

// fetch asks for the events after the position and applies them. One page that is not full is enough: where more wait, the
// next poll is answered at once.
func (s *stream) fetch(ctx context.Context, o backends.Origin) error {
	if s.current().gap(s.b.cfg.Now()) {
		return s.begin(ctx)
	}
	for range catchUp {
		before := s.current()
		p, err := s.b.getEvents(ctx, userStream, before.Position, nil)
		if errors.Is(err, backends.ErrBroken) {
			s.b.log("Box does not take the position of its events", "error", err)
			return s.begin(ctx)
		}
		if err != nil {
			return err
		}
		if p.next != "" && backwards(p.next, before.Position) {
			s.b.log("the events of Box go backwards")
			return s.begin(ctx)
		}
		if s.fresh {
			s.fresh = false
			s.view.forget(p.now)
		}
		if err := s.apply(ctx, o, p); err != nil {
			return err
		}
		s.reached(&s.asked)
		if len(p.events) < eventsPage || p.next == "" || p.next == before.Position {
			return nil
		}
	}
	return s.begin(ctx)
}

// apply commits what a page of events says, and the position after it.
func (s *stream) apply(ctx context.Context, o backends.Origin, p page) error {
	news := unseen(s.seen, p.events)
	if len(news) == 0 {
		// As Box asks, a stream that has nothing new is not asked all the time.
		release, err := s.dry.Acquire(ctx)
		if err != nil {
			return err
		}
		release()
	}
	sink := s.feed.Sink(o)
	got, about := s.b.relevant(s.view.id, news)
	got, err := s.b.weigh(ctx, s.view, sink, got, about)
	if err != nil {
		return err
	}
	if len(about) > 0 && sink.Dir(key(recentKind)).Whole {
		got.expire = append(got.expire, key(recentKind)) // it is about items that somebody worked with
	}
	// Before the position says that it is known: a crash in between only has them listed once too often.
	if len(got.expire) > 0 {
		s.feed.Expire(got.expire...)
	}
	err = s.move(func(m *mark) error {
		moved := p.next != "" && p.next != m.Position
		if moved {
			m.Position = p.next
		}
		m.At = p.at
		if got.blind {
			m.Since = s.b.cfg.Now()
		}
		switch {
		case len(got.changes) > 0:
			s.kept = m.At
			return s.view.apply(sink, got.changes, map[string][]byte{ownMark: m.encode()}, p.now)
		case moved || got.blind || m.At.Sub(s.kept) >= keepMark:
			return s.keep(m)
		}
		return nil
	})
	if err != nil {
		return err
	}
	remember(s.seen, news)
	return nil
}

// keepMark is how often the mark is written although nothing happens, so that a quiet stream does not look forgotten.
const keepMark = time.Hour

// gap tells whether the stream may have forgotten events since it was read last.
func (m *mark) gap(now time.Time) bool { return now.Sub(m.At) >= retention }
