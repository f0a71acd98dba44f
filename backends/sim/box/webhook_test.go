package box

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// The escapes in the body are literal.
func TestSignature(t *testing.T) {
	const body = `{"type":"webhook_event","id":"e1","trigger":"FILE.RENAMED","webhook":{"id":"1","type":"webhook"},"source":{"id":"42","type":"file","name":"caf\u00e9 a\/b"}}`
	if len(body) != 156 {
		t.Fatalf("body has %d bytes", len(body))
	}
	for key, want := range map[string]string{
		"primary-test-key": "rySfgmIlt4IfUmly2LQd0PxsH1FMbszmBTHPMkFvexY=", "secondary-test-key": "CaaM5QBTnTNEm1bL9YZ13Mk1Ng5tl1uyB66ViyLM+FQ=",
	} {
		if got := signature(key, []byte(body), "2026-01-02T03:04:05-08:00"); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	o := object{{"name", "café a/b 🎉\\/\"\n"}}
	if got, want := string(escape(appendJSON(nil, o))), `{"name":"caf\u00e9 a\/b \ud83c\udf89\\\/\"\u000a"}`; got != want {
		t.Errorf("escaped %s, want %s", got, want)
	}
}

// delivery is what a receiver got.
type delivery struct {
	header http.Header
	body   []byte
}

// receiver takes deliveries.
type receiver struct {
	*fixture
	url  string
	came chan delivery
	n    atomic.Int32
}

// receive starts a receiver; answer gives the status for the nth delivery, 200 if it is nil.
func (f *fixture) receive(answer func(n int) int) *receiver {
	f.Helper()
	r := &receiver{fixture: f, came: make(chan delivery, 1000)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			f.Error(err)
		}
		status := http.StatusOK
		if n := r.n.Add(1); answer != nil {
			status = answer(int(n))
		}
		w.WriteHeader(status)
		r.came <- delivery{req.Header, body}
	}))
	f.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

func (d delivery) doc(t *testing.T) doc { return answer{body: d.body}.doc(t) }

// next waits for a delivery.
func (r *receiver) next() delivery {
	r.Helper()
	select {
	case d := <-r.came:
		return d
	case <-time.After(30 * time.Second):
		r.Fatal("no delivery")
	}
	return delivery{}
}

// quiet wants that nothing is left to deliver, and that nothing came.
func (r *receiver) quiet() {
	r.Helper()
	r.settled()
	select {
	case d := <-r.came:
		r.Fatalf("unwanted delivery: %s", d.body)
	default:
	}
}

// settled waits until all deliveries are done.
func (f *fixture) settled() {
	f.Helper()
	for end := time.Now().Add(30 * time.Second); f.s.PendingDeliveries() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			f.Fatal("deliveries never end")
		}
	}
}

// hook makes a webhook.
func (f *fixture) hook(kind, id, address string, triggers ...string) string {
	f.Helper()
	a := f.do("POST", "/webhooks", hookBody(kind, id, address, triggers...))
	return a.doc(f).str("id")
}

func hookBody(kind, id, address string, triggers ...string) map[string]any {
	return map[string]any{"target": map[string]string{"id": id, "type": kind}, "address": address, "triggers": triggers}
}

