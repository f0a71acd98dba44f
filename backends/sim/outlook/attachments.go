package outlook

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

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
		out = append(out, v.attachment(of, mailbox.NumberOf(list, i), a, sel, false))
	}
	return out
}

func (v *view) attachment(of mailbox.Ref, number uint32, a *mailbox.Attachment, sel query.Select, withItem bool) map[string]any {
	of.Sub, of.Day = number, false
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
		p.Items = append(p.Items, v.attachment(o.ref, mailbox.NumberOf(o.list, i), a, c.selection(), withItem))
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
	i = -1
	for j := range o.list {
		if mailbox.NumberOf(o.list, j) == r.Sub {
			i = j
		}
	}
	if r.Key != o.ref.Key || r.Kind != o.ref.Kind || r.Day || i < 0 || (!r.Immutable && r.Moves != o.ref.Moves) {
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
	c.one(http.StatusOK, "messages/attachments/$entity", v.attachment(o.ref, mailbox.NumberOf(o.list, i), o.list[i], c.selection(), withItem))
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

// attachmentBody is what clients write of an attachment.
type attachmentBody struct {
	ODataType   string `json:"@odata.type"`
	Name        string `json:"name"`
	ContentType string `json:"contentType"`
	ContentID   string `json:"contentId"`
	IsInline    bool   `json:"isInline"`
	Bytes       []byte `json:"contentBytes"`
}

func (b attachmentBody) file(now time.Time) *mailbox.Attachment {
	return &mailbox.Attachment{Type: mailbox.FileAttachment, Name: b.Name, ContentType: b.ContentType, ContentID: b.ContentID,
		Inline: b.IsInline, Length: len(b.Bytes), Data: func() []byte { return b.Bytes }, Modified: now}
}

// changeAttachments lets change make another list of the attachments of the message or event that the path names.
func (c *call) changeAttachments(change func([]*mailbox.Attachment) []*mailbox.Attachment) (owner, bool) {
	if c.Param("message") == "" {
		_, ok := c.changeEvent(func(it *mailbox.Item) error {
			it.Attachments = change(it.Attachments)
			return nil
		})
		if !ok {
			return owner{}, false
		}
		c.mb.RLock()
		defer c.mb.RUnlock()
		return c.lookOwner()
	}
	m, ok := c.changeMessage(func(r mailbox.Ref) (*mailbox.Message, error) {
		return c.mb.UpdateMessage(r, func(m *mailbox.Message) error {
			content := *m.Content()
			content.Attachments = change(content.Attachments)
			m.HasAttachments = content.HasAttachments()
			m.Content = func() *mailbox.Content { return &content }
			return nil
		})
	})
	if !ok {
		return owner{}, false
	}
	c.mb.RLock()
	defer c.mb.RUnlock()
	if m.Folder == nil {
		c.itemNotFound()
		return owner{}, false
	}
	return owner{ref: m.Ref(false)}, true
}

// addAttachment serves POST …/attachments with the attachment inline.
func (s *Store) addAttachment(c *call) {
	var body attachmentBody
	if !c.ReadJSON(&body) {
		return
	}
	if !strings.HasSuffix(body.ODataType, mailbox.FileAttachment) {
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", "Only file attachments can be added.")
		return
	}
	a := body.file(c.Now())
	a.Number = firstNumber + s.attached.Add(1)
	o, ok := c.changeAttachments(func(list []*mailbox.Attachment) []*mailbox.Attachment { return append(list[:len(list):len(list)], a) })
	if ok {
		c.one(http.StatusCreated, "messages/attachments/$entity", (&view{c: c, immutable: c.Prefer.ImmutableID}).attachment(o.ref, a.Number, a, nil, false))
	}
}

// firstNumber lies above the position of any attachment that an item was made with, so that ids are not used again.
const firstNumber = 1 << 16

func (s *Store) deleteAttachment(c *call) {
	c.mb.RLock()
	o, i, ok := c.lookAttachment()
	c.mb.RUnlock()
	if !ok {
		return
	}
	number := mailbox.NumberOf(o.list, i)
	_, ok = c.changeAttachments(func(list []*mailbox.Attachment) []*mailbox.Attachment {
		for j := range list {
			if mailbox.NumberOf(list, j) == number {
				return mailbox.Without(list, j)
			}
		}
		return list
	})
	if ok {
		c.Empty(http.StatusNoContent)
	}
}
