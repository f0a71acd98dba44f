package outlook

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/outlook/htmltext"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/query"
)

// view is how a request wants items to be shown.
type view struct {
	c         *call
	sel       query.Select
	immutable bool
	text      bool // bodies as plain text
	unsafe    bool // HTML bodies as they are
	basic     bool // without bodies and attachments: the caller has Mail.ReadBasic only
	typed     bool // @odata.type on every message, as delta gives it
	extended  []string
	attach    *query.Expand
	zone      *time.Location // of event times; nil is UTC
	zoneName  string
}

// newView reads the options of the request. ok is false when they were refused and the answer is written.
func (c *call) newView() (v *view, ok bool) {
	v = &view{c: c, sel: c.selection(), immutable: c.Prefer.ImmutableID}
	if body := c.Prefer.BodyType; body != "" {
		v.text = body == "text"
		c.Apply(fmt.Sprintf("outlook.body-content-type=%q", body))
	}
	if v.unsafe = c.Prefer.UnsafeHTML; v.unsafe {
		c.Apply("outlook.allow-unsafe-html")
	}
	v.basic = !c.Caller.Has("Mail.Read", "Mail.Read.Shared", "Mail.Read.All")
	expands, err := query.ParseExpand(c.Query.Expand)
	if err != nil {
		c.badQuery(err)
		return nil, false
	}
	for _, e := range expands {
		switch strings.ToLower(e.Name) {
		case "singlevalueextendedproperties":
			if v.extended, err = e.ExtendedIDs(); err != nil {
				c.badQuery(err)
				return nil, false
			}
		case "attachments":
			v.attach = &e
		case "childfolders", "event", "exceptionoccurrences", "instances", "calendar", "calendars", "contacts", "messages",
			"extensions", "multivalueextendedproperties", "microsoft.graph.itemattachment/item", "microsoft.graph.eventmessage/event":
		default:
			c.Error(http.StatusBadRequest, "RequestBroker--ParseUri", fmt.Sprintf("Could not find a property named '%s' on type 'microsoft.graph'.", e.Name))
			return nil, false
		}
	}
	return v, true
}

func (v *view) id(r mailbox.Ref) string {
	r.Immutable = v.immutable && (r.Kind == mailbox.KindMessage || r.Kind == mailbox.KindEvent || r.Kind == mailbox.KindContact)
	return v.c.mb.ID(r)
}

func changeKey(key uint64, rev uint32) string {
	var b [28]byte
	copy(b[:], "\x09\x00\x00\x00\x16\x00\x00\x00")
	binary.BigEndian.PutUint64(b[8:], key*0x9E3779B97F4A7C15)
	binary.BigEndian.PutUint64(b[16:], key)
	binary.BigEndian.PutUint32(b[24:], rev)
	return base64.StdEncoding.EncodeToString(b[:])
}

func etag(changeKey string) string { return `W/"` + changeKey + `"` }

func recipient(a mailbox.Address) map[string]any {
	email := map[string]any{}
	if a.Name != "" {
		email["name"] = a.Name
	}
	if a.Address != "" {
		email["address"] = a.Address
	}
	return map[string]any{"emailAddress": email}
}

func recipients(list []mailbox.Address) []any {
	out := make([]any, 0, len(list))
	for _, a := range list {
		out = append(out, recipient(a))
	}
	return out
}

// body gives an itemBody in the type that the client wants.
func (v *view) body(html bool, content string) map[string]any {
	switch {
	case v.text && html:
		return map[string]any{"contentType": "text", "content": htmltext.Text(content)}
	case v.text:
		return map[string]any{"contentType": "text", "content": content}
	case html && !v.unsafe:
		content = htmltext.Sanitise(content)
	case !html && v.c.Prefer.BodyType == "html":
		content, html = htmltext.FromText(content), true
	}
	kind := "text"
	if html {
		kind = "html"
	}
	return map[string]any{"contentType": kind, "content": content}
}

func zoned(t time.Time) map[string]any {
	return map[string]any{"dateTime": t.UTC().Format("2006-01-02T15:04:05.0000000"), "timeZone": "UTC"}
}

