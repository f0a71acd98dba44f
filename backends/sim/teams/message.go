package teams

import (
	"slices"
	"strconv"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/order"
)

// Message types.
const (
	typeMessage = "message"
	typeSystem  = "systemEventMessage"
)

// Message is one chatMessage. Once it is in a conversation it is guarded by the Store's lock.
type Message struct {
	ID          string // epoch milliseconds; unique within its conversation only
	Type        string // "" is a message
	Created     time.Time
	Modified    time.Time // reactions too
	Edited      time.Time // zero: never
	Deleted     time.Time // zero: not deleted
	Subject     string
	Summary     string
	Importance  string // "" is normal
	From        *Sender
	HTML        bool
	Body        string // hosted contents as src="hosted:N"
	Attachments []Attachment
	Mentions    []Mention
	Reactions   []Reaction
	History     []HistoryItem
	Hosted      []Hosted
	Policy      map[string]any // policyViolation
	Event       map[string]any // eventDetail

	conv     *Conversation
	root     *Message // of a reply
	replies  []*Message
	activity int64 // of a root: creation of the newest message of the thread, in ms
	changed  int64 // of a root: latest modification in the thread, in ms
	etag     int64
	undo     string // body before a soft deletion
}

// Sender is who wrote a message: a person, an application or somebody with a name only.
type Sender struct {
	Person *company.Person
	// NoName leaves displayName null, as the service does for some users.
	NoName bool
	// IdentityType is userIdentityType or applicationIdentityType.
	IdentityType string
	AppID        string // of an application
	ID, Name     string // of a user outside the directory, or an application's name
	TenantID     string
}

// Attachment is a chatMessageAttachment; Content is a JSON text.
type Attachment struct {
	ID, ContentType, ContentURL, Content, Name, TeamsAppID string
}

// Mention is a chatMessageMention of exactly one of the kinds.
type Mention struct {
	Text       string
	Person     *company.Person
	Channel    *Channel
	Team       *Team
	Chat       *Chat
	AppID, Tag string
}

// Reaction is a chatMessageReaction.
type Reaction struct {
	Type, DisplayName string
	ContentURL        string // of a custom one
	At                time.Time
	By                *company.Person
}

// HistoryItem is an entry of messageHistory.
type HistoryItem struct {
	At       time.Time
	Actions  string
	Reaction Reaction
}

// Hosted is a hosted content: a pasted image or the text of a code snippet.
type Hosted struct {
	ID, ContentType string
	Data            func() []byte // makes the bytes, the same each time
}

// Conversation holds the messages of a channel or a chat.
type Conversation struct {
	channel *Channel
	chat    *Chat

	byID     map[string]*Message
	created  order.Index[*Message] // roots of a channel, all of a chat
	active   order.Index[*Message] // roots of a channel by last activity of the thread
	changed  order.Index[*Message] // roots of a channel by latest change in the thread
	modified order.Index[*Message] // all messages, replies too
	retained order.Index[*Message] // copies of what was edited or deleted, by the time of that
}

func newConversation() Conversation { return Conversation{byID: map[string]*Message{}} }

func ms(t time.Time) int64 { return t.UnixMilli() }

func fromMS(n int64) time.Time { return time.UnixMilli(n).UTC() }

func (m *Message) key(n int64) order.Key { return order.Key{N: n, S: m.ID} }

// modifiedKey is its place in the index of all messages, where the id of a reply may equal that of a post.
func (m *Message) modifiedKey() order.Key {
	if m.root != nil {
		return order.Key{N: ms(m.Modified), S: m.ID + "/" + m.root.ID}
	}
	return m.key(ms(m.Modified))
}

// messageKey names a message within its conversation.
func messageKey(id string, root *Message) string {
	if root != nil {
		return root.ID + "/" + id
	}
	return id
}

// add puts a message into the orders; a nil root makes it a post of its own. It picks an id when there is none. Called with
// the Store's lock held, or while seeding.
func (c *Conversation) add(m *Message, root *Message) {
	m.conv, m.root = c, root
	m.Created = m.Created.UTC().Truncate(time.Millisecond)
	if m.Modified.IsZero() {
		m.Modified = m.Created
	}
	m.Modified = m.Modified.UTC().Truncate(time.Millisecond)
	if m.Type == "" {
		m.Type = typeMessage
	}
	if m.ID == "" {
		n := ms(m.Created)
		for c.byID[messageKey(strconv.FormatInt(n, 10), root)] != nil {
			n++
		}
		m.ID = strconv.FormatInt(n, 10)
	}
	for i := range m.Hosted {
		if m.Hosted[i].ID == "" {
			m.Hosted[i].ID = hostedID(m, i)
		}
	}
	m.etag = max(m.etag, ms(m.Modified))
	c.byID[messageKey(m.ID, root)] = m
	c.modified.Put(m.modifiedKey(), m)
	if root == nil {
		m.activity, m.changed = ms(m.Created), ms(m.Modified)
		c.created.Put(m.key(ms(m.Created)), m)
		if c.channel != nil {
			c.active.Put(m.key(m.activity), m)
			c.changed.Put(m.key(m.changed), m)
		}
		return
	}
	i, _ := slices.BinarySearchFunc(root.replies, m, func(a, b *Message) int { return a.key(ms(a.Created)).Compare(b.key(ms(b.Created))) })
	root.replies = slices.Insert(root.replies, i, m)
	c.bump(root, ms(m.Created), ms(m.Modified))
}

// bump moves a root post in the orders of threads; times that are not later change nothing.
func (c *Conversation) bump(root *Message, activity, changed int64) {
	if c.channel == nil {
		return
	}
	if activity > root.activity {
		c.active.Delete(root.key(root.activity))
		root.activity = activity
		c.active.Put(root.key(activity), root)
	}
	if changed > root.changed {
		c.changed.Delete(root.key(root.changed))
		root.changed = changed
		c.changed.Put(root.key(changed), root)
	}
}

// touch records a modification at a time from Store.next.
func (c *Conversation) touch(m *Message, at time.Time) {
	c.modified.Delete(m.modifiedKey())
	m.Modified, m.etag = at, ms(at)
	c.modified.Put(m.modifiedKey(), m)
	thread := m
	if m.root != nil {
		thread = m.root
	}
	c.bump(thread, 0, ms(at))
}

// find gives a post, or a reply when root is not empty.
func (c *Conversation) find(root, id string) *Message {
	if root != "" {
		id = root + "/" + id
	}
	return c.byID[id]
}

// retain keeps a copy of the message as it is, for the export of retained messages.
func (c *Conversation) retain(m *Message, at time.Time) *Message {
	kept := *m
	kept.replies = nil
	kept.Modified = at
	c.retained.Put(kept.modifiedKey(), &kept)
	return &kept
}

// hostedContent finds a hosted content by id; nil if there is none.
func (m *Message) hostedContent(id string) *Hosted {
	for i := range m.Hosted {
		if m.Hosted[i].ID == id {
			return &m.Hosted[i]
		}
	}
	return nil
}
