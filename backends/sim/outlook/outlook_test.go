package outlook_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/outlook"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/simtest"
)

const immutable = `IdType="ImmutableId"`

// fixture is a Graph host with the seeded mailboxes.
type fixture struct {
	*simtest.Host
	t     *testing.T
	s     *outlook.Store
	alice *simtest.Client
}

func start(t *testing.T, scale int, o outlook.Options) *fixture {
	t.Helper()
	h := simtest.New(t, scale)
	s, err := outlook.New(h.World, h.Graph, h.Company, o)
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{h, t, s, h.As(h.Company.Alice())}
}

// odd gives the id of Alice's folder with the awkward messages.
func (f *fixture) folder(name string) string {
	f.t.Helper()
	items, _ := f.alice.All("/me/mailFolders?includeHiddenFolders=true&$top=100")
	for _, m := range items {
		if m["displayName"] == name {
			return str(m, "id")
		}
	}
	f.t.Fatalf("no folder %q", name)
	return ""
}

// message gives the first message with a subject in a folder.
func (f *fixture) message(folder, subject string, headers ...string) map[string]any {
	f.t.Helper()
	items, _ := f.alice.All("/me/mailFolders/"+folder+"/messages?$top=500&$filter="+q("subject eq '"+subject+"'"), headers...)
	if len(items) == 0 {
		f.t.Fatalf("no message %q", subject)
	}
	return items[0]
}

func q(s string) string { return url.QueryEscape(s) }

func str(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

func ids(items []map[string]any) []string {
	var out []string
	for _, m := range items {
		out = append(out, str(m, "id"))
	}
	return out
}

func names(items []map[string]any) []string {
	var out []string
	for _, m := range items {
		out = append(out, str(m, "displayName"))
	}
	return out
}

// state folds the pages of delta rounds into what a client would hold.
type state map[string]map[string]any

func (s state) apply(items []map[string]any) {
	for _, m := range items {
		if m["@removed"] != nil {
			delete(s, str(m, "id"))
		} else {
			s[str(m, "id")] = m
		}
	}
}

// round runs a delta round to its end and gives the deltaLink and the items.
func (f *fixture) round(link string, headers ...string) (next string, items []map[string]any) {
	f.t.Helper()
	items, last := f.alice.All(link, headers...)
	if next = last.Link("@odata.deltaLink"); next == "" {
		f.t.Fatalf("a round without a deltaLink: %s", last.Body)
	}
	return next, items
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

func person(f *fixture, key string) *company.Person {
	p := f.Company.Person(key)
	if p == nil {
		f.t.Fatalf("no person %q", key)
	}
	return p
}

// mail sends Alice a message.
func (f *fixture) mail(from, subject string) {
	f.t.Helper()
	r := f.As(person(f, from)).Do("POST", "/me/sendMail", map[string]any{"message": map[string]any{
		"subject": subject, "body": map[string]any{"contentType": "text", "content": "hi"},
		"toRecipients": []any{map[string]any{"emailAddress": map[string]any{"address": "alice@contoso.com"}}}}})
	if r.Status != http.StatusAccepted {
		f.t.Fatalf("sendMail: %d %s", r.Status, r.Body)
	}
}

// heard collects what the listener is told, as "kind op" words.
type heard struct {
	mu    sync.Mutex
	words []string
}

func (h *heard) listen(c mailbox.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	op := map[mailbox.Op]string{mailbox.Created: "created", mailbox.Updated: "updated", mailbox.Removed: "removed"}[c.Op]
	h.words = append(h.words, string(c.Ref.Kind)+" "+op)
}

// take gives what was told since the last time.
func (h *heard) take() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	words := h.words
	h.words = nil
	return strings.Join(words, ", ")
}

// must runs a write that must succeed with a status, and gives its answer.
func (f *fixture) must(status int, method, path string, body any, headers ...string) *simtest.Response {
	f.t.Helper()
	r := f.alice.Do(method, path, body, headers...)
	if r.Status != status {
		f.t.Fatalf("%s %s: %d, want %d: %s", method, path, r.Status, status, r.Body)
	}
	return r
}

func (f *fixture) hears(h *heard, want, after string) {
	f.t.Helper()
	if got := h.take(); got != want {
		f.t.Errorf("after %s the listener heard %q, want %q", after, got, want)
	}
}
