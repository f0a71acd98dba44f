package rfc822

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/charset"

	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// Bounds on what one file may cost. What lies beyond is left out of the parsed message, never out of its MIME.
const (
	maxParsed      = 32 << 20
	maxHeaderBytes = 1 << 20
	maxFields      = 2000
	maxParts       = 500
	maxDepth       = 12
	maxAddresses   = 2000
)

// Read makes a message of MIME. It takes anything: what cannot be parsed becomes the text of a message without headers.
// Received is the date of the topmost Received field, else that of Date, else zero.
func Read(raw []byte) (c *mailbox.Content, received time.Time) {
	raw = raw[:min(len(raw), maxParsed)]
	r := &reader{parts: maxParts}
	return r.message(raw, 0)
}

type reader struct{ parts int }

func (r *reader) message(raw []byte, depth int) (*mailbox.Content, time.Time) {
	fields, body := splitHeader(raw)
	c := &mailbox.Content{Headers: fields}
	var h message.Header
	for _, f := range slices.Backward(fields) { // Add puts in front
		h.Add(f.Name, f.Value)
	}
	get := func(name string) string { return decodeWords(first(fields, name)) }
	c.Subject = get("Subject")
	c.MessageID = first(fields, "Message-ID")
	if c.MessageID == "" {
		sum := sha256.Sum256(raw)
		c.MessageID = fmt.Sprintf("<%X@imported.invalid>", sum[:16])
	}
	c.From, c.Sender = one(fields, "From"), one(fields, "Sender")
	if c.Sender == nil {
		c.Sender = c.From
	}
	c.To, c.Cc, c.Bcc, c.ReplyTo = many(fields, "To"), many(fields, "Cc"), many(fields, "Bcc"), many(fields, "Reply-To")
	switch strings.ToLower(first(fields, "Importance")) {
	case "high", "low":
		c.Importance = strings.ToLower(first(fields, "Importance"))
	}
	thread := c.MessageID
	if ids := strings.Fields(first(fields, "References") + " " + first(fields, "In-Reply-To")); len(ids) > 0 {
		thread = ids[0]
	}
	sum := sha256.Sum256([]byte(thread))
	c.ConversationID, c.ConversationIndex = "AAQk"+base64.URLEncoding.EncodeToString(sum[:]), append([]byte{1}, sum[:21]...)
	c.Size = len(raw) + 2000
	r.entity(c, h, body, depth, true)
	return c, date(fields)
}

// entity puts one part, and all below it, into the message. lead tells whether it may still be the body.
func (r *reader) entity(c *mailbox.Content, h message.Header, body []byte, depth int, lead bool) {
	if r.parts--; r.parts < 0 || depth > maxDepth {
		return
	}
	kind, params, err := h.ContentType()
	if err != nil || kind == "" {
		kind = "text/plain"
	}
	kind = strings.ToLower(kind)
	disposition, dispositionParams, err := h.ContentDisposition()
	if err != nil {
		disposition, _, _ = strings.Cut(h.Get("Content-Disposition"), ";")
	}
	if strings.HasPrefix(kind, "multipart/") && params["boundary"] != "" {
		r.multipart(c, h, body, depth, lead)
		return
	}
	name := decodeWords(dispositionParams["filename"])
	if name == "" {
		name = decodeWords(params["name"])
	}
	decoded := decode(h, body)
	attached := strings.EqualFold(strings.TrimSpace(disposition), "attachment")
	switch {
	case kind == "text/html" && !attached && lead && !c.HTML:
		c.HTML, c.Body = true, string(decoded)
		return
	case kind == "text/plain" && !attached && name == "" && lead && c.Body == "":
		c.Body = string(decoded)
		return
	case strings.HasPrefix(kind, "text/plain") && !attached && name == "" && c.HTML && lead:
		return // the plain alternative of a body that is there already
	}
	id := strings.Trim(strings.TrimSpace(h.Get("Content-Id")), "<>")
	a := &mailbox.Attachment{Type: mailbox.FileAttachment, Name: name, ContentType: kind, ContentID: id,
		Inline: !attached && (id != "" || strings.EqualFold(strings.TrimSpace(disposition), "inline")),
		Length: len(decoded), Data: func() []byte { return decoded }, Modified: date(c.Headers)}
	if kind == "message/rfc822" {
		a.Message, a.Sent = r.message(decoded, depth+1)
		a.Type = mailbox.ItemAttachment
		if name == "" {
			a.Name = a.Message.Subject
		}
	}
	if a.Name == "" {
		a.Name = fmt.Sprintf("ATT%05d", len(c.Attachments)+1)
		if ext, _ := mime.ExtensionsByType(kind); len(ext) > 0 {
			a.Name += path.Ext(ext[0])
		}
	}
	c.Attachments = append(c.Attachments, a)
}

func (r *reader) multipart(c *mailbox.Content, h message.Header, body []byte, depth int, lead bool) {
	entity, err := message.New(h, bytes.NewReader(body))
	if entity == nil || (err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err)) {
		return
	}
	parts := entity.MultipartReader()
	if parts == nil {
		return
	}
	n := 0
	for r.parts > 0 {
		part, err := parts.NextPart()
		if part == nil || (err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err)) {
			break
		}
		n++
		// Part bodies come decoded, so their fields must not say that they are encoded.
		content, err := io.ReadAll(part.Body)
		inner := part.Header.Copy()
		inner.Del("Content-Transfer-Encoding")
		if kind, params, perr := inner.ContentType(); perr == nil && strings.HasPrefix(strings.ToLower(kind), "text/") && params["charset"] != "" {
			delete(params, "charset")
			inner.SetContentType(kind, params)
		}
		r.entity(c, inner, content, depth+1, lead)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && len(content) == 0 {
			break
		}
	}
	if n == 0 && lead && c.Body == "" {
		c.Body = clean(body)
	}
}

