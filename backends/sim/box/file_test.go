package box

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

func TestDownload(t *testing.T) {
	f := start(t, core.Options{}, "")
	file := f.walk("Large", "recording.bin")
	id := file.str("id")
	whole := f.content(id, "")
	sum := sha1.Sum(whole.body)
	if whole.status != 200 || len(whole.body) != 24<<20 || hex.EncodeToString(sum[:]) != file.str("sha1") {
		t.Fatalf("whole file: %d, %d bytes, sha1 %x, want %s", whole.status, len(whole.body), sum, file.str("sha1"))
	}
	for _, tc := range []struct {
		header     string
		from, size int
	}{{"bytes=0-9", 0, 10}, {"bytes=25165800-", 25165800, 24}, {"bytes=25165820-99999999", 25165820, 4}} {
		a := f.content(id, "", "Range", tc.header)
		want := fmt.Sprintf("bytes %d-%d/25165824", tc.from, tc.from+tc.size-1)
		if a.status != 206 || string(a.body) != string(whole.body[tc.from:tc.from+tc.size]) || a.header.Get("Content-Range") != want {
			t.Errorf("%s: %d, %d bytes, %s", tc.header, a.status, len(a.body), a.header.Get("Content-Range"))
		}
	}
	for _, bad := range []string{"bytes=-5", "bytes=0-1,4-5", "bytes=25165824-", "bytes=9-3", "items=0-1"} {
		if a := f.content(id, "", "Range", bad); a.status != 416 {
			t.Errorf("%s: %d", bad, a.status)
		}
	}
	if a := f.content(f.walk("empty.txt").str("id"), "", "Range", "bytes=0-"); a.status != 416 {
		t.Errorf("range of an empty file: %d", a.status)
	}

	loc := f.api("GET", "/files/"+id+"/content", nil).header.Get("Location")
	if !strings.HasPrefix(loc, f.w.Hosts.BoxDownload) {
		t.Errorf("Location %s", loc)
	}
	if a := f.send("GET", loc, nil, "Authorization", "Bearer "+f.token); a.status != 200 || len(f.w.Stats.Snapshot().Leaks) != 1 {
		t.Errorf("with Authorization: %d, leaks %v", a.status, f.w.Stats.Snapshot().Leaks)
	}
	f.set("box.download_strict", true)
	if a := f.send("GET", loc, nil, "Authorization", "Bearer "+f.token); a.status != 403 || len(f.w.Stats.Snapshot().Leaks) != 2 {
		t.Errorf("with Authorization, strict: %d, leaks %v", a.status, f.w.Stats.Snapshot().Leaks)
	}
	if a := f.send("GET", loc, nil, "As-User", "1"); a.status != 403 {
		t.Errorf("with As-User: %d", a.status)
	}
	if a := f.send("HEAD", loc, nil); a.status != 405 || a.header.Get("box-request-id") == "" {
		t.Errorf("HEAD: %d", a.status)
	}
	f.w.Clock.Advance(15 * time.Minute)
	if a := f.send("GET", loc, nil); a.status != 403 {
		t.Errorf("after 15 minutes: %d", a.status)
	}

	f.set("box.ignore_range", true)
	if a := f.content(id, "", "Range", "bytes=0-9"); a.status != 200 || len(a.body) != 24<<20 {
		t.Errorf("ignored range: %d, %d bytes", a.status, len(a.body))
	}
	f.set("box.truncate_downloads", 1000)
	resp, err := http.Get(f.api("GET", "/files/"+id+"/content", nil).header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 1<<20)
	n, total := 0, 0
	for err == nil {
		n, err = resp.Body.Read(buf)
		total += n
	}
	if total != 1000 || err.Error() == "EOF" {
		t.Errorf("truncated: %d bytes, %v", total, err)
	}
}

