package teams

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/png"
	"net/url"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim/drive"
	"github.com/workfs/workfs/backends/sim/simtest"
)

type fixture struct {
	*simtest.Host
	svc   *Service
	alice *simtest.Client
	app   *simtest.Client
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{Host: simtest.New(t, 0)}
	drives := drive.New(f.World, f.Graph, f.Company)
	f.World.Hosts.DriveDownload = f.Serve(drives.Downloads())
	f.svc = New(f.World, f.Graph, f.Company, drives)
	f.alice, f.app = f.As(f.Company.Alice()), f.App()
	return f
}

// on is the same fixture for a subtest.
func (f *fixture) on(t *testing.T) *fixture {
	g, host := *f, *f.Host
	host.T = t
	g.Host = &host
	g.alice, g.app = g.As(g.Company.Alice()), g.App()
	return &g
}

// TestReading runs what changes nothing on one simulator.
func TestReading(t *testing.T) {
	f := newFixture(t)
	for name, test := range map[string]func(*testing.T, *fixture){
		"Teams": testTeams, "ChannelsByMembership": testChannelsByMembership, "FilesFolder": testFilesFolder, "MessageShapes": testMessageShapes,
		"ReferencesResolve": testReferencesResolve, "Chats": testChats, "ChatMessages": testChatMessages, "LateMembers": testLateMembers,
	} {
		t.Run(name, func(t *testing.T) { test(t, f.on(t)) })
	}
}

// team gives the address of a team by its group's nickname.
func (f *fixture) team(nickname string) string { return "/teams/" + f.Company.Group(nickname).ID }

// channel finds a channel by name.
func (f *fixture) channel(nickname, name string) *Channel {
	f.T.Helper()
	for _, c := range f.svc.Store.byTeam[f.Company.Group(nickname).ID].Channels {
		if c.Name == name {
			return c
		}
	}
	f.T.Fatalf("no channel %q", name)
	return nil
}

// address gives a channel's.
func (c *Channel) address() string {
	return "/teams/" + c.team.ID + "/channels/" + url.PathEscape(c.ID)
}

func (f *fixture) chat(topic string) *Chat {
	f.T.Helper()
	for _, c := range f.svc.Store.chats {
		if c.Topic == topic {
			return c
		}
	}
	f.T.Fatalf("no chat %q", topic)
	return nil
}

func ids(items []map[string]any) (list []string) {
	for _, it := range items {
		list = append(list, it["id"].(string))
	}
	return list
}

func testTeams(t *testing.T, f *fixture) {
	joined := f.alice.Get("/me/joinedTeams").Items()
	if len(joined) != 6 {
		t.Errorf("%d joined teams", len(joined))
	}
	for _, team := range joined {
		for k, v := range team {
			if v != nil && k != "id" && k != "displayName" && k != "description" {
				t.Errorf("%s is %v", k, v)
			}
		}
	}
	if r := f.alice.Do("GET", "/teams", nil); r.Status != 403 {
		t.Errorf("/teams delegated: %d", r.Status)
	}
	f.Set(switchListTeams, true)
	if list := f.alice.Get("/teams").Items(); len(list) != 6 {
		t.Errorf("/teams for users: %d", len(list))
	}
	f.Set(switchListTeams, false)
	if all := f.app.Get("/teams?$count=true&$top=4"); len(all.Items()) != 4 || all.JSON["@odata.count"] != 6.0 || all.Link("@odata.nextLink") == "" {
		t.Errorf("/teams: %s", all.Body)
	}
	if r := f.alice.Do("GET", "/teams/"+f.Company.Group("allcompany").ID, nil); r.Status != 404 {
		t.Errorf("group without a team: %d", r.Status)
	}
	team := f.alice.Get(f.team("finance"))
	if team.JSON["@odata.context"] != f.World.Hosts.Graph+"/v1.0/$metadata#teams/$entity" || team.JSON["visibility"] != "private" || team.JSON["summary"].(map[string]any)["guestsCount"] != 1.0 {
		t.Errorf("team: %s", team.Body)
	}
	if r := f.As(f.Company.People[3]).Do("GET", f.team("finance"), nil); r.Status != 403 {
		t.Errorf("stranger: %d", r.Status)
	}
	if r := f.alice.Do("GET", "/users/"+f.Company.Bob().ID+"/joinedTeams", nil); r.Status != 403 {
		t.Errorf("other's teams, delegated: %d", r.Status)
	}
	f.app.Get("/users/" + f.Company.Bob().UPN + "/joinedTeams")
	members := f.alice.Get(f.team("finance") + "/members?$filter=" + url.QueryEscape("(microsoft.graph.aadUserConversationMember/userId eq '"+f.Company.Bob().ID+"')"))
	if list := members.Items(); len(list) != 1 || list[0]["roles"].([]any)[0] != "owner" || list[0]["id"] == list[0]["userId"] {
		t.Errorf("members: %s", members.Body)
	}
	if general := f.alice.Get(f.team("legal") + "/primaryChannel"); general.JSON["displayName"] != "General" {
		t.Errorf("primary: %s", general.Body)
	}
}

