package outlook

import (
	"bytes"
	"context"
	"errors"
	"path"
	"strconv"
	"strings"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/render"
)

// owner is what attachments hang on: a message or an event.
type owner struct {
	mailbox string
	kind    string // "messages" or "events"
	id      string
}

func (o owner) dir() backends.DirKey   { return dirKey(kindAttachments, o.mailbox, o.kind, o.id) }
func (o owner) memoryKey() string      { return join("att", o.mailbox, o.kind, o.id) }
func (o owner) collection() string     { return join("attachments", o.mailbox, o.kind, o.id) }
func (s *service) item(o owner) string { return s.prefix(o.mailbox) + graph.Path(o.kind, o.id) }

// refreshAttachments lists an owner's attachments again when they have been listed and the owner has changed since. Attachments
// of mail that has been received change next to never, so that their listings do not age. What tells the owner's states
// apart goes into memory, for the commit that the owner is part of.
func (s *service) refreshAttachments(ctx context.Context, o owner, change string, sink backends.Sink, memory map[string][]byte) error {
	key := o.memoryKey()
	value := []byte(names.Hash(change, 12))
	known, ok := sink.Get(key)
	if ok && bytes.Equal(known, value) {
		return nil
	}
	memory[key] = value
	if !sink.Dir(o.dir()).Whole {
		return nil
	}
	err := s.listAttachments(ctx, o, sink)
	if err != nil && (backends.Temporary(err) || errors.Is(err, context.Canceled) || errors.Is(err, backends.ErrNoSpace)) {
		return err
	}
	// Gone or broken: the owner's own entries will tell.
	return nil
}

// attachment is what a listing tells of one.
type attachment struct {
	ID           string `json:"id"`
	Type         string `json:"@odata.type"`
	Name         string `json:"name"`
	ContentType  string `json:"contentType"`
	ContentID    string `json:"contentId"`
	LastModified string `json:"lastModifiedDateTime"`
	Size         int64  `json:"size"`
	Item         struct {
		Type string `json:"@odata.type"`
	} `json:"item"`
}

// fields are what attachments are listed with; without a selection the service sends their bytes along. contentId belongs
// to one subtype only and has to be named with it. The items inside attachments are asked for because only their type tells
// whether an attached item is mail, an event or a contact.
const fields = "id,name,contentType,size,isInline,lastModifiedDateTime"

// listAttachments lists the attachments of a message or an event.
func (s *service) listAttachments(ctx context.Context, o owner, sink backends.Sink) error {
	plain := s.plainAttachments.Load()
	q := graph.Opts("$select", fields)
	if !plain {
		q = graph.Opts("$select", fields+",microsoft.graph.fileAttachment/contentId", "$expand", "microsoft.graph.itemattachment/item")
	}
	batch := sink.Begin(o.collection())
	defer batch.Discard()
	_, err := s.client.Pages(ctx, s.item(o)+"/attachments", q, func(p graph.Page) error {
		for _, raw := range p.Values {
			var a attachment
			if err := decode(raw, &a); err != nil || a.ID == "" {
				s.log.Warn("attachment without id left out", "owner", o.id)
				continue
			}
			if err := batch.Add(o.dir(), s.attachmentEntry(o, a)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && !plain && badRequest(err) {
		s.plainAttachments.Store(true)
		batch.Discard()
		return s.listAttachments(ctx, o, sink)
	}
	if err != nil {
		return err
	}
	return batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: o.dir(), MaxAge: -1}}})
}

func (s *service) attachmentEntry(o owner, a attachment) backends.Entry {
	name := a.Name
	if name == "" {
		name, _, _ = strings.Cut(strings.Trim(a.ContentID, "<>"), "@")
	}
	if name == "" {
		name = "attachment"
	}
	modified, _ := render.ParseTime(a.LastModified)
	e := backends.Entry{
		ID:      s.id(o.mailbox, "attachment", a.ID, o.id),
		Item:    a.ID,
		Size:    backends.SizeUnknown,
		Version: a.LastModified + ":" + strconv.FormatInt(a.Size, 10),
		Mtime:   modified,
		Btime:   modified,
		Ref:     join(refAttachment, o.mailbox, o.kind, o.id, a.ID),
		Info:    backends.Info{ServiceID: a.ID},
	}
	switch {
	case strings.HasSuffix(a.Type, "itemAttachment"):
		name = withExtension(name, itemExtension(a.Item.Type, a.ContentType, name))
	case strings.HasSuffix(a.Type, "referenceAttachment"):
		e.Version += ":" + strconv.Itoa(render.Version)
		e.Ref = join(refLink, o.mailbox, o.kind, o.id, a.Name)
		name = withExtension(name, ".url")
	}
	e.Ctime = backends.Stamp(modified, e.Version)
	e.Name = userName(name, s.key(o.mailbox, "attachment", a.ID))
	return e
}

// itemExtension tells what an attached item reads as: its $value is MIME, iCalendar or a vCard. Where the service did not say
// what the item is, the content type or the name may; mail is by far the most frequent.
func itemExtension(itemType, contentType, name string) string {
	switch strings.ToLower(itemType[strings.LastIndexByte(itemType, '.')+1:]) {
	case "event":
		return ".ics"
	case "contact":
		return ".vcf"
	case "":
	default:
		return ".eml"
	}
	kind, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	switch strings.TrimSpace(kind) {
	case "text/calendar", "application/ics", "application/calendar":
		return ".ics"
	case "text/vcard", "text/x-vcard", "text/directory", "application/vcard":
		return ".vcf"
	}
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".ics", ".vcf":
		return ext
	}
	return ".eml"
}

func withExtension(name, ext string) string {
	if strings.EqualFold(path.Ext(name), ext) {
		return name
	}
	return name + ext
}
