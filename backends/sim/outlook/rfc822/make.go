// Package rfc822 turns the simulator's messages into MIME, as Exchange makes it on request, and reads MIME files into
// messages, as a mail server would on delivery, whatever they contain.
package rfc822

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/workfs/workfs/backends/sim/outlook/htmltext"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// Options of Make.
type Options struct {
	Boundary string // part of every boundary; another one on each call makes MIME that is never the same twice
	Sent     time.Time
}

// Make gives the MIME of a message. Attached messages become message/rfc822 parts; reference attachments, which have no
// bytes, are left out.
func Make(c *mailbox.Content, o Options) []byte {
	m := &maker{o: o}
	m.headers(c)
	m.entity(c)
	return m.b.Bytes()
}

type maker struct {
	b     bytes.Buffer
	o     Options
	parts int
}

func (m *maker) field(name, value string) {
	if value != "" {
		fmt.Fprintf(&m.b, "%s: %s\r\n", name, value)
	}
}

// maxLine keeps header lines below the 998 characters of RFC 5322.
const maxLine = 900

// text encodes unstructured header text, so that no value can begin another line or make one too long.
func text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	encoded := mime.QEncoding.Encode("utf-8", s)
	if encoded != s || len(s) <= maxLine {
		return strings.ReplaceAll(encoded, "?= =?", "?=\r\n =?")
	}
	var words []string
	for len(s) > 0 { // ASCII, or it would have been encoded
		n := min(45, len(s))
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, "\r\n ")
}