func TestDownloadRights(t *testing.T) {
	f := start(t, core.Options{}, "")
	states := f.list(f.walk("States").str("id"), "name,permissions,lock,type")
	refused := 0
	for name, e := range states {
		a := f.api("GET", "/files/"+e.str("id")+"/content", nil)
		if may := e.obj("permissions")["can_download"] == true; may != (a.status == 302) {
			t.Errorf("%s: can_download %v, status %d", name, may, a.status)
		}
		if a.status == 403 {
			refused++
		}
	}
	if refused != 2 || states["lock that ran out.txt"]["lock"] == nil {
		t.Errorf("%d files refused, want the locked one and the one under a policy", refused)
	}
	f.refused(f.api("GET", "/files/"+states["policy forbids download.txt"].str("id")+"/content", nil), 403, "forbidden_by_policy")
}

func TestVersions(t *testing.T) {
	f := start(t, core.Options{}, "")
	id := f.walk("States", "three versions.txt").str("id")
	d := f.get("/files/" + id + "/versions?fields=version_number")
	past := d.list("entries")
	if d.str("total_count") != "2" || past[0].str("version_number") != "2" || past[1].str("version_number") != "1" {
		t.Fatalf("versions: %v", d)
	}
	if a := f.content(id, "?version="+past[1].str("id")); string(a.body) != "first\n" {
		t.Errorf("first version: %q", a.body)
	}
	if a := f.content(id, ""); string(a.body) != "third\n" {
		t.Errorf("current version: %q", a.body)
	}
	now := f.get("/files/" + id).obj("file_version").str("id")
	if a := f.content(id, "?version="+now); string(a.body) != "third\n" {
		t.Errorf("current version by id: %q", a.body)
	}
	if a := f.upload("/files/"+id+"/content", `{}`, "fourth\n"); a.status != 201 {
		t.Fatalf("new version: %d %s", a.status, a.body)
	}
	if a := f.api("GET", "/files/"+id+"/content", nil); a.status != 202 || a.header.Get("Retry-After") == "" || len(a.body) != 0 {
		t.Errorf("just uploaded: %d %v", a.status, a.header)
	}
	if a := f.content(id, ""); string(a.body) != "fourth\n" {
		t.Errorf("new version: %q", a.body)
	}
	if a := f.content(id, "?version="+now); string(a.body) != "third\n" {
		t.Errorf("pinned version: %q", a.body)
	}
	f.refused(f.api("GET", "/files/"+id+"/versions/1", nil), 404, "not_found")
}

