package outlook_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim/outlook"
)

func TestFolderListing(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	first := f.alice.Get("/me/mailFolders")
	if n := len(first.Items()); n != 10 || first.Link("@odata.nextLink") == "" {
		t.Errorf("the default page has %d folders and next link %q, want 10 and one", n, first.Link("@odata.nextLink"))
	}
	all, _ := f.alice.All("/me/mailFolders")
	visible := names(all)
	for _, want := range []string{"Inbox", "Drafts", "Sent Items", "Projects", "Odds & ends", "Receipts/Travel", "Unread in Projects", "Archive"} {
		if !slices.Contains(visible, want) {
			t.Errorf("no folder %q in %q", want, visible)
		}
	}
	for _, unwanted := range []string{"TeamsMessagesData", "Sync Issues", "Top of Information Store", "Deletions", "Design reviews"} {
		if slices.Contains(visible, unwanted) {
			t.Errorf("the listing shows %q", unwanted)
		}
	}
	hidden, _ := f.alice.All("/me/mailFolders?includeHiddenFolders=true&$top=50")
	if !slices.Contains(names(hidden), "TeamsMessagesData") || len(hidden) != len(all)+2 {
		t.Errorf("with hidden folders: %q", names(hidden))
	}
	for _, m := range hidden {
		if m["wellKnownName"] != nil {
			t.Errorf("v1.0 has no wellKnownName, got %v", m)
		}
		if m["displayName"] == "Inbox" && m["childFolderCount"] != 0.0 {
			t.Errorf("the Inbox has children: %v", m)
		}
		isSearch := m["displayName"] == "Unread in Projects"
		if got := m["@odata.type"] == "#microsoft.graph.mailSearchFolder"; got != isSearch {
			t.Errorf("%v: search folder %v, want %v", m["displayName"], got, isSearch)
		}
	}
}

func TestFolderTree(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	projects := f.folder("Projects")
	children, _ := f.alice.All("/me/mailFolders/" + projects + "/childFolders")
	if len(children) != 3 {
		t.Fatalf("Projects has %q", names(children))
	}
	nested := f.alice.Get("/me/mailFolders('" + str(children[0], "id") + "')/childFolders").Items()
	if got := names(nested); len(got) != 1 || got[0] != "Design reviews" || nested[0]["parentFolderId"] != children[0]["id"] {
		t.Errorf("below %v: %v", children[0]["displayName"], nested)
	}
	expanded := f.alice.Get("/me/mailFolders?$expand=childFolders&$filter=" + q("displayName eq 'Projects'")).Items()
	if len(expanded) != 1 || len(expanded[0]["childFolders"].([]any)) != 3 {
		t.Errorf("expanded: %v", expanded)
	}
	selected := f.alice.Get("/me/mailFolders/inbox?$select=displayName").JSON
	if str(selected, "displayName") != "Inbox" || str(selected, "id") == "" || selected["totalItemCount"] != nil {
		t.Errorf("$select=displayName gave %v", selected)
	}
}

func TestWellKnownNames(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	for name, display := range map[string]string{
		"inbox": "Inbox", "Inbox": "Inbox", "sentitems": "Sent Items", "deleteditems": "Deleted Items", "junkemail": "Junk Email", "drafts": "Drafts",
		"archive": "Archive", "outbox": "Outbox", "msgfolderroot": "Top of Information Store", "recoverableitemsdeletions": "Deletions",
		"conversationhistory": "Conversation History", "syncissues": "Sync Issues", "conflicts": "Conflicts", "searchfolders": "Finder",
	} {
		r := f.alice.Get("/me/mailFolders/" + name)
		if str(r.JSON, "displayName") != display {
			t.Errorf("%s is %v, want %q", name, r.JSON["displayName"], display)
		}
		if byID := f.alice.Get("/me/mailFolders/" + str(r.JSON, "id")); byID.JSON["displayName"] != display {
			t.Errorf("by its id, %s is %v", name, byID.JSON["displayName"])
		}
	}
	german := f.App().Get("/users/zoe@contoso.com/mailFolders/inbox")
	if str(german.JSON, "displayName") != "Posteingang" {
		t.Errorf("a German inbox is named %v", german.JSON["displayName"])
	}
	if r := f.alice.Do("GET", "/me/mailFolders/clutter", nil); r.Status != http.StatusNotFound || r.Code() != "ErrorFolderNotFound" {
		t.Errorf("a well-known folder that is not there: %d %s", r.Status, r.Body)
	}
	if r := f.alice.Do("GET", "/me/mailFolders/nosuch", nil); r.Status != http.StatusBadRequest || r.Code() != "ErrorInvalidIdMalformed" {
		t.Errorf("a malformed id: %d %s", r.Status, r.Body)
	}
}

func TestFolderCounts(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	inbox := f.alice.Get("/me/mailFolders/inbox").JSON
	messages, _ := f.alice.All("/me/mailFolders/inbox/messages?$top=500&$select=isRead")
	unread := 0
	for _, m := range messages {
		if m["isRead"] == false {
			unread++
		}
	}
	// Items of other types count too.
	if total := inbox["totalItemCount"].(float64); total != float64(len(messages)+2) {
		t.Errorf("totalItemCount %v with %d messages, want two more", total, len(messages))
	}
	if inbox["unreadItemCount"] != float64(unread) || unread == 0 {
		t.Errorf("unreadItemCount %v, counted %d", inbox["unreadItemCount"], unread)
	}
}

