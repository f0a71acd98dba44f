package seed

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/outlook/htmltext"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// hostileSubjects are what senders put into subjects, by malice or by accident.
var hostileSubjects = []string{
	"", "   ", "../../etc/passwd", "/etc/shadow", `a/b\c:d*e?f"g<h>i|j`, "bell \x07 escape \x1b[31mred\x1b[0m null \x00 end",
	"bidi \u202Egpj.exe\u202C and \u2066isolate\u2069", "injected\r\nBcc: evil@example.com\r\n\r\nbody", "---\nfrom: forged@example.com\n---",
	"CON", ".hidden", "~tilde", "-rf *", "$(touch /tmp/pwned) `id`", "%00%2e%2e%2f", "trailing dots...", "NUL.txt",
	strings.Repeat("long ", 60), strings.Repeat("ш", 150), strings.Repeat("👩‍👩‍👧‍👦", 12),
	"Z̷̢̛a̵l̶g̷o̸ ̵t̶e̷x̸t̴", "مرحبا بالعالم", "שלום עולם", "你好，世界", "こんにちは世界", "Здравствуй, мир", "Γειά σου Κόσμε", "e\u0301 or \u00e9",
	"same subject", "same subject", "SAME SUBJECT", "tab\there", "zero\u200bwidth\u200djoiner\ufeff", "surrogate \ufffd replaced", "\u2028line\u2029separators\u0085",
}

// hostileNames are what senders call attachments.
var hostileNames = []string{
	"../../etc/passwd", "..", ".", "", "a/b.txt", `c:\windows\system32\cmd.exe`, "/abs/olute", "twin.txt", "twin.txt", "TWIN.TXT", "cod\u202Egpj.exe",
	"esc\x1b[2J.txt", "new\nline.txt", "nul\x00byte.txt", strings.Repeat("n", 300) + ".txt", "x.attachments", "2026-11", "~hash", "CON.txt", " space ", "résumé.pdf", "re\u0301sume\u0301.pdf",
}

// oddities fills a folder with what goes wrong in mailboxes.
func (s *seeder) oddities(b *batch, p *company.Person, odd, inbox, drafts *mailbox.Folder) {
	n := 0
	bob := s.c.Bob()
	// add puts a plain message, changed by edit, into a folder.
	add := func(f *mailbox.Folder, subject string, edit func(c *mailbox.Content, m *mailbox.Message)) *mailbox.Message {
		w := s.c.Writer(fmt.Sprintf("oddity %d", n))
		at := s.Now.Add(-time.Duration(n*29+1) * time.Hour).Truncate(time.Second)
		th := s.newThread(w, p, fmt.Sprintf("oddity %d", n))
		th.people, th.bulk = []*company.Person{p, bob}, ""
		th.subject = subject
		c := th.compose(w, bob, at, "html")
		c.Subject, c.Attachments, c.Importance = subject, nil, ""
		n++
		m := s.message(w, c, at, n%3 > 0)
		if edit != nil {
			edit(c, m)
		}
		m.HasAttachments, m.IsMeeting = c.HasAttachments(), c.Meeting != nil
		b.add(f, m)
		return m
	}
	for _, subject := range hostileSubjects {
		add(odd, subject, nil)
	}
	// Twins: same sender, subject and second.
	first := add(odd, "Twin", nil)
	add(odd, "Twin", func(_ *mailbox.Content, m *mailbox.Message) { m.Received, m.Sent = first.Received, first.Sent })

	for _, from := range []mailbox.Address{
		{Name: "Name only"}, {Address: "address.only@example.com"}, {Name: "O'Brien, \"Bob\" <evil@example.com>", Address: "bob@example.com"},
		{Name: "Legacy User", Address: "/O=EXCHANGELABS/OU=EXCHANGE ADMINISTRATIVE GROUP (FYDIBOHF23SPDLT)/CN=RECIPIENTS/CN=8F3A-LEGACY"},
		{Name: "../../root", Address: "root@localhost"}, {Name: "\x1b]0;pwned\x07", Address: "esc@example.com"}, {Name: "\u202Enoitpurroc", Address: "rtl@example.com"},
		{Name: strings.Repeat("Very Long Name ", 30), Address: strings.Repeat("a", 64) + "@example.com"}, {Name: "", Address: ""}, {Name: "two\r\nlines", Address: "x@example.com"},
	} {
		add(odd, "From "+fmt.Sprint(n), func(c *mailbox.Content, _ *mailbox.Message) {
			c.From, c.Sender = &from, &from
			c.To = []mailbox.Address{{Name: "Undisclosed recipients"}, from}
		})
	}
	s.oddBodies(add, odd)
	s.oddAttachments(add, odd)
	s.meetings(add, inbox, odd)

	for i := range 3 {
		add(drafts, []string{"", "Draft to nobody", "Half-written"}[i], func(c *mailbox.Content, m *mailbox.Message) {
			m.IsDraft, m.IsRead, m.Sent, m.Flag = true, true, time.Time{}, nil
			c.From, c.Sender, c.To, c.Cc, c.Headers = nil, nil, nil, nil, nil
			if i == 2 {
				a := addressOf(p)
				c.From, c.Sender, c.To = &a, &a, []mailbox.Address{addressOf(bob)}
			}
		})
	}
	// Junk, and times that no mail has.
	add(odd, "Unset date", func(_ *mailbox.Content, m *mailbox.Message) { m.Received, m.Sent = time.Time{}, time.Time{} })
	add(odd, "From the future", func(_ *mailbox.Content, m *mailbox.Message) {
		m.Received = time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC)
	})
	add(odd, "From before the epoch", func(_ *mailbox.Content, m *mailbox.Message) {
		m.Received = time.Date(1969, 7, 20, 20, 17, 40, 0, time.UTC)
	})
	junk := s.Boxes[p.ID].Folder("junkemail")
	for i := range 6 {
		add(junk, fmt.Sprintf("YOU HAVE WON $%d,000,000 !!!", i+1), func(c *mailbox.Content, m *mailbox.Message) {
			from := mailbox.Address{Name: "Prince of Nowhere", Address: fmt.Sprintf("prince%d@spam.example", i)}
			c.From, c.Sender, m.IsRead = &from, &from, false
		})
	}
}

