package graph_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/entra"
	"github.com/workfs/workfs/backends/sim/graph"
)

// fixture is a Graph host with a few made-up routes.
type fixture struct {
	t  *testing.T
	w  *core.World
	c  *company.Company
	id *entra.Service
	s  *graph.Server
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	w := core.NewWorld(core.Options{Seed: 1, Now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)})
	c := company.New(1)
	id, err := entra.New(w, c)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t, w, c, id, graph.New(w, c, id)}
	srv := httptest.NewServer(f.s)
	t.Cleanup(srv.Close)
	w.Hosts.Graph = srv.URL
	return f
}

func (f *fixture) set(name string, v any) {
	f.t.Helper()
	if err := f.w.Switches.Set(name, v); err != nil {
		f.t.Fatal(err)
	}
}

// user gives a token of a person with scopes, app one of the application with roles.
func (f *fixture) user(p *company.Person, scopes ...string) string {
	return f.id.Mint(entra.Claims{Audience: entra.GraphAudience, TenantID: f.c.TenantID, AppID: f.id.Confidential.ID, ObjectID: p.ID,
		UPN: p.UPN, Scopes: scopes, Expires: f.w.Clock.Now().Add(time.Hour)})
}

func (f *fixture) app(roles ...string) string {
	return f.id.Mint(entra.Claims{Audience: entra.GraphAudience, TenantID: f.c.TenantID, AppID: f.id.Confidential.ID,
		ObjectID: f.id.Confidential.ObjectID, AppOnly: true, Roles: roles, Expires: f.w.Clock.Now().Add(time.Hour)})
}

