package outlook_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/workfs/workfs/backends/sim/outlook"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

func TestDraftToSent(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	made := f.alice.Do("POST", "/me/messages", map[string]any{
		"subject": "Plan", "body": map[string]any{"contentType": "HTML", "content": "<p>see <b>this</b></p>"},
		"toRecipients": []any{map[string]any{"emailAddress": map[string]any{"name": "Bob", "address": "bob@contoso.com"}}},
		"flag":         map[string]any{"flagStatus": "flagged", "dueDateTime": map[string]any{"dateTime": "2026-12-01T00:00:00", "timeZone": "UTC"}},
	})
	if made.Status != http.StatusCreated || made.JSON["isDraft"] != true || made.JSON["from"] != nil || made.JSON["sentDateTime"] != nil {
		t.Fatalf("draft: %d %s", made.Status, made.Body)
	}
	if flag := made.JSON["flag"].(map[string]any); flag["flagStatus"] != "flagged" || flag["dueDateTime"].(map[string]any)["dateTime"] != "2026-12-01T00:00:00.0000000" {
		t.Errorf("flag %v", flag)
	}
	path := "/me/messages/" + str(made.JSON, "id")
	patched := f.alice.Do("PATCH", path, map[string]any{"subject": "Better plan", "categories": []string{"Red category"}})
	if patched.JSON["subject"] != "Better plan" || patched.JSON["changeKey"] == made.JSON["changeKey"] || patched.JSON["id"] != made.JSON["id"] {
		t.Errorf("patched: %s", patched.Body)
	}
	if r := f.alice.Do("PATCH", path, map[string]any{"isRead": true}, "If-Match", str(made.JSON, "@odata.etag")); r.Status != http.StatusPreconditionFailed {
		t.Errorf("an old If-Match: %d", r.Status)
	}
	attached := f.alice.Do("POST", path+"/attachments", map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt",
		"contentType": "text/plain", "contentBytes": base64.StdEncoding.EncodeToString([]byte("hello"))})
	if attached.Status != http.StatusCreated || attached.JSON["name"] != "a.txt" {
		t.Fatalf("attach: %d %s", attached.Status, attached.Body)
	}
	if r := f.alice.Get(path + "/attachments/" + str(attached.JSON, "id") + "/$value"); string(r.Body) != "hello" {
		t.Errorf("attachment holds %q", r.Body)
	}
	if r := f.alice.Do("POST", path+"/send", nil); r.Status != http.StatusAccepted {
		t.Fatalf("send: %d %s", r.Status, r.Body)
	}
	sent := f.message("sentitems", "Better plan")
	if sent["isDraft"] != false || sent["hasAttachments"] != true || sent["from"] == nil {
		t.Errorf("sent: %v", sent)
	}
	bob := f.As(f.Company.Bob()).Get("/me/mailFolders/inbox/messages?$top=1").Items()[0]
	if bob["subject"] != "Better plan" || bob["isRead"] != false || bob["internetMessageId"] != sent["internetMessageId"] || bob["conversationId"] != sent["conversationId"] {
		t.Errorf("Bob got %v", bob)
	}
	if r := f.alice.Do("GET", path, nil); r.Status != http.StatusNotFound {
		t.Errorf("the draft is gone, got %d", r.Status)
	}
	if r := f.alice.Do("PATCH", "/me/messages/"+str(sent, "id"), map[string]any{"subject": "x"}); r.Status != http.StatusBadRequest {
		t.Errorf("a sent message's subject: %d", r.Status)
	}
}

func TestMIMEDraft(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	mime := "From: x@example.com\r\nTo: bob@contoso.com\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\r\nbody\r\n"
	r := f.alice.Do("POST", "/me/messages", []byte(base64.StdEncoding.EncodeToString([]byte(mime))), "Content-Type", "text/plain")
	if r.Status != http.StatusCreated || r.JSON["subject"] != "café" {
		t.Errorf("a draft of MIME: %d %s", r.Status, r.Body)
	}
	if r := f.alice.Do("POST", "/me/messages", []byte("!!"), "Content-Type", "text/plain"); r.Status != http.StatusBadRequest {
		t.Errorf("no base64: %d", r.Status)
	}
}