// decode undoes the transfer encoding, and the character set of text; damaged data gives what could be read.
func decode(h message.Header, body []byte) []byte {
	entity, _ := message.New(h, bytes.NewReader(body))
	out := body
	if entity != nil {
		if decoded, err := io.ReadAll(entity.Body); err == nil || len(decoded) > 0 {
			out = decoded
		}
	}
	if kind, _, err := h.ContentType(); err != nil || strings.HasPrefix(strings.ToLower(kind), "text/") {
		if !utf8.Valid(out) {
			out = []byte(clean(out))
		}
	}
	return out
}

// clean makes text of bytes that are not UTF-8: each becomes the Latin-1 character of that number.
func clean(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

// splitHeader parts fields from body. A line that is no field ends the header, except that stray ones among fields are
// passed over.
func splitHeader(raw []byte) (fields []mailbox.Header, body []byte) {
	head := raw
	body = nil
	for _, sep := range []string{"\r\n\r\n", "\n\n", "\r\r"} {
		if i := bytes.Index(head, []byte(sep)); i >= 0 {
			head, body = raw[:i], raw[i+len(sep):]
		}
	}
	if bytes.HasPrefix(raw, []byte("\r\n")) || bytes.HasPrefix(raw, []byte("\n")) {
		return nil, bytes.TrimLeft(raw, "\r\n")
	}
	s := bufio.NewScanner(bytes.NewReader(head[:min(len(head), maxHeaderBytes)]))
	s.Buffer(make([]byte, 0, 4096), maxHeaderBytes+1)
	var value []string // lines of the last field
	flush := func() {
		if n := len(fields); n > 0 {
			fields[n-1].Value = clean([]byte(strings.Join(value, " ")))
		}
		value = nil
	}
	for s.Scan() {
		line := strings.TrimRight(s.Text(), "\r")
		if len(fields) > 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) {
			value = append(value, strings.TrimSpace(line))
			continue
		}
		name, text, ok := strings.Cut(line, ":")
		name = strings.TrimRight(name, " \t")
		if !ok || !isFieldName(name) {
			continue
		}
		flush()
		if len(fields) == maxFields {
			return fields, body
		}
		fields = append(fields, mailbox.Header{Name: name})
		value = append(value, strings.TrimSpace(text))
	}
	flush()
	if len(fields) == 0 {
		return nil, raw
	}
	return fields, body
}

func isFieldName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

func first(fields []mailbox.Header, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

var words = mime.WordDecoder{CharsetReader: func(name string, r io.Reader) (io.Reader, error) {
	decoded, err := charset.Reader(name, r)
	if err != nil {
		return r, nil // as it is, repaired below
	}
	return decoded, nil
}}

func decodeWords(s string) string {
	decoded, err := words.DecodeHeader(s)
	if err != nil {
		decoded = s
	}
	return clean([]byte(decoded))
}

func many(fields []mailbox.Header, name string) []mailbox.Address {
	var all []mailbox.Address
	for _, f := range fields {
		if !strings.EqualFold(f.Name, name) || f.Value == "" {
			continue
		}
		parser := mail.AddressParser{WordDecoder: &words}
		if list, err := parser.ParseList(f.Value); err == nil {
			for _, a := range list {
				all = append(all, mailbox.Address{Name: clean([]byte(a.Name)), Address: a.Address})
			}
			continue
		}
		for _, part := range strings.Split(f.Value, ",") {
			all = append(all, guess(part))
		}
	}
	return all[:min(len(all), maxAddresses)]
}

func one(fields []mailbox.Header, name string) *mailbox.Address {
	if all := many(fields, name); len(all) > 0 {
		return &all[0]
	}
	return nil
}

var angled = regexp.MustCompile(`<([^<>]*)>`)

// guess reads an address that is not one by RFC 5322.
func guess(s string) mailbox.Address {
	s = strings.TrimSpace(s)
	if m := angled.FindStringSubmatchIndex(s); m != nil {
		return mailbox.Address{Name: decodeWords(strings.Trim(strings.TrimSpace(s[:m[0]]), `"`)), Address: s[m[2]:m[3]]}
	}
	if strings.Contains(s, "@") && !strings.ContainsAny(s, " \t") {
		return mailbox.Address{Address: s}
	}
	return mailbox.Address{Name: decodeWords(strings.Trim(s, `"`))}
}

var comment = regexp.MustCompile(`\([^()]*\)`)

// date finds when a message was received: by the last server that had it, else when it says it was written.
func date(fields []mailbox.Header) time.Time {
	if v := first(fields, "Received"); v != "" {
		if i := strings.LastIndexByte(v, ';'); i >= 0 {
			if t, ok := parseDate(v[i+1:]); ok {
				return t
			}
		}
	}
	t, _ := parseDate(first(fields, "Date"))
	return t
}

// sent is the Date field alone.
func sent(fields []mailbox.Header) time.Time {
	t, _ := parseDate(first(fields, "Date"))
	return t
}

// parseDate takes dates that Exchange could hold, from 1601 to 4500.
func parseDate(s string) (time.Time, bool) {
	s = strings.Join(strings.Fields(comment.ReplaceAllString(s, " ")), " ")
	t, err := mail.ParseDate(s)
	for _, layout := range []string{time.RFC3339, time.ANSIC, time.UnixDate, "Mon, 2 Jan 2006 15:04:05", "2 Jan 2006 15:04:05", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05"} {
		if err == nil {
			break
		}
		t, err = time.Parse(layout, s)
	}
	t = t.UTC().Truncate(time.Second)
	return t, err == nil && t.Year() >= 1601 && t.Year() <= 4500
}