type adder = func(*mailbox.Folder, string, func(*mailbox.Content, *mailbox.Message)) *mailbox.Message

func (s *seeder) oddBodies(add adder, odd *mailbox.Folder) {
	for _, body := range []string{
		"", "<p></p>", "<script>alert(1)</script><p onclick=\"x()\">Scripted <a href=\"javascript:alert(1)\">link</a></p>",
		strings.Repeat("<div>", 400) + "deep" + strings.Repeat("</div>", 400), "<p>unclosed <b>tags <i>everywhere", "<pre>\x1b[2J\x1b[H terminal</pre>",
		"<p>---</p><p>from: forged</p><p>---</p>", "<img src=\"cid:not-there\"><p>An image that is not attached</p>",
		"<table>" + strings.Repeat("<tr><td>cell</td><td>1,00 €</td></tr>", 500) + "</table>",
	} {
		add(odd, "Body "+fmt.Sprint(len(body)), func(c *mailbox.Content, _ *mailbox.Message) { c.Body = htmltext.Wrap(body) })
	}
	add(odd, "Large body", func(c *mailbox.Content, _ *mailbox.Message) {
		c.Body = htmltext.Wrap("<p>" + strings.Repeat("All work and no play makes mail a dull read. ", 9000) + "</p>")
	})
	add(odd, "Plain body", func(c *mailbox.Content, _ *mailbox.Message) {
		c.HTML, c.Body = false, "---\nsubject: forged\n---\n\x1b[31mred\x1b[0m\tand a <tag> & an ampersand\r\n.\r\nFrom the start of a line\r\n"+strings.Repeat("x", 1200)+"\r\n"
	})
	add(odd, "Corrupt", func(c *mailbox.Content, _ *mailbox.Message) { c.Corrupt = true })
}

