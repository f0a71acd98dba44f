package box_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/box"
	"github.com/workfs/workfs/backends/sim"
)

// contentScopes are those of an application that reads all content of its enterprise.
const contentScopes = "root_readonly root_readwrite manage_managed_users manage_groups manage_enterprise_properties manage_webhook enterprise_content"

func withContent(c *box.Config) { c.Enterprise, c.EnterpriseContent = false, true }

// TestEnterpriseContent compares the trees that the scope gives with what each user sees.
func TestEnterpriseContent(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	backendtest.Set(t, s, "box.scopes", contentScopes)
	subject := "enterprise:" + s.Ready().BoxEnterprise
	acting := backendtest.NewSink()
	want := backendtest.Walk(t, mustSignIn(t, s, subject, acting, func(c *box.Config) { c.Enterprise = true }), acting, nil)

	sink, w := backendtest.NewSink(), &wire{}
	b := mustSignIn(t, s, subject, sink, withContent, w.on)
	s.World().Stats.Reset()
	got := backendtest.Walk(t, b, sink, func(path string) bool { return strings.HasPrefix(path, "directory") })
	searches, users := backendtest.Requests(s, "/search"), len(sink.Names("users"))
	t.Logf("%d requests, of which %d searches, for %d users and %d directories", backendtest.Requests(s), searches, users, len(got.Dirs))
	if searches > 2*users {
		t.Errorf("%d searches for %d users", searches, users)
	}
	for _, r := range w.take() {
		if r.asUser != "" {
			t.Errorf("it acts as somebody: %+v", r)
		}
	}
	for _, gone := range []string{"files", "recent"} {
		if _, ok := got.Entries[gone]; ok != (gone == "files") {
			t.Errorf("%s: %v", gone, ok)
		}
	}
	seen, read := 0, 0
	for p, e := range got.Entries {
		if !strings.HasPrefix(p, "users/") || strings.Count(p, "/") < 3 {
			continue
		}
		o, ok := want.Entries[p]
		if !ok && !strings.HasPrefix(p, "users/frank@") || ok && (o.ID != e.ID || o.Version != e.Version || o.Size != e.Size) {
			t.Errorf("%s is %+v, by acting as the user %+v", p, e, o)
		}
		if seen++; !e.IsDir && e.Body == nil && seen%40 == 0 {
			read++
			if data, err := backendtest.Read(t.Context(), b, e); err != nil || int64(len(data)) != e.Size {
				if !unreadable(p, e) {
					t.Errorf("%s: %d bytes, %v", p, len(data), err)
				}
			}
		}
	}
	if seen < 1000 || read < 10 {
		t.Errorf("%d items, %d of them read", seen, read)
	}
	// All that a user owns is there, but for what no word finds: an empty folder, a web link.
	actor := startWorld(t, s, true)
	actor.stop()
	unfound := []string{
		"users/alice@contoso.com/files/Contoso intranet.url", "users/alice@contoso.com/files/Drop box", "users/alice@contoso.com/files/Empty folder",
		"users/bob@contoso.com/files/Pending invitation",
	}
	for p, e := range want.Entries {
		parts := strings.Split(p, "/")
		if _, ok := got.Entries[p]; ok || !strings.HasPrefix(p, "users/") || len(parts) < 4 || slices.Contains(unfound, strings.Join(parts[:4], "/")) {
			continue
		}
		kind, _, _ := strings.Cut(strings.SplitN(e.ID, "|", 2)[1], "|")
		owner := actor.call("GET", "/"+kind+"s/"+e.Info.ServiceID+"?fields=owned_by", "", nil)["owned_by"].(map[string]any)
		if owner["login"] == parts[1] {
			t.Errorf("%s is missing", p)
		}
	}
	if gaps := fmt.Sprint(b.Coverage()); !strings.Contains(gaps, "found by search") || !strings.Contains(gaps, "other enterprises own") || strings.Contains(gaps, "may not act") {
		t.Errorf("coverage %s", gaps)
	}
	if p := sink.Problems(); len(p) > 0 {
		t.Error(p)
	}
}

// TestEnterpriseContentFollows: what is new comes by the events of the enterprise, before the search knows of it, and stays.
func TestEnterpriseContentFollows(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	backendtest.Set(t, s, "box.scopes", contentScopes)
	backendtest.Set(t, s, "box.admin_delay_seconds", 0)
	w := startWorld(t, s, true)
	w.stop()
	w.sink = backendtest.NewSink()
	w.open(true, withContent)
	carol, bob := w.userID("carol@contoso.com"), w.userID("bob@contoso.com")
	w.as = carol
	w.list(w.b, w.sink, carol, "0")
	w.list(w.b, w.sink, bob, "0")
	w.goesLive(carol)
	w.list(w.b, w.sink, carol, "0")
	backendtest.Set(t, s, "box.search_lag_seconds", 600)
	folder := w.newFolder("qqq", "0")
	has := func(view, name string, want bool) func() string {
		return func() string {
			if _, ok := w.sink.Names(dir(view, "0"))[name]; ok != want {
				return fmt.Sprintf("%s shows %q: %v, %s", view, name, ok, w.names(view, "0"))
			}
			return ""
		}
	}
	w.eventually(has(carol, "qqq", true))
	w.list(w.b, w.sink, carol, "0", folder)
	if problem := has(carol, "qqq", true)(); problem != "" {
		t.Error("after another search: " + problem)
	}
	if problem := has(bob, "qqq", false)(); problem != "" {
		t.Error(problem)
	}
	file := w.newFile("inside", folder, "x")
	w.eventually(func() string {
		if names := w.names(carol, folder); names != "inside" {
			return names
		}
		return ""
	})
	w.move("file", file, "0")
	w.eventually(has(carol, "inside", true))

	// It is shared: that is nothing to the other's tree.
	w.do("POST", "/collaborations", object{
		"item": object{"type": "folder", "id": folder}, "accessible_by": object{"type": "user", "id": bob}, "role": "editor",
	})
	w.rename("folder", folder, "rrr")
	w.eventually(has(carol, "rrr", true))
	w.list(w.b, w.sink, bob, "0")
	if problem := has(bob, "rrr", false)(); problem != "" {
		t.Error(problem)
	}
	w.trash("folder", folder)
	w.eventually(has(carol, "rrr", false))
	w.list(w.b, w.sink, carol, "0")
	if problem := has(carol, "rrr", false)(); problem != "" {
		t.Error("after another search: " + problem)
	}
}

// TestEnterpriseContentRefused: without the scope it is said what is missing.
func TestEnterpriseContentRefused(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	sink := backendtest.NewSink()
	b := mustSignIn(t, s, "enterprise:"+s.Ready().BoxEnterprise, sink, withContent)
	err := b.List(t.Context(), find(t, b, sink, "users/carol@contoso.com/files").Dir, sink)
	if !errors.Is(err, backends.ErrForbidden) || errors.Is(err, backends.ErrNotFound) {
		t.Error(err)
	}
	if gaps := fmt.Sprint(b.Coverage()); !strings.Contains(gaps, "scope enterprise_content") {
		t.Error(gaps)
	}
	for _, other := range []func(*box.Config){asUser("carol@contoso.com"), func(c *box.Config) { c.Enterprise = true }} {
		if _, err := signIn(t, s, "enterprise:"+s.Ready().BoxEnterprise, sink, withContent, other); err == nil || !strings.Contains(err.Error(), "exclude each other") {
			t.Error(err)
		}
	}
}
