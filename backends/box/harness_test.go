package box_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime/multipart"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/box"
	"github.com/workfs/workfs/backends/sim"
)

// feed is what a follower works with: a sink, and what it says of it.
type feed struct {
	sink   *backendtest.Sink
	looked chan []string

	mu      sync.Mutex
	live    map[string]backends.Liveness
	expired map[backends.DirKey]time.Time
	origins []backends.Origin
}

func newFeed(sink *backendtest.Sink) *feed {
	return &feed{sink: sink, looked: make(chan []string, 100), live: map[string]backends.Liveness{}, expired: map[backends.DirKey]time.Time{}}
}

func (f *feed) Sink(o backends.Origin) backends.Sink {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.origins = append(f.origins, o)
	return f.sink
}

func (f *feed) Looks(ctx context.Context) ([]string, error) {
	select {
	case names := <-f.looked:
		return names, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *feed) Live(name string, l backends.Liveness) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l == (backends.Liveness{}) {
		delete(f.live, name)
		return
	}
	f.live[name] = l
}

func (f *feed) Expire(dirs ...backends.DirKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range dirs {
		f.expired[d] = time.Now()
	}
}

// expiredAt tells when a directory was last said to be listed anew, zero for never.
func (f *feed) expiredAt(dir backends.DirKey) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.expired[dir]
}

// of tells how a collection is live.
func (f *feed) of(name string) backends.Liveness {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l, ok := f.live[name]; ok {
		return l
	}
	best, found := backends.Liveness{}, -1
	for n, l := range f.live {
		if prefix, ok := strings.CutSuffix(n, "*"); ok && strings.HasPrefix(name, prefix) && len(prefix) > found {
			best, found = l, len(prefix)
		}
	}
	return best
}

// current tells whether a listing is live.
func (f *feed) current(dir backends.DirKey, collection string) bool {
	st := f.sink.Dir(dir)
	l := f.of(collection)
	f.mu.Lock()
	defer f.mu.Unlock()
	expired, ok := f.expired[dir]
	return st.Whole && l.By != "" && !l.Since.IsZero() && !st.AsOf.Before(l.Since) && !(ok && !st.AsOf.After(expired))
}

// world is a simulator, a backend that follows it, and somebody who changes it.
type world struct {
	*testing.T
	sim  *sim.Sim
	sink *backendtest.Sink
	feed *feed
	b    *box.Backend
	view string // of the signed-in user

	actor auth.Source
	http  *http.Client
	as    string // the user whom the actor acts for
	stop  func()
}

func newWorld(t *testing.T, o sim.Options, enterprise bool) *world {
	return startWorld(t, backendtest.Start(t, o), enterprise)
}

func startWorld(t *testing.T, s *sim.Sim, enterprise bool) *world {
	w := &world{T: t, sim: s, sink: backendtest.NewSink(), http: &http.Client{Transport: backendtest.Transport(t)}}
	subject := "user:" + w.sim.Ready().BoxSubject
	if enterprise {
		subject = "enterprise:" + w.sim.Ready().BoxEnterprise
	}
	w.actor, _ = backendtest.Box(t, w.sim, subject)
	w.open(enterprise)
	w.view, _ = strings.CutPrefix(w.b.Scope()[strings.LastIndex(w.b.Scope(), "|"):], "|")
	return w
}

// open begins to follow, with what the sink remembers.
func (w *world) open(enterprise bool, more ...func(*box.Config)) {
	w.Helper()
	w.feed = newFeed(w.sink)
	w.b = w.backend(enterprise, w.sink, more...)
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan struct{})
	f := w.feed
	go func() {
		defer close(done)
		w.b.Follow(ctx, f)
	}()
	w.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	w.Cleanup(w.stop)
}

func (w *world) backend(enterprise bool, memory backends.Memory, more ...func(*box.Config)) *box.Backend {
	w.Helper()
	r := w.sim.Ready()
	subject := "user:" + r.BoxSubject
	if enterprise {
		subject = "enterprise:" + r.BoxEnterprise
	}
	tokens, hosts := backendtest.Box(w, w.sim, subject)
	_, realtime, _ := strings.Cut(r.BoxRealtime, "://")
	cfg := box.Config{
		APIURL: r.BoxAPI, ClientID: r.BoxClientID, Subject: subject, Enterprise: enterprise,
		Tokens: tokens, Transport: backendtest.Transport(w), ContentHosts: hosts, Backoff: backendtest.Backoff,
		RealtimeHosts: []string{realtime}, Tick: 10 * time.Millisecond,
	}
	if testing.Verbose() {
		cfg.Log = slog.New(slog.NewTextHandler(w.Output(), nil))
	}
	for _, f := range more {
		f(&cfg)
	}
	b, err := box.New(w.Context(), cfg, memory)
	if err != nil {
		w.Fatal(err)
	}
	return b
}

// object is a JSON object.
type object map[string]any

func (o object) id() string { return fmt.Sprint(o["id"]) }

