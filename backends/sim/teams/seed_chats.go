package teams

import (
	"fmt"
	"html"
	"strings"
	"time"
)

// chatSpec is one chat of the seed.
type chatSpec struct {
	topic    string
	kind     string // "" is group
	members  []string
	outside  int // people of another tenant
	messages int
	hidden   bool
}

var chatSpecs = []chatSpec{
	{kind: "oneOnOne", members: []string{"alice", "bob"}, messages: 130},
	{kind: "oneOnOne", members: []string{"alice", "carol"}, messages: 45},
	{kind: "oneOnOne", members: []string{"alice", "zoe"}, messages: 12},
	{kind: "oneOnOne", members: []string{"alice", "hanako"}, messages: 20},
	{kind: "oneOnOne", members: []string{"alice", "layla"}, messages: 18},
	{kind: "oneOnOne", members: []string{"alice"}, outside: 1, messages: 9},
	{kind: "oneOnOne", members: []string{"bob", "jose"}, messages: 25},
	{topic: "Q4 numbers 📊", members: []string{"alice", "bob", "grace"}, messages: 60},
	{topic: "Обед?", members: []string{"dmitri", "alice", "eleni"}, messages: 30},
	{topic: "../../etc/passwd", members: []string{"lukasz", "alice", "zoe"}, messages: 6},
	{members: []string{"eleni", "alice", "dmitri"}, messages: 15},
	{members: []string{"grace", "alice", "bob", "carol", "jose", "layla"}, messages: 22, hidden: true},
	{topic: "Standup", kind: "meeting", members: []string{"jose", "alice", "zoe", "lukasz"}, messages: 35},
	{topic: "Board prep: Q4/Q1", kind: "meeting", members: []string{"grace", "alice", "bob"}, messages: 8},
	{topic: "All hands Q&A", members: []string{"grace", "alice", "bob", "carol", "zoe", "jose", "lukasz", "dmitri", "eleni", "layla", "xiaoming", "hanako"}, outside: 28, messages: 40},
	{topic: "Nothing said yet", members: []string{"alice", "xiaoming"}},
	{topic: "Incident 4711", members: []string{"zoe", "lukasz", "jose"}, messages: 33},
}

func (s *seeder) seedChats() {
	for i, spec := range chatSpecs {
		s.addChatOf(i, spec)
	}
	s.sameIDs()
}

func (s *seeder) addChatOf(i int, spec chatSpec) {
	c := &Chat{Topic: spec.topic, Kind: spec.kind, Created: s.ago(months*30-i*9, 8, 40+i), Hidden: spec.hidden, LastRead: s.ago(2, 16, 0)}
	if c.Kind == "" {
		c.Kind = "group"
	}
	c.Updated = c.Created.Add(90 * time.Second)
	for j, alias := range spec.members {
		m := Member{Person: s.people.Person(alias + "@" + s.people.Domain), Role: "owner"}
		if c.Kind == "meeting" && j > 0 {
			m.Role = ""
		}
		c.Members = append(c.Members, m)
	}
	for j := range spec.outside {
		c.Members = append(c.Members, Member{Person: s.outsider(j), Role: "guest", TenantID: s.fabrikam})
	}
	purpose := fmt.Sprintf("chat %d", i)
	switch c.Kind {
	case "oneOnOne":
		a, b := c.Members[0].Person.ID, c.Members[1].Person.ID
		c.ID = "19:" + min(a, b) + "_" + max(a, b) + "@unq.gbl.spaces"
	case "meeting":
		c.ID = "19:meeting_" + strings.ReplaceAll(s.people.GUID(purpose), "-", "")[:22] + "@thread.v2"
		c.Meeting = map[string]any{"calendarEventId": "AAMkADAzMjNh" + purpose[5:], "joinWebUrl": "https://teams.microsoft.com/l/meetup-join/" + c.ID + "/0",
			"organizer": map[string]any{"id": c.Members[0].Person.ID, "displayName": nil, "userIdentityType": "aadUser"}}
	default:
		c.ID = s.threadID(purpose, "@thread.v2")
	}
	s.addChat(c)
	if c.Topic == "Q4 numbers 📊" {
		// The head of the company joined late and does not see what was said before.
		c.Members[2].From = s.ago(90, 10, 0)
	}
	f := &filler{seeder: s, chat: c, w: s.people.Writer(purpose)}
	f.chatter(spec.messages)
}

