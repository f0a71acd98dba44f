package box

import (
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/workfs/workfs/backends/sim/core"
)

func TestRootAndFields(t *testing.T) {
	f := start(t, core.Options{}, "")
	root := f.get("/folders/0")
	for _, k := range []string{"etag", "sequence_id", "created_at", "modified_at", "content_created_at", "parent"} {
		if v, ok := root[k]; !ok || v != nil {
			t.Errorf("root: %s = %v, want null", k, v)
		}
	}
	if root.str("name") != "All Files" || root.obj("path_collection").str("total_count") != "0" || root.obj("created_by").str("login") != "" {
		t.Errorf("root: %v", root)
	}
	if n := len(root.obj("item_collection").list("entries")); n == 0 || n > 100 {
		t.Errorf("item_collection has %d entries", n)
	}
	file := f.walk("README.txt")
	d := f.get("/files/" + file.str("id"))
	if want := fmt.Sprintf("%x", sha1.Sum([]byte("Alice's files.\n"))); d.str("size") != "15" || d.str("sha1") != want || d.obj("file_version").str("sha1") != want {
		t.Errorf("file: %v", d)
	}
	if _, has := d["permissions"]; has {
		t.Error("a full field came without being named")
	}
	named := f.get("/files/" + file.str("id") + "?fields=size,permissions,nonsense")
	if len(named) != 5 || named.obj("permissions")["can_download"] != true {
		t.Errorf("named fields: %v", named)
	}
	for _, e := range f.get("/folders/0/items?fields=size").list("entries") {
		want := 4
		if e.str("type") == "web_link" {
			want = 3 // it has no size
		}
		if len(e) != want || e["id"] == nil || e["etag"] == nil {
			t.Errorf("listing with fields has more or less than base and named: %v", e)
		}
	}
	items := f.get("/folders/0/items?limit=1000").list("entries")
	for _, e := range items {
		if _, has := e["size"]; has {
			t.Errorf("a mini item has a size: %v", e)
		}
	}
}

func TestConditionalAndErrors(t *testing.T) {
	f := start(t, core.Options{}, "")
	file := f.walk("README.txt")
	id, tag := file.str("id"), file.str("etag")
	if a := f.api("GET", "/files/"+id, nil, "If-None-Match", tag); a.status != 304 || len(a.body) != 0 {
		t.Errorf("same etag: %d %q", a.status, a.body)
	}
	if a := f.api("GET", "/files/"+id, nil, "If-None-Match", tag+"1"); a.status != 200 {
		t.Errorf("other etag: %d", a.status)
	}
	if a := f.api("GET", "/folders/0/items", nil, "If-None-Match", "0"); a.status != 200 {
		t.Errorf("items know no etag: %d", a.status)
	}
	d := f.refused(f.api("GET", "/folders/123", nil), 404, "not_found")
	if e := d.obj("context_info").list("errors"); e[0].str("name") != "folder" || !strings.Contains(e[0].str("message"), "d_123") {
		t.Errorf("not found: %v", d)
	}
	f.refused(f.api("GET", "/files/abc", nil), 405, "method_not_allowed")
	f.refused(f.api("GET", "/files/"+id+"/nothing", nil), 404, "not_found")
	a := f.api("GET", "/files/1", nil)
	if h := a.header.Get("Box-Request-Id"); h == "" || h == a.doc(t).str("request_id") {
		t.Errorf("box-request-id %q, body %s", h, a.body)
	}
	// Another user's items look as if they were not there.
	bobs := f.as("bob@contoso.com").walk("todo.txt").str("id")
	f.refused(f.api("GET", "/files/"+bobs, nil), 404, "not_found")
}

