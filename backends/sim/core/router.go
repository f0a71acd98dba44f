package core

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Router is the http.Handler of one host. It matches Graph- and Box-style paths: literal segments without regard to case,
// {name} for one segment, {name...} for the rest. A segment may carry its parameter as a key, so that
// mailFolders('AAMk…') is mailFolders/AAMk…, and a function's empty parentheses are left out, so that delta() is delta.
//
// Every request is counted under its pattern. Injected faults come before the handler; the answer is sent when the latency
// of the world has passed since the request came.
type Router struct {
	// NotFound answers what no pattern matches; allowed is false if the path exists with other methods only.
	// The default is an empty 404 or 405.
	NotFound func(r *Request, pathExists bool)
	// Guard, if set, runs before faults, latency and handler, to hold what a request uses while it is served. It answers
	// itself when ok is false. release may be nil.
	Guard func(r *Request) (release func(), ok bool)
	// Refuse makes the host answer 401 to any request with an Authorization or As-User header, as download hosts with
	// signed URLs do.
	Refuse bool

	world *World
	host  string
	root  node
}

type node struct {
	literal map[string]*node
	param   *node
	rest    map[string]*route
	leaf    map[string]*route
}

type route struct {
	pattern string
	names   []string
	handle  func(*Request)
	holds   bool // holds requests that are counted instead of it
}

// NewRouter makes the router of a host (one of the Host constants).
func NewRouter(w *World, host string) *Router { return &Router{world: w, host: host} }

// Handle registers a handler, for example for "GET /v1.0/users/{user}/messages/{message}". A HEAD request goes to the GET
// handler unless there is one for HEAD. It panics on a malformed or repeated pattern.
func (rt *Router) Handle(pattern string, h func(*Request)) { rt.add(pattern, h, false) }

// HandleEnvelope registers a handler of requests that hold others, such as $batch. It is not counted among the requests,
// what it gives to ServeItem is.
func (rt *Router) HandleEnvelope(pattern string, h func(*Request)) { rt.add(pattern, h, true) }

func (rt *Router) add(pattern string, h func(*Request), holds bool) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok || !strings.HasPrefix(path, "/") {
		panic("malformed pattern: " + pattern)
	}
	r := &route{pattern: pattern, handle: h, holds: holds}
	n := &rt.root
	for _, seg := range strings.Split(path[1:], "/") {
		name, isParam := strings.CutPrefix(seg, "{")
		name = strings.TrimSuffix(name, "}")
		switch {
		case isParam && strings.HasSuffix(name, "..."):
			r.names = append(r.names, strings.TrimSuffix(name, "..."))
			if n.rest == nil {
				n.rest = map[string]*route{}
			}
			setRoute(n.rest, method, r)
			return
		case isParam:
			r.names = append(r.names, name)
			if n.param == nil {
				n.param = &node{}
			}
			n = n.param
		default:
			if n.literal == nil {
				n.literal = map[string]*node{}
			}
			key := strings.ToLower(seg)
			if n.literal[key] == nil {
				n.literal[key] = &node{}
			}
			n = n.literal[key]
		}
	}
	if n.leaf == nil {
		n.leaf = map[string]*route{}
	}
	setRoute(n.leaf, method, r)
}

func setRoute(m map[string]*route, method string, r *route) {
	if m[method] != nil {
		panic("pattern registered twice: " + r.pattern)
	}
	m[method] = r
}

// token is one unit of a path: a segment, or the key of one.
type token struct {
	text string // decoded
	rest string // this and all that follows, decoded, for {name...}
}

func tokenize(escaped string) []token {
	raw := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	texts := make([]string, len(raw))
	for i, seg := range raw {
		text, err := url.PathUnescape(seg)
		if err != nil {
			text = seg
		}
		texts[i] = text
	}
	var tokens []token
	for i, text := range texts {
		after := ""
		if i+1 < len(texts) {
			after = "/" + strings.Join(texts[i+1:], "/")
		}
		name, key, keyed := splitKey(text)
		if !keyed {
			tokens = append(tokens, token{name, text + after})
			continue
		}
		tokens = append(tokens, token{name, text + after}, token{key, key + after})
	}
	return tokens
}

// splitKey parts name('key') and drops the parentheses of name().
func splitKey(seg string) (name, key string, keyed bool) {
	if name, ok := strings.CutSuffix(seg, "()"); ok && name != "" {
		return name, "", false
	}
	open := strings.Index(seg, "('")
	if open <= 0 || !strings.HasSuffix(seg, "')") || open+2 > len(seg)-2 {
		return seg, "", false
	}
	return seg[:open], strings.ReplaceAll(seg[open+2:len(seg)-2], "''", "'"), true
}

