package outlook_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/outlook"
)

const inboxDelta = "/me/mailFolders/inbox/messages/delta"

func TestDeltaInitialRound(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	all, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=1000")
	first := f.alice.Get(inboxDelta + "?$select=subject,receivedDateTime")
	if n := len(first.Items()); n != 10 || first.Link("@odata.deltaLink") != "" || first.Link("@odata.nextLink") == "" {
		t.Errorf("first page: %d items, links %q and %q", n, first.Link("@odata.nextLink"), first.Link("@odata.deltaLink"))
	}
	link, items := f.round(inboxDelta+"?$select=subject,receivedDateTime", "Prefer", "odata.maxpagesize=50")
	got := state{}
	got.apply(items)
	if len(got) != len(all) {
		t.Errorf("%d messages by delta, %d by list", len(got), len(all))
	}
	for _, m := range all {
		d := got[str(m, "id")]
		if d == nil || d["subject"] != m["subject"] || d["@odata.type"] == nil || d["@odata.etag"] != m["@odata.etag"] {
			t.Fatalf("delta gives %v for %v", d, m["id"])
		}
		if d["body"] != nil {
			t.Fatal("the $select of the first request must hold for later pages")
		}
	}
	// Replays: an item twice, an order that is not by date, and a removal of what never was.
	seen, twice, disordered, removals := map[string]bool{}, 0, 0, 0
	previous := ""
	for _, m := range items {
		if m["@removed"] != nil {
			removals++
			continue
		}
		if seen[str(m, "id")] {
			twice++
		}
		seen[str(m, "id")] = true
		if r := str(m, "receivedDateTime"); previous != "" && r > previous {
			disordered++
		}
		previous = str(m, "receivedDateTime")
	}
	if twice == 0 || disordered == 0 || removals != 1 {
		t.Errorf("%d repeated, %d out of order, %d removed", twice, disordered, removals)
	}
	f.Set("graph.awkward_pages", true)
	_, items = f.round(inboxDelta+"?$select=subject", "Prefer", "odata.maxpagesize=12")
	got = state{}
	if got.apply(items); len(got) != len(all) {
		t.Errorf("%d messages in short and empty pages, want %d", len(got), len(all))
	}
	again, items := f.round(link)
	if len(items) != 0 || again != link {
		t.Errorf("nothing changed: %d items, link %q, want %q", len(items), again, link)
	}

	f.Set("outlook.delta_replays", false)
	_, items = f.round(inboxDelta+"?$orderby=receivedDateTime%20desc", "Prefer", "odata.maxpagesize=50")
	if !slices.Equal(ids(items), ids(all)) {
		t.Errorf("without replays and ordered, delta is the list: %d and %d", len(items), len(all))
	}
}

func TestDeltaChanges(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	f.Set("outlook.delta_replays", false)
	link, items := f.round(inboxDelta+"?$select=subject,isRead", "Prefer", "odata.maxpagesize=500")
	held := state{}
	held.apply(items)
	old := link

	m := f.alice.Get("/me/mailFolders/inbox/messages?$top=3").Items()
	read, gone := str(m[0], "id"), str(m[1], "id")
	f.alice.Do("PATCH", "/me/messages/"+read, map[string]any{"isRead": m[0]["isRead"] != true})
	link, items = f.round(link)
	if len(items) != 1 || items[0]["id"] != read || items[0]["isRead"] == m[0]["isRead"] || items[0]["@odata.etag"] == m[0]["@odata.etag"] {
		t.Errorf("a read mark gives %v", items)
	}
	f.mail("bob@contoso.com", "News")
	link, items = f.round(link)
	if len(items) != 1 || items[0]["subject"] != "News" || items[0]["body"] != nil {
		t.Errorf("new mail gives %v", items)
	}
	f.alice.Do("DELETE", "/me/messages/"+gone, nil)
	link, items = f.round(link)
	if len(items) != 1 || items[0]["id"] != gone || items[0]["@removed"].(map[string]any)["reason"] != "deleted" {
		t.Errorf("a deletion gives %v", items)
	}
	// The first link still works and gives all of it, each id once.
	newest, items := f.round(old)
	if len(items) != 3 || newest != link {
		t.Errorf("the old link gives %v and %q, want %q", items, newest, link)
	}
	held.apply(items)
	now, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=500&$select=id")
	if len(held) != len(now) {
		t.Errorf("held %d, there are %d", len(held), len(now))
	}
	f.Set("outlook.delta_replays", true)
	_, items = f.round(old)
	removals := 0
	for _, m := range items {
		if m["@removed"] != nil {
			removals++
		}
	}
	if len(items) != 5 || removals != 2 {
		t.Errorf("with replays: %v, want one twice and one unknown removal", items)
	}
}