func TestOffsetPages(t *testing.T) {
	f := start(t, core.Options{}, "")
	id := f.walk("Many files").str("id")
	seen := map[string]bool{}
	for offset := 0; offset < 1500; offset += 1000 {
		d := f.get(fmt.Sprintf("/folders/%s/items?limit=4000&offset=%d", id, offset))
		if d.str("limit") != "1000" || d.str("total_count") != "1500" {
			t.Fatalf("page: limit %s total %s", d.str("limit"), d.str("total_count"))
		}
		for _, e := range d.list("entries") {
			seen[e.str("id")] = true
		}
	}
	if len(seen) != 1500 {
		t.Errorf("%d different items, want 1500", len(seen))
	}
	d := f.get("/folders/" + id + "/items?limit=2&sort=name&direction=desc")
	if e := d.list("entries"); e[0].str("name") != "record-001499.txt" || d.list("order")[1].str("direction") != "DESC" {
		t.Errorf("descending: %v", d)
	}
	bad := f.refused(f.api("GET", "/folders/"+id+"/items?offset=100001", nil), 400, "bad_request")
	if e := bad.obj("context_info").list("errors"); e[0].str("name") != "offset" || e[0].str("reason") != "invalid_parameter" {
		t.Errorf("offset too high: %v", bad)
	}
	f.refused(f.api("GET", "/folders/"+id+"/items?limit=x", nil), 400, "invalid_limit")
	f.refused(f.api("GET", "/folders/"+id+"/items?marker=x", nil), 400, "bad_request")
	f.refused(f.api("GET", "/folders/"+id+"/items?usemarker=true&marker=x", nil), 400, "bad_request")
	f.refused(f.api("GET", "/folders/0/items?usemarker=true&sort=name", nil), 400, "bad_request")
}

func TestMarkersHoldWhileTheFolderChanges(t *testing.T) {
	f := start(t, core.Options{}, "")
	id := f.walk("Many files").str("id")
	want := map[string]bool{}
	for _, e := range f.list(id, "name") {
		want[e.str("id")] = true
	}
	got := map[string]int{}
	marker := ""
	for page := 0; ; page++ {
		d := f.get("/folders/" + id + "/items?usemarker=true&limit=200&fields=name&marker=" + url.QueryEscape(marker))
		if _, has := d["total_count"]; has {
			t.Error("total_count with markers")
		}
		entries := d.list("entries")
		for _, e := range entries {
			got[e.str("id")]++
		}
		var ok bool
		if marker, ok = d["next_marker"].(string); !ok || marker == "" {
			break
		}
		// What was served is renamed to the end, and something served already goes away.
		f.api("PUT", "/files/"+entries[0].str("id"), map[string]any{"name": fmt.Sprintf("zzz %d", page)})
		f.api("DELETE", "/files/"+entries[1].str("id"), nil)
	}
	for n := range want {
		if got[n] != 1 {
			t.Errorf("item %s came %d times", n, got[n])
		}
	}
}

func TestEndsOfMarkerListings(t *testing.T) {
	f := start(t, core.Options{}, "")
	id := f.walk("Empty folder").str("id")
	ends := map[string]bool{}
	for range 6 {
		v, has := f.get("/folders/" + id + "/items?usemarker=true")["next_marker"]
		ends[fmt.Sprint(has, v)] = true
	}
	if !ends["true"] || !ends["true <nil>"] || !ends["false <nil>"] {
		t.Errorf("ends of listings: %v, want null, empty and absent", ends)
	}
}

func TestMarkersWithAnOrder(t *testing.T) {
	f := start(t, core.Options{}, "")
	id := f.walk("Many files").str("id")
	var names []string
	for marker := ""; ; {
		d := f.get("/folders/" + id + "/items?usemarker=true&limit=400&sort=name&direction=DESC&marker=" + url.QueryEscape(marker))
		for _, e := range d.list("entries") {
			names = append(names, e.str("name"))
		}
		if marker, _ = d["next_marker"].(string); marker == "" {
			break
		}
	}
	if len(names) != 1500 || names[0] != "record-001499.txt" || names[1499] != "record-000000.txt" {
		t.Errorf("%d names from %s to %s", len(names), names[0], names[len(names)-1])
	}
}

func TestAwkwardFolder(t *testing.T) {
	f := start(t, core.Options{}, "")
	id := f.walk(AwkwardFolder).str("id")
	empty, unknown, numbers, extra := false, false, false, false
	files := map[string]bool{}
	for marker := ""; ; {
		d := f.get("/folders/" + id + "/items?usemarker=true&limit=6&fields=name,size,parent&marker=" + url.QueryEscape(marker))
		entries := d.list("entries")
		empty = empty || len(entries) == 0
		for _, e := range entries {
			_, isNumber := e["id"].(json.Number)
			numbers = numbers || isNumber
			if e.str("type") == "hologram" {
				unknown = true
				continue
			}
			files[e.str("id")] = true
			_, more := e["x_color_index"]
			extra = extra || more
			if e.str("type") == "folder" && !strings.Contains(e.str("size"), "e+") {
				t.Errorf("folder size %s is not in exponent form", e.str("size"))
			}
		}
		if marker, _ = d["next_marker"].(string); marker == "" {
			break
		}
	}
	if !empty || !unknown || !numbers || !extra {
		t.Errorf("empty page %v, unknown type %v, ids as numbers %v, extra fields %v", empty, unknown, numbers, extra)
	}
	d := f.get("/folders/" + id + "/items?limit=1000")
	// One item is counted that nobody sees, one of unknown type is seen that is not counted.
	if n := len(d.list("entries")); d.str("total_count") != fmt.Sprint(len(files)+1) || n != len(files)+1 {
		t.Errorf("total %s, %d entries, %d files", d.str("total_count"), n, len(files))
	}
	f.set("box.plain_listings", true)
	for _, e := range f.get("/folders/" + id + "/items?limit=1000").list("entries") {
		if _, ok := e["id"].(string); !ok || e.str("type") == "hologram" {
			t.Errorf("plain listing has %v", e)
		}
	}
}

