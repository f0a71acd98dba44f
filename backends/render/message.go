package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/render/jsonscan"
)

// Message is a decoded mail message. Decoding once serves all that is wanted of it; the functions of this package that take
// raw bytes are short for it.
type Message struct{ m message }

// message holds the fields of a Graph message that rendering looks at (resource type "message" of v1.0).
type message struct {
	Type              string      `json:"@odata.type"`
	Subject           string      `json:"subject"`
	Body              itemBody    `json:"body"`
	BodyPreview       string      `json:"bodyPreview"`
	From              recipient   `json:"from"`
	Sender            recipient   `json:"sender"`
	To                []recipient `json:"toRecipients"`
	Cc                []recipient `json:"ccRecipients"`
	Bcc               []recipient `json:"bccRecipients"`
	ReplyTo           []recipient `json:"replyTo"`
	Received          string      `json:"receivedDateTime"`
	Sent              string      `json:"sentDateTime"`
	Created           string      `json:"createdDateTime"`
	Modified          string      `json:"lastModifiedDateTime"`
	InternetMessageID string      `json:"internetMessageId"`
	ConversationID    string      `json:"conversationId"`
	Importance        string      `json:"importance"`
	HasAttachments    bool        `json:"hasAttachments"`
	IsDraft           bool        `json:"isDraft"`
}

// ParseMessage decodes a message resource. Fields that are missing, null or of another type are empty.
func ParseMessage(raw []byte) (*Message, error) {
	if !jsonscan.Valid(raw) {
		return nil, fmt.Errorf("render: decode a message: %w", errJSON)
	}
	return MessageOf(raw), nil
}

// MessageOf does what ParseMessage does for a resource that is known to be valid JSON, as the elements of a page are.
func MessageOf(raw []byte) *Message {
	m := new(Message)
	m.m.scan(raw)
	return m
}

// MD gives the message as Markdown, see MessageMD.
func (m *Message) MD(attachmentsDir string) []byte {
	body := m.m.Body.markdown()
	if body == "" && m.m.Body.Content == "" {
		body = bodyText(m.m.BodyPreview)
	}
	return m.head(len(body)+1024, attachmentsDir).end(body)
}

// noBody stands where the body would.
const noBody = "*The body can't be read with this sign-in.*"

// HeadMD gives the message as MD does where the sign-in may read neither its body nor its attachments.
func (m *Message) HeadMD() []byte { return m.head(1024, "").end(noBody) }

// Bodiless tells whether the resource says nothing of a body: the service leaves it out for a sign-in that may not read it.
// A body that is empty has its type.
func (m *Message) Bodiless() bool { return m.m.Body == itemBody{} && m.m.BodyPreview == "" }

// head writes the front matter, with room for so many bytes.
func (m *Message) head(room int, attachmentsDir string) *frontMatter {
	x := &m.m
	f := newFrontMatter(room)
	from, sender := x.From.EmailAddress.String(), x.Sender.EmailAddress.String()
	if from == "" {
		from = sender
	}
	f.text("from", from)
	if sender != from && !strings.EqualFold(x.Sender.EmailAddress.Address, x.From.EmailAddress.Address) {
		f.text("sender", sender)
	}
	f.list("to", addresses(x.To))
	f.list("cc", addresses(x.Cc))
	f.list("bcc", addresses(x.Bcc))
	f.list("reply_to", addresses(x.ReplyTo))
	f.time("date", m.Date())
	if t, ok := ParseTime(x.Sent); ok {
		f.time("sent", t)
	}
	f.text("subject", x.Subject)
	f.text("message_id", x.InternetMessageID)
	f.text("conversation", x.ConversationID)
	if i := oneLine(x.Importance); i != "normal" {
		f.text("importance", i)
	}
	if x.IsDraft {
		f.bool("draft", true)
	}
	has := m.HasAttachments()
	f.bool("has_attachments", has)
	if has {
		f.text("attachments", attachmentsDir)
	}
	return f
}

// Date gives when the message was received, else sent, else created; zero if nothing of that is set.
func (m *Message) Date() time.Time {
	for _, s := range [...]string{m.m.Received, m.m.Sent, m.m.Created} {
		if t, ok := ParseTime(s); ok {
			return t
		}
	}
	return time.Time{}
}

// Subject gives the subject on one line.
func (m *Message) Subject() string { return oneLine(m.m.Subject) }

// Person gives the display text of the author for a file name: the name, else the local part of the address, else "unknown".
func (m *Message) Person() string {
	for _, r := range [...]recipient{m.m.From, m.m.Sender} {
		if p := r.EmailAddress.person(); p != "" {
			return p
		}
	}
	return unknown
}

// unknown stands for an author without name and address.
const unknown = "unknown"

// HasAttachments tells whether the message has attachments to show: the service says so, or its HTML refers to inline ones by
// cid:, which the service's own mark does not count.
func (m *Message) HasAttachments() bool {
	// Graph says false where all attachments are inline.
	return m.m.HasAttachments || m.m.Body.isHTML() && refersToPart(m.m.Body.Content)
}

// refersToPart reports whether HTML has a cid: address.
func refersToPart(s string) bool {
	return strings.Contains(s, "cid:") || strings.Contains(s, "CID:") || strings.Contains(s, "Cid:")
}

// Stable gives a hash of what the message's text depends on, see MessageStable.
func (m *Message) Stable() string {
	x := m.m
	if !x.IsDraft {
		// Reading and flagging move it; only in a draft it tells of new words or attachments.
		x.Modified = ""
	}
	for _, t := range []*string{&x.Received, &x.Sent, &x.Created, &x.Modified} {
		if at, ok := ParseTime(*t); ok {
			*t = at.Format(time.RFC3339Nano)
		}
	}
	x.BodyPreview = ""
	h := sha256.New()
	// The encoding of a struct of plain fields has one form; it only feeds the hash.
	if err := json.NewEncoder(h).Encode(&x); err != nil {
		fmt.Fprintf(h, "%+v", x)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// MessageMD gives a mail message as Markdown: YAML front matter with its stable facts, then the body. attachmentsDir is the
// name of the directory beside the file that holds the attachments, mentioned only when there are any. The keys, each once
// and only where there is a value: from, sender (where another sent it for the author), to, cc, bcc, reply_to, date (received),
// sent, subject, message_id, conversation, importance (unless normal), draft, has_attachments, attachments.
//
// Read marks, flags and categories have no influence. Pasted images are cid: references.
func MessageMD(raw []byte, attachmentsDir string) ([]byte, error) {
	m, err := ParseMessage(raw)
	if err != nil {
		return nil, err
	}
	return m.MD(attachmentsDir), nil
}

// MessageStable gives a hash over the fields that MessageMD and the service's MIME depend on, 32 hexadecimal characters:
// the content version of a message's eml. It is the same after the message was read, flagged or categorised. A draft's moves
// with its lastModifiedDateTime. Malformed input gives the hash of its bytes.
func MessageStable(raw []byte) string {
	m, err := ParseMessage(raw)
	if err != nil {
		sum := sha256.Sum256(raw)
		return hex.EncodeToString(sum[:16])
	}
	return m.Stable()
}