func TestWrites(t *testing.T) {
	f := start(t, core.Options{}, "")
	pos := f.get("/events?stream_position=now").str("next_stream_position")
	parent := func(id string) map[string]string { return map[string]string{"id": id} }

	a := f.api("POST", "/folders", map[string]any{"name": "New", "parent": parent("0")})
	dir := a.doc(t).str("id")
	if a.status != 201 {
		t.Fatalf("create folder: %d %s", a.status, a.body)
	}
	d := f.refused(f.api("POST", "/folders", map[string]any{"name": "NEW", "parent": parent("0")}), 409, "item_name_in_use")
	if d.obj("context_info").list("conflicts")[0].str("id") != dir {
		t.Errorf("conflict: %v", d)
	}
	for _, name := range []string{"", "..", "a/b", "a\\b", "end ", "tab\t", strings.Repeat("x", 256)} {
		if a := f.api("POST", "/folders", map[string]any{"name": name, "parent": parent("0")}); a.status != 400 {
			t.Errorf("name %q: %d", name, a.status)
		}
	}
	before := f.get("/folders/0").str("size")
	a = f.upload("/files/content", `{"name":"up.txt","parent":{"id":"`+dir+`"},"content_modified_at":"2020-01-02T03:04:05Z"}`, "hello")
	if a.status != 201 {
		t.Fatalf("upload: %d %s", a.status, a.body)
	}
	file := a.doc(t).list("entries")[0]
	id := file.str("id")
	if at, _ := time.Parse(time.RFC3339, file.str("content_modified_at")); at.Year() != 2020 || file.str("sha1") != "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d" {
		t.Errorf("uploaded: %v", file)
	}
	if f.get("/folders/"+dir).str("size") != "5" || f.get("/folders/0").str("size") == before {
		t.Error("folder sizes did not grow")
	}
	pre := f.api("OPTIONS", "/files/content", map[string]any{"name": "UP.txt", "parent": parent(dir)})
	if d := f.refused(pre, 409, "item_name_in_use"); d.obj("context_info").obj("conflicts").str("id") != id {
		t.Errorf("preflight: %v", d)
	}

	version := file.obj("file_version").str("id")
	d = f.api("PUT", "/files/"+id, map[string]any{"name": "renamed.txt", "parent": parent("0")}).doc(t)
	if d.str("name") != "renamed.txt" || d.obj("parent").str("id") != "0" || d.obj("file_version").str("id") != version || d.str("etag") == file.str("etag") {
		t.Errorf("rename and move: %v", d)
	}
	if f.list(dir, "")["up.txt"] != nil || f.list("0", "")["renamed.txt"] == nil {
		t.Error("listings did not follow the move")
	}
	f.refused(f.api("PUT", "/files/"+id, map[string]any{"name": "x"}, "If-Match", "77"), 412, "precondition_failed")

	link := f.api("POST", "/web_links", map[string]any{"url": "https://example.com/?a=b", "name": "Link", "parent": parent(dir)}).doc(t)
	e := f.list(dir, "")["Link"]
	if _, has := e["size"]; has || e.str("url") != "https://example.com/?a=b" || e.str("type") != "web_link" {
		t.Errorf("web link: %v", e)
	}
	if d := f.get("/web_links/" + link.str("id")); d.str("url") == "" {
		t.Errorf("web link: %v", d)
	}
	var changes []string
	for _, e := range f.events("all", pos) {
		changes = append(changes, e.str("event_type")+" "+e.obj("source").str("type"))
	}
	want := []string{"ITEM_CREATE folder", "ITEM_UPLOAD file", "ITEM_RENAME file", "ITEM_MOVE file", "ITEM_CREATE web_link"}
	if !slices.Equal(changes, want) {
		t.Errorf("events %v, want %v", changes, want)
	}
}

func TestTrash(t *testing.T) {
	f := start(t, core.Options{}, "")
	items := f.get("/folders/trash/items")
	if _, isObject := items["order"].(map[string]any); !isObject || items.str("total_count") != "2" {
		t.Errorf("trash: %v", items)
	}
	f.refused(f.api("GET", "/folders/trash/items?usemarker=true&sort=name", nil), 400, "bad_request")

	dir := f.walk("Projects").str("id")
	sub := f.list(dir, "")["Orion"].str("id")
	f.refused(f.api("DELETE", "/folders/"+dir, nil), 400, "folder_not_empty")
	if a := f.api("DELETE", "/folders/"+dir+"?recursive=true", nil); a.status != 204 {
		t.Fatalf("trash: %d %s", a.status, a.body)
	}
	f.refused(f.api("GET", "/folders/"+dir, nil), 404, "trashed")
	f.refused(f.api("GET", "/folders/"+dir+"/items", nil), 404, "trashed")
	f.refused(f.api("GET", "/folders/"+sub, nil), 404, "trashed")
	f.refused(f.api("GET", "/folders/"+sub+"/trash", nil), 404, "not_found")
	d := f.get("/folders/" + dir + "/trash")
	if d.str("item_status") != "trashed" || d["trashed_at"] == nil || d.obj("parent").str("id") != "0" ||
		d.obj("path_collection").list("entries")[0].str("id") != "1" {
		t.Errorf("trashed folder: %v", d)
	}
	if f.list("0", "")["Projects"] != nil {
		t.Error("a trashed folder is listed")
	}
	if f.as("bob@contoso.com").list("0", "")["Projects"] != nil {
		t.Error("a trashed folder is in a collaborator's root")
	}
	if a := f.api("POST", "/folders/"+dir, nil); a.status != 201 {
		t.Fatalf("restore: %d %s", a.status, a.body)
	}
	f.get("/folders/" + sub)
	if f.as("bob@contoso.com").list("0", "")["Projects"] == nil {
		t.Error("a restored folder did not come back to a collaborator's root")
	}
	f.refused(f.api("GET", "/folders/"+dir+"/trash", nil), 404, "not_trashed")

	gone := f.get("/folders/trash/items").list("entries")[0].str("id")
	if a := f.api("DELETE", "/folders/"+gone+"/trash", nil); a.status != 204 {
		t.Errorf("purge: %d %s", a.status, a.body)
	}
	f.refused(f.api("GET", "/folders/"+gone+"/trash", nil), 404, "not_found")
}

