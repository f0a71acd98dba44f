package teams

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim/simtest"
)

func TestChannelDelta(t *testing.T) {
	f := newFixture(t)
	c := f.channel("engineering", "General")
	address := c.address() + "/messages"
	first := f.alice.Get(address + "/delta?$top=50&$expand=replies")
	if len(first.Items()) != 0 || first.Link("@odata.nextLink") == "" {
		t.Errorf("first page: %d items", len(first.Items()))
	}
	items, last := f.alice.All(first.Link("@odata.nextLink"))
	limit, want := ms(f.World.Clock.Now().AddDate(0, -deltaMonths, 0)), 0
	for _, m := range c.created.Before(nil) {
		if m.changed > limit {
			want++
		}
	}
	if len(items) != want || want == c.created.Len() {
		t.Errorf("%d threads, want %d of %d", len(items), want, c.created.Len())
	}
	for _, m := range items {
		if _, has := m["replies"]; !has {
			t.Fatalf("no replies in %v", m["id"])
		}
	}
	link := last.Link("@odata.deltaLink")
	if again := f.alice.Get(link); len(again.Items()) != 0 || again.Link("@odata.deltaLink") != link {
		t.Errorf("idle round: %s", again.Body)
	}

	root := f.alice.Do("POST", address, map[string]any{"subject": "New", "body": map[string]any{"contentType": "html", "content": "<p>hi</p>"}})
	if root.Status != 201 || root.JSON["@odata.context"] == nil || root.JSON["subject"] != "New" || root.JSON["etag"] == nil {
		t.Fatalf("post: %d %s", root.Status, root.Body)
	}
	old := items[0]["id"].(string)
	reply := f.alice.Do("POST", address+"/"+old+"/replies", map[string]any{"body": map[string]any{"content": "late answer"}})
	if reply.Status != 201 || reply.JSON["replyToId"] != old {
		t.Fatalf("reply: %d %s", reply.Status, reply.Body)
	}
	changes := f.alice.Get(link).Items()
	if len(changes) != 2 || changes[0]["id"] != root.JSON["id"] || changes[1]["id"] != old {
		t.Fatalf("changes %v", ids(changes))
	}
	chain := changes[1]["replies"].([]any)
	if chain[0].(map[string]any)["id"] != reply.JSON["id"] {
		t.Errorf("chain %v", chain)
	}
	// The old thread leads the list now.
	if top := f.alice.Get(address + "?$top=1").Items(); top[0]["id"] != old {
		t.Errorf("first post %v", top[0]["id"])
	}
	f.Set(switchEpoch, 2)
	gone := f.alice.Do("GET", link, nil)
	if gone.Status != 410 || !strings.HasSuffix(gone.Header.Get("Location"), "$deltatoken=") || !strings.EqualFold(gone.Code(), "syncStateNotFound") {
		t.Errorf("old epoch: %d %v", gone.Status, gone.Header)
	}
	if fresh, _ := f.alice.All(gone.Header.Get("Location")); len(fresh) == 0 {
		t.Error("resync is empty")
	}
	if r := f.alice.Do("GET", address+"/delta?$filter=lastModifiedDateTime%20lt%202026-01-01T00:00:00Z", nil); r.Status != 400 {
		t.Errorf("filter lt: %d", r.Status)
	}
	since, _ := f.alice.All(address + "/delta?$filter=lastModifiedDateTime%20gt%202026-11-01T00:00:00Z")
	if len(since) == 0 || len(since) >= want {
		t.Errorf("%d since November", len(since))
	}
}

