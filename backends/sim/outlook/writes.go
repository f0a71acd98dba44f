package outlook

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/query"
	"github.com/workfs/workfs/backends/sim/outlook/rfc822"
)

type recipientBody struct {
	EmailAddress struct {
		Name    string `json:"name"`
		Address string `json:"address"`
	} `json:"emailAddress"`
}

type itemBody struct {
	ContentType string `json:"contentType"`
	Content     string `json:"content"`
}

type dateTimeZone struct {
	DateTime string `json:"dateTime"`
	TimeZone string `json:"timeZone"`
}

// messageBody is what clients write of a message; nil leaves a property as it is.
type messageBody struct {
	Subject    *string                        `json:"subject"`
	Body       *itemBody                      `json:"body"`
	From       *recipientBody                 `json:"from"`
	Sender     *recipientBody                 `json:"sender"`
	To         *[]recipientBody               `json:"toRecipients"`
	Cc         *[]recipientBody               `json:"ccRecipients"`
	Bcc        *[]recipientBody               `json:"bccRecipients"`
	ReplyTo    *[]recipientBody               `json:"replyTo"`
	Importance *string                        `json:"importance"`
	IsRead     *bool                          `json:"isRead"`
	Categories *[]string                      `json:"categories"`
	Inference  *string                        `json:"inferenceClassification"`
	Headers    []struct{ Name, Value string } `json:"internetMessageHeaders"`
	Flag       *struct {
		Status    string        `json:"flagStatus"`
		Start     *dateTimeZone `json:"startDateTime"`
		Due       *dateTimeZone `json:"dueDateTime"`
		Completed *dateTimeZone `json:"completedDateTime"`
	} `json:"flag"`
	MessageID   *string          `json:"internetMessageId"`
	Attachments []attachmentBody `json:"attachments"`
}

func (r recipientBody) address() mailbox.Address {
	return mailbox.Address{Name: r.EmailAddress.Name, Address: r.EmailAddress.Address}
}

func addressList(from *[]recipientBody, to *[]mailbox.Address) {
	if from == nil {
		return
	}
	*to = nil
	for _, r := range *from {
		*to = append(*to, r.address())
	}
}

// apply writes what a client may write to a message. Only drafts can change in subject, body and recipients.
func (b *messageBody) apply(m *mailbox.Message, now time.Time) error {
	if b.IsRead != nil {
		m.IsRead = *b.IsRead
	}
	if b.Categories != nil {
		m.Categories = *b.Categories
	}
	if f := b.Flag; f != nil {
		m.Flag = nil
		if f.Status != "notFlagged" && f.Status != "" {
			m.Flag = &mailbox.Flag{Status: f.Status}
			for from, to := range map[*dateTimeZone]*time.Time{f.Start: &m.Flag.Start, f.Due: &m.Flag.Due, f.Completed: &m.Flag.Completed} {
				if from != nil {
					if t, err := query.ParseTime(strings.TrimSuffix(from.DateTime, "Z")); err == nil {
						*to = t
					}
				}
			}
			if f.Status == "complete" && m.Flag.Completed.IsZero() {
				m.Flag.Completed = now
			}
		}
	}
	content := *m.Content()
	if b.Importance != nil {
		content.Importance = *b.Importance
	}
	if b.Inference != nil {
		content.Other = *b.Inference == "other"
	}
	if !m.IsDraft && (b.Subject != nil || b.Body != nil || b.To != nil || b.Cc != nil || b.Bcc != nil || b.From != nil) {
		return fmt.Errorf("the property can be changed only while isDraft is true")
	}
	if b.Subject != nil {
		content.Subject = *b.Subject
	}
	if b.Body != nil {
		content.Body, content.HTML = b.Body.Content, strings.EqualFold(b.Body.ContentType, "html")
	}
	addressList(b.To, &content.To)
	addressList(b.Cc, &content.Cc)
	addressList(b.Bcc, &content.Bcc)
	addressList(b.ReplyTo, &content.ReplyTo)
	if b.From != nil {
		a := b.From.address()
		content.From, content.Sender = &a, &a
	}
	if b.Sender != nil {
		a := b.Sender.address()
		content.Sender = &a
	}
	if b.MessageID != nil {
		content.MessageID = *b.MessageID
	}
	for _, h := range b.Headers {
		content.Headers = append(content.Headers, mailbox.Header{Name: h.Name, Value: h.Value})
	}
	for _, a := range b.Attachments {
		if strings.HasSuffix(a.ODataType, mailbox.FileAttachment) {
			content.Attachments = append(content.Attachments, a.file(now))
		}
	}
	m.HasAttachments = content.HasAttachments()
	m.Content = func() *mailbox.Content { return &content }
	return nil
}

