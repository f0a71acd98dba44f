package box_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/box"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// TestRecent: recent/ has the very files of the tree, under identities of its own, and names their contents alike.
func TestRecent(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	sink := backendtest.NewSink()
	b := open(false)(t, s, sink)
	s.World().Stats.Reset()
	recent := find(t, b, sink, "recent")
	list(t, b, sink, recent.Dir)
	if n := backendtest.Requests(s); n != 1 {
		t.Errorf("the root and recent/ cost %d requests", n)
	}
	tree := backendtest.Walk(t, b, sink, nil)
	inTree := map[string]backends.Entry{}
	for p, e := range tree.Entries {
		if strings.HasPrefix(p, "files/") {
			inTree[e.ID] = e
		}
	}
	names := sink.Names(recent.Dir)
	if len(names) < 6 {
		t.Fatalf("recent are %v", slices.Collect(maps.Keys(names)))
	}
	for name, e := range names {
		same, ok := inTree[e.Content]
		if !ok || e.IsDir || e.ID == same.ID || e.Item == same.Item {
			t.Errorf("%s is %+v, in the tree %+v", name, e, same)
			continue
		}
		if e.Version != same.Version || e.Size != same.Size || !e.Mtime.Equal(same.Mtime) || !e.Ctime.Equal(same.Ctime) || e.Info != same.Info {
			t.Errorf("%s is %+v, in the tree %+v", name, e, same)
		}
		got, err := backendtest.Read(t.Context(), b, e)
		want, err2 := backendtest.Read(t.Context(), b, same)
		if err != nil || err2 != nil || string(got) != string(want) {
			t.Errorf("%s: %d bytes, in the tree %d: %v %v", name, len(got), len(want), err, err2)
		}
	}
	if p := sink.Problems(); len(p) > 0 {
		t.Error(p)
	}
}

// TestRecentTwins: two files of one name, a web link, what is in the trash, a folder.
func TestRecentTwins(t *testing.T) {
	w := newWorld(t, sim.Options{}, false)
	dir := w.newFolder("twins", "0")
	one, two := w.newFile("twin.txt", dir, "one"), w.newFile("twin.txt", "0", "two")
	gone := w.newFile("gone.txt", dir, "gone")
	w.trash("file", gone)
	list(t, w.b, w.sink, "recent")
	got := map[string]string{}
	for name, e := range w.sink.Names("recent") {
		if !strings.HasPrefix(name, "twin") {
			if strings.HasPrefix(name, "gone") || e.IsDir {
				t.Errorf("recent has %s", name)
			}
			continue
		}
		data, err := backendtest.Read(t.Context(), w.b, e)
		if err != nil {
			t.Error(err)
		}
		got[e.Info.ServiceID] = string(data)
	}
	if got[one] != "one" || got[two] != "two" || len(got) != 2 {
		t.Errorf("twins are %v", got)
	}
}

// TestRecentRefused: without a right to the list there is no recent/, and coverage says why; it comes back with the right.
func TestRecentRefused(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	for _, status := range []int{403, 404} {
		s.World().Faults.Set(core.FaultRule{Route: "GET /2.0/recent_items", Status: status, Count: 1})
		sink := backendtest.NewSink()
		b := open(false)(t, s, sink)
		list(t, b, sink, "")
		if _, ok := sink.Names("")["recent"]; ok || sink.MaxAge("") < 0 {
			t.Errorf("%d: recent is shown (%v), for %v", status, ok, sink.MaxAge(""))
		}
		if gaps := fmt.Sprint(b.Coverage()); !strings.Contains(gaps, "recent files") {
			t.Errorf("%d: coverage %s", status, gaps)
		}
		if err := b.List(t.Context(), "", sink); err != nil {
			t.Fatal(err)
		}
		if _, ok := sink.Names("")["recent"]; !ok || sink.MaxAge("") >= 0 || strings.Contains(fmt.Sprint(b.Coverage()), "recent files") {
			t.Errorf("%d: recent is not back: %v", status, b.Coverage())
		}
		// Later it is an error of the directory.
		s.World().Faults.Set(core.FaultRule{Route: "GET /2.0/recent_items", Status: status})
		if err := b.List(t.Context(), "recent", sink); !errors.Is(err, backends.ErrForbidden) || errors.Is(err, backends.ErrNotFound) {
			t.Errorf("%d: %v", status, err)
		}
	}

	// What fails for now does not take the directory away.
	s.World().Faults.Set(core.FaultRule{Route: "GET /2.0/recent_items", Status: 500})
	sink := backendtest.NewSink()
	b := open(false)(t, s, sink)
	list(t, b, sink, "")
	if _, ok := sink.Names("")["recent"]; !ok || sink.MaxAge("") < 0 {
		t.Errorf("recent is not shown (%v), for %v", ok, sink.MaxAge(""))
	}
	if err := b.List(t.Context(), "recent", sink); !errors.Is(err, backends.ErrUnavailable) {
		t.Error(err)
	}
}

// TestRecentFollows: what happens in the tree has recent/ listed anew.
func TestRecentFollows(t *testing.T) {
	w := newWorld(t, sim.Options{}, false)
	list(t, w.b, w.sink, "")
	w.list(w.b, w.sink, w.view, "0")
	w.goesLive(w.view)
	w.newFile("just now.txt", "0", "now")
	w.eventually(func() string {
		if w.feed.expiredAt("recent").IsZero() {
			return "recent is not listed anew"
		}
		return ""
	})
	if err := w.b.List(t.Context(), "recent", w.sink); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.sink.Names("recent")["just now.txt"]; !ok {
		t.Errorf("recent are %v", slices.Collect(maps.Keys(w.sink.Names("recent"))))
	}
}

// TestNoRecent: an application works with no files.
func TestNoRecent(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	sink := backendtest.NewSink()
	b := mustSignIn(t, s, "enterprise:"+s.Ready().BoxEnterprise, sink, func(c *box.Config) { c.Enterprise = true })
	s.World().Stats.Reset()
	list(t, b, sink, "")
	if _, ok := sink.Names("")["recent"]; ok || backendtest.Requests(s) != 0 {
		t.Errorf("recent is shown (%v), by %d requests", ok, backendtest.Requests(s))
	}
}
