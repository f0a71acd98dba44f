package outlook

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// sendMail serves {U}/sendMail: a copy in Sent Items, one in the Inbox of each recipient in the company.
func (s *Store) sendMail(c *call) {
	var body struct {
		Message messageBody `json:"message"`
		Save    *bool       `json:"saveToSentItems"`
	}
	now := c.Now().Truncate(time.Second)
	m := &mailbox.Message{IsDraft: true, IsRead: true, Received: now, Created: now, Modified: now}
	ok := false
	if strings.HasPrefix(c.Request.Header.Get("Content-Type"), "text/plain") {
		m, ok = c.newDraft()
	} else if c.ReadJSON(&body) {
		m, ok = c.draftOf(m, &body.Message)
	}
	if ok {
		c.sendNew(m.Content(), body.Save == nil || *body.Save)
	}
}

// sendNew sends what was no draft in the mailbox, and answers.
func (c *call) sendNew(content *mailbox.Content, save bool) {
	if !addressed(content) {
		c.Error(http.StatusBadRequest, "ErrorInvalidRecipients", "At least one recipient is not valid.")
		return
	}
	sent := c.s.signed(c.User, content)
	if save {
		now := c.Now().Truncate(time.Second)
		m := &mailbox.Message{IsRead: true, Sent: now, Received: now, HasAttachments: sent.HasAttachments(), Content: func() *mailbox.Content { return sent }}
		if _, err := c.mb.AddMessage(c.mb.Folder("sentitems"), m); c.refused(err) {
			return
		}
	}
	c.s.deliver(c.User, sent)
	c.Empty(http.StatusAccepted)
}

func addressed(content *mailbox.Content) bool {
	return len(content.To)+len(content.Cc)+len(content.Bcc) > 0
}

// sendDraft serves POST messages/{message}/send. The draft itself goes to Sent Items, so that its immutable id still names it
// there (concepts/outlook-immutable-id.md).
func (s *Store) sendDraft(c *call) {
	var sent *mailbox.Content
	_, ok := c.changeMessage(func(r mailbox.Ref) (*mailbox.Message, error) {
		return c.mb.SendMessage(r, func(m *mailbox.Message) error {
			switch {
			case !m.IsDraft:
				return fmt.Errorf("only drafts can be sent")
			case !addressed(m.Content()):
				return fmt.Errorf("at least one recipient is not valid")
			}
			sent = s.signed(c.User, m.Content())
			m.Content = func() *mailbox.Content { return sent }
			return nil
		})
	})
	if ok {
		s.deliver(c.User, sent)
		c.Empty(http.StatusAccepted)
	}
}

// signed gives a content with what sending adds.
func (s *Store) signed(from *company.Person, content *mailbox.Content) *mailbox.Content {
	sent := *content
	if sent.From == nil {
		sent.From = &mailbox.Address{Name: from.DisplayName, Address: from.Mail}
	}
	sent.Sender = &mailbox.Address{Name: from.DisplayName, Address: from.Mail}
	if sent.ConversationIndex == nil {
		sent.ConversationIndex = []byte(sent.ConversationID)[:min(22, len(sent.ConversationID))]
	}
	return &sent
}

// deliver puts a message that was sent into the Inbox of each recipient in the company, once.
func (s *Store) deliver(from *company.Person, content *mailbox.Content) {
	now := s.w.Clock.Now().Truncate(time.Second)
	received := *content
	received.Bcc = nil
	received.Headers = append([]mailbox.Header{{Name: "Received", Value: fmt.Sprintf("from mail.%s (10.0.0.5) by mail.%s (10.0.0.6) with Microsoft SMTP Server; %s",
		s.c.Domain, s.c.Domain, now.Format(time.RFC1123Z))}, {Name: "From", Value: from.Mail}, {Name: "Subject", Value: content.Subject},
		{Name: "Message-ID", Value: content.MessageID}, {Name: "Date", Value: now.Format(time.RFC1123Z)}}, content.Headers...)
	done := map[string]bool{}
	for _, list := range [][]mailbox.Address{content.To, content.Cc, content.Bcc} {
		for _, a := range list {
			mb := s.Mailbox(a.Address)
			if mb == nil || done[mb.UserID] {
				continue
			}
			done[mb.UserID] = true
			m := &mailbox.Message{Sent: now, Received: now, HasAttachments: received.HasAttachments(), Content: func() *mailbox.Content { return &received }}
			// An Inbox cannot be deleted.
			_, _ = mb.AddMessage(mb.Folder("inbox"), m)
		}
	}
}