type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (a answer) code() string {
	e, _ := a.body["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

func (a answer) next() string {
	link, _ := a.body["@odata.nextLink"].(string)
	return link
}

// call makes a request to a path below /v1.0, or an absolute link.
func (f *fixture) call(token, method, path, body string, headers ...string) answer {
	f.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = f.w.Hosts.Graph + "/v1.0" + path
	}
	req, err := http.NewRequestWithContext(f.t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(data)}
	_ = json.Unmarshal(data, &a.body)
	return a
}

func (f *fixture) get(token, path string, headers ...string) answer {
	f.t.Helper()
	return f.call(token, "GET", path, "", headers...)
}

// ok is a handler that answers with nothing of note.
func ok(r *graph.Request) { r.JSON(http.StatusOK, map[string]any{"ok": true}) }

var mail = graph.Perms{Delegated: []string{"Mail.Read"}, App: []string{"Mail.Read"}, DelegatedShared: []string{"Mail.Read.Shared"}}

func TestAuthorization(t *testing.T) {
	f := newFixture(t)
	f.s.Handle("GET {U}/messages", mail, ok)
	f.s.Handle("GET /users", graph.Perms{Delegated: []string{"User.ReadBasic.All"}, App: []string{"User.Read.All"}}, ok)
	f.s.Handle("GET /teams/{team}", graph.Perms{Delegated: []string{"Team.ReadBasic.All"}}, ok)
	f.s.Handle("GET /users/{user}/chats/getAllMessages", graph.Perms{App: []string{"Chat.Read.All"}}, ok)
	f.s.Handle("GET /drives/{drive}/root", graph.Perms{Delegated: []string{"Files.Read"}, App: []string{"Files.Read.All"}}, ok)
	alice, bob := f.c.Alice(), f.c.Bob()
	expired := f.id.Mint(entra.Claims{Audience: entra.GraphAudience, ObjectID: alice.ID, Scopes: []string{"Mail.Read"}, Expires: f.w.Clock.Now().Add(-time.Second)})
	foreign := f.id.Mint(entra.Claims{Audience: "https://other.example", ObjectID: alice.ID, Scopes: []string{"Mail.Read"}, Expires: f.w.Clock.Now().Add(time.Hour)})
	tests := []struct {
		name, token, path string
		status            int
		code              string
	}{
		{"own mail", f.user(alice, "Mail.Read"), "/me/messages", 200, ""},
		{"own mail by id", f.user(alice, "Mail.Read"), "/users/" + alice.ID + "/messages", 200, ""},
		{"own mail by name", f.user(alice, "Mail.Read"), "/users/ALICE@contoso.com/messages", 200, ""},
		{"wider scope", f.user(alice, "Mail.ReadWrite"), "/me/messages", 200, ""},
		{"shared scope covers one's own", f.user(alice, "Mail.Read.Shared"), "/me/messages", 200, ""},
		{"narrower scope", f.user(alice, "Mail.ReadBasic"), "/me/messages", 403, "ErrorAccessDenied"},
		{"no scope", f.user(alice, "User.Read"), "/me/messages", 403, "ErrorAccessDenied"},
		{"another's mail", f.user(alice, "Mail.Read"), "/users/" + bob.ID + "/messages", 403, "ErrorAccessDenied"},
		{"another's mail, shared", f.user(alice, "Mail.Read.Shared"), "/users/" + bob.ID + "/messages", 200, ""},
		{"app", f.app("Mail.Read"), "/users/" + bob.ID + "/messages", 200, ""},
		{"app without roles", f.app(), "/users/" + bob.ID + "/messages", 403, "ErrorAccessDenied"},
		{"app on me", f.app("Mail.Read"), "/me/messages", 400, "BadRequest"},
		{"unknown mailbox", f.app("Mail.Read"), "/users/nobody@contoso.com/messages", 404, "ErrorInvalidUser"},
		{"directory", f.user(alice, "Mail.Read"), "/users", 403, "Authorization_RequestDenied"},
		{"directory, wider", f.user(alice, "User.Read.All"), "/users", 200, ""},
		{"directory, app", f.app("Directory.Read.All"), "/users", 200, ""},
		{"delegated only", f.app("Team.ReadBasic.All"), "/teams/x", 403, "Forbidden"},
		{"app only", f.user(alice, "Chat.Read.All"), "/users/" + alice.ID + "/chats/getAllMessages", 403, "Forbidden"},
		{"app only, app", f.app("Chat.Read.All"), "/users/" + alice.ID + "/chats/getAllMessages", 200, ""},
		{"drive", f.app("Mail.Read"), "/drives/d/root", 403, "accessDenied"},
		{"drive, sites", f.app("Sites.Read.All"), "/drives/d/root", 200, ""},
		{"no token", "", "/me/messages", 401, "InvalidAuthenticationToken"},
		{"garbled token", "abc", "/me/messages", 401, "InvalidAuthenticationToken"},
		{"expired token", expired, "/me/messages", 401, "InvalidAuthenticationToken"},
		{"token for another resource", foreign, "/me/messages", 401, "InvalidAuthenticationToken"},
		{"unknown path", f.user(alice, "Mail.Read"), "/nothing", 400, "BadRequest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := f.get(tt.token, tt.path)
			if a.status != tt.status || a.code() != tt.code {
				t.Fatalf("got %d %s, want %d %s", a.status, a.text, tt.status, tt.code)
			}
			if challenge := a.header.Get("WWW-Authenticate"); (challenge != "") != (tt.status == 401) {
				t.Errorf("WWW-Authenticate %q with %d", challenge, tt.status)
			}
		})
	}
	if a := f.call(f.user(alice, "Mail.Read"), "PUT", "/me/messages", ""); a.status != 405 {
		t.Errorf("PUT: %d", a.status)
	}
}

func TestHeaders(t *testing.T) {
	f := newFixture(t)
	f.s.Handle("GET /a", graph.Perms{Delegated: []string{"User.Read"}}, ok)
	token := f.user(f.c.Alice(), "User.Read")
	for _, path := range []string{"/a", "/nothing"} {
		a := f.get(token, path, "client-request-id", "my-id")
		if a.header.Get("client-request-id") != "my-id" || a.header.Get("request-id") == "" || a.header.Get("x-ms-ags-diagnostic") == "" {
			t.Errorf("%s: headers %v", path, a.header)
		}
		if d := a.header.Get("Date"); !strings.HasPrefix(d, "Fri, 20 Nov 2026 12:") {
			t.Errorf("%s: Date %q is not virtual", path, d)
		}
	}
	a := f.get(token, "/a")
	if a.header.Get("client-request-id") != a.header.Get("request-id") {
		t.Error("client-request-id is not made up where absent")
	}
	if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "application/json;odata.metadata=minimal") {
		t.Errorf("Content-Type %q", got)
	}
	// The transport asked for gzip by itself and unpacked it; with our own header it stays packed.
	packed := f.get(token, "/a", "Accept-Encoding", "gzip")
	if packed.header.Get("Content-Encoding") != "gzip" || strings.HasPrefix(packed.text, "{") || packed.header.Get("Content-Length") != "" {
		t.Errorf("headers %v, body %q: want gzip in chunks", packed.header, packed.text)
	}
	plain := f.get(token, "/a", "Accept-Encoding", "identity")
	if plain.header.Get("Content-Encoding") != "" || plain.body["ok"] != true || plain.header.Get("Content-Length") != "" {
		t.Errorf("headers %v, body %q: want plain in chunks", plain.header, plain.text)
	}
}

