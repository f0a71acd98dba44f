package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"strings"
	"time"
	"unicode/utf8"

	gomessage "github.com/emersion/go-message"
)

// domain is the right side of the addresses and message ids that we make: .invalid is reserved (RFC 2606), so none of them
// is ever somebody's.
const domain = "teams.workfs.invalid"

// ChatEML gives a Teams message as an RFC 5322 message with a text and an HTML part, for mail programs and archives. Headers:
// From, To (the conversation), Date, Message-ID, In-Reply-To and References (replies and quotes), Subject, Importance (unless
// normal), X-Teams-Edited, X-Teams-Deleted, X-Teams-Event where they apply. Message ids and addresses are made of the ids of
// conversation and message, so that a reply rendered on another machine still finds its root. Reactions have no influence.
func ChatEML(raw []byte, o ChatOptions) ([]byte, error) {
	c, err := ParseChat(raw)
	if err != nil {
		return nil, err
	}
	return c.EML(o)
}

// EML gives the message as an RFC 5322 message, see ChatEML.
func (c *Chat) EML(o ChatOptions) ([]byte, error) {
	words, page := c.words(o, false), c.page(o)
	text := c.withFiles(words, false) + "\n"
	sum := sha256.New()
	fmt.Fprintf(sum, "%d\n%s%s", len(text), text, page)
	var h gomessage.Header
	// Header fields are prepended: this is the reverse of the order in the file. The boundary holds "=_", which cannot occur
	// in quoted-printable text, and no randomness.
	h.SetContentType("multipart/alternative", map[string]string{"boundary": "=_" + hex.EncodeToString(sum.Sum(nil)[:12])})
	h.Set("MIME-Version", "1.0")
	if c.isEvent() && c.event().kind() != "" {
		h.Set("X-Teams-Event", c.event().kind())
	}
	if t, ok := ParseTime(c.c.Deleted); ok {
		h.Set("X-Teams-Deleted", mailDate(t))
	}
	if t, ok := ParseTime(c.c.Edited); ok {
		h.Set("X-Teams-Edited", mailDate(t))
	}
	switch strings.ToLower(c.c.Importance) {
	case "high", "urgent":
		h.Set("Importance", "high")
	case "low":
		h.Set("Importance", "low")
	}
	if s := c.mailSubject(words); s != "" {
		h.Set("Subject", encodeWords(s))
	}
	if parent := c.parent(o); parent != "" {
		h.Set("References", parent)
		h.Set("In-Reply-To", parent)
	}
	h.Set("Message-ID", c.messageID(o, c.rootID(o), c.c.ID))
	if t := c.Date(); !t.IsZero() {
		h.Set("Date", mailDate(t))
	}
	name := o.ConversationName
	h.Set("To", mailbox(name, shortHash(c.conversationID(o))+"@"+domain))
	h.Set("From", c.mailFrom(o))

	var out bytes.Buffer
	out.Grow(2*(len(text)+len(page)) + 1024)
	w, err := gomessage.CreateWriter(&out, h)
	if err != nil {
		return nil, fmt.Errorf("render: message header: %w", err)
	}
	for _, part := range [...]struct{ kind, body string }{{"text/plain", text}, {"text/html", page}} {
		var h gomessage.Header
		h.Set("Content-Transfer-Encoding", "quoted-printable")
		h.SetContentType(part.kind, map[string]string{"charset": "utf-8"})
		p, err := w.CreatePart(h)
		if err == nil {
			_, err = p.Write([]byte(part.body))
		}
		if err == nil {
			err = p.Close()
		}
		if err != nil {
			return nil, fmt.Errorf("render: message part: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("render: message end: %w", err)
	}
	return out.Bytes(), nil
}

func mailDate(t time.Time) string {
	return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")
}

// mailSubject gives the post's subject, else the message's first line, else the name of what is attached.
func (c *Chat) mailSubject(words string) string {
	if s := oneLine(c.c.Subject); s != "" {
		return cutWord(s, 500)
	}
	if s := firstLine(words, 80); s != "" {
		return s
	}
	return cutWord(c.Subject(), 500)
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// messageID makes the id of a message: ids of messages are unique inside their thread alone, hence the hash.
func (c *Chat) messageID(o ChatOptions, root, id string) string {
	if root == "" {
		root = id
	}
	return "<" + localPart(id) + "." + shortHash(c.conversationID(o)+"\x00"+root+"\x00"+id) + "@" + domain + ">"
}

// parent gives the message id of what the message answers: its thread's root, or the message that it quotes in a chat.
func (c *Chat) parent(o ChatOptions) string {
	if root := c.rootID(o); root != "" {
		return c.messageID(o, "", root)
	}
	for _, a := range c.c.Attachments {
		if !strings.EqualFold(a.ContentType, "messageReference") {
			continue
		}
		var ref struct {
			ID string `json:"messageId"`
		}
		if decode([]byte(a.Content), &ref) != nil || ref.ID == "" {
			ref.ID = a.ID
		}
		if ref.ID != "" && ref.ID != c.c.ID {
			return c.messageID(o, "", ref.ID)
		}
	}
	return ""
}

// localPart makes an id fit for the left side of an address: letters, digits, dots inside, hyphens.
func localPart(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 60 {
			break
		}
	}
	if s := strings.TrimRight(b.String(), "-"); s != "" {
		return s
	}
	return "none"
}

func (c *Chat) mailFrom(o ChatOptions) string {
	i := c.c.From.first()
	if i == nil {
		if c.isEvent() {
			return mailbox("Microsoft Teams", "system@"+domain)
		}
		return mailbox("", unknown+"@"+domain)
	}
	if email := o.Members[i.ID].Email; isAddress(email) {
		return mailbox(o.name(i), email)
	}
	local := localPart(i.ID)
	if i.ID == "" {
		local = unknown
	}
	return mailbox(o.name(i), local+"@"+domain)
}

// isAddress reports whether s is an address that needs no quoting.
func isAddress(s string) bool {
	local, host, ok := strings.Cut(s, "@")
	if !ok || local == "" || host == "" || len(s) > 254 || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".-_@", c) >= 0 ||
			i < len(local) && strings.IndexByte("!#$%&'*+/=?^`{|}~", c) >= 0) {
			return false
		}
	}
	return !strings.ContainsAny(host, "@_") && !strings.HasPrefix(host, ".") && !strings.HasSuffix(host, ".")
}

