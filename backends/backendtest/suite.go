package backendtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// Suite is what every service passes against the simulator.
type Suite struct {
	// Options of the simulator.
	Options sim.Options
	// Switches of the simulator that are set before anything else.
	Switches map[string]any
	// Open makes a backend. Each call makes one that knows nothing but what memory holds.
	Open func(t testing.TB, s *sim.Sim, memory backends.Memory) backends.Backend
	// Routes are globs of the requests of listings, in which failures are injected: "GET /v1.0/*".
	Routes []string
	// Hostile are answers to listings that lead to an address: tokens must not go there. Nil where listings give none.
	Hostile func(address string) []core.FaultRule
	// Skip leaves directories out of the walks, to keep them short.
	Skip func(path string) bool
	// Unreadable says that a content is known not to be had (no right to download, broken at the service).
	Unreadable func(path string, e backends.Entry) bool
	// Missized says that the service states a wrong size of a content, as SharePoint does of some Office files.
	Missized func(path string, e backends.Entry) bool
	// Partial says that a directory leaves out what the sign-in may not see and lists the rest.
	Partial func(path string) bool
	// Files bounds how many contents are fetched; 0 means 300.
	Files int
}

// deadline is the time that a listing gets where failures are injected. A wait that would outlast it must end at once.
const deadline = 30 * time.Second

// Run runs the suite.
func (s Suite) Run(t *testing.T) {
	server := Start(t, s.Options)
	for name, v := range s.Switches {
		Set(t, server, name, v)
	}
	sink := NewSink()
	b := s.Open(t, server, sink)
	tree := Walk(t, b, sink, s.Skip)
	if t.Failed() {
		return
	}
	t.Logf("%d directories, %d entries", len(tree.Dirs), len(tree.Entries))

	t.Run("contents", func(t *testing.T) { s.contents(t, b, tree) })
	t.Run("again", func(t *testing.T) { s.again(t, server, b, sink, tree) })
	t.Run("faults", func(t *testing.T) { s.faults(t, server, sink, tree) })
	t.Run("hostile", func(t *testing.T) { s.hostile(t, server, sink, tree) })
	t.Run("concurrent", func(t *testing.T) { s.concurrent(t, server, sink, tree) })

	checkLeaks(t, server)
	if gaps := b.Coverage(); len(tree.Refused) > 0 && len(gaps) == 0 {
		t.Errorf("refused directories without a reason in the coverage: %v", tree.Refused)
	}
}

// checkLeaks looks for tokens at hosts that must not see them.
func checkLeaks(t *testing.T, server *sim.Sim) {
	for _, leak := range server.World().Stats.Snapshot().Leaks {
		t.Errorf("a token reached %s: %s %s (%s)", leak.Host, leak.Method, leak.Path, leak.Why)
	}
}

// filesPerDir is how many contents of one directory are fetched.
const filesPerDir = 25

// contents fetches files whole and in part.
func (s Suite) contents(t *testing.T, b backends.Backend, tree *Tree) {
	left := cmp.Or(s.Files, 300)
	perDir := map[string]int{}
	for _, p := range slices.Sorted(maps.Keys(tree.Entries)) {
		e := tree.Entries[p]
		if e.IsDir || e.Body != nil || left == 0 || perDir[path.Dir(p)] == filesPerDir {
			continue
		}
		left--
		perDir[path.Dir(p)]++
		data, err := Read(t.Context(), b, e)
		unreadable := s.Unreadable != nil && s.Unreadable(p, e)
		if (err != nil) != unreadable {
			t.Errorf("%s: %v, expected to fail: %v", p, err, unreadable)
		}
		if err != nil {
			if !errors.Is(err, backends.ErrForbidden) && !errors.Is(err, backends.ErrBroken) {
				t.Errorf("%s: an error of the wrong kind: %v", p, err)
			}
			continue
		}
		missized := s.Missized != nil && s.Missized(p, e)
		if e.Size != backends.SizeUnknown && (int64(len(data)) != e.Size) != missized {
			t.Errorf("%s has %d bytes, its entry says %d", p, len(data), e.Size)
		}
		if !e.Ranged || len(data) < 3 {
			continue
		}
		off, n := int64(len(data)/3), int64(len(data)/2)
		part, err := ReadRange(t.Context(), b, e, off, n)
		if want := data[off:min(off+n, int64(len(data)))]; err != nil || !bytes.Equal(part, want) {
			t.Errorf("%s: %d bytes from %d are not those of the whole, %v", p, n, off, err)
		}
	}
}

