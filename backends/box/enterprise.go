package box

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
)

// enterprise follows the events of the whole enterprise, and keeps right the views of other users that somebody looked at.
type enterprise struct {
	b    *Backend
	feed backends.Feed

	wanted *once // somebody looks at a view
	ready  *once // the position is known, or can't be had
	seen   *recent[struct{}]
	hooks  *hooks // nil without a public address
	hints  chan hint

	mu      sync.Mutex
	stream  string
	mark    mark
	kept    time.Time
	live    bool
	contact contact
	views   map[string]*seat
}

// seat is a view that is kept right.
type seat struct {
	Since  time.Time `json:"since"` // from when on
	Looked time.Time `json:"looked"`
}

const (
	// Where Memory keeps the mark of the enterprise's stream and the views that are kept right with it.
	allMark  = "box/events/enterprise"
	allViews = "box/events/views"

	// adminInterval, in first waits, is how often the enterprise's events are asked for: they have no long poll, and come
	// some 12 s late anyway.
	adminInterval = 20
	// refusedPause, in the same, is how often that is tried again where the sign-in has no right to them.
	refusedPause = 1800
	// mostViews bounds the views that are kept right; the one that was looked at longest ago makes room.
	mostViews = 1000
	// logsOverlap is how far back the slower stream is begun, whose position can't be taken before events come.
	logsOverlap = 2 * time.Minute
	// mostRefreshed is how many items of a folder are asked for one by one; beyond, the folder is listed anew.
	mostRefreshed = 20
)

func newEnterprise(b *Backend, feed backends.Feed) *enterprise {
	e := &enterprise{
		b: b, feed: feed, wanted: newOnce(), ready: newOnce(), seen: newRecent[struct{}](seenEvents),
		hints: make(chan hint, hintsAhead), stream: streamingStream, views: map[string]*seat{},
	}
	e.hooks = newHooks(b, feed.Sink(backends.Origin{}), e.hints)
	e.remember()
	return e
}

// want has a view kept right from now on.
func (e *enterprise) want(view string) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.b.cfg.Now()
	if s := e.views[view]; s != nil {
		s.Looked = now
	} else {
		e.add(view, &seat{Since: now, Looked: now})
	}
	e.wanted.set()
	if e.hooks != nil {
		e.hooks.want(view)
	}
	return e.ready.done
}

// add takes a view in, instead of another if there are too many; mu is held.
func (e *enterprise) add(view string, s *seat) {
	if len(e.views) >= mostViews {
		oldest := ""
		for id, other := range e.views {
			if oldest == "" || other.Looked.Before(e.views[oldest].Looked) {
				oldest = id
			}
		}
		delete(e.views, oldest)
		e.feed.Live(viewCollection(oldest), backends.Liveness{})
	}
	e.views[view] = s
	e.keepViews()
	if e.live {
		e.say(view, s)
	}
}

// keepViews writes the views down: the position must not run ahead of one that the next start would take for live. mu is
// held.
func (e *enterprise) keepViews() {
	v, err := json.Marshal(e.views)
	if err == nil {
		err = e.feed.Sink(backends.Origin{}).Put(allViews, v)
	}
	if err != nil {
		e.b.log("the views that are followed can't be kept", "error", err)
	}
}

// say tells that a view is live; mu is held.
func (e *enterprise) say(view string, s *seat) {
	since := s.Since
	if e.mark.Since.After(since) {
		since = e.mark.Since
	}
	e.feed.Live(viewCollection(view), backends.Liveness{By: backends.ByEvents, Since: since})
}

// sayAll tells how all views are; mu is held.
func (e *enterprise) sayAll(problem string) {
	for view, s := range e.views {
		if problem == "" {
			e.say(view, s)
			continue
		}
		e.feed.Live(viewCollection(view), backends.Liveness{By: backends.ByEvents, Problem: problem})
	}
}

// restart makes nothing of some views live that was listed before now.
func (e *enterprise) restart(views ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.b.cfg.Now()
	for _, view := range views {
		s := e.views[view]
		if s == nil {
			continue
		}
		s.Since = now
		if e.live {
			e.say(view, s)
		}
	}
	e.keepViews()
}

