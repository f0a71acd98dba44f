package box_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/box"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// TestRestart learns at the next mount, with one request, what happened in between, and what was listed before is live.
func TestRestart(t *testing.T) {
	w, a, b := follows(t)
	file := w.newFile("one.txt", a, "1")
	w.shows(false, w.view, a)
	w.stop()
	w.move("file", file, b)
	w.newVersion(file, "2")
	w.sim.World().Stats.Reset()
	w.open(false)
	w.goesLive(w.view)
	if !w.feed.current(dir(w.view, a), "folder|"+w.view) {
		t.Error("a listing of the mount before is not live")
	}
	if n := backendtest.Requests(w.sim, "GET", "/events"); n != 1 {
		t.Errorf("catching up took %d requests for events", n)
	}
	w.shows(false, w.view, "0", a, b)
}

// clock is a clock that tests turn.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func (c *clock) set(cfg *box.Config) { cfg.Now = c.now }

// TestForgotten: after a pause longer than events are kept, nothing that was listed before is live.
func TestForgotten(t *testing.T) {
	w, a, _ := follows(t)
	w.stop()
	var c clock
	c.offset.Store(int64(14 * 24 * time.Hour))
	w.open(false, c.set)
	w.goesLive(w.view)
	if w.feed.current(dir(w.view, a), "folder|"+w.view) {
		t.Error("a listing from before the gap is live")
	}

	// So it is while mounted, when the machine slept.
	since := w.feed.of("folder|" + w.view).Since
	c.offset.Store(int64(60 * 24 * time.Hour))
	w.eventually(func() string {
		if l := w.feed.of("folder|" + w.view); !l.Since.After(since) {
			return fmt.Sprintf("live since %v", l.Since)
		}
		return ""
	})
}

// TestOutage: a view stays live for a minute while Box can't be asked, then it does not, and says so; once Box is back it
// catches up.
func TestOutage(t *testing.T) {
	w, a, _ := follows(t)
	w.stop()
	var c clock
	w.open(false, c.set)
	w.goesLive(w.view)
	collection := "folder|" + w.view
	since := w.feed.of(collection).Since

	w.sim.World().Faults.Set(core.FaultRule{Host: core.HostBoxRealtime, Status: 503}, core.FaultRule{Route: "GET /2.0/events", Status: 503},
		core.FaultRule{Route: "OPTIONS /2.0/events", Status: 503})
	w.newFile("unheard.txt", a, "x") // ends the poll
	time.Sleep(50 * time.Millisecond)
	if l := w.feed.of(collection); !l.Since.Equal(since) {
		t.Errorf("the view is not live any more at once: %+v", l)
	}
	c.offset.Store(int64(2 * time.Minute))
	w.eventually(func() string {
		if l := w.feed.of(collection); !l.Since.IsZero() || !strings.Contains(l.Problem, "can't be asked") {
			return fmt.Sprintf("in an outage: %+v", l)
		}
		return ""
	})
	w.sim.World().Faults.Set()
	w.goesLive(w.view)
	if l := w.feed.of(collection); !l.Since.Equal(since) || l.Problem != "" {
		t.Errorf("after an outage: %+v, live since %v before", l, since)
	}
	w.shows(false, w.view, a)
}

// TestSafetyNet: events of which no poll tells are asked for all the same, if seldom.
func TestSafetyNet(t *testing.T) {
	w, a, _ := follows(t)
	w.stop()
	var c clock
	w.open(false, c.set)
	w.goesLive(w.view)
	backendtest.Set(t, w.sim, "box.event_late_percent", 100)
	backendtest.Set(t, w.sim, "box.event_late_seconds", 1)
	w.newFile("late.txt", a, "x")
	time.Sleep(1200 * time.Millisecond)
	if names := w.names(w.view, a); names != "" {
		t.Errorf("a poll told of %s", names)
	}
	c.offset.Store(int64(11 * time.Minute))
	w.shows(false, w.view, a)
	if names := w.names(w.view, a); names != "late.txt" {
		t.Errorf("%q is shown", names)
	}
}

