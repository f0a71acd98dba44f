package teams

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/render"
)

// facts are the members of a chatMessage that decide where and how it is shown.
type facts struct {
	ID       string `json:"id"`
	ReplyTo  string `json:"replyToId"`
	ETag     string `json:"etag"`
	Created  string `json:"createdDateTime"`
	Modified string `json:"lastModifiedDateTime"`
	Edited   string `json:"lastEditedDateTime"`
	Deleted  string `json:"deletedDateTime"`
	WebURL   string `json:"webUrl"`
	Event    *struct {
		Type string `json:"@odata.type"`
	} `json:"eventDetail"` // of system messages

	Replies     []json.RawMessage `json:"replies"`
	RepliesNext string            `json:"replies@odata.nextLink"`
}

// message is a message of a conversation, not rendered yet.
type message struct {
	raw      json.RawMessage // without replies
	id, root string          // root is the post that it replies to, "" for a post and in chats
	etag     string
	webURL   string
	created  time.Time // zero when it has no usable date
	changed  time.Time // the latest of created, edited and deleted
	modified time.Time // moves with reactions, too
	month    month
	deleted  bool
	members  bool // tells that somebody came or went
}

// files is what a message looks like in its month.
type files struct {
	entries []backends.Entry
	// dir is the directory of its attachments and attached what is in it; "" if it has none.
	dir      backends.DirKey
	attached []backends.Entry
}

// contentVersion names a content by its bytes, which are a pure function of resource and renderer.
func contentVersion(format string, body []byte) string {
	sum := sha256.Sum256(body)
	return format + strconv.Itoa(render.Version) + ":" + hex.EncodeToString(sum[:12])
}

// bare takes out of a message what depends on how it was asked for: expanded replies, which are files of their own, and the
// address of the metadata. Its content is the same from a list, a delta and by itself.
func bare(raw json.RawMessage) json.RawMessage {
	if !bytes.Contains(raw, []byte(`"replies`)) && !bytes.Contains(raw, []byte(`"@odata.context`)) {
		return raw
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return raw
	}
	n := len(members)
	for name := range members {
		if name == "replies" || strings.HasPrefix(name, "replies@") || name == "@odata.context" {
			delete(members, name)
		}
	}
	if len(members) == n {
		return raw
	}
	out, err := json.Marshal(members)
	if err != nil {
		return raw
	}
	return out
}

// message takes a resource of the conversation; root is the id of the post that it replies to, "" for a post.
func (c *conversation) message(raw json.RawMessage, f *facts, root string) message {
	m := message{raw: bare(raw), id: f.ID, root: root, etag: f.ETag, webURL: f.WebURL}
	m.created, _ = render.ParseTime(f.Created)
	m.modified, _ = render.ParseTime(f.Modified)
	m.month = monthOf(m.created)
	m.changed = m.created
	for _, s := range []string{f.Edited, f.Deleted} {
		if t, ok := render.ParseTime(s); ok {
			m.changed = later(m.changed, t)
		}
	}
	m.modified = later(m.modified, m.changed)
	_, m.deleted = render.ParseTime(f.Deleted)
	m.members = f.Event != nil && strings.HasPrefix(f.Event.Type, "#microsoft.graph.members")
	return m
}

// render makes the files of a message.
func (c *conversation) render(m message) (files, error) {
	chat, err := render.ParseChat(m.raw)
	if err != nil {
		return files{}, err
	}
	var out files
	id := c.messageID(m.root, m.id)
	wish := names.Wanted{Stem: names.Stem(m.created, chat.Person(), chat.Subject()), Key: c.s.key(id)}
	if m.root != "" {
		wish.Stem = names.ReplyStem(m.created, chat.Person(), chat.Subject(), c.s.key(c.messageID("", m.root)))
	}
	options := render.ChatOptions{ConversationID: c.id, RootID: m.root}
	if chat.HasAttachments() {
		wish.Ext = ".attachments"
		out.dir, out.attached = c.attachmentsKey(m.root, m.id), c.attachments(chat, id, m)
		out.entries = append(out.entries, backends.Entry{
			Name: wish, ID: join(id, "attachments"), Item: item(m.root, m.id),
			IsDir: true, Dir: out.dir, Mtime: m.changed, Ctime: m.changed, Btime: m.created,
		})
		// The directory's name is part of the text, so it has to be a pure function of the message: the hash as it is
		// before any collision.
		options.AttachmentsDir = wish.Stem + "~" + names.Hash(wish.Key, names.HashLen) + wish.Ext
	}
	for _, format := range c.s.formats {
		var body []byte
		mtime := m.changed
		switch format {
		case "md":
			body = chat.MD(options)
		case "eml":
			if body, err = chat.EML(options); err != nil {
				return files{}, err
			}
		case "json":
			if body, err = render.JSON(m.raw); err != nil {
				return files{}, err
			}
			mtime = m.modified
		default:
			continue
		}
		wish.Ext = "." + format
		version := contentVersion(format, body)
		out.entries = append(out.entries, backends.Entry{
			Name: wish, ID: join(id, format), Item: item(m.root, m.id),
			Body: body, Size: int64(len(body)), Version: version,
			Mtime: mtime, Ctime: backends.Stamp(mtime, version), Btime: m.created,
			Info: backends.Info{ServiceID: m.id, ETag: m.etag, WebURL: m.webURL, From: chat.Person()},
		})
	}
	return out, nil
}

// attachments describes what a message refers to: links to files, and the images pasted into it.
func (c *conversation) attachments(chat *render.Chat, id string, m message) []backends.Entry {
	var entries []backends.Entry
	for i, f := range chat.Files() {
		part := join(id, "link", cmp.Or(f.ID, strconv.Itoa(i)))
		body := render.URL(f.URL, f.Name)
		version := contentVersion("url", body)
		entries = append(entries, backends.Entry{
			Name: names.Wanted{Stem: names.Clean(cmp.Or(f.Name, "link") + ".url"), Key: c.s.key(part), User: true},
			ID:   part, Item: item(m.root, m.id), Body: body, Size: int64(len(body)), Version: version,
			Mtime: m.created, Ctime: backends.Stamp(m.changed, version), Btime: m.created,
			Info: backends.Info{ServiceID: f.ID, WebURL: f.URL},
		})
	}
	for i, hosted := range chat.HostedContents() {
		if plain, err := url.PathUnescape(hosted); err == nil {
			hosted = plain // it stands in an address
		}
		part := join(id, "hosted", hosted)
		entries = append(entries, backends.Entry{
			Name: names.Wanted{Stem: "image-" + strconv.Itoa(i+1) + ".png", Key: c.s.key(part), User: true},
			ID:   part, Item: item(m.root, m.id), Size: backends.SizeUnknown, Version: "hosted", // never changes under its id
			Ref:   join(refHosted, c.messagePath(m.root, m.id)+graph.Path("hostedContents", hosted, "$value")),
			Mtime: m.created, Ctime: backends.Stamp(m.created, "hosted"), Btime: m.created,
			Info: backends.Info{ServiceID: hosted},
		})
	}
	return distinct(entries)
}

// item names a message within its conversation: ids are unique below one post only.
func item(root, id string) string { return "message:" + join(root, id) }