func TestErrorBodiesVary(t *testing.T) {
	f := newFixture(t)
	f.s.Handle("GET /a", graph.Perms{Delegated: []string{"User.Read"}}, func(r *graph.Request) { r.Error(410, "SyncStateNotFound", "gone") })
	token := f.user(f.c.Alice(), "User.Read")
	shapes := map[string]bool{}
	for range 60 {
		a := f.get(token, "/a")
		e, _ := a.body["error"].(map[string]any)
		for _, name := range []string{"innerError", "innererror"} {
			if inner, ok := e[name].(map[string]any); ok {
				shapes[name] = true
				if inner["code"] != nil {
					shapes["nested"] = true
				}
			}
		}
		shapes[a.code()] = true
	}
	for _, want := range []string{"innerError", "innererror", "nested", "SyncStateNotFound", "syncStateNotFound"} {
		if !shapes[want] {
			t.Errorf("never saw %s: %v", want, shapes)
		}
	}
	f.set("graph.awkward_errors", false)
	if a := f.get(token, "/a"); a.code() != "SyncStateNotFound" || !strings.Contains(a.text, `"innerError"`) {
		t.Errorf("switched off: %s", a.text)
	}
}

func TestPrefer(t *testing.T) {
	f := newFixture(t)
	var seen graph.Prefer
	f.s.Handle("GET /me/messages", graph.Perms{Delegated: []string{"Mail.Read"}}, func(r *graph.Request) {
		seen = r.Prefer
		if r.Prefer.BodyType == "text" {
			r.Apply(`outlook.body-content-type="text"`)
		}
		n, _ := r.PageSize(10, 1000)
		r.JSON(200, map[string]any{"n": n, "kind": r.Enum("systemEventMessage")})
	})
	token := f.user(f.c.Alice(), "Mail.Read")
	a := f.get(token, "/me/messages", "Prefer", `outlook.body-content-type="text", IdType="ImmutableId", odata.maxpagesize=7, made-up=1`)
	if got := a.header.Get("Preference-Applied"); got != `outlook.body-content-type="text", odata.maxpagesize=7` {
		t.Errorf("Preference-Applied %q: want the honoured ones alone", got)
	}
	if !seen.ImmutableID || seen.MaxPageSize != 7 || seen.BodyType != "text" || seen.UnsafeHTML || !seen.Has("Made-Up") {
		t.Errorf("read %+v", seen)
	}
	if a.body["n"] != 7.0 || a.body["kind"] != "unknownFutureValue" {
		t.Errorf("answer %s", a.text)
	}
	a = f.get(token, "/me/messages", "Prefer", "include-unknown-enum-members")
	if a.body["kind"] != "systemEventMessage" || a.header.Get("Preference-Applied") != "include-unknown-enum-members" {
		t.Errorf("opted in: %s %v", a.text, a.header)
	}
	if a = f.get(token, "/me/messages"); a.header.Get("Preference-Applied") != "" {
		t.Errorf("without Prefer: %v", a.header)
	}
}

// numbers registers a collection of n numbers below a path.
func numbers(f *fixture, pattern string, n int, skip bool) {
	f.s.Handle(pattern, graph.Perms{Delegated: []string{"Mail.Read"}}, func(r *graph.Request) {
		size, ok := r.PageSize(10, 50)
		if !ok {
			return
		}
		from := r.Query.Skip
		if mark, ok := r.State(); ok {
			from, _ = strconv.Atoi(mark)
		}
		to := min(from+size, n)
		p := graph.Page{Extra: map[string]any{"select": strings.Join(r.Query.Select, ",")}}
		for i := from; i < to; i++ {
			p.Items = append(p.Items, map[string]any{"id": fmt.Sprint(i)})
		}
		switch {
		case to < n && skip:
			p.NextSkip = to
		case to < n:
			p.Next = strconv.Itoa(to)
		}
		r.WritePage(p)
	})
}

