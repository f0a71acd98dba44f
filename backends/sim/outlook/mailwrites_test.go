package outlook_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim/outlook"
)

func to(addresses ...string) (list []any) {
	for _, a := range addresses {
		list = append(list, map[string]any{"emailAddress": map[string]any{"address": a}})
	}
	return list
}

func addresses(list any) (out []string) {
	all, _ := list.([]any)
	for _, r := range all {
		out = append(out, str(r.(map[string]any)["emailAddress"].(map[string]any), "address"))
	}
	return out
}

// received gives the newest message in a person's Inbox.
func (f *fixture) received(who string) map[string]any {
	f.t.Helper()
	return f.As(person(f, who)).Get("/me/mailFolders/inbox/messages?$top=1&$select=subject,body,toRecipients,ccRecipients,conversationId,internetMessageId,hasAttachments,from,conversationIndex").Items()[0]
}

func TestReplies(t *testing.T) {
	h := &heard{}
	f := start(t, 0, outlook.Options{Listener: h.listen})
	f.As(person(f, "bob@contoso.com")).Do("POST", "/me/sendMail", map[string]any{"message": map[string]any{"subject": "Lunch <today>?",
		"body":         map[string]any{"contentType": "text", "content": "At noon & here"},
		"toRecipients": to("alice@contoso.com", "carol@contoso.com"), "ccRecipients": to("grace@contoso.com"),
		"attachments": []any{map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "name": "menu.txt", "contentBytes": "bWVudQ=="}}}})
	original := f.message("inbox", "Lunch <today>?")
	path := "/me/messages/" + str(original, "id")
	h.take()

	f.must(202, "POST", path+"/reply", map[string]any{"comment": "Fine <for> me"})
	got := f.received("bob@contoso.com")
	body := str(got["body"].(map[string]any), "content")
	if got["subject"] != "RE: Lunch <today>?" || !slices.Equal(addresses(got["toRecipients"]), []string{"bob@contoso.com"}) || len(addresses(got["ccRecipients"])) != 0 ||
		got["conversationId"] != original["conversationId"] || got["internetMessageId"] == original["internetMessageId"] || got["hasAttachments"] != false {
		t.Errorf("reply: %v", got)
	}
	if !strings.Contains(body, "Fine &lt;for&gt; me") || !strings.Contains(body, "At noon &amp; here") {
		t.Errorf("body of the reply: %s", body)
	}
	if was, is := str(original, "conversationIndex"), str(got, "conversationIndex"); len(is) <= len(was) {
		t.Errorf("conversation index %q, of the original %q", is, was)
	}
	f.hears(h, "m created, m created", "a reply") // in Sent Items and in Bob's Inbox

	f.must(202, "POST", path+"/replyAll", map[string]any{"message": map[string]any{"body": map[string]any{"contentType": "text", "content": "own words"}}})
	if got = f.received("grace@contoso.com"); !slices.Equal(addresses(got["toRecipients"]), []string{"bob@contoso.com", "carol@contoso.com"}) ||
		!slices.Equal(addresses(got["ccRecipients"]), []string{"grace@contoso.com"}) || str(got["body"].(map[string]any), "content") != "own words" {
		t.Errorf("reply to all: %v", got)
	}
	f.must(202, "POST", path+"/forward", map[string]any{"comment": "see", "toRecipients": to("grace@contoso.com")})
	if got = f.received("grace@contoso.com"); got["subject"] != "FW: Lunch <today>?" || got["hasAttachments"] != true {
		t.Errorf("forward: %v", got)
	}
	h.take()
	if r := f.alice.Do("POST", path+"/forward", map[string]any{"comment": "nobody"}); r.Status != http.StatusBadRequest {
		t.Errorf("a forward to nobody: %d", r.Status)
	}
	if r := f.alice.Do("POST", path+"/reply", map[string]any{"comment": "x", "message": map[string]any{"body": map[string]any{"content": "y"}}}); r.Status != http.StatusBadRequest {
		t.Errorf("a comment and a body: %d", r.Status)
	}
	draft := f.must(201, "POST", path+"/createReplyAll", nil).JSON
	if draft["isDraft"] != true || len(addresses(draft["toRecipients"])) != 2 || draft["parentFolderId"] != f.alice.Get("/me/mailFolders/drafts").JSON["id"] {
		t.Errorf("draft of a reply: %v", draft)
	}
	f.hears(h, "m created", "refusals and a draft")
	if r := f.As(f.Company.Alice(), "Mail.ReadWrite").Do("POST", path+"/reply", map[string]any{"comment": "x"}); r.Status != http.StatusForbidden {
		t.Errorf("a reply without Mail.Send: %d", r.Status)
	}
	// One's own sent message is answered to its recipients.
	sent := f.message("sentitems", "FW: Lunch <today>?")
	if got := f.must(201, "POST", "/me/messages/"+str(sent, "id")+"/createReply", nil).JSON; !slices.Equal(addresses(got["toRecipients"]), []string{"grace@contoso.com"}) {
		t.Errorf("an answer to oneself: %v", got)
	}
}