func TestDeleteStages(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	headers := []string{"Prefer", immutable}
	id := str(f.alice.Get("/me/mailFolders/inbox/messages?$top=1", headers...).Items()[0], "id")
	for _, folder := range []string{"deleteditems", "recoverableitemsdeletions"} {
		if r := f.alice.Do("DELETE", "/me/messages/"+id, nil); r.Status != http.StatusNoContent {
			t.Fatalf("delete: %d %s", r.Status, r.Body)
		}
		want := str(f.alice.Get("/me/mailFolders/"+folder).JSON, "id")
		if r := f.alice.Get("/me/messages/"+id, headers...); r.JSON["parentFolderId"] != want {
			t.Errorf("after deleting it is not in %s", folder)
		}
	}
	all, _ := f.alice.All("/me/messages?$top=1000&$select=id", headers...)
	for _, m := range all {
		if m["id"] == id {
			t.Error("recoverable items are not in the list of all messages")
		}
	}
	f.alice.Do("DELETE", "/me/messages/"+id, nil)
	if r := f.alice.Do("GET", "/me/messages/"+id, nil); r.Status != http.StatusNotFound {
		t.Errorf("deleted three times: %d", r.Status)
	}
	other := str(f.alice.Get("/me/mailFolders/inbox/messages?$top=1", headers...).Items()[0], "id")
	f.alice.Do("POST", "/me/messages/"+other+"/permanentDelete", nil)
	if r := f.alice.Do("GET", "/me/messages/"+other, nil); r.Status != http.StatusNotFound {
		t.Errorf("deleted for good: %d", r.Status)
	}
}

func TestCopy(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	m := f.message("inbox", "Q4 numbers")
	r := f.alice.Do("POST", "/me/messages/"+str(m, "id")+"/copy", map[string]any{"destinationId": "archive"})
	if r.Status != http.StatusCreated || r.JSON["id"] == m["id"] || r.JSON["subject"] != m["subject"] || r.JSON["receivedDateTime"] != m["receivedDateTime"] {
		t.Errorf("copy: %d %s", r.Status, r.Body)
	}
	if f.message("inbox", "Q4 numbers")["id"] != m["id"] {
		t.Error("the original must stay")
	}
	if r := f.alice.Do("POST", "/me/messages/"+str(m, "id")+"/move", map[string]any{"destinationId": f.folder("Unread in Projects")}); r.Status != http.StatusForbidden {
		t.Errorf("moving into a search folder: %d", r.Status)
	}
}

func TestListener(t *testing.T) {
	var mu sync.Mutex
	var got []string
	f := start(t, 0, outlook.Options{Listener: func(c mailbox.Change) {
		mu.Lock()
		defer mu.Unlock()
		ops := map[mailbox.Op]string{mailbox.Created: "created", mailbox.Updated: "updated", mailbox.Removed: "removed"}
		got = append(got, ops[c.Op]+string(rune(c.Ref.Kind)))
		c.Mailbox.RLock() // a listener may look at the mailbox
		if c.Mailbox.Seq() == 0 {
			t.Error("told of a change before it was made")
		}
		c.Mailbox.RUnlock()
	}})
	id := str(f.message("inbox", "Q4 numbers"), "id")
	f.alice.Do("PATCH", "/me/messages/"+id, map[string]any{"isRead": false})
	f.alice.Do("POST", "/me/messages/"+id+"/move", map[string]any{"destinationId": "archive"})
	f.alice.Do("POST", "/me/contacts", map[string]any{"givenName": "New"})
	f.alice.Do("POST", "/me/mailFolders", map[string]any{"displayName": "Made"})
	mu.Lock()
	defer mu.Unlock()
	if want := "updatedm removedm createdm createdp created."; strings.Join(got, " ") != want {
		t.Errorf("heard %q, want %s", got, want)
	}
}
