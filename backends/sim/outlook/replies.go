package outlook

import (
	"fmt"
	"html"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/outlook/htmltext"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// answerBody is the body of reply, replyAll, forward and the calls that make drafts of them.
type answerBody struct {
	Comment string           `json:"comment"`
	To      *[]recipientBody `json:"toRecipients"`
	Message *messageBody     `json:"message"`
}

// answerMessage serves POST …/reply, replyAll and forward, which send, and createReply, createReplyAll and createForward,
// which leave a draft (message-reply.md and its siblings). A comment and a body of one's own exclude each other.
func (s *Store) answerMessage(c *call) {
	var body answerBody
	if c.Request.ContentLength != 0 && !c.ReadJSON(&body) {
		return
	}
	if body.Comment != "" && body.Message != nil && body.Message.Body != nil {
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", "The comment parameter and the body property of the message cannot be specified together.")
		return
	}
	c.mb.RLock()
	m := c.lookMessage()
	var original *mailbox.Content
	if m != nil {
		original = m.Content()
	}
	c.mb.RUnlock()
	if m == nil {
		return
	}
	action, draft := strings.CutPrefix(strings.ToLower(path.Base(c.Request.URL.Path)), "create")
	content := c.s.answering(c, original, action, body.Comment)
	addressList(body.To, &content.To)
	now := c.Now().Truncate(time.Second)
	made := &mailbox.Message{IsDraft: true, IsRead: true, Received: now, Created: now, Modified: now, HasAttachments: content.HasAttachments(),
		Content: func() *mailbox.Content { return content }}
	if body.Message != nil {
		if err := body.Message.apply(made, c.Now()); err != nil {
			c.refused(err)
			return
		}
	}
	if !draft {
		c.sendNew(made.Content(), true)
		return
	}
	if _, err := c.mb.AddMessage(c.mb.Folder("drafts"), made); !c.refused(err) {
		c.showMessage(http.StatusCreated, made)
	}
}

// answering makes the content of a reply ("reply", "replyall") or a forward of a message.
func (s *Store) answering(c *call, original *mailbox.Content, action, comment string) *mailbox.Content {
	me := s.ownerAddress(c.mb)
	content := &mailbox.Content{HTML: true, MessageID: s.messageID(), ConversationID: original.ConversationID, InReplyTo: original.MessageID,
		References: append(slices.Clone(original.References), original.MessageID), Importance: original.Importance}
	// Each answer adds a block of five bytes to the index of what it answers (MS-OXOMSG, 2.2.1.3).
	block := s.w.Sum("conversation block " + content.MessageID)
	content.ConversationIndex = append(slices.Clone(original.ConversationIndex), block[:5]...)
	prefix := "RE: "
	if action == "forward" {
		prefix = "FW: "
		content.Attachments = slices.Clone(original.Attachments)
	} else {
		content.To = answerTo(original, me, action == "replyall", content)
	}
	content.Subject = original.Subject
	if !strings.HasPrefix(strings.ToUpper(content.Subject), prefix) {
		content.Subject = prefix + content.Subject
	}
	quoted := original.Body
	if !original.HTML {
		quoted = htmltext.FromText(quoted)
	}
	head := "<hr><p><b>Subject:</b> " + html.EscapeString(original.Subject) + "</p>"
	if original.From != nil {
		head = fmt.Sprintf("<hr><p><b>From:</b> %s</p>", html.EscapeString(original.From.Name)) + head
	}
	content.Body = "<p>" + html.EscapeString(comment) + "</p>" + head + "<div>" + quoted + "</div>"
	return content
}

// answerTo gives whom an answer goes to: those of replyTo, else the sender, or the recipients of what one sent oneself. An
// answer to all goes to the other recipients as well, without oneself.
func answerTo(original *mailbox.Content, me mailbox.Address, all bool, content *mailbox.Content) []mailbox.Address {
	to := slices.Clone(original.ReplyTo)
	switch {
	case len(to) > 0 || original.From == nil:
	case strings.EqualFold(original.From.Address, me.Address):
		to = slices.Clone(original.To)
	default:
		to = []mailbox.Address{*original.From}
	}
	if !all {
		return to
	}
	mine := func(a mailbox.Address) bool { return strings.EqualFold(a.Address, me.Address) }
	for _, a := range original.To {
		if !mine(a) && !slices.Contains(to, a) {
			to = append(to, a)
		}
	}
	content.Cc = slices.DeleteFunc(slices.Clone(original.Cc), mine)
	return to
}