func TestDeltaMove(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	f.Set("outlook.delta_replays", false)
	for _, c := range []struct{ prefer string }{{""}, {immutable}} {
		headers := []string{"Prefer", strings.Trim("odata.maxpagesize=500,"+c.prefer, ",")}
		from, _ := f.round(inboxDelta, headers...)
		to, _ := f.round("/me/mailFolders/archive/messages/delta", headers...)
		m := f.alice.Get("/me/mailFolders/inbox/messages?$top=1", headers...).Items()[0]
		f.alice.Do("POST", "/me/messages/"+str(m, "id")+"/move", map[string]any{"destinationId": "archive"})
		_, left := f.round(from, headers...)
		_, came := f.round(to, headers...)
		if len(left) != 1 || left[0]["id"] != m["id"] || left[0]["@removed"] == nil {
			t.Errorf("%q: the source folder gives %v", c.prefer, left)
		}
		if len(came) != 1 || came[0]["subject"] != m["subject"] || (came[0]["id"] == m["id"]) != (c.prefer != "") {
			t.Errorf("%q: the target folder gives %v, want id %v kept: %v", c.prefer, came, m["id"], c.prefer != "")
		}
	}
	// A message that goes and comes back: one entry by immutable id, two by default ids.
	stable := []string{"Prefer", immutable}
	link, _ := f.round(inboxDelta+"?$top=500", stable...)
	m := f.alice.Get("/me/mailFolders/inbox/messages?$top=1", stable...).Items()[0]
	for _, to := range []string{"archive", "inbox"} {
		f.alice.Do("POST", "/me/messages/"+str(m, "id")+"/move", map[string]any{"destinationId": to}, stable...)
	}
	if _, items := f.round(link, stable...); len(items) != 1 || items[0]["@removed"] != nil || items[0]["id"] != m["id"] {
		t.Errorf("there and back by immutable id: %v", items)
	}
	if _, items := f.round(link); len(items) != 2 || items[0]["@removed"] == nil || items[1]["@removed"] != nil {
		t.Errorf("there and back by default ids: %v", items)
	}
}

func TestDeltaDuringRound(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	first := f.alice.Get(inboxDelta+"?$select=subject", "Prefer", "odata.maxpagesize=50")
	held := state{}
	held.apply(first.Items())
	// One that was given already goes, one that is still to come goes, a new one comes.
	all, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=500&$select=id")
	f.alice.Do("DELETE", "/me/messages/"+str(all[2], "id"), nil)
	f.alice.Do("DELETE", "/me/messages/"+str(all[100], "id"), nil)
	f.alice.Do("DELETE", "/me/messages/"+str(all[49], "id"), nil) // where the page ended
	f.mail("carol@contoso.com", "Meanwhile")
	link, items := f.round(first.Link("@odata.nextLink"), "Prefer", "odata.maxpagesize=50")
	held.apply(items)
	_, items = f.round(link)
	held.apply(items)
	now, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=500&$select=id")
	want := sorted(ids(now))
	var got []string
	for id := range held {
		got = append(got, id)
	}
	if !slices.Equal(sorted(got), want) {
		t.Errorf("after the round and its deltaLink the client holds %d, the folder has %d", len(got), len(want))
	}
}

