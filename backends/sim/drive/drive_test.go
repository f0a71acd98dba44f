package drive

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/simtest"
)

type fixture struct {
	*simtest.Host
	svc   *Service
	team  *Drive
	alice *simtest.Client
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{Host: simtest.New(t, 0)}
	f.svc = New(f.World, f.Graph, f.Company)
	f.World.Hosts.DriveDownload = f.Serve(f.svc.Downloads())
	alice := f.Company.Alice()
	f.team = f.svc.Store.AddDrive("team", "/sites/Test", Drive{Type: "documentLibrary", SiteName: "Test", Created: simtest.Now.AddDate(-2, 0, 0),
		GroupID: f.Company.Group("engineering").ID, Readers: func(id string) bool { return id == alice.ID }})
	sd := f.svc.Store.Seeder("test", simtest.Now)
	general := sd.Folder(f.team, f.team.Root, "General")
	sd.Awkward(f.team, general)
	f.alice = f.As(alice)
	return f
}

// path gives the address of an item of the team's drive by path.
func (f *fixture) path(p string) string {
	var escaped []string
	for _, s := range strings.Split(p, "/") {
		escaped = append(escaped, url.PathEscape(s))
	}
	return "/drives/" + f.team.ID + "/root:/" + strings.Join(escaped, "/")
}

func TestAddressing(t *testing.T) {
	f := newFixture(t)
	byPath := f.alice.Get(f.path("General/résumé – Zoë.docx"))
	id := byPath.JSON["id"].(string)
	if byPath.JSON["name"] != "résumé – Zoë.docx" {
		t.Fatalf("name %v", byPath.JSON["name"])
	}
	general := f.alice.Get(f.path("general")).JSON["id"].(string) // names ignore case
	for _, p := range []string{
		"/drives/" + f.team.ID + "/items/" + id,
		"/drives/" + f.team.ID + "/items('" + id + "')",
		"/groups/" + f.Company.Group("engineering").ID + "/drive/items/" + id,
		"/sites/" + url.PathEscape(f.team.SiteID) + "/drive/items/" + id,
		"/drives/" + f.team.ID + "/items/" + general + ":/" + url.PathEscape("résumé – Zoë.docx"),
		"/drives/" + f.team.ID + "/items/" + url.PathEscape("root:/General/résumé – Zoë.docx:"),
		"/drives/" + f.team.ID + "/items/root:/General/" + url.PathEscape("résumé – Zoë.docx"),
		"/shares/u!" + base64.RawURLEncoding.EncodeToString([]byte(f.team.WebURL(f.team.items[id]))) + "/driveItem",
		"/shares/u!" + base64.URLEncoding.EncodeToString([]byte(byPath.JSON["webUrl"].(string))) + "/driveItem",
	} {
		if got := f.alice.Get(p).JSON["id"]; got != id {
			t.Errorf("%s: %v, want %s", p, got, id)
		}
	}
	ref := byPath.JSON["parentReference"].(map[string]any)
	if ref["id"] != general || ref["path"] != "/drives/"+f.team.ID+"/root:/General" {
		t.Errorf("parentReference %v", ref)
	}
	if r := f.alice.Do("GET", f.path("General/nothing"), nil); r.Status != 404 || r.Code() != "itemNotFound" {
		t.Errorf("missing item: %d %s", r.Status, r.Body)
	}
	if site := f.alice.Get("/sites/contoso.sharepoint.com:/sites/Test"); site.JSON["id"] != f.team.SiteID {
		t.Errorf("site %v", site.JSON)
	}
	if drives := f.alice.Get("/me/drives").Items(); len(drives) != 1 || drives[0]["driveType"] != "business" {
		t.Errorf("drives %v", drives)
	}
}

