package render

import (
	"github.com/workfs/workfs/backends/render/jsonscan"
)

// Mail comes by the hundred thousand, so that its resources are not decoded by reflection. What these functions take for a
// value is what encoding/json does: values of other types count as missing, of equal members the last one counts, and an
// object adds to the one before it. The tests compare the two.

// scan fills x from a resource that is valid JSON.
func (x *message) scan(raw []byte) {
	jsonscan.Members(raw, func(name, value []byte, _, _ int) {
		switch string(name) {
		case "@odata.type":
			jsonscan.SetString(&x.Type, value)
		case "subject":
			jsonscan.SetString(&x.Subject, value)
		case "body":
			x.Body.scan(value)
		case "bodyPreview":
			jsonscan.SetString(&x.BodyPreview, value)
		case "from":
			x.From.scan(value)
		case "sender":
			x.Sender.scan(value)
		case "toRecipients":
			scanRecipients(&x.To, value)
		case "ccRecipients":
			scanRecipients(&x.Cc, value)
		case "bccRecipients":
			scanRecipients(&x.Bcc, value)
		case "replyTo":
			scanRecipients(&x.ReplyTo, value)
		case "receivedDateTime":
			jsonscan.SetString(&x.Received, value)
		case "sentDateTime":
			jsonscan.SetString(&x.Sent, value)
		case "createdDateTime":
			jsonscan.SetString(&x.Created, value)
		case "lastModifiedDateTime":
			jsonscan.SetString(&x.Modified, value)
		case "internetMessageId":
			jsonscan.SetString(&x.InternetMessageID, value)
		case "conversationId":
			jsonscan.SetString(&x.ConversationID, value)
		case "importance":
			jsonscan.SetString(&x.Importance, value)
		case "hasAttachments":
			jsonscan.SetBool(&x.HasAttachments, value)
		case "isDraft":
			jsonscan.SetBool(&x.IsDraft, value)
		}
	})
}

func (b *itemBody) scan(value []byte) {
	jsonscan.Members(value, func(name, value []byte, _, _ int) {
		switch string(name) {
		case "contentType":
			jsonscan.SetString(&b.ContentType, value)
		case "content":
			jsonscan.SetString(&b.Content, value)
		}
	})
}

func (r *recipient) scan(value []byte) {
	jsonscan.Members(value, func(name, value []byte, _, _ int) {
		if string(name) == "emailAddress" {
			r.EmailAddress.scan(value)
		}
	})
}

func (a *emailAddress) scan(value []byte) {
	jsonscan.Members(value, func(name, value []byte, _, _ int) {
		switch string(name) {
		case "name":
			jsonscan.SetString(&a.Name, value)
		case "address":
			jsonscan.SetString(&a.Address, value)
		}
	})
}

// scanRecipients keeps null and an empty list apart, since Message.Stable does.
func scanRecipients(to *[]recipient, value []byte) {
	if string(value) == "null" {
		*to = nil
		return
	}
	list := *to
	n := 0
	if !jsonscan.Elements(value, func(value []byte) {
		if n == len(list) {
			list = append(list, recipient{})
		}
		list[n].scan(value)
		n++
	}) {
		return
	}
	if *to = list[:n]; n == 0 {
		*to = []recipient{}
	}
}
