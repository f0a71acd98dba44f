package teams

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/simtest"
)

// listener collects changes.
type listener struct{ heard []Change }

func (f *fixture) listen() *listener {
	l := &listener{}
	f.svc.Store.OnChange(func(c Change) { l.heard = append(l.heard, c) })
	return l
}

// take gives what was heard since the last time, in words: what, and what happened to it.
func (l *listener) take() string {
	var words []string
	for _, c := range l.heard {
		what := "team"
		switch {
		case c.MessageID != "":
			what = "message"
		case c.MemberID != "" && c.ChannelID != "":
			what = "channel member"
		case c.MemberID != "" && c.ChatID != "":
			what = "chat member"
		case c.MemberID != "":
			what = "team member"
		case c.ChannelID != "":
			what = "channel"
		case c.ChatID != "":
			what = "chat"
		}
		words = append(words, what+" "+string(c.Kind))
	}
	l.heard = nil
	return strings.Join(words, ", ")
}

func (f *fixture) must(c *simtest.Client, status int, method, path string, body any) map[string]any {
	f.T.Helper()
	r := c.Do(method, path, body)
	if r.Status != status {
		f.T.Fatalf("%s %s: %d, want %d: %s", method, path, r.Status, status, r.Body)
	}
	return r.JSON
}

func (l *listener) hears(t *testing.T, want, after string) {
	t.Helper()
	if got := l.take(); got != want {
		t.Errorf("after %s the listener heard %q, want %q", after, got, want)
	}
}

func bind(p *company.Person, roles ...string) map[string]any {
	return map[string]any{"@odata.type": "#microsoft.graph.aadUserConversationMember", "roles": roles, "user@odata.bind": "https://graph.microsoft.com/v1.0/users('" + p.ID + "')"}
}

// lastEvent gives the kind of the newest message of a channel or chat, a system message.
func (f *fixture) lastEvent(messages string) string {
	f.T.Helper()
	m := f.app.Get(messages+"?$top=1", "Prefer", "include-unknown-enum-members").Items()[0]
	e, _ := m["eventDetail"].(map[string]any)
	if m["messageType"] != "systemEventMessage" || e == nil {
		f.T.Fatalf("the newest message is %v", m)
	}
	return strings.TrimSuffix(strings.TrimPrefix(e["@odata.type"].(string), "#microsoft.graph."), "EventMessageDetail")
}

func TestChannelsComeAndGo(t *testing.T) {
	f := newFixture(t)
	l := f.listen()
	team := f.team("engineering")
	made := f.must(f.alice, 201, "POST", team+"/channels", map[string]any{"displayName": "Live: now?", "description": "d", "membershipType": "standard"})
	l.hears(t, "channel created, message created", "creating a channel")
	path := team + "/channels/" + url.PathEscape(made["id"].(string))
	if got := f.lastEvent(path + "/messages"); got != "channelAdded" {
		t.Errorf("the channel begins with %s", got)
	}
	folder := f.alice.Get(path + "/filesFolder").JSON
	if folder["name"] != "Live_ now_" {
		t.Errorf("folder %v", folder)
	}
	if r := f.alice.Do("POST", team+"/channels", map[string]any{"displayName": "live: NOW?"}); r.Status != http.StatusBadRequest {
		t.Errorf("a second channel of that name: %d", r.Status)
	}
	f.must(f.alice, 204, "PATCH", path, map[string]any{"displayName": "Renamed", "description": "d"})
	l.hears(t, "channel updated, message created", "renaming a channel")
	if c := f.alice.Get(path).JSON; c["displayName"] != "Renamed" || c["description"] != "d" || c["id"] != made["id"] {
		t.Errorf("renamed: %v", c)
	}
	if got := f.alice.Get(path + "/filesFolder").JSON; got["id"] != folder["id"] || got["name"] != folder["name"] {
		t.Errorf("the folder after the renaming: %v", got)
	}
	f.must(f.alice, 204, "DELETE", path, nil)
	l.hears(t, "channel deleted, message created", "deleting a channel")
	if r := f.alice.Do("GET", path, nil); r.Status != http.StatusNotFound {
		t.Errorf("a deleted channel: %d", r.Status)
	}
	for _, c := range f.alice.Get(team + "/channels").Items() {
		if c["id"] == made["id"] {
			t.Error("a deleted channel is listed")
		}
	}
	if got := f.lastEvent(team + "/channels/" + url.PathEscape(f.channel("engineering", "General").ID) + "/messages"); got != "channelDeleted" {
		t.Errorf("the primary channel tells of %s", got)
	}
	if r := f.alice.Do("DELETE", f.channel("engineering", "General").address(), nil); r.Status != http.StatusBadRequest {
		t.Errorf("deleting the primary channel: %d", r.Status)
	}
	if r := f.alice.Do("POST", f.team("websiterelaunch")+"/channels", map[string]any{"displayName": "x"}); r.Status != http.StatusForbidden {
		t.Errorf("a channel in an archived team: %d", r.Status)
	}
	if r := f.As(f.Company.Alice(), "Channel.ReadBasic.All").Do("POST", team+"/channels", map[string]any{"displayName": "x"}); r.Status != http.StatusForbidden {
		t.Errorf("without the permission: %d", r.Status)
	}
	l.hears(t, "", "refusals")
	f.must(f.app, 204, "PATCH", team, map[string]any{"displayName": "Builders"})
	l.hears(t, "team updated, message created", "renaming a team")
	if got := f.alice.Get(team).JSON["displayName"]; got != "Builders" {
		t.Errorf("the team is %v", got)
	}
}

