package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// apiList is a list as Graph and Box give it.
type apiList struct {
	Value, Entries []struct {
		ID, Type, Name, Mail, Login, SHA1 string
		Size                              json.Number
	}
	NextLink *string `json:"@odata.nextLink"`
}

// list runs the command and decodes what it prints.
func (e *env) list(args ...string) (l apiList) {
	e.t.Helper()
	out := e.expect(0, nil, append([]string{"api", "GET"}, args...)...)
	if err := json.Unmarshal([]byte(out), &l); err != nil {
		e.t.Fatalf("%v: %v\n%s", args, err, head(out, 5))
	}
	return l
}

// ids gives the ids of a list, ordered.
func (l apiList) ids() (all []string) {
	for _, v := range append(l.Value, l.Entries...) {
		all = append(all, v.Type+" "+v.ID)
	}
	slices.Sort(all)
	return all
}

func TestAPIPages(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	whole := e.list("/users?$top=999&$select=id", "-c", "contoso")
	if len(whole.Value) < 12 || whole.NextLink != nil {
		t.Fatalf("%d users", len(whole.Value))
	}
	e.resetRequests()
	if got := e.list("/users?$top=5&$select=id", "-c", "contoso", "--paginate"); !slices.Equal(got.ids(), whole.ids()) || got.NextLink != nil {
		t.Errorf("%d users by pages, %d at once", len(got.Value), len(whole.Value))
	}
	if n, by := e.requests(); n != (len(whole.Value)+4)/5 {
		t.Errorf("%d requests for %d users: %v", n, len(whole.Value), by)
	}
	var lines []string
	for line := range strings.Lines(e.expect(0, nil, "api", "GET", "/users?$top=5&$select=id", "-c", "contoso", "--paginate", "--jsonl")) {
		var u struct{ ID string }
		if err := json.Unmarshal([]byte(line), &u); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		lines = append(lines, " "+u.ID)
	}
	if slices.Sort(lines); !slices.Equal(lines, whole.ids()) {
		t.Errorf("%d lines for %d users", len(lines), len(whole.Value))
	}
	raw := json.NewDecoder(strings.NewReader(e.expect(0, nil, "api", "GET", "/users?$top=5&$select=id", "-c", "contoso", "--paginate", "--raw")))
	pages, n := 0, 0
	for ; raw.More(); pages++ {
		var l apiList
		if err := raw.Decode(&l); err != nil {
			t.Fatal(err)
		}
		n += len(l.Value)
	}
	if n != len(whole.Value) || pages != (n+4)/5 {
		t.Errorf("%d users on %d pages", n, pages)
	}
	delta := e.expect(0, []string{`"@odata.deltaLink":`}, "api", "GET", "/me/mailFolders/inbox/messages/delta?$select=subject", "-H", "Prefer: odata.maxpagesize=5", "--paginate", "-c", "contoso")
	if !json.Valid([]byte(delta)) {
		t.Error("a delta with its link is no JSON")
	}
	if empty := e.expect(0, nil, "api", "GET", "/users?$filter=displayName eq 'Nobody At All'", "-c", "contoso", "--paginate"); empty != `{"value":[]}`+"\n" {
		t.Errorf("an empty list is %q", empty)
	}

	// Box: by markers, which this asks for where a list has both; by offsets when told to; where there is nothing else.
	root := e.list("/folders/0/items?limit=1000", "-c", "box")
	if len(root.Entries) < 10 {
		t.Fatalf("%d items", len(root.Entries))
	}
	for _, path := range []string{"/folders/0/items?limit=3", "/folders/0/items?limit=3&offset=0", "/folders/0/items?limit=4&usemarker=true", "2.0/folders/0/items?limit=3&sort=name"} {
		if got := e.list(path, "-c", "box", "--paginate"); !slices.Equal(got.ids(), root.ids()) {
			t.Errorf("%s: %d items, all are %d", path, len(got.Entries), len(root.Entries))
		}
	}
	e.config = filepath.Join(e.etc, "config-admin.toml")
	groups := e.list("/groups?limit=1000", "-c", "box")
	if got := e.list("/groups?limit=2", "-c", "box", "--paginate"); !slices.Equal(got.ids(), groups.ids()) || len(groups.Entries) < 3 {
		t.Errorf("%d groups, all are %d", len(got.Entries), len(groups.Entries))
	}

	e.expect(2, []string{"not a list"}, "api", "GET", "/users/"+whole.Value[0].ID, "-c", "contoso", "--paginate")
	e.expect(2, []string{"--paginate goes with GET"}, "api", "POST", "/users", "-c", "contoso", "--paginate")
	e.expect(2, []string{"--jsonl goes with --paginate"}, "api", "GET", "/users", "-c", "contoso", "--jsonl")
}

