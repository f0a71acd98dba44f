package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/graph/subscription"
)

// call is one call of Sync.
type call struct {
	at         time.Time
	collection string
	n          []subscription.Notification
	origin     backends.Origin
	priority   backends.Priority
}

// service is a Service whose collections are named "resource/name". It notes what is asked of it.
type service struct {
	standing []subscription.Wish
	poll     bool
	answer   func(c call, sink backends.Sink) ([]subscription.Notification, error) // nil: nothing to do

	mu     sync.Mutex
	calls  []call
	inside map[string]int
	most   int // calls at a time
}

func (s *service) Standing() []subscription.Wish { return s.standing }

func (s *service) Watch(collection string) (Watch, bool) {
	resource, _, ok := strings.Cut(collection, "/")
	return Watch{Wish: subscription.Wish{Resource: resource}, Poll: s.poll}, ok
}

func (s *service) Concerns(n subscription.Notification, collection string) bool {
	return strings.HasSuffix(collection, "/"+n.Path)
}

func (s *service) Sync(ctx context.Context, collection string, n []subscription.Notification, sink backends.Sink) ([]subscription.Notification, error) {
	c := call{time.Now(), collection, n, sink.(*watched).Sink.(originSink).origin, backends.PriorityOf(ctx)}
	s.mu.Lock()
	s.calls = append(s.calls, c)
	if s.inside == nil {
		s.inside = map[string]int{}
	}
	s.inside[collection]++
	sum := 0
	for name, n := range s.inside {
		if n > 1 {
			panic("two calls for " + name)
		}
		sum += n
	}
	s.most = max(s.most, sum)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.inside[collection]--
		s.mu.Unlock()
	}()
	if s.answer == nil {
		return nil, nil
	}
	return s.answer(c, sink)
}

// taken gives the calls since the last time.
func (s *service) taken() []call {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

type originSink struct {
	*backendtest.Sink
	origin backends.Origin
}

// feed is a Feed that keeps what is said.
type feed struct {
	looks chan []string
	sink  *backendtest.Sink

	mu   sync.Mutex
	live map[string]backends.Liveness
}

func (f *feed) Sink(o backends.Origin) backends.Sink { return originSink{f.sink, o} }

func (f *feed) Looks(ctx context.Context) ([]string, error) {
	select {
	case names := <-f.looks:
		return names, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *feed) Live(name string, l backends.Liveness) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live[name] = l
}

func (f *feed) Expire(...backends.DirKey) {}

func (f *feed) said(name string) backends.Liveness {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.live[name]
}

// start runs a loop in a bubble. Subscriptions are what the test says by l.Changed: the manager does not run.
func start(t *testing.T, s *service, o backends.Options) (*loop, *feed) {
	f := &feed{looks: make(chan []string), sink: backendtest.NewSink(), live: map[string]backends.Liveness{}}
	l := newLoop(s, f, subscription.New(subscription.Options{}), o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return l, f
}

// bubble runs a test by a clock of its own.
func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

func note(resource, path, change string) subscription.Notification {
	return subscription.Notification{Subscription: "sub", Resource: resource, Path: path, Change: change, ID: path, At: time.Now()}
}

// wait lets time pass in which the loop does what is due.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestNotificationIsFollowedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &service{}
		l, f := start(t, s, backends.Options{})
		f.looks <- []string{"r/a", "r/b", "static"}
		if calls := s.taken(); len(calls) != 0 {
			t.Fatalf("asked without a reason: %v", calls)
		}
		since := time.Now()
		l.Changed("r", subscription.State{Live: true, Since: since, ID: "sub", Renewal: since.Add(time.Hour)})
		calls := s.taken()
		if len(calls) != 2 || calls[0].n != nil || calls[0].origin.By != backends.ByDelta || calls[0].priority != backends.Bulk {
			t.Fatalf("going live asked %v", calls)
		}
		want := backends.Liveness{By: backends.ByWebhook, Since: since, Subscription: "sub", Renewal: since.Add(time.Hour)}
		if got := f.said("r/a"); got != want {
			t.Errorf("said %+v, want %+v", got, want)
		}
		wait(time.Minute)
		n := note("r", "a", "created")
		l.Notified([]subscription.Notification{n, n, note("r", "z", "created"), note("other", "a", "created")})
		calls = s.taken()
		if len(calls) != 1 || calls[0].collection != "r/a" || len(calls[0].n) != 1 || !calls[0].at.Equal(n.At) {
			t.Fatalf("a notification asked %v", calls)
		}
		if o := calls[0].origin; o != (backends.Origin{By: backends.ByWebhook, Subscription: "sub", At: n.At}) || calls[0].priority != backends.Interactive {
			t.Errorf("origin %+v, priority %d", o, calls[0].priority)
		}
		l.Notified([]subscription.Notification{note("r", "", "")})
		if calls = s.taken(); len(calls) != 2 || calls[0].n != nil || calls[0].origin.By != backends.ByWebhook {
			t.Errorf("missed notifications asked %v", calls)
		}
	})
}

