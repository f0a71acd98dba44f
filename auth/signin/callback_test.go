package signin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// visiting is a flow under way, as far as its callback goes.
type visiting struct {
	redirect, state string
	finished        chan url.Values
	err             chan error

	mu    sync.Mutex
	notes []string
}

func (v *visiting) noted() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Join(v.notes, "\n")
}

// wait begins one. outcome is what the flow says of the answer.
func wait(ctx context.Context, t *testing.T, c Callback, paste <-chan string, outcome error) *visiting {
	t.Helper()
	v := &visiting{finished: make(chan url.Values, 1), err: make(chan error, 1)}
	shown := make(chan struct{})
	b := Browser{Callback: c, Paste: paste, Show: func(string) { close(shown) }, Note: func(line string) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.notes = append(v.notes, line)
	}}
	go func() {
		v.err <- b.visit(ctx, pageDone, func(redirect, state string) string {
			v.redirect, v.state = redirect, state
			return "https://login.example/"
		}, func(answer url.Values, _ string) error {
			v.finished <- answer
			return outcome
		})
	}()
	select {
	case <-shown:
	case err := <-v.err:
		t.Fatalf("the flow ended before it began: %v", err)
	}
	return v
}

// get is a browser. It gives status, header and page.
func get(t *testing.T, method, address string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}

var anyPort = Callback{URL: "http://localhost:0/oauth/redirect/microsoft"}

func TestCallback(t *testing.T) {
	t.Parallel()
	v := wait(t.Context(), t, anyPort, nil, nil)
	u, err := url.Parse(v.redirect)
	if err != nil || u.Hostname() != "localhost" || u.Port() == "0" || u.Path != "/oauth/redirect/microsoft" {
		t.Fatalf("redirect is %q", v.redirect)
	}
	other := *u
	other.Path = "/"
	if status, _, _ := get(t, "GET", other.String()+"?code=c&state="+v.state); status != http.StatusNotFound {
		t.Errorf("another path: status %d", status)
	}
	if status, _, _ := get(t, "POST", v.redirect+"?code=c&state="+v.state); status != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", status)
	}
	for _, query := range []string{"?code=stolen&state=wrong", "?code=stolen", "?error=access_denied&state=wrong", "?code=stolen&state=" + v.state + "x"} {
		if status, _, page := get(t, "GET", v.redirect+query); status != http.StatusBadRequest || strings.Contains(page, "stolen") {
			t.Errorf("%s: status %d\n%s", query, status, page)
		}
	}
	if !strings.Contains(v.noted(), "belongs to another sign-in") || strings.Contains(v.noted(), "stolen") {
		t.Errorf("noted: %s", v.noted())
	}
	status, header, page := get(t, "GET", v.redirect+"?code=the-code&state="+v.state)
	if status != http.StatusOK || !strings.Contains(page, "You are signed in") || strings.Contains(page, "the-code") {
		t.Errorf("status %d\n%s", status, page)
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if err := <-v.err; err != nil {
		t.Fatal(err)
	}
	if answer := <-v.finished; answer.Get("code") != "the-code" {
		t.Errorf("answer %v", answer)
	}
	if res, err := http.Get(v.redirect); err == nil {
		res.Body.Close()
		t.Error("something still listens after the answer")
	}
}

// TestCallbackOnBoth: a browser may take 127.0.0.1 or ::1 for localhost.
func TestCallbackOnBoth(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skipf("SKIPPED: no IPv6 here: %v", err)
	} else {
		l.Close()
	}
	v := wait(t.Context(), t, anyPort, nil, nil)
	u, _ := url.Parse(v.redirect)
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		if status, _, _ := get(t, "GET", "http://"+host+":"+u.Port()+u.Path+"?state=wrong"); status != http.StatusBadRequest {
			t.Errorf("%s: status %d", host, status)
		}
	}
}

// TestCallbackError: the page tells how the sign-in ended, and nothing that the browser sent is in it unescaped.
func TestCallbackError(t *testing.T) {
	t.Parallel()
	v := wait(t.Context(), t, anyPort, nil, errors.New("declined <script>"))
	_, _, page := get(t, "GET", v.redirect+"?error=access_denied&state="+v.state)
	if !strings.Contains(page, "You are not signed in") || !strings.Contains(page, "declined &lt;script&gt;") {
		t.Errorf("page:\n%s", page)
	}
	if err := <-v.err; err == nil || err.Error() != "declined <script>" {
		t.Errorf("error %v", err)
	}
}

// TestCallbackOnce: of two browsers with the right answer one is heard.
func TestCallbackOnce(t *testing.T) {
	t.Parallel()
	v := wait(t.Context(), t, anyPort, nil, nil)
	var group sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for range 8 {
		group.Go(func() {
			res, err := http.Get(v.redirect + "?code=c&state=" + v.state)
			if err != nil {
				return // came after the end
			}
			defer res.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			statuses[res.StatusCode]++
		})
	}
	group.Wait()
	if err := <-v.err; err != nil {
		t.Fatal(err)
	}
	if statuses[http.StatusOK] != 1 {
		t.Errorf("answers by status: %v", statuses)
	}
}

func TestCallbackInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b := Browser{Callback: Callback{URL: "http://localhost:" + portOf(l) + "/x"}, Show: func(string) { t.Error("the address was shown") }}
	err = b.visit(t.Context(), pageDone, func(string, string) string { return "" }, nil)
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "--callback") {
		t.Errorf("error %v", err)
	}
}

func TestCallbackInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	v := wait(ctx, t, anyPort, nil, nil)
	cancel()
	if err := <-v.err; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if res, err := http.Get(v.redirect); err == nil {
		res.Body.Close()
		t.Error("something still listens after the interruption")
	}
}

func TestCallbackPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in     Callback
		listen string
		err    string
	}{
		{DefaultCallback("box"), "127.0.0.1:48444 [::1]:48444", ""},
		{Callback{URL: "http://127.0.0.1:7/x"}, "127.0.0.1:7", ""},
		{Callback{URL: "http://[::1]:7/x"}, "[::1]:7", ""},
		{Callback{URL: "http://localhost/x"}, "127.0.0.1:80 [::1]:80", ""},
		{Callback{URL: "https://work.example/x"}, "127.0.0.1:48444", ""},
		{Callback{URL: "https://work.example:8443/x"}, "127.0.0.1:8443", ""},
		{Callback{URL: "https://work.example/x", Listen: "0.0.0.0:9"}, "0.0.0.0:9", ""},
		{Callback{URL: "https://login.example/nativeclient", Listen: Nowhere}, "", ""},
		{Callback{URL: "http://work.example/x"}, "", "must be https"},
		{Callback{URL: "ftp://localhost/x"}, "", "must be https"},
		{Callback{URL: "https://user:pw@work.example/x"}, "", "is not an address"},
		{Callback{URL: "http://localhost/x?y=z"}, "", "is not an address"},
		{Callback{URL: "48444"}, "", "is not an address"},
		{Callback{URL: "https://work.example/x", Listen: "9"}, "", "HOST:PORT"},
	} {
		_, addresses, err := c.in.parse()
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%+v: error %v, want %q", c.in, err, c.err)
			}
			continue
		}
		if got := strings.Join(addresses, " "); err != nil || got != c.listen {
			t.Errorf("%+v: listens on %q (%v), want %q", c.in, got, err, c.listen)
		}
	}
}

func TestPaste(t *testing.T) {
	t.Parallel()
	paste := make(chan string)
	v := wait(t.Context(), t, anyPort, paste, nil)
	for line, note := range map[string]string{
		"hello":                                  "is not the address",
		v.redirect + "?code=secret-code":         "is cut off",
		v.redirect + "?code=secret-code&state=x": "another sign-in",
		"https://login.example/authorize?client_id=1&state=" + v.state: "is not the address",
	} {
		paste <- line
		for deadline := time.Now().Add(time.Minute); !strings.Contains(v.noted(), note); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%q: noted %q, want %q", line, v.noted(), note)
			}
		}
	}
	if strings.Contains(v.noted(), "secret-code") {
		t.Errorf("a note quotes the code: %s", v.noted())
	}
	paste <- "  '" + v.redirect + "?code=the+code&state=" + v.state + "#_'\n"
	if err := <-v.err; err != nil {
		t.Fatal(err)
	}
	if answer := <-v.finished; answer.Get("code") != "the code" {
		t.Errorf("answer %v", answer)
	}
}

// TestPasteCode: the code alone will do, where nobody listens; and the end of the input is an error there.
func TestPasteCode(t *testing.T) {
	t.Parallel()
	const code = "0.AXoAbc_def-ghi.jkl~mno"
	nowhere := Callback{URL: "https://login.example/common/oauth2/nativeclient", Listen: Nowhere}
	paste := make(chan string, 2)
	paste <- ""
	paste <- code
	v := wait(t.Context(), t, nowhere, paste, nil)
	if err := <-v.err; err != nil {
		t.Fatal(err)
	}
	if answer := <-v.finished; answer.Get("code") != code {
		t.Errorf("answer %v", answer)
	}
	if v.redirect != nowhere.URL {
		t.Errorf("redirect %q", v.redirect)
	}

	ended := make(chan string)
	close(ended)
	if err := <-wait(t.Context(), t, nowhere, ended, nil).err; err == nil || !strings.Contains(err.Error(), "nobody can paste") {
		t.Errorf("error %v", err)
	}
}

// TestCallbackBehindProxy: the browser comes to a public address, and a proxy there asks this machine.
func TestCallbackBehindProxy(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	v := wait(t.Context(), t, Callback{URL: "https://work.example/sign/in", Listen: address}, nil, nil)
	if v.redirect != "https://work.example/sign/in" {
		t.Errorf("redirect %q", v.redirect)
	}
	if status, _, page := get(t, "GET", "http://"+address+"/sign/in?code=c&state="+v.state); status != http.StatusOK {
		t.Errorf("status %d\n%s", status, page)
	}
	if err := <-v.err; err != nil {
		t.Fatal(err)
	}
}

// TestCallbackAgain: a browser that leaves before its answer is taken may come again, and answers to other sign-ins are told
// of once.
func TestCallbackAgain(t *testing.T) {
	notes := 0
	v := &visit{redirect: &url.URL{Path: "/x"}, state: "s", answers: make(chan visitor), done: pageDone, note: func(string) { notes++ }}
	gone, leave := context.WithCancel(t.Context())
	leave()
	get := func(ctx context.Context, query string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		v.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/x?"+query, nil))
		return w
	}
	for range 3 {
		if w := get(t.Context(), "state=other&code=1"); w.Code != http.StatusBadRequest {
			t.Errorf("status %d", w.Code)
		}
	}
	if notes != 1 {
		t.Errorf("told %d times of a foreign answer", notes)
	}
	get(gone, "state=s&code=1")
	go func() { (<-v.answers).ended <- nil }()
	if w := get(t.Context(), "state=s&code=2"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), pageDone.Title) {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if w := get(t.Context(), "state=s&code=2"); w.Code != http.StatusGone {
		t.Errorf("status %d of a second answer", w.Code)
	}
}