func TestAccess(t *testing.T) {
	f := newFixture(t)
	carol := f.As(f.Company.Carol())
	if r := carol.Do("GET", "/drives/"+f.team.ID+"/root", nil); r.Status != 403 || r.Code() != "accessDenied" {
		t.Errorf("stranger: %d %s", r.Status, r.Body)
	}
	own := f.As(f.Company.Alice(), "Files.Read")
	own.Get("/me/drive/root/children")
	if r := own.Do("GET", "/drives/"+f.team.ID+"/root", nil); r.Status != 403 {
		t.Errorf("Files.Read reads a team's drive: %d", r.Status)
	}
	f.App().Get("/users/" + f.Company.Carol().ID + "/drive/root")
	// The shortcut leads into Bob's drive, of which Alice may see that folder alone.
	var remote map[string]any
	for _, it := range f.alice.Get("/me/drive/root/children").Items() {
		if m, ok := it["remoteItem"].(map[string]any); ok {
			remote = m
		}
	}
	drive := remote["parentReference"].(map[string]any)["driveId"].(string)
	if kids := f.alice.Get(fmt.Sprintf("/drives/%s/items/%s/children", drive, remote["id"])).Items(); len(kids) != 3 {
		t.Errorf("%d shared files", len(kids))
	}
	if r := f.alice.Do("GET", "/drives/"+drive+"/root/children", nil); r.Status != 403 {
		t.Errorf("Bob's root: %d", r.Status)
	}
	// Of the permissions she sees hers, and Bob all.
	folder := fmt.Sprintf("/drives/%s/items/%s/permissions", drive, remote["id"])
	if own, all := f.alice.Get(folder).Items(), f.As(f.Company.Bob()).Get(folder).Items(); len(own) != 1 || len(all) != 3 || own[0]["roles"].([]any)[0] != "read" {
		t.Errorf("permissions: Alice sees %v, Bob %v", own, all)
	}
	f.Set(switchLocked, "Test")
	if r := f.alice.Do("GET", "/drives/"+f.team.ID+"/root", nil); r.Status != 423 {
		t.Errorf("locked: %d", r.Status)
	}
}

func TestChildrenPages(t *testing.T) {
	f := newFixture(t)
	all, _ := f.alice.All(f.path("General") + ":/children")
	paged, _ := f.alice.All(f.path("General") + ":/children?$top=3&$select=name")
	if len(all) != len(paged) || len(all) < 15 {
		t.Fatalf("%d and %d", len(all), len(paged))
	}
	for i := range all {
		if all[i]["name"] != paged[i]["name"] {
			t.Errorf("%d: %v and %v", i, all[i]["name"], paged[i]["name"])
		}
		if i > 0 && strings.ToLower(all[i-1]["name"].(string)) >= strings.ToLower(all[i]["name"].(string)) {
			t.Errorf("%v before %v", all[i-1]["name"], all[i]["name"])
		}
		if _, has := paged[i]["size"]; has {
			t.Errorf("$select ignored: %v", paged[i])
		}
	}
	folder := f.alice.Get(f.path("General"))
	if r := f.alice.Do("GET", f.path("General")+":/children", nil, "If-None-Match", folder.JSON["eTag"].(string)); r.Status != 304 {
		t.Errorf("unchanged folder: %d", r.Status)
	}
	f.alice.Do("PUT", f.path("General/new.txt")+":/content", []byte("x"))
	if r := f.alice.Do("GET", f.path("General")+":/children", nil, "If-None-Match", folder.JSON["eTag"].(string)); r.Status != 200 {
		t.Errorf("changed folder: %d", r.Status)
	}
}

func TestContent(t *testing.T) {
	f := newFixture(t)
	item := f.alice.Get(f.path("General/load-test.bin"))
	if item.JSON["size"].(float64) != bigFile {
		t.Fatalf("size %v", item.JSON["size"])
	}
	redirect := f.alice.Do("GET", f.path("General/load-test.bin")+":/content", nil)
	loc := redirect.Header.Get("Location")
	if redirect.Status != 302 || !strings.HasPrefix(loc, f.World.Hosts.DriveDownload+"/") || loc != item.JSON["@microsoft.graph.downloadUrl"] {
		t.Fatalf("%d %s", redirect.Status, loc)
	}
	anon := f.Anonymous()
	want := make([]byte, 100)
	if _, err := f.team.Root.childAt("General", "load-test.bin").Content.ReadAt(want, 1<<20); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	part := anon.Do("GET", loc, nil, "Range", "bytes=1048576-1048675")
	if part.Status != 206 || part.Header.Get("Content-Range") != fmt.Sprintf("bytes 1048576-1048675/%d", bigFile) || !bytes.Equal(part.Body, want) {
		t.Errorf("range: %d %s", part.Status, part.Header.Get("Content-Range"))
	}
	if r := anon.Do("GET", loc, nil, "Range", fmt.Sprintf("bytes=%d-", bigFile)); r.Status != 416 {
		t.Errorf("past the end: %d", r.Status)
	}
	if r := f.alice.Do("GET", loc, nil); r.Status != 401 {
		t.Errorf("with Authorization: %d", r.Status)
	}
	if r := anon.Do("GET", loc+"x", nil); r.Status != 401 && r.Status != 400 {
		t.Errorf("altered: %d", r.Status)
	}
	f.Set(switchIgnoreRange, 100)
	small := f.alice.Do("GET", f.path("General/Roadmap.md")+":/content", nil).Header.Get("Location")
	if r := anon.Do("GET", small, nil, "Range", "bytes=2-4"); r.Status != 200 || len(r.Body) < 10 {
		t.Errorf("ignored range: %d", r.Status)
	}
	f.World.Clock.Advance(downloadLife + time.Minute)
	if r := anon.Do("GET", loc, nil); r.Status != 401 {
		t.Errorf("expired: %d", r.Status)
	}
	for _, tag := range []string{"eTag", "cTag"} {
		if r := f.alice.Do("GET", f.path("General/load-test.bin")+":/content", nil, "If-None-Match", item.JSON[tag].(string)); r.Status != 304 {
			t.Errorf("%s: %d", tag, r.Status)
		}
	}
}