func TestWebhookObjects(t *testing.T) {
	f := start(t, core.Options{}, "")
	dir := f.newFolder("Watched", "0")
	file := f.newFile("w.txt", "0", "w")
	const address = "https://example.com/hook"
	a := f.do("POST", "/webhooks", hookBody("folder", dir, address, "FOLDER.CREATED", "FILE.UPLOADED"))
	d := a.doc(t)
	id := d.str("id")
	if a.status != 201 || d.str("type") != "webhook" || d.obj("target").str("id") != dir || d.obj("target").str("type") != "folder" ||
		d.str("address") != address || fmt.Sprint(d["triggers"]) != "[FILE.UPLOADED FOLDER.CREATED]" ||
		d.obj("created_by").str("id") != f.co.Alice().BoxID || d.str("created_at") == "" {
		t.Errorf("made: %s", a.body)
	}
	conflict := f.refused(f.api("POST", "/webhooks", hookBody("folder", dir, address, "FILE.MOVED")), 409, "conflict")
	if !strings.Contains(fmt.Sprint(conflict), id) {
		t.Errorf("conflict: %v", conflict)
	}
	for why, body := range map[string]map[string]any{
		"root":           hookBody("folder", "0", address, "FILE.MOVED"),
		"link":           hookBody("web_link", file, address, "FILE.MOVED"),
		"no trigger":     hookBody("file", file, address),
		"odd trigger":    hookBody("file", file, address, "FILE.EATEN"),
		"box's own":      hookBody("file", file, address, "WEBHOOK.DELETED"),
		"folder trigger": hookBody("file", file, address, "FOLDER.MOVED"),
		"upload to file": hookBody("file", file, address, "FILE.UPLOADED"),
		"no target":      {"address": address, "triggers": []string{"FILE.MOVED"}},
		"http":           hookBody("file", file, "http://example.com/", "FILE.MOVED"),
		"port":           hookBody("file", file, "https://example.com:8443/", "FILE.MOVED"),
		"box":            hookBody("file", file, "https://api.box.com/", "FILE.MOVED"),
		"private":        hookBody("file", file, "https://10.1.2.3/", "FILE.MOVED"),
		"no host":        hookBody("file", file, "https://intranet/", "FILE.MOVED"),
		"no URL":         hookBody("file", file, "hook", "FILE.MOVED"),
	} {
		if a := f.api("POST", "/webhooks", body); a.status != 400 {
			t.Errorf("%s: %d %s", why, a.status, a.body)
		}
	}
	f.set("box.webhook_local", false)
	if a := f.api("POST", "/webhooks", hookBody("file", file, "https://127.0.0.1/", "FILE.MOVED")); a.status != 400 {
		t.Errorf("loopback: %d", a.status)
	}
	f.set("box.webhook_local", true)
	f.refused(f.api("POST", "/webhooks", hookBody("file", "123456", address, "FILE.MOVED")), 404, "not_found")
	f.set("box.scopes", "root_readwrite")
	f.refused(f.as(f.co.Alice().Mail).api("POST", "/webhooks", hookBody("file", file, address, "FILE.MOVED")), 403, "insufficient_scope")
	f.set("box.scopes", "root_readwrite manage_webhook")

	// Another user's are out of sight, and no conflict.
	bob := f.bob()
	f.do("POST", "/collaborations", map[string]any{
		"item": map[string]string{"type": "folder", "id": dir}, "accessible_by": map[string]string{"login": f.colleague()}, "role": "editor",
	})
	theirs := bob.hook("folder", dir, address, "FILE.MOVED")
	bob.refused(bob.api("GET", "/webhooks/"+id, nil), 404, "not_found")
	bob.refused(bob.api("DELETE", "/webhooks/"+id, nil), 404, "not_found")

	second := f.hook("file", file, "https://example.com:443/two", "FILE.RENAMED")
	f.refused(f.api("PUT", "/webhooks/"+second, map[string]any{"target": map[string]string{"id": dir, "type": "folder"}}), 409, "conflict")
	if a := f.api("PUT", "/webhooks/"+second, map[string]any{"triggers": []string{"FOLDER.MOVED"}}); a.status != 400 {
		t.Errorf("bad update: %d", a.status)
	}
	d = f.do("PUT", "/webhooks/"+second, map[string]any{"address": "https://example.com/three", "triggers": []string{"FILE.LOCKED"}}).doc(t)
	if got := f.get("/webhooks/" + second); fmt.Sprint(got) != fmt.Sprint(d) || d.str("address") != "https://example.com/three" || fmt.Sprint(d["triggers"]) != "[FILE.LOCKED]" {
		t.Errorf("updated: %v, %v", d, got)
	}
	var listed []string
	for marker := ""; ; {
		d := f.get("/webhooks?limit=1&marker=" + marker)
		for _, w := range d.list("entries") {
			if _, has := w["address"]; has || len(w) != 3 || w.obj("target").str("id") == "" {
				t.Errorf("listed: %v", w)
			}
			listed = append(listed, w.str("id"))
		}
		if marker, _ = d["next_marker"].(string); marker == "" {
			break
		}
	}
	want := []string{id, second}
	slices.Sort(want)
	f.same("list", listed, want...)
	if a := f.do("DELETE", "/webhooks/"+id, nil); a.status != 204 {
		t.Errorf("delete: %d", a.status)
	}
	f.refused(f.api("GET", "/webhooks/"+id, nil), 404, "not_found")
	if bob.get("/webhooks/"+theirs).str("id") != theirs {
		t.Error("deleting one webhook deleted another's")
	}

	// The cap.
	f.s.hooks.mu.Lock()
	alice := f.s.userOf(f.co.Alice().Mail)
	for n := uint64(1); len(f.s.hooks.of(alice)) < mostWebhooks; n++ {
		f.s.hooks.byID[n] = &webhook{num: n, by: alice, item: alice.trash.byID[0], succeeded: f.w.Clock.Now()}
	}
	f.s.hooks.mu.Unlock()
	if a := f.api("POST", "/webhooks", hookBody("folder", dir, address, "FILE.MOVED")); a.status != 400 {
		t.Errorf("one too many: %d %s", a.status, a.body)
	}
}

