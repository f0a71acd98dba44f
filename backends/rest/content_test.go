package rest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/workfs/workfs/backends"
)

var payload = bytes.Repeat([]byte("the quick brown fox\n"), 5000)

// store is a content host: it refuses credentials, serves ranges, and can misbehave.
type store struct {
	*httptest.Server
	mu      sync.Mutex
	ranges  []string
	valid   string // the signature that works; "" for any
	breaks  int    // how many answers to cut in the middle
	left    int    // where to cut them
	noRange bool
	status  []int // refusals, in turn
}

func newStore(t *testing.T) *store {
	s := &store{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ranges = append(s.ranges, r.Header.Get("Range"))
		if r.Header.Get("Authorization") != "" || r.Header.Get("As-User") != "" {
			t.Error("credentials reached the content host")
			w.WriteHeader(401)
			return
		}
		if s.valid != "" && r.FormValue("sig") != s.valid {
			w.WriteHeader(403)
			return
		}
		if len(s.status) > 0 {
			w.WriteHeader(s.status[0])
			s.status = s.status[1:]
			return
		}
		if s.noRange {
			r.Header.Del("Range")
		}
		if s.breaks > 0 {
			s.breaks--
			w = &breaking{ResponseWriter: w, left: cmp.Or(s.left, 20000)}
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(payload))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *store) seen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.ranges, " ")
}

// breaking resets the connection after some bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) > b.left {
		b.ResponseWriter.Write(p[:b.left])
		b.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	b.left -= len(p)
	return b.ResponseWriter.Write(p)
}

// contents makes an API that redirects to the store and a client of both.
func contents(t *testing.T, s *store, first ...step) (*Client, *atomic.Int64) {
	var n atomic.Int64
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		i := int(n.Add(1)) - 1
		if i < len(first) {
			first[i](w, r)
			return
		}
		if r.Header.Get("Range") != "" {
			t.Error("the range went to the API")
		}
		http.Redirect(w, r, fmt.Sprintf("%s/file?sig=%d", s.URL, i), http.StatusFound)
	})
	return client(t, a, func(o *Options) { o.ContentHosts = []string{strings.TrimPrefix(s.URL, "http://")} }), &n
}

func read(t *testing.T, c *Client, off, n int64) (backends.Content, []byte) {
	t.Helper()
	got, err := c.Content(t.Context(), "/items/1/content?version=2", http.Header{"As-User": {"9"}}, "key", off, n)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	data, err := io.ReadAll(got)
	if err != nil {
		t.Fatal(err)
	}
	return got, data
}

func TestContentRanges(t *testing.T) {
	s := newStore(t)
	c, located := contents(t, s)
	got, data := read(t, c, 0, -1)
	if !bytes.Equal(data, payload) || got.Total != int64(len(payload)) || got.Off != 0 {
		t.Errorf("whole: %d bytes from %d of %d", len(data), got.Off, got.Total)
	}
	got, data = read(t, c, 10, 20)
	if !bytes.Equal(data, payload[10:30]) || got.Off != 10 || got.Total != int64(len(payload)) {
		t.Errorf("range: %q from %d of %d", data, got.Off, got.Total)
	}
	size := int64(len(payload))
	if _, data = read(t, c, size-5, 100); !bytes.Equal(data, payload[size-5:]) {
		t.Errorf("end: %q", data)
	}
	if _, data = read(t, c, 5, -1); !bytes.Equal(data, payload[5:]) {
		t.Errorf("rest: %d bytes", len(data))
	}
	if _, data = read(t, c, 5, 0); len(data) != 0 {
		t.Errorf("nothing: %d bytes", len(data))
	}
	if located.Load() != 1 {
		t.Errorf("%d redirects asked for", located.Load())
	}
	if want := fmt.Sprintf(" bytes=10-29 bytes=%d-%d bytes=5-", size-5, size+94); s.seen() != want {
		t.Errorf("ranges %q, want %q", s.seen(), want)
	}
}

