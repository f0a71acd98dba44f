package subscription_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/simtest"
)

// changes are the kinds of change of notifications, in their order.
func changes(items []item) (kinds []string) {
	for _, i := range items {
		kinds = append(kinds, i.text("changeType"))
	}
	return kinds
}

func TestMail(t *testing.T) {
	f := newFixture(t)
	alice := f.Company.Alice().ID
	drafts := f.alice.Get("/me/mailFolders/drafts").Link("id")
	archive := f.alice.Get("/me/mailFolders/archive").Link("id")
	from := f.subscribe(f.alice, "me/mailFolders('drafts')/messages", nil)
	to := f.subscribe(f.app, "/users/alice@contoso.com/mailFolders/"+archive+"/messages", nil)
	both := f.subscribe(f.alice, "me/messages", map[string]any{"changeType": "created, deleted", "clientState": "other"})

	id := f.newMail(drafts, "hello")
	byID := map[string]item{}
	for _, i := range f.to.items(2) {
		byID[i.text("subscriptionId")] = i
	}
	got := byID[from]
	path := "Users/" + alice + "/Messages/" + id
	for name, want := range map[string]any{
		"changeType": "created", "clientState": "s3cret", "tenantId": f.Company.TenantID, "resource": path,
		"subscriptionExpirationDateTime": f.alice.Get("/subscriptions/" + from).JSON["expirationDateTime"],
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	etag := f.alice.Get("/me/messages/" + id).Link("@odata.etag")
	for name, want := range map[string]string{"@odata.type": "#Microsoft.Graph.Message", "@odata.id": path, "id": id, "@odata.etag": etag} {
		if got.data(name) != want {
			t.Errorf("resourceData %s is %q, want %q", name, got.data(name), want)
		}
	}
	if got.text("id") == "" || byID[both].text("clientState") != "other" {
		t.Errorf("notifications %v", byID)
	}
	if _, rich := got["encryptedContent"]; rich {
		t.Error("resource data that nobody asked for")
	}

	f.alice.Do("PATCH", "/me/messages/"+id, map[string]any{"isRead": false, "subject": "hello again"})
	if i := f.to.items(1)[0]; i.text("changeType") != "updated" || i.text("subscriptionId") != from || i.data("@odata.etag") == etag {
		t.Errorf("update: %v", i)
	}
	moved := f.alice.Do("POST", "/me/messages/"+id+"/move", map[string]any{"destinationId": "archive"}).Link("id")
	type key struct{ sub, change, id string }
	want := []key{{from, "deleted", id}, {both, "deleted", id}, {to, "created", moved}, {both, "created", moved}}
	var have []key
	for _, i := range f.to.items(4) {
		have = append(have, key{i.text("subscriptionId"), i.text("changeType"), i.data("id")})
	}
	if !slices.Equal(have, want) || moved == id {
		t.Errorf("a move: %v, want %v", have, want)
	}
	// Deletion for good: what goes to the recoverable items is not in the mailbox any more.
	f.alice.Do("POST", "/me/messages/"+moved+"/permanentDelete", nil)
	if got := f.to.items(2); got[0].text("changeType") != "deleted" || got[1].text("changeType") != "deleted" || got[0].data("@odata.etag") != "" {
		t.Errorf("deletion: %v", got)
	}
	for id, n := range map[string]int{from: 3, to: 2, both: 4} {
		eventually(t, func() bool { return f.status(id).Delivered == n })
	}
}

func TestImmutableIDs(t *testing.T) {
	f := newFixture(t)
	const header, value = "Prefer", `IdType="ImmutableId"`
	plain := f.subscribe(f.alice, "me/messages", map[string]any{"changeType": "created"})
	f.subscribe(f.alice, "me/mailFolders/drafts/messages", map[string]any{"changeType": "created,deleted"}, header, value)
	id := f.newMail("drafts", "which id?")
	immutable := f.alice.Get("/me/messages/"+id, header, value).Link("id")
	for _, i := range f.to.items(2) {
		want := immutable
		if i.text("subscriptionId") == plain {
			want = id
		}
		if i.data("id") != want || id == immutable {
			t.Errorf("%s notified with the id %s, want %s", i.text("resource"), i.data("id"), want)
		}
	}
	f.alice.Do("DELETE", "/me/messages/"+id, nil)
	gone := f.to.items(2) // the message is created in Deleted Items for the one, gone from Drafts for the other
	slices.SortFunc(gone, func(a, b item) int { return strings.Compare(a.text("changeType"), b.text("changeType")) })
	if gone[1].text("changeType") != "deleted" || gone[1].data("id") != immutable {
		t.Errorf("deletion: %v", gone[1])
	}
}

func TestFilter(t *testing.T) {
	f := newFixture(t)
	f.subscribe(f.alice, "me/mailFolders('drafts')/messages?$filter=isRead eq false", nil)
	id := f.newMail("drafts", "unread?")
	f.alice.Do("PATCH", "/me/messages/"+id, map[string]any{"isRead": true})
	f.alice.Do("PATCH", "/me/messages/"+id, map[string]any{"subject": "not seen"})
	f.alice.Do("PATCH", "/me/messages/"+id, map[string]any{"isRead": false})
	f.alice.Do("PATCH", "/me/messages/"+id, map[string]any{"subject": "seen"})
	f.alice.Do("DELETE", "/me/messages/"+id, nil)
	want := []string{"created", "updated", "deleted"}
	if got := changes(f.to.items(len(want))); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestEventsAndContacts(t *testing.T) {
	f := newFixture(t)
	alice := f.Company.Alice().ID
	f.subscribe(f.alice, "me/events", nil)
	f.subscribe(f.alice, "me/contacts", nil)
	event := f.newEvent("Lunch")
	if i := f.to.items(1)[0]; i.text("resource") != "Users/"+alice+"/Events/"+event || i.data("@odata.type") != "#Microsoft.Graph.Event" || i.text("changeType") != "created" {
		t.Errorf("event: %v", i)
	}
	f.alice.Do("DELETE", "/me/events/"+event, nil)
	if i := f.to.items(1)[0]; i.text("changeType") != "deleted" || i.data("id") != event {
		t.Errorf("deleted event: %v", i)
	}
	contact := f.alice.Do("POST", "/me/contacts", map[string]any{"givenName": "Zelda"}).Link("id")
	if i := f.to.items(1)[0]; i.text("resource") != "Users/"+alice+"/Contacts/"+contact || i.data("@odata.type") != "#Microsoft.Graph.Contact" {
		t.Errorf("contact: %v", i)
	}
}

func TestTeams(t *testing.T) {
	f := newFixture(t)
	team := f.Company.Group("engineering").ID
	channel := f.alice.Get("/teams/" + team + "/channels").Items()[0]["id"].(string)
	f.subscribe(f.alice, "teams/"+team+"/channels/"+channel+"/messages", nil)
	tenant := f.subscribe(f.app, "/teams/getAllMessages", map[string]any{"notificationUrl": f.to.url + "/tenant", "changeType": "updated"})
	messages := "/teams/" + team + "/channels/" + escape(channel) + "/messages"
	body := func(text string) map[string]any { return map[string]any{"body": map[string]any{"content": text}} }

	post := f.alice.Do("POST", messages, body("post")).Link("id")
	at := "teams('" + team + "')/channels('" + channel + "')/messages('" + post + "')"
	i := f.to.items(1)[0]
	if i.text("resource") != at || i.data("@odata.id") != at || i.data("@odata.type") != "#Microsoft.Graph.chatMessage" || i.data("id") != post || i.text("changeType") != "created" {
		t.Errorf("post: %v", i)
	}
	if _, numbered := i["id"]; numbered {
		t.Error("the workload does not number its notifications")
	}
	reply := f.alice.Do("POST", messages+"/"+post+"/replies", body("reply")).Link("id")
	if i := f.to.items(1)[0]; i.text("resource") != at+"/replies('"+reply+"')" {
		t.Errorf("reply: %v", i)
	}
	f.alice.Do("PATCH", messages+"/"+post, body("edited"))
	for _, i := range f.to.items(2) {
		if i.text("changeType") != "updated" || i.text("resource") != at {
			t.Errorf("edit: %v", i)
		}
	}
	f.alice.Do("POST", messages+"/"+post+"/softDelete", nil)
	if i := f.to.items(1)[0]; i.text("changeType") != "deleted" || i.text("resource") != at {
		t.Errorf("deletion: %v", i)
	}
	f.alice.Do("DELETE", "/subscriptions/"+tenant, nil)

	chat := f.alice.Get("/me/chats").Items()[0]["id"].(string)
	f.subscribe(f.alice, "chats/"+chat+"/messages", map[string]any{"changeType": "created"})
	f.subscribe(f.alice, "me/chats/getAllMessages", map[string]any{"changeType": "created"})
	outsider := f.Company.Person("xiaoming@contoso.com")
	if f.teams.Store.InChat(chat, outsider.ID) {
		t.Fatal("the test wants somebody who is not in the chat")
	}
	f.subscribe(f.app, "users/"+outsider.ID+"/chats/getAllMessages", nil)
	said := f.alice.Do("POST", "/chats/"+escape(chat)+"/messages", body("hi")).Link("id")
	for _, i := range f.to.items(2) {
		if i.text("resource") != "chats('"+chat+"')/messages('"+said+"')" {
			t.Errorf("chat: %v", i)
		}
	}
}

func TestDrive(t *testing.T) {
	f := newFixture(t)
	own := f.subscribe(f.alice, "/me/drive/root", map[string]any{"changeType": "updated", "expirationDateTime": f.in(29 * 24 * time.Hour)})
	drive := f.alice.Get("/me/drive").Link("id")
	byID := f.subscribe(f.app, "drives/"+drive+"/root", map[string]any{"changeType": "updated"})
	f.alice.Do("PUT", "/me/drive/root:/new.txt:/content", []byte("content"))
	paths := map[string]string{own: "users/" + f.Company.Alice().ID + "/drive/root", byID: "drives/" + drive + "/root"}
	for _, i := range f.to.items(2) {
		data, _ := json.Marshal(i["resourceData"])
		if i.text("changeType") != "updated" || i.text("resource") != paths[i.text("subscriptionId")] || string(data) != `{"@odata.type":"#Microsoft.Graph.DriveItem"}` {
			t.Errorf("new file: %v", i)
		}
		if _, numbered := i["id"]; numbered {
			t.Error("the workload does not number its notifications")
		}
	}
	other := f.bob.Get("/me/drive").Link("id")
	if r := f.alice.Do("POST", "/subscriptions", f.draft("drives/"+other+"/root", map[string]any{"changeType": "updated"})); r.Status != 403 {
		t.Errorf("another's drive: %d %s", r.Status, r.Body)
	}
}

func TestDirectory(t *testing.T) {
	f := newFixture(t)
	with := map[string]any{"changeType": "updated,deleted"}
	f.subscribe(f.app, "users", with)
	group := f.Company.Group("finance").ID
	f.subscribe(f.app, "groups/"+group, with)
	made := f.app.Do("POST", "/users", map[string]any{"displayName": "New", "userPrincipalName": "new@contoso.com"}).Link("id")
	f.app.Do("DELETE", "/users/"+made, nil)
	got := f.to.items(2)
	if !slices.Equal(changes(got), []string{"updated", "updated"}) || got[0].text("resource") != "Users/"+made || got[0].data("id") != made || got[0].data("@odata.type") != "#Microsoft.Graph.User" {
		t.Errorf("new user, then deleted softly: %v", got)
	}
	if err := f.directory.Store.Delete("#microsoft.graph.user", made); err != nil {
		t.Fatal(err)
	}
	if got := f.to.items(1); got[0].text("changeType") != "deleted" {
		t.Errorf("deleted for good: %v", got)
	}
	f.app.Do("PATCH", "/groups/"+group, map[string]any{"description": "new"})
	f.app.Do("PATCH", "/groups/"+f.Company.Group("legal").ID, map[string]any{"description": "new"})
	if got := f.to.items(1); got[0].text("resource") != "Groups/"+group {
		t.Errorf("group: %v", got)
	}
}

func TestTeamsChannelsChatsAndMembers(t *testing.T) {
	f := newFixture(t)
	team := f.Company.Group("engineering").ID
	bob, hanako := f.Company.Bob().ID, f.Company.Person("hanako@contoso.com").ID
	heard := map[string]string{} // subscription id to its resource
	subscribe := func(c *simtest.Client, resource string) {
		heard[f.subscribe(c, resource, nil)] = resource
	}
	for _, resource := range []string{"teams/" + team, "teams('" + team + "')/channels", "teams/" + team + "/members", "me/chats"} {
		subscribe(f.alice, resource)
	}
	for _, resource := range []string{"teams", "teams/getAllChannels", "teams/" + team + "/channels/getAllMembers", "chats", "chats/getAllMembers"} {
		subscribe(f.app, resource)
	}
	do := func(method, path string, body any) *simtest.Response {
		t.Helper()
		r := f.app.Do(method, path, body)
		if r.Status/100 != 2 {
			t.Fatalf("%s %s: %d %s", method, path, r.Status, r.Body)
		}
		return r
	}
	// hears waits for a notification of the change to each of the resources, and for no other.
	hears := func(change, path, kind string, resources ...string) {
		t.Helper()
		var got []string
		for _, i := range f.to.items(len(resources)) {
			got = append(got, heard[i.text("subscriptionId")])
			if i.text("changeType") != change || i.text("resource") != path || i.data("@odata.id") != path || i.data("@odata.type") != "#Microsoft.Graph."+kind {
				t.Errorf("%v, want %s of %s", i, change, path)
			}
		}
		if !slices.Equal(sorted(got), sorted(resources)) {
			t.Errorf("%s of %s: told %v, want %v", change, path, got, resources)
		}
	}
	at := "teams('" + team + "')"
	do("PATCH", "/teams/"+team, map[string]any{"description": "new"})
	hears("updated", at, "team", "teams", "teams/"+team)

	channel := do("POST", "/teams/"+team+"/channels", map[string]any{"displayName": "New"}).Link("id")
	channels := []string{"teams/getAllChannels", at + "/channels"}
	hears("created", at+"/channels('"+channel+"')", "channel", channels...)
	do("PATCH", "/teams/"+team+"/channels/"+escape(channel), map[string]any{"displayName": "Newer"})
	hears("updated", at+"/channels('"+channel+"')", "channel", channels...)
	do("DELETE", "/teams/"+team+"/channels/"+escape(channel), nil)
	hears("deleted", at+"/channels('"+channel+"')", "channel", channels...)

	joined := map[string]any{"@odata.type": "#microsoft.graph.aadUserConversationMember", "roles": []string{},
		"user@odata.bind": f.World.Hosts.Graph + "/v1.0/users('" + hanako + "')"}
	membership := do("POST", "/teams/"+team+"/members", joined).Link("id")
	hears("created", at+"/members('"+membership+"')", "aadUserConversationMember", "teams/"+team+"/members")
	do("DELETE", "/teams/"+team+"/members/"+escape(membership), nil)
	hears("deleted", at+"/members('"+membership+"')", "aadUserConversationMember", "teams/"+team+"/members")

	owner := func(id string) map[string]any {
		return map[string]any{"@odata.type": "#microsoft.graph.aadUserConversationMember", "roles": []string{"owner"},
			"user@odata.bind": f.World.Hosts.Graph + "/v1.0/users('" + id + "')"}
	}
	chat := do("POST", "/chats", map[string]any{"chatType": "group", "topic": "New", "members": []any{owner(f.Company.Alice().ID), owner(bob)}}).Link("id")
	hears("created", "chats('"+chat+"')", "chat", "chats", "me/chats")
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

func TestAllResources(t *testing.T) {
	f := newFixture(t)
	team := f.Company.Group("engineering").ID
	chat := f.alice.Get("/me/chats").Items()[0]["id"].(string)
	for _, resource := range []string{"chats/" + chat, "chats('" + chat + "')/members", "me/contactFolders/contacts/contacts"} {
		f.subscribe(f.alice, resource, nil)
	}
	f.subscribe(f.app, "chats/getAllMessages()", nil)
	f.subscribe(f.app, "groups/"+team+"/members", map[string]any{"changeType": "updated"})
	if n := len(f.subs.All()); n != 5 {
		t.Errorf("%d subscriptions", n)
	}
}