// TestAPIHostilePages: a token goes to the connection's API, whatever a page says.
func TestAPIHostilePages(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	box, graph := e.sim.Ready().BoxAPI, e.sim.Ready().Graph
	answer := func(link string) {
		e.sim.World().Faults.Set(core.FaultRule{
			Route: "GET /v1.0/users", Status: http.StatusOK, Headers: map[string]string{"Content-Type": "application/json"},
			Body: map[string]any{"value": []any{map[string]string{"id": "first"}}, "@odata.nextLink": link},
		})
	}
	for _, link := range []string{
		box + "/2.0/users/me", "https://evil.example/v1.0/users", "https://" + strings.TrimPrefix(graph, "http://") + "@evil.example/",
		strings.Replace(graph, "http://", "http://me@", 1) + "/v1.0/users", "ftp://evil.example", "\x00", "%zz",
	} {
		answer(link)
		for _, path := range []string{"/users", graph + "/v1.0/users"} {
			stdout, stderr, code := e.workfs("api", "GET", path, "-c", "contoso", "--paginate")
			if code != 1 || !strings.Contains(stderr, "next page is elsewhere") {
				t.Errorf("%q: exit %d, %s", link, code, stderr)
			}
			if !strings.Contains(stdout, `"first"`) || json.Valid([]byte(stdout)) {
				t.Errorf("%q: what is not all looks like it: %s", link, stdout)
			}
		}
	}
	answer(graph + "/v1.0/users")
	e.expect(5, []string{"circle"}, "api", "GET", graph+"/v1.0/users", "-c", "contoso", "--paginate")
	for what, body := range map[string]any{
		"no JSON": "<html>", "another list": map[string]any{"entries": []any{}}, "no list": map[string]any{"value": "x"}, "an array": []any{"x"},
	} {
		e.sim.World().Faults.Set(core.FaultRule{Route: "GET /v1.0/users", Status: http.StatusOK, Body: body})
		if stdout, stderr, code := e.workfs("api", "GET", "/users", "-c", "contoso", "--paginate"); code == 0 || stdout != "" {
			t.Errorf("%s: exit %d, %q %s", what, code, stdout, stderr)
		}
	}
	e.noLeaks()
	if n := e.sim.World().Stats.Snapshot().Requests["GET /2.0/users/me"]; n != 0 {
		t.Errorf("%d requests reached another service", n)
	}
}

// noLeaks fails the test when a token arrived where it must not.
func (e *env) noLeaks() {
	e.t.Helper()
	for _, leak := range e.sim.World().Stats.Snapshot().Leaks {
		e.t.Errorf("a token leaked: %+v", leak)
	}
}

