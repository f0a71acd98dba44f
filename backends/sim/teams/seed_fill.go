package teams

import (
	"encoding/json"
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/drive"
)

// filler writes the messages of one channel or chat.
type filler struct {
	*seeder
	c    *Channel // nil for a chat
	chat *Chat
	w    *company.Writer
}

func (f *filler) conv() *Conversation {
	if f.c != nil {
		return &f.c.Conversation
	}
	return &f.chat.Conversation
}

// add puts a message in, unless it or its root lies after the start of the clock.
func (f *filler) add(root *Message, m *Message) *Message {
	if m.Created.After(f.start) || root != nil && root.conv == nil {
		return m
	}
	for _, t := range []*time.Time{&m.Modified, &m.Edited, &m.Deleted} {
		if t.After(f.start) {
			*t = f.start
		}
	}
	f.conv().add(m, root)
	if !m.Edited.IsZero() {
		old := *m
		old.Body, old.Edited = strings.Replace(m.Body, "</p>", " (first version)</p>", 1), time.Time{}
		f.conv().retain(&old, m.Edited)
	}
	return m
}

// sender is somebody of the channel or chat.
func (f *filler) sender() *Sender {
	of := f.chatMembers()
	return &Sender{Person: of[f.w.IntN(len(of))].Person}
}

func (f *filler) chatMembers() []Member {
	if f.c != nil {
		return f.c.members()
	}
	return f.chat.Members
}

// workTime moves a time into working hours, to a second and millisecond of its own.
func (f *filler) workTime(t time.Time) time.Time {
	switch t.Weekday() {
	case time.Saturday:
		t = t.Add(-day)
	case time.Sunday:
		t = t.Add(day)
	}
	return t.Truncate(day).Add(7*time.Hour + time.Duration(f.w.IntN(10*3600))*time.Second + time.Duration(f.w.IntN(1000))*time.Millisecond)
}

// when spreads the i-th of n posts over the seeded months; the last ones are of the first day's morning.
func (f *filler) when(i, n int) time.Time {
	if n > 4 && i >= n-3 {
		return f.end.Add(-day + 7*time.Hour + time.Duration(n-i)*20*time.Minute + time.Duration(f.w.IntN(3600_000))*time.Millisecond)
	}
	span := months * 30 * day
	return f.workTime(f.end.Add(-span + span*time.Duration(i)/time.Duration(max(n, 1))))
}

// threads writes n posts with their replies.
func (f *filler) threads(n int) {
	scripts := officeScripts
	if strings.HasPrefix(f.c.team.Name, "Engineering") {
		scripts = engineeringScripts
	}
	for i := range n {
		if i%5 < 2 || i == n-1 {
			f.scripted(f.when(i, n), i/5*2+i%5, scripts)
			continue
		}
		root := f.message(f.when(i, n))
		if f.w.Chance(45) {
			root.Subject = f.w.Subject()
		}
		if f.w.Chance(4) {
			root.Importance = "high"
		}
		f.add(nil, root)
		f.answers(root, f.replyCount(i, n))
	}
}

// replyCount is mostly small. One thread in a long channel has more replies than fit on a page.
func (f *filler) replyCount(i, n int) int {
	switch r := f.w.IntN(100); {
	case n > 100 && i == n/2+2: // one that is not scripted
		return 64
	case r < 35:
		return 0
	case r < 75:
		return 1 + f.w.IntN(3)
	case r < 95:
		return 4 + f.w.IntN(5)
	default:
		return 9 + f.w.IntN(6)
	}
}

// answers writes replies, minutes or hours apart, and now and then months later.
func (f *filler) answers(root *Message, n int) {
	at := root.Created
	for range n {
		switch gap := f.w.IntN(100); {
		case gap < 70:
			at = at.Add(time.Duration(20+f.w.IntN(3600)) * time.Second)
		case gap < 95:
			at = at.Add(time.Duration(1+f.w.IntN(40)) * time.Hour)
		default:
			at = at.Add(time.Duration(20+f.w.IntN(60)) * day)
		}
		at = at.Add(time.Duration(f.w.IntN(1000)) * time.Millisecond)
		f.add(root, f.message(at))
	}
}

// paragraph is one escaped paragraph of a message.
func (f *filler) paragraph(text string) string { return "<p>" + html.EscapeString(text) + "</p>" }