func TestSearchFolder(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	id := f.folder("Unread in Projects")
	items, _ := f.alice.All("/me/mailFolders/" + id + "/messages?$top=100")
	folder := f.alice.Get("/me/mailFolders/" + id).JSON
	if len(items) == 0 || folder["totalItemCount"] != float64(len(items)) || folder["filterQuery"] != "isRead eq false" {
		t.Errorf("%d messages in %v", len(items), folder)
	}
	for _, m := range items {
		if m["isRead"] != false || m["parentFolderId"] == id {
			t.Errorf("a search folder shows unread messages of other folders, got %v", m["id"])
		}
		if r := f.alice.Get("/me/messages/" + str(m, "id")); r.JSON["id"] != m["id"] {
			t.Error("its messages are those of their folders")
		}
	}
	if r := f.alice.Do("GET", "/me/mailFolders/"+id+"/messages/delta", nil); r.Status != http.StatusBadRequest {
		t.Errorf("delta of a search folder: %d", r.Status)
	}
}

func TestFolderWritesAndDelta(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	link, items := f.round("/me/mailFolders/delta", "Prefer", "odata.maxpagesize=5")
	all := state{}
	all.apply(items)
	if len(all) < 15 || !slices.Contains(names(items), "Design reviews") || slices.Contains(names(items), "TeamsMessagesData") {
		t.Errorf("the flat list has %q", names(items))
	}
	same, items := f.round(link)
	if len(items) != 0 || same != link {
		t.Errorf("nothing changed, yet %d items and link %q after %q", len(items), same, link)
	}

	made := f.alice.Do("POST", "/me/mailFolders", map[string]any{"displayName": "New"})
	if made.Status != http.StatusCreated {
		t.Fatalf("create: %d %s", made.Status, made.Body)
	}
	id := str(made.JSON, "id")
	if r := f.alice.Do("POST", "/me/mailFolders", map[string]any{"displayName": "new"}); r.Status != http.StatusConflict || r.Code() != "ErrorFolderExists" {
		t.Errorf("a second one of that name: %d %s", r.Status, r.Body)
	}
	step := func(what string, check func(map[string]any) bool) {
		t.Helper()
		next, items := f.round(link)
		link = next
		for _, m := range items {
			if m["id"] == id && check(m) {
				return
			}
		}
		t.Errorf("%s: delta gave %v", what, items)
	}
	step("created", func(m map[string]any) bool { return m["displayName"] == "New" })
	f.alice.Do("PATCH", "/me/mailFolders/"+id, map[string]any{"displayName": "Newer"})
	step("renamed", func(m map[string]any) bool { return m["displayName"] == "Newer" })
	projects := f.folder("Projects")
	f.alice.Do("POST", "/me/mailFolders/"+id+"/move", map[string]any{"destinationId": projects})
	step("moved", func(m map[string]any) bool { return m["parentFolderId"] == projects })
	f.alice.Do("DELETE", "/me/mailFolders/"+id, nil)
	deleted := str(f.alice.Get("/me/mailFolders/deleteditems").JSON, "id")
	step("deleted once", func(m map[string]any) bool { return m["parentFolderId"] == deleted })
	f.alice.Do("DELETE", "/me/mailFolders/"+id, nil)
	step("deleted twice", func(m map[string]any) bool { return m["@removed"] != nil })
	if r := f.alice.Do("GET", "/me/mailFolders/"+id, nil); r.Status != http.StatusNotFound {
		t.Errorf("a deleted folder: %d", r.Status)
	}
	for _, name := range []string{"inbox", "msgfolderroot"} {
		if r := f.alice.Do("DELETE", "/me/mailFolders/"+name, nil); r.Status != http.StatusForbidden {
			t.Errorf("deleting %s: %d", name, r.Status)
		}
	}
	if r := f.alice.Do("GET", "/me/mailFolders/delta?$filter="+q("displayName eq 'x'"), nil); r.Status != http.StatusBadRequest {
		t.Errorf("a filter on folder delta: %d", r.Status)
	}
}

func TestFolderDeltaCounts(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	link, _ := f.round("/me/mailFolders/delta")
	m := f.alice.Get("/me/mailFolders/inbox/messages?$filter=isRead%20eq%20false&$top=1").Items()[0]
	f.alice.Do("PATCH", "/me/messages/"+str(m, "id"), map[string]any{"isRead": true})
	link2, items := f.round(link)
	if got := names(items); len(got) != 1 || got[0] != "Inbox" {
		t.Errorf("a changed count shows %q, want the Inbox", got)
	}
	f.Set("outlook.folder_delta_counts", false)
	f.alice.Do("PATCH", "/me/messages/"+str(m, "id"), map[string]any{"isRead": false})
	if _, items = f.round(link2); len(items) != 0 {
		t.Errorf("with the switch off: %q", names(items))
	}
	if !strings.Contains(link, "$deltatoken=") {
		t.Errorf("deltaLink %q", link)
	}
}