// find gives the route and the values of its parameters in order. exists is true when the path has routes, if only with
// other methods. Literals are tried before parameters and those before the rest.
func (n *node) find(method string, tokens []token, values []string) (r *route, vals []string, exists bool) {
	if len(tokens) == 0 {
		return pick(n.leaf, method), values, n.leaf != nil
	}
	t := tokens[0]
	if next := n.literal[strings.ToLower(t.text)]; next != nil {
		r, vals, ok := next.find(method, tokens[1:], values)
		if r != nil {
			return r, vals, true
		}
		exists = exists || ok
	}
	if n.param != nil && t.text != "" {
		r, vals, ok := n.param.find(method, tokens[1:], append(slices.Clip(values), t.text))
		if r != nil {
			return r, vals, true
		}
		exists = exists || ok
	}
	if n.rest != nil {
		return pick(n.rest, method), append(slices.Clip(values), t.rest), true
	}
	return nil, nil, exists
}

func pick(m map[string]*route, method string) *route {
	if r := m[method]; r != nil || method != http.MethodHead {
		return r
	}
	return m[http.MethodGet]
}

// ServeHTTP serves one request of the host.
func (rt *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) { rt.serve(w, req, false) }

// ServeItem serves one item of a $batch: counted like any request, but without latency of its own, and never by breaking
// the connection.
func (rt *Router) ServeItem(w http.ResponseWriter, req *http.Request) { rt.serve(w, req, true) }

func (rt *Router) serve(rw http.ResponseWriter, req *http.Request, item bool) {
	w, began := rt.world, time.Now()
	rw.Header().Set("Date", w.Clock.Now().Format(http.TimeFormat))
	found, values, exists := rt.root.find(req.Method, tokenize(req.URL.EscapedPath()), nil)
	out := newResponse(rw)
	r := &Request{Request: req, W: out, World: w, Params: map[string]string{}, InItem: item}
	key := req.Method + " (no route)"
	if found != nil {
		key, r.Route = found.pattern, found.pattern
		for i, name := range found.names {
			r.Params[name] = values[i]
		}
	}
	scope := req.Method + " " + rt.host + req.URL.Path
	if found != nil && found.holds {
		w.Stats.batch()
	} else {
		w.Stats.begin(rt.host, key)
		defer func() { w.Stats.end(rt.host, key, out.status, out.bytes, time.Since(began)) }()
	}
	defer func() {
		if out.status == http.StatusTooManyRequests || out.status == http.StatusServiceUnavailable {
			if d, ok := retryAfter(out.Header().Get("Retry-After"), w.Clock.Now()); ok {
				w.Stats.wait(scope, d)
			}
		}
	}()
	w.Stats.checkWait(scope, rt.host, req.Method, req.URL.Path)
	if !rt.admit(r) {
		return
	}
	if rt.Guard != nil {
		release, ok := rt.Guard(r)
		if release != nil {
			defer release()
		}
		if !ok {
			return
		}
	}
	if !item && w.Latency > 0 {
		out.hold(began.Add(w.Latency), req.Context().Done())
		defer out.release()
	}
	if f := w.Faults.match(rt.host, req, r.Route); f != nil {
		out.release()
		done := f.apply(r, out)
		defer out.finish()
		if done {
			return
		}
	}
	switch {
	case found != nil:
		found.handle(r)
	case rt.NotFound != nil:
		rt.NotFound(r, exists)
	case exists:
		out.WriteHeader(http.StatusMethodNotAllowed)
	default:
		out.WriteHeader(http.StatusNotFound)
	}
	if out.status == 0 {
		out.WriteHeader(http.StatusOK)
	}
}

// admit records tokens that arrive where they must not, and answers 401 where none may arrive.
func (rt *Router) admit(r *Request) bool {
	auth := r.Header.Get("Authorization")
	_, bearer, _ := strings.Cut(auth, " ")
	if rt.Refuse {
		why := ""
		switch {
		case auth != "":
			why = "Authorization header on a host that takes none"
		case r.Header.Get("As-User") != "":
			why = "As-User header on a host that takes none"
		default:
			return true
		}
		rt.world.Stats.Leak(rt.host, r.Method, r.URL.Path, why)
		r.WriteJSON(http.StatusUnauthorized, map[string]any{"error": map[string]string{
			"code": "unauthenticated", "message": "Requests to pre-authenticated URLs must not carry credentials."}})
		return false
	}
	if bearer != "" && rt.world.Tokens.misplaced(strings.TrimSpace(bearer), rt.host) {
		rt.world.Stats.Leak(rt.host, r.Method, r.URL.Path, "token of another host")
	}
	return true
}

// retryAfter parses whole and fractional seconds and HTTP dates.
func retryAfter(v string, now time.Time) (time.Duration, bool) {
	if secs, err := strconv.ParseFloat(v, 64); err == nil && secs >= 0 && secs < 1e9 {
		return time.Duration(secs * float64(time.Second)), true
	}
	t, err := http.ParseTime(v)
	return t.Sub(now), err == nil
}

// sleep waits for d of real time or until done.
func sleep(done <-chan struct{}, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
}
