package box_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/box"
	"github.com/workfs/workfs/backends/sim"
)

// follows opens a world with two folders in the root, listed and live.
func follows(t *testing.T) (w *world, a, b string) {
	t.Helper()
	w = newWorld(t, sim.Options{}, false)
	a, b = w.newFolder("follow a", "0"), w.newFolder("follow b", "0")
	w.list(w.b, w.sink, w.view, "0", a, b)
	w.goesLive(w.view)
	return w, a, b
}

// TestEveryChange makes each change that a user can make and waits until it is shown. None needs a request of its own
// beside the one that brings the events.
func TestEveryChange(t *testing.T) {
	w, a, b := follows(t)
	backendtest.Set(t, w.sim, "box.event_short_percent", 0) // else one event more may need a request more
	backendtest.Set(t, w.sim, "box.event_duplicate_percent", 0)
	var file, folder, link string
	steps := []struct {
		what string
		do   func()
		want map[string]string // names by folder
	}{
		{"upload", func() { file = w.newFile("one.txt", a, "1") }, map[string]string{a: "one.txt", b: ""}},
		{"version", func() { w.newVersion(file, "one, longer") }, nil},
		{"rename", func() { w.rename("file", file, "uno.txt") }, map[string]string{a: "uno.txt"}},
		{"describe", func() { w.do("PUT", "/files/"+file, object{"description": "first"}) }, nil},
		{"move", func() { w.move("file", file, b) }, map[string]string{a: "", b: "uno.txt"}},
		{"rename and move", func() { w.do("PUT", "/files/"+file, object{"name": "un.txt", "parent": object{"id": a}}) }, map[string]string{a: "un.txt", b: ""}},
		{"lock", func() {
			w.do("PUT", "/files/"+file, object{"lock": object{"type": "lock", "is_download_prevented": true}})
		}, nil},
		{"unlock", func() { w.do("PUT", "/files/"+file, object{"lock": nil}) }, nil},
		{"folder", func() { folder = w.newFolder("dir", a) }, map[string]string{a: "dir, un.txt"}},
		{"folder rename", func() { w.rename("folder", folder, "Dir") }, map[string]string{a: "Dir, un.txt"}},
		{"folder move", func() { w.move("folder", folder, b) }, map[string]string{a: "un.txt", b: "Dir"}},
		{"copy", func() { w.do("POST", "/files/"+file+"/copy", object{"parent": object{"id": b}, "name": "copy.txt"}) }, map[string]string{b: "Dir, copy.txt"}},
		{"link", func() {
			link = w.do("POST", "/web_links", object{"url": "https://example.com/", "name": "link", "parent": object{"id": b}}).id()
		}, map[string]string{b: "Dir, copy.txt, link.url"}},
		{"link edit", func() { w.do("PUT", "/web_links/"+link, object{"url": "https://example.org/"}) }, nil},
		{"link trash", func() { w.trash("web_link", link) }, map[string]string{b: "Dir, copy.txt"}},
		{"trash", func() { w.trash("file", file) }, map[string]string{a: ""}},
		{"restore", func() { w.restore("file", file) }, map[string]string{a: "un.txt"}},
		{"folder trash", func() { w.trash("folder", folder) }, map[string]string{b: "copy.txt"}},
		{"folder restore", func() { w.restore("folder", folder) }, map[string]string{b: "Dir, copy.txt"}},
		{"to the root", func() { w.move("file", file, "0") }, map[string]string{a: ""}},
		{"from the root", func() { w.move("file", file, a) }, map[string]string{a: "un.txt"}},
		{"trash and purge", func() {
			w.trash("file", file)
			w.call("DELETE", "/files/"+file+"/trash", "", nil)
		}, map[string]string{a: ""}},
	}
	stats := w.sim.World().Stats
	for _, s := range steps {
		stats.Reset()
		s.do()
		made := backendtest.Requests(w.sim)
		w.shows(false, w.view, "0", a, b)
		if t.Failed() {
			t.Fatalf("after %s", s.what)
		}
		for id, names := range s.want {
			if got := w.names(w.view, id); got != names {
				t.Errorf("%s: %q is shown, want %q", s.what, got, names)
			}
		}
		// One request brings the news of each change; where a step makes several, each may come on its own.
		if n := backendtest.Requests(w.sim, "GET", "/events"); n > made {
			t.Errorf("%s: events were asked for %d times", s.what, n)
		}
		if n := backendtest.Requests(w.sim, "/items"); n > 3 && s.what != "trash and purge" {
			t.Errorf("%s: folders were listed anew: %d listings where the comparison makes 3", s.what, n)
		}
		if n := backendtest.Requests(w.sim, "GET /2.0/files/") + backendtest.Requests(w.sim, "GET /2.0/web_links/"); n > 0 && s.what != "trash and purge" {
			t.Errorf("%s: %d items were asked for: %v", s.what, n, stats.Snapshot().Requests)
		}
	}
	for _, d := range []string{a, b} {
		if !w.feed.current(dir(w.view, d), "folder|"+w.view) {
			t.Errorf("folder %s is not live any more", d)
		}
	}
	if p := w.sink.Problems(); len(p) > 0 {
		t.Error(p)
	}
	for _, leak := range stats.Snapshot().Leaks {
		t.Errorf("leak: %+v", leak)
	}
	if l := w.feed.of("folder|" + w.view); l.By != backends.ByLongPoll {
		t.Errorf("live by %q", l.By)
	}
}

// TestMovedOutOfSight moves a listed folder into one that nobody has listed, and changes it there: when that one is listed,
// everything is as live as before.
func TestMovedOutOfSight(t *testing.T) {
	w, a, b := follows(t)
	hidden := w.newFolder("not listed", b)
	inner := w.newFolder("inner", a)
	w.shows(false, w.view, a, b)
	w.list(w.b, w.sink, w.view, inner)
	since := w.feed.of("folder|" + w.view).Since
	w.move("folder", inner, hidden)
	w.newFile("later.txt", inner, "x")
	w.shows(false, w.view, a, inner)
	w.list(w.b, w.sink, w.view, hidden)
	if l := w.feed.of("folder|" + w.view); !l.Since.Equal(since) {
		t.Errorf("live since %v, before %v", l.Since, since)
	}
	w.shows(false, w.view, a, b, hidden, inner)
}

// TestManyChanges makes more changes in a row than an address for long polls may be used: nobody pauses for that.
func TestManyChanges(t *testing.T) {
	w, a, _ := follows(t)
	w.stop()
	w.open(false, func(cfg *box.Config) { cfg.Backoff = time.Minute })
	w.goesLive(w.view)
	file := w.newFile("0", a, "x")
	for i := range 40 {
		name := fmt.Sprint(i + 1)
		w.rename("file", file, name)
		w.eventually(func() string {
			if got := w.names(w.view, a); got != name {
				return fmt.Sprintf("%q is shown, not %q", got, name)
			}
			return ""
		})
	}
}