// call makes a request to the API, as the actor.
func (w *world) call(method, path, contentType string, body io.Reader) object {
	w.Helper()
	token, err := w.actor.Token(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.Context(), method, w.sim.Ready().BoxAPI+"/2.0"+path, body)
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token.Value)
	req.Header.Set("Content-Type", contentType)
	if w.as != "" {
		req.Header.Set("As-User", w.as)
	}
	res, err := w.http.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	data, _ := io.ReadAll(res.Body)
	if res.StatusCode >= 300 {
		w.Fatalf("%s %s: %d %s", method, path, res.StatusCode, data)
	}
	var o object
	if len(data) > 0 {
		if err := json.Unmarshal(data, &o); err != nil {
			w.Fatal(err)
		}
	}
	return o
}

func (w *world) do(method, path string, body any) object {
	w.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		w.Fatal(err)
	}
	return w.call(method, path, "application/json", bytes.NewReader(data))
}

// upload makes a file in a folder, or a new version of a file.
func (w *world) upload(path, name, parent, content string) object {
	w.Helper()
	var buf bytes.Buffer
	m := multipart.NewWriter(&buf)
	if name != "" {
		attributes, _ := json.Marshal(object{"name": name, "parent": object{"id": parent}})
		_ = m.WriteField("attributes", string(attributes))
	}
	part, _ := m.CreateFormFile("file", "file")
	_, _ = io.WriteString(part, content)
	_ = m.Close()
	o := w.call("POST", path, m.FormDataContentType(), &buf)
	return object(o["entries"].([]any)[0].(map[string]any))
}

func (w *world) newFile(name, parent, content string) string {
	w.Helper()
	return w.upload("/files/content", name, parent, content).id()
}

func (w *world) newVersion(id, content string) {
	w.Helper()
	w.upload("/files/"+id+"/content", "", "", content)
}

func (w *world) newFolder(name, parent string) string {
	w.Helper()
	return w.do("POST", "/folders", object{"name": name, "parent": object{"id": parent}}).id()
}

func (w *world) rename(kind, id, name string) { w.do("PUT", "/"+kind+"s/"+id, object{"name": name}) }

func (w *world) move(kind, id, parent string) {
	w.do("PUT", "/"+kind+"s/"+id, object{"parent": object{"id": parent}})
}

func (w *world) trash(kind, id string) {
	path := "/" + kind + "s/" + id
	if kind == "folder" {
		path += "?recursive=true"
	}
	w.call("DELETE", path, "", nil)
}

func (w *world) restore(kind, id string) { w.do("POST", "/"+kind+"s/"+id, object{}) }

// dir is the key of a folder in a view.
func dir(view, id string) backends.DirKey { return backends.DirKey("folder|" + view + "|" + id) }

func (w *world) list(b *box.Backend, sink *backendtest.Sink, view string, ids ...string) {
	w.Helper()
	for _, id := range ids {
		if err := b.List(w.Context(), dir(view, id), sink); err != nil {
			w.Fatal(err)
		}
	}
}

// eventually waits until what gives "".
func (w *world) eventually(what func() string) {
	w.Helper()
	last := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if last = what(); last == "" {
			return
		}
	}
	w.Fatal(last)
}

// goesLive looks at a view and waits until it is live.
func (w *world) goesLive(view string) {
	w.Helper()
	w.feed.looked <- []string{"folder|" + view}
	w.eventually(func() string {
		if l := w.feed.of("folder|" + view); l.By == "" || l.Since.IsZero() {
			return fmt.Sprintf("the view is not live: %+v", l)
		}
		return ""
	})
}

// shows waits until folders of a view hold what a fresh listing has. As the cache does, it has those listed that are not live.
func (w *world) shows(enterprise bool, view string, ids ...string) {
	w.Helper()
	fresh := backendtest.NewSink()
	w.list(w.backend(enterprise, fresh), fresh, view, ids...)
	w.eventually(func() string {
		for _, id := range ids {
			if !w.feed.current(dir(view, id), "folder|"+view) {
				w.list(w.b, w.sink, view, id)
			}
			if diff := differ(fresh, w.sink, dir(view, id)); diff != "" {
				return "folder " + id + ": " + diff
			}
		}
		return ""
	})
}

// differ tells how what is shown of a directory differs from what it holds.
func differ(want, got *backendtest.Sink, dir backends.DirKey) string {
	ws, gs := want.Names(dir), got.Names(dir)
	if gs == nil {
		return "is not shown"
	}
	for _, name := range slices.Sorted(maps.Keys(ws)) {
		g, ok := gs[name]
		if !ok {
			return fmt.Sprintf("lacks %q", name)
		}
		if !reflect.DeepEqual(ws[name], g) {
			return fmt.Sprintf("%q differs:\n%+v\n%+v", name, ws[name], g)
		}
	}
	for name := range gs {
		if _, ok := ws[name]; !ok {
			return fmt.Sprintf("still shows %q", name)
		}
	}
	return ""
}

// names gives the names in a folder of a view, ordered.
func (w *world) names(view, id string) string {
	return strings.Join(slices.Sorted(maps.Keys(w.sink.Names(dir(view, id)))), ", ")
}
