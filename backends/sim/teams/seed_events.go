package teams

import (
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
)

// initiator is who caused a system event; the service never gives a name.
func initiator(p *company.Person) map[string]any {
	return map[string]any{"application": nil, "device": nil, "user": map[string]any{"@odata.type": "#microsoft.graph.teamworkUserIdentity",
		"id": p.ID, "displayName": nil, "userIdentityType": "aadUser"}}
}

func userIDs(people ...*company.Person) []any {
	list := []any{}
	for _, p := range people {
		list = append(list, map[string]any{"@odata.type": "#microsoft.graph.teamworkUserIdentity", "id": p.ID, "displayName": nil, "userIdentityType": "aadUser"})
	}
	return list
}

// event adds a system message.
func (f *filler) event(at time.Time, kind string, by *company.Person, props map[string]any) {
	e := map[string]any{"@odata.type": "#microsoft.graph." + kind + "EventMessageDetail", "initiator": initiator(by)}
	for k, v := range props {
		e[k] = v
	}
	f.add(nil, &Message{Type: typeSystem, Created: at, HTML: true, Body: "<systemEventMessage/>", Event: e})
}

// events are those of a channel's life. The primary channel has those of the team too.
func (f *filler) events(primary bool) {
	c := f.c
	owner := c.team.Members[0].Person
	at := c.Created.Add(2 * time.Second)
	name := map[string]any{"channelId": c.ID, "channelDisplayName": c.Name}
	if !primary {
		f.event(at, "channelAdded", owner, name)
		return
	}
	team := map[string]any{"teamId": c.team.ID, "teamDisplayName": c.team.Name, "teamDescription": c.team.Description}
	f.event(at, "teamCreated", owner, team)
	var rest []*company.Person
	for _, m := range c.team.Members[1:] {
		rest = append(rest, m.Person)
	}
	f.event(at.Add(time.Minute), "membersAdded", owner, map[string]any{"members": userIDs(rest...), "visibleHistoryStartDateTime": "0001-01-01T00:00:00Z"})
	if c.team.Archived {
		f.event(f.ago(75, 16, 0), "teamArchived", owner, map[string]any{"teamId": c.team.ID})
	}
}

// everyEvent adds each kind of system event that the others do not.
func (f *filler) everyEvent() {
	p, other := f.people.People[4], f.people.People[3]
	channel := map[string]any{"channelId": f.c.ID, "channelDisplayName": "Old name"}
	call := f.people.GUID("call")
	app := map[string]any{"teamsAppId": "com.microsoft.teamspace.tab.wiki", "teamsAppDisplayName": "Wiki"}
	team := map[string]any{"teamId": f.c.team.ID, "teamDisplayName": f.c.team.Name}
	meeting := map[string]any{"callId": call, "callEventType": "meeting"}
	kinds := []struct {
		kind  string
		props map[string]any
	}{
		{"callStarted", meeting},
		{"callRecording", map[string]any{"callId": call, "callRecordingDisplayName": "Weekly.mp4", "callRecordingUrl": "https://contoso-my.sharepoint.com/x/Weekly.mp4",
			"callRecordingDuration": "PT31M4S", "callRecordingStatus": "success", "meetingOrganizer": initiator(p)}},
		{"callTranscript", map[string]any{"callId": call, "callTranscriptICalUid": "040000008200E00074C5B7101A82E008", "meetingOrganizer": initiator(p)}},
		{"callEnded", map[string]any{"callId": call, "callDuration": "PT31M59S", "callEventType": "meeting",
			"callParticipants": []any{map[string]any{"participant": initiator(p)}, map[string]any{"participant": initiator(other)}}}},
		{"channelRenamed", channel},
		{"channelDescriptionUpdated", map[string]any{"channelId": f.c.ID, "channelDescription": "All of engineering"}},
		{"channelDeleted", channel},
		{"channelSetAsFavoriteByDefault", map[string]any{"channelId": f.c.ID}},
		{"channelUnsetAsFavoriteByDefault", map[string]any{"channelId": f.c.ID}},
		{"channelSharingUpdated", channel},
		{"conversationMemberRoleUpdated", map[string]any{"conversationMemberRoles": []string{"owner"}, "conversationMemberUser": userIDs(other)[0]}},
		{"meetingPolicyUpdated", map[string]any{"meetingChatEnabled": true, "meetingChatId": "19:meeting_x@thread.v2"}},
		{"membersDeleted", map[string]any{"members": userIDs(other)}},
		{"membersJoined", map[string]any{"members": userIDs(other)}},
		{"membersLeft", map[string]any{"members": userIDs(other)}},
		{"messagePinned", map[string]any{"eventDateTime": f.ago(29, 9, 0).Format(time.RFC3339)}},
		{"messageUnpinned", map[string]any{"eventDateTime": f.ago(28, 9, 0).Format(time.RFC3339)}},
		{"tabUpdated", map[string]any{"tabId": f.people.GUID("tab")}},
		{"teamUnarchived", team}, {"teamDescriptionUpdated", team}, {"teamRenamed", team},
		{"teamJoiningEnabled", team}, {"teamJoiningDisabled", team},
		{"teamsAppInstalled", app}, {"teamsAppUpgraded", app}, {"teamsAppRemoved", app},
	}
	for i, k := range kinds {
		f.event(f.ago(500-18*i, 8, 5*(i%12)), k.kind, p, k.props)
	}
}