// mailbox gives an address with a display name.
func mailbox(name, address string) string {
	name = cutWord(oneLine(name), 200)
	switch {
	case name == "":
		return "<" + address + ">"
	case isASCII(name) && !strings.Contains(name, "=?"):
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `" <` + address + ">"
	}
	return encodeWords(name) + " <" + address + ">"
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// encodeWords gives text for a header, as RFC 2047 encoded words unless it is ASCII that no reader would decode.
func encodeWords(s string) string {
	if isASCII(s) && !strings.Contains(s, "=?") {
		return s
	}
	const hex = "0123456789ABCDEF"
	const open, room = "=?utf-8?q?", 75 - len("=?utf-8?q?") - len("?=")
	var b strings.Builder
	b.WriteString(open)
	line := 0
	for _, r := range s {
		c := string(r)
		word := c
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '!' || r == '*') {
			word = ""
			for i := range len(c) {
				word += string([]byte{'=', hex[c[i]>>4], hex[c[i]&15]})
			}
			if r == ' ' {
				word = "_"
			}
		}
		if line+len(word) > room {
			b.WriteString("?= " + open)
			line = 0
		}
		b.WriteString(word)
		line += len(word)
	}
	b.WriteString("?=")
	return b.String()
}

// page gives the HTML part: the body as the service has it, then what else belongs to the message.
func (c *Chat) page(o ChatOptions) string {
	x := &c.c
	var b strings.Builder
	b.WriteString("<html><head><meta charset=\"utf-8\"></head><body>\n")
	if x.Body.isHTML() {
		b.WriteString(bodyText(x.Body.Content))
	} else {
		b.WriteString(escapeLines(x.Body.Content))
	}
	b.WriteByte('\n')
	paragraph := func(s string) {
		if s = escapeLines(s); s != "" {
			b.WriteString("<p>" + s + "</p>\n")
		}
	}
	if c.isEvent() {
		paragraph(c.event().words(o))
	}
	for i := range x.Attachments {
		paragraph(x.Attachments[i].inline())
	}
	for _, f := range c.Files() {
		name, url := oneLine(f.Name), linkTarget(f.URL)
		if url == "" {
			paragraph(name)
			continue
		}
		if name == "" {
			name = url
		}
		b.WriteString(`<p><a href="` + html.EscapeString(url) + `">` + html.EscapeString(name) + "</a></p>\n")
	}
	if x.Deleted != "" && strings.TrimSpace(x.Body.Content) == "" {
		paragraph("(This message was deleted.)")
	}
	b.WriteString("</body></html>\n")
	return b.String()
}

func escapeLines(s string) string {
	return strings.ReplaceAll(html.EscapeString(bodyText(s)), "\n", "<br>\n")
}
