package webhook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

// taker accepts what says "good" and passes it on.
type taker struct {
	took  chan *backends.Delivery
	block chan struct{} // Take waits for it
}

func newTaker() *taker {
	t := &taker{took: make(chan *backends.Delivery, 1<<16), block: make(chan struct{})}
	close(t.block)
	return t
}

func (t *taker) Check(d *backends.Delivery) backends.DeliveryReply {
	switch {
	case d.Query.Has("validationToken"):
		return backends.DeliveryReply{Status: 200, Body: d.Query.Get("validationToken")}
	case bytes.Contains(d.Body, []byte("panic")):
		panic("oops")
	case !bytes.Contains(d.Body, []byte("good")):
		return backends.DeliveryReply{Status: 403, Problem: "not good"}
	}
	return backends.DeliveryReply{Accepted: true}
}

func (t *taker) Take(ctx context.Context, d *backends.Delivery) {
	select {
	case <-t.block:
	case <-ctx.Done():
	}
	if bytes.Contains(d.Body, []byte("bomb")) {
		panic("oops")
	}
	t.took <- d
}

func begin(t *testing.T, o Options) *Receiver {
	t.Helper()
	o.Listen = "127.0.0.1:0"
	o.Key = testKey
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// send makes a request and gives the status and the body of the answer.
func send(t *testing.T, method, address, contentType, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(data)
}

func TestDeliveries(t *testing.T) {
	r := begin(t, Options{})
	h := newTaker()
	address, release := r.Handle("a", h)
	const js = "application/json"
	for name, tt := range map[string]struct {
		method, address, contentType, body string
		want                               int
	}{
		"good":             {"POST", address, js, "good", 202},
		"below":            {"POST", address + "/life", js + "; charset=utf-8", "good", 202},
		"forged":           {"POST", address, js, "bad", 403},
		"panic in Check":   {"POST", address, js, "panic", 500},
		"handshake":        {"POST", address + "?validationToken=a%20b%3Ac%3Cd%3E", "text/plain; charset=utf-8", "", 200},
		"bare handshake":   {"POST", address + "?validationToken=x", "", "", 200},
		"get":              {"GET", address, "", "", 405},
		"put":              {"PUT", address, js, "good", 405},
		"form":             {"POST", address, "application/x-www-form-urlencoded", "good", 415},
		"no content type":  {"POST", address, "", "good", 415},
		"odd content type": {"POST", address, "///;;", "good", 415},
		"oversized":        {"POST", address, js, "good" + strings.Repeat(" ", maxBody), 413},
		"largest":          {"POST", address, js, "good" + strings.Repeat(" ", maxBody-4), 202},
		"unknown":          {"POST", r.Address() + "/" + nonce(), js, "good", 404},
		"unknown, get":     {"GET", r.Address() + "/" + nonce(), "", "", 404},
		"root":             {"GET", r.Address() + "/", "", "", 404},
	} {
		got, body := send(t, tt.method, tt.address, tt.contentType, tt.body)
		if got != tt.want {
			t.Errorf("%s: status %d, want %d", name, got, tt.want)
		}
		switch {
		case name == "handshake" && body != "a b:c<d>":
			t.Errorf("handshake gave %q", body)
		case name == "bare handshake" && body != "x":
			t.Errorf("bare handshake gave %q", body)
		case tt.want != 200 && body != "":
			t.Errorf("%s: the answer says %q", name, body)
		}
	}
	paths := map[string]int{}
	for range 3 {
		d := <-h.took
		paths[d.Path]++
		if d.At.IsZero() {
			t.Error("a delivery without a time")
		}
	}
	if paths[""] != 2 || paths["/life"] != 1 {
		t.Errorf("took %v", paths)
	}
	if s := r.Status(); s.Accepted != 3 || s.Refused == 0 || s.Address != r.Address() {
		t.Errorf("status %+v", s)
	}
	release()
	if got, _ := send(t, "POST", address, js, "good"); got != 404 {
		t.Errorf("status %d after the release", got)
	}
}

func TestEncodedBodiesAreRefused(t *testing.T) {
	r := begin(t, Options{})
	address, _ := r.Handle("a", newTaker())
	req, _ := http.NewRequest("POST", address, strings.NewReader("good"))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 415 {
		t.Errorf("status %d", res.StatusCode)
	}
	// A body of unknown length is bounded as well.
	req, _ = http.NewRequest("POST", address, io.MultiReader(strings.NewReader("good"), strings.NewReader(strings.Repeat(" ", maxBody))))
	req.Header.Set("Content-Type", "application/json")
	if res, err = http.DefaultClient.Do(req); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 413 {
		t.Errorf("chunked: status %d", res.StatusCode)
	}
}

func TestQueueIsBounded(t *testing.T) {
	r := begin(t, Options{})
	h := newTaker()
	h.block = make(chan struct{})
	address, _ := r.Handle("a", h)
	other := newTaker()
	elsewhere, _ := r.Handle("b", other)
	accepted, full := 0, 0
	for range queueLength + 20 {
		switch got, _ := send(t, "POST", address, "application/json", "good"); got {
		case 202:
			accepted++
		case 503:
			full++
		default:
			t.Fatalf("status %d", got)
		}
	}
	if full < 15 || accepted < queueLength {
		t.Errorf("%d accepted, %d told to come again", accepted, full)
	}
	if got, _ := send(t, "POST", elsewhere, "application/json", "good"); got != 202 {
		t.Errorf("another handler: status %d", got)
	}
	<-other.took
	close(h.block)
	for range accepted {
		<-h.took
	}
}

func TestPanicsInTakeAreContained(t *testing.T) {
	r := begin(t, Options{})
	h := newTaker()
	address, _ := r.Handle("a", h)
	for _, body := range []string{"good bomb", "good"} {
		if got, _ := send(t, "POST", address, "application/json", body); got != 202 {
			t.Errorf("%s: status %d", body, got)
		}
	}
	if d := <-h.took; string(d.Body) != "good" {
		t.Errorf("took %q", d.Body)
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"":                             "http://127.0.0.1:",
		"hooks.example.org":            "https://hooks.example.org/",
		"hooks.example.org:8443":       "https://hooks.example.org:8443/",
		"https://example.org/a/b/":     "https://example.org/a/b/",
		"http://127.0.0.1:9/x":         "http://127.0.0.1:9/x/",
		"http://example.org":           "!https",
		"https://user:pw@example.org":  "!host and a path",
		"https://example.org/?a=b":     "!host and a path",
		"https://":                     "!neither",
		"ftp://example.org":            "!https",
		"https://example.org/a\x7fb%z": "!neither",
	} {
		r, err := New(Options{Listen: "127.0.0.1:0", Address: address, Key: testKey})
		if says, bad := strings.CutPrefix(want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "pw") {
				t.Errorf("%q: %v", address, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", address, err)
			continue
		}
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		first, _ := r.Handle("a", newTaker())
		if again, _ := r.Handle("a", newTaker()); again != first {
			t.Errorf("%q: the address of one name is %q and then %q", address, first, again)
		}
		if other, _ := r.Handle("b", newTaker()); other == first || !strings.HasPrefix(first, want) {
			t.Errorf("%q: %q, and %q of another name", address, first, other)
		}
		r.Close()
	}
	for listen, says := range map[string]string{"": "host:port", "0.0.0.0:80": "webhook-cert", ":80": "webhook-cert", "example.org:80": "webhook-cert"} {
		if _, err := New(Options{Listen: listen, Key: testKey}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("listening on %q: %v", listen, err)
		}
	}
	if _, err := New(Options{Listen: "127.0.0.1:0", Key: []byte("short")}); err == nil {
		t.Error("a short key is fine")
	}
	if _, err := New(Options{Listen: "127.0.0.1:0", Key: testKey, CertFile: "x"}); err == nil {
		t.Error("a certificate without a key is fine")
	}
}

func TestPublicPathMayBeStripped(t *testing.T) {
	r := begin(t, Options{Address: "https://example.org/hooks/here", ProbeInterval: -1})
	h := newTaker()
	address, _ := r.Handle("a", h)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	local := "http://" + r.listening.String()
	for _, path := range []string{u.Path, strings.TrimPrefix(u.Path, "/hooks/here")} {
		if got, _ := send(t, "POST", local+path, "application/json", "good"); got != 202 {
			t.Errorf("%s: status %d", path, got)
		}
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "webhook.key")
	var wg sync.WaitGroup
	keys := make([][]byte, 8)
	for i := range keys {
		wg.Go(func() {
			key, err := LoadKey(path)
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	wg.Wait()
	for _, key := range keys {
		if len(key) != keySize || !bytes.Equal(key, keys[0]) {
			t.Fatalf("keys differ: %d bytes", len(key))
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
	os.WriteFile(path, []byte("nonsense"), 0o600)
	if _, err := LoadKey(path); err == nil {
		t.Error("nonsense is a key")
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestFloods(t *testing.T) {
	log := &lines{}
	r := begin(t, Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	h := newTaker()
	address, _ := r.Handle("a", h)
	status := map[int]int{}
	for i := range 1000 {
		to, body := address, "forged"
		if i%2 == 0 {
			to = r.Address() + "/" + nonce()
		}
		got, _ := send(t, "POST", to, "application/json", body)
		status[got]++
		if i%100 == 99 {
			// What is valid passes, though it comes from the same sender.
			if got, _ := send(t, "POST", address, "application/json", "good"); got != 202 {
				t.Errorf("a valid one in a flood: status %d", got)
			}
			<-h.took
		}
	}
	if status[429] < 500 || status[404] == 0 || status[403] == 0 {
		t.Errorf("statuses %v", status)
	}
	if got := strings.Count(log.String(), "refused"); got != 2 {
		t.Errorf("%d log lines, want one of each kind:\n%s", got, log)
	}
	r.Close()
	if got := log.String(); !strings.Contains(got, "more=499") || strings.Contains(got, segment(testKey, "a")) {
		t.Errorf("log:\n%s", got)
	}
}

func TestSlowSendersAreCut(t *testing.T) {
	r, err := New(Options{Listen: "127.0.0.1:0", Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	r.headerTime, r.bodyTime = 200*time.Millisecond, 200*time.Millisecond
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	address, _ := r.Handle("a", newTaker())
	u, _ := url.Parse(address)
	for name, start := range map[string]string{
		"headers": "POST " + u.Path + " HTTP/1.1\r\nHost: x\r\n",
		"body":    "POST " + u.Path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", u.Host)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			fmt.Fprint(c, start)
			go func() {
				for {
					if _, err := c.Write([]byte("X")); err != nil {
						return
					}
					time.Sleep(50 * time.Millisecond)
				}
			}()
			c.SetReadDeadline(time.Now().Add(30 * time.Second))
			answer, err := io.ReadAll(c)
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Error("the connection stays open")
			}
			if strings.Contains(string(answer), " 202 ") {
				t.Errorf("accepted: %s", answer)
			}
		})
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit(inner, 3, 1) // those on loopback are not counted each
	defer l.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	var open []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, <-accepted)
	}
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the fourth connection was served")
	}
	open[0].Close()
	open[0].Close()
	c, err = net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	(<-accepted).Close()
}

func TestProbe(t *testing.T) {
	var front *httptest.Server
	broken := make(chan bool, 1)
	broken <- false
	front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		is := <-broken
		broken <- is
		if is {
			w.WriteHeader(502)
			return
		}
		back := "http://" + req.Header.Get("X-Test-Back")
		res, err := http.Get(back + req.URL.Path)
		if err != nil {
			w.WriteHeader(502)
			return
		}
		defer res.Body.Close()
		w.WriteHeader(res.StatusCode)
		io.Copy(w, res.Body)
	}))
	defer front.Close()
	back := make(chan string, 1)
	via := roundTrip(func(req *http.Request) (*http.Response, error) {
		b := <-back
		back <- b
		req.Header.Set("X-Test-Back", b)
		return http.DefaultTransport.RoundTrip(req)
	})
	r := begin(t, Options{Address: front.URL, Probe: via, ProbeInterval: 5 * time.Millisecond})
	back <- r.listening.String()
	if reach, _ := r.Reach(); reach.Known || reach.Down {
		t.Errorf("before anything is subscribed: %+v", reach)
	}
	r.Handle("a", newTaker())
	until(t, r, func(is backends.Reach) bool { return is.Known && !is.Down && is.Problem == "" })
	<-broken
	broken <- true
	until(t, r, func(is backends.Reach) bool { return is.Down && strings.Contains(is.Problem, "502") })
	<-broken
	broken <- false
	until(t, r, func(is backends.Reach) bool { return !is.Down && is.Known })
}

func TestProbeThatNeverWorkedIsNoNews(t *testing.T) {
	front := httptest.NewServer(http.NotFoundHandler())
	defer front.Close()
	r := begin(t, Options{Address: front.URL, ProbeInterval: 5 * time.Millisecond})
	r.Handle("a", newTaker())
	until(t, r, func(is backends.Reach) bool { return is.Problem != "" })
	if is, _ := r.Reach(); is.Down || is.Known {
		t.Errorf("%+v", is)
	}
}

// until waits for a state of the public address.
func until(t *testing.T, r *Receiver, is func(backends.Reach) bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		reach, changed := r.Reach()
		if is(reach) {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("still %+v", reach)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