func testChannelsByMembership(t *testing.T, f *fixture) {
	names := func(c *simtest.Client, path string, headers ...string) map[string]string {
		got := map[string]string{}
		for _, ch := range c.Get(path, headers...).Items() {
			got[ch["displayName"].(string)] = ch["membershipType"].(string)
		}
		return got
	}
	mine := names(f.alice, f.team("engineering")+"/channels")
	if mine["Hiring 🕵️"] != "private" || mine["Salary review"] != "" || mine["Build/Deploy"] != "standard" {
		t.Errorf("alice sees %v", mine)
	}
	if all := names(f.app, f.team("engineering")+"/channels"); all["Salary review"] != "private" || all["Orion x Fabrikam"] != "unknownFutureValue" {
		t.Errorf("the application sees %v", all)
	}
	r := f.app.Get(f.team("engineering")+"/channels", "Prefer", "include-unknown-enum-members")
	if r.Header.Get("Preference-Applied") == "" || !bytes.Contains(r.Body, []byte(`"shared"`)) {
		t.Errorf("opted in: %v", r.Header)
	}
	all := f.alice.Get(f.team("orion") + "/allChannels").Items()
	shared := all[len(all)-1]
	address := shared["@odata.id"].(string)
	at := strings.Index(address, "/tenants/")
	if shared["displayName"] != "Orion x Fabrikam" || at < 0 {
		t.Fatalf("last of all channels: %v", shared)
	}
	if r := f.alice.Do("GET", address, nil); r.Status != 400 {
		t.Errorf("with /tenants/: %d", r.Status)
	}
	_, rest, _ := strings.Cut(address[at+len("/tenants/"):], "/")
	if r := f.alice.Get("/" + rest); r.JSON["displayName"] != "Orion x Fabrikam" {
		t.Errorf("host channel: %s", r.Body)
	}
	foreign := 0
	for _, m := range f.alice.Get("/" + rest + "/allMembers").Items() {
		if m["tenantId"] != f.Company.TenantID {
			foreign++
		}
	}
	if foreign != 3 {
		t.Errorf("%d members of other tenants", foreign)
	}
	if r := f.alice.Do("GET", f.channel("engineering", "Salary review").address()+"/messages", nil); r.Status != 403 {
		t.Errorf("private channel: %d", r.Status)
	}
	incoming := f.app.Get(f.team("finance") + "/incomingChannels").Items()
	if len(incoming) != 1 || incoming[0]["tenantId"] == f.Company.TenantID {
		t.Errorf("incoming %v", incoming)
	}
}

