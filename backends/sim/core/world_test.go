package core

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestWorldIsReproducible(t *testing.T) {
	a, b := NewWorld(Options{Seed: 7}), NewWorld(Options{Seed: 7})
	if a.GUID("x") != b.GUID("x") || a.Rand("x").Int64() != b.Rand("x").Int64() || a.Sum("x") != b.Sum("x") {
		t.Error("the same seed gives different data")
	}
	if c := NewWorld(Options{Seed: 8}); a.GUID("x") == c.GUID("x") || a.GUID("x") == a.GUID("y") {
		t.Error("other seeds or purposes give the same data")
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(a.GUID("x")) {
		t.Errorf("GUID %s", a.GUID("x"))
	}
}

func TestClock(t *testing.T) {
	c := NewClock(noon)
	within := func(want time.Time) {
		t.Helper()
		if d := c.Now().Sub(want); d < 0 || d > time.Minute {
			t.Fatalf("clock shows %v, want %v and a little", c.Now(), want)
		}
	}
	within(noon)
	c.Advance(24 * time.Hour)
	within(noon.Add(24 * time.Hour))
	c.Set(noon.AddDate(-1, 0, 0))
	within(noon.AddDate(-1, 0, 0))
}

func TestLimits(t *testing.T) {
	c := NewClock(noon)
	l := newLimits(c)
	take := func(want bool) time.Duration {
		t.Helper()
		ok, _, reset := l.Take(Quota{Name: "n", Key: "k", Limit: 3, Per: time.Minute}, 1)
		if ok != want {
			t.Fatalf("ok %v, want %v", ok, want)
		}
		return reset
	}
	take(true)
	take(true)
	take(true)
	if reset := take(false); reset <= 0 || reset > time.Minute {
		t.Errorf("reset in %v", reset)
	}
	if ok, _, _ := l.Take(Quota{Name: "n", Key: "other", Limit: 3, Per: time.Minute}, 3); !ok {
		t.Error("another key is limited too")
	}
	c.Advance(time.Minute)
	take(true)
	if ok, left, _ := l.Take(Quota{Name: "n", Key: "k", Limit: 3, Per: time.Minute}, 3); ok || left != 2 {
		t.Errorf("ok %v left %d, want refused with 2 left", ok, left)
	}
}

func TestSwitches(t *testing.T) {
	s := newSwitches()
	s.Register("b", false, "")
	s.Register("i", 1, "")
	s.Register("s", "x", "")
	for name, v := range map[string]any{"b": true, "i": 2.0, "s": "y"} {
		if err := s.Set(name, v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !s.Bool("b") || s.Int("i") != 2 || s.String("s") != "y" {
		t.Error("values were not set")
	}
	for name, v := range map[string]any{"b": "true", "i": 1.5, "s": 1, "none": true} {
		if err := s.Set(name, v); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s = %v: got %v, want an error that names it", name, v, err)
		}
	}
	s.Reset()
	if s.Bool("b") || s.Int("i") != 1 || s.String("s") != "x" {
		t.Error("values were not reset")
	}
}

func TestControl(t *testing.T) {
	w := NewWorld(Options{Seed: 1, Now: noon})
	srv := httptest.NewServer(w.Control(func() any { return map[string]string{"graph": "g"} }))
	defer srv.Close()
	rt := NewRouter(w, HostGraph)
	rt.Handle("GET /a", echo)
	call := func(method, path, body string, want int) string {
		t.Helper()
		req, _ := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var out strings.Builder
		buf := make([]byte, 1<<16)
		for {
			n, err := resp.Body.Read(buf)
			out.Write(buf[:n])
			if err != nil {
				break
			}
		}
		if resp.StatusCode != want {
			t.Fatalf("%s %s: %d %s, want %d", method, path, resp.StatusCode, out.String(), want)
		}
		return out.String()
	}
	request := func() int {
		rec := httptest.NewRecorder()
		rt.ServeHTTP(rec, httptest.NewRequest("GET", "/a", nil))
		return rec.Code
	}
	call("PUT", "/faults", `[{"route":"GET /a","status":500,"delay":"1ms","count":1}]`, 204)
	if got := request(); got != 500 {
		t.Errorf("fault: %d", got)
	}
	request()
	var stats Snapshot
	if err := json.Unmarshal([]byte(call("GET", "/stats", "", 200)), &stats); err != nil || stats.Requests["GET /a"] != 2 || stats.Total != 2 {
		t.Errorf("stats %v %v: control calls must not count", stats, err)
	}
	if got := call("GET", "/faults", "", 200); !strings.Contains(got, `"GET /a"`) {
		t.Errorf("faults %s", got)
	}
	call("POST", "/reset", "", 204)
	if got := call("GET", "/stats", "", 200); !strings.Contains(got, `"total": 0`) {
		t.Errorf("after reset: %s", got)
	}
	call("PUT", "/switches", `{"throttle":"real"}`, 204)
	if !w.Throttled() {
		t.Error("switch not set")
	}
	call("PUT", "/switches", `{"nope":1}`, 400)
	call("PUT", "/faults", `[{"delay":"soon"}]`, 400)
	call("POST", "/clock", `{"advance":"24h"}`, 200)
	if d := w.Clock.Now().Sub(noon); d < 24*time.Hour || d > 25*time.Hour {
		t.Errorf("clock advanced by %v", d)
	}
	call("POST", "/clock", `{"set":"2027-01-01T00:00:00Z"}`, 200)
	if w.Clock.Now().Year() != 2027 {
		t.Errorf("clock shows %v", w.Clock.Now())
	}
	if got := call("GET", "/ready", "", 200); !strings.Contains(got, `"graph": "g"`) {
		t.Errorf("ready %s", got)
	}
}

func TestControlOfAPackage(t *testing.T) {
	w := NewWorld(Options{})
	w.HandleControl("POST /echo", func(rw http.ResponseWriter, r *http.Request) {
		var v map[string]int
		if ReadControl(rw, r, &v) {
			AnswerControl(rw, v["n"]+1)
		}
	})
	srv := httptest.NewServer(w.Control(func() any { return nil }))
	defer srv.Close()
	for body, want := range map[string]string{`{"n":41}`: "42\n", `{`: "unexpected EOF\n"} {
		resp, err := http.Post(srv.URL+"/echo", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(got) != want {
			t.Errorf("%s: %q %v, want %q", body, got, err, want)
		}
	}
}
