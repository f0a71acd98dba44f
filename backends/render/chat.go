package render

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Member is what is known of a person by id, for messages that name people by id alone.
type Member struct {
	Name  string
	Email string
}

// ChatOptions are the facts about a chat message that are not in its resource.
type ChatOptions struct {
	// AttachmentsDir is the name of the directory beside the file that holds the attachments.
	AttachmentsDir string
	// ConversationName is the chat's or channel's name for people.
	ConversationName string
	// ConversationID is the chat's or channel's id; empty takes what the message says.
	ConversationID string
	// RootID is the id of the root post for a reply in a channel; empty takes the message's own replyToId.
	RootID string
	// Members gives names and addresses by user id. What is rendered depends on it, so it should hold stable facts only.
	Members map[string]Member
}

// Chat is a decoded Teams message. Decoding once serves all that is wanted of it; the functions of this package that take raw
// bytes are short for it.
type Chat struct{ c chatMessage }

type identity struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
}

type identitySet struct {
	User         *identity `json:"user"`
	Application  *identity `json:"application"`
	Device       *identity `json:"device"`
	Conversation *identity `json:"conversation"`
}

// first gives the identity that is set.
func (s identitySet) first() *identity {
	for _, i := range [...]*identity{s.User, s.Application, s.Device, s.Conversation} {
		if i != nil && (i.ID != "" || i.DisplayName != "") {
			return i
		}
	}
	return nil
}

type chatAttachment struct {
	ID          string `json:"id"`
	ContentType string `json:"contentType"`
	ContentURL  string `json:"contentUrl"`
	Content     string `json:"content"`
	Name        string `json:"name"`
}

// chatMessage holds the fields of a Graph chatMessage that rendering looks at.
type chatMessage struct {
	ID              string           `json:"id"`
	ReplyToID       string           `json:"replyToId"`
	MessageType     string           `json:"messageType"`
	Created         string           `json:"createdDateTime"`
	Edited          string           `json:"lastEditedDateTime"`
	Deleted         string           `json:"deletedDateTime"`
	Subject         string           `json:"subject"`
	Summary         string           `json:"summary"`
	Importance      string           `json:"importance"`
	From            identitySet      `json:"from"`
	Body            itemBody         `json:"body"`
	Attachments     []chatAttachment `json:"attachments"`
	ChatID          string           `json:"chatId"`
	ChannelIdentity struct {
		TeamID    string `json:"teamId"`
		ChannelID string `json:"channelId"`
	} `json:"channelIdentity"`
	Event     json.RawMessage `json:"eventDetail"`
	Violation struct {
		Action string `json:"dlpAction"`
		Tip    struct {
			Text string `json:"generalText"`
		} `json:"policyTip"`
	} `json:"policyViolation"`
}

// ParseChat decodes a chatMessage resource. Fields that are missing, null or of another type are empty.
func ParseChat(raw []byte) (*Chat, error) {
	c := new(Chat)
	if err := decode(raw, &c.c); err != nil {
		return nil, err
	}
	return c, nil
}

// Date gives when the message was created; zero if that is not set.
func (c *Chat) Date() time.Time {
	t, _ := ParseTime(c.c.Created)
	return t
}

// Person gives the display text of the author for a file name: the name of the user, application or device, else "system" for
// what the service itself says, else "unknown".
func (c *Chat) Person() string {
	if i := c.c.From.first(); i != nil && oneLine(i.DisplayName) != "" {
		return oneLine(i.DisplayName)
	}
	if c.isEvent() {
		return "system"
	}
	return unknown
}

// Subject gives the text for the file name: the subject, the kind of a system message, the first words of the body, or the
// name of what is attached; "" if there is nothing of that.
func (c *Chat) Subject() string {
	if s := oneLine(c.c.Subject); s != "" {
		return s
	}
	if c.isEvent() {
		if name := c.event().kind(); name != "" {
			return name
		}
		return "event"
	}
	if s := firstLine(c.words(ChatOptions{}, false), 80); s != "" {
		return s
	}
	for _, a := range c.c.Attachments {
		if s := oneLine(a.Name); s != "" {
			return s
		}
	}
	return ""
}

func (c *Chat) isEvent() bool {
	return c.c.MessageType == "systemEventMessage" || c.c.MessageType == "chatEvent" || len(c.c.Event) > len("null")
}