func TestAPIDownload(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	var large, small struct{ id, sha1 string }
	for _, it := range e.list("/folders/0/items?limit=1000&fields=id,type,name,sha1", "-c", "box").Entries {
		switch {
		case it.Type == "folder" && it.Name == "Large":
			for _, it := range e.list("/folders/"+it.ID+"/items?fields=id,type,name,sha1", "-c", "box").Entries {
				large.id, large.sha1 = it.ID, it.SHA1
			}
		case it.Name == "README.txt":
			small.id, small.sha1 = it.ID, it.SHA1
		}
	}
	sum := func(b []byte) string {
		s := sha1.Sum(b)
		return hex.EncodeToString(s[:])
	}
	if got := e.expect(0, nil, "api", "GET", "/files/"+small.id+"/content", "-c", "box"); sum([]byte(got)) != small.sha1 {
		t.Errorf("standard output has %q", got)
	}
	out := e.path("large.bin")
	cut := int64(5 << 20)
	e.sim.World().Faults.Set(core.FaultRule{Host: core.HostBoxDownload, BodyCut: &cut, Reset: true, Count: 1})
	if got := e.expect(0, nil, "api", "GET", "/files/"+large.id+"/content", "-c", "box", "--output", out); got != "" {
		t.Errorf("standard output has %q", got)
	}
	e.sim.World().Faults.Set()
	got, err := os.ReadFile(out)
	if err != nil || len(got) < 20<<20 || sum(got) != large.sha1 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}

	// What fails leaves the file as it was, and nothing beside it.
	e.expect(3, []string{"HTTP 404"}, "api", "GET", "/files/1/content", "-c", "box", "-o", out)
	cut = 1000 // too little each time for anybody to go on
	e.sim.World().Faults.Set(core.FaultRule{Host: core.HostBoxDownload, BodyCut: &cut, Reset: true})
	e.expect(5, nil, "api", "GET", "/files/"+large.id+"/content", "-c", "box", "-o", out)
	e.sim.World().Faults.Set(core.FaultRule{Route: "GET /2.0/files/*/content", Status: 302, Headers: map[string]string{"Location": e.sim.Ready().Graph + "/v1.0/me"}})
	e.expect(1, []string{"content_hosts"}, "api", "GET", "/files/"+small.id+"/content", "-c", "box", "-o", out)
	e.sim.World().Faults.Set()
	if again, err := os.ReadFile(out); err != nil || !bytes.Equal(again, got) {
		t.Errorf("the file was changed, %v", err)
	}
	if left, _ := filepath.Glob(e.path(".large*")); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
	e.expect(0, nil, "api", "GET", "/files/"+small.id+"/content", "-c", "box", "-o", "/dev/null")
	e.noLeaks()
}

func TestAPIAnswers(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	out := e.expect(0, []string{"HTTP 200 OK\n", "Content-Type: application/json", "\n\n{"}, "api", "GET", "/me", "-c", "contoso", "--include")
	if strings.Contains(out, "Authorization") || strings.Contains(out, "Bearer") {
		t.Error("the head shows the token")
	}
	// The answer of a refused request is data, what was wrong is told beside it.
	stdout, stderr, code := e.workfs("api", "GET", "/folders/999", "-c", "box", "--include")
	if code != 3 || !strings.HasPrefix(stdout, "HTTP 404 Not Found\n") || !strings.Contains(stdout, `"code":"not_found"`) || !strings.Contains(stderr, "HTTP 404 not_found") {
		t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
	}
	// Other methods.
	var folder struct{ ID, DisplayName string }
	if err := json.Unmarshal([]byte(e.expect(0, nil, "api", "POST", "/me/mailFolders", "-c", "contoso", "--data", `{"displayName":"one"}`)), &folder); err != nil {
		t.Fatal(err)
	}
	e.expect(0, []string{`"displayName":"two"`}, "api", "patch", "/me/mailFolders/"+folder.ID, "-c", "contoso", "--data", `{"displayName":"two"}`)
	e.expect(0, []string{"HTTP 204 No Content"}, "api", "DELETE", "/me/mailFolders/"+folder.ID, "-c", "contoso", "--include")
	e.expect(2, []string{"no method"}, "api", "GET /", "/me", "-c", "contoso")

	e.sim.World().Faults.Set(core.FaultRule{Route: "GET /beta/me", Status: http.StatusOK, Body: map[string]string{"beta": "yes"}})
	e.expect(0, []string{`{"beta":"yes"}`}, "api", "GET", "/me", "-c", "contoso", "--beta")
	e.expect(0, []string{`{"beta":"yes"}`}, "api", "GET", "/beta/me", "-c", "contoso", "--beta")
	e.expect(2, []string{"another version"}, "api", "GET", "/v1.0/me", "-c", "contoso", "--beta")
	e.expect(2, []string{"Microsoft Graph"}, "api", "GET", "/users/me", "-c", "box", "--beta")
}

