package box

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

// fixture is a Box on three loopback servers and a client that follows no redirects.
type fixture struct {
	*testing.T
	w      *core.World
	s      *Server
	co     *company.Company
	client *http.Client
	token  string // of Alice, unless a test changes it
}

func start(t *testing.T, o core.Options, importDir string) *fixture {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	}
	w := core.NewWorld(o)
	co := company.New(o.Seed)
	s, err := New(w, co, Options{ClientID: "app", ClientSecret: "hush", JWTClientID: "server", JWTClientSecret: "quiet", ImportFiles: importDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	serve := func(h http.Handler) string {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		return srv.URL
	}
	w.Hosts.BoxAPI, w.Hosts.BoxAccount, w.Hosts.BoxDownload = serve(s.API()), serve(s.Account()), serve(s.Download())
	w.Hosts.BoxRealtime, w.Hosts.Control = serve(s.Realtime()), serve(w.Control(func() any { return nil }))
	f := &fixture{T: t, w: w, s: s, co: co, client: &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(f.client.CloseIdleConnections)
	f.token = f.ccg("user", co.Alice().BoxID)
	return f
}

// doc is a decoded JSON object.
type doc map[string]any

func (d doc) obj(key string) doc {
	m, _ := d[key].(map[string]any)
	return m
}

func (d doc) list(key string) []doc {
	var out []doc
	entries, _ := d[key].([]any)
	for _, e := range entries {
		out = append(out, doc(e.(map[string]any)))
	}
	return out
}

func (d doc) str(key string) string { return fmt.Sprint(d[key]) }

// answer is a whole HTTP answer.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) doc(t testing.TB) doc {
	t.Helper()
	var d doc
	dec := json.NewDecoder(bytes.NewReader(a.body))
	dec.UseNumber()
	if err := dec.Decode(&d); err != nil {
		t.Fatalf("answer %d is not JSON: %v: %.200s", a.status, err, a.body)
	}
	return d
}

func (f *fixture) send(method, u string, body io.Reader, headers ...string) answer {
	f.Helper()
	req, err := http.NewRequest(method, u, body)
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := f.client.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, data}
}

// api sends an authenticated call to the API; body nil or something for JSON.
func (f *fixture) api(method, path string, body any, headers ...string) answer {
	f.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			f.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	return f.send(method, f.w.Hosts.BoxAPI+"/2.0"+path, r, append([]string{"Authorization", "Bearer " + f.token}, headers...)...)
}

// get wants 200 and JSON.
func (f *fixture) get(path string, headers ...string) doc {
	f.Helper()
	a := f.api("GET", path, nil, headers...)
	if a.status != 200 {
		f.Fatalf("GET %s: %d %s", path, a.status, a.body)
	}
	return a.doc(f)
}

// refused wants an error of that status and code.
func (f *fixture) refused(a answer, status int, code string) doc {
	f.Helper()
	if a.status != status {
		f.Fatalf("status %d, want %d %s: %s", a.status, status, code, a.body)
	}
	d := a.doc(f)
	if d.str("code") != code || d.str("type") != "error" {
		f.Fatalf("error %s, want %s", a.body, code)
	}
	return d
}

func (f *fixture) form(path string, kv ...string) answer {
	f.Helper()
	v := url.Values{}
	for i := 0; i < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
	}
	return f.send("POST", f.w.Hosts.BoxAPI+path, strings.NewReader(v.Encode()), "Content-Type", "application/x-www-form-urlencoded")
}

func (f *fixture) ccg(kind, id string) string {
	f.Helper()
	a := f.form("/oauth2/token", "grant_type", "client_credentials", "client_id", "app", "client_secret", "hush", "box_subject_type", kind, "box_subject_id", id)
	if a.status != 200 {
		f.Fatalf("token: %d %s", a.status, a.body)
	}
	return a.doc(f).str("access_token")
}

// admin makes the fixture use the token of a user that is found by login.
func (f *fixture) as(login string) *fixture {
	g := *f
	g.token = f.ccg("user", f.s.UserID(login))
	return &g
}

func (f *fixture) service() *fixture {
	g := *f
	g.token = f.ccg("enterprise", f.s.EnterpriseID())
	return &g
}

// list reads a whole folder by markers, keyed by name.
func (f *fixture) list(id, fields string, headers ...string) map[string]doc {
	f.Helper()
	found := map[string]doc{}
	q := "/folders/" + id + "/items?usemarker=true&limit=1000"
	if fields != "" {
		q += "&fields=" + fields
	}
	for marker := ""; ; {
		d := f.get(q+"&marker="+url.QueryEscape(marker), headers...)
		for _, e := range d.list("entries") {
			key := e.str("name")
			if _, twice := found[key]; twice {
				key += "#" + e.str("id")
			}
			found[key] = e
		}
		marker, _ = d["next_marker"].(string)
		if marker == "" {
			return found
		}
	}
}

// walk follows names from the root and gives the entry of the last.
func (f *fixture) walk(names ...string) doc {
	f.Helper()
	id := "0"
	var d doc
	for _, n := range names {
		var ok bool
		if d, ok = f.list(id, "name,type,size,sha1,etag,file_version")[n]; !ok {
			f.Fatalf("no %q in folder %s", n, id)
		}
		id = d.str("id")
	}
	return d
}

// content downloads a file, with two hops.
func (f *fixture) content(id, query string, headers ...string) answer {
	f.Helper()
	a := f.api("GET", "/files/"+id+"/content"+query, nil)
	if a.status != 302 {
		f.Fatalf("content of %s: %d %s", id, a.status, a.body)
	}
	return f.send("GET", a.header.Get("Location"), nil, headers...)
}

// upload sends a file; path is "/files/content" or "/files/{id}/content".
func (f *fixture) upload(path, attributes, data string) answer {
	f.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	part, _ := m.CreateFormField("attributes")
	_, _ = io.WriteString(part, attributes)
	part, _ = m.CreateFormFile("file", "x")
	_, _ = io.WriteString(part, data)
	_ = m.Close()
	return f.send("POST", f.w.Hosts.BoxAPI+"/api/2.0"+path, &b, "Authorization", "Bearer "+f.token, "Content-Type", m.FormDataContentType())
}

func (f *fixture) set(name string, v any) {
	f.Helper()
	if err := f.w.Switches.Set(name, v); err != nil {
		f.Fatal(err)
	}
}

// control asks the control host to do something to Box.
func (f *fixture) control(action string) doc {
	f.Helper()
	a := f.send("POST", f.w.Hosts.Control+"/box", strings.NewReader(action))
	if a.status != 200 {
		f.Fatalf("control %s: %d %s", action, a.status, a.body)
	}
	return a.doc(f)
}