// again lists everything a second time, here and on another machine: nothing may differ.
func (s Suite) again(t *testing.T, server *sim.Sim, b backends.Backend, sink *Sink, tree *Tree) {
	before := map[string][]backends.Entry{}
	for _, p := range tree.Paths() {
		before[p], _ = sink.Entries(tree.Dirs[p])
	}
	for _, p := range tree.Paths() {
		if err := b.List(t.Context(), tree.Dirs[p], sink); err != nil {
			t.Errorf("listing %q again: %v", p, err)
		}
	}
	compare := func(where string, got *Sink) {
		for _, p := range tree.Paths() {
			now, whole := got.Entries(tree.Dirs[p])
			if diff := same(before[p], now); diff != "" || !whole {
				t.Errorf("%s, %q differs: %s", where, p, diff)
			}
		}
	}
	compare("listed again", sink)
	elsewhere := NewSink()
	other := s.Open(t, server, elsewhere)
	Walk(t, other, elsewhere, s.Skip)
	compare("on another machine", elsewhere)
	if b.Scope() != other.Scope() || b.Scope() == "" {
		t.Errorf("scopes %q and %q", b.Scope(), other.Scope())
	}
}

// faults injects failures into listings. One that passes must not show; one that lasts must be an error, never a
// listing that lacks something.
func (s Suite) faults(t *testing.T, server *sim.Sim, sink *Sink, tree *Tree) {
	cut := func(n int64) *int64 { return &n }
	tests := map[string]struct {
		core.FaultRule
		lasting bool
		kind    error // of a lasting failure
	}{
		"throttled":              {FaultRule: core.FaultRule{Status: 429, Headers: map[string]string{"Retry-After": "0.02"}, Probability: 0.3}},
		"throttled, no time":     {FaultRule: core.FaultRule{Status: 429, Body: map[string]any{"error": map[string]any{"code": "UnknownError", "message": ""}}, Probability: 0.3}},
		"throttled, odd time":    {FaultRule: core.FaultRule{Status: 429, Headers: map[string]string{"Retry-After": "a while"}, Probability: 0.3}},
		"unavailable":            {FaultRule: core.FaultRule{Status: 503, Probability: 0.3}},
		"bad gateway":            {FaultRule: core.FaultRule{Status: 502, Body: "<html>", Probability: 0.3}},
		"reset":                  {FaultRule: core.FaultRule{Reset: true, Probability: 0.3}},
		"reset in the body":      {FaultRule: core.FaultRule{BodyCut: cut(40), Reset: true, Probability: 0.3}},
		"truncated":              {FaultRule: core.FaultRule{BodyCut: cut(40), Probability: 0.3}},
		"expired token":          {FaultRule: core.FaultRule{Status: 401, Headers: map[string]string{"WWW-Authenticate": `Bearer error="invalid_token"`}, Probability: 0.1}},
		"always forbidden":       {FaultRule: core.FaultRule{Status: 403}, lasting: true, kind: backends.ErrForbidden},
		"always down":            {FaultRule: core.FaultRule{Status: 500}, lasting: true, kind: backends.ErrUnavailable},
		"always truncated":       {FaultRule: core.FaultRule{BodyCut: cut(20)}, lasting: true, kind: backends.ErrUnavailable},
		"always an empty object": {FaultRule: core.FaultRule{Status: 200, Body: map[string]any{}}, lasting: true},
		"always null":            {FaultRule: core.FaultRule{Status: 200, Body: "null"}, lasting: true},
		"throttled for ever":     {FaultRule: core.FaultRule{Status: 429, Headers: map[string]string{"Retry-After": "86400"}}, lasting: true, kind: backends.ErrThrottled},
	}
	stats := server.World().Stats
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fresh := NewSink()
			b := s.Open(t, server, fresh)
			var rules []core.FaultRule
			for _, route := range s.Routes {
				r := tt.FaultRule
				r.Route = route
				rules = append(rules, r)
			}
			server.World().Faults.Set(rules...)
			defer server.World().Faults.Set()
			stats.Reset()
			failed := 0
			paths := sample(tree.Paths(), sampled)
			for _, p := range paths {
				dir := tree.Dirs[p]
				before := Requests(server)
				ctx, cancel := context.WithTimeout(t.Context(), deadline)
				err := b.List(ctx, dir, fresh)
				cancel()
				asked := Requests(server) > before
				want, _ := sink.Entries(dir)
				got, whole := fresh.Entries(dir)
				switch {
				case err == nil && !whole:
					t.Errorf("%q succeeded without becoming whole", p)
				case err == nil && tt.kind == backends.ErrForbidden && s.Partial != nil && s.Partial(p):
					if len(b.Coverage()) == 0 {
						t.Errorf("%q leaves something out without saying so in the coverage", p)
					}
				case err == nil:
					if diff := same(want, got); diff != "" {
						t.Errorf("%q differs: %s", p, diff)
					}
				case !s.kindOf(err):
					t.Errorf("%q failed with an error of no kind: %v", p, err)
				case whole && !asked:
					t.Errorf("%q failed and became whole", p)
				case tt.lasting && tt.kind != nil && !errors.Is(err, tt.kind):
					t.Errorf("%q failed with %v, want %v", p, err, tt.kind)
				}
				if err != nil {
					failed++
				}
			}
			for _, early := range stats.Snapshot().EarlyRetries {
				t.Errorf("asked again too early: %s %s (%s)", early.Method, early.Path, early.Why)
			}
			checkLeaks(t, server)
			stats.Reset()
			if tt.lasting && failed == 0 {
				t.Error("no listing failed")
			}
			if !tt.lasting && failed > 1+len(paths)/10 {
				t.Errorf("%d of %d listings failed", failed, len(paths))
			}
		})
	}
}