func TestPrivateChannelMembers(t *testing.T) {
	f := newFixture(t)
	team := f.team("engineering")
	made := f.must(f.alice, 201, "POST", team+"/channels", map[string]any{"displayName": "Secret", "membershipType": "private"})
	path := team + "/channels/" + url.PathEscape(made["id"].(string))
	other := f.Company.People[3]
	as := f.As(other)
	if r := as.Do("GET", path, nil); r.Status != http.StatusForbidden {
		t.Errorf("who is no member gets %d", r.Status)
	}
	drive := f.alice.Get(path + "/filesFolder").JSON["parentReference"].(map[string]any)["driveId"].(string)
	if r := as.Do("GET", "/drives/"+drive+"/root/children", nil); r.Status != http.StatusForbidden {
		t.Errorf("the drive of a private channel: %d", r.Status)
	}
	l := f.listen()
	added := f.must(f.alice, 201, "POST", path+"/members", bind(other))
	l.hears(t, "channel member created, message created", "adding a member")
	as.Get(path)
	as.Get("/drives/" + drive + "/root/children")
	if r := f.alice.Do("POST", path+"/members", bind(other)); r.Status != http.StatusBadRequest {
		t.Errorf("adding twice: %d", r.Status)
	}
	if r := as.Do("POST", path+"/members", bind(f.Company.Carol())); r.Status != http.StatusForbidden {
		t.Errorf("a member who is no owner adds one: %d", r.Status)
	}
	promoted := f.must(f.alice, 200, "PATCH", path+"/members/"+url.PathEscape(added["id"].(string)), map[string]any{"roles": []string{"owner"}})
	if roles := promoted["roles"].([]any); len(roles) != 1 || roles[0] != "owner" {
		t.Errorf("promoted: %v", promoted)
	}
	l.hears(t, "channel member updated, message created", "a new role")
	f.must(f.alice, 204, "DELETE", path+"/members/"+url.PathEscape(added["id"].(string)), nil)
	l.hears(t, "channel member deleted, message created", "removing a member")
	if r := as.Do("GET", path, nil); r.Status != http.StatusForbidden {
		t.Errorf("who was removed gets %d", r.Status)
	}
}

func TestTeamMembers(t *testing.T) {
	f := newFixture(t)
	team := f.team("engineering")
	l := f.listen()
	var who *company.Person
	ids := func() (list []any) {
		items, _ := f.app.All(team + "/members")
		for _, m := range items {
			list = append(list, m["userId"])
		}
		return list
	}
	inPrivate := func(p *company.Person) bool {
		return slices.ContainsFunc(f.svc.Store.team(strings.TrimPrefix(team, "/teams/")).Channels, func(c *Channel) bool { return member(c.Members, p.ID) != nil })
	}
	for _, p := range f.Company.People {
		if !slices.Contains(ids(), any(p.ID)) && !inPrivate(p) {
			who = p
			break
		}
	}
	if who == nil {
		t.Fatal("everybody is in the team or a private channel of it")
	}
	added := f.must(f.app, 201, "POST", team+"/members", bind(who))
	l.hears(t, "team member created, message created", "adding a member")
	if joined, _ := f.As(who).All("/me/joinedTeams"); !slices.ContainsFunc(joined, func(m map[string]any) bool { return strings.HasSuffix(team, m["id"].(string)) }) {
		t.Errorf("joined %v", joined)
	}
	f.As(who).Get("/groups" + strings.TrimPrefix(team, "/teams") + "/drive/root/children")
	private := f.must(f.app, 201, "POST", team+"/channels", map[string]any{"displayName": "Two", "membershipType": "private", "members": []any{bind(who, "owner")}})
	l.take()
	f.must(f.app, 204, "DELETE", team+"/members/"+url.PathEscape(added["id"].(string)), nil)
	l.hears(t, "team member deleted, channel member deleted, message created", "removing a member")
	if slices.Contains(ids(), any(who.ID)) {
		t.Error("the member is still there")
	}
	if r := f.As(who).Do("GET", "/groups"+strings.TrimPrefix(team, "/teams")+"/drive/root/children", nil); r.Status != http.StatusForbidden {
		t.Errorf("the team's drive: %d", r.Status)
	}
	if members := f.app.Get(team + "/channels/" + url.PathEscape(private["id"].(string)) + "/members").Items(); len(members) != 0 {
		t.Errorf("the private channel has %v", members)
	}
}