// childAt finds an item by names.
func (it *Item) childAt(names ...string) *Item { return walk(it, strings.Join(names, "/")) }

func TestAwkwardItems(t *testing.T) {
	f := newFixture(t)
	get := func(name string) map[string]any { return f.alice.Get(f.path("General/" + name)).JSON }
	if m := get("just uploaded.pdf")["file"].(map[string]any); m["hashes"] != nil {
		t.Errorf("fresh file has hashes: %v", m)
	}
	hashes := get("empty.txt")["file"].(map[string]any)["hashes"].(map[string]any)
	if len(hashes) != 1 || hashes["quickXorHash"] != "AAAAAAAAAAAAAAAAAAAAAAAAAAA=" {
		t.Errorf("hashes %v", hashes)
	}
	malware := f.alice.Do("GET", f.path("General/invoice_scan.exe")+":/content", nil)
	if malware.Code() != "malwareDetected" || malware.Header.Get("X-Virus-Infected") != "true" || get("invoice_scan.exe")["malware"] == nil {
		t.Errorf("malware: %d %s", malware.Status, malware.Body)
	}
	if book := get("Team Notebook"); book["package"].(map[string]any)["type"] != "oneNote" || book["folder"] != nil {
		t.Errorf("notebook %v", book)
	}
	doc := get("Promoted properties.docx")
	body := f.Anonymous().Get(doc["@microsoft.graph.downloadUrl"].(string)).Body
	if int(doc["size"].(float64)) == len(body) || !bytes.HasPrefix(body, []byte("PK")) {
		t.Errorf("size %v, download %d", doc["size"], len(body))
	}
	versions := f.alice.Get(f.path("General/Roadmap.md") + ":/versions").Items()
	if len(versions) != 4 || versions[0]["id"] != "4.0" {
		t.Fatalf("versions %v", versions)
	}
	if now := f.alice.Get(f.path("General/Roadmap.md") + ":/versions/4.0").JSON; now["size"] != versions[0]["size"] || now["id"] != "4.0" {
		t.Errorf("current version %v, listed %v", now, versions[0])
	}
	if r := f.alice.Do("GET", f.path("General/Roadmap.md")+":/versions/4.0/content", nil); r.Status != 400 {
		t.Errorf("content of the current version: %d", r.Status)
	}
	if r := f.alice.Do("GET", f.path("General/Roadmap.md")+":/versions/5.0", nil); r.Status != 404 {
		t.Errorf("version to come: %d", r.Status)
	}
	old := f.alice.Do("GET", f.path("General/Roadmap.md")+":/versions/2.0/content", nil)
	if got := f.Anonymous().Get(old.Header.Get("Location")).Body; string(got) != "# Roadmap\n\nDraft 2\n" {
		t.Errorf("version 2 is %q", got)
	}
	perms := f.alice.Get(f.path("General/Shared with auditors.pdf") + ":/permissions").Items()
	if len(perms) != 2 || perms[1]["link"].(map[string]any)["type"] != "view" {
		t.Errorf("permissions %v", perms)
	}
	if only := f.alice.Get(f.path("General/empty.txt") + "?$select=id,content.downloadUrl").JSON; only["name"] != nil || only["@microsoft.graph.downloadUrl"] == nil {
		t.Errorf("selected %v", only)
	}
}