// newDraft makes a draft of a request's body, which is JSON, or base64 MIME as text/plain.
func (c *call) newDraft() (*mailbox.Message, bool) {
	now := c.Now().Truncate(time.Second)
	m := &mailbox.Message{IsDraft: true, IsRead: true, Received: now, Created: now, Modified: now}
	if strings.HasPrefix(c.Request.Header.Get("Content-Type"), "text/plain") {
		encoded, err := io.ReadAll(io.LimitReader(c.Request.Body, 4<<20))
		raw, err2 := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(encoded)), ""))
		if err != nil || err2 != nil {
			c.Error(http.StatusBadRequest, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.")
			return nil, false
		}
		content, _ := rfc822.Read(raw)
		m.HasAttachments = content.HasAttachments()
		m.Content = func() *mailbox.Content { return content }
		return m, true
	}
	var body messageBody
	if !c.ReadJSON(&body) {
		return nil, false
	}
	return c.draftOf(m, &body)
}

func (c *call) draftOf(m *mailbox.Message, body *messageBody) (*mailbox.Message, bool) {
	empty := &mailbox.Content{MessageID: c.s.messageID(), ConversationID: c.s.conversationID("draft " + itoa(int(c.s.mimeCalls.Add(1))))}
	m.Content = func() *mailbox.Content { return empty }
	if err := body.apply(m, c.Now()); err != nil {
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", err.Error())
		return nil, false
	}
	return m, true
}

func (s *Store) messageID() string {
	sum := s.w.Sum(fmt.Sprintf("message id %d %d", s.mimeCalls.Add(1), s.w.Clock.Now().UnixNano()))
	return fmt.Sprintf("<%X@%s>", sum[:16], s.c.Domain)
}

// conversationID gives the conversation of a purpose, in the form of Exchange's: 22 bytes of base64 behind a fixed head.
func (s *Store) conversationID(purpose string) string {
	sum := s.w.Sum("conversation " + purpose)
	return "AAQk" + base64.URLEncoding.EncodeToString(sum[:])
}

func (s *Store) createMessage(c *call) {
	m, ok := c.newDraft()
	if !ok {
		return
	}
	c.mb.RLock()
	f := c.mb.Folder("drafts")
	if c.Param("folder") != "" {
		f = c.lookFolder()
	}
	c.mb.RUnlock()
	if f == nil {
		return
	}
	if f.Search != nil {
		c.refused(mailbox.ErrRefused)
		return
	}
	if _, err := c.mb.AddMessage(f, m); !c.refused(err) {
		c.showMessage(http.StatusCreated, m)
	}
}

// showMessage answers with a message that has just changed.
func (c *call) showMessage(status int, m *mailbox.Message) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	if m.Folder == nil {
		c.itemNotFound()
		return
	}
	c.one(status, "messages/$entity", (&view{c: c, immutable: c.Prefer.ImmutableID, text: c.Prefer.BodyType == "text"}).message(m))
}