// indexed are the properties that a message has without its content, which costs more to make than all of them.
var indexed = []string{"id", "changekey", "categories", "createddatetime", "lastmodifieddatetime", "receiveddatetime", "sentdatetime",
	"hasattachments", "parentfolderid", "isread", "isdraft", "weblink", "flag"}

// fromIndex tells whether the message can be shown without its content.
func (v *view) fromIndex(m *mailbox.Message) bool {
	return v.sel != nil && !m.IsMeeting && len(v.extended) == 0 && v.attach == nil &&
		!slices.ContainsFunc(v.sel, func(p string) bool { return !slices.Contains(indexed, p) })
}

// message gives the resource. Needs RLock.
func (v *view) message(m *mailbox.Message) map[string]any {
	c := &mailbox.Content{}
	if !v.fromIndex(m) {
		c = m.Content()
	}
	ck := changeKey(m.Key, m.Rev)
	id := v.id(m.Ref(false))
	out := make(map[string]any, 36)
	out["@odata.etag"], out["id"] = etag(ck), id
	if c.Meeting != nil {
		out["@odata.type"] = meetingType(c.Meeting)
	} else if v.typed {
		out["@odata.type"] = "#microsoft.graph.message"
	}
	put := func(name string, value func() any) {
		if v.sel.Wants(name) {
			out[name] = value()
		}
	}
	str := func(name, value string) { put(name, func() any { return value }) }
	str("changeKey", ck)
	put("categories", func() any { return append([]string{}, m.Categories...) })
	str("createdDateTime", stamp(m.Created))
	str("lastModifiedDateTime", stamp(m.Modified))
	str("receivedDateTime", stamp(m.Received))
	if !m.Sent.IsZero() {
		str("sentDateTime", stamp(m.Sent))
	}
	put("hasAttachments", func() any { return m.HasAttachments })
	str("subject", c.Subject)
	if !v.basic {
		put("bodyPreview", func() any { return preview(c) })
		put("body", func() any { return v.body(c.HTML, c.Body) })
		if v.sel.Asks("uniqueBody") {
			out["uniqueBody"] = v.body(c.HTML, c.Body)
		}
	}
	importance := c.Importance
	if importance == "" {
		importance = "normal"
	}
	str("importance", importance)
	str("parentFolderId", v.id(m.Folder.Ref()))
	if c.Sender != nil {
		put("sender", func() any { return recipient(*c.Sender) })
	}
	if c.From != nil {
		put("from", func() any { return recipient(*c.From) })
	}
	for name, list := range map[string][]mailbox.Address{"toRecipients": c.To, "ccRecipients": c.Cc, "bccRecipients": c.Bcc, "replyTo": c.ReplyTo} {
		put(name, func() any { return recipients(list) })
	}
	str("conversationId", c.ConversationID)
	put("conversationIndex", func() any { return nullable(base64.StdEncoding.EncodeToString(c.ConversationIndex)) })
	str("internetMessageId", c.MessageID)
	put("isDeliveryReceiptRequested", func() any { return false })
	put("isReadReceiptRequested", func() any { return c.ReadReceipt })
	put("isRead", func() any { return m.IsRead })
	put("isDraft", func() any { return m.IsDraft })
	put("webLink", func() any {
		return "https://outlook.office365.com/owa/?ItemID=" + url.QueryEscape(id) + "&exvsurl=1&viewmodel=ReadMessageItem"
	})
	put("inferenceClassification", func() any {
		if c.Other {
			return "other"
		}
		return "focused"
	})
	put("flag", func() any { return flag(m.Flag) })
	if v.sel.Asks("internetMessageHeaders") && len(c.Headers) > 0 {
		headers := []any{}
		for _, h := range c.Headers {
			headers = append(headers, map[string]any{"name": h.Name, "value": h.Value})
		}
		out["internetMessageHeaders"] = headers
	}
	if c.Meeting != nil {
		v.meeting(out, put, c.Meeting)
	}
	if props := v.extendedValues(m, c); len(props) > 0 {
		out["singleValueExtendedProperties"] = props
	}
	if v.attach != nil && !v.basic {
		out["attachments"] = v.attachments(m.Ref(false), c.Attachments, query.ParseSelect(v.attach.Options["$select"]))
	}
	return out
}

