package box

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// quietly turns off what makes streams differ from the bare list of what happened.
func (f *fixture) quietly() {
	f.Helper()
	for _, name := range []string{"duplicate", "short", "number"} {
		f.set("box.event_"+name+"_percent", 0)
	}
}

// position gives where a stream stands.
func (f *fixture) position(stream string) string {
	f.Helper()
	return f.get("/events?stream_position=now&stream_type=" + stream).str("next_stream_position")
}

// events reads a stream from a position until it is dry, each event once.
func (f *fixture) events(stream, pos string, query ...string) []doc {
	f.Helper()
	var all []doc
	seen := map[string]bool{}
	for {
		d := f.get("/events?stream_type=" + stream + "&limit=500&stream_position=" + pos + strings.Join(query, ""))
		entries := d.list("entries")
		if d.str("chunk_size") != strconv.Itoa(len(entries)) {
			f.Fatalf("chunk_size %v of %d", d["chunk_size"], len(entries))
		}
		if len(entries) == 0 {
			return all
		}
		pos = d.str("next_stream_position")
		for _, e := range entries {
			if id := e.str("event_id"); !seen[id] {
				seen[id] = true
				all = append(all, e)
			}
		}
	}
}

// types gives event types with the ids of their sources.
func types(events []doc) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.str("event_type")+" "+e.obj("source").str("id"))
	}
	return all
}

func (f *fixture) same(what string, got []string, want ...string) {
	f.Helper()
	if !slices.Equal(got, want) {
		f.Fatalf("%s: %q, want %q", what, got, want)
	}
}

func (f *fixture) newFolder(name, parent string) string {
	f.Helper()
	a := f.api("POST", "/folders", map[string]any{"name": name, "parent": map[string]string{"id": parent}})
	if a.status != 201 {
		f.Fatalf("folder %s: %d %s", name, a.status, a.body)
	}
	return a.doc(f).str("id")
}

func (f *fixture) newFile(name, parent, data string) string {
	f.Helper()
	attr, err := json.Marshal(map[string]any{"name": name, "parent": map[string]string{"id": parent}})
	if err != nil {
		f.Fatal(err)
	}
	a := f.upload("/files/content", string(attr), data)
	if a.status != 201 {
		f.Fatalf("file %s: %d %s", name, a.status, a.body)
	}
	return a.doc(f).list("entries")[0].str("id")
}