func TestTimesAndNames(t *testing.T) {
	f := start(t, core.Options{}, "")
	offsets, null := map[string]bool{}, false
	var visit func(id string)
	visit = func(id string) {
		for _, e := range f.list(id, "name,type,modified_at,content_modified_at") {
			if at := e.str("modified_at"); len(at) == 25 {
				offsets[at[19:]] = true
				if _, err := time.Parse(time.RFC3339, at); err != nil {
					t.Errorf("time: %v", err)
				}
			}
			null = null || e["content_modified_at"] == nil && e.str("type") == "file"
			if e.str("type") == "folder" && e.str("name") != "Many files" {
				visit(e.str("id"))
			}
		}
	}
	visit("0")
	if !offsets["-07:00"] || !offsets["-08:00"] || !offsets["+00:00"] || !null {
		t.Errorf("offsets %v, null content_modified_at %v", offsets, null)
	}
	longest, forms := 0, 0
	for name := range f.list(f.walk("Odd names").str("id"), "name") {
		if n := utf8.RuneCountInString(name); n > 255 {
			t.Errorf("%q has %d characters", name, n)
		}
		longest = max(longest, len(name))
		if name == "caf\u00e9.txt" || name == "cafe\u0301.txt" {
			forms++
		}
	}
	if longest != 251*4+4 || forms != 2 {
		t.Errorf("longest name has %d bytes, %d forms of café", longest, forms)
	}
}

func TestSharedItems(t *testing.T) {
	f := start(t, core.Options{}, "")
	root := f.list("0", "name,permissions,path_collection,parent,owned_by,type")
	board := root["Board papers"]
	if board == nil || board.obj("owned_by").str("login") != "bob@contoso.com" || board["parent"] != nil {
		t.Fatalf("Board papers: %v", board)
	}
	if p := board.obj("path_collection"); p.str("total_count") != "1" || p.list("entries")[0].str("name") != "All Files" {
		t.Errorf("path of a shared folder: %v", p)
	}
	appendix := f.list(board.str("id"), "name,path_collection,parent")["Appendix"]
	if p := appendix.obj("path_collection"); p.str("total_count") != "2" || appendix.obj("parent").str("name") != "Board papers" {
		t.Errorf("path below a shared folder: %v", appendix)
	}
	bob := f.as("bob@contoso.com")
	if p := bob.get("/folders/" + appendix.str("id")).obj("path_collection"); p.str("total_count") != "3" {
		t.Errorf("Bob sees the path %v", p)
	}
	if root["Access only"] != nil || root["Pending invitation"] != nil {
		t.Error("access-only or pending items are listed")
	}
	jose := f.as("jose@contoso.com")
	hidden := jose.list("0", "name")["Access only"].str("id")
	if d := f.get("/folders/" + hidden); d.obj("path_collection").str("total_count") != "0" {
		t.Errorf("access only: %v", d)
	}
	specs := root["Specifications"]
	if p := specs.obj("path_collection"); p.str("total_count") != "2" {
		t.Errorf("can_view_path: %v", p)
	}
	for _, name := range []string{"Contract review (preview only)", "Drop box"} {
		for _, e := range f.list(root[name].str("id"), "permissions") {
			if e.obj("permissions")["can_download"] != false {
				t.Errorf("%s: %v", name, e)
			}
			f.refused(f.api("GET", "/files/"+e.str("id")+"/content", nil), 403, "access_denied_insufficient_permissions")
		}
	}
	if d := f.get("/collaborations?status=pending"); d.str("total_count") != "1" || d.list("entries")[0]["item"] != nil {
		t.Errorf("pending: %v", d)
	}
	pending := f.get("/collaborations?status=pending").list("entries")[0].str("id")
	f.api("PUT", "/collaborations/"+pending, map[string]any{"status": "accepted"})
	if f.list("0", "")["Pending invitation"] == nil {
		t.Error("an accepted invitation is not in the root")
	}
	if a := f.api("DELETE", "/collaborations/"+pending, nil); a.status != 204 || f.list("0", "")["Pending invitation"] != nil {
		t.Errorf("an ended collaboration is in the root: %d", a.status)
	}
	// A rename by the owner shows in the collaborator's root.
	bob.api("PUT", "/folders/"+board.str("id"), map[string]any{"name": "Board"})
	if got := f.list("0", ""); got["Board"] == nil || got["Board papers"] != nil {
		t.Error("a rename did not reach the collaborator")
	}
}