func (c *Chat) event() eventDetail {
	var e eventDetail
	if len(c.c.Event) > 0 && decode(c.c.Event, &e) != nil {
		return eventDetail{}
	}
	return e
}

// hosted finds the ids of hosted contents in a body. It is a large machine, which most runs of the program do not need.
var hosted = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`/hostedContents/([^/?#\s"'<>]{1,1000})`)
})

// HostedContents gives the ids of the hosted contents that the message refers to, each once, in order of appearance.
func (c *Chat) HostedContents() []string {
	var ids []string
	find := func(s string) {
		if !strings.Contains(s, "/hostedContents/") {
			return
		}
		for _, m := range hosted().FindAllStringSubmatch(s, -1) {
			if !slices.Contains(ids, m[1]) && len(ids) < 1000 {
				ids = append(ids, m[1])
			}
		}
	}
	find(c.c.Body.Content)
	for _, a := range c.c.Attachments {
		find(a.Content)
		find(a.ContentURL)
	}
	return ids
}

// ChatFile is a file or link that a Teams message refers to.
type ChatFile struct {
	ID, Name, URL string
}

// Files gives the files and links that are attached by reference, in order.
func (c *Chat) Files() []ChatFile {
	var files []ChatFile
	for _, a := range c.c.Attachments {
		if a.isFile() {
			files = append(files, ChatFile{ID: a.ID, Name: a.Name, URL: a.ContentURL})
		}
	}
	return files
}

func (a *chatAttachment) isFile() bool {
	return a.ContentType == "reference" || a.ContentURL != "" && !a.isCard() && !strings.HasSuffix(a.ContentType, "eference")
}

func (a *chatAttachment) isCard() bool {
	return strings.HasPrefix(a.ContentType, "application/vnd.microsoft.card.") || strings.HasPrefix(a.ContentType, "application/vnd.microsoft.teams.card.")
}

// HasAttachments tells whether the message has attachments to show: hosted contents, files or links.
func (c *Chat) HasAttachments() bool {
	return len(c.Files()) > 0 || len(c.HostedContents()) > 0
}

// rootID gives the id of the post that the message replies to, "" for one that starts a thread.
func (c *Chat) rootID(o ChatOptions) string {
	root := o.RootID
	if root == "" {
		root = c.c.ReplyToID
	}
	if root == c.c.ID {
		return ""
	}
	return root
}

// name gives the name of an identity for people.
func (o ChatOptions) name(i *identity) string {
	if i == nil {
		return ""
	}
	if n := oneLine(i.DisplayName); n != "" {
		return n
	}
	if n := oneLine(o.Members[i.ID].Name); n != "" {
		return n
	}
	return oneLine(i.ID)
}

// MD gives the message as Markdown, see ChatMD.
func (c *Chat) MD(o ChatOptions) []byte {
	x := &c.c
	body := c.withFiles(c.words(o, true), true)
	f := newFrontMatter(len(body) + 512)
	from := o.name(x.From.first())
	if from == "" && !c.isEvent() {
		from = unknown
	}
	f.text("from", from)
	f.text("conversation", o.ConversationName)
	f.time("date", c.Date())
	if t, ok := ParseTime(x.Edited); ok {
		f.time("edited", t)
	}
	if t, ok := ParseTime(x.Deleted); ok {
		f.time("deleted", t)
	}
	f.text("subject", x.Subject)
	if c.isEvent() {
		f.text("event", c.event().kind())
	}
	f.text("id", x.ID)
	f.text("conversation_id", c.conversationID(o))
	f.text("thread", c.rootID(o))
	if i := oneLine(x.Importance); i != "normal" {
		f.text("importance", i)
	}
	has := c.HasAttachments()
	f.bool("has_attachments", has)
	if has {
		f.text("attachments", o.AttachmentsDir)
	}
	return f.end(body)
}

func (c *Chat) conversationID(o ChatOptions) string {
	switch {
	case o.ConversationID != "":
		return o.ConversationID
	case c.c.ChatID != "":
		return c.c.ChatID
	}
	return c.c.ChannelIdentity.ChannelID
}