// matches holds the request's If-Match against the tag of the item it would change; else it answers.
func (c *call) matches(tag string) bool {
	if want := c.Request.Header.Get("If-Match"); want != "" && want != "*" && want != tag {
		c.Error(http.StatusPreconditionFailed, "ErrorIrresolvableConflict", "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.")
		return false
	}
	return true
}

// changeMessage runs a mutation on the message that the path names.
func (c *call) changeMessage(change func(r mailbox.Ref) (*mailbox.Message, error)) (*mailbox.Message, bool) {
	c.mb.RLock()
	m := c.lookMessage()
	var r mailbox.Ref
	tag := ""
	if m != nil {
		r, tag = m.Ref(false), etag(changeKey(m.Key, m.Rev))
	}
	c.mb.RUnlock()
	if m == nil {
		return nil, false
	}
	if !c.matches(tag) {
		return nil, false
	}
	m, err := change(r)
	return m, !c.refused(err)
}

func (s *Store) patchMessage(c *call) {
	var body messageBody
	if !c.ReadJSON(&body) {
		return
	}
	m, ok := c.changeMessage(func(r mailbox.Ref) (*mailbox.Message, error) {
		return c.mb.UpdateMessage(r, func(m *mailbox.Message) error { return body.apply(m, c.Now()) })
	})
	if ok {
		c.showMessage(http.StatusOK, m)
	}
}

func (s *Store) deleteMessage(c *call) {
	forever := strings.HasSuffix(strings.ToLower(c.Request.URL.Path), "/permanentdelete")
	if _, ok := c.changeMessage(func(r mailbox.Ref) (*mailbox.Message, error) { return nil, c.mb.DeleteMessage(r, forever) }); ok {
		c.Empty(http.StatusNoContent)
	}
}

// transferMessage serves move and copy.
func (s *Store) transferMessage(c *call) {
	var body struct {
		DestinationID string `json:"destinationId"`
	}
	if !c.ReadJSON(&body) {
		return
	}
	c.mb.RLock()
	to := c.mb.Folder(body.DestinationID)
	c.mb.RUnlock()
	if to == nil {
		c.unknownID(body.DestinationID)
		return
	}
	m, ok := c.changeMessage(func(r mailbox.Ref) (*mailbox.Message, error) {
		if strings.HasSuffix(strings.ToLower(c.Request.URL.Path), "/copy") {
			return c.mb.CopyMessage(r, to)
		}
		return c.mb.MoveMessage(r, to)
	})
	if ok {
		c.showMessage(http.StatusCreated, m)
	}
}

// translateIDs serves translateExchangeIds between the two forms of REST ids.
func (s *Store) translateIDs(c *call) {
	var body struct {
		InputIDs []string `json:"inputIds"`
		Source   string   `json:"sourceIdType"`
		Target   string   `json:"targetIdType"`
	}
	if !c.ReadJSON(&body) {
		return
	}
	known := func(kind string) bool { return kind == "restId" || kind == "restImmutableEntryId" }
	if !known(body.Source) || !known(body.Target) || len(body.InputIDs) > 1000 {
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", "The id types must be restId or restImmutableEntryId, and the ids no more than 1000.")
		return
	}
	c.mb.RLock()
	defer c.mb.RUnlock()
	out := []any{}
	for _, id := range body.InputIDs {
		entry := map[string]any{"sourceId": id}
		r, ok := c.mb.Ref(id)
		if m := c.mb.MessageByRef(r); ok && r.Kind == mailbox.KindMessage && m != nil {
			sub := r.Sub
			r = m.Ref(body.Target == "restImmutableEntryId")
			r.Sub = sub
			entry["targetId"] = c.mb.ID(r)
		} else {
			entry["errorDetails"] = map[string]any{"code": "ErrorInvalidIdMalformed", "message": "Id is malformed."}
		}
		out = append(out, entry)
	}
	c.JSON(http.StatusOK, map[string]any{"@odata.context": c.ContextURL("Collection(microsoft.graph.convertIdResult)"), "value": out})
}
