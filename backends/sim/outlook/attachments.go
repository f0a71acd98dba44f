package outlook

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/query"
	"github.com/workfs/workfs/backends/sim/outlook/rfc822"
)

func itoa(n int) string { return strconv.Itoa(n) }

// attachments gives the resources of an item's attachments.
func (v *view) attachments(of mailbox.Ref, list []*mailbox.Attachment, sel query.Select) []any {
	out := make([]any, 0, len(list))
	for i, a := range list {
		out = append(out, v.attachment(of, i, a, sel, false))
	}
	return out
}

func (v *view) attachment(of mailbox.Ref, i int, a *mailbox.Attachment, sel query.Select, withItem bool) map[string]any {
	of.Sub, of.Day = uint32(i+1), false
	out := map[string]any{"@odata.type": "#microsoft.graph." + a.Type, "id": v.id(of)}
	put := func(name string, value any) {
		if sel.Wants(name) {
			out[name] = value
		}
	}
	put("name", a.Name)
	put("contentType", nullable(a.ContentType))
	put("size", a.StoreSize())
	put("isInline", a.Inline)
	put("lastModifiedDateTime", stamp(a.Modified))
	if a.Type == mailbox.FileAttachment {
		out["@odata.mediaContentType"] = a.ContentType
		put("contentId", nullable(a.ContentID))
		put("contentLocation", nil)
		if sel.Wants("contentBytes") {
			out["contentBytes"] = base64.StdEncoding.EncodeToString(data(a))
		}
	}
	if a.Type == mailbox.ItemAttachment && withItem {
		out["item"] = v.attachedItem(a)
	}
	return out
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func data(a *mailbox.Attachment) []byte {
	if a.Data == nil {
		return []byte{}
	}
	return a.Data()
}

// attachedItem gives the item inside an item attachment, which has no id of its own.
func (v *view) attachedItem(a *mailbox.Attachment) map[string]any {
	switch {
	case a.Message != nil:
		m := &mailbox.Message{Received: a.Sent, Sent: a.Sent, Created: a.Sent, Modified: a.Modified, IsRead: true,
			HasAttachments: a.Message.HasAttachments(), Folder: v.c.mb.Root, Content: func() *mailbox.Content { return a.Message }}
		plain := *v
		plain.sel, plain.attach, plain.typed = nil, nil, true
		out := plain.message(m)
		out["id"] = ""
		for _, name := range []string{"@odata.etag", "parentFolderId", "changeKey", "webLink"} {
			delete(out, name)
		}
		return out
	case a.Event != nil:
		return withType(a.Event, "#microsoft.graph.event")
	case a.Contact != nil:
		return withType(a.Contact, "#microsoft.graph.contact")
	}
	return nil
}

func withType(props map[string]any, odataType string) map[string]any {
	out := map[string]any{"@odata.type": odataType, "id": ""}
	for k, v := range props {
		out[k] = v
	}
	return out
}

// tooHuge answers for a set of attachments whose bytes cannot be listed in time, as the service does: 504 with nothing.
func (c *call) tooHuge(v *view, content *mailbox.Content) bool {
	sel := c.selection()
	if v.attach != nil {
		sel = query.ParseSelect(v.attach.Options["$select"])
	}
	if !content.HugeAttachments || !sel.Wants("contentBytes") {
		return false
	}
	c.Empty(http.StatusGatewayTimeout)
	return true
}

// owner is what attachments hang on: a message or an event.
type owner struct {
	ref  mailbox.Ref
	list []*mailbox.Attachment
	huge *mailbox.Content
}

// lookOwner finds the message or event that the path names. Needs RLock.
func (c *call) lookOwner() (owner, bool) {
	if c.Param("message") != "" {
		m := c.lookMessage()
		if m == nil {
			return owner{}, false
		}
		content := m.Content()
		return owner{m.Ref(false), content.Attachments, content}, true
	}
	e := c.lookEvent()
	if e == nil {
		return owner{}, false
	}
	return owner{e.Ref(false), e.Attachments, nil}, true
}

// expandsItem tells whether $expand asks for the items inside item attachments; lists take it as well as single attachments.
func expandsItem(expand string) bool {
	return strings.HasPrefix(strings.ToLower(expand), "microsoft.graph.itemattachment/item")
}

func (s *Store) listAttachments(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	o, ok := c.lookOwner()
	if !ok {
		return
	}
	v, ok := c.newView()
	if !ok || (o.huge != nil && c.tooHuge(v, o.huge)) {
		return
	}
	withItem := expandsItem(c.Query.Expand)
	p := graph.Page{Items: make([]any, 0, len(o.list))}
	for i, a := range o.list {
		p.Items = append(p.Items, v.attachment(o.ref, i, a, c.selection(), withItem))
	}
	if n := len(o.list); c.Query.Count {
		p.Count = &n
	}
	c.WritePage(p)
}

// lookAttachment finds the attachment that the path names. Needs RLock.
func (c *call) lookAttachment() (o owner, i int, ok bool) {
	if o, ok = c.lookOwner(); !ok {
		return o, 0, false
	}
	r, valid := c.mb.Ref(c.Param("attachment"))
	if !valid {
		c.malformed()
		return o, 0, false
	}
	i = int(r.Sub) - 1
	if r.Key != o.ref.Key || r.Kind != o.ref.Kind || r.Day || i < 0 || i >= len(o.list) || o.list[i] == nil ||
		(!r.Immutable && r.Moves != o.ref.Moves) {
		c.itemNotFound()
		return o, 0, false
	}
	return o, i, true
}

func (s *Store) getAttachment(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	o, i, ok := c.lookAttachment()
	if !ok {
		return
	}
	v, ok := c.newView()
	if !ok {
		return
	}
	withItem := expandsItem(c.Query.Expand)
	c.one(http.StatusOK, "messages/attachments/$entity", v.attachment(o.ref, i, o.list[i], c.selection(), withItem))
}

func (s *Store) attachmentValue(c *call) {
	c.mb.RLock()
	o, i, ok := c.lookAttachment()
	c.mb.RUnlock()
	if !ok {
		return
	}
	switch a := o.list[i]; {
	case a.Type == mailbox.ReferenceAttachment:
		c.Error(http.StatusMethodNotAllowed, "ErrorInvalidOperation", "The OData request is not supported: $value is not available for reference attachments.")
	case a.Type == mailbox.FileAttachment:
		kind := a.ContentType
		if kind == "" {
			kind = "application/octet-stream"
		}
		c.Bytes(http.StatusOK, strings.NewReplacer("\r", "", "\n", "").Replace(kind), data(a))
	case a.Message != nil:
		c.Bytes(http.StatusOK, "text/plain", rfc822.Make(a.Message, rfc822.Options{Boundary: s.boundary(o.ref), Sent: a.Sent}))
	case a.Event != nil:
		c.Bytes(http.StatusOK, "text/calendar", attachedICS(a))
	default:
		c.Bytes(http.StatusOK, "text/vcard", attachedVCF(a))
	}
}

// attachedICS and attachedVCF give the little that the simulator's own attached events and contacts need.
func attachedICS(a *mailbox.Attachment) []byte {
	return []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:Microsoft Exchange Server 2010\r\nMETHOD:PUBLISH\r\nBEGIN:VEVENT\r\nUID:" + oneLine(a.Name) +
		"\r\nDTSTAMP:" + a.Modified.UTC().Format("20060102T150405Z") + "\r\nDTSTART:" + a.Sent.UTC().Format("20060102T150405Z") +
		"\r\nSUMMARY:" + oneLine(text(a.Event["subject"])) + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
}

func attachedVCF(a *mailbox.Attachment) []byte {
	return []byte("BEGIN:VCARD\r\nVERSION:3.0\r\nPROFILE:VCARD\r\nN:" + oneLine(text(a.Contact["displayName"])) +
		"\r\nFN:" + oneLine(text(a.Contact["displayName"])) + "\r\nEND:VCARD\r\n")
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
}

// addAttachment serves POST …/attachments with the attachment inline.
func (s *Store) addAttachment(c *call) {
	var body struct {
		ODataType   string `json:"@odata.type"`
		Name        string `json:"name"`
		ContentType string `json:"contentType"`
		ContentID   string `json:"contentId"`
		IsInline    bool   `json:"isInline"`
		Bytes       []byte `json:"contentBytes"`
	}
	if !c.ReadJSON(&body) {
		return
	}
	if !strings.HasSuffix(body.ODataType, mailbox.FileAttachment) {
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", "Only file attachments can be added.")
		return
	}
	a := &mailbox.Attachment{Type: mailbox.FileAttachment, Name: body.Name, ContentType: body.ContentType, ContentID: body.ContentID,
		Inline: body.IsInline, Length: len(body.Bytes), Data: func() []byte { return body.Bytes }, Modified: c.Now()}
	c.mb.RLock()
	o, ok := c.lookOwner()
	c.mb.RUnlock()
	if !ok {
		return
	}
	at := 0
	var err error
	if o.ref.Kind == mailbox.KindMessage {
		_, err = c.mb.UpdateMessage(o.ref, func(m *mailbox.Message) error {
			content := *m.Content()
			at = len(content.Attachments)
			content.Attachments = append(content.Attachments[:at:at], a)
			m.HasAttachments = content.HasAttachments()
			m.Content = func() *mailbox.Content { return &content }
			return nil
		})
	} else {
		_, err = c.mb.UpdateItem(o.ref, func(it *mailbox.Item) error {
			at = len(it.Attachments)
			it.Attachments = append(it.Attachments[:at:at], a)
			return nil
		})
	}
	if c.refused(err) {
		return
	}
	c.one(http.StatusCreated, "messages/attachments/$entity", (&view{c: c, immutable: c.Prefer.ImmutableID}).attachment(o.ref, at, a, nil, false))
}