func TestPaging(t *testing.T) {
	for _, skip := range []bool{true, false} {
		t.Run(fmt.Sprintf("skip=%v", skip), func(t *testing.T) {
			f := newFixture(t)
			numbers(f, "GET /me/mailFolders/{folder}/messages", 1000, skip)
			token := f.user(f.c.Alice(), "Mail.Read")
			a := f.get(token, "/me/mailFolders/A'b=/messages?$select=id,subject&$top=20")
			var ids []string
			var short, empty int
			for {
				if a.status != 200 {
					t.Fatalf("%d %s", a.status, a.text)
				}
				if a.body["select"] != "id,subject" {
					t.Fatalf("options were lost: %s", a.text)
				}
				page := a.body["value"].([]any)
				for _, v := range page {
					ids = append(ids, v.(map[string]any)["id"].(string))
				}
				next := a.next()
				if next == "" {
					break
				}
				if len(page) == 0 {
					empty++
				} else if len(page) < 20 {
					short++
				}
				if !strings.Contains(next, "/v1.0/me/mailfolders('A%27%27b=')/messages?") {
					t.Fatalf("link %s: want another case and a key in parentheses", next)
				}
				if skip != strings.Contains(next, "&$skip=") {
					t.Fatalf("link %s", next)
				}
				a = f.get(token, next)
			}
			for i, id := range ids {
				if id != fmt.Sprint(i) {
					t.Fatalf("item %d is %s", i, id)
				}
			}
			if len(ids) != 1000 || short == 0 || empty == 0 {
				t.Errorf("%d items, %d short pages, %d empty ones; want 1000 and some of both", len(ids), short, empty)
			}
		})
	}
}

func TestAlteredLinksAreRefused(t *testing.T) {
	f := newFixture(t)
	numbers(f, "GET /me/messages", 100, true)
	numbers(f, "GET /me/mailFolders/{folder}/messages", 100, false)
	token := f.user(f.c.Alice(), "Mail.Read")
	skip := f.get(token, "/me/messages?$select=id").next()
	opaque := f.get(token, "/me/mailFolders/x/messages").next()
	tests := map[string]string{
		"re-encoded dollar":   strings.Replace(skip, "$skip=", "%24skip=", 1),
		"another skip":        strings.Replace(skip, "$skip=10", "$skip=20", 1),
		"another select":      strings.Replace(skip, "$select=id", "$select=subject", 1),
		"extra option":        opaque + "&$top=5",
		"option before token": strings.Replace(opaque, "?", "?$top=5&", 1),
		"another folder":      strings.Replace(opaque, "'x'", "'y'", 1),
		"rebuilt path":        strings.Replace(opaque, "mailfolders('x')", "mailFolders/x", 1),
		"last byte":           opaque[:len(opaque)-1] + "~",
		"made up":             f.w.Hosts.Graph + "/v1.0/me/messages?$skiptoken=abc",
	}
	for name, link := range tests {
		if a := f.get(token, link); a.status != 400 {
			t.Errorf("%s: %d, want 400 for %s", name, a.status, link)
		}
	}
	// Microsoft's JavaScript library puts options with a $ before the others.
	own := f.get(token, "/me/messages?startDateTime=a%3Ab&$select=id").next()
	path, query, _ := strings.Cut(own, "?")
	options := strings.Split(query, "&")
	reordered := path + "?" + strings.Join(append(options[1:len(options):len(options)], options[0]), "&")
	if options[0] != "startDateTime=a%3Ab" {
		t.Fatalf("link %s", own)
	}
	for _, link := range []string{skip, opaque, reordered} {
		if a := f.get(token, link); a.status != 200 {
			t.Errorf("unaltered: %d %s", a.status, a.text)
		}
	}
}