func TestSentDraftKeepsItsImmutableID(t *testing.T) {
	h := &heard{}
	f := start(t, 0, outlook.Options{Listener: h.listen})
	draft := f.must(201, "POST", "/me/messages", map[string]any{"subject": "Once", "toRecipients": to("bob@contoso.com")}, "Prefer", immutable).JSON
	f.must(202, "POST", "/me/messages/"+str(draft, "id")+"/send", nil)
	f.hears(h, "m created, m removed, m created, m created", "sending a draft")
	now := f.alice.Get("/me/messages/"+str(draft, "id"), "Prefer", immutable).JSON
	if now["isDraft"] != false || now["sentDateTime"] == nil || now["parentFolderId"] != f.alice.Get("/me/mailFolders/sentitems", "Prefer", immutable).JSON["id"] {
		t.Errorf("the sent draft: %v", now)
	}
	if r := f.alice.Do("POST", "/me/messages/"+str(draft, "id")+"/send", nil); r.Status != http.StatusBadRequest {
		t.Errorf("sending it again: %d", r.Status)
	}
	empty := f.must(201, "POST", "/me/messages", map[string]any{"subject": "To nobody"}).JSON
	if r := f.alice.Do("POST", "/me/messages/"+str(empty, "id")+"/send", nil); r.Status != http.StatusBadRequest {
		t.Errorf("sending to nobody: %d", r.Status)
	}
}

func TestAttachmentsComeAndGo(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	draft := f.must(201, "POST", "/me/messages", map[string]any{"subject": "With files"}).JSON
	path := "/me/messages/" + str(draft, "id")
	var ids []string
	for _, name := range []string{"a", "b", "c"} {
		ids = append(ids, str(f.must(201, "POST", path+"/attachments", map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "name": name,
			"contentBytes": base64.StdEncoding.EncodeToString([]byte(name + name))}).JSON, "id"))
	}
	f.must(204, "DELETE", path+"/attachments/"+ids[1], nil)
	f.must(204, "DELETE", path+"/attachments/"+ids[2], nil)
	again := f.must(201, "POST", path+"/attachments", map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "name": "d", "contentBytes": "ZGQ="}).JSON
	if slices.Contains(ids, str(again, "id")) {
		t.Error("an id is used again")
	}
	if got := string(f.alice.Get(path + "/attachments/" + ids[0] + "/$value").Body); got != "aa" {
		t.Errorf("the first holds %q", got)
	}
	f.must(204, "DELETE", path+"/attachments/"+ids[0], nil)
	f.must(204, "DELETE", path+"/attachments/"+str(again, "id"), nil)
	if now := f.alice.Get(path).JSON; now["hasAttachments"] != false || now["changeKey"] == draft["changeKey"] {
		t.Errorf("without attachments: %v", now)
	}
	if r := f.alice.Do("DELETE", path+"/attachments/"+ids[0], nil); r.Status != http.StatusNotFound {
		t.Errorf("deleting twice: %d", r.Status)
	}
}

func TestFolderWrites(t *testing.T) {
	h := &heard{}
	f := start(t, 0, outlook.Options{Listener: h.listen})
	f.Set("outlook.delta_replays", false)
	top := str(f.must(201, "POST", "/me/mailFolders", map[string]any{"displayName": "Top"}).JSON, "id")
	below := str(f.must(201, "POST", "/me/mailFolders/"+top+"/childFolders", map[string]any{"displayName": "Below"}).JSON, "id")
	message := f.must(201, "POST", "/me/mailFolders/"+below+"/messages", map[string]any{"subject": "In it"}).JSON
	f.hears(h, ". created, . created, m created", "folders")
	folders, _ := f.round("/me/mailFolders/delta")

	twin := f.must(201, "POST", "/me/mailFolders/"+top+"/copy", map[string]any{"destinationId": "archive"}).JSON
	f.hears(h, ". created, . created, m created", "a copy")
	if children := f.alice.Get("/me/mailFolders/" + str(twin, "id") + "/childFolders").Items(); len(children) != 1 || children[0]["displayName"] != "Below" || children[0]["totalItemCount"] != 1.0 {
		t.Errorf("copied children: %v", children)
	}
	if r := f.alice.Do("POST", "/me/mailFolders/"+top+"/copy", map[string]any{"destinationId": "archive"}); r.Status != http.StatusConflict {
		t.Errorf("a second copy: %d", r.Status)
	}
	f.must(200, "PATCH", "/me/mailFolders/"+top+"/childFolders/"+below, map[string]any{"displayName": "Beneath"})
	f.must(201, "POST", "/me/mailFolders/"+top+"/childFolders/"+below+"/move", map[string]any{"destinationId": "inbox"})
	f.hears(h, ". updated, . updated", "a new name and a move")
	folders, items := f.round(folders)
	seen := map[string]map[string]any{}
	for _, m := range items {
		seen[str(m, "id")] = m
	}
	if m := seen[below]; m["displayName"] != "Beneath" || m["parentFolderId"] != f.alice.Get("/me/mailFolders/inbox").JSON["id"] || seen[str(twin, "id")] == nil {
		t.Errorf("the round gave %v", items)
	}
	f.must(204, "POST", "/me/mailFolders/"+below+"/permanentDelete", nil)
	f.hears(h, "m removed, . removed", "a permanent deletion")
	for _, gone := range []string{"/me/mailFolders/" + below, "/me/messages/" + str(message, "id")} {
		if r := f.alice.Do("GET", gone, nil); r.Status != http.StatusNotFound {
			t.Errorf("GET %s: %d", gone, r.Status)
		}
	}
	f.must(204, "DELETE", "/me/mailFolders/"+top, nil)
	f.hears(h, ". updated", "a deletion")
	if m := f.alice.Get("/me/mailFolders/" + top).JSON; m["parentFolderId"] != f.alice.Get("/me/mailFolders/deleteditems").JSON["id"] {
		t.Errorf("a deleted folder: %v", m)
	}
	f.must(204, "DELETE", "/me/mailFolders/"+top, nil)
	f.hears(h, ". removed", "the second deletion")
	if _, items = f.round(folders); len(items) == 0 || !slices.ContainsFunc(items, func(m map[string]any) bool { return m["id"] == top && m["@removed"] != nil }) {
		t.Errorf("the round gave %v", items)
	}
}