func TestNotificationsThatComeMeanwhileAreTakenTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &service{answer: func(call, backends.Sink) ([]subscription.Notification, error) {
			time.Sleep(time.Second)
			return nil, nil
		}}
		l, f := start(t, s, backends.Options{})
		f.looks <- []string{"r/a"}
		synctest.Wait()
		for i := range 5 {
			n := note("r", "a", "updated")
			n.ETag = fmt.Sprint(i)
			l.Notified([]subscription.Notification{n})
			synctest.Wait()
		}
		wait(10 * time.Second)
		calls := s.taken()
		if len(calls) != 2 || len(calls[0].n) != 1 || len(calls[1].n) != 4 {
			t.Fatalf("5 notifications asked %v", calls)
		}
		for i := range 3 * crowd {
			n := note("r", "a", "updated")
			n.ETag = fmt.Sprint(i)
			l.Notified([]subscription.Notification{n})
			synctest.Wait()
		}
		wait(time.Minute)
		for _, c := range s.taken() {
			if len(c.n) > crowd {
				t.Errorf("one call got %d notifications", len(c.n))
			}
		}
	})
}

func TestWhatIsNotAccountedForComesAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &service{answer: func(c call, _ backends.Sink) ([]subscription.Notification, error) { return c.n, nil }}
		l, f := start(t, s, backends.Options{})
		f.looks <- []string{"r/a"}
		synctest.Wait()
		began := time.Now()
		l.Notified([]subscription.Notification{note("r", "a", "created")})
		wait(10 * time.Minute)
		calls := s.taken()
		var after []time.Duration
		for _, c := range calls {
			after = append(after, c.at.Sub(began).Truncate(time.Second))
		}
		want := []time.Duration{0, time.Second, 6 * time.Second, 36 * time.Second, 156 * time.Second, 156 * time.Second}
		if !slices.Equal(after, want) {
			t.Fatalf("asked after %v, want %v", after, want)
		}
		if last := calls[5]; last.n != nil || last.origin.By != backends.ByDelta {
			t.Errorf("in the end %+v", last)
		}
		if !calls[4].origin.At.Equal(began) {
			t.Errorf("the last try says that the news came at %s, want %s", calls[4].origin.At, began)
		}
	})
}

func TestPollsAdapt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var changing atomic.Bool
		s := &service{poll: true}
		s.answer = func(c call, sink backends.Sink) ([]subscription.Notification, error) {
			b := sink.Begin(c.collection)
			defer b.Discard()
			if changing.Load() {
				b.Remove("x")
			}
			return nil, b.Commit(backends.Commit{Fresh: true})
		}
		_, f := start(t, s, backends.Options{PollInterval: 5 * time.Minute})
		f.looks <- []string{"r/a"}
		if got := f.said("r/a"); got != (backends.Liveness{Interval: 5 * time.Minute}) {
			t.Errorf("said %+v", got)
		}
		wait(4 * time.Hour)
		if n := len(s.taken()); n < 10 || n > 16 {
			t.Errorf("%d polls in 4 idle hours, want one every 20 minutes", n)
		}
		if got := f.said("r/a").Interval; got != 20*time.Minute {
			t.Errorf("interval %s when nobody looks, want 20m", got)
		}
		f.looks <- []string{"r/a"}
		if got := f.said("r/a").Interval; got > 5*time.Minute {
			t.Errorf("interval %s after a look", got)
		}
		changing.Store(true)
		wait(time.Hour)
		if got := f.said("r/a").Interval; got != time.Minute {
			t.Errorf("interval %s when there are changes, want 1m", got)
		}
		wait(30 * time.Hour)
		s.taken()
		wait(5 * time.Hour)
		if calls := s.taken(); len(calls) != 0 {
			t.Errorf("%d polls of what nobody looks at for a day", len(calls))
		}
		f.looks <- []string{"r/a"}
		wait(time.Second)
		if calls := s.taken(); len(calls) != 1 {
			t.Errorf("%d polls at a look after days, want 1", len(calls))
		}
	})
}

func TestPollsKeepThePace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &service{poll: true}
		_, f := start(t, s, backends.Options{PollInterval: time.Minute})
		var names []string
		for i := range 200 {
			names = append(names, fmt.Sprintf("r/%d", i))
		}
		f.looks <- names
		wait(20 * time.Minute)
		calls := s.taken()
		if len(calls) < 400 {
			t.Errorf("only %d polls", len(calls))
		}
		for i := 1; i < len(calls); i++ {
			if gap := calls[i].at.Sub(calls[i-1].at); gap < pace {
				t.Fatalf("polls %s apart", gap)
			}
		}
	})
}

