package teams

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// address gives a chat's.
func (c *Chat) address() string { return "/chats/" + url.PathEscape(c.ID) }

func testChats(t *testing.T, f *fixture) {
	list := f.alice.Get("/me/chats?$expand=members&$top=50").Items()
	if len(list) != 15 {
		t.Errorf("%d chats", len(list))
	}
	big := f.chat("All hands Q&A")
	kinds := map[string]int{}
	for _, c := range list {
		kinds[c["chatType"].(string)]++
		if c["id"] == big.ID && len(c["members"].([]any)) != 25 {
			t.Errorf("%d members expanded", len(c["members"].([]any)))
		}
		if c["chatType"] == "oneOnOne" && c["topic"] != nil {
			t.Errorf("topic %v", c["topic"])
		}
	}
	if kinds["oneOnOne"] != 6 || kinds["meeting"] != 2 || kinds["group"] != 7 {
		t.Errorf("kinds %v", kinds)
	}
	if members, _ := f.alice.All(big.address() + "/members"); len(members) != 40 {
		t.Errorf("%d members", len(members))
	}
	previous := "9"
	byPreview, _ := f.alice.All("/me/chats?$expand=lastMessagePreview&$top=4&$orderby=lastMessagePreview/createdDateTime%20desc")
	for _, c := range byPreview {
		p, _ := c["lastMessagePreview"].(map[string]any)
		if p == nil {
			continue
		}
		if at := p["createdDateTime"].(string); at > previous {
			t.Errorf("%s after %s", at, previous)
		} else {
			previous = at
		}
	}
	if len(byPreview) != 15 {
		t.Errorf("%d by preview", len(byPreview))
	}
	if r := f.alice.Do("GET", "/me/chats?$orderby=topic", nil); r.Status != 400 {
		t.Errorf("$orderby=topic: %d", r.Status)
	}
	if got := f.alice.Get("/me/chats?$filter=" + url.QueryEscape("chatType eq 'meeting'")).Items(); len(got) != 2 {
		t.Errorf("%d meetings", len(got))
	}
	if n := len(f.app.Get("/users/" + f.Company.Bob().ID + "/chats?$top=50").Items()); n != 6 {
		t.Errorf("bob has %d chats", n)
	}
	if r := f.alice.Do("GET", "/users/"+f.Company.Bob().ID+"/chats", nil); r.Status != 403 {
		t.Errorf("bob's chats: %d", r.Status)
	}
	if r := f.alice.Do("GET", f.chat("Incident 4711").address()+"/messages", nil); r.Status != 403 {
		t.Errorf("chat of others: %d", r.Status)
	}
	f.app.Get("/users/" + f.Company.Alice().ID + big.address() + "/messages")
}

func testChatMessages(t *testing.T, f *fixture) {
	c := f.svc.Store.chats[0]
	address := c.address() + "/messages"
	all, _ := f.alice.All(address + "?$top=50")
	if len(all) != c.modified.Len() {
		t.Fatalf("%d of %d", len(all), c.modified.Len())
	}
	for i := 1; i < len(all); i++ {
		if parse(t, all[i]["lastModifiedDateTime"]).After(parse(t, all[i-1]["lastModifiedDateTime"])) {
			t.Errorf("%d is later than the one before", i)
		}
		if all[i]["chatId"] != c.ID || all[i]["channelIdentity"] != nil || all[i]["webUrl"] != nil || all[i]["replyToId"] != nil {
			t.Errorf("not of a chat: %v", all[i])
		}
	}
	when := url.QueryEscape("2026-06-01T00:00:00Z")
	filter := "?$top=50&$filter=createdDateTime%20lt%20" + when
	if ignored, _ := f.alice.All(address + filter); len(ignored) != len(all) {
		t.Errorf("filter without $orderby left %d", len(ignored))
	}
	if ignored, _ := f.alice.All(address + filter + "&$orderby=lastModifiedDateTime%20desc"); len(ignored) != len(all) {
		t.Errorf("filter on another property left %d", len(ignored))
	}
	before, _ := f.alice.All(address + filter + "&$orderby=createdDateTime%20desc")
	after, _ := f.alice.All(address + "?$top=50&$orderby=lastModifiedDateTime%20desc&$filter=lastModifiedDateTime%20gt%20" + when)
	if len(before) == 0 || len(after) == 0 || len(before) >= len(all) {
		t.Errorf("%d before, %d after", len(before), len(after))
	}
	for _, m := range before {
		if !parse(t, m["createdDateTime"]).Before(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("created %v", m["createdDateTime"])
		}
	}
	if r := f.alice.Do("GET", address+"?$orderby=createdDateTime%20asc", nil); r.Status != 400 {
		t.Errorf("ascending: %d", r.Status)
	}
	second, _ := f.alice.All(f.svc.Store.chats[1].address() + "/messages?$top=50")
	if !slices.ContainsFunc(ids(second), func(id string) bool { return slices.Contains(ids(all), id) }) {
		t.Error("no message id is in two chats")
	}
	quotes := 0
	for _, m := range all {
		for _, a := range m["attachments"].([]any) {
			if a.(map[string]any)["contentType"] == "messageReference" {
				quotes++
			}
		}
	}
	if quotes == 0 {
		t.Error("no quoted answers")
	}
}

func testLateMembers(t *testing.T, f *fixture) {
	c := f.chat("Q4 numbers 📊")
	whole, _ := f.alice.All(c.address() + "/messages?$top=50")
	grace := f.As(f.Company.Person("grace@contoso.com"))
	late, _ := grace.All(c.address() + "/messages?$top=50")
	if len(late) == 0 || len(late) >= len(whole) {
		t.Fatalf("%d of %d", len(late), len(whole))
	}
	var oldest *Message
	for _, m := range c.created.Before(nil) {
		oldest = m
	}
	if r := grace.Do("GET", c.address()+"/messages/"+oldest.ID, nil); r.Status != 404 {
		t.Errorf("old message: %d", r.Status)
	}
}

