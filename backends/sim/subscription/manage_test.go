package subscription_test

import (
	"testing"
	"time"
)

func TestManaging(t *testing.T) {
	f := newFixture(t)
	made := f.alice.Do("POST", "/subscriptions", f.draft("/me/mailFolders('Inbox')/messages", map[string]any{"lifecycleNotificationUrl": f.to.url + "/life"}))
	id := made.Link("id")
	for name, want := range map[string]any{
		"resource": "/me/mailFolders('Inbox')/messages", "changeType": "created,updated,deleted", "clientState": "s3cret",
		"notificationUrl": f.to.url + "/hook", "lifecycleNotificationUrl": f.to.url + "/life", "applicationId": f.Entra.Confidential.ID,
		"creatorId": f.Company.Alice().ID, "latestSupportedTlsVersion": "v1_2", "includeResourceData": nil, "encryptionCertificate": nil,
		"@odata.context": f.World.Hosts.Graph + "/v1.0/$metadata#subscriptions/$entity",
	} {
		if got := made.JSON[name]; made.Status != 201 || got != want {
			t.Errorf("%s is %v, want %v (%d)", name, got, want, made.Status)
		}
	}
	f.subscribe(f.bob, "me/messages", nil)
	f.subscribe(f.app, "users/"+f.Company.Bob().ID+"/messages", nil)
	if items, _ := f.alice.All("/subscriptions"); len(items) != 1 || items[0]["id"] != id || items[0]["clientState"] != "s3cret" {
		t.Errorf("alice lists %v", items)
	}
	if items, _ := f.app.All("/subscriptions"); len(items) != 3 {
		t.Errorf("the application lists %d", len(items))
	}
	f.Set("subscriptions.show_client_state", false)
	if got := f.alice.Get("/subscriptions/" + id); got.JSON["clientState"] != nil || got.JSON["id"] != id {
		t.Errorf("one: %s", got.Body)
	}
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		if r := f.bob.Do(method, "/subscriptions/"+id, map[string]any{}); r.Status != 404 {
			t.Errorf("%s by another: %d", method, r.Status)
		}
	}
	if r := f.As(f.Company.Alice(), "User.Read").Do("GET", "/subscriptions/"+id, nil); r.Status != 403 {
		t.Errorf("without the permission for mail: %d", r.Status)
	}

	f.to.asked()
	until := f.in(48 * time.Hour)
	r := f.alice.Do("PATCH", "/subscriptions/"+id, map[string]any{"expirationDateTime": until})
	if r.Status != 200 || f.status(id).ExpirationDateTime.Format("2006-01-02T15:04:05.0000000Z") != until {
		t.Errorf("renewal: %d %s", r.Status, r.Body)
	}
	if n := len(f.to.asked()); n != 0 {
		t.Errorf("%d validations at a renewal", n)
	}
	if r = f.alice.Do("PATCH", "/subscriptions/"+id, map[string]any{"notificationUrl": f.to.url + "/new"}); r.Status != 200 || r.JSON["notificationUrl"] != f.to.url+"/new" || len(f.to.asked()) != 1 {
		t.Errorf("new address: %d %s", r.Status, r.Body)
	}
	f.newMail("inbox", "to the new address")
	f.to.items(1)
	for name, patch := range map[string]map[string]any{
		"lifecycle": {"lifecycleNotificationUrl": f.to.url}, "resource": {"resource": "me/events"}, "too long": {"expirationDateTime": f.in(9 * 24 * time.Hour)},
		"address": {"notificationUrl": "http://example.com"}, "certificate": {"encryptionCertificate": "x", "encryptionCertificateId": "y"},
	} {
		if r := f.alice.Do("PATCH", "/subscriptions/"+id, patch); r.Status != 400 {
			t.Errorf("PATCH of %s: %d %s", name, r.Status, r.Body)
		}
	}
	if r := f.alice.Do("POST", "/subscriptions/"+id+"/reauthorize", nil); r.Status != 204 {
		t.Errorf("reauthorize: %d %s", r.Status, r.Body)
	}
	if r := f.alice.Do("DELETE", "/subscriptions/"+id, nil); r.Status != 204 {
		t.Errorf("DELETE: %d", r.Status)
	}
	for _, call := range [][2]string{{"GET", ""}, {"PATCH", ""}, {"DELETE", ""}, {"POST", "/reauthorize"}} {
		if r := f.alice.Do(call[0], "/subscriptions/"+id+call[1], map[string]any{}); r.Status != 404 || r.Code() != "ResourceNotFound" {
			t.Errorf("%s%s of a deleted one: %d %s", call[0], call[1], r.Status, r.Body)
		}
	}
	stats := f.World.Stats.Snapshot()
	if stats.Requests["POST /v1.0/subscriptions"] != 3 || stats.Requests["POST /v1.0/subscriptions/{id}/reauthorize"] != 2 {
		t.Errorf("counted %v", stats.Requests)
	}
}

func TestCallsAreLimited(t *testing.T) {
	f := newFixture(t)
	f.Set("throttle", "real")
	for n := range 26 {
		r := f.alice.Do("GET", "/subscriptions", nil)
		if want := map[bool]int{true: 429, false: 200}[n == 25]; r.Status != want {
			t.Fatalf("list %d: %d, want %d", n+1, r.Status, want)
		}
	}
	// Other calls have limits of their own.
	f.subscribe(f.alice, "me/messages", nil)
	f.World.Clock.Advance(21 * time.Second)
	if r := f.alice.Do("GET", "/subscriptions", nil); r.Status != 200 {
		t.Errorf("after 20 seconds: %d", r.Status)
	}
}