// message is an ordinary message, often with something in it.
func (f *filler) message(at time.Time) *Message {
	m := &Message{Created: at, From: f.sender(), HTML: true}
	switch kind := f.w.IntN(100); {
	case kind < 40:
		m.Body = f.paragraph(f.w.Chat())
		if f.w.Chance(30) {
			m.HTML, m.Body = false, f.w.Sentence()
		}
	case kind < 62:
		m.Body = f.paragraph(f.w.Paragraph(2 + f.w.IntN(3)))
	case kind < 74:
		f.mentioning(m)
	case kind < 82:
		f.referring(m)
	case kind < 87:
		f.picture(m)
	case kind < 92:
		m.Body = f.code()
	case kind < 95:
		m.Body = "<h3>" + html.EscapeString(f.w.Subject()) + "</h3><ul><li>" + html.EscapeString(f.w.Sentence()) + "</li><li><strong>" +
			html.EscapeString(f.w.Sentence()) + `</strong></li></ul><p><a href="https://example.com/?q=1&amp;r=2">link</a></p>`
	default:
		m.Body = f.paragraph(f.w.Phrase()) + `<p><emoji id="1f389_partypopper" alt="🎉" title="Party popper"></emoji></p>`
	}
	f.afterlife(m)
	return m
}

// react adds reactions to some messages.
func (f *filler) react(m *Message) {
	if !f.w.Chance(25) {
		return
	}
	members := f.chatMembers()
	for range 1 + f.w.IntN(3) {
		r := Reaction{Type: f.w.Pick([]string{"👍", "❤️", "😆", "like", "🚀", "👏🏽"}),
			At: m.Created.Add(time.Duration(1+f.w.IntN(90)) * time.Minute), By: members[f.w.IntN(len(members))].Person}
		if r.At.Before(f.start) {
			m.Reactions = append(m.Reactions, r)
			m.Modified = later(m.Modified, r.At)
		}
	}
}