// TestHugeFolder lists 50,000 entries while others come and go: markers neither skip nor repeat what stays, offsets do.
func TestHugeFolder(t *testing.T) {
	f := start(t, core.Options{}, "")
	const n = 50000
	alice := f.s.store.userByID[mustParse(f.co.Alice().BoxID)]
	f.s.store.mu.Lock()
	g := &seeder{s: f.s.store, co: f.co, day: f.w.Start()}
	dir := g.folder(alice.root, "Huge")
	g.many(dir, n)
	victims := []string{dir.children.byID[10].id(), dir.children.byName[5].id()}
	f.s.store.mu.Unlock()
	address := "/folders/" + dir.id() + "/items?fields=name&limit=1000"
	seen := map[string]int{}
	pages, marker := 0, ""
	for {
		d := f.get(address + "&usemarker=true&marker=" + marker)
		for _, e := range d.list("entries") {
			seen[e.str("id")]++
		}
		if pages++; pages == 3 {
			f.api("DELETE", "/files/"+victims[0], nil)
			f.api("POST", "/folders", map[string]any{"name": "aaa", "parent": map[string]string{"id": dir.id()}})
		}
		marker, _ = d["next_marker"].(string)
		if marker == "" {
			break
		}
	}
	for id, times := range seen {
		if times != 1 {
			t.Fatalf("%s came %d times", id, times)
		}
	}
	if pages != n/1000 || len(seen) != n {
		t.Errorf("%d entries in %d pages", len(seen), pages)
	}
	before := f.get(address + "&offset=1000").list("entries")
	f.api("DELETE", "/files/"+victims[1], nil)
	if after := f.get(address + "&offset=1000").list("entries"); after[0].str("id") != before[1].str("id") {
		t.Errorf("a removal did not shift pages by offset: %v, before %v", after[0], before[1])
	}
}

func TestScaleAndImport(t *testing.T) {
	f := start(t, core.Options{Scale: 25000}, "")
	archive := f.list(f.walk("Archive").str("id"), "name")
	if len(archive) != 3 || len(f.list(archive["Batch 0002"].str("id"), "name")) != 250 {
		t.Errorf("2,500 files in %d folders", len(archive))
	}

	dir := t.TempDir()
	write := func(name, data string) {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a.txt", "hello")
	write("A.txt", "HELLO")
	write("sub/deep/b \U0001F600.bin", strings.Repeat("b", 100000))
	write("sub/empty", "")
	write("bad\xff", "1")
	at := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), at, at); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.txt", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	g := start(t, core.Options{}, dir)
	root := g.list("0", "name,sha1,size,content_modified_at")
	for _, name := range []string{"a.txt", "A.txt", "sub", "bad\ufffd"} {
		if root[name] == nil {
			t.Errorf("import lacks %q", name)
		}
	}
	if len(root) != 4 {
		t.Errorf("import has more than the directory: %v", root)
	}
	if s := root["a.txt"].str("sha1"); s != "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d" {
		t.Errorf("sha1 of hello: %s", s)
	}
	if got, err := time.Parse(time.RFC3339, root["a.txt"].str("content_modified_at")); err != nil || !got.Equal(at) {
		t.Errorf("content_modified_at %v, want %v (%v)", got, at, err)
	}
	if a := g.content(g.walk("sub", "deep", "b \U0001F600.bin").str("id"), ""); string(a.body) != strings.Repeat("b", 100000) {
		t.Errorf("imported content: %d, %d bytes", a.status, len(a.body))
	}
	again := start(t, core.Options{}, dir)
	if again.walk("a.txt").str("id") != g.walk("a.txt").str("id") {
		t.Error("a second import gives other ids")
	}
}