// run follows the stream until ctx ends. The position is taken at once, because only listings that come later can be live;
// the rest waits until somebody looks at a view.
func (e *enterprise) run(ctx context.Context) {
	defer e.ready.set()
	var running sync.WaitGroup
	defer running.Wait()
	if e.hooks != nil {
		running.Go(func() { e.hooks.run(ctx) })
		running.Go(func() { e.hear(ctx) })
	}
	back := backoff{first: e.b.cfg.Backoff}
	for ctx.Err() == nil {
		err := e.position(ctx)
		e.ready.set()
		if err == nil && !wait(ctx, e.wanted) {
			return
		}
		if err == nil {
			err = e.fetch(ctx)
		}
		pause := adminInterval * e.b.cfg.Backoff
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, backends.ErrForbidden):
			e.refused(err)
			pause = refusedPause * e.b.cfg.Backoff
		case err != nil:
			e.failed(err)
			back.wait(ctx)
			continue
		}
		back.reset()
		sleep(ctx, pause)
	}
}

// remember finds the mark and the views of an earlier mount.
func (e *enterprise) remember() {
	memory := e.feed.Sink(backends.Origin{})
	if v, ok := memory.Get(allMark); ok && (json.Unmarshal(v, &e.mark) != nil || !e.mark.good(e.b.cfg.Now())) {
		e.mark = mark{}
	}
	known := map[string]*seat{}
	if v, ok := memory.Get(allViews); !ok || json.Unmarshal(v, &known) != nil {
		return
	}
	for id, s := range known {
		if s != nil && id != "" && len(e.views) < mostViews {
			e.views[id] = s
		}
	}
}

// position takes the stream's present position unless one is known.
func (e *enterprise) position(ctx context.Context) error {
	e.mu.Lock()
	m, stream := e.mark, e.stream
	e.mu.Unlock()
	if m.Position != "" && !m.gap(e.b.cfg.Now()) {
		return nil
	}
	p, err := e.b.getEvents(ctx, stream, "now", nil)
	if stream == streamingStream && errors.Is(err, backends.ErrBroken) {
		// An enterprise without it. Whether "now" works with the other one is not documented.
		stream = logsStream
		after := e.b.cfg.Now().Add(-logsOverlap).UTC().Format(time.RFC3339)
		p, err = e.b.getEvents(ctx, stream, "", url.Values{"created_after": {after}})
	}
	if err != nil {
		return err
	}
	if p.next == "" {
		return errNoPosition
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stream = stream
	e.mark = mark{Position: p.next, Since: p.at, At: p.at}
	if e.live {
		e.sayAll("")
	}
	return e.keep()
}

// keep writes the mark down; mu is held.
func (e *enterprise) keep() error {
	e.kept = e.mark.At
	return e.feed.Sink(backends.Origin{}).Put(allMark, e.mark.encode())
}

func (e *enterprise) refused(err error) {
	e.b.log("the events of the enterprise are refused", "error", err)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.live = false
	e.feed.Live(folderKind+"|*", backends.Liveness{
		Problem: "Box refuses the events of the enterprise: the sign-in needs an administrator's right to run reports, and the app the scope to manage enterprise properties",
	})
	e.sayAll("Box refuses the events of the enterprise")
}

func (e *enterprise) failed(err error) {
	e.b.log("the events of the enterprise can't be followed", "error", err)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.contact.failed(e.b.cfg.Now()) && e.live {
		e.live = false
		e.sayAll("Box can't be asked for the events of the enterprise: " + kindOf(err))
	}
}

// fetch asks for the events after the position, until there are no more, and applies them.
func (e *enterprise) fetch(ctx context.Context) error {
	for range catchUp {
		e.mu.Lock()
		before, stream := e.mark, e.stream
		e.mu.Unlock()
		p, err := e.b.getEvents(ctx, stream, before.Position, nil)
		if err != nil {
			return err
		}
		news := unseen(e.seen, p.events)
		if err := e.apply(ctx, backends.Origin{By: backends.ByEvents, At: p.at}, news, p.now); err != nil {
			return err
		}
		remember(e.seen, news)
		moved := p.next != "" && p.next != before.Position
		if err := e.caughtUp(p, moved); err != nil || !moved || len(news) == 0 {
			return err
		}
	}
	// Too much happened meanwhile: what somebody looks at is listed anew.
	e.mu.Lock()
	e.mark = mark{}
	e.mu.Unlock()
	return e.position(ctx)
}

func (e *enterprise) caughtUp(p page, moved bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.contact.succeeded()
	e.mark.At = p.at
	if moved {
		e.mark.Position = p.next
	}
	if !e.live {
		e.live = true
		e.feed.Live(folderKind+"|*", backends.Liveness{})
		e.sayAll("")
	}
	if moved || e.mark.At.Sub(e.kept) >= keepMark {
		return e.keep()
	}
	return nil
}

// followed gives the views that are kept right.
func (e *enterprise) followed() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Keys(e.views))
}