func TestDeltaOptions(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	f.Set("outlook.delta_replays", false)
	for _, bad := range []string{
		"$filter=" + q("isRead eq false"), "$filter=" + q("receivedDateTime lt 2026-01-01"), "$filter=" + q("receivedDateTime ge 2026-01-01 and isRead eq false"),
		"$orderby=subject", "$orderby=receivedDateTime", "$search=" + q(`"x"`), "changeType=moved", "$skip=5",
	} {
		if r := f.alice.Do("GET", inboxDelta+"?"+bad, nil); r.Status != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", bad, r.Status)
		}
	}
	link, items := f.round(inboxDelta + "?$select=id&$top=20&$filter=" + q("receivedDateTime ge 2026-11-01T00:00:00Z"))
	want, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=500&$select=id&$filter=" + q("receivedDateTime ge 2026-11-01T00:00:00Z"))
	if !slices.Equal(sorted(ids(items)), sorted(ids(want))) || len(want) == 0 {
		t.Errorf("filtered delta gives %d, list %d", len(items), len(want))
	}
	older, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=1&$filter=" + q("receivedDateTime lt 2026-11-01T00:00:00Z") + "&$orderby=receivedDateTime")
	f.alice.Do("PATCH", "/me/messages/"+str(older[0], "id"), map[string]any{"categories": []string{"x"}})
	if _, items = f.round(link); len(items) != 0 {
		t.Errorf("a change outside the filter shows: %v", items)
	}
	if r := f.alice.Do("GET", link+"&$select=subject", nil); r.Status != http.StatusBadRequest {
		t.Errorf("options on a token link: %d, want 400", r.Status)
	}
	f.Set("outlook.delta_filter_limit", 7)
	if _, items = f.round(inboxDelta + "?$top=5&$filter=" + q("receivedDateTime ge 2025-01-01T00:00:00Z")); len(items) != 7 {
		t.Errorf("a filtered round gives %d messages, want it to stop at 7", len(items))
	}
	if _, items = f.round(inboxDelta + "?$top=500"); len(items) < 100 {
		t.Errorf("an unfiltered one has no such limit, got %d", len(items))
	}

	for kind, want := range map[string]int{"created": 1, "updated": 1, "deleted": 1} {
		link, _ := f.round(inboxDelta + "?$top=500&changeType=" + kind)
		m := f.alice.Get("/me/mailFolders/inbox/messages?$top=2").Items()
		f.alice.Do("PATCH", "/me/messages/"+str(m[0], "id"), map[string]any{"categories": []string{kind}})
		f.alice.Do("DELETE", "/me/messages/"+str(m[1], "id"), nil)
		f.alice.Do("POST", "/me/mailFolders/inbox/messages", map[string]any{"subject": kind})
		if _, items := f.round(link); len(items) != want {
			t.Errorf("changeType=%s: %v", kind, items)
		}
	}
	latest := f.alice.Get(inboxDelta + "?$deltatoken=latest")
	if len(latest.Items()) != 0 || latest.Link("@odata.deltaLink") == "" {
		t.Errorf("latest: %s", latest.Body)
	}
}

func TestDeltaExpiry(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	link, _ := f.round(inboxDelta + "?$select=subject&$top=500")
	middle := f.alice.Get(inboxDelta + "?$select=subject").Link("@odata.nextLink")
	f.Set("outlook.delta_generation", 1)
	for _, old := range []string{link, middle} {
		r := f.alice.Do("GET", old, nil)
		location := r.Header.Get("Location")
		if r.Status != http.StatusGone || !strings.EqualFold(r.Code(), "syncStateNotFound") || !strings.HasSuffix(location, "$deltatoken=") {
			t.Fatalf("expired: %d %s, Location %q", r.Status, r.Body, location)
		}
		if r = f.alice.Get(location); len(r.Items()) == 0 || r.Items()[0]["body"] != nil {
			t.Errorf("starting over at %q gives %d items", location, len(r.Items()))
		}
	}
	f.Set("outlook.delta_expired", "syncStateNotFound")
	if r := f.alice.Do("GET", link, nil); r.Status != http.StatusNotFound || r.Code() != "SyncStateNotFound" {
		t.Errorf("expired: %d %s", r.Status, r.Body)
	}
	f.Set("outlook.delta_expired", "syncStateInvalid")
	if r := f.alice.Do("GET", link, nil); r.Status != http.StatusBadRequest || r.Code() != "SyncStateInvalid" {
		t.Errorf("expired: %d %s", r.Status, r.Body)
	}
	link, _ = f.round(inboxDelta + "?$top=500")
	f.Set("outlook.delta_max_age_hours", 48)
	f.World.Clock.Advance(47 * time.Hour)
	link, _ = f.round(link)
	f.World.Clock.Advance(47 * time.Hour)
	if r := f.alice.Do("GET", link, nil); r.Status != http.StatusOK {
		t.Errorf("a link that was renewed in time: %d", r.Status)
	}
	f.World.Clock.Advance(49 * time.Hour)
	if r := f.alice.Do("GET", link, nil); r.Status != http.StatusBadRequest {
		t.Errorf("a link too old: %d", r.Status)
	}
}

func TestDeltaManyChanges(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	link, items := f.round(inboxDelta + "?$select=subject&$top=500")
	held := state{}
	held.apply(items)
	for i := range 30 {
		f.alice.Do("POST", "/me/mailFolders/inbox/messages", map[string]any{"subject": fmt.Sprintf("draft %d", i)})
	}
	page := f.alice.Get(link, "Prefer", "odata.maxpagesize=4").Items()
	if len(page) == 0 {
		t.Fatal("no changes")
	}
	_, items = f.round(link)
	held.apply(items)
	now, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=500&$select=id")
	if len(held) != len(now) {
		t.Errorf("held %d, there are %d", len(held), len(now))
	}
}