// TestContexts tells what @odata.context answers have.
func TestContexts(t *testing.T) {
	f := newFixture(t)
	entity := func(r *graph.Request) { r.Entity(http.StatusOK, map[string]any{"id": "x"}) }
	list := func(r *graph.Request) { r.WritePage(graph.Page{}) }
	files := graph.Perms{Delegated: []string{"Files.Read"}}
	f.s.Handle("GET {U}/mailFolders/{folder}/messages", mail, list)
	f.s.Handle("GET {U}/mailFolders/{folder}/messages/{message}", mail, entity)
	f.s.Handle("GET /groups/{group}/drive/root", files, entity)
	f.s.Handle("GET /groups/{group}/drive/root/delta", files, func(r *graph.Request) {
		mark, _ := r.DeltaState()
		r.WritePage(graph.Page{Items: []any{mark}, Delta: "m", Token: "token"})
	})
	token := f.user(f.c.Alice(), "Mail.Read", "Files.Read")
	user := "users('" + f.c.Alice().ID + "')"
	for path, want := range map[string]string{
		"/me/mailFolders/a%2Fb/messages":                  user + "/mailFolders('a%2Fb')/messages",
		"/me/mailFolders/a/messages/m":                    user + "/mailFolders('a')/messages/$entity",
		"/groups/g/drive/root":                            "groups('g')/drive/root/$entity",
		"/users/alice@contoso.com/mailFolders/a/messages": "users('alice@contoso.com')/mailFolders('a')/messages",
	} {
		a := f.get(token, path)
		if got := a.body["@odata.context"]; got != f.w.Hosts.Graph+"/v1.0/$metadata#"+want {
			t.Errorf("%s: context %v, want …#%s", path, got, want)
		}
	}
	// The files of a group are SharePoint's: their tokens and their errors.
	first := f.get(token, "/groups/g/drive/root/delta")
	again := f.get(token, first.body["@odata.deltaLink"].(string))
	if items := again.body["value"].([]any); len(items) != 1 || items[0] != "m" {
		t.Errorf("delta of a group's drive: %s, then %s", first.text, again.text)
	}
	if a := f.get(f.user(f.c.Alice(), "User.Read"), "/groups/g/drive/root"); a.status != 403 || a.code() != "accessDenied" {
		t.Errorf("without the scope: %d %s", a.status, a.text)
	}
}

// TestTokenExpiresWhilePaging follows a link with an old token and with a new one: links belong to nobody's token.
func TestTokenExpiresWhilePaging(t *testing.T) {
	f := newFixture(t)
	numbers(f, "GET /me/messages", 100, true)
	first := f.user(f.c.Alice(), "Mail.Read")
	next := f.get(first, "/me/messages").next()
	f.w.Clock.Advance(time.Hour + time.Second)
	a := f.get(first, next)
	if a.status != 401 || a.code() != "InvalidAuthenticationToken" || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
		t.Errorf("with the old token: %d %v %s", a.status, a.header, a.text)
	}
	if a := f.get(f.user(f.c.Alice(), "Mail.Read"), next); a.status != 200 || a.next() == "" {
		t.Errorf("with a new token: %d %s", a.status, a.text)
	}
}

func TestPageSizes(t *testing.T) {
	f := newFixture(t)
	numbers(f, "GET /me/messages", 500, true)
	numbers(f, "GET /chats/{chat}/messages", 500, false)
	token := f.user(f.c.Alice(), "Mail.Read")
	size := func(path string) (int, int) {
		t.Helper()
		a := f.get(token, path)
		items, _ := a.body["value"].([]any)
		return a.status, len(items)
	}
	for path, want := range map[string]int{"/me/messages": 10, "/me/messages?$top=3": 3, "/me/messages?$top=999": 50, "/me/messages?top=3": 10, "/chats/c/messages?$top=99": 50} {
		if status, n := size(path); status != 200 || n != want {
			t.Errorf("%s: %d with %d items, want %d", path, status, n, want)
		}
	}
	for _, path := range []string{"/me/messages?$top=0", "/me/messages?$top=x", "/me/messages?$skip=-1", "/me/messages?$top=1&$top=2", "/me/messages?$select=%zz"} {
		if status, _ := size(path); status != 400 {
			t.Errorf("%s: %d, want 400", path, status)
		}
	}
	f.set("graph.teams_top_error", true)
	if status, _ := size("/chats/c/messages?$top=99"); status != 400 {
		t.Errorf("Teams $top above the maximum with the switch: %d", status)
	}
	if status, _ := size("/me/messages?$top=999"); status != 200 {
		t.Errorf("Outlook $top above the maximum with the switch: %d", status)
	}
}

