package teams

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
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

	Replies     []json.RawMessage `json:"replies"`
	RepliesNext string            `json:"replies@odata.nextLink"`
}

// message is a message as it goes into a batch.
type message struct {
	created  time.Time
	modified time.Time
	month    month
	entries  []backends.Entry
	// files is the directory of its attachments and what is in it; "" if it has none.
	dir   backends.DirKey
	files []backends.Entry
}

// contentVersion names a content by its bytes, which are a pure function of resource and renderer.
func contentVersion(format string, body []byte) string {
	sum := sha256.Sum256(body)
	return format + strconv.Itoa(render.Version) + ":" + hex.EncodeToString(sum[:12])
}

// withoutReplies takes expanded replies out of a post: they are files of their own, and a post does not change because
// somebody answers it.
func withoutReplies(raw json.RawMessage, f *facts) json.RawMessage {
	if f.Replies == nil && f.RepliesNext == "" {
		return raw
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return raw
	}
	for name := range members {
		if name == "replies" || strings.HasPrefix(name, "replies@") {
			delete(members, name)
		}
	}
	out, err := json.Marshal(members)
	if err != nil {
		return raw
	}
	return out
}

// message describes a message of the conversation; root is the id of the post that it replies to, "" for a post.
func (c *conversation) message(raw json.RawMessage, f *facts, root string) (message, error) {
	raw = withoutReplies(raw, f)
	chat, err := render.ParseChat(raw)
	if err != nil {
		return message{}, err
	}
	m := message{created: chat.Date()}
	m.month = monthOf(m.created)
	m.modified, _ = render.ParseTime(f.Modified)
	changed := m.created
	for _, s := range []string{f.Edited, f.Deleted} {
		if t, ok := render.ParseTime(s); ok && t.After(changed) {
			changed = t
		}
	}
	id := c.messageID(root, f.ID)
	stem := names.Stem(m.created, chat.Person(), chat.Subject())
	if root != "" {
		stem = names.ReplyStem(m.created, chat.Person(), chat.Subject(), c.s.key(c.messageID("", root)))
	}
	entry := func(part, ext string, body []byte, mtime time.Time) backends.Entry {
		version := contentVersion(part, body)
		return backends.Entry{
			Name: names.Wanted{Stem: stem, Key: c.s.key(id), Ext: ext}, ID: join(id, part), Item: item(root, f.ID),
			Body: body, Size: int64(len(body)), Version: version,
			Mtime: mtime, Ctime: backends.Stamp(mtime, version), Btime: m.created,
			Info: backends.Info{ServiceID: f.ID, ETag: f.ETag, WebURL: f.WebURL, From: chat.Person()},
		}
	}
	options := render.ChatOptions{ConversationID: c.id, RootID: root}
	if chat.HasAttachments() {
		e := backends.Entry{
			Name: names.Wanted{Stem: stem, Key: c.s.key(id), Ext: ".attachments"}, ID: join(id, "attachments"), Item: item(root, f.ID),
			IsDir: true, Dir: c.attachmentsKey(root, f.ID), Mtime: changed, Ctime: changed, Btime: m.created,
		}
		// The directory's name is part of the text, so it has to be a pure function of the message: the hash as it is
		// before any collision.
		options.AttachmentsDir = stem + "~" + names.Hash(e.Name.Key, names.HashLen) + e.Name.Ext
		m.dir, m.files = e.Dir, c.attachments(chat, id, root, f.ID, m.created)
		m.entries = append(m.entries, e)
	}
	for _, format := range c.s.formats {
		var body []byte
		mtime := changed
		switch format {
		case "md":
			body = chat.MD(options)
		case "eml":
			if body, err = chat.EML(options); err != nil {
				return message{}, fmt.Errorf("message %s as eml: %w", f.ID, err)
			}
		case "json":
			if body, err = render.JSON(raw); err != nil {
				return message{}, fmt.Errorf("message %s as json: %w", f.ID, err)
			}
			if m.modified.After(mtime) {
				mtime = m.modified
			}
		default:
			continue
		}
		m.entries = append(m.entries, entry(format, "."+format, body, mtime))
	}
	return m, nil
}

// attachments describes what a message refers to: links to files, and the images pasted into it.
func (c *conversation) attachments(chat *render.Chat, id, root, message string, at time.Time) []backends.Entry {
	var entries []backends.Entry
	for i, f := range chat.Files() {
		part := join(id, "link", cmp.Or(f.ID, strconv.Itoa(i)))
		body := render.URL(f.URL, f.Name)
		version := contentVersion("url", body)
		entries = append(entries, backends.Entry{
			Name: names.Wanted{Stem: names.Clean(cmp.Or(f.Name, "link") + ".url"), Key: c.s.key(part), User: true},
			ID:   part, Item: item(root, message), Body: body, Size: int64(len(body)), Version: version,
			Mtime: at, Ctime: backends.Stamp(at, version), Btime: at,
			Info: backends.Info{ServiceID: f.ID, WebURL: f.URL},
		})
	}
	for i, hosted := range chat.HostedContents() {
		part := join(id, "hosted", hosted)
		entries = append(entries, backends.Entry{
			Name: names.Wanted{Stem: "image-" + strconv.Itoa(i+1) + ".png", Key: c.s.key(part), User: true},
			ID:   part, Item: item(root, message), Size: backends.SizeUnknown, Version: "hosted", // never changes under its id
			Ref:   join(refHosted, c.messagePath(root, message)+"/hostedContents"+graphSegment(hosted)+"/$value"),
			Mtime: at, Ctime: backends.Stamp(at, "hosted"), Btime: at,
			Info: backends.Info{ServiceID: hosted},
		})
	}
	return distinct(entries)
}

// item names a message within its conversation: ids are unique below one post only.
func item(root, id string) string { return "message:" + join(root, id) }
