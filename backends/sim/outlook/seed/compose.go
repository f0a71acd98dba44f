package seed

import (
	"fmt"
	"hash/fnv"
	"html"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/outlook/htmltext"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// compose writes the thread's next message in a style: "html", "text", "newsletter" or "notification".
func (th *thread) compose(w *company.Writer, from *company.Person, at time.Time, style string) *mailbox.Content {
	n := len(th.ids)
	c := &mailbox.Content{Subject: th.subject, MessageID: th.messageID(n)}
	h := fnv.New64a()
	fmt.Fprint(h, th.s.c.Seed, th.key)
	id, index := conversation(h.Sum64(), at)
	c.ConversationID = id
	if th.index == nil {
		th.index = index
	}
	if n > 0 {
		th.index = append(th.index[:len(th.index):len(th.index)], byte(n), byte(at.Unix()>>16), byte(at.Unix()>>8), byte(at.Unix()), byte(w.IntN(256)))
		if !strings.HasPrefix(strings.ToLower(c.Subject), "re:") {
			c.Subject = "Re: " + c.Subject
		}
	}
	c.ConversationIndex = th.index

	switch style {
	case "newsletter", "notification":
		th.writeBulk(c, w, style)
	default:
		a := addressOf(from)
		c.From, c.Sender = &a, &a
		for i, p := range th.people {
			if p == from {
				continue
			}
			if i > 1 && len(c.To) > 0 && w.Chance(50) {
				c.Cc = append(c.Cc, addressOf(p))
			} else {
				c.To = append(c.To, addressOf(p))
			}
		}
		th.writePersonal(c, w, from, style == "html", at)
		switch w.IntN(20) {
		case 0:
			c.Importance = "high"
		case 1:
			c.Importance = "low"
		}
	}
	if n > 0 {
		c.InReplyTo, c.References = th.ids[n-1], slices.Clone(th.ids)
	}
	if from != th.owner || c.Other {
		c.Headers = th.headers(c, at)
	}
	th.ids = append(th.ids, c.MessageID)
	th.lastBy, th.lastAt = from, at
	return c
}

func (th *thread) headers(c *mailbox.Content, at time.Time) []mailbox.Header {
	domain := th.s.c.Domain
	hs := []mailbox.Header{
		{Name: "Received", Value: fmt.Sprintf("from mx1.%s (2001:db8::25) by mail.%s (2001:db8::26) with Microsoft SMTP Server (version=TLS1_3, cipher=TLS_AES_256_GCM_SHA384); %s",
			domain, domain, at.Format(time.RFC1123Z))},
		{Name: "Authentication-Results", Value: "spf=pass smtp.mailfrom=" + domain + "; dkim=pass; dmarc=pass"},
		{Name: "From", Value: c.From.Name + " <" + c.From.Address + ">"},
		{Name: "Subject", Value: c.Subject},
		{Name: "Date", Value: at.Format(time.RFC1123Z)},
		{Name: "Message-ID", Value: c.MessageID},
	}
	if c.InReplyTo != "" {
		hs = append(hs, mailbox.Header{Name: "In-Reply-To", Value: c.InReplyTo}, mailbox.Header{Name: "References", Value: strings.Join(c.References, " ")})
	}
	if c.Other {
		hs = append(hs, mailbox.Header{Name: "List-Unsubscribe", Value: "<https://news.example.com/unsubscribe?u=42>"})
	}
	return append(hs, mailbox.Header{Name: "X-MS-Exchange-Organization-AuthAs", Value: "Internal"})
}

var greetings = []string{"Hi %s,", "Hello %s,", "Dear %s,", "%s,", "Good morning %s,", "Hallo %s,", "Bonjour %s,", "Hola %s,"}

// attachmentKinds are the documents that people send.
var attachmentKinds = []string{"docx", "pdf", "png", "csv", "xlsx", "txt"}

func (th *thread) writePersonal(c *mailbox.Content, w *company.Writer, from *company.Person, isHTML bool, at time.Time) {
	paragraphs := w.Paragraphs(1 + w.IntN(4))
	if w.Chance(10) {
		paragraphs = append(paragraphs, w.Phrase()+" "+w.Emoji())
	}
	greeting := fmt.Sprintf(w.Pick(greetings), firstName(c.To))
	var quote []string
	if th.lastBy != nil && w.Chance(80) {
		quote = append([]string{fmt.Sprintf("On %s, %s wrote:", th.lastAt.Format("Mon, 2 Jan 2006 15:04"), th.lastBy.DisplayName)}, th.quote...)
	}
	th.quote = paragraphs[:min(2, len(paragraphs))]
	if w.Chance(14) {
		for range 1 + w.IntN(2) {
			kind := w.Pick(attachmentKinds)
			c.Attachments = append(c.Attachments, th.s.file(w, w.FileName(kind), kind, at))
		}
	}
	if !isHTML {
		text := greeting + "\r\n\r\n" + strings.Join(paragraphs, "\r\n\r\n") + "\r\n\r\n-- \r\n" + from.DisplayName + "\r\n" + from.JobTitle + "\r\n"
		if len(quote) > 0 {
			text += "\r\n" + quote[0] + "\r\n> " + strings.Join(quote[1:], "\r\n> ") + "\r\n"
		}
		c.Body = text
		return
	}
	c.HTML = true
	var b strings.Builder
	b.WriteString("<div class=\"WordSection1\"><p>" + html.EscapeString(greeting) + "</p>\r\n")
	for i, p := range paragraphs {
		b.WriteString("<p>" + html.EscapeString(p) + "</p>\r\n")
		if i == 0 && w.Chance(8) {
			b.WriteString(table(w.Table(3)))
		}
		if i == 0 && w.Chance(8) {
			b.WriteString("<ul><li>" + html.EscapeString(w.Sentence()) + "</li><li><b>" + html.EscapeString(w.Sentence()) + "</b></li></ul>\r\n")
		}
	}
	if w.Chance(7) {
		cid := fmt.Sprintf("image%03d.png@01DA%04X.%08X", 1+w.IntN(4), w.IntN(1<<16), w.IntN(1<<30))
		b.WriteString("<p><img width=\"48\" height=\"48\" id=\"Picture_x0020_1\" src=\"cid:" + cid + "\" alt=\"chart\"></p>\r\n")
		a := th.s.file(w, "image001.png", "png", at)
		a.ContentID, a.Inline = cid, true
		c.Attachments = append(c.Attachments, a)
	}
	b.WriteString("<p>Regards,<br>" + html.EscapeString(from.DisplayName) + "<br><span style=\"color:#666\">" + html.EscapeString(from.JobTitle) +
		" · <a href=\"https://www.contoso.com\">Contoso</a></span></p>\r\n")
	if len(quote) > 0 {
		b.WriteString("<hr><div id=\"divRplyFwdMsg\"><p><b>" + html.EscapeString(quote[0]) + "</b></p></div>\r\n<blockquote>")
		for _, q := range quote[1:] {
			b.WriteString("<p>" + html.EscapeString(q) + "</p>")
		}
		b.WriteString("</blockquote>\r\n")
	}
	b.WriteString("</div>")
	c.Body = htmltext.Wrap(b.String())
}

func firstName(to []mailbox.Address) string {
	if len(to) == 0 {
		return "all"
	}
	name, _, _ := strings.Cut(to[0].Name, " ")
	return name
}

func table(rows [][]string) string {
	var b strings.Builder
	b.WriteString("<table border=\"1\" cellpadding=\"4\">")
	for i, row := range rows {
		b.WriteString("<tr>")
		for _, cell := range row {
			tag := "td"
			if i == 0 {
				tag = "th"
			}
			b.WriteString("<" + tag + ">" + html.EscapeString(cell) + "</" + tag + ">")
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</table>\r\n")
	return b.String()
}

func (th *thread) writeBulk(c *mailbox.Content, w *company.Writer, style string) {
	c.HTML, c.Other = true, true
	c.To = []mailbox.Address{addressOf(th.owner)}
	if style == "notification" {
		from := mailbox.Address{Name: "Contoso Build", Address: "noreply@builds.contoso.com"}
		c.From, c.Sender = &from, &from
		c.Subject = fmt.Sprintf("[%s] build #%d %s", w.Project(), 1000+w.IntN(9000), w.Pick([]string{"passed", "failed", "is waiting for approval"}))
		c.Body = htmltext.Wrap("<p>" + html.EscapeString(c.Subject) + "</p><p><a href=\"https://builds.contoso.com/" + fmt.Sprint(w.IntN(9999)) +
			"\">See the log</a></p><pre>" + html.EscapeString(w.Sentence()) + "\r\nexit status " + fmt.Sprint(w.IntN(2)) + "</pre>")
		return
	}
	from := mailbox.Address{Name: "The Weekly " + w.Project(), Address: "news@weekly.example.com"}
	sender := mailbox.Address{Name: "Mailing service", Address: "bounce+42@mailer.example.net"}
	c.From, c.Sender = &from, &sender
	c.ReplyTo = []mailbox.Address{{Address: "editors@weekly.example.com"}}
	c.Subject = w.Subject()
	var b strings.Builder
	b.WriteString("<style>.h{font-size:24px}.u{color:#999}</style><center><table width=\"600\"><tr><td class=\"h\"><img src=\"https://img.example.com/logo.png?u=42\" width=\"1\" height=\"1\">" +
		html.EscapeString(c.Subject) + "</td></tr>")
	for range 3 + w.IntN(4) {
		fmt.Fprintf(&b, "<tr><td><h2><a href=\"https://weekly.example.com/a/%d?utm_source=mail&amp;utm_campaign=x\">%s</a></h2><p>%s</p></td></tr>\r\n",
			w.IntN(99999), html.EscapeString(w.Subject()), html.EscapeString(w.Paragraph(3)))
	}
	b.WriteString("<tr><td class=\"u\">You get this because you signed up. <a href=\"https://weekly.example.com/unsubscribe\">Unsubscribe</a></td></tr></table></center>")
	c.Body = htmltext.Wrap(b.String())
}

// file makes an attachment with a real small document in it. Pictures come out of a small album, since compressing one
// costs more than writing a whole message.
func (s *seeder) file(w *company.Writer, name, kind string, at time.Time) *mailbox.Attachment {
	var data []byte
	if kind == "png" {
		data = album[w.IntN(len(album))]()
	} else {
		data = company.Document(kind, w)
	}
	return &mailbox.Attachment{Type: mailbox.FileAttachment, Name: name, ContentType: company.ContentType(kind),
		Data: func() []byte { return data }, Length: len(data), Modified: at}
}

// album holds pictures of several sizes and colours, each drawn when it is first looked at.
var album = func() (all [16]func() []byte) {
	for i := range all {
		all[i] = sync.OnceValue(func() []byte { return company.PNG(20+7*i, 16+5*i, uint32(i*0x0f1e2d+0x204060)) })
	}
	return all
}()
