package signin

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// DefaultPort is the port of the callback on this machine where nothing else is asked for.
const DefaultPort = "48444"

// DefaultCallback gives the redirect URI of a service ("microsoft" or "box") that applications are registered with.
func DefaultCallback(service string) Callback {
	return Callback{URL: "http://localhost:" + DefaultPort + "/oauth/redirect/" + service}
}

// Callback is where the sign-in page sends the browser when it is done.
type Callback struct {
	// URL is the redirect URI: http with localhost or a loopback address, where port 0 stands for any free one (both services
	// take any port of localhost), or https anywhere.
	URL string
	// Listen is the address (host:port) at which this process awaits the answer. "" is the address of URL itself, and for an
	// https URL, which a proxy has to pass on, the loopback address with URL's port or DefaultPort. Nowhere is for a URL that
	// leads nowhere near this process: the person pastes where the browser ended.
	Listen string
}

// Nowhere is the Listen of a callback that is not listened for.
const Nowhere = "nowhere"

// Check tells what is wrong with the callback, nil for nothing. Whether its port is free shows only when it is used.
func (c Callback) Check() error {
	_, _, err := c.parse()
	return err
}

// parse checks the callback and gives its URL and the addresses to listen on, none for Nowhere.
func (c Callback) parse() (*url.URL, []string, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, nil, fmt.Errorf("callback %q is not an address like http://localhost:%s/oauth/redirect/microsoft", c.URL, DefaultPort)
	}
	host, port := u.Hostname(), u.Port()
	ip := net.ParseIP(host)
	local := host == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return nil, nil, fmt.Errorf("callback %q must be https, or http on localhost: the answer to a sign-in passes through it", c.URL)
	}
	switch {
	case c.Listen == Nowhere:
		return u, nil, nil
	case c.Listen != "":
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			return nil, nil, fmt.Errorf("%q is not an address to listen on: write HOST:PORT", c.Listen)
		}
		return u, []string{c.Listen}, nil
	case u.Scheme == "https":
		if port == "" {
			port = DefaultPort
		}
		return u, []string{net.JoinHostPort("127.0.0.1", port)}, nil
	}
	if port == "" {
		port = "80"
	}
	if host != "localhost" {
		return u, []string{net.JoinHostPort(host, port)}, nil
	}
	// A browser may take either for localhost, and whoever has the port on one of them would get the answer.
	return u, []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)}, nil
}

// visit is the one answer that is waited for: on a listener of its own, only with the right path and state, once.
type visit struct {
	redirect *url.URL // with the port that was found for port 0
	state    string
	answers  chan visitor
	done     page // what the browser shows in the end
	note     func(string)
	server   *http.Server // nil when nobody listens

	foreign sync.Once // tells of answers to other sign-ins: a page could send them without end

	mu    sync.Mutex
	taken bool
}

// visitor is a browser with the right state. It waits at the page for how the sign-in ended.
type visitor struct {
	query url.Values
	ended chan<- error
}

// listen starts to wait for an answer with state. close it.
func listen(c Callback, state string, done page, note func(string)) (*visit, error) {
	u, addresses, err := c.parse()
	if err != nil {
		return nil, err
	}
	v := &visit{redirect: u, state: state, answers: make(chan visitor), done: done, note: note}
	var listeners []net.Listener
	for _, address := range addresses {
		host, port, _ := net.SplitHostPort(address) // parse has checked it
		if port == "0" && len(listeners) > 0 {
			port = portOf(listeners[0])
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil && len(listeners) > 0 && !errors.Is(err, syscall.EADDRINUSE) {
			continue // a machine without IPv6
		}
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, cannotListen(address, err)
		}
		listeners = append(listeners, l)
	}
	if len(listeners) == 0 {
		return v, nil
	}
	if u.Port() == "0" {
		found := *u
		found.Host = net.JoinHostPort(u.Hostname(), portOf(listeners[0]))
		v.redirect = &found
	}
	v.server = &http.Server{Handler: v, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	for _, l := range listeners {
		go func() { _ = v.server.Serve(l) }() // ends with close
	}
	return v, nil
}

func portOf(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }

// InUseError says that another program has the port of the callback.
type InUseError struct{ Address string }

// Error says it, and what to do.
func (e *InUseError) Error() string {
	return e.Address + ", where the browser is to come back to, is in use by another program: end that one (another sign-in may be waiting), " +
		"or choose another port with --callback http://localhost:PORT/…, or paste the address instead with --paste"
}

func cannotListen(address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return &InUseError{address}
	}
	return fmt.Errorf("can't listen on %s, where the browser is to come back to: %w", address, err)
}

// close stops listening, after the page of the answer has gone out.
func (v *visit) close() {
	if v.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if v.server.Shutdown(ctx) != nil {
		_ = v.server.Close() // a browser that does not take its page
	}
}

// ServeHTTP answers browsers.
func (v *visit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != v.redirect.Path && !(r.URL.Path == "/" && v.redirect.Path == ""):
		writePage(w, http.StatusNotFound, pageNothing)
		return
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		writePage(w, http.StatusMethodNotAllowed, pageNothing)
		return
	}
	query := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(v.state)) != 1 {
		// Somebody's page may have sent the browser here (RFC 6749, 10.12). The sign-in that is waited for may still come.
		v.foreign.Do(func() { v.note("an answer that belongs to another sign-in came in and was left aside; still waiting") })
		writePage(w, http.StatusBadRequest, pageForeign)
		return
	}
	v.mu.Lock()
	taken := v.taken
	v.taken = true
	v.mu.Unlock()
	if taken {
		writePage(w, http.StatusGone, pageUsed)
		return
	}
	ended := make(chan error, 1)
	select {
	case v.answers <- visitor{query, ended}:
	case <-r.Context().Done():
		// Nobody has taken it: the browser may come again.
		v.mu.Lock()
		defer v.mu.Unlock()
		v.taken = false
		return
	}
	select {
	case err := <-ended:
		if err != nil {
			writePage(w, http.StatusOK, pageRefused(err))
			return
		}
		writePage(w, http.StatusOK, v.done)
	case <-r.Context().Done():
	}
}