func TestDelta(t *testing.T) {
	f := newFixture(t)
	delta := "/drives/" + f.team.ID + "/root/delta"
	items, last := f.alice.All(delta + "?$top=5")
	seen, repeated, childFirst := map[string]int{}, false, false
	for i, it := range items {
		id := it["id"].(string)
		_, before := seen[id]
		repeated = repeated || before
		seen[id] = i
		ref := it["parentReference"].(map[string]any)
		if ref["path"] != nil || it["cTag"] != nil {
			t.Errorf("path or cTag in %v", it)
		}
		if parent, ok := ref["id"].(string); ok {
			if _, before := seen[parent]; !before {
				childFirst = true
			}
		}
	}
	if len(seen) != len(f.team.items) || !repeated || !childFirst {
		t.Errorf("%d of %d items, repeated %v, child first %v", len(seen), len(f.team.items), repeated, childFirst)
	}
	link := last.Link("@odata.deltaLink")
	again := f.alice.Get(link)
	if len(again.Items()) != 0 || again.Link("@odata.deltaLink") != link {
		t.Errorf("idle round: %d items, link changed: %v", len(again.Items()), again.Link("@odata.deltaLink") != link)
	}
	latest := f.alice.Get(delta + "?token=latest")
	if len(latest.Items()) != 0 {
		t.Errorf("latest has items")
	}
	f.alice.Get("/drives/" + f.team.ID + "/root/delta(token='latest')")
	group := f.alice.Get("/groups/" + f.Company.Group("engineering").ID + "/drive/root/delta?token=latest")
	if next := f.alice.Get(group.Link("@odata.deltaLink")); len(group.Items())+len(next.Items()) != 0 {
		t.Errorf("a group's latest has %d items, its link %d", len(group.Items()), len(next.Items()))
	}
	recent := f.alice.Get(delta + "?token=2026-10-01T00%3A00%3A00Z").Items()
	if len(recent) == 0 || len(recent) >= len(seen) {
		t.Errorf("%d items since October", len(recent))
	}

	file := f.alice.Get(f.path("General/empty.txt")).JSON["id"].(string)
	if r := f.alice.Do("DELETE", "/drives/"+f.team.ID+"/items/"+file, nil); r.Status != 204 {
		t.Fatalf("delete: %d %s", r.Status, r.Body)
	}
	for _, from := range []string{link, latest.Link("@odata.deltaLink")} {
		changes := map[string]map[string]any{}
		for _, it := range f.alice.Get(from).Items() {
			changes[it["id"].(string)] = it
		}
		gone := changes[file]
		if gone == nil || gone["deleted"].(map[string]any)["state"] != "deleted" || gone["name"] != nil || changes[f.team.Root.ID] == nil {
			t.Errorf("after delete: %v", changes)
		}
	}
	f.Set(switchDeltaEpoch, 2)
	r := f.alice.Do("GET", link, nil)
	if r.Status != 410 || r.Code() != "resyncChangesApplyDifferences" {
		t.Fatalf("old epoch: %d %s", r.Status, r.Body)
	}
	fresh, _ := f.alice.All(r.Header.Get("Location"))
	if len(fresh) < len(f.team.items) {
		t.Errorf("resync gave %d items", len(fresh))
	}
}