func TestSafetyNet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &service{poll: true}
		l, f := start(t, s, backends.Options{PollInterval: time.Minute})
		f.looks <- []string{"r/a"}
		synctest.Wait()
		state := subscription.State{Live: true, Since: time.Now(), ID: "sub", Renewal: time.Now().Add(48 * time.Hour)}
		l.Changed("r", state)
		s.taken()
		wait(24*time.Hour + time.Minute)
		if n := len(s.taken()); n < 3 || n > 4 {
			t.Errorf("a live collection was asked about %d times a day", n)
		}
		state.Renewal = state.Renewal.Add(24 * time.Hour)
		l.Changed("r", state)
		if n := len(s.taken()); n != 1 {
			t.Errorf("a renewal asked %d times", n)
		}
		// A collection that is looked at later may have missed notifications.
		f.looks <- []string{"r/b"}
		if calls := s.taken(); len(calls) != 1 || calls[0].collection != "r/b" {
			t.Errorf("asked %v", calls)
		}
		if got := f.said("r/b"); !got.Since.Equal(time.Now()) {
			t.Errorf("live since %s, want now", got.Since)
		}
		f.looks <- []string{"r/a"}
		s.taken()
		l.Changed("r", subscription.State{Problem: "It is broken."})
		if got := f.said("r/a"); got != (backends.Liveness{Interval: time.Minute, Problem: "It is broken."}) {
			t.Errorf("said %+v", got)
		}
		wait(time.Minute)
		if n := len(s.taken()); n < 2 {
			t.Errorf("%d polls after the subscription ended", n)
		}
	})
}

func TestFailures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var fails atomic.Pointer[error]
		fail := func(err error) { fails.Store(&err) }
		fail(nil)
		s := &service{answer: func(call, backends.Sink) ([]subscription.Notification, error) { return nil, *fails.Load() }}
		l, f := start(t, s, backends.Options{})
		f.looks <- []string{"r/a"}
		synctest.Wait()
		live := subscription.State{Live: true, Since: time.Now(), ID: "sub"}
		l.Changed("r", live)
		s.taken()
		fail(fmt.Errorf("%w: no network", backends.ErrUnavailable))
		l.Notified([]subscription.Notification{note("r", "a", "created")})
		wait(time.Hour)
		calls := s.taken()
		if n := len(calls); n < 15 || n > 30 {
			t.Errorf("%d tries in an hour", n)
		}
		for _, c := range calls {
			if len(c.n) != 1 {
				t.Fatalf("the notification got lost: %v", c)
			}
		}
		if got := f.said("r/a"); got.By != "" || !strings.Contains(got.Problem, "no network") {
			t.Errorf("said %+v", got)
		}
		fail(nil)
		wait(6 * time.Minute)
		if got := f.said("r/a"); got.By != backends.ByWebhook || got.Problem != "" || !got.Since.Equal(live.Since) {
			t.Errorf("said %+v", got)
		}
		s.taken()
		fail(backends.ErrNotFound)
		l.Notified([]subscription.Notification{note("r", "a", "deleted")})
		wait(time.Hour)
		if n := len(s.taken()); n != 2 {
			t.Errorf("%d tries of what is gone", n)
		}
		if got := f.said("r/a"); got != (backends.Liveness{}) {
			t.Errorf("said %+v", got)
		}
	})
}

func TestPanicsAreContained(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var panicked atomic.Bool
		s := &service{answer: func(call, backends.Sink) ([]subscription.Notification, error) {
			if !panicked.Swap(true) {
				panic(errors.New("oops"))
			}
			return nil, nil
		}}
		l, f := start(t, s, backends.Options{})
		f.looks <- []string{"r/a"}
		synctest.Wait()
		l.Notified([]subscription.Notification{note("r", "a", "created")})
		wait(2 * time.Minute)
		if n := len(s.taken()); n != 2 {
			t.Errorf("%d calls, want a second one after the panic", n)
		}
	})
}

func TestManyAtATime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &service{answer: func(call, backends.Sink) ([]subscription.Notification, error) {
			time.Sleep(time.Second)
			return nil, nil
		}}
		l, f := start(t, s, backends.Options{})
		var names []string
		for i := range 40 {
			names = append(names, fmt.Sprintf("r/%d", i))
		}
		f.looks <- names
		synctest.Wait()
		l.Changed("r", subscription.State{Live: true, Since: time.Now()})
		synctest.Wait()
		if s.most != slots-spared {
			t.Errorf("%d calls at a time to catch up, want %d", s.most, slots-spared)
		}
		idle := 0
		for s.inside[fmt.Sprintf("r/%d", idle)] > 0 {
			idle++
		}
		l.Notified([]subscription.Notification{note("r", fmt.Sprint(idle), "created")})
		calls := s.taken()
		if last := calls[len(calls)-1]; last.collection != fmt.Sprintf("r/%d", idle) || len(last.n) != 1 {
			t.Errorf("a notification waits for %v", calls)
		}
		wait(time.Minute)
		if n := len(s.taken()) + len(calls); n != 41 {
			t.Errorf("%d calls, want 41", n)
		}
	})
}