// withFiles adds the list of files to the words of a message.
func (c *Chat) withFiles(words string, marks bool) string {
	var files []string
	for _, f := range c.Files() {
		files = append(files, "- "+fileLink(f, marks))
	}
	switch {
	case len(files) == 0:
		return words
	case words != "":
		words += "\n\n"
	}
	return words + "Files:\n\n" + strings.Join(files, "\n")
}

// words gives the body with quotes and cards in their places.
func (c *Chat) words(o ChatOptions, marks bool) string {
	x := &c.c
	var body string
	used := map[string]bool{}
	if x.Body.isHTML() {
		w := htmlWriter{marks: marks, hooks: htmlHooks{
			image: func(src string) string {
				if m := hosted().FindStringSubmatch(src); m != nil {
					return "cid:" + m[1]
				}
				return src
			},
			element: func(z *htmlScanner) (string, bool, bool) {
				switch string(z.name) {
				case "at":
					return "@", false, true
				case "emoji", "customemoji":
					return oneLine(z.attr("alt")), false, true
				case "attachment":
					id := z.attr("id")
					for i := range x.Attachments {
						if a := &x.Attachments[i]; a.ID == id && !used[id] {
							used[id] = true
							text := a.inline()
							return text, text != "", true
						}
					}
					return "", false, true
				case "systemeventmessage":
					return "", false, true
				}
				return "", false, false
			},
		}}
		body = w.convert(x.Body.Content)
	} else {
		body = bodyText(x.Body.Content)
	}
	parts := []string{body}
	if c.isEvent() {
		parts = append(parts, c.event().words(o))
	}
	for i := range x.Attachments {
		if a := &x.Attachments[i]; !used[a.ID] {
			parts = append(parts, a.inline())
		}
	}
	if strings.TrimSpace(strings.Join(parts, "")) == "" && len(c.Files()) == 0 {
		switch {
		case x.Deleted != "":
			parts = append(parts, "(This message was deleted.)")
		case strings.HasPrefix(x.Violation.Action, "block"):
			parts = append(parts, strings.TrimSpace("(This message was blocked.) "+oneLine(x.Violation.Tip.Text)))
		}
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return bodyText(strings.Join(parts, "\n\n"))
}

func fileLink(f ChatFile, marks bool) string {
	name, url := oneLine(f.Name), linkTarget(f.URL)
	switch {
	case url == "":
		return name
	case name == "":
		return url
	case marks:
		return "[" + strings.NewReplacer("[", "(", "]", ")").Replace(name) + "](" + url + ")"
	}
	return name + " <" + url + ">"
}

// inline gives the text of an attachment that belongs into the message: a quote, a card, a meeting. Files give none.
func (a *chatAttachment) inline() string {
	switch {
	case a.isFile():
		return ""
	case strings.EqualFold(a.ContentType, "messageReference"), strings.EqualFold(a.ContentType, "forwardedMessageReference"):
		var ref struct {
			Preview  string      `json:"messagePreview"`
			Sender   identitySet `json:"messageSender"`
			Original string      `json:"originalMessageContent"`
			From     identitySet `json:"originalMessageSender"`
		}
		if decode([]byte(a.Content), &ref) != nil {
			return ""
		}
		quoted, who := bodyText(ref.Preview), ref.Sender.first()
		if quoted == "" {
			quoted = HTMLToText(ref.Original)
		}
		if who == nil {
			who = ref.From.first()
		}
		if name := (ChatOptions{}).name(who); name != "" {
			quoted = name + ": " + quoted
		}
		if quoted == "" {
			return ""
		}
		return "> " + strings.ReplaceAll(quoted, "\n", "\n> ")
	case a.isCard():
		if s := cardText(a.Content); s != "" {
			return s
		}
	}
	if name := oneLine(a.Name); name != "" {
		return "[" + name + "]"
	}
	return ""
}

// ChatMD gives a Teams message as Markdown: YAML front matter, then the body. The keys, each once and only where there is a
// value: from, conversation (its name), date, edited, deleted, subject, event (what kind of system message), id,
// conversation_id, thread (the id of the root post, for replies), importance (unless normal), has_attachments, attachments.
//
// Mentions are "@name", pasted images cid: references, quotes and cards stand in their places as text, files are listed at
// the end, system messages are told in words. Reactions have no influence.
func ChatMD(raw []byte, o ChatOptions) ([]byte, error) {
	c, err := ParseChat(raw)
	if err != nil {
		return nil, err
	}
	return c.MD(o), nil
}