func testFilesFolder(t *testing.T, f *fixture) {
	general := f.alice.Get(f.channel("engineering", "General").address() + "/filesFolder")
	if general.JSON["lastModifiedDateTime"] != "0001-01-01T00:00:00Z" {
		t.Errorf("date %v", general.JSON["lastModifiedDateTime"])
	}
	driveOf := func(r *simtest.Response) string {
		return r.JSON["parentReference"].(map[string]any)["driveId"].(string)
	}
	hiring := f.alice.Get(f.channel("engineering", "Hiring 🕵️").address() + "/filesFolder")
	if driveOf(hiring) == driveOf(general) {
		t.Error("a private channel has the team's drive")
	}
	files := f.alice.Get("/drives/" + driveOf(hiring) + "/items/" + hiring.JSON["id"].(string) + "/children").Items()
	if len(files) != 4 {
		t.Errorf("%d files", len(files))
	}
	if r := f.As(f.Company.Person("lukasz@contoso.com")).Do("GET", "/drives/"+driveOf(hiring)+"/root/children", nil); r.Status != 403 {
		t.Errorf("drive of a private channel: %d", r.Status)
	}
	if r := f.alice.Do("GET", f.channel("engineering", "New ideas").address()+"/filesFolder", nil); r.Status != 404 {
		t.Errorf("before provisioning: %d", r.Status)
	}
}

func TestPostsInOrder(t *testing.T) {
	f := newFixture(t)
	c := f.channel("engineering", "General")
	address := c.address() + "/messages"
	if n := len(f.alice.Get(address).Items()); n != 20 {
		t.Errorf("default page %d", n)
	}
	all, _ := f.alice.All(address + "?$top=50&$expand=replies")
	if clamped := f.alice.Get(address + "?$top=99").Items(); len(clamped) != 50 {
		t.Errorf("$top=99 gives %d", len(clamped))
	}
	if len(all) != c.created.Len() || len(all) < 170 {
		t.Fatalf("%d posts of %d", len(all), c.created.Len())
	}
	previous, replies := "9", 0
	for _, m := range all {
		if m["replyToId"] != nil {
			t.Errorf("reply %v among posts", m["id"])
		}
		activity := m["id"].(string)
		for _, r := range m["replies"].([]any) {
			r := r.(map[string]any)
			activity = max(activity, r["id"].(string))
			replies++
			if r["replyToId"] != m["id"] {
				t.Errorf("reply to %v under %v", r["replyToId"], m["id"])
			}
		}
		if activity > previous {
			t.Errorf("activity %s after %s", activity, previous)
		}
		previous = activity
	}
	if replies+len(all) != c.modified.Len() {
		t.Errorf("%d replies", replies)
	}
	if err := f.World.Switches.Set(switchOrder, byCreation); err != nil {
		t.Fatal(err)
	}
	created, _ := f.alice.All(address + "?$top=50")
	previous = "9"
	for _, m := range created {
		if id := m["id"].(string); id >= previous {
			t.Errorf("%s after %s", id, previous)
		} else {
			previous = id
		}
	}
}

func TestExpandedRepliesHaveALink(t *testing.T) {
	f := newFixture(t)
	f.Set(switchReplies, 10)
	var long map[string]any
	items, _ := f.alice.All(f.channel("engineering", "General").address() + "/messages?$top=50&$expand=replies")
	for _, m := range items {
		if m["replies@odata.count"] == 10.0 && m["replies@odata.nextLink"] != nil {
			long = m
		}
	}
	if long == nil {
		t.Fatal("no long thread")
	}
	rest, _ := f.alice.All(long["replies@odata.nextLink"].(string))
	whole, _ := f.alice.All(f.channel("engineering", "General").address() + "/messages/" + long["id"].(string) + "/replies?$top=50")
	if len(rest)+10 != len(whole) || rest[0]["id"] != whole[10]["id"] {
		t.Errorf("%d and 10 of %d", len(rest), len(whole))
	}
}

