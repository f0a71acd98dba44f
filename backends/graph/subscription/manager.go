package subscription

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
)

// Wish is a subscription that somebody wants to have.
type Wish struct {
	// Resource is what to subscribe to: "/me/mailFolders('id')/messages".
	Resource string
	// Changes are the kinds of change: "created,updated,deleted".
	Changes string
	// MaxLife is the longest lifetime that the service allows for the resource.
	MaxLife time.Duration
	// Prefer are values of the Prefer header of the request that creates it; IdType="ImmutableId" is always among them.
	Prefer []string
	// Data asks for the resource within notifications. Only where the service gives the same that it gives on request.
	Data bool
}

// Notification is a verified notification: a hint that something changed.
type Notification struct {
	Subscription string // the service's id
	Resource     string // of the Wish
	Path         string // the resource that changed, as the service wrote it
	Change       string // "created", "updated" or "deleted"; "" when it is unknown what changed (notifications were missed)
	ID, ETag     string // of the resource, where the notification tells
	Data         json.RawMessage
	At           time.Time // when it arrived
}

// State is how a wish is doing.
type State struct {
	// Live says that notifications come. Those of before Since may have been lost.
	Live    bool
	Since   time.Time
	ID      string    // of the subscription
	Renewal time.Time // when it will be renewed
	// Problem says why not, in one sentence.
	Problem string
}

// Listener hears of a wish. Its methods return soon and may be called from any goroutine.
type Listener interface {
	Notified(n []Notification)
	Changed(resource string, s State)
}

// Options are the arguments of New.
type Options struct {
	// Name is the connection's. It must stay the same for the next start to adopt what this one made.
	Name     string
	Client   *graph.Client
	Account  graph.Account
	ClientID string // of the application, to which tokens within notifications must be addressed
	// LoginURL is the base of the sign-in service whose keys sign those tokens, that of the global cloud when empty.
	LoginURL  string
	Transport http.RoundTripper // for the keys; nil means http.DefaultTransport
	Memory    backends.Memory   // keeps the secrets
	Receiver  backends.Receiver // the public address
	Options   backends.Options
}

const (
	// parallel is how many requests are made at a time. The service calls us back within most of them.
	parallel = 4
	// actTime bounds what is done about one subscription.
	actTime = 2 * time.Minute
	// listEvery is how often the service is asked which subscriptions there are: one may be gone without a word.
	listEvery = 6 * time.Hour
	// strayTime is how long a subscription of ours may be unwanted. After a start somebody may still look at what it is for.
	strayTime = 10 * time.Minute
	// deleteTime bounds deleting everything at the end, deleting at a time.
	deleteTime = 5 * time.Second
	deleting   = 8
	// shortest is the lifetime of a wish that names none.
	shortest = time.Hour
	// margin is subtracted from the longest lifetime, which counts from when the request arrives.
	margin = time.Minute
)

// Manager keeps the subscriptions of one connection.
type Manager struct {
	o    Options
	tick time.Duration
	log  *slog.Logger
	wake chan struct{}

	secrets *secrets // set when Run begins
	tokens  *tokens
	base    string // address below which ours deliver

	// mu guards what follows. Neither listeners nor the service are called with it held.
	mu      sync.Mutex
	entries map[string]*entry // by resource
	tags    map[string]*entry // by what follows base in their address
	ids     map[string]*entry // by id
	strays  map[string]*stray // ours that are unwanted, by id
	busy    int               // requests under way
	listed  bool              // the service told once which there are, or will not
	listing bool
	list    time.Time // when to ask again
	lists   int       // failures in a row
	skew    time.Duration
	blocked time.Time // nothing is created before: the service did not reach us
	blocks  int       // how often in a row
	down    string    // why notifications don't arrive, "" if they do
	seen    recent
	todo    []func() // calls that wait until mu is free, in order
}

// stray is a subscription of ours that nobody wants.
type stray struct {
	Remote
	tag  string
	due  time.Time // when it is deleted
	busy bool
}

// New makes a Manager, which does nothing before Run.
func New(o Options) *Manager {
	m := &Manager{
		o: o, tick: cmp.Or(o.Options.Tick, 30*time.Second), log: o.Options.Log, wake: make(chan struct{}, 1),
		entries: map[string]*entry{}, tags: map[string]*entry{}, ids: map[string]*entry{}, strays: map[string]*stray{},
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.o.Options.Now == nil {
		m.o.Options.Now = time.Now
	}
	return m
}

func (m *Manager) now() time.Time { return m.o.Options.Now() }

// serviceNow is the time by the service's clock, as far as known.
func (m *Manager) serviceNow() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now().Add(m.skew)
}

// Want asks for a subscription, which is created when Run gets to it. A resource has one Wish and one Listener: a second
// call replaces both.
func (m *Manager) Want(w Wish, l Listener) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[w.Resource]
	if e != nil && e.same(w) {
		e.listener, e.said = l, State{}
		m.report(e)
		m.rouse()
		return
	}
	if e != nil {
		m.remove(e)
	}
	e = &entry{wish: w, listener: l, due: m.now()}
	m.entries[w.Resource] = e
	if m.secrets != nil {
		m.name(e)
	}
	m.report(e)
	m.rouse()
}