func address(a mailbox.Address) string {
	addr := a.Address
	if strings.HasPrefix(strings.ToLower(addr), "/o=") {
		// MS-OXCMAIL: an X.500 name travels encapsulated.
		addr = "IMCEAEX-" + strings.NewReplacer("/", "_", "=", "+3D", " ", "+20", "(", "+28", ")", "+29").Replace(addr) + "@contoso.com"
	}
	out := (&mail.Address{Name: strings.ToValidUTF8(a.Name, "\uFFFD"), Address: addr}).String()
	if addr == "" {
		out = text(a.Name) + " <>"
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(out)
}

func addresses(list []mailbox.Address) string {
	var all []string
	for _, a := range list {
		all = append(all, address(a))
	}
	return strings.Join(all, ",\r\n\t")
}

func (m *maker) headers(c *mailbox.Content) {
	for _, h := range c.Headers {
		switch strings.ToLower(h.Name) {
		case "received", "authentication-results", "list-unsubscribe", "list-id", "x-mailer":
			m.field(h.Name, text(h.Value))
		}
	}
	if c.From != nil {
		m.field("From", address(*c.From))
	}
	if c.Sender != nil && (c.From == nil || *c.Sender != *c.From) {
		m.field("Sender", address(*c.Sender))
	}
	m.field("To", addresses(c.To))
	m.field("CC", addresses(c.Cc))
	m.field("BCC", addresses(c.Bcc))
	m.field("Reply-To", addresses(c.ReplyTo))
	fmt.Fprintf(&m.b, "Subject: %s\r\n", text(c.Subject))
	if c.ConversationIndex != nil {
		m.field("Thread-Topic", text(c.Subject))
		m.field("Thread-Index", base64.StdEncoding.EncodeToString(c.ConversationIndex))
	}
	if !m.o.Sent.IsZero() {
		m.field("Date", m.o.Sent.Format(time.RFC1123Z))
	}
	m.field("Message-ID", text(c.MessageID))
	m.field("In-Reply-To", text(c.InReplyTo))
	var references []string
	for _, id := range c.References {
		references = append(references, text(id))
	}
	m.field("References", strings.Join(references, "\r\n "))
	switch c.Importance {
	case "high":
		m.field("Importance", "high")
		m.field("X-Priority", "1")
	case "low":
		m.field("Importance", "low")
	}
	if c.HasAttachments() {
		m.field("X-MS-Has-Attach", "yes")
	}
	m.field("X-MS-Exchange-Organization-SCL", "-1")
	m.field("X-MS-Exchange-Transport-EndToEndLatency", "00:00:01.4142135")
	m.field("MIME-Version", "1.0")
}

// entity writes the content type, an empty line and the body of a message.
func (m *maker) entity(c *mailbox.Content) {
	var inline, attached []*mailbox.Attachment
	for _, a := range c.Attachments {
		switch {
		case a.Type == mailbox.ReferenceAttachment:
		case a.Inline && a.ContentID != "":
			inline = append(inline, a)
		default:
			attached = append(attached, a)
		}
	}
	body := func() { m.body(c) }
	if len(inline) > 0 {
		inner := body
		body = func() { m.multipart("related", inner, inline) }
	}
	if len(attached) > 0 {
		inner := body
		body = func() { m.multipart("mixed", inner, attached) }
	}
	body()
}

func (m *maker) boundary() string {
	m.parts++
	return fmt.Sprintf("_%03d_%s_", m.parts, m.o.Boundary)
}

func (m *maker) multipart(kind string, first func(), rest []*mailbox.Attachment) {
	boundary := m.boundary()
	fmt.Fprintf(&m.b, "Content-Type: multipart/%s;\r\n\tboundary=\"%s\"\r\n\r\n--%s\r\n", kind, boundary, boundary)
	first()
	for _, a := range rest {
		fmt.Fprintf(&m.b, "\r\n--%s\r\n", boundary)
		m.attachment(a)
	}
	fmt.Fprintf(&m.b, "\r\n--%s--\r\n", boundary)
}

func (m *maker) body(c *mailbox.Content) {
	if !c.HTML {
		m.textPart("text/plain", c.Body)
		return
	}
	boundary := m.boundary()
	fmt.Fprintf(&m.b, "Content-Type: multipart/alternative;\r\n\tboundary=\"%s\"\r\n\r\n--%s\r\n", boundary, boundary)
	m.textPart("text/plain", htmltext.Text(c.Body))
	fmt.Fprintf(&m.b, "\r\n--%s\r\n", boundary)
	m.textPart("text/html", c.Body)
	fmt.Fprintf(&m.b, "\r\n--%s--\r\n", boundary)
}

func (m *maker) textPart(kind, s string) {
	fmt.Fprintf(&m.b, "Content-Type: %s; charset=\"utf-8\"\r\n", kind)
	if len(s) < 900 && ascii(s) {
		fmt.Fprintf(&m.b, "Content-Transfer-Encoding: 7bit\r\n\r\n%s\r\n", crlf(s))
		return
	}
	m.b.WriteString("Content-Transfer-Encoding: quoted-printable\r\n\r\n")
	w := quotedprintable.NewWriter(&m.b)
	_, _ = w.Write([]byte(crlf(s))) // a bytes.Buffer does not fail
	_ = w.Close()
	m.b.WriteString("\r\n")
}

func ascii(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || (c < ' ' && c != '\r' && c != '\n' && c != '\t') {
			return false
		}
	}
	return true
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

func (m *maker) attachment(a *mailbox.Attachment) {
	if a.Type == mailbox.ItemAttachment && a.Message != nil {
		fmt.Fprintf(&m.b, "Content-Type: message/rfc822\r\nContent-Disposition: attachment; creation-date=\"%s\"\r\n\r\n", a.Modified.Format(time.RFC1123Z))
		inner := &maker{o: Options{Boundary: m.o.Boundary + "i", Sent: a.Sent}}
		inner.headers(a.Message)
		inner.entity(a.Message)
		m.b.Write(inner.b.Bytes())
		return
	}
	data, kind := []byte(nil), a.ContentType
	if a.Data != nil {
		data = a.Data()
	}
	if kind == "" {
		kind = "application/octet-stream"
	}
	name := strings.ToValidUTF8(a.Name, "\uFFFD")
	contentType := mime.FormatMediaType(kind, map[string]string{"name": name})
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	disposition := "attachment"
	if a.Inline {
		disposition = "inline"
	}
	fmt.Fprintf(&m.b, "Content-Type: %s\r\nContent-Disposition: %s\r\n", contentType,
		mime.FormatMediaType(disposition, map[string]string{"filename": name, "size": fmt.Sprint(len(data))}))
	if a.ContentID != "" {
		fmt.Fprintf(&m.b, "Content-ID: <%s>\r\n", strings.NewReplacer("\r", "", "\n", "").Replace(a.ContentID))
	}
	m.b.WriteString("Content-Transfer-Encoding: base64\r\n\r\n")
	for encoded := base64.StdEncoding.EncodeToString(data); encoded != ""; {
		n := min(76, len(encoded))
		m.b.WriteString(encoded[:n])
		m.b.WriteString("\r\n")
		encoded = encoded[n:]
	}
}
