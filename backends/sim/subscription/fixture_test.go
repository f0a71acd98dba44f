package subscription_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/directory"
	"github.com/workfs/workfs/backends/sim/drive"
	"github.com/workfs/workfs/backends/sim/outlook"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/simtest"
	"github.com/workfs/workfs/backends/sim/subscription"
	"github.com/workfs/workfs/backends/sim/teams"
)

// fixture is a Graph host with all services and one receiver.
type fixture struct {
	*simtest.Host
	subs            *subscription.Service
	teams           *teams.Service
	drives          *drive.Service
	directory       *directory.Directory
	outlook         *outlook.Store
	alice, bob, app *simtest.Client
	to              *receiver
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	h := simtest.New(t, 0)
	h.World.Hosts.Login = h.Serve(h.Entra)
	f := &fixture{Host: h, to: newReceiver(t)}
	f.directory = directory.New(h.World, h.Graph, h.Company)
	f.drives = drive.New(h.World, h.Graph, h.Company)
	f.teams = teams.New(h.World, h.Graph, h.Company, f.drives)
	var err error
	f.outlook, err = outlook.New(h.World, h.Graph, h.Company, outlook.Options{Listener: func(c mailbox.Change) {
		if f.subs != nil {
			f.subs.Changed(c)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	f.subs = subscription.New(h.World, h.Graph, h.Company, h.Entra,
		subscription.Sources{Outlook: f.outlook, Teams: f.teams, Drives: f.drives, Directory: f.directory})
	t.Cleanup(f.subs.Close)
	f.teams.Store.OnChange(func(c teams.Change) { f.subs.Changed(c) })
	f.drives.Store.OnChange(func(c drive.Change) { f.subs.Changed(c) })
	f.directory.Store.OnChange(func(c directory.Change) { f.subs.Changed(c) })
	f.alice, f.bob, f.app = h.As(h.Company.Alice()), h.As(h.Company.Bob()), h.App()
	return f
}

// in gives a time on the virtual clock as clients write it.
func (f *fixture) in(d time.Duration) string {
	return f.World.Clock.Now().Add(d).Format("2006-01-02T15:04:05.0000000Z")
}

// draft is a subscription to a resource that the receiver gets notifications of, with changes in place of its properties.
func (f *fixture) draft(resource string, with map[string]any) map[string]any {
	d := map[string]any{"changeType": "created,updated,deleted", "notificationUrl": f.to.url + "/hook", "resource": resource,
		"expirationDateTime": f.in(time.Hour), "clientState": "s3cret"}
	for k, v := range with {
		if v == nil {
			delete(d, k)
			continue
		}
		d[k] = v
	}
	return d
}

// subscribe creates a subscription and gives its id.
func (f *fixture) subscribe(c *simtest.Client, resource string, with map[string]any, headers ...string) string {
	f.T.Helper()
	r := c.Do("POST", "/subscriptions", f.draft(resource, with), headers...)
	if r.Status != http.StatusCreated {
		f.T.Fatalf("subscribing to %s: %d %s", resource, r.Status, r.Body)
	}
	return r.JSON["id"].(string)
}

// status gives what the service knows of a subscription.
func (f *fixture) status(id string) subscription.Status {
	f.T.Helper()
	for _, st := range f.subs.All() {
		if st.ID == id {
			return st
		}
	}
	f.T.Fatalf("no subscription %s", id)
	return subscription.Status{}
}

// pending waits until nothing is under way for a subscription but what waits for a later time: n of them.
func (f *fixture) pending(id string, n int) {
	f.T.Helper()
	eventually(f.T, func() bool { return f.status(id).Pending == n })
}

// newMail puts a message into one of Alice's folders and gives its id.
func (f *fixture) newMail(folder, subject string) string {
	f.T.Helper()
	r := f.alice.Do("POST", "/me/mailFolders/"+folder+"/messages", map[string]any{"subject": subject})
	if r.Status != http.StatusCreated {
		f.T.Fatalf("making a message: %d %s", r.Status, r.Body)
	}
	return r.JSON["id"].(string)
}

// newEvent makes an event in Alice's calendar and gives its id.
func (f *fixture) newEvent(subject string) string {
	f.T.Helper()
	when := func(h int) map[string]any {
		return map[string]any{"dateTime": simtest.Now.Add(time.Duration(h) * time.Hour).Format("2006-01-02T15:04:05"), "timeZone": "UTC"}
	}
	r := f.alice.Do("POST", "/me/events", map[string]any{"subject": subject, "start": when(1), "end": when(2)})
	if r.Status != http.StatusCreated {
		f.T.Fatalf("making an event: %d %s", r.Status, r.Body)
	}
	return r.JSON["id"].(string)
}

// eventually waits for a condition.
func eventually(t testing.TB, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatal("it did not come about")
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// item is one notification as received.
type item map[string]any

func (i item) text(name string) string { v, _ := i[name].(string); return v }

func (i item) data(name string) string {
	d, _ := i["resourceData"].(map[string]any)
	v, _ := d[name].(string)
	return v
}

// posted is one POST of notifications.
type posted struct {
	path   string
	items  []item
	tokens []string
}

// receiver is an address for notifications that answers validations as it must.
type receiver struct {
	t   *testing.T
	url string

	mu          sync.Mutex
	validations []*http.Request // their URL and headers
	posts       []posted
	status      int // of answers to notifications
	// before, if set, handles a request instead; it reports whether it did.
	before func(http.ResponseWriter, *http.Request) bool
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, status: http.StatusAccepted}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

func (r *receiver) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	// A server notices that its client left only once the body is read.
	data, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	before, status := r.before, r.status
	validation := req.URL.Query().Has("validationToken")
	if validation {
		r.validations = append(r.validations, req)
	}
	r.mu.Unlock()
	if before != nil && before(rw, req) {
		return
	}
	if validation {
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(rw, req.URL.Query().Get("validationToken"))
		return
	}
	var body struct {
		Value            []item
		ValidationTokens []string
	}
	if err := json.Unmarshal(data, &body); err != nil || req.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		r.t.Errorf("notification of %q: %v", req.Header.Get("Content-Type"), err)
	}
	r.mu.Lock()
	r.posts = append(r.posts, posted{req.URL.Path, body.Value, body.ValidationTokens})
	r.mu.Unlock()
	rw.WriteHeader(status)
}

// answer sets how notifications are answered from now on.
func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// handle sets what comes before the usual handling.
func (r *receiver) handle(before func(http.ResponseWriter, *http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = before
}

// got gives all POSTs of notifications so far.
func (r *receiver) got() []posted {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]posted(nil), r.posts...)
}

// items waits for n notifications, and gives them and forgets them.
func (r *receiver) items(n int) []item {
	r.t.Helper()
	var all []item
	eventually(r.t, func() bool {
		all = nil
		for _, p := range r.got() {
			all = append(all, p.items...)
		}
		return len(all) >= n
	})
	if len(all) > n {
		r.t.Fatalf("%d notifications, want %d: %v", len(all), n, all)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.posts = nil
	return all
}

// asked gives the validation requests so far, and forgets them.
func (r *receiver) asked() []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.validations
	r.validations = nil
	return v
}

func escape(s string) string { return url.PathEscape(s) }

// waitPosts waits until n POSTs of notifications have come, or more.
func (r *receiver) waitPosts(n int) {
	r.t.Helper()
	eventually(r.t, func() bool { return len(r.got()) >= n })
}