// do sends a call that must succeed.
func (f *fixture) do(method, path string, body any, headers ...string) answer {
	f.Helper()
	a := f.api(method, path, body, headers...)
	if a.status < 200 || a.status > 299 {
		f.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a
}

// bob is a colleague of alice without any special right.
func (f *fixture) bob() *fixture { return f.as(f.colleague()) }

func (f *fixture) colleague() string {
	f.Helper()
	for _, p := range f.co.People[1:] {
		if u := f.s.userOf(p.Mail); u.role == "user" {
			return p.Mail
		}
	}
	f.Fatal("nobody is an ordinary user")
	return ""
}

func TestEventPositions(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.quietly()
	a := f.do("GET", "/events?stream_position=now", nil)
	var now struct {
		Size int             `json:"chunk_size"`
		Pos  json.RawMessage `json:"next_stream_position"`
		All  []any           `json:"entries"`
	}
	if err := json.Unmarshal(a.body, &now); err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(string(now.Pos), 10, 64)
	if err != nil || n <= 1<<53 || now.Size != 0 || now.All == nil || len(now.All) != 0 {
		t.Fatalf("now: %s", a.body)
	}
	var ids []string
	for i := range 7 {
		ids = append(ids, "ITEM_CREATE "+f.newFolder(fmt.Sprintf("Folder %d", i), "0"))
	}
	if int64(float64(n)) == n && int64(float64(n+1)) == n+1 {
		t.Error("positions survive a float64")
	}
	f.same("from now", types(f.events("all", string(now.Pos))), ids...)
	f.same("from the start", types(f.events("changes", "0")), ids...)
	d := f.get("/events?limit=3&stream_position=" + string(now.Pos))
	f.same("a page", types(d.list("entries")), ids[:3]...)
	f.same("the next page", types(f.events("all", d.str("next_stream_position"))), ids[3:]...)
	last := f.position("all")
	d = f.get("/events?stream_position=" + last)
	if d.str("next_stream_position") != last || len(d.list("entries")) != 0 {
		t.Errorf("nothing new: %v", d)
	}

	f.set("box.event_short_percent", 100)
	if d := f.get("/events?stream_position=0"); len(d.list("entries")) >= 7 || len(d.list("entries")) == 0 {
		t.Errorf("a short page has %d", len(d.list("entries")))
	}
	f.same("short pages", types(f.events("all", "0")), ids...)

	if d := f.get("/events?limit=9999"); d.str("chunk_size") == "" {
		t.Error("limit above 500 is not clamped")
	}
	for _, q := range []string{"stream_type=everything", "stream_position=then", "stream_position=-4", "limit=x"} {
		if a := f.api("GET", "/events?"+q, nil); a.status != 400 {
			t.Errorf("%s: %d", q, a.status)
		}
	}
}

func TestEventDisorder(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.quietly()
	f.set("box.event_duplicate_percent", 100)
	f.set("box.event_duplicate_ms", 2000)
	f.set("box.event_reorder_percent", 50)
	pos := f.position("all")
	var want []string
	for i := range 40 {
		want = append(want, "ITEM_CREATE "+f.newFolder(fmt.Sprintf("Folder %d", i), "0"))
	}
	f.w.Clock.Advance(10 * time.Second)
	raw := f.get("/events?limit=500&stream_position=" + pos).list("entries")
	times := map[string]int{}
	for _, e := range raw {
		times[e.str("event_id")]++
	}
	for id, n := range times {
		if n < 2 {
			t.Errorf("event %s came %d times", id, n)
		}
	}
	got := types(f.events("all", pos))
	if slices.Equal(got, want) {
		t.Error("the events are in order")
	}
	slices.Sort(got)
	slices.Sort(want)
	f.same("all events", got, want...)

	f.set("box.event_duplicate_percent", 0)
	f.set("box.event_reorder_percent", 0)
	f.set("box.event_late_percent", 100)
	pos = f.position("all")
	late := f.newFolder("Late", "0")
	f.set("box.event_late_percent", 0)
	f.set("box.event_unknown_percent", 100)
	soon := f.newFolder("Soon", "0")
	f.same("the late one is missing", types(f.events("all", pos)), "ITEM_CREATE "+soon, "ITEM_TELEPORTED "+soon)
	pos = f.position("all")
	f.w.Clock.Advance(31 * time.Second)
	f.same("the late one", types(f.events("all", pos)), "ITEM_CREATE "+late)

	f.set("box.event_unknown_percent", 0)
	f.set("box.event_blank_percent", 100)
	kinds := map[string]bool{}
	pos = f.position("all")
	for i := range 20 {
		f.newFolder(fmt.Sprintf("Blank %d", i), "0")
	}
	for _, e := range f.events("all", pos) {
		b, _ := json.Marshal(e["source"])
		kinds[string(b)] = true
	}
	if len(kinds) != 2 || !kinds["null"] || !kinds["{}"] {
		t.Errorf("sources: %v", kinds)
	}
	f.set("box.event_blank_percent", 0)

	f.set("box.event_number_percent", 100)
	pos = f.position("all")
	dir := f.newFolder("Numbers", "0")
	if id, ok := f.events("all", pos)[0].obj("source")["id"].(json.Number); !ok || string(id) != dir {
		t.Errorf("id in the source is %v", id)
	}
}

func TestEventSources(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.quietly()
	pos := f.position("all")
	dir := f.newFolder("Old", "0")
	sub := f.newFolder("Sub", dir)
	file := f.newFile("a.txt", sub, "one")
	f.do("PUT", "/folders/"+dir, map[string]any{"name": "New"})
	f.do("PUT", "/files/"+file, map[string]any{"parent": map[string]string{"id": dir}})
	f.do("DELETE", "/folders/"+dir+"?recursive=true", nil)
	events := f.events("all", pos)
	f.same("one event for each operation", types(events), "ITEM_CREATE "+dir, "ITEM_CREATE "+sub, "ITEM_UPLOAD "+file, "ITEM_RENAME "+dir,
		"ITEM_MOVE "+file, "ITEM_TRASH "+dir)

	rename, move, trash := events[3], events[4].obj("source"), events[5].obj("source")
	if s := rename.obj("source"); s.str("name") != "New" || strings.Contains(fmt.Sprint(rename), "Old") {
		t.Errorf("a rename tells more than the new name: %v", rename)
	}
	if events[0].obj("source").str("name") != "Old" || events[0].obj("created_by").str("id") != f.co.Alice().BoxID {
		t.Errorf("the creation: %v", events[0])
	}
	if move.obj("parent").str("id") != dir || strings.Contains(fmt.Sprint(move), sub) {
		t.Errorf("a move tells more than the new place: %v", move)
	}
	if p := trash.obj("path_collection").list("entries"); len(p) != 1 || p[0].str("id") != "1" || p[0].str("name") != "Trash" ||
		trash.obj("parent").str("id") != "0" || trash.str("item_status") != "trashed" {
		t.Errorf("trash: %v", trash)
	}
	if _, has := trash["item_collection"]; has {
		t.Error("the source has the folder's listing")
	}
	only := f.events("all", pos, "&fields=name,file_version")[2].obj("source")
	if len(only) != 5 || only.str("name") != "a.txt" || only.obj("file_version").str("id") == "" {
		t.Errorf("fields: %v", only)
	}

	pos = f.position("changes")
	f.do("POST", "/folders/"+dir, map[string]any{})
	v := f.upload("/files/"+file+"/content", `{}`, "two").doc(t).list("entries")[0].obj("file_version").str("id")
	past := f.get("/files/" + file + "/versions").list("entries")[0].str("id")
	f.do("POST", "/files/"+file+"/versions/current", map[string]string{"type": "file_version", "id": past})
	made := f.do("POST", "/files/"+file+"/copy", map[string]any{"name": "copy.txt", "parent": map[string]string{"id": "0"}}).doc(t).str("id")
	f.do("PUT", "/files/"+file, map[string]any{"lock": map[string]string{"type": "lock"}})
	f.do("PUT", "/files/"+file, map[string]any{"lock": nil})
	f.do("PUT", "/files/"+file, map[string]any{"description": "d"})
	f.do("PUT", "/files/"+file, map[string]any{"tags": []string{"t"}})
	f.do("PUT", "/files/"+file, map[string]any{"shared_link": map[string]string{"access": "open"}})
	f.do("POST", "/comments", map[string]any{"message": "hm", "item": map[string]string{"type": "file", "id": file}})
	f.do("PUT", "/files/"+file, map[string]any{"lock": map[string]string{"type": "lock"}})
	f.do("DELETE", "/files/"+file, nil)
	f.do("DELETE", "/files/"+file+"/trash", nil)
	changes := f.events("changes", pos)
	var names []string
	for _, e := range changes {
		names = append(names, e.str("event_type"))
	}
	f.same("changes", names, "ITEM_UNDELETE_VIA_TRASH", "ITEM_UPLOAD", "ITEM_MAKE_CURRENT_VERSION", "ITEM_COPY", "LOCK_CREATE", "LOCK_DESTROY",
		"ITEM_MODIFY", "LOCK_CREATE", "ITEM_TRASH", "LOCK_DESTROY")
	if changes[3].obj("source").str("id") != made {
		t.Errorf("copy: %v", changes[3])
	}
	if src, has := changes[9]["source"]; !has || src != nil {
		t.Errorf("unlocked by deletion: %v", changes[9])
	}
	if src, has := changes[1]["source"]; !has || src != nil {
		t.Errorf("source of what was purged since (version %s): %v", v, src)
	}
	var more []string
	for _, e := range f.events("all", pos) {
		if name := e.str("event_type"); !slices.Contains(names, name) {
			more = append(more, name)
		}
	}
	f.same("on all only", more, "TAG_ITEM_CREATE", "ITEM_SHARED_CREATE", "COMMENT_CREATE")

	f.same("nothing in synced folders", types(f.events("sync", "0")))
	keep := f.newFolder("Synced", "0")
	f.do("PUT", "/folders/"+keep, map[string]string{"sync_state": "synced"})
	inside := f.newFolder("Inside", keep)
	f.newFolder("Outside", "0")
	f.same("sync", types(f.events("sync", "0")), "ITEM_SYNC "+keep, "ITEM_CREATE "+inside)
}

func TestEventsPerUser(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.quietly()
	bob, bobID := f.bob(), f.s.UserID(f.colleague())
	f.set("box.upload_pending", 0)
	mine, theirs := f.position("changes"), bob.position("all")
	dir := f.newFolder("Private", "0")
	file := f.newFile("secret.txt", dir, "s")
	bob.same("a stranger hears nothing", types(bob.events("all", theirs)))

	co := f.do("POST", "/collaborations", map[string]any{
		"item": map[string]string{"type": "folder", "id": dir}, "accessible_by": map[string]string{"type": "user", "id": bobID}, "role": "viewer",
	}).doc(t).str("id")
	bob.same("invited", types(bob.events("all", theirs)), "COLLAB_INVITE_COLLABORATOR "+co, "COLLAB_ADD_COLLABORATOR "+co)
	bob.same("not on changes", types(bob.events("changes", theirs)))
	theirs = bob.position("all")
	f.do("PUT", "/files/"+file, map[string]any{"name": "shared.txt"})
	e := bob.events("changes", theirs)
	bob.same("rename", types(e), "ITEM_RENAME "+file)
	if p := e[0].obj("source").obj("path_collection").list("entries"); len(p) != 2 || p[1].str("id") != dir {
		t.Errorf("path as the collaborator sees it: %v", p)
	}

	theirs = bob.position("all")
	f.do("DELETE", "/files/"+f.newFile("x", dir, "x"), nil)
	bob.content(file, "?version="+f.get("/files/"+file).obj("file_version").str("id"))
	for _, e := range bob.events("all", theirs) {
		if e.str("event_type") == "ITEM_DOWNLOAD" {
			t.Error("a collaborator is told of a download")
		}
	}
	all := f.events("all", mine)
	if last := all[len(all)-1]; last.str("event_type") != "ITEM_DOWNLOAD" || last.obj("created_by").str("id") != bobID {
		t.Errorf("the owner is not told of a download: %v", last)
	}

	theirs = bob.position("all")
	f.do("PUT", "/files/"+file, map[string]any{"parent": map[string]string{"id": "0"}})
	e = bob.events("all", theirs)
	bob.same("moved out of sight", types(e), "ITEM_MOVE "+file)
	if len(e[0].obj("source")) != 2 {
		t.Errorf("source of what is out of sight: %v", e[0])
	}
	f.do("PUT", "/collaborations/"+co, map[string]string{"role": "editor"})
	theirs = bob.position("all")
	f.do("DELETE", "/collaborations/"+co, nil)
	bob.same("removed", types(bob.events("all", theirs)), "COLLAB_REMOVE_COLLABORATOR "+co)
	var collabs []string
	for _, e := range f.events("changes", mine) {
		if strings.HasPrefix(e.str("event_type"), "COLLAB_") {
			collabs = append(collabs, e.str("event_type"))
		}
	}
	f.same("the owner's", collabs, "COLLAB_INVITE_COLLABORATOR", "COLLAB_ADD_COLLABORATOR", "COLLAB_ROLE_CHANGE", "COLLAB_REMOVE_COLLABORATOR")

	// A colleague's stream under As-User is the colleague's.
	theirs = bob.position("all")
	own := bob.newFolder("Own", "0")
	got := f.service().get("/events?stream_position="+theirs, "As-User", bobID).list("entries")
	f.same("as user", types(got), "ITEM_CREATE "+own)
}