func TestDeltaLinks(t *testing.T) {
	f := newFixture(t)
	version := "1"
	var age time.Duration
	f.s.Handle("GET /me/mailFolders/{folder}/messages/delta", graph.Perms{Delegated: []string{"Mail.Read"}}, func(r *graph.Request) {
		mark, _ := r.DeltaState()
		if mark == "stale" {
			r.Gone("SyncStateNotFound", "gone")
			return
		}
		if !r.TokenTime().IsZero() {
			age = r.Now().Sub(r.TokenTime())
		}
		r.WritePage(graph.Page{Items: []any{map[string]any{"since": mark, "select": r.Query.Select}}, Delta: version})
	})
	token := f.user(f.c.Alice(), "Mail.Read")
	since := func(a answer) string {
		t.Helper()
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.text)
		}
		item := a.body["value"].([]any)[0].(map[string]any)
		if fmt.Sprint(item["select"]) != "[id]" {
			t.Fatalf("options were lost: %v", item)
		}
		return item["since"].(string)
	}
	link := func(a answer) string { return a.body["@odata.deltaLink"].(string) }
	const start = "/me/mailFolders/f/messages/delta?$select=id"
	first := f.get(token, start)
	if got := since(first); got != "" {
		t.Errorf("first round since %q", got)
	}
	again := f.get(token, link(first))
	if got := since(again); got != "1" || link(again) != link(first) {
		t.Errorf("since %q, link changed: %v; want the same link while nothing changes", got, link(again) != link(first))
	}
	f.w.Clock.Advance(30 * time.Minute)
	version = "2"
	newer := f.get(token, link(first))
	if since(newer); link(newer) == link(first) || age < 30*time.Minute {
		t.Errorf("age %v; want a new link after a change", age)
	}
	if got := since(f.get(token, link(first))); got != "1" {
		t.Errorf("the old link gives since %q, want it still usable", got)
	}
	if a := f.get(token, link(first)+"&$select=id"); a.status != 400 {
		t.Errorf("extra option on a token link: %d", a.status)
	}
	if got := since(f.get(token, start+"&$deltatoken=latest")); got != "latest" {
		t.Errorf("latest gives %q", got)
	}
	version = "stale"
	a := f.get(token, link(f.get(token, start)))
	location := a.header.Get("Location")
	if a.status != 410 || !strings.HasSuffix(location, "?$select=id&$deltatoken=") {
		t.Fatalf("%d, Location %q: want 410 with an empty token", a.status, location)
	}
	version = "3"
	if got := since(f.get(token, location)); got != "" {
		t.Errorf("the Location starts since %q, want a full round", got)
	}
}

// TestClaimsChallenge revokes sessions and satisfies the challenge as a client does.
func TestClaimsChallenge(t *testing.T) {
	f := newFixture(t)
	login := httptest.NewServer(f.id)
	t.Cleanup(login.Close)
	f.w.Hosts.Login = login.URL
	f.s.Handle("GET /me", graph.Perms{Delegated: []string{"User.Read"}}, ok)
	refresh := f.id.RefreshToken(f.id.Confidential, f.c.Alice(), []string{"User.Read"})
	token := func(claims string) string {
		t.Helper()
		resp, err := http.PostForm(login.URL+"/"+f.c.TenantID+"/oauth2/v2.0/token", url.Values{"grant_type": {"refresh_token"}, "claims": {claims},
			"client_id": {f.id.Confidential.ID}, "client_secret": {f.id.Confidential.Secret}, "refresh_token": {refresh}})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var out struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.AccessToken == "" {
			t.Fatalf("%d %v", resp.StatusCode, err)
		}
		return out.AccessToken
	}
	const able = `{"access_token":{"xms_cc":{"values":["cp1"]}}}`
	plain, capable := token(""), token(able)
	f.set("graph.sessions_revoked", int(f.w.Clock.Now().Unix()))
	if a := f.get(plain, "/me"); a.status != 200 {
		t.Errorf("a client without the capability: %d, want no challenge", a.status)
	}
	a := f.get(capable, "/me")
	header := a.header.Get("WWW-Authenticate")
	_, encoded, found := strings.Cut(header, `claims="`)
	claims, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(encoded, `"`))
	if a.status != 401 || !found || err != nil || !strings.Contains(header, `error="insufficient_claims"`) {
		t.Fatalf("%d, WWW-Authenticate %q", a.status, header)
	}
	if a := f.get(token(able), "/me"); a.status != 401 {
		t.Errorf("a new token without the claims: %d, want 401 again", a.status)
	}
	merged := strings.TrimSuffix(string(claims), "}}") + `,"xms_cc":{"values":["cp1"]}}}`
	if a := f.get(token(merged), "/me"); a.status != 200 {
		t.Errorf("with merged claims: %d %s", a.status, a.text)
	}
}