func testMessageShapes(t *testing.T, f *fixture) {
	var all []map[string]any
	for _, name := range []string{"General", "Odds & ends"} {
		posts, _ := f.alice.All(f.channel("engineering", name).address() + "/messages?$top=50&$expand=replies")
		all = append(all, posts...)
	}
	kinds, events, scripts := map[string]int{}, 0, map[string]bool{}
	var noName, deleted, edited, dangling, images int
	for _, m := range all {
		body := m["body"].(map[string]any)["content"].(string)
		switch {
		case m["messageType"] == "unknownFutureValue":
			events++
			if m["from"] != nil || body != "<systemEventMessage/>" || m["eventDetail"] == nil {
				t.Errorf("system message %v", m)
			}
			continue
		case m["deletedDateTime"] != nil:
			deleted++
			if body != "" {
				t.Errorf("deleted message has %q", body)
			}
		}
		if m["lastEditedDateTime"] != nil {
			edited++
		}
		if user, ok := m["from"].(map[string]any)["user"].(map[string]any); ok && user["displayName"] == nil {
			noName++
		}
		ids := map[string]bool{}
		for _, a := range m["attachments"].([]any) {
			a := a.(map[string]any)
			kinds[a["contentType"].(string)]++
			ids[a["id"].(string)] = true
			if _, isText := a["content"].(string); a["content"] != nil && !isText {
				t.Errorf("content is %T", a["content"])
			}
		}
		if _, tail, found := strings.Cut(body, `<attachment id="`); found {
			id, _, _ := strings.Cut(tail, `"`)
			if !ids[id] {
				dangling++
			}
		}
		images += strings.Count(body, f.World.Hosts.Graph+"/v1.0/teams/")
		for name, word := range map[string]string{"greek": "Καλημέρα", "cyrillic": "Доброе", "arabic": "صباح", "japanese": "おはよう", "devanagari": "सुप्रभात", "hebrew": "בוקר"} {
			scripts[name] = scripts[name] || strings.Contains(body, word)
		}
		if strings.Contains(body, "hosted:") {
			t.Errorf("placeholder in %s", body)
		}
	}
	for _, kind := range []string{"reference", "tabReference", "meetingReference", "application/vnd.microsoft.card.adaptive", "application/vnd.microsoft.card.thumbnail",
		"application/vnd.microsoft.card.hero", "application/vnd.microsoft.card.codesnippet", "application/vnd.microsoft.card.announcement",
		"application/vnd.microsoft.card.fluidEmbedCard", "application/vnd.contoso.unheard-of"} {
		if kinds[kind] == 0 {
			t.Errorf("no attachment of type %s", kind)
		}
	}
	if noName == 0 || deleted == 0 || edited == 0 || dangling == 0 || images == 0 || events < 25 || len(scripts) != 6 {
		t.Errorf("no name %d, deleted %d, edited %d, dangling %d, images %d, events %d, scripts %v", noName, deleted, edited, dangling, images, events, scripts)
	}
	opted := f.alice.Get(f.channel("engineering", "Hiring 🕵️").address()+"/messages?$top=50", "Prefer", "include-unknown-enum-members")
	if !bytes.Contains(opted.Body, []byte(`"systemEventMessage"`)) {
		t.Error("opted in without effect")
	}
}

func testReferencesResolve(t *testing.T, f *fixture) {
	for _, c := range []string{f.channel("engineering", "General").address(), "/chats/" + url.PathEscape(f.svc.Store.chats[0].ID)} {
		all, _ := f.alice.All(c + "/messages?$top=50")
		resolved := 0
		for _, m := range all {
			for _, a := range m["attachments"].([]any) {
				a := a.(map[string]any)
				link, _ := a["contentUrl"].(string)
				if a["contentType"] != "reference" || link == "" || resolved > 20 {
					continue
				}
				token := "u!" + base64.RawURLEncoding.EncodeToString([]byte(link))
				item := f.alice.Get("/shares/" + token + "/driveItem")
				if item.JSON["name"] != a["name"] {
					t.Errorf("%s is %v", link, item.JSON["name"])
				}
				resolved++
			}
		}
		if resolved < 5 {
			t.Errorf("%s: only %d references", c, resolved)
		}
	}
}