// TestMessages goes through all that a realtime server may say.
func TestMessages(t *testing.T) {
	w, a, _ := follows(t)
	for i, message := range []string{"reconnect", "max_retries", "hello", "new_change", "reconnect,reconnect,max_retries,what,new_change"} {
		backendtest.Set(t, w.sim, "box.poll_next", message)
		name := fmt.Sprintf("%d.txt", i)
		w.newFile(name, a, "x") // ends the present poll; the next gets the message
		w.shows(false, w.view, a)
		w.newFile("again "+name, a, "y")
		w.shows(false, w.view, a)
	}
	if n := backendtest.Requests(w.sim, "OPTIONS"); n < 4 {
		t.Errorf("%d realtime servers were asked for", n)
	}
}

// TestDownloadsAreSilent: what this program reads does not make it ask for events.
func TestDownloadsAreSilent(t *testing.T) {
	w, a, _ := follows(t)
	w.newFile("read.txt", a, "content")
	w.shows(false, w.view, a)
	backendtest.Set(t, w.sim, "box.upload_pending", 0)
	w.sim.World().Stats.Reset()
	for range 5 {
		if data, err := backendtest.Read(t.Context(), w.b, w.sink.Names(dir(w.view, a))["read.txt"]); err != nil || string(data) != "content" {
			t.Fatalf("%q %v", data, err)
		}
	}
	time.Sleep(50 * time.Millisecond)
	if n := backendtest.Requests(w.sim, "/events"); n > 0 {
		t.Errorf("%d requests for events after downloads", n)
	}
}

// late holds back answers that have been given.
type late struct {
	http.RoundTripper
	path    string        // of requests
	came    chan struct{} // gets an element when an answer is held back
	release chan struct{} // it goes on when this has one
}

func (l *late) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.RoundTripper.RoundTrip(r)
	if err == nil && strings.HasSuffix(r.URL.Path, l.path) {
		l.came <- struct{}{}
		<-l.release
	}
	return res, err
}

// TestListingRace changes folders whose pages have been read and not yet arrived: no listing takes back what was told
// meanwhile.
func TestListingRace(t *testing.T) {
	w := newWorld(t, sim.Options{}, false)
	w.stop()
	a, b := w.newFolder("race a", "0"), w.newFolder("race b", "0")
	moves, goes, stays := w.newFile("moves.txt", a, "1"), w.newFile("goes.txt", a, "2"), w.newFile("stays.txt", a, "3")
	l := &late{path: "/folders/" + a + "/items", came: make(chan struct{}), release: make(chan struct{})}
	w.open(false, func(cfg *box.Config) {
		l.RoundTripper = cfg.Transport
		cfg.Transport = l
	})
	w.list(w.b, w.sink, w.view, "0", b)
	w.goesLive(w.view)
	for try := range 2 { // listed for the first time, and again
		done := make(chan error, 1)
		go func() { done <- w.b.List(t.Context(), dir(w.view, a), w.sink) }()
		<-l.came
		w.move("file", moves, b)
		w.trash("file", goes)
		w.newVersion(stays, fmt.Sprintf("version %d", try))
		w.newFile(fmt.Sprintf("comes %d.txt", try), a, "4")
		last := w.newFile(fmt.Sprintf("last %d.txt", try), b, "5")
		w.eventually(func() string { // until all is told
			for _, e := range w.sink.Names(dir(w.view, b)) {
				if e.Info.ServiceID == last {
					return ""
				}
			}
			return "no news"
		})
		l.release <- struct{}{}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if !w.feed.current(dir(w.view, a), "folder|"+w.view) {
			t.Error("the listing is not live")
		}
		w.shows(false, w.view, a, b)
		if names := w.names(w.view, a); strings.Contains(names, "moves") || strings.Contains(names, "goes") || !strings.Contains(names, "comes") {
			t.Errorf("%q is shown", names)
		}
		w.move("file", moves, a)
		w.restore("file", goes)
		w.shows(false, w.view, a, b)
	}
}