func preview(c *mailbox.Content) string {
	if c.HTML {
		return htmltext.PreviewHTML(c.Body)
	}
	return htmltext.Preview(c.Body)
}

func flag(f *mailbox.Flag) map[string]any {
	if f == nil || f.Status == "" {
		return map[string]any{"flagStatus": "notFlagged"}
	}
	out := map[string]any{"flagStatus": f.Status}
	for name, t := range map[string]time.Time{"startDateTime": f.Start, "dueDateTime": f.Due, "completedDateTime": f.Completed} {
		if !t.IsZero() {
			out[name] = zoned(t)
		}
	}
	return out
}

func meetingType(m *mailbox.Meeting) string {
	switch m.Type {
	case "meetingRequest":
		return "#microsoft.graph.eventMessageRequest"
	case "meetingCancelled":
		return "#microsoft.graph.eventMessage"
	}
	return "#microsoft.graph.eventMessageResponse"
}

func (v *view) meeting(out map[string]any, put func(string, func() any), m *mailbox.Meeting) {
	put("meetingMessageType", func() any { return m.Type })
	put("startDateTime", func() any { return zoned(m.Start) })
	put("endDateTime", func() any { return zoned(m.End) })
	put("isOutOfDate", func() any { return m.OutOfDate })
	put("isAllDay", func() any { return m.AllDay })
	put("isDelegated", func() any { return false })
	put("type", func() any { return "singleInstance" })
	put("recurrence", func() any { return nil })
	put("location", func() any { return location(m.Location) })
	switch m.Type {
	case "meetingRequest":
		put("responseRequested", func() any { return true })
		put("allowNewTimeProposals", func() any { return true })
		put("meetingRequestType", func() any { return "newMeetingRequest" })
		put("previousLocation", func() any { return nil })
		put("previousStartDateTime", func() any { return nil })
		put("previousEndDateTime", func() any { return nil })
	case "meetingCancelled":
	default:
		put("responseType", func() any { return m.ResponseType })
		put("proposedNewTime", func() any { return nil })
	}
}

func location(name string) map[string]any {
	return map[string]any{"displayName": name, "locationType": "default", "uniqueId": name, "uniqueIdType": "private"}
}

// extendedValues gives the extended properties that were asked for and are known; values are strings, ids come back in the
// store's own spelling.
func (v *view) extendedValues(m *mailbox.Message, c *mailbox.Content) []any {
	var out []any
	for _, asked := range v.extended {
		kind, tag, _ := strings.Cut(asked, " ")
		tag = strings.TrimLeft(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(tag)), "0x"), "0")
		value := ""
		switch strings.ToLower(kind) + " " + tag {
		case "integer e08", "long e08":
			value = fmt.Sprint(c.StoreSize())
		case "integer e07":
			value = fmt.Sprint(messageFlags(m))
		case "string 7d":
			value = headerText(c.Headers)
		case "systemtime 3008":
			value = stamp(m.Modified)
		case "systemtime 3007":
			value = stamp(m.Created)
		case "systemtime e06":
			value = stamp(m.Received)
		case "string 37":
			value = c.Subject
		case "string 1035":
			value = c.MessageID
		}
		if value != "" {
			out = append(out, map[string]any{"id": kind + " 0x" + tag, "value": value})
		}
	}
	return out
}

// messageFlags is PidTagMessageFlags (MS-OXCMSG): read 1, unsent 8, has attachments 16.
func messageFlags(m *mailbox.Message) int {
	flags := 0
	for bit, set := range map[int]bool{1: m.IsRead, 8: m.IsDraft, 16: m.HasAttachments} {
		if set {
			flags |= bit
		}
	}
	return flags
}

func headerText(headers []mailbox.Header) string {
	var b strings.Builder
	for _, h := range headers {
		b.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	return b.String()
}