func parse(t *testing.T, v any) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, v.(string))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestExport(t *testing.T) {
	f := newFixture(t)
	if r := f.alice.Do("GET", "/me/chats/getAllMessages", nil); r.Status != 403 {
		t.Errorf("delegated: %d", r.Status)
	}
	address := "/users/" + f.Company.Alice().ID + "/chats/getAllMessages"
	all, _ := f.app.All(address + "?$top=50&model=B")
	want := 0
	for _, c := range f.svc.Store.chats {
		if member(c.Members, f.Company.Alice().ID) != nil {
			want += c.modified.Len()
		}
	}
	fresh := 0
	for _, c := range f.svc.Store.chats {
		for _, m := range c.modified.Before(nil) {
			if member(c.Members, f.Company.Alice().ID) != nil && !m.Modified.Before(f.World.Clock.Now().Add(-time.Hour)) {
				fresh++
			}
		}
	}
	if len(all) != want-fresh || fresh == want {
		t.Errorf("%d of %d messages, %d too fresh", len(all), want, fresh)
	}
	seen := map[string]bool{}
	for _, m := range all {
		key := m["chatId"].(string) + m["id"].(string)
		if seen[key] {
			t.Errorf("%s twice", key)
		}
		seen[key] = true
	}
	from, to := "2026-03-01T00:00:00Z", "2026-06-01T00:00:00Z"
	ranged, _ := f.app.All(address + "?$top=50&$filter=" + url.QueryEscape("lastModifiedDateTime gt "+from+" and lastModifiedDateTime lt "+to))
	count := 0
	for _, m := range all {
		if at := parse(t, m["lastModifiedDateTime"]).Format(time.RFC3339); at > from && at < to {
			count++
		}
	}
	if len(ranged) != count || count == 0 {
		t.Errorf("%d in range, want %d", len(ranged), count)
	}
	bob := f.Company.Bob().ID
	his, _ := f.app.All(address + "?$top=50&$filter=" + url.QueryEscape("from/user/id eq '"+bob+"' or from/user/id eq 'nobody'"))
	for _, m := range his {
		if m["from"].(map[string]any)["user"].(map[string]any)["id"] != bob {
			t.Errorf("from %v", m["from"])
		}
	}
	if len(his) == 0 || len(his) == len(all) {
		t.Errorf("%d of bob", len(his))
	}

	channels := f.team("engineering") + "/channels/"
	team, _ := f.app.All(channels + "getAllMessages?$top=50")
	replies := 0
	for _, m := range team {
		if m["replyToId"] != nil {
			replies++
		}
	}
	if replies == 0 || replies == len(team) {
		t.Errorf("%d replies of %d", replies, len(team))
	}
	retained, _ := f.app.All(channels + "getAllRetainedMessages?$top=50")
	for _, m := range retained {
		if m["body"].(map[string]any)["content"] == "" {
			t.Errorf("nothing retained of %v", m["id"])
		}
	}
	if len(retained) == 0 {
		t.Error("nothing retained")
	}
	f.Set(switchRetention, false)
	if r := f.app.Get(channels + "getAllRetainedMessages"); len(r.Items()) != 0 {
		t.Error("retained without a policy")
	}
	gone := f.app.Get("/teamwork/deletedTeams").Items()
	if r := f.app.Do("GET", "/teams/"+gone[0]["id"].(string), nil); r.Status != 404 {
		t.Errorf("deleted team: %d", r.Status)
	}
	if r := f.app.Get("/teamwork/deletedTeams/" + gone[0]["id"].(string) + "/channels/getAllMessages"); len(r.Items()) == 0 {
		t.Error("no messages of the deleted team")
	}
}

func TestExportLags(t *testing.T) {
	f := newFixture(t)
	c := f.svc.Store.chats[0]
	posted := f.alice.Do("POST", c.address()+"/messages", map[string]any{"body": map[string]any{"content": "just now"}})
	id := posted.JSON["id"].(string)
	address := "/users/" + f.Company.Alice().ID + "/chats/getAllMessages"
	newest := func(path string) bool { return slices.Contains(ids(f.app.Get(path).Items()), id) }
	_, round := f.app.All(address + "/delta?$top=50")
	link := round.Link("@odata.deltaLink")
	if newest(address) || newest(link) {
		t.Error("no lag")
	}
	f.World.Clock.Advance(2 * time.Hour)
	if !newest(address) || !newest(link) {
		t.Error("not there after the lag")
	}
}

func TestExportDeltaIsComplete(t *testing.T) {
	f := newFixture(t)
	f.Set(switchLag, 0)
	items, last := f.app.All("/users/" + f.Company.Alice().ID + "/chats/getAllMessages/delta?$top=7")
	seen := map[string]bool{}
	for _, m := range items {
		seen[m["chatId"].(string)+m["id"].(string)] = true
	}
	limit, want := f.World.Clock.Now().AddDate(0, -deltaMonths, 0), 0
	for _, c := range f.svc.Store.chats {
		for _, m := range c.modified.Before(nil) {
			if member(c.Members, f.Company.Alice().ID) != nil && m.Modified.After(limit) {
				want++
			}
		}
	}
	if len(items) != len(seen) || len(seen) != want || !strings.Contains(last.Link("@odata.deltaLink"), "deltatoken") {
		t.Errorf("%d items, %d distinct, want %d", len(items), len(seen), want)
	}
}