// chatter writes n messages in bursts, with what only chats have among them.
func (f *filler) chatter(n int) {
	if n == 0 {
		return
	}
	c := f.chat
	by := c.Members[0].Person
	if c.Kind == "group" {
		f.event(c.Created.Add(time.Second), "membersAdded", by, map[string]any{"members": userIDs(by), "visibleHistoryStartDateTime": "0001-01-01T00:00:00Z"})
	}
	if c.Topic != "" {
		f.event(c.Created.Add(time.Minute), "chatRenamed", by, map[string]any{"chatId": c.ID, "chatDisplayName": c.Topic})
	}
	// The last burst is on a morning of this week.
	recent := f.ago(len(f.chats)%5, 7, 5*(len(f.chats)%12))
	span := recent.Sub(c.Created)
	var last *Message
	at := c.Created
	for i := range n {
		switch {
		case i == n-1-(n-1)%5:
			at = recent
		case i%5 == 0:
			at = f.workTime(c.Created.Add(day + (span-3*day)*time.Duration(i)/time.Duration(n)))
		}
		at = at.Add(time.Duration(15+f.w.IntN(900))*time.Second + time.Duration(f.w.IntN(1000))*time.Millisecond)
		m := f.message(at)
		switch {
		case last != nil && i%9 == 4:
			f.quote(m, last)
		case last != nil && i%23 == 7:
			m.Attachments = []Attachment{{ID: last.ID, ContentType: "forwardedMessageReference",
				Content: fmt.Sprintf(`{"originalMessageId":%q,"originalMessageContent":%q,"originalConversationId":%q,"originalSentDateTime":%q}`,
					last.ID, last.Body, c.ID, last.Created.Format(time.RFC3339))}}
			m.HTML, m.Body = true, `<attachment id="`+last.ID+`"></attachment><p>FYI</p>`
		}
		if f.add(nil, m).conv != nil {
			last = m
		}
	}
	if c.Kind == "meeting" && last != nil {
		call := f.people.GUID("call " + c.ID)
		f.event(later(last.Created, c.Created).Add(-time.Minute), "callEnded", by, map[string]any{"callId": call, "callDuration": "PT14M59S",
			"callEventType": "meeting", "callParticipants": []any{}})
	}
}

// quote makes a message an answer to another one, as chats do it.
func (f *filler) quote(m, to *Message) {
	preview := html.EscapeString(f.w.Sentence())
	sender := "null"
	if to.From != nil && to.From.Person != nil {
		sender = fmt.Sprintf(`{"application":null,"device":null,"user":{"userIdentityType":"aadUser","id":%q,"displayName":%q}}`, to.From.Person.ID, to.From.Person.DisplayName)
	}
	m.Attachments = []Attachment{{ID: to.ID, ContentType: "messageReference",
		Content: fmt.Sprintf(`{"messageId":%q,"messagePreview":%q,"messageSender":%s}`, to.ID, preview, sender)}}
	m.HTML, m.Body = true, `<attachment id="`+to.ID+`"></attachment>`+f.paragraph(f.w.Chat())
}

// sameIDs puts a message with one id into two chats: ids are unique within a chat only.
func (s *seeder) sameIDs() {
	at := s.ago(33, 11, 22).Add(333 * time.Millisecond)
	for _, c := range s.chats[:2] {
		c.add(&Message{Created: at, From: &Sender{Person: s.people.Alice()}, Body: "Call me when you can"}, nil)
	}
}