func TestDeliveries(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.set("box.webhook_delay_ms", 0)
	f.set("box.upload_pending", 0)
	r := f.receive(nil)
	dir := f.newFolder("Watched", "0")
	sub := f.newFolder("Sub", dir)
	var every []string
	for name := range triggers {
		every = append(every, name)
	}
	hook := f.hook("folder", dir, r.url, every...)
	file := f.newFile("café.txt", sub, "one")
	d := r.next()
	if d.doc(t).str("type") != "webhook_event" || d.doc(t).str("trigger") != "FILE.UPLOADED" || d.doc(t).obj("webhook").str("id") != hook ||
		d.doc(t).obj("created_by").str("id") != f.co.Alice().BoxID || d.doc(t).obj("source").str("id") != file || d.doc(t).obj("source").str("sha1") == "" {
		t.Errorf("delivery: %s", d.body)
	}
	if !strings.Contains(string(d.body), `caf\u00e9`) || !strings.HasSuffix(string(d.body), `"additional_info":[]}`) {
		t.Errorf("escapes: %s", d.body)
	}
	primary, secondary := f.s.WebhookKeys()
	f.signed(d, primary, secondary)
	at, err := time.Parse(time.RFC3339, d.header.Get("Box-Delivery-Timestamp"))
	if age := f.w.Clock.Now().Sub(at); err != nil || age < 0 || age > time.Minute || !strings.ContainsAny(d.header.Get("Box-Delivery-Timestamp")[19:], "+-") {
		t.Errorf("timestamp: %v", d.header)
	}
	if d.header.Get("User-Agent") != "Box-WH-Client/0.1" || d.header.Get("Box-Signature-Version") != "1" || d.header.Get("Box-Signature-Algorithm") != "HmacSHA256" ||
		!strings.HasPrefix(d.header.Get("Content-Type"), "application/json") {
		t.Errorf("header: %v", d.header)
	}

	expect := func(want string, triggers ...string) []delivery {
		t.Helper()
		var got []string
		var all []delivery
		for range triggers {
			d := r.next()
			all, got = append(all, d), append(got, d.doc(t).str("trigger"))
		}
		slices.Sort(got)
		slices.Sort(triggers)
		f.same(want, got, triggers...)
		r.quiet()
		return all
	}
	f.do("PUT", "/files/"+file, map[string]any{"name": "a.txt"})
	if d := expect("rename", "FILE.RENAMED")[0]; d.doc(t).obj("additional_info").str("old_name") != "café.txt" {
		t.Errorf("rename: %s", d.body)
	}
	f.do("PUT", "/files/"+file, map[string]any{"parent": map[string]string{"id": dir}})
	if d := expect("move within", "FILE.MOVED")[0]; d.doc(t).obj("additional_info").obj("before").str("id") != sub || d.doc(t).obj("source").obj("parent").str("id") != dir {
		t.Errorf("move: %s", d.body)
	}
	f.do("PUT", "/files/"+file, map[string]any{"parent": map[string]string{"id": "0"}})
	expect("move out", "FILE.MOVED")
	f.do("PUT", "/files/"+file, map[string]any{"name": "unwatched.txt"})
	expect("elsewhere")
	f.do("PUT", "/files/"+file, map[string]any{"parent": map[string]string{"id": sub}})
	expect("move in", "FILE.MOVED", "FILE.UPLOADED")
	f.upload("/files/"+file+"/content", "{}", "two")
	expect("version", "FILE.UPLOADED")
	f.content(file, "")
	expect("download", "FILE.DOWNLOADED")
	f.do("PUT", "/files/"+file, map[string]any{"lock": map[string]string{"type": "lock"}})
	f.do("PUT", "/files/"+file, map[string]any{"lock": nil})
	expect("lock", "FILE.LOCKED", "FILE.UNLOCKED")
	f.do("PUT", "/files/"+file, map[string]any{"shared_link": map[string]string{"access": "open"}})
	f.do("PUT", "/files/"+file, map[string]any{"shared_link": map[string]string{"access": "company"}})
	f.do("PUT", "/files/"+file, map[string]any{"shared_link": nil})
	expect("share", "SHARED_LINK.CREATED", "SHARED_LINK.UPDATED", "SHARED_LINK.DELETED")
	cm := f.do("POST", "/comments", map[string]any{"message": "hm", "item": map[string]string{"type": "file", "id": file}}).doc(t).str("id")
	f.do("PUT", "/comments/"+cm, map[string]any{"message": "ha"})
	f.do("DELETE", "/comments/"+cm, nil)
	for _, d := range expect("comment", "COMMENT.CREATED", "COMMENT.UPDATED", "COMMENT.DELETED") {
		if d.doc(t).obj("source").str("type") != "comment" || d.doc(t).obj("source").obj("item").str("id") != file {
			t.Errorf("comment: %s", d.body)
		}
	}
	co := f.do("POST", "/collaborations", map[string]any{
		"item": map[string]string{"type": "folder", "id": sub}, "accessible_by": map[string]string{"login": f.colleague()}, "role": "editor",
	}).doc(t).str("id")
	expect("invitation", "COLLABORATION.CREATED", "COLLABORATION.ACCEPTED")
	f.do("PUT", "/collaborations/"+co, map[string]any{"role": "viewer"})
	f.do("DELETE", "/collaborations/"+co, nil)
	expect("collaboration", "COLLABORATION.UPDATED", "COLLABORATION.REMOVED")
	f.do("POST", "/folders/"+sub+"/copy", map[string]any{"name": "Copy", "parent": map[string]string{"id": dir}})
	expect("copy", "FOLDER.COPIED")
	f.do("DELETE", "/files/"+file, nil)
	f.do("DELETE", "/files/"+file+"/trash", nil)
	expect("file goes", "FILE.TRASHED", "FILE.DELETED")
	f.newFolder("Empty", sub)
	expect("folder", "FOLDER.CREATED")
	f.do("DELETE", "/folders/"+sub+"?recursive=true", nil)
	if d := expect("trash", "FOLDER.TRASHED")[0]; len(d.doc(t).obj("source")) != 2 || d.doc(t).obj("source").str("id") != sub {
		t.Errorf("FOLDER.TRASHED: %s", d.body)
	}
	f.do("POST", "/folders/"+sub, map[string]any{})
	f.do("PUT", "/folders/"+sub, map[string]any{"name": "Other"})
	expect("folder comes back", "FOLDER.RESTORED", "FOLDER.RENAMED")
	pos := f.position("all")
	f.do("PUT", "/folders/"+sub, map[string]any{"name": "Hushed"}, "box-notifications", "off")
	expect("notifications off")
	f.same("but the event", types(f.events("all", pos)), "ITEM_RENAME "+sub)
	f.refused(f.api("PUT", "/folders/"+sub, map[string]any{"name": "x/y"}), 400, "item_name_invalid")
	expect("refused")
}

