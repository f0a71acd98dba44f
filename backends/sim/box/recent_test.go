package box

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// recents reads all recent items by pages of a size.
func (f *fixture) recents(limit string) []doc {
	f.Helper()
	var all []doc
	for marker := ""; ; {
		d := f.get("/recent_items?limit=" + limit + "&marker=" + url.QueryEscape(marker))
		if d.obj("order").str("by") != "interacted_at" || d.str("limit") != limit {
			f.Errorf("page %v", d)
		}
		all = append(all, d.list("entries")...)
		if marker, _ = d["next_marker"].(string); marker == "" {
			return all
		}
	}
}

func TestRecentItems(t *testing.T) {
	f := start(t, core.Options{}, "")
	seeded := f.recents("100")
	if paged := f.recents("2"); len(paged) != len(seeded) || len(seeded) != 7 {
		t.Fatalf("%d at once, %d by pages, want 7", len(seeded), len(paged))
	}
	last := f.w.Clock.Now()
	for _, e := range seeded {
		at, err := time.Parse(time.RFC3339, e.str("interacted_at"))
		if err != nil || at.After(last) || f.w.Clock.Now().Sub(at) > 90*24*time.Hour {
			t.Errorf("interacted_at %s after %s", e.str("interacted_at"), last)
		}
		last = at
		if link, has := e["interaction_shared_link"]; e.str("type") != "recent_item" || !has || link != nil || e.obj("item").str("sha1") == "" || e.obj("item").obj("parent") == nil {
			t.Errorf("entry %v", e)
		}
	}
	readme := f.walk("README.txt").str("id")
	latest := func(want string) doc {
		t.Helper()
		e := f.recents("100")[0]
		if e.str("interaction_type") != want {
			t.Errorf("latest is %s of %s, want %s", e.str("interaction_type"), e.obj("item").str("name"), want)
		}
		return e.obj("item")
	}
	f.content(readme, "")
	if it := latest("item_open"); it.str("id") != readme {
		t.Errorf("after a download: %v", it)
	}
	if a := f.upload("/files/content", `{"name":"fresh.txt","parent":{"id":"0"}}`, "one"); a.status != 201 {
		t.Fatalf("upload: %d %s", a.status, a.body)
	}
	fresh := latest("item_upload").str("id")
	f.upload("/files/"+fresh+"/content", `{}`, "two")
	latest("item_modify")
	f.api("POST", "/comments", map[string]any{"message": "hm", "item": map[string]string{"type": "file", "id": readme}})
	if latest("item_comment").str("id") != readme {
		t.Error("after a comment")
	}
	if all := f.recents("100"); len(all) != 9 {
		t.Errorf("%d entries, want one for each of 9 items", len(all))
	}
	f.api("DELETE", "/files/"+fresh, nil)
	if all := f.recents("100"); slices.ContainsFunc(all, func(e doc) bool { return e.obj("item").str("id") == fresh }) {
		t.Error("an item in the trash is recent")
	}
	fields := f.get("/recent_items?fields=name,size&limit=1").list("entries")[0].obj("item")
	if fields.str("name") != "README.txt" || fields["size"] == nil || fields["sha1"] != nil {
		t.Errorf("with fields: %v", fields)
	}
	f.refused(f.api("GET", "/recent_items?marker=nonsense", nil), 400, "bad_request")

	// What is done under As-User is the user's own access.
	svc := f.service()
	if len(svc.recents("100")) != 0 {
		t.Error("the Service Account has recent items")
	}
	f.set("box.recent_downloads", false)
	bob := f.as("bob@contoso.com")
	if len(bob.recents("100")) != 0 {
		t.Error("Bob has recent items")
	}
	todo := bob.walk("todo.txt").str("id")
	svc.api("GET", "/files/"+todo+"/content", nil, "As-User", f.co.Bob().BoxID)
	if len(bob.recents("100")) != 0 {
		t.Error("a download counts although it is switched off")
	}
	f.set("box.recent_downloads", true)
	svc.api("GET", "/files/"+todo+"/content", nil, "As-User", f.co.Bob().BoxID)
	if got := bob.recents("100"); len(got) != 1 || got[0].obj("item").str("id") != todo {
		t.Errorf("Bob's recent items: %v", got)
	}
	f.w.Clock.Advance(91 * 24 * time.Hour)
	f.token = f.ccg("user", f.co.Alice().BoxID)
	if got := f.recents("100"); len(got) != 0 {
		t.Errorf("after 91 days: %d", len(got))
	}
}

// names of search hits.
func (f *fixture) search(query string) []string {
	f.Helper()
	d := f.get("/search?limit=200&" + query)
	var all []string
	for _, e := range d.list("entries") {
		all = append(all, e.str("name"))
	}
	return all
}