// awkward adds a message for each odd shape that clients meet.
func (f *filler) awkward() {
	n := 0
	post := func(body string, change func(*Message)) *Message {
		m := &Message{Created: f.ago(20-n%15, 10, n%60).Add(time.Duration(n) * time.Millisecond), From: &Sender{Person: f.people.People[3]}, HTML: true, Body: body}
		n++
		if change != nil {
			change(m)
		}
		return f.add(nil, m)
	}
	attach := func(list ...Attachment) func(*Message) { return func(m *Message) { m.Attachments = list } }
	one := func(id, contentType, content, name string) {
		post(`<p>See</p><attachment id="`+id+`"></attachment>`, attach(Attachment{ID: id, ContentType: contentType, Content: content, Name: name}))
	}
	one("thumb1", "application/vnd.microsoft.card.thumbnail", `{"title":"A <thumbnail>","text":"with & signs","images":[{"url":"https://example.com/x.png"}],"buttons":[]}`, "")
	one("hero1", "application/vnd.microsoft.card.hero", `{"title":"Hero","subtitle":"sub","buttons":[{"type":"openUrl","title":"Go","value":"https://example.com"}]}`, "")
	one("ann1", "application/vnd.microsoft.card.announcement", `{"title":"Release day","cardImageType":"colorTheme","cardImageDetails":{"colorTheme":"periwinkleBlue"}}`, "")
	one("fluid1", "application/vnd.microsoft.card.fluidEmbedCard", `{"componentUrl":"https://contoso-my.sharepoint.com/:fl:/g/x","sourceType":"Compose"}`, "Loop")
	one("tab::"+f.people.GUID("tab"), "tabReference", "", "Wiki")
	one("meet1", "meetingReference", `{"exchangeId":"AAMkAGI=","organizerId":"`+f.people.People[4].ID+`"}`, "Weekly sync")
	one("odd1", "application/vnd.contoso.unheard-of", "not JSON at all", "odd\nname")
	one("odd2", "reference", "", "no address.docx")
	post(`<p>A file that is gone: <attachment id="`+f.people.GUID("dangling")+`"></attachment></p>`, nil)
	post(`<p>Not in the text</p>`, attach(Attachment{ID: "loose", ContentType: "application/vnd.microsoft.card.adaptive",
		Content: card("Loose card", map[string]string{"Branch": "main"}, "https://example.com")}))
	post(`<attachment id="code1"></attachment>`, func(m *Message) {
		m.Hosted = []Hosted{{ContentType: "text/plain", Data: func() []byte { return []byte("print('hello')\n") }}}
		m.Attachments = []Attachment{{ID: "code1", ContentType: "application/vnd.microsoft.card.codesnippet", Name: "hello.py",
			Content: `{"name":"hello.py","language":"python","lines":1,"wrapped":false,"codeSnippetUrl":"hosted:0"}`}}
	})

	post("<p>who am I</p>", func(m *Message) { m.From.NoName = true })
	post("<p>from the outside</p>", func(m *Message) {
		p := f.outsider(1)
		m.From = &Sender{ID: p.ID, Name: p.DisplayName, IdentityType: "federatedUser", TenantID: f.fabrikam}
	})
	post("<p>hello from a guest</p>", func(m *Message) {
		m.From = &Sender{ID: f.people.GUID("anon"), Name: "Jane (Guest)", IdentityType: "anonymousGuest"}
	})
	post("<p>sent by mail</p>", func(m *Message) {
		m.From = &Sender{ID: "x@example.com", Name: "x@example.com", IdentityType: "emailUser"}
	})
	post(`<div><div>New issue <a href="https://tracker.example.com/1">#1</a></div></div>`, func(m *Message) {
		m.From = &Sender{AppID: f.people.GUID("connector"), Name: "Tracker", IdentityType: "office365Connector"}
	})
	post("", func(m *Message) {
		m.Policy = map[string]any{"dlpAction": "blockAccess", "justificationText": nil, "userAction": "none", "verdictDetails": "none",
			"policyTip": map[string]any{"generalText": "This item conflicts with a policy", "complianceUrl": "https://contoso.com/policy",
				"matchedConditionDescriptions": []string{"Credit Card Number"}}}
	})
	post(`<p>Custom <customemoji id="abc" alt="party-parrot" source="https://graph.microsoft.com/v1.0/x"></customemoji> and old <span class="animated-emoticon-20-cool" title="Cool" type="(cool)"><img itemscope itemtype="http://schema.skype.com/Emoji" itemid="cool" alt="😎" src="https://statics.teams.cdn.office.net/cool.png"></span></p>`,
		func(m *Message) {
			m.Reactions = []Reaction{{Type: "custom", DisplayName: "party-parrot", ContentURL: "https://graph.microsoft.com/v1.0/x/$value", At: m.Created, By: f.people.Bob()}}
		})
	post(`<table><tr><td>a|b</td><td>1</td></tr><tr><td>c</td><td><a href="javascript:alert(1)">x</a></td></tr></table><script>alert(1)</script><blockquote>q<blockquote>deeper</blockquote></blockquote>`, nil)
	post(`<p><at id="0">Release crew</at> and <at id="7">nobody</at></p>`, func(m *Message) {
		m.Mentions = []Mention{{Text: "Release crew", Tag: "MjQzMmI1N2ItMGFiZC00M2RiLWFhN2ItMTZlYWRkMTE1ZDM0"}}
	})
	post("<p>very long subject</p>", func(m *Message) { m.Subject = strings.Repeat("Ünïcödé… ", 40) })
	post("<p>control characters</p>", func(m *Message) {
		m.Subject = "a\x00b\x1b[31mred\u202etxt.exe\r\nSubject: forged"
		m.Body = "<p>---\r\nfrom: forged\u0007</p>"
	})
	post("", func(m *Message) { m.HTML, m.Subject = false, "" })
	for _, text := range []string{"Καλημέρα σε όλους ☕", "Доброе утро!", "صباح الخير", "おはようございます", "早上好 👋", "सुप्रभात", "בוקר טוב"} {
		post("<p>"+html.EscapeString(text)+"</p>", nil)
	}
}

// revived is a thread whose root was deleted while its replies stay, and one that was revived much later.
func (f *filler) revived() {
	by := &Sender{Person: f.people.People[5]}
	root := f.add(nil, &Message{Created: f.ago(120, 14, 3), From: by, HTML: true, Deleted: f.ago(119, 9, 0), Modified: f.ago(119, 9, 0), undo: "<p>Never mind</p>"})
	for i := range 3 {
		f.add(root, &Message{Created: f.ago(120, 15, i), From: by, HTML: true, Body: fmt.Sprintf("<p>Still need help with item %d?</p>", i+1)})
	}
	old := f.add(nil, &Message{Created: f.ago(400, 9, 12), From: by, HTML: true, Subject: "Coffee machine", Body: "<p>Does anybody know the code of the coffee machine on the third floor?</p>"})
	f.add(old, &Message{Created: f.ago(0, 9, 15), From: &Sender{Person: f.people.Alice()}, HTML: true, Body: "<p>A year later, for the record: it is on the back.</p>"})
}