// signed checks the signatures of a delivery; an empty key wants none.
func (f *fixture) signed(d delivery, primary, secondary string) {
	f.Helper()
	for name, key := range map[string]string{"Box-Signature-Primary": primary, "Box-Signature-Secondary": secondary} {
		want := ""
		if key != "" {
			want = signature(key, d.body, d.header.Get("Box-Delivery-Timestamp"))
			if raw, err := base64.StdEncoding.DecodeString(want); err != nil || len(raw) != 32 {
				f.Fatalf("signature %q", want)
			}
		}
		if got := d.header.Get(name); got != want {
			f.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	f := start(t, core.Options{}, "")
	f.set("box.webhook_delay_ms", 0)
	r := f.receive(nil)
	dir := f.newFolder("Watched", "0")
	f.hook("folder", dir, r.url, "FOLDER.CREATED")
	primary, secondary := f.s.WebhookKeys()
	if len(primary) != 32 || len(secondary) != 32 || primary == secondary {
		t.Fatalf("keys %q and %q", primary, secondary)
	}
	f.control(`{"action":"rotate_key","key":"primary"}`)
	now, same := f.s.WebhookKeys()
	if now == primary || same != secondary {
		t.Fatal("the primary key was not rotated, or the other was")
	}
	f.newFolder("A", dir)
	f.signed(r.next(), now, secondary)
	f.control(`{"action":"remove_key","key":"secondary"}`)
	f.newFolder("B", dir)
	f.signed(r.next(), now, "")
	d := f.control(`{"action":"remove_key","key":"primary"}`)
	if fmt.Sprint(d["webhook_keys"]) != "[ ]" {
		t.Errorf("keys: %v", d)
	}
	f.newFolder("C", dir)
	bare := r.next()
	f.signed(bare, "", "")
	if bare.header.Get("Box-Signature-Version") != "" {
		t.Error("a signature version without a signature")
	}
	if a := f.send("POST", f.w.Hosts.Control+"/box", strings.NewReader(`{"action":"rotate_key","key":"third"}`)); a.status != 400 {
		t.Errorf("unknown key: %d", a.status)
	}
}