// sampled is how many directories get failures injected.
const sampled = 40

// sample picks at most n paths, evenly.
func sample(paths []string, n int) []string {
	if len(paths) <= n {
		return paths
	}
	var picked []string
	for i := range n {
		picked = append(picked, paths[i*len(paths)/n])
	}
	return picked
}

func (s Suite) kindOf(err error) bool {
	for _, kind := range []error{backends.ErrNotFound, backends.ErrForbidden, backends.ErrThrottled, backends.ErrUnavailable, backends.ErrBroken} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// hostile answers listings with links to a foreign host.
func (s Suite) hostile(t *testing.T, server *sim.Sim, sink *Sink, tree *Tree) {
	defer server.World().Faults.Set()
	if s.Hostile == nil {
		t.Skip("listings follow no links")
	}
	var reached atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		fmt.Fprint(w, `{"value":[],"entries":[]}`)
	}))
	defer evil.Close()
	for _, address := range []string{evil.URL, strings.Replace(evil.URL, "http://", "http://user:pw@", 1), strings.Replace(evil.URL, "http:", "", 1)} {
		fresh := NewSink()
		b := s.Open(t, server, fresh)
		server.World().Faults.Set(s.Hostile(address)...)
		failed := 0
		for _, p := range tree.Paths() {
			dir := tree.Dirs[p]
			if err := b.List(t.Context(), dir, fresh); err != nil {
				failed++
				continue
			}
			want, _ := sink.Entries(dir)
			got, _ := fresh.Entries(dir)
			if diff := same(want, got); diff != "" {
				t.Errorf("%q became whole without its other pages: %s", p, diff)
			}
		}
		server.World().Faults.Set()
		if failed == 0 {
			t.Errorf("nobody minded links to %s", address)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests reached a foreign host", n)
	}
}

// concurrent lists everything at once, as a parallel walk does.
func (s Suite) concurrent(t *testing.T, server *sim.Sim, sink *Sink, tree *Tree) {
	fresh := NewSink()
	b := s.Open(t, server, fresh)
	errs := make(chan error)
	paths := tree.Paths()
	for _, p := range paths {
		go func() {
			err := b.List(t.Context(), tree.Dirs[p], fresh)
			if err != nil {
				err = fmt.Errorf("listing %q: %w", p, err)
			}
			errs <- err
		}()
	}
	for range paths {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for _, p := range paths {
		want, _ := sink.Entries(tree.Dirs[p])
		got, _ := fresh.Entries(tree.Dirs[p])
		if diff := same(want, got); diff != "" {
			t.Errorf("%q differs: %s", p, diff)
		}
	}
}