func TestContentSharesRedirect(t *testing.T) {
	s := newStore(t)
	c, located := contents(t, s)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, data := read(t, c, int64(i), 4); !bytes.Equal(data, payload[i:i+4]) {
				t.Errorf("range %d: %q", i, data)
			}
		})
	}
	wg.Wait()
	if located.Load() != 1 {
		t.Errorf("%d redirects asked for", located.Load())
	}
}

func TestContentExpires(t *testing.T) {
	s := newStore(t)
	c, located := contents(t, s)
	s.valid = "0"
	read(t, c, 0, 10)
	s.mu.Lock()
	s.valid = "1"
	s.mu.Unlock()
	if _, data := read(t, c, 0, 10); !bytes.Equal(data, payload[:10]) {
		t.Errorf("%q", data)
	}
	if located.Load() != 2 {
		t.Errorf("%d redirects asked for", located.Load())
	}
}

func TestContentResumes(t *testing.T) {
	for _, noRange := range []bool{false, true} {
		s := newStore(t)
		s.breaks, s.noRange = 2, noRange
		c, _ := contents(t, s)
		if _, data := read(t, c, 0, -1); !bytes.Equal(data, payload) {
			t.Errorf("noRange %v: %d of %d bytes", noRange, len(data), len(payload))
		}
	}
	// Many failures are fine while there is progress between them.
	old := payload
	t.Cleanup(func() { payload = old })
	payload = bytes.Repeat(old, 100)
	s := newStore(t)
	s.breaks, s.left = 6, progress+100
	c, _ := contents(t, s)
	if _, data := read(t, c, 0, -1); !bytes.Equal(data, payload) {
		t.Errorf("%d of %d bytes", len(data), len(payload))
	}
	payload = old
	s = newStore(t)
	s.breaks = 100
	c, _ = contents(t, s)
	got, err := c.Content(t.Context(), "/x", nil, "k", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(got); !errors.Is(err, backends.ErrUnavailable) || !bytes.HasPrefix(payload, data) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

func TestContentIgnoredRange(t *testing.T) {
	s := newStore(t)
	s.noRange = true
	c, _ := contents(t, s)
	got, data := read(t, c, 100, 50)
	if got.Off != 0 || !bytes.Equal(data, payload[:150]) {
		t.Errorf("%d bytes from %d", len(data), got.Off)
	}
}

func TestContentBusy(t *testing.T) {
	s := newStore(t)
	s.status = []int{503, 429, 404}
	c, _ := contents(t, s, answer(202, "", "Retry-After", "0.01"), answer(202, ""), answer(429, "", "Retry-After", "0.01"), answer(401, ""))
	if _, data := read(t, c, 0, -1); !bytes.Equal(data, payload) {
		t.Errorf("%d bytes", len(data))
	}
}

func TestContentRefusals(t *testing.T) {
	s := newStore(t)
	for name, tt := range map[string]struct {
		first step
		kind  error
	}{
		"no right":     {answer(403, `{"code":"access_denied_insufficient_permissions"}`), backends.ErrForbidden},
		"gone":         {answer(404, ``), backends.ErrNotFound},
		"no address":   {answer(200, `hello`), backends.ErrUnavailable},
		"foreign host": {answer(302, ``, "Location", "https://evil.example/x"), backends.ErrBroken},
		"not https":    {answer(302, ``, "Location", "http://evil.example/x"), backends.ErrBroken},
		"userinfo":     {answer(302, ``, "Location", "http://a@127.0.0.1/x"), backends.ErrBroken},
		"file":         {answer(302, ``, "Location", "file:///etc/passwd"), backends.ErrBroken},
		"back":         {answer(302, ``, "Location", "/v1.0/items/1/content"), backends.ErrBroken},
	} {
		steps := make([]step, 20)
		for i := range steps {
			steps[i] = tt.first
		}
		c, _ := contents(t, s, steps...)
		if _, err := c.Content(t.Context(), "/x", nil, "k", 0, -1); !errors.Is(err, tt.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.seen() != "" {
		t.Errorf("the store was asked: %q", s.seen())
	}
}

func TestContentHosts(t *testing.T) {
	c := New(Options{ContentHosts: []string{"dl.example", "*.boxcloud.com", "odd.example:8443", "127.0.0.6", "127.0.0.7:99"}})
	for address, want := range map[string]bool{
		"https://dl.example/x":          true,
		"https://DL.example:443/x":      true,
		"https://dl.example:444/x":      false,
		"http://dl.example/x":           false,
		"https://dl2.boxcloud.com/x":    true,
		"https://boxcloud.com/x":        false,
		"https://evilboxcloud.com/x":    false,
		"https://a.boxcloud.com.evil/":  false,
		"https://odd.example:8443/":     true,
		"https://odd.example/":          false,
		"http://127.0.0.6:1234/":        true,
		"http://127.0.0.7:99/":          true,
		"http://127.0.0.7:98/":          false,
		"http://127.0.0.8/":             false,
		"https://x@dl.example/":         false,
		"http://localhost.evil.example": false,
	} {
		from := mustParse("https://api.example/")
		if _, err := c.follow("op", from, address); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestContentInterrupted(t *testing.T) {
	release := make(chan bool)
	entered := make(chan bool, 1)
	s := newStore(t)
	c, _ := contents(t, s, func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		<-release
		http.Redirect(w, r, s.URL+"/file", http.StatusFound)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	if _, err := c.Content(ctx, "/x", nil, "key", 0, 10); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// Whoever else wants the address still gets that one answer.
	done := make(chan []byte)
	go func() {
		_, data := read(t, c, 0, 10)
		done <- data
	}()
	close(release)
	if data := <-done; !bytes.Equal(data, payload[:10]) {
		t.Errorf("%q", data)
	}
}

func mustParse(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-99/100")
	f.Add("bytes 5-9/*")
	f.Fuzz(func(t *testing.T, v string) {
		if first, total, err := contentRange(v); err == nil && (first < 0 || total < backends.SizeUnknown) {
			t.Errorf("%q: %d of %d", v, first, total)
		}
	})
}

func FuzzDecodeError(f *testing.F) {
	f.Add([]byte(`{"error":{"code":"a","message":"b","innerError":{"code":"c","innererror":{}}}}`))
	f.Add([]byte(`{"error":"invalid_grant","error_description":"x"}`))
	f.Add([]byte(`{"code":7,"message":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		codes, message := decodeError(body)
		for _, s := range append(codes, message) {
			if len(s) > 304 || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("%q", s)
			}
		}
	})
}

// TestContentChangesMeanwhile breaks a download and puts another content in its place: two of them are never mixed.
func TestContentChangesMeanwhile(t *testing.T) {
	for what, second := range map[string]func(w http.ResponseWriter, r *http.Request){
		"another size": func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(append(bytes.ToUpper(payload), "more"...)))
		},
		"another tag": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"2"`)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(bytes.ToUpper(payload)))
		},
	} {
		var n atomic.Int64
		s := &store{Server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) > 1 {
				second(w, r)
				return
			}
			w.Header().Set("ETag", `"1"`)
			http.ServeContent(&breaking{ResponseWriter: w, left: 20000}, r, "", time.Time{}, bytes.NewReader(payload))
		}))}
		t.Cleanup(s.Close)
		c, _ := contents(t, s)
		got, err := c.Content(t.Context(), "/items/1/content", nil, "key", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(got)
		got.Close()
		if !errors.Is(err, backends.ErrStale) {
			t.Errorf("%s: %d bytes, %v", what, len(data), err)
		}
	}
}

// TestContentWaitsAsLongAsItsCaller lets a patient caller share the question where the content is with a hasty one: the
// end of the hasty one's time is no reason to fail.
func TestContentWaitsAsLongAsItsCaller(t *testing.T) {
	s := newStore(t)
	asked, hurried := make(chan struct{}), make(chan struct{})
	c, _ := contents(t, s, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	open := func(ctx context.Context) error {
		got, err := c.Content(ctx, "/items/1/content", nil, "key", 0, -1)
		if err == nil {
			got.Close()
		}
		return err
	}
	go func() {
		defer close(hurried)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		// The end of the question and of the caller's time fall together: in between it may still get the next answer.
		if err := open(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the hasty caller got %v", err)
		}
	}()
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := open(ctx); err != nil {
		t.Errorf("the patient caller got %v", err)
	}
	<-hurried
}