func TestWrites(t *testing.T) {
	f := newFixture(t)
	var heard []Change
	f.svc.Store.OnChange(func(c Change) { heard = append(heard, c) })
	root := "/drives/" + f.team.ID + "/root/children"
	folder := f.alice.Do("POST", root, map[string]any{"name": "Neu", "folder": map[string]any{}})
	if folder.Status != 201 {
		t.Fatalf("folder: %d %s", folder.Status, folder.Body)
	}
	if r := f.alice.Do("POST", root, map[string]any{"name": "NEU", "folder": map[string]any{}}); r.Status != 409 || r.Code() != "nameAlreadyExists" {
		t.Errorf("twin: %d %s", r.Status, r.Body)
	}
	second := f.alice.Do("POST", root, map[string]any{"name": "Neu", "folder": map[string]any{}, "@microsoft.graph.conflictBehavior": "rename"})
	if second.JSON["name"] != "Neu 1" {
		t.Errorf("renamed twin: %s", second.Body)
	}
	if r := f.alice.Do("PUT", f.path("Neu/a|b.txt")+":/content", []byte("x")); r.Status != 400 {
		t.Errorf("bad name: %d", r.Status)
	}
	file := f.alice.Do("PUT", f.path("Neu/note.txt")+":/content", []byte("one"))
	if file.Status != 201 || file.JSON["size"] != 3.0 {
		t.Fatalf("upload: %d %s", file.Status, file.Body)
	}
	id := file.JSON["id"].(string)
	item := "/drives/" + f.team.ID + "/items/" + id
	if r := f.alice.Do("PUT", item+"/content", []byte("three"), "If-Match", `"other"`); r.Status != 412 {
		t.Errorf("If-Match: %d", r.Status)
	}
	changed := f.alice.Do("PUT", item+"/content", []byte("three"))
	if changed.JSON["cTag"] == file.JSON["cTag"] || changed.JSON["id"] != id {
		t.Errorf("new content: %s", changed.Body)
	}
	moved := f.alice.Do("PATCH", item, map[string]any{"name": "memo.txt", "parentReference": map[string]any{"id": second.JSON["id"]}})
	if moved.Status != 200 || moved.JSON["cTag"] != changed.JSON["cTag"] || moved.JSON["eTag"] == changed.JSON["eTag"] {
		t.Errorf("move: %d %s", moved.Status, moved.Body)
	}
	if got := f.Anonymous().Get(f.alice.Do("GET", f.path("Neu 1/memo.txt")+":/content", nil).Header.Get("Location")).Body; string(got) != "three" {
		t.Errorf("content %q", got)
	}
	if r := f.alice.Get("/drives/" + f.team.ID + "/items/" + second.JSON["id"].(string)); r.JSON["size"] != 5.0 || r.JSON["folder"].(map[string]any)["childCount"] != 1.0 {
		t.Errorf("folder after move: %s", r.Body)
	}
	if r := f.alice.Do("PATCH", "/drives/"+f.team.ID+"/items/"+second.JSON["id"].(string), map[string]any{"parentReference": map[string]any{"id": second.JSON["id"]}}); r.Status != 400 {
		t.Errorf("folder into itself: %d", r.Status)
	}
	if r := f.As(f.Company.Alice(), "Files.Read.All").Do("DELETE", item, nil); r.Status != http.StatusForbidden {
		t.Errorf("delete without the scope: %d", r.Status)
	}
	f.alice.Do("DELETE", "/drives/"+f.team.ID+"/items/"+second.JSON["id"].(string), nil)
	if r := f.alice.Do("GET", item, nil); r.Status != 404 {
		t.Errorf("file of a deleted folder: %d", r.Status)
	}
	if len(heard) != 6 || !heard[5].Deleted || heard[2].ItemID != id {
		t.Errorf("heard %+v", heard)
	}
}

func TestAfterUpload(t *testing.T) {
	f := newFixture(t)
	doc := f.alice.Do("PUT", f.path("General/up.docx")+":/content", company.DOCX("x", nil))
	now := f.alice.Get(f.path("General/up.docx"))
	if now.JSON["size"] == doc.JSON["size"] || now.JSON["cTag"] != doc.JSON["cTag"] || now.JSON["eTag"] == doc.JSON["eTag"] {
		t.Errorf("uploaded %s, now %s", doc.Body, now.Body)
	}
	hashes := func() any { return f.alice.Get(f.path("General/up.docx")).JSON["file"].(map[string]any)["hashes"] }
	if hashes() != nil {
		t.Error("a hash at once")
	}
	f.World.Clock.Advance(2 * hashDelay)
	if hashes() == nil {
		t.Error("no hash later")
	}
}

func TestAwkwardPages(t *testing.T) {
	f := newFixture(t)
	want, _ := f.alice.All(f.path("General") + ":/children")
	f.Set("graph.awkward_pages", true)
	for i := range 40 {
		f.alice.Do("PUT", f.path(fmt.Sprintf("General/%03d.txt", i))+":/content", []byte("x"))
	}
	got, _ := f.alice.All(f.path("General") + ":/children?$top=10")
	changed, _ := f.alice.All("/drives/" + f.team.ID + "/root/delta?$top=10")
	seen := map[any]bool{}
	for _, it := range changed {
		seen[it["id"]] = true
	}
	if len(got) != len(want)+40 || len(seen) != len(f.team.items) {
		t.Errorf("%d children of %d, %d items of %d", len(got), len(want)+40, len(seen), len(f.team.items))
	}
}

func TestMimeTypes(t *testing.T) {
	if got := mimeType("a.DOCX"); got != company.ContentType("docx") {
		t.Error(got)
	}
}
