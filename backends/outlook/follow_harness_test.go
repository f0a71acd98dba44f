package outlook

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/sim/entra"
	simoutlook "github.com/workfs/workfs/backends/sim/outlook"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// followed is a mount that hears of changes as the subscriptions of what was looked at tell them. They are delivered by hand.
type followed struct {
	*mount
	fl *follower

	mu      sync.Mutex
	watches map[string]*simoutlook.Watch // by resource
	of      map[string]string            // resource by collection
	pending map[string][]subscription.Notification
	expired map[backends.DirKey]bool
}

// testFeed is the feed of a followed mount.
type testFeed struct{ *followed }

func (f testFeed) Sink(backends.Origin) backends.Sink { return f.sink }

func (f testFeed) Looks(ctx context.Context) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (f testFeed) Live(string, backends.Liveness) {}

func (f testFeed) Expire(dirs ...backends.DirKey) {
	f.followed.mu.Lock()
	defer f.followed.mu.Unlock()
	for _, dir := range dirs {
		f.expired[dir] = true
	}
}

func (m *mount) follow() *followed {
	f := &followed{
		mount: m, watches: map[string]*simoutlook.Watch{}, of: map[string]string{},
		pending: map[string][]subscription.Notification{}, expired: map[backends.DirKey]bool{},
	}
	f.fl = newFollower(m.service, testFeed{f})
	m.follower.Store(f.fl)
	m.cloud.mu.Lock()
	m.cloud.listen = f.hear
	m.cloud.mu.Unlock()
	return f
}

var resourceForm = regexp.MustCompile(`^(?:/me|/users/[^/]+)/(?:(?:mailFolders|contactFolders)\('([^']+)'\)/)?(messages|events|contacts)$`)

// look lists a directory and begins to follow its collection.
func (f *followed) look(path string) map[string]backends.Entry {
	f.t.Helper()
	entries := f.list(path)
	f.watch(f.collection(f.find(path).Dir))
	return entries
}

// collection gives the collection that a directory belongs to.
func (f *followed) collection(dir backends.DirKey) string {
	k := split(string(dir))
	switch k[0] {
	case kindMail:
		return collectionOf(k[1], "")
	case kindFolder, kindMonth:
		return collectionOf(k[1], k[2])
	case kindCalendar, kindCalMonth:
		return f.calendar(k[1], k[2]).collection()
	case kindBook:
		return f.book(k[1], k[2]).collection()
	}
	f.t.Fatalf("directory %q has no collection to follow", dir)
	return ""
}

func (f *followed) watch(collection string) {
	f.t.Helper()
	if _, ok := f.of[collection]; ok {
		return
	}
	w, ok := f.fl.Watch(collection)
	if !ok {
		f.t.Fatalf("nothing follows %q", collection)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.of[collection] = w.Wish.Resource
	if w.Wish.Resource == "" || f.watches[w.Wish.Resource] != nil {
		return
	}
	parts := resourceForm.FindStringSubmatch(w.Wish.Resource)
	if parts == nil {
		f.t.Fatalf("%q is no resource of a subscription", w.Wish.Resource)
	}
	seen, err := f.cloud.store.Watch(simoutlook.WatchOptions{
		UserID: f.cloud.alice().UserID, Collection: parts[2], Folder: parts[1], Immutable: true,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.watches[w.Wish.Resource] = seen
}

// hear makes notifications of a change.
func (f *followed) hear(c mailbox.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for resource, w := range f.watches {
		seen, ok := w.See(c)
		if !ok {
			continue
		}
		n := subscription.Notification{Resource: resource, Change: seen.Change, ID: seen.ID, ETag: seen.ETag, At: time.Now()}
		f.pending[resource] = append(f.pending[resource], n)
	}
}

// take gives what is to be delivered, by collection.
func (f *followed) take() map[string][]subscription.Notification {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string][]subscription.Notification{}
	for collection, resource := range f.of {
		for _, n := range f.pending[resource] {
			if f.fl.Concerns(n, collection) {
				out[collection] = append(out[collection], n)
			}
		}
	}
	f.pending = map[string][]subscription.Notification{}
	return out
}

// deliver delivers all notifications and fails when one is not accounted for.
func (f *followed) deliver() {
	f.t.Helper()
	for collection, n := range f.take() {
		if open := f.tell(collection, n...); len(open) > 0 {
			f.t.Errorf("%s: not accounted for: %+v", collection, open)
		}
	}
}

func (f *followed) tell(collection string, n ...subscription.Notification) []subscription.Notification {
	f.t.Helper()
	open, err := f.fl.Sync(f.ctx(), collection, n, f.sink)
	if err != nil {
		f.t.Fatalf("%s: %v", collection, err)
	}
	return open
}

// after gives a directory's entries after delivery of all notifications, which may cost just so many requests.
func (f *followed) after(want int, what, path string) map[string]backends.Entry {
	f.t.Helper()
	f.exactly(want, what, f.deliver)
	dir := f.find(path).Dir
	if f.isExpired(dir) {
		f.t.Errorf("%s: %s has to be listed anew", what, path)
	}
	return f.sink.Names(dir)
}

func (f *followed) isExpired(dir backends.DirKey) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.expired[dir]
}

// byID gives entries by the id of their item and their extension.
func byID(entries map[string]backends.Entry) map[string]backends.Entry {
	out := map[string]backends.Entry{}
	for _, e := range entries {
		out[e.Info.ServiceID+e.Name.Ext] = e
	}
	return out
}

// do makes a request as a client of alice's would.
func (c *cloud) do(method, path string, body any) map[string]any {
	c.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequest(method, c.url+"/v1.0"+path, bytes.NewReader(raw))
	if err != nil {
		c.t.Fatal(err)
	}
	app := c.entra.Confidential
	req.Header.Set("Authorization", "Bearer "+c.entra.Mint(entra.Claims{
		Audience: entra.GraphAudience, TenantID: c.company.TenantID, AppID: app.ID, ObjectID: c.company.Alice().ID,
		UPN: "alice@contoso.com", Scopes: app.Scopes, Expires: today.AddDate(1, 0, 0),
	}))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Prefer", `IdType="ImmutableId"`)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		c.t.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, answer, err)
	}
	var out map[string]any
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &out); err != nil {
			c.t.Fatal(err)
		}
	}
	return out
}

// deliverAll delivers all notifications, whatever comes of them.
func (f *followed) deliverAll() {
	f.t.Helper()
	for collection, n := range f.take() {
		f.tell(collection, n...)
	}
}
