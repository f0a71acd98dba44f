package core

import (
	"net/http/httptest"
	"testing"
	"time"
)

func TestTokenBucket(t *testing.T) {
	c := NewClock(noon)
	l := newLimits(c)
	q := Quota{Name: "n", Key: "k", Limit: 30, Per: 10 * time.Second, Bucket: true}
	take := func(cost int, want bool) (left int, wait time.Duration) {
		t.Helper()
		ok, left, wait := l.Take(q, cost)
		if ok != want {
			t.Fatalf("%d units: ok %v with %d left", cost, ok, left)
		}
		return left, wait
	}
	if left, _ := take(30, true); left != 0 {
		t.Errorf("%d left of a bucket that was emptied", left)
	}
	if _, wait := take(4, false); wait <= time.Second || wait > 2*time.Second {
		t.Errorf("4 units that come 3 a second: in %v", wait)
	}
	// Unlike a window, it gives back what a second brings and no more.
	c.Advance(time.Second)
	take(4, false)
	take(3, true)
	c.Advance(time.Hour)
	if left, _ := take(1, true); left != 29 {
		t.Errorf("%d left after an hour: more than the bucket holds", left)
	}
	low := q
	low.Reserve = 10
	if ok, _, wait := l.Take(low, 20); ok || wait > time.Second {
		t.Errorf("ok %v, wait %v for what would touch the reserve", ok, wait)
	}
	take(20, true)
	want := Use{Limit: 30, Seconds: 10, Bucket: true, Used: 54, Busiest: 54, Refused: 3}
	if got := l.Usage()["n"]; got != want {
		t.Errorf("usage %+v, want %+v", got, want)
	}
	q.Key = "other"
	take(30, true)
	want.Used += 30
	if got := l.Usage()["n"]; got != want {
		t.Errorf("usage with another key %+v, want %+v", got, want)
	}
}

func TestBusyTimeCountsOnce(t *testing.T) {
	w := NewWorld(Options{Seed: 1, Now: noon})
	rt := NewRouter(w, HostGraph)
	arrived, release := make(chan struct{}), make(chan struct{})
	rt.Handle("GET /a", func(r *Request) {
		arrived <- struct{}{}
		<-release
	})
	done := make(chan struct{})
	for range 3 {
		go func() {
			rt.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/a", nil))
			done <- struct{}{}
		}()
		<-arrived
	}
	if now := w.Counts(); now.Busy["GET /a"] <= 0 || now.Seconds["GET /a"] != 0 {
		t.Errorf("busy %v, served %v while requests are in flight", now.Busy, now.Seconds)
	}
	close(release)
	for range 3 {
		<-done
	}
	s := w.Counts()
	if busy, served := s.Busy["GET /a"], s.Seconds["GET /a"]; busy <= 0 || served <= busy || served > 3*busy {
		t.Errorf("busy %v s, served %v s by three at a time", busy, served)
	}
	if again := w.Counts().Busy["GET /a"]; again != s.Busy["GET /a"] {
		t.Errorf("busy goes on while nothing is in flight: %v then %v", s.Busy["GET /a"], again)
	}
}

func TestOverlappingWaitsCountOnce(t *testing.T) {
	c := NewClock(noon)
	s := newStats(c)
	s.Throttle("x", 10*time.Second)
	c.Advance(6 * time.Second)
	s.Throttle("x", 10*time.Second) // to second 16
	s.Throttle("x", 2*time.Second)  // within that
	c.Advance(time.Minute)
	s.Throttle("x", time.Second)
	got := s.Snapshot().Throttled["x"]
	if got.Requests != 4 || got.Seconds < 16.9 || got.Seconds > 17.5 {
		t.Errorf("%+v, want 4 requests and 17 s", got)
	}
}
