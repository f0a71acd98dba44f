package teams_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/sim"
)

// office is a simulated company, and an own way to read and change it beside the service under test.
type office struct {
	*sim.Sim
	t            testing.TB
	alice, admin string // tokens
}

func newOffice(t testing.TB, options sim.Options) *office {
	t.Helper()
	o := &office{Sim: backendtest.Start(t, options), t: t}
	o.alice, o.admin = o.token(false), o.token(true)
	return o
}

// token signs alice in, or the application.
func (o *office) token(appOnly bool) string {
	o.t.Helper()
	r := o.Ready()
	refresh := r.RefreshToken
	if appOnly {
		refresh = ""
	}
	source := auth.NewMicrosoft(auth.MicrosoftConfig{LoginURL: r.Login, Tenant: r.Tenant, ClientID: r.ClientID, AppOnly: appOnly},
		backendtest.Credentials(o.t, r.ClientSecret, refresh), backendtest.Transport(o.t))
	got, err := source.Token(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	return got.Value
}

// ask makes a request, of a path below the version or of an address, and gives the body.
func (o *office) ask(token, method, where string, body any) []byte {
	o.t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			o.t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	if strings.HasPrefix(where, "/") {
		where = o.Ready().Graph + "/v1.0" + where
	}
	req, err := http.NewRequestWithContext(o.t.Context(), method, where, in)
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Prefer", "include-unknown-enum-members")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		o.t.Fatalf("%s %s: %s, %v\n%s", method, where, res.Status, err, got)
	}
	return got
}

// all reads a collection page by page.
func (o *office) all(token, path string) (values []json.RawMessage) {
	o.t.Helper()
	for path != "" {
		var page struct {
			Value []json.RawMessage `json:"value"`
			Next  string            `json:"@odata.nextLink"`
		}
		if err := json.Unmarshal(o.ask(token, http.MethodGet, path, nil), &page); err != nil {
			o.t.Fatal(err)
		}
		values, path = append(values, page.Value...), page.Next
	}
	return values
}

// ids gives id by display name, topic or principal name of a collection's elements.
func (o *office) ids(token, path string) map[string]string {
	o.t.Helper()
	byName := map[string]string{}
	for _, raw := range o.all(token, path) {
		var v struct{ ID, DisplayName, Topic, UserPrincipalName string }
		if err := json.Unmarshal(raw, &v); err != nil {
			o.t.Fatal(err)
		}
		byName[v.DisplayName+v.Topic] = v.ID
	}
	return byName
}

// channel gives the path of a channel.
func (o *office) channel(team, name string) string {
	o.t.Helper()
	t := "/teams/" + o.ids(o.admin, "/teams")[team]
	id, ok := o.ids(o.admin, t+"/channels")[name]
	if !ok {
		o.t.Fatalf("no channel %s in %s", name, team)
	}
	return t + "/channels/" + url.PathEscape(id)
}

// truth is a message as the service has it.
type truth struct {
	raw      json.RawMessage
	ID       string    `json:"id"`
	ReplyTo  string    `json:"replyToId"`
	Created  time.Time `json:"createdDateTime"`
	Edited   time.Time `json:"lastEditedDateTime"`
	Deleted  time.Time `json:"deletedDateTime"`
	Type     string    `json:"messageType"`
	Modified time.Time `json:"lastModifiedDateTime"`
	Files    []struct {
		ContentType string `json:"contentType"`
		ContentURL  string `json:"contentUrl"`
		Name        string `json:"name"`
	} `json:"attachments"`
}

// changed is the latest of created, edited and deleted.
func (m truth) changed() time.Time {
	at := m.Created
	for _, t := range []time.Time{m.Edited, m.Deleted} {
		if t.After(at) {
			at = t
		}
	}
	return at
}

// messages reads all messages below "…/messages" by root and id, replies one post at a time.
func (o *office) messages(path string, replies bool) map[string]truth {
	o.t.Helper()
	found := map[string]truth{}
	take := func(raws []json.RawMessage, root string) {
		for _, raw := range raws {
			m := truth{raw: raw}
			if err := json.Unmarshal(raw, &m); err != nil {
				o.t.Fatalf("%v in %s", err, raw)
			}
			if m.ReplyTo != root {
				o.t.Fatalf("message %s replies to %q, found under %q", m.ID, m.ReplyTo, root)
			}
			found[root+"|"+m.ID] = m
		}
	}
	posts := o.all(o.admin, path+"?$top=50")
	take(posts, "")
	if !replies {
		return found
	}
	for id := range found {
		if root := strings.TrimPrefix(id, "|"); root != id {
			take(o.all(o.admin, path+"/"+root+"/replies?$top=50"), root)
		}
	}
	return found
}

// reader lists what a service shows.
type reader struct {
	t    testing.TB
	b    backends.Backend
	sink *backendtest.Sink
}

func (o *office) open(appOnly bool, formats ...string) *reader {
	o.t.Helper()
	sink := backendtest.NewSink()
	return &reader{o.t, open(appOnly, formats...)(o.t, o.Sim, sink), sink}
}

// key gives the directory at a path, listing what is above it.
func (r *reader) key(path string) backends.DirKey {
	r.t.Helper()
	dir, at := backends.DirKey(""), ""
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		if !r.sink.Dir(dir).Whole {
			r.list(dir)
		}
		at += "/" + name
		e, ok := r.sink.Names(dir)[name]
		if !ok {
			r.t.Fatalf("no %s among %v", at, slices.Sorted(maps.Keys(r.sink.Names(dir))))
		}
		dir = e.Dir
	}
	return dir
}

// list makes a directory fresh.
func (r *reader) list(dir backends.DirKey) map[string]backends.Entry {
	r.t.Helper()
	if err := r.b.List(r.t.Context(), dir, r.sink); err != nil {
		r.t.Fatalf("listing %q: %v", dir, err)
	}
	for _, p := range r.sink.Problems() {
		r.t.Error(p)
	}
	return r.sink.Names(dir)
}

// months lists a conversation and all its months in the order of their names, and gives what they hold.
func (r *reader) months(dir backends.DirKey) map[string]map[string]backends.Entry {
	r.t.Helper()
	found := map[string]map[string]backends.Entry{}
	root := r.list(dir)
	for _, name := range slices.Sorted(maps.Keys(root)) {
		e := root[name]
		if e.IsDir && name != "files" {
			if !r.sink.Dir(e.Dir).Whole {
				r.list(e.Dir)
			}
			found[name] = r.sink.Names(e.Dir)
		}
	}
	return found
}

// shown gives "root|id" of all messages in months that are shown in a format.
func shown(months map[string]map[string]backends.Entry, format string) map[string]backends.Entry {
	found := map[string]backends.Entry{}
	for _, files := range months {
		for _, e := range files {
			if root, id, f := partsOf(e); f == format {
				found[root+"|"+id] = e
			}
		}
	}
	return found
}

// partsOf takes a message's identity apart: conversation, root and id in one, and the format.
func partsOf(e backends.Entry) (root, id, format string) {
	message, format, ok := strings.Cut(e.ID, "|")
	p := strings.Split(strings.NewReplacer("%7C", "|", "%25", "%").Replace(message), "|")
	if !ok || len(p) != 3 {
		return "", "", ""
	}
	return p[1], p[2], format
}

// requests counts what a step costs at Graph.
func (o *office) requests(step func()) int {
	o.World().Stats.Reset()
	step()
	return backendtest.Requests(o.Sim, "/v1.0/")
}