// afterlife adds what happened to a message later: reactions, an edit, a deletion.
func (f *filler) afterlife(m *Message) {
	f.react(m)
	switch f.w.IntN(100) {
	case 0, 1, 2, 3, 4:
		m.Edited = m.Created.Add(time.Duration(1+f.w.IntN(30)) * time.Minute)
		m.Modified = later(m.Modified, m.Edited)
	case 5, 6:
		m.Deleted = m.Created.Add(time.Duration(1+f.w.IntN(600)) * time.Minute)
		m.Modified = later(m.Modified, m.Deleted)
		m.undo, m.Body = m.Body, ""
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// mentioning writes to a person, or to the whole channel.
func (f *filler) mentioning(m *Message) {
	at := Mention{Person: f.sender().Person}
	at.Text = at.Person.DisplayName
	if f.w.Chance(20) {
		switch {
		case f.c != nil && f.w.Chance(50):
			at = Mention{Channel: f.c, Text: f.c.Name}
		case f.c != nil:
			at = Mention{Team: f.c.team, Text: f.c.team.Name}
		default:
			at = Mention{Chat: f.chat, Text: "Everyone"}
		}
	}
	m.Mentions = []Mention{at}
	m.Body = `<p><at id="0">` + html.EscapeString(at.Text) + "</at>&nbsp;" + html.EscapeString(f.w.Sentence()) + "</p>"
}

// referring points to a file of the channel, or of the sender's drive.
func (f *filler) referring(m *Message) {
	d, folder := f.place(m.From.Person)
	if folder == nil {
		m.Body = f.paragraph(f.w.Sentence())
		return
	}
	files := f.svc.drives.Store.Files(folder)
	if len(files) == 0 {
		m.Body = f.paragraph(f.w.Sentence())
		return
	}
	it := files[f.w.IntN(len(files))]
	if f.chat != nil {
		for _, other := range f.chat.Members {
			f.svc.drives.Store.Grant(it, other.Person)
		}
	}
	id := strings.ToLower(it.GUID)
	m.Attachments = []Attachment{{ID: id, ContentType: "reference", ContentURL: d.WebURL(it), Name: it.Name}}
	m.Body = f.paragraph(f.w.Sentence()) + `<attachment id="` + id + `"></attachment>`
}

// place is where files go that somebody attaches here.
func (f *filler) place(p *company.Person) (*drive.Drive, *drive.Item) {
	if f.c != nil {
		return f.c.Drive, f.c.Folder
	}
	d := f.svc.drives.Store.UserDrive(p.ID)
	if d == nil {
		return nil, nil
	}
	return d, f.svc.drives.Store.Child(d.Root, drive.ChatFiles)
}

// picture pastes one or two images.
func (f *filler) picture(m *Message) {
	var b strings.Builder
	b.WriteString(f.paragraph(f.w.Sentence()))
	for i := range 1 + f.w.IntN(2) {
		w, h, colour := 24+f.w.IntN(60), 24+f.w.IntN(60), uint32(f.w.IntN(1<<24))
		m.Hosted = append(m.Hosted, Hosted{ContentType: "image/png", Data: func() []byte { return company.PNG(w, h, colour) }})
		fmt.Fprintf(&b, `<p><img alt="image" src="hosted:%d" style="vertical-align:bottom; width:%dpx; height:%dpx" itemid="%d"></p>`, i, w*4, h*4, i)
	}
	m.Body = b.String()
}

var snippets = []string{
	"func main() {\n\tfmt.Println(\"hello\")\n}", "SELECT id, name\nFROM items\nWHERE price < 10 && name <> 'x';", "$ kubectl get pods -n orion\nNAME   READY\napi-0  1/1",
	"{\n  \"retries\": 3,\n  \"hosts\": [\"a\", \"b\"]\n}", "for i in range(3):\n    print(i)",
}

// code is a code block as the clients write it.
func (f *filler) code() string {
	text := strings.NewReplacer("\n", "<br>", "  ", "&nbsp; ").Replace(html.EscapeString(f.w.Pick(snippets)))
	return f.paragraph(f.w.Sentence()) + `<codeblock class="Go"><code>` + text + `</code></codeblock><p>&nbsp;</p>`
}

// card is an adaptive card as the JSON text that content holds.
func card(title string, facts map[string]string, actionURL string) string {
	list := []any{}
	for _, k := range []string{"Branch", "Commit", "Duration"} {
		if facts[k] != "" {
			list = append(list, map[string]any{"title": k, "value": facts[k]})
		}
	}
	body := []any{map[string]any{"type": "TextBlock", "size": "Medium", "weight": "Bolder", "text": title, "wrap": true},
		map[string]any{"type": "FactSet", "facts": list}}
	text, err := json.Marshal(map[string]any{"type": "AdaptiveCard", "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "version": "1.4",
		"body": body, "actions": []any{map[string]any{"type": "Action.OpenUrl", "title": "Open", "url": actionURL}}})
	if err != nil {
		panic(err) // texts always encode
	}
	return string(text)
}

// builds writes n posts of a bot, evenly spread over the seeded months, or over ten years when there are many.
func (f *filler) builds(n int) {
	span := months * 30 * day
	if n > 1000 {
		span = 3650 * day
	}
	bot := &Sender{AppID: f.people.GUID("app build bot"), Name: "Build Bot", IdentityType: "bot"}
	for i := range n {
		at := f.end.Add(-span + span/time.Duration(n)*time.Duration(i) + time.Duration(f.w.IntN(1000))*time.Millisecond)
		m := &Message{Created: at, From: bot, HTML: true}
		project, commit := f.w.Project(), fmt.Sprintf("%07x", f.w.IntN(1<<28))
		title := fmt.Sprintf("%s: build #%d succeeded", project, 4000+i)
		if i%4 == 0 {
			id := strings.ReplaceAll(f.people.GUID(f.c.ID+commit), "-", "")
			m.Attachments = []Attachment{{ID: id, ContentType: "application/vnd.microsoft.card.adaptive",
				Content: card(title, map[string]string{"Branch": "main", "Commit": commit, "Duration": "3m 20s"}, "https://ci.example.com/builds/"+commit)}}
			m.Body = `<attachment id="` + id + `"></attachment>`
			m.Summary = title
		} else {
			m.Body = "<p>" + html.EscapeString(title) + ` (<a href="https://ci.example.com/` + commit + `">` + commit + "</a>)</p>"
		}
		f.add(nil, m)
		if i%5 == 0 {
			f.add(m, &Message{Created: at.Add(time.Duration(1+f.w.IntN(50)) * time.Minute), From: f.sender(), HTML: true, Body: f.paragraph(f.w.Chat())})
		}
	}
}