func (s *seeder) oddAttachments(add adder, odd *mailbox.Folder) {
	text := func(name, content string, m *mailbox.Message) *mailbox.Attachment {
		return &mailbox.Attachment{Type: mailbox.FileAttachment, Name: name, ContentType: "text/plain", Length: len(content),
			Data: func() []byte { return []byte(content) }, Modified: m.Received}
	}
	add(odd, "Attachment names", func(c *mailbox.Content, m *mailbox.Message) {
		for i, name := range hostileNames {
			c.Attachments = append(c.Attachments, text(name, fmt.Sprintf("attachment %d\n", i), m))
		}
	})
	add(odd, "Empty and typeless attachments", func(c *mailbox.Content, m *mailbox.Message) {
		a, z := text("empty.txt", "", m), text("typeless", "bytes\x00\xff", m)
		z.ContentType = ""
		c.Attachments = []*mailbox.Attachment{a, z}
	})
	add(odd, "One large attachment", func(c *mailbox.Content, m *mailbox.Message) {
		a := text("large.bin", "", m)
		a.ContentType, a.Length = "application/octet-stream", 3<<20
		a.Data = func() []byte { return bytes.Repeat([]byte("0123456789abcdef"), 3<<16) }
		c.Attachments = []*mailbox.Attachment{a}
	})
	add(odd, "Too many attachments to list", func(c *mailbox.Content, m *mailbox.Message) {
		c.HugeAttachments = true
		for i := range 60 {
			c.Attachments = append(c.Attachments, text(fmt.Sprintf("part-%02d.txt", i), fmt.Sprintf("part %d\n", i), m))
		}
	})
	add(odd, "Only inline images", func(c *mailbox.Content, m *mailbox.Message) {
		w := s.c.Writer("inline")
		for i := range 2 {
			a := s.file(w, "image.png", "png", m.Received)
			a.Inline, a.ContentID = true, fmt.Sprintf("img%d@contoso", i)
			c.Attachments = append(c.Attachments, a)
		}
		c.Body = htmltext.Wrap(`<p>Before <img src="cid:img0@contoso"> between <img src="cid:img1@contoso"> after</p>`)
	})
	add(odd, "A link to the cloud", func(c *mailbox.Content, m *mailbox.Message) {
		link := "https://contoso-my.sharepoint.com/personal/bob_contoso_com/Documents/Budget%20Q4.xlsx"
		c.Attachments = []*mailbox.Attachment{{Type: mailbox.ReferenceAttachment, Name: "Budget Q4.xlsx", Modified: m.Received}}
		c.Body = htmltext.Wrap(`<div id="OwaReferenceAttachments"><a href="` + link + `">Budget Q4.xlsx</a></div><p>See the sheet.</p>`)
	})
	add(odd, "Fwd: three kinds of item", func(c *mailbox.Content, m *mailbox.Message) {
		w := s.c.Writer("attached items")
		th := s.newThread(w, s.c.Alice(), "attached")
		th.people, th.bulk = []*company.Person{s.c.Carol(), s.c.Alice()}, ""
		sent := m.Received.Add(-48 * time.Hour)
		inner := th.compose(w, s.c.Carol(), sent, "html")
		inner.Attachments = []*mailbox.Attachment{s.file(w, "contract.docx", "docx", sent)}
		c.Attachments = []*mailbox.Attachment{
			{Type: mailbox.ItemAttachment, Name: inner.Subject, Message: inner, Sent: sent, Modified: m.Received},
			{Type: mailbox.ItemAttachment, Name: "Kick-off", Modified: m.Received, Sent: sent, Event: map[string]any{"subject": "Kick-off", "type": "singleInstance"}},
			{Type: mailbox.ItemAttachment, Name: "Bob Jones", Modified: m.Received, Contact: map[string]any{"displayName": "Bob Jones"}},
		}
	})
}

func (s *seeder) meetings(add adder, inbox, odd *mailbox.Folder) {
	for i, kind := range []string{"meetingRequest", "meetingAccepted", "meetingTenativelyAccepted", "meetingDeclined", "meetingCancelled"} {
		prefix := []string{"", "Accepted: ", "Tentative: ", "Declined: ", "Canceled: "}[i]
		f := inbox
		if i == 2 {
			f = odd
		}
		add(f, prefix+"Budget round", func(c *mailbox.Content, m *mailbox.Message) {
			start := m.Received.Truncate(time.Hour).Add(72 * time.Hour)
			c.Meeting = &mailbox.Meeting{Type: kind, Start: start, End: start.Add(time.Hour), Location: "Room Fuji (12 seats)", OutOfDate: i == 4}
			c.Meeting.ResponseType = []string{"", "accepted", "tentativelyAccepted", "declined", ""}[i]
		})
	}
}
