package mailbox

import (
	"time"
)

// Address is a recipient. Either part may be missing, and Address may be an X.500 name.
type Address struct{ Name, Address string }

// Header is one header field, as received.
type Header struct{ Name, Value string }

// Content is all that a message says. It is not changed once a message has it.
type Content struct {
	Subject              string
	From, Sender         *Address // nil on drafts that nobody has addressed yet
	To, Cc, Bcc, ReplyTo []Address
	HTML                 bool
	Body                 string
	MessageID            string // with angle brackets
	ConversationID       string
	ConversationIndex    []byte
	InReplyTo            string
	References           []string
	Headers              []Header // transport headers, outermost first; none on drafts and on what the user sent
	Importance           string   // "low", "normal", "high"; empty is normal
	Other                bool     // not in the focused inbox
	ReadReceipt          bool
	Attachments          []*Attachment
	Meeting              *Meeting
	Raw                  func() ([]byte, error) // the very bytes of an imported message; nil when MIME is made
	Corrupt              bool                   // its MIME cannot be made: 500 ErrorCorruptData
	HugeAttachments      bool                   // listing its attachments with their bytes times out
	Size                 int                    // size in the store, 0: derived from the parts
}

// HasAttachments is what the service says: inline attachments do not count.
func (c *Content) HasAttachments() bool {
	for _, a := range c.Attachments {
		if !a.Inline {
			return true
		}
	}
	return false
}

// StoreSize is the message's size in the store, which is neither the size of its MIME nor of its body.
func (c *Content) StoreSize() int {
	if c.Size > 0 {
		return c.Size
	}
	n := 3000 + 2*len(c.Body) + 2*len(c.Subject)
	for _, a := range c.Attachments {
		n += a.StoreSize()
	}
	return n
}

// Meeting makes a message an eventMessage.
type Meeting struct {
	Type         string // "meetingRequest", "meetingCancelled", "meetingAccepted", "meetingTenativelyAccepted", "meetingDeclined"
	Start, End   time.Time
	AllDay       bool
	Location     string
	Event        uint64 // key of the event, 0 when there is none any more
	OutOfDate    bool
	ResponseType string // for responses
}

// Attachment kinds, by the last part of their @odata.type.
const (
	FileAttachment      = "fileAttachment"
	ItemAttachment      = "itemAttachment"
	ReferenceAttachment = "referenceAttachment"
)

// Attachment is one attachment of a message or event.
type Attachment struct {
	Number      uint32 // in ids, unique in the item; 0: its position, from 1
	Type        string // FileAttachment, ItemAttachment or ReferenceAttachment
	Name        string
	ContentType string
	ContentID   string
	Inline      bool
	Data        func() []byte // of a file
	Length      int           // bytes of Data, known without making them
	Message     *Content      // of an item: an attached message …
	Sent        time.Time     // … and when that was sent
	Event       map[string]any
	Contact     map[string]any
	Modified    time.Time
}

// Without gives a list without its i-th attachment. The others keep their numbers.
func Without(list []*Attachment, i int) []*Attachment {
	var rest []*Attachment
	for j, a := range list {
		if j == i {
			continue
		}
		kept := *a
		kept.Number = NumberOf(list, j)
		rest = append(rest, &kept)
	}
	return rest
}

// NumberOf gives the number of a list's i-th attachment.
func NumberOf(list []*Attachment, i int) uint32 {
	if n := list[i].Number; n != 0 {
		return n
	}
	return uint32(i + 1)
}

// StoreSize is the size that the service states, larger than the bytes by the properties stored beside them.
func (a *Attachment) StoreSize() int {
	switch a.Type {
	case FileAttachment:
		return a.Length + 196 + 2*len(a.Name)
	case ItemAttachment:
		if a.Message != nil {
			return a.Message.StoreSize()
		}
		return 2048
	}
	return 612
}

// Flag is a follow-up flag.
type Flag struct {
	Status                string // "flagged", "complete"
	Start, Due, Completed time.Time
}

// Message is one message. Its fields are guarded by its mailbox.
type Message struct {
	Key            uint64
	Moves          uint32
	Rev            uint32
	IsRead         bool
	IsDraft        bool
	HasAttachments bool
	IsMeeting      bool // its content has a Meeting
	Folder         *Folder

	// Whole seconds, UTC. Received of a draft is its creation; Sent is zero on a draft.
	Received, Sent, Created, Modified time.Time

	Flag       *Flag
	Categories []string

	// Content makes or gives what the message says; it is cheap enough to be called for every row of a page.
	Content func() *Content
}

// Ref names the message.
func (m *Message) Ref(immutable bool) Ref {
	return Ref{Kind: KindMessage, Immutable: immutable, Folder: m.Folder.Key, Moves: m.Moves, Key: m.Key}
}

// before is the order of the indexes: by received time, oldest first, then by key.
func (m *Message) before(received time.Time, key uint64) bool {
	if c := m.Received.Compare(received); c != 0 {
		return c < 0
	}
	return m.Key < key
}