func TestHostedContents(t *testing.T) {
	f := newFixture(t)
	c := f.channel("engineering", "General")
	var with *Message
	for _, m := range c.created.Before(nil) {
		if len(m.Hosted) > 0 && m.Hosted[0].ContentType == "image/png" && m.Deleted.IsZero() {
			with = m
			break
		}
	}
	address := with.path() + "/hostedContents"
	list := f.alice.Get(address).Items()
	if len(list) != len(with.Hosted) || list[0]["contentBytes"] != nil || list[0]["contentType"] != nil {
		t.Errorf("list %v", list)
	}
	value := f.alice.Get(address + "/" + list[0]["id"].(string) + "/$value")
	if _, err := png.Decode(bytes.NewReader(value.Body)); err != nil || value.Header.Get("Content-Type") != "image/png" {
		t.Errorf("%v %s", err, value.Header.Get("Content-Type"))
	}
	if single := f.alice.Get(address + "/" + list[0]["id"].(string)); single.JSON["contentBytes"] != nil {
		t.Error("entity has bytes")
	}
	f.svc.Store.SoftDelete(with)
	if r := f.alice.Do("GET", address+"/"+list[0]["id"].(string)+"/$value", nil); r.Status != 404 {
		t.Errorf("of a deleted message: %d", r.Status)
	}
}

func TestAwkwardPages(t *testing.T) {
	f := newFixture(t)
	f.Set("graph.awkward_pages", true)
	c := f.channel("engineering", "General")
	posts, _ := f.alice.All(c.address() + "/messages?$top=10")
	changes, _ := f.alice.All(c.address() + "/messages/delta?$top=10")
	f.Set("graph.awkward_pages", false)
	plain, _ := f.alice.All(c.address() + "/messages/delta?$top=50")
	if len(posts) != c.created.Len() || len(changes) != len(plain) {
		t.Errorf("%d posts of %d, %d changes of %d", len(posts), c.created.Len(), len(changes), len(plain))
	}
	f.Set(switchLag, 0)
	f.Set("graph.awkward_pages", true)
	exported, _ := f.app.All(f.team("engineering") + "/channels/getAllMessages?$top=10")
	want := 0
	for _, c := range f.svc.Store.byTeam[f.Company.Group("engineering").ID].Channels {
		want += c.modified.Len()
	}
	if len(exported) != want {
		t.Errorf("%d exported of %d", len(exported), want)
	}
}

func TestProtectedAPI(t *testing.T) {
	f := newFixture(t)
	f.Set(switchProtected, true)
	address := f.channel("engineering", "General").address() + "/messages"
	r := f.app.Do("GET", address, nil)
	e, _ := r.JSON["error"].(map[string]any)
	if r.Status != 403 || r.Code() != "UnknownError" || e["message"] != "" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	f.alice.Get(address)
}

func TestSeedIsTheSameAllDay(t *testing.T) {
	a, b := newFixture(t), newFixture(t)
	first, _ := a.alice.All(a.channel("engineering", "General").address() + "/messages?$top=50&$expand=replies")
	second, _ := b.alice.All(b.channel("engineering", "General").address() + "/messages?$top=50&$expand=replies")
	for i := range first {
		x, y := fmt.Sprint(first[i]), fmt.Sprint(second[i])
		if strings.ReplaceAll(x, a.World.Hosts.Graph, "") != strings.ReplaceAll(y, b.World.Hosts.Graph, "") {
			// Reply links differ by their signature's time alone; there are none in this channel.
			t.Fatalf("%d differs:\n%s\n%s", i, x, y)
		}
	}
	for _, c := range a.svc.Store.byChan {
		for _, m := range c.modified.Before(nil) {
			if m.Modified.After(simtest.Now) {
				t.Errorf("%s: %s lies in the future", c.Name, m.Modified)
			}
			break
		}
	}
}

func TestScale(t *testing.T) {
	h := simtest.New(t, 100000)
	drives := drive.New(h.World, h.Graph, h.Company)
	svc := New(h.World, h.Graph, h.Company, drives)
	for _, c := range svc.Store.byChan {
		if c.Name == "Build/Deploy" && c.created.Len() < 9990 {
			t.Errorf("only %d posts", c.created.Len())
		}
	}
}