// Drop deletes a subscription that is not wanted any more. Its listener may hear of it once more.
func (m *Manager) Drop(resource string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[resource]; e != nil {
		m.remove(e)
		m.rouse()
	}
}

// rouse has Run take a step.
func (m *Manager) rouse() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run creates and renews what is wanted until ctx ends, then deletes it all.
func (m *Manager) Run(ctx context.Context) {
	if err := m.begin(); err != nil {
		m.log.Error("there are no subscriptions: their secrets can't be kept", "error", err)
		return
	}
	address, release := m.o.Receiver.Handle("graph/"+m.o.Name, (*handler)(m))
	defer release()
	m.mu.Lock()
	m.base = address + "/"
	m.mu.Unlock()
	var wg sync.WaitGroup
	if r, ok := m.o.Receiver.(backends.Reacher); ok {
		wg.Go(func() { m.watch(ctx, r) })
	}
	for ctx.Err() == nil {
		t := time.NewTimer(m.step(ctx, &wg))
		select {
		case <-ctx.Done():
		case <-m.wake:
		case <-t.C:
		}
		t.Stop()
	}
	wg.Wait()
	m.end(ctx)
}

// begin gets what names are derived from.
func (m *Manager) begin() error {
	s, err := loadSecrets(m.o.Memory, m.o.Client.Scope(m.o.Account, "subscriptions"))
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.secrets, m.tokens = s, newTokens(m.o, m.serviceNow)
	for _, e := range m.entries {
		m.name(e)
	}
	return nil
}

// watch follows whether the public address answers.
func (m *Manager) watch(ctx context.Context, r backends.Reacher) {
	for {
		reach, changed := r.Reach()
		m.reached(reach)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// reached takes in whether the public address answers. While it does not, notifications may get lost.
func (m *Manager) reached(reach backends.Reach) {
	m.mu.Lock()
	defer m.mu.Unlock()
	problem := ""
	if reach.Down {
		problem = reach.Problem
	}
	if problem == m.down {
		return
	}
	m.down = problem
	now := m.now()
	if problem == "" {
		m.list = now
		m.blocked = time.Time{}
	}
	for _, e := range m.entries {
		switch {
		case problem != "":
		case e.live:
			e.since = now
		case e.id == "":
			e.due = now // the service may not have reached us
		}
		m.report(e)
	}
	m.rouse()
}

// step starts what is due, calls listeners, and tells how long there is nothing to do by the real clock.
func (m *Manager) step(ctx context.Context, wg *sync.WaitGroup) time.Duration {
	m.mu.Lock()
	now := m.now()
	wait := m.tick
	soon := func(at time.Time) { wait = min(wait, at.Sub(now)) }
	if !m.listing {
		if soon(m.list); !m.list.After(now) {
			m.listing = true
			wg.Go(func() { m.reconcile(ctx) })
		}
	}
	for _, e := range m.entries {
		m.lapse(e, now)
		if e.busy || !m.listed {
			continue
		}
		due := e.due
		if e.id == "" && m.blocked.After(due) {
			due = m.blocked
		}
		if due.After(now) {
			soon(due)
		} else if m.busy < parallel {
			e.busy = true
			m.busy++
			wg.Go(func() { m.act(ctx, e) })
		}
	}
	for _, s := range m.strays {
		if s.busy {
			continue
		}
		if s.due.After(now) {
			soon(s.due)
		} else if m.busy < parallel {
			s.busy = true
			m.busy++
			wg.Go(func() { m.sweep(ctx, s) })
		}
	}
	todo := m.todo
	m.todo = nil
	m.mu.Unlock()
	for _, f := range todo {
		f()
	}
	return max(wait, time.Millisecond)
}

// end deletes everything, as far as that goes in a few seconds. What is left is adopted at the next start, or expires.
func (m *Manager) end(ctx context.Context) {
	m.mu.Lock()
	var ids []string
	for id, e := range m.ids {
		ids = append(ids, id)
		e.id, e.live, e.due = "", false, m.now()
		m.report(e)
	}
	for id := range m.strays {
		ids = append(ids, id)
	}
	m.ids, m.strays, m.listed, m.list = map[string]*entry{}, map[string]*stray{}, false, time.Time{}
	todo := m.todo
	m.todo = nil
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTime)
	defer cancel()
	work := make(chan string)
	var wg sync.WaitGroup
	for range min(deleting, len(ids)) {
		wg.Go(func() {
			for id := range work {
				if err := Delete(ctx, m.o.Client, id); err != nil {
					m.log.Debug("a subscription is left to expire", "subscription", id, "error", err)
				}
			}
		})
	}
	for _, id := range ids {
		work <- id
	}
	close(work)
	wg.Wait()
	for _, f := range todo {
		f()
	}
}