func TestChanges(t *testing.T) {
	f := newFixture(t)
	var heard []Change
	f.svc.Store.OnChange(func(c Change) { heard = append(heard, c) })
	c := f.channel("engineering", "General")
	address := c.address() + "/messages"
	root := f.alice.Do("POST", address, map[string]any{"body": map[string]any{"contentType": "html", "content": "<p>hi</p>"}})
	message := address + "/" + root.JSON["id"].(string)
	get := func() *simtest.Response { return f.alice.Get(message) }
	ok := func(r *simtest.Response) {
		t.Helper()
		if r.Status != 204 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	before := get()
	ok(f.alice.Do("POST", message+"/setReaction", map[string]any{"reactionType": "👍"}))
	reacted := get()
	if reacted.JSON["etag"] == before.JSON["etag"] || reacted.JSON["lastModifiedDateTime"] == before.JSON["lastModifiedDateTime"] ||
		reacted.JSON["lastEditedDateTime"] != nil || len(reacted.JSON["reactions"].([]any)) != 1 {
		t.Errorf("after a reaction: %s", reacted.Body)
	}
	ok(f.alice.Do("POST", message+"/unsetReaction", map[string]any{"reactionType": "👍"}))
	if now := get(); len(now.JSON["reactions"].([]any)) != 0 || len(now.JSON["messageHistory"].([]any)) != 2 {
		t.Errorf("after it was taken back: %s", now.Body)
	}
	ok(f.alice.Do("PATCH", message, map[string]any{"body": map[string]any{"contentType": "html", "content": "<p>edited</p>"}}))
	edited := get()
	if edited.JSON["lastEditedDateTime"] == nil || edited.JSON["body"].(map[string]any)["content"] != "<p>edited</p>" {
		t.Errorf("edited: %s", edited.Body)
	}
	if r := f.As(f.Company.People[3]).Do("PATCH", message, map[string]any{"body": map[string]any{"content": "x"}}); r.Status != 403 {
		t.Errorf("edit by another: %d", r.Status)
	}
	ok(f.alice.Do("POST", message+"/softDelete", nil))
	if gone := get(); gone.JSON["deletedDateTime"] == nil || gone.JSON["body"].(map[string]any)["content"] != "" {
		t.Errorf("deleted: %s", gone.Body)
	}
	ok(f.alice.Do("POST", message+"/undoSoftDelete", nil))
	if back := get(); back.JSON["deletedDateTime"] != nil || back.JSON["body"].(map[string]any)["content"] != "<p>edited</p>" {
		t.Errorf("back: %s", back.Body)
	}
	f.Set(switchLag, 0)
	kept, _ := f.app.All(f.team("engineering") + "/channels/getAllRetainedMessages?$filter=lastModifiedDateTime%20ge%202026-11-20T12:00:00Z")
	if len(kept) != 2 || kept[0]["deletedDateTime"] == nil || kept[1]["body"].(map[string]any)["content"] != "<p>hi</p>" {
		t.Errorf("kept %v", kept)
	}
	kinds := []ChangeKind{Created, Updated, Updated, Updated, Deleted, Updated}
	if len(heard) != len(kinds) {
		t.Fatalf("heard %+v", heard)
	}
	for i, k := range kinds {
		if heard[i].Kind != k || heard[i].ChannelID != c.ID || heard[i].MessageID != root.JSON["id"] {
			t.Errorf("heard %+v", heard[i])
		}
	}
}

func TestPostingPictures(t *testing.T) {
	f := newFixture(t)
	c := f.svc.Store.chats[0]
	posted := f.alice.Do("POST", c.address()+"/messages", map[string]any{
		"body":           map[string]any{"contentType": "html", "content": `<img src="../hostedContents/1/$value"> <at id="0">Bob</at>`},
		"mentions":       []any{map[string]any{"id": 0, "mentionText": "Bob", "mentioned": map[string]any{"user": map[string]any{"id": f.Company.Bob().ID}}}},
		"hostedContents": []any{map[string]any{"@microsoft.graph.temporaryId": "1", "contentBytes": base64.StdEncoding.EncodeToString([]byte("GIF89a")), "contentType": "image/gif"}},
	})
	body := posted.JSON["body"].(map[string]any)["content"].(string)
	_, tail, _ := strings.Cut(body, `src="`)
	address, _, _ := strings.Cut(tail, `"`)
	if r := f.alice.Get(address); string(r.Body) != "GIF89a" || r.Header.Get("Content-Type") != "image/gif" {
		t.Errorf("%s: %q", address, r.Body)
	}
	for _, bad := range []map[string]any{
		{"body": map[string]any{"content": ""}},
		{"importance": "weird", "body": map[string]any{"content": "x"}},
		{"body": map[string]any{"content": "x"}, "mentions": []any{map[string]any{"mentioned": map[string]any{"user": map[string]any{"id": "nobody"}}}}},
	} {
		if r := f.alice.Do("POST", c.address()+"/messages", bad); r.Status != 400 {
			t.Errorf("%v: %d", bad, r.Status)
		}
	}
	archived := f.svc.Store.teams[5].Channels[0]
	if r := f.alice.Do("POST", archived.address()+"/messages", map[string]any{"body": map[string]any{"content": "x"}}); r.Status != 403 {
		t.Errorf("archived team: %d", r.Status)
	}
	if r := f.app.Do("POST", c.address()+"/messages", map[string]any{"body": map[string]any{"content": "x"}}); r.Status != 403 {
		t.Errorf("post as an application: %d", r.Status)
	}
}