func TestChatsBegin(t *testing.T) {
	f := newFixture(t)
	l := f.listen()
	alice, bob, carol := f.Company.Alice(), f.Company.Bob(), f.Company.Carol()
	made := f.must(f.alice, 201, "POST", "/chats", map[string]any{"chatType": "group", "topic": "Trip", "members": []any{bind(alice, "owner"), bind(bob, "owner")}})
	l.hears(t, "chat created, message created, message created", "beginning a chat")
	path := "/chats/" + url.PathEscape(made["id"].(string))
	if list := f.alice.Get("/me/chats?$top=1").Items(); list[0]["id"] != made["id"] || list[0]["topic"] != "Trip" {
		t.Errorf("the first chat is %v", list[0])
	}
	f.must(f.alice, 201, "POST", path+"/messages", map[string]any{"body": map[string]any{"content": "before"}})
	l.take()
	f.must(f.alice, 201, "POST", path+"/members", bind(carol, "owner"))
	l.hears(t, "chat member created, message created", "adding a member")
	f.must(f.alice, 201, "POST", path+"/messages", map[string]any{"body": map[string]any{"content": "after"}})
	l.take()
	var said []string
	for _, m := range f.As(carol).Get(path + "/messages").Items() {
		if m["eventDetail"] == nil {
			said = append(said, m["body"].(map[string]any)["content"].(string))
		}
	}
	if !slices.Equal(said, []string{"after"}) {
		t.Errorf("who came late sees %v", said)
	}
	renamed := f.must(f.alice, 200, "PATCH", path, map[string]any{"topic": "Journey"})
	l.hears(t, "chat updated, message created", "a new topic")
	if renamed["topic"] != "Journey" || renamed["lastUpdatedDateTime"] == made["lastUpdatedDateTime"] {
		t.Errorf("renamed: %v", renamed)
	}
	for _, m := range f.alice.Get(path + "/members").Items() {
		if m["userId"] == bob.ID {
			f.must(f.alice, 204, "DELETE", path+"/members/"+url.PathEscape(m["id"].(string)), nil)
		}
	}
	l.hears(t, "chat member deleted, message created", "removing a member")
	if r := f.As(bob).Do("GET", path, nil); r.Status != http.StatusForbidden {
		t.Errorf("who was removed gets %d", r.Status)
	}
	if got := f.lastEvent(path + "/messages"); got != "membersDeleted" {
		t.Errorf("the chat tells of %s", got)
	}
	two := map[string]any{"chatType": "oneOnOne", "members": []any{bind(alice, "owner"), bind(f.Company.People[4], "owner")}}
	first, again := f.must(f.alice, 201, "POST", "/chats", two), f.must(f.alice, 201, "POST", "/chats", two)
	if first["id"] != again["id"] {
		t.Error("two people have two chats")
	}
	l.take()
	for _, bad := range []map[string]any{
		{"chatType": "group", "members": []any{bind(bob, "owner"), bind(carol, "owner")}},
		{"chatType": "oneOnOne", "topic": "x", "members": []any{bind(alice), bind(bob)}},
		{"chatType": "group", "members": []any{bind(alice), map[string]any{"user@odata.bind": "x"}}},
	} {
		if r := f.alice.Do("POST", "/chats", bad); r.Status != http.StatusBadRequest && r.Status != http.StatusForbidden {
			t.Errorf("%v: %d", bad, r.Status)
		}
	}
	l.hears(t, "", "refusals")
}