func TestSearch(t *testing.T) {
	f := start(t, core.Options{}, "")
	for _, name := range []string{"zebra report_2031.txt", "zebra.md", "Report on zebras.txt"} {
		if a := f.upload("/files/content", `{"name":"`+name+`","parent":{"id":"0"}}`, "x"); a.status != 201 {
			t.Fatalf("upload: %d %s", a.status, a.body)
		}
	}
	for query, want := range map[string]string{
		"zebra": "zebra report_2031.txt|zebra.md", "ZEBRA 2031": "zebra report_2031.txt|zebra.md", "zebra AND 2031": "zebra report_2031.txt",
		`"report 2031"`: "zebra report_2031.txt", `"2031 report"`: "", "zebra AND NOT report": "zebra.md", "zeb": "", "zeb*": "",
		"zebras OR md AND zebra": "Report on zebras.txt|zebra.md",
	} {
		if got := strings.Join(f.search("query="+url.QueryEscape(query)), "|"); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if got := f.search("query=zebra&file_extensions=md,pdf"); len(got) != 1 || got[0] != "zebra.md" {
		t.Errorf("by extension: %v", got)
	}
	f.refused(f.api("GET", "/search?query=+*+", nil), 400, "bad_request")
	f.refused(f.api("GET", "/search?query=x&ancestor_folder_ids=4711", nil), 404, "not_found")
	f.refused(f.api("GET", "/search?query=x&scope=enterprise_content", nil), 403, "insufficient_scope")
	f.set("box.search_lag_seconds", 600)
	if got := f.search("query=zebra"); len(got) != 0 {
		t.Errorf("found before the index knows it: %v", got)
	}
	f.w.Clock.Advance(10 * time.Minute)
	if got := f.search("query=zebra&ancestor_folder_ids=0"); len(got) != 2 {
		t.Errorf("ten minutes later: %v", got)
	}
}

// TestEnterpriseContent reads all content of the enterprise without being anybody else.
func TestEnterpriseContent(t *testing.T) {
	f := start(t, core.Options{}, "")
	work := f.as("bob@contoso.com").walk("Work").str("id")
	audit := f.walk("Audit Fabrikam 2026").str("id")
	f.service().refused(f.service().api("GET", "/folders/"+work, nil), 404, "not_found")

	f.set("box.scopes", f.w.Switches.String("box.scopes")+" enterprise_content")
	svc := f.service()
	dir := svc.get("/folders/" + work + "?fields=name,path_collection,owned_by,permissions")
	if dir.str("name") != "Work" || dir.obj("owned_by").str("login") != "bob@contoso.com" || len(dir.obj("path_collection").list("entries")) != 1 ||
		dir.obj("permissions")["can_download"] != true || dir.obj("permissions")["can_delete"] != false {
		t.Errorf("Bob's folder: %v", dir)
	}
	for name, e := range svc.list(work, "") {
		if e.str("type") == "file" {
			if a := svc.content(e.str("id"), ""); a.status != 200 || len(a.body) == 0 {
				t.Errorf("%s: %d", name, a.status)
			}
		}
	}
	if got := svc.list("0", ""); len(got) != 0 {
		t.Errorf("folder 0 has %v", got)
	}
	svc.refused(svc.api("GET", "/folders/"+audit, nil), 404, "not_found")
	svc.refused(svc.api("POST", "/folders", map[string]any{"name": "x", "parent": map[string]string{"id": work}}), 403, "access_denied_insufficient_permissions")
	if a := svc.api("POST", "/folders", map[string]any{"name": "x", "parent": map[string]string{"id": work}}, "As-User", f.co.Bob().BoxID); a.status != 201 {
		t.Errorf("writing under As-User: %d %s", a.status, a.body)
	}

	all := svc.get("/search?query=work&scope=enterprise_content&type=folder&limit=200").list("entries")
	mine := svc.get("/search?query=work&scope=enterprise_content&type=folder&limit=200&owner_user_ids=" + f.co.Bob().BoxID).list("entries")
	if len(all) < 5 || len(mine) != 1 || mine[0].str("id") != work {
		t.Errorf("%d folders, of Bob %v", len(all), mine)
	}
	if d := svc.get("/search?query=work"); d.str("total_count") != "0" {
		t.Errorf("search in the Service Account's own: %v", d)
	}
	// Hits of another enterprise are counted and not shown.
	d := svc.get("/search?query=fabrikam&scope=enterprise_content&owner_user_ids=" + f.co.Guests[0].BoxID)
	if d.str("total_count") == "0" || len(d.list("entries")) != 0 {
		t.Errorf("search in another enterprise: %v", d)
	}

	// An administrator has it, too, an ordinary user gains nothing and loses nothing.
	grace := f.as("grace@contoso.com")
	grace.get("/folders/" + work)
	grace.refused(grace.api("POST", "/folders", map[string]any{"name": "x", "parent": map[string]string{"id": "0"}}), 403, "access_denied_insufficient_permissions")
	alice := f.as("alice@contoso.com")
	alice.refused(alice.api("GET", "/folders/"+work, nil), 404, "not_found")
	alice.get("/folders/" + audit)
	alice.refused(alice.api("GET", "/search?query=x&scope=enterprise_content", nil), 403, "insufficient_scope")
}
