package box

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

func TestAdminEvents(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.quietly()
	admin, bob := f.service(), f.bob()
	if a := bob.api("GET", "/events?stream_type=admin_logs", nil); a.status != 403 {
		t.Errorf("an ordinary user reads the log: %d", a.status)
	}
	f.set("box.scopes", "root_readwrite manage_managed_users")
	f.refused(f.service().api("GET", "/events?stream_type=admin_logs_streaming", nil), 403, "insufficient_scope")

	zeros := map[string]bool{}
	for range 4 {
		var d map[string]json.RawMessage
		if err := json.Unmarshal(admin.do("GET", "/events?stream_type=admin_logs_streaming", nil).body, &d); err != nil {
			t.Fatal(err)
		}
		zeros[string(d["next_stream_position"])] = true
	}
	if !zeros["0"] || !zeros[`"0"`] || len(zeros) != 2 {
		t.Errorf("position of an empty stream: %v", zeros)
	}
	a := admin.do("GET", "/events?stream_type=admin_logs_streaming&stream_position=now", nil)
	pos, ok := a.doc(t)["next_stream_position"].(string)
	if n, err := strconv.ParseInt(pos, 10, 64); !ok || err != nil || n <= 1<<53 {
		t.Errorf("now: %s", a.body)
	}

	before := f.w.Clock.Now()
	dir := f.newFolder("Plans", "0")
	file := f.newFile("p.txt", dir, "12345")
	bob.newFolder("Bob's", "0")
	f.do("DELETE", "/files/"+file, nil)
	f.do("DELETE", "/files/"+file+"/trash", nil)
	admin.same("before the delay", types(admin.events("admin_logs_streaming", pos)))
	f.w.Clock.Advance(13 * time.Second)
	names := func(events []doc) []string {
		var all []string
		for _, e := range events {
			all = append(all, e.str("event_type"))
		}
		return all
	}
	got := admin.events("admin_logs_streaming", pos)
	admin.same("streaming", names(got), "UPLOAD", "UPLOAD", "UPLOAD", "DELETE")
	admin.same("not yet in the log", names(admin.events("admin_logs", "0")))
	f.w.Clock.Advance(48 * time.Second)
	admin.same("log", names(admin.events("admin_logs", "0")), "UPLOAD", "UPLOAD", "UPLOAD", "DELETE")
	admin.same("filtered", names(admin.events("admin_logs", "0", "&event_type=DELETE,COPY")), "DELETE")
	window := func(a, b time.Time) string {
		return "&created_after=" + url.QueryEscape(a.Format(time.RFC3339)) + "&created_before=" + url.QueryEscape(b.Format(time.RFC3339))
	}
	admin.same("a window", names(admin.events("admin_logs", "0", window(before.Add(-time.Hour), before.Add(-time.Minute)))))
	if n := len(admin.events("admin_logs", "0", window(before.Add(-time.Minute), before.Add(time.Minute)))); n != 4 {
		t.Errorf("%d events in the window", n)
	}
	e := got[1]
	s := e.obj("source")
	if s.str("item_type") != "file" || s.str("item_id") != file || s.str("item_name") != "p.txt" || s.obj("parent").str("id") != dir ||
		s.obj("owned_by").str("id") != f.co.Alice().BoxID || s["id"] != nil {
		t.Errorf("source: %v", s)
	}
	if d := e.obj("additional_details"); d.str("size") != "5" || d.str("version_id") == "" {
		t.Errorf("details: %v", d)
	}
	if got[0].obj("source").obj("parent").str("id") != "0" {
		t.Errorf("parent in the root: %v", got[0])
	}

	// Retention: nothing, and no error.
	user := f.position("all")
	for _, tc := range []struct {
		stream string
		days   int
		by     *fixture
	}{{"admin_logs_streaming", 15, admin}, {"all", 7, f}, {"admin_logs", 344, admin}} {
		tc.by.token = f.fresh(tc.by)
		if len(tc.by.events(tc.stream, "0")) == 0 {
			t.Errorf("%s is empty before its time", tc.stream)
		}
		f.w.Clock.Advance(time.Duration(tc.days) * 24 * time.Hour)
		tc.by.token = f.fresh(tc.by)
		if n := len(tc.by.events(tc.stream, "0")); n != 0 {
			t.Errorf("%s has %d events after its time", tc.stream, n)
		}
	}
	f.token = f.fresh(f)
	if got := f.get("/events?stream_position=" + user).list("entries"); len(got) != 0 {
		t.Errorf("an old position gives %v", got)
	}
}

// fresh gives a new token in place of one that may have expired.
func (f *fixture) fresh(of *fixture) string {
	f.Helper()
	f.set("box.scopes", "root_readwrite manage_managed_users manage_enterprise_properties")
	if of == f {
		return f.ccg("user", f.co.Alice().BoxID)
	}
	return f.ccg("enterprise", f.s.EnterpriseID())
}

func TestDirectoryEvents(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.quietly()
	admin := f.service()
	pos := admin.position("admin_logs_streaming")
	d := admin.do("POST", "/users", map[string]any{"name": "Nina New", "login": "nina@" + f.co.Domain}).doc(t)
	id := d.str("id")
	admin.refused(admin.api("POST", "/users", map[string]any{"name": "N", "login": "NINA@" + f.co.Domain}), 409, "user_login_already_used")
	admin.do("PUT", "/users/"+id, map[string]any{"name": "Nina Newer", "role": "coadmin"})
	nina := f.as("nina@" + f.co.Domain)
	if d := nina.get("/users/me"); d.str("name") != "Nina Newer" {
		t.Errorf("renamed user: %v", d)
	}
	nina.newFolder("Hers", "0")
	theirs := nina.position("changes")
	group := numeral(f.s.store.groups[0].num)
	m := admin.do("POST", "/group_memberships", map[string]any{"user": map[string]string{"id": id}, "group": map[string]string{"id": group}}).doc(t).str("id")
	admin.do("DELETE", "/group_memberships/"+m, nil)
	nina.same("groups", types(nina.events("changes", theirs)), "GROUP_ADD_USER "+group, "GROUP_REMOVE_USER "+group)
	admin.refused(admin.api("DELETE", "/users/"+id, nil), 409, "conflict")
	admin.do("DELETE", "/users/"+id+"?force=true", nil)
	if a := nina.api("GET", "/users/me", nil); a.status != 401 {
		t.Errorf("token of a deleted user: %d", a.status)
	}
	admin.refused(admin.api("GET", "/users/"+id, nil), 404, "not_found")
	f.bobMayNot(id)
	f.w.Clock.Advance(time.Minute)
	var names []string
	for _, e := range admin.events("admin_logs_streaming", pos) {
		names = append(names, e.str("event_type"))
	}
	f.same("log", names, "NEW_USER", "CHANGE_ADMIN_ROLE", "EDIT_USER", "UPLOAD", "GROUP_ADD_USER", "GROUP_REMOVE_USER", "DELETE_USER")
}

func (f *fixture) bobMayNot(id string) {
	f.Helper()
	bob := f.bob()
	for _, call := range []string{"POST /users", "PUT /users/" + f.co.Alice().BoxID, "DELETE /users/" + f.co.Alice().BoxID} {
		method, path, _ := strings.Cut(call, " ")
		if a := bob.api(method, path, map[string]string{"name": "X", "login": "x@y"}); a.status != 403 {
			f.Errorf("%s by an ordinary user: %d", call, a.status)
		}
	}
}