func TestAPIAsUser(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	var carol string
	for _, u := range e.sim.Ready().Users {
		if u.Mail == "carol@contoso.com" {
			carol = u.BoxID
		}
	}
	e.resetRequests()
	e.expect(2, []string{"application's sign-in"}, "api", "GET", "/me", "-c", "contoso", "--as-user", "carol@contoso.com")
	e.expect(12, []string{"as_user", "only an administrator"}, "api", "GET", "/users/me", "-c", "box", "--as-user", carol)
	e.expect(0, []string{`"login":"alice@contoso.com"`}, "api", "GET", "/users/me", "-c", "box", "--as-user", "alice@contoso.com")

	e.config = filepath.Join(e.etc, "config-admin.toml")
	for _, user := range []string{carol, "Carol@contoso.com"} {
		e.expect(0, []string{`"login":"carol@contoso.com"`}, "api", "GET", "/users/me", "-c", "box", "--as-user", user)
	}
	e.expect(3, []string{"no user with this login"}, "api", "GET", "/users/me", "-c", "box", "--as-user", "nobody@contoso.com")
	e.expect(2, []string{"exclude each other"}, "api", "GET", "/users/me", "-c", "box", "--as-user", carol, "-H", "As-User: 1")
	e.expect(0, []string{`"mail":"carol@contoso.com"`}, "api", "GET", "/me", "-c", "contoso", "--as-user", "carol@contoso.com")
	const none = "an application has no /me: use /users/ADDRESS"
	e.expect(codeOther, []string{"delegated authentication", none}, "api", "GET", "/me?$select=id", "-c", "contoso")
	if _, stderr, code := e.workfs("api", "GET", "/users/nobody@contoso.com", "-c", "contoso"); code != codeNotFound || strings.Contains(stderr, none) {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	got := e.list("/me/mailFolders?$top=2", "-c", "contoso", "--as-user", "carol@contoso.com", "--paginate")
	if len(got.Value) < 4 {
		t.Errorf("%d folders", len(got.Value))
	}
	for _, path := range []string{"/users", "/meetings"} {
		e.expect(2, []string{"below /me"}, "api", "GET", path, "-c", "contoso", "--as-user", "carol@contoso.com")
	}
	// A connection that is one user's is that for the API, too.
	e.editConfig(func(s string) string {
		return strings.Replace(s, "enterprise = true", fmt.Sprintf("as_user = %q", carol), 1)
	})
	e.expect(0, []string{`"login":"carol@contoso.com"`}, "api", "GET", "/users/me", "-c", "box")
	e.noLeaks()
	if n := e.sim.World().Stats.Snapshot().Counters["box_notifying"]; n != 0 {
		t.Errorf("%d requests to Box did not turn its notifications off", n)
	}
}

// TestHarmless: a terminal gets nothing to obey from an answer, however it is cut.
func TestHarmless(t *testing.T) {
	text := "plain ünï \x1b[31mred\x1b[0m \u009b2J \u202eevil\r\n\tend \xff\n"
	want := "plain ünï ?[31mred?[0m ?2J ?evil\n\tend \ufffd\n"
	for n := 1; n < len(text); n++ {
		var b bytes.Buffer
		h := &harmless{w: &b}
		for rest := []byte(text); len(rest) > 0; {
			part := rest[:min(n, len(rest))]
			if _, err := h.Write(part); err != nil {
				t.Fatal(err)
			}
			rest = rest[len(part):]
		}
		if b.String() != want {
			t.Fatalf("by %d: %q", n, b.String())
		}
	}
}
