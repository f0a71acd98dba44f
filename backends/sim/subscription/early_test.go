package subscription_test

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// listed tells whether a collection has an item.
func (f *fixture) listed(path, id string) bool {
	f.T.Helper()
	items, _ := f.alice.All(path)
	return slices.ContainsFunc(items, func(i map[string]any) bool { return i["id"] == id })
}

func TestNotificationBeforeTheMessage(t *testing.T) {
	f := newFixture(t)
	f.Set("outlook.delta_replays", false)
	f.subscribe(f.alice, "me/messages", map[string]any{"changeType": "created"})
	const folder = "/me/mailFolders/drafts/messages"
	_, last := f.alice.All(folder + "/delta?$select=subject")
	f.Set("outlook.replication_seconds", 60)
	id := f.newMail("drafts", "early")
	if got := f.to.items(1)[0]; got.data("id") != id {
		t.Fatalf("%v", got)
	}
	// Whoever asks at once learns nothing, and loses nothing by it.
	if r := f.alice.Do("GET", "/me/messages/"+id, nil); r.Status != http.StatusNotFound || r.Code() != "ErrorItemNotFound" {
		t.Errorf("GET: %d %s", r.Status, r.Body)
	}
	if f.listed(folder, id) || f.listed(folder+"/delta?$select=subject", id) {
		t.Error("it is listed already")
	}
	items, early := f.alice.All(last.Link("@odata.deltaLink"))
	_, fresh := f.alice.All(folder + "/delta?$select=subject")
	if len(items) != 0 {
		t.Errorf("delta: %v", items)
	}
	f.World.Clock.Advance(61 * time.Second)
	if r := f.alice.Do("GET", "/me/messages/"+id, nil); r.Status != http.StatusOK {
		t.Errorf("GET later: %d %s", r.Status, r.Body)
	}
	if !f.listed(folder, id) || !f.listed(early.Link("@odata.deltaLink"), id) || !f.listed(fresh.Link("@odata.deltaLink"), id) {
		t.Error("it is missing")
	}
}

func TestNotificationBeforeThePost(t *testing.T) {
	f := newFixture(t)
	team := f.Company.Group("engineering").ID
	channel := f.alice.Get("/teams/" + team + "/channels").Items()[0]["id"].(string)
	messages := "/teams/" + team + "/channels/" + escape(channel) + "/messages"
	f.subscribe(f.alice, messages, map[string]any{"changeType": "created"})
	_, last := f.alice.All(messages + "/delta")
	f.Set("teams.replication_seconds", 60)
	id := f.alice.Do("POST", messages, map[string]any{"body": map[string]any{"content": "early"}}).Link("id")
	if got := f.to.items(1)[0]; got.data("id") != id {
		t.Fatalf("%v", got)
	}
	if r := f.alice.Do("GET", messages+"/"+id, nil); r.Status != http.StatusNotFound {
		t.Errorf("GET: %d %s", r.Status, r.Body)
	}
	items, early := f.alice.All(last.Link("@odata.deltaLink"))
	_, fresh := f.alice.All(messages + "/delta")
	if len(items) != 0 || f.listed(messages, id) {
		t.Error("it is listed already")
	}
	f.World.Clock.Advance(61 * time.Second)
	if r := f.alice.Do("GET", messages+"/"+id, nil); r.Status != http.StatusOK {
		t.Errorf("GET later: %d %s", r.Status, r.Body)
	}
	if !f.listed(messages, id) || !f.listed(early.Link("@odata.deltaLink"), id) || !f.listed(fresh.Link("@odata.deltaLink"), id) {
		t.Error("it is missing")
	}
}