func TestBigOperationBlocks(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.set("box.big_operation_seconds", 60)
	dir := f.walk("Many files").str("id")
	file := f.list(dir, "")["record-000000.txt"].str("id")
	to := f.walk("Empty folder").str("id")
	if a := f.api("PUT", "/folders/"+dir, map[string]any{"parent": map[string]string{"id": to}}); a.status != 200 {
		t.Fatalf("move: %d %s", a.status, a.body)
	}
	f.refused(f.api("PUT", "/files/"+file, map[string]any{"name": "x.txt"}), 409, "operation_blocked_temporary")
	f.w.Clock.Advance(time.Minute)
	if a := f.api("PUT", "/files/"+file, map[string]any{"name": "x.txt"}); a.status != 200 {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}

func TestRepresentations(t *testing.T) {
	f := start(t, core.Options{}, "")
	id := f.walk("README.txt").str("id")
	plain := f.get("/files/" + id + "?fields=representations").obj("representations").list("entries")[0]
	if plain["content"] != nil || plain["status"] != nil {
		t.Errorf("without hint: %v", plain)
	}
	state := func() doc {
		return f.get("/files/"+id+"?fields=representations", "X-Rep-Hints", "[extracted_text]").obj("representations").list("entries")[0]
	}
	for range 2 {
		if s := state().obj("status").str("state"); s != "none" {
			t.Fatalf("state %s without anybody asking", s)
		}
	}
	rep := state()
	info := strings.TrimPrefix(rep.obj("info").str("url"), f.w.Hosts.BoxAPI+"/2.0")
	var states []string
	for range 2 {
		states = append(states, f.get(info).obj("status").str("state"))
	}
	if states[0] != "pending" || states[1] != "success" {
		t.Errorf("states %v", states)
	}
	where := strings.ReplaceAll(rep.obj("content").str("url_template"), "{+asset_path}", "")
	if a := f.send("GET", where, nil, "Authorization", "Bearer "+f.token); a.status != 200 || string(a.body) != "Alice's files.\n" {
		t.Errorf("text: %d %q", a.status, a.body)
	}
	if a := f.send("GET", where, nil); a.status != 401 {
		t.Errorf("text without token: %d", a.status)
	}
	var paper string
	for name, e := range f.list(f.walk("States").str("id"), "name") {
		if strings.HasSuffix(name, ".pdf") {
			paper = e.str("id")
		}
	}
	page := func() doc {
		entries := f.get("/files/"+paper+"?fields=representations", "X-Rep-Hints", "[png?dimensions=1024x1024]").obj("representations").list("entries")
		if len(entries) != 1 || entries[0].obj("properties")["paged"] != "true" {
			t.Fatalf("hinted representations %v", entries)
		}
		return entries[0]
	}
	for page().obj("status").str("state") != "success" {
		f.get(strings.TrimPrefix(page().obj("info").str("url"), f.w.Hosts.BoxAPI+"/2.0"))
	}
	template := page().obj("content").str("url_template")
	if a := f.send("GET", strings.ReplaceAll(template, "{+asset_path}", "1.png"), nil, "Authorization", "Bearer "+f.token); a.status != 200 || !strings.HasPrefix(string(a.body), "\x89PNG") {
		t.Errorf("first page: %d", a.status)
	}
	if a := f.send("GET", strings.ReplaceAll(template, "{+asset_path}", "2.png"), nil, "Authorization", "Bearer "+f.token); a.status != 404 {
		t.Errorf("second page: %d", a.status)
	}
	for name, e := range f.list(f.walk("States").str("id"), "name,representations") {
		if n := len(e.obj("representations").list("entries")); strings.HasSuffix(name, ".key") && n != 0 {
			t.Errorf("%s has %d representations", name, n)
		}
	}
}

func TestExtras(t *testing.T) {
	f := start(t, core.Options{}, "")
	states := f.walk("States").str("id")
	entries := f.list(states, "name,tags,comment_count,shared_link,metadata.global.properties,is_package,classification,created_by,uploader_display_name")
	id := entries["commented.txt"].str("id")
	if c := f.get("/files/" + id + "/comments?fields=tagged_message"); c.str("total_count") != "3" || !strings.HasPrefix(c.list("entries")[1].str("tagged_message"), "@[") {
		t.Errorf("comments: %v", c)
	}
	if c := f.get("/files/" + id + "/tasks"); c.str("total_count") != "2" || c.list("entries")[0]["is_completed"] != false {
		t.Errorf("tasks: %v", c)
	}
	var tagged doc
	for _, e := range entries {
		if l, _ := e["tags"].([]any); len(l) == 3 {
			tagged = e
		}
	}
	if tagged == nil || tagged.obj("metadata").obj("global").obj("properties").str("customer") != "Fabrikam" || tagged.obj("shared_link").str("url") == "" {
		t.Fatalf("tagged file: %v", tagged)
	}
	if m := f.get("/files/" + tagged.str("id") + "/metadata"); len(m.list("entries")) != 2 || m.list("entries")[0].str("$parent") != "file_"+tagged.str("id") {
		t.Errorf("metadata: %v", m)
	}
	f.get("/files/" + tagged.str("id") + "/metadata/enterprise/contract")
	f.refused(f.api("GET", "/files/"+tagged.str("id")+"/metadata/global/nothing", nil), 404, "instance_not_found")
	f.refused(f.api("GET", "/folders/0/metadata", nil), 403, "forbidden")
	if entries["Presentation.key"]["is_package"] != true || entries["policy forbids download.txt"].obj("classification").str("name") != "Confidential" ||
		entries["from the portal.txt"]["created_by"] != nil {
		t.Error("package, classification or missing creator")
	}
	if r := f.get("/search?query=three+versions&limit=500"); r.str("limit") != "200" || r.str("total_count") != "1" {
		t.Errorf("search: %v", r)
	}
}

func TestDirectory(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.refused(f.api("GET", "/users", nil), 403, "access_denied_insufficient_permissions")
	svc := f.service()
	d := svc.get("/users?limit=5000&fields=login,status,role,space_amount,enterprise")
	logins := map[string]doc{}
	for _, u := range d.list("entries") {
		logins[u.str("login")] = u
	}
	if d.str("limit") != "1000" || len(logins) != len(f.co.People)+2 || logins["grace@contoso.com"].str("role") != "admin" {
		t.Errorf("users: %v", d)
	}
	if logins["alice@contoso.com"].str("space_amount") != "1e+18" || logins["frank@contoso.com"].str("status") != "inactive" {
		t.Errorf("users: %v", logins)
	}
	if n := len(svc.get("/users?filter_term=ali").list("entries")); n != 1 {
		t.Errorf("filter_term: %d users", n)
	}
	outside := f.co.Guests[0].Mail
	if n := len(svc.get("/users?user_type=all&filter_term=" + outside[:5]).list("entries")); n != 0 {
		t.Errorf("prefix of an external login: %d users", n)
	}
	if n := len(svc.get("/users?user_type=all&filter_term=" + outside).list("entries")); n != 1 {
		t.Errorf("external login: %d users", n)
	}
	svc.refused(svc.api("GET", "/users?offset=10001", nil), 400, "bad_request")
	seen, marker := 0, ""
	for {
		d := svc.get("/users?usemarker=true&limit=5&marker=" + marker)
		seen += len(d.list("entries"))
		if marker, _ = d["next_marker"].(string); marker == "" {
			break
		}
	}
	if seen != len(logins) {
		t.Errorf("by markers %d users, by offset %d", seen, len(logins))
	}
	g := svc.get("/groups?filter_term=finance").list("entries")[0]
	members := svc.get("/groups/" + g.str("id") + "/memberships").list("entries")
	if len(members) != 4 || members[0].obj("user").str("login") == "" {
		t.Errorf("members of Finance: %v", members)
	}
	if m := svc.get("/users/" + f.co.Alice().BoxID + "/memberships"); m.str("total_count") == "0" {
		t.Errorf("memberships: %v", m)
	}
	f.get("/users/" + f.co.Alice().BoxID + "/memberships")
	f.refused(f.api("GET", "/users/"+f.co.Bob().BoxID+"/memberships", nil), 403, "access_denied_insufficient_permissions")
	if c := f.get("/folders/" + f.walk("Projects").str("id") + "/collaborations"); len(c.list("entries")) != 2 {
		t.Errorf("collaborations: %v", c)
	}
}

func TestCopyAndSameIDs(t *testing.T) {
	f := start(t, core.Options{}, "")
	src := f.walk("Projects", "Orion").str("id")
	a := f.api("POST", "/folders/"+src+"/copy", map[string]any{"name": "Orion II", "parent": map[string]string{"id": "0"}})
	if a.status != 201 {
		t.Fatalf("copy: %d %s", a.status, a.body)
	}
	from, to := f.list(src, "name,size"), f.list(a.doc(t).str("id"), "name,size")
	for name, e := range from {
		if to[name].str("size") != e.str("size") || to[name].str("id") == e.str("id") {
			t.Errorf("copy of %s: %v", name, to[name])
		}
	}
	f.set("box.same_ids", true)
	made := f.api("POST", "/folders", map[string]any{"name": "Twin", "parent": map[string]string{"id": "0"}}).doc(t).str("id")
	if d := f.get("/files/" + made); d.str("type") != "file" || f.get("/folders/"+made).str("name") != "Twin" {
		t.Errorf("no file has the folder's id: %v", d)
	}
}

func TestTokenInQueryAndCompression(t *testing.T) {
	f := start(t, core.Options{}, "")
	id := f.walk("README.txt").str("id")
	if a := f.send("GET", f.w.Hosts.BoxAPI+"/2.0/files/"+id+"/content?access_token="+f.token, nil); a.status != 302 {
		t.Errorf("token in the query of a download: %d", a.status)
	}
	if a := f.send("GET", f.w.Hosts.BoxAPI+"/2.0/files/"+id+"?access_token="+f.token, nil); a.status != 401 {
		t.Errorf("token in the query elsewhere: %d", a.status)
	}
	many := "/folders/" + f.walk("Many files").str("id") + "/items"
	if a := f.api("GET", many, nil); a.header.Get("Content-Encoding") != "" {
		t.Error("compressed unasked")
	}
	a := f.api("GET", many, nil, "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(bytes.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	var d doc
	if err := json.NewDecoder(z).Decode(&d); err != nil || len(d.list("entries")) != 100 {
		t.Errorf("compressed listing: %v, %d entries", err, len(d.list("entries")))
	}
}

func TestInjectedFaults(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.w.Faults.Set(core.FaultRule{Route: "GET /2.0/folders/*/items", Status: 502, Headers: map[string]string{"Content-Type": "text/html"}, Body: "<html>Bad Gateway</html>", Count: 1})
	if a := f.api("GET", "/folders/0/items", nil); a.status != 502 || string(a.body) != "<html>Bad Gateway</html>" {
		t.Errorf("injected: %d %s", a.status, a.body)
	}
	f.get("/folders/0/items")
}
