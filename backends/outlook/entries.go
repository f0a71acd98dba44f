package outlook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/render"
	"github.com/workfs/workfs/backends/render/jsonscan"
)

// facts are the members of an item that decide where and how it is shown.
type facts struct {
	ID, ETag, Type, Context     string
	Removed                     bool
	Received, Created, Modified string
	IsDraft                     bool
	WebLink                     string
	Change                      string // changeKey
	From                        string // address
}

// item is a message, as it goes into a batch.
type item struct {
	id      string
	removed bool
	month   month
	entries []backends.Entry
	// attachments is the key of the directory of its attachments, "" if it has none; change tells its states apart.
	attachments backends.DirKey
	change      string
}

// canonical takes control information out of a resource that depends on how it was asked for: a delta names the type of a
// plain message, a list does not.
func canonical(raw json.RawMessage, x *facts, plainType string) json.RawMessage {
	if x.Context == "" && x.Type != plainType {
		return raw
	}
	return without(raw, func(name, value []byte) bool {
		return string(name) == "@odata.context" || string(name) == "@odata.type" && jsonscan.String(value) == plainType
	})
}

// contentVersion names a content by its bytes, which are a pure function of resource and renderer.
func contentVersion(body []byte) string {
	sum := sha256.Sum256(body)
	return strconv.Itoa(render.Version) + ":" + hex.EncodeToString(sum[:12])
}

// broken is the version and Ref of what could not be rendered: reading it fails, its directory does not.
const broken = "broken"

// rendered makes the entry of a form whose bytes come with the listing.
func rendered(e backends.Entry, body []byte, err error, mtime time.Time) backends.Entry {
	e.Mtime = mtime
	if err != nil {
		e.Size, e.Version, e.Ref = backends.SizeUnknown, broken, broken
		e.Ctime = mtime
		return e
	}
	if body == nil {
		body = []byte{}
	}
	e.Body, e.Version = body, contentVersion(body)
	e.Ctime = backends.Stamp(mtime, e.Version)
	return e
}

// messages decodes and renders the elements of a page, in parallel, in their order. Elements without an id count in
// dropped.
func (s *service) messages(f *folder, values []json.RawMessage) (out []item, dropped int) {
	out = make([]item, len(values))
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(values))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(values); i += workers {
				out[i] = s.message(f, values[i])
			}
		})
	}
	wg.Wait()
	n := len(out)
	out = slices.DeleteFunc(out, func(it item) bool { return it.id == "" })
	return out, n - len(out)
}

// message makes the entries of one message, which is valid JSON; an id of "" means that it has none.
func (s *service) message(f *folder, raw json.RawMessage) item {
	var x facts
	if !scanFacts(raw, &x) || x.ID == "" {
		return item{}
	}
	if x.Removed {
		return item{id: x.ID, removed: true}
	}
	formats := s.mailFormats(f.mailbox)
	if len(formats) > 1 || formats[0] != "md" {
		// Of what it takes out nothing shows in md, and a copy of each message would be made for that.
		raw = canonical(raw, &x, "#microsoft.graph.message")
	}
	received, _ := render.ParseTime(x.Received)
	modified, _ := render.ParseTime(x.Modified)
	created, _ := render.ParseTime(x.Created)
	it := item{id: x.ID, month: monthOf(received), change: x.Change}
	if it.change == "" {
		it.change = x.Modified
	}
	if it.month == 0 {
		received = time.Time{}
	}
	mtime := received
	if x.IsDraft && !modified.IsZero() || mtime.IsZero() {
		mtime = modified
	}
	if modified.IsZero() {
		modified = mtime
	}
	key := s.key(f.mailbox, "message", x.ID)
	base := backends.Entry{
		Name:  names.Wanted{Key: key},
		Item:  messageItem(x.ID),
		Btime: created,
		Info:  backends.Info{ServiceID: x.ID, ETag: x.ETag, WebURL: x.WebLink, From: x.From},
	}
	m := render.MessageOf(raw)
	base.Name.Stem = names.Stem(received, m.Person(), m.Subject())
	envelope := s.envelopes(f.mailbox)
	attachments := ""
	if m.HasAttachments() && !envelope {
		e := base
		e.Name.Ext = ".attachments"
		e.ID = s.id(f.mailbox, "message", x.ID, "attachments")
		e.IsDir, e.Dir = true, dirKey(kindAttachments, f.mailbox, "messages", x.ID)
		e.Mtime, e.Ctime = mtime, mtime
		it.attachments = e.Dir
		it.entries = append(it.entries, e)
		attachments = names.Assign([]names.Wanted{e.Name})[0]
	}
	for _, format := range formats {
		e := base
		e.Name.Ext = "." + format
		e.ID = s.id(f.mailbox, "message", x.ID, format)
		switch format {
		case "md":
			body := m.HeadMD
			if !envelope && !m.Bodiless() {
				body = func() []byte { return m.MD(attachments) }
			}
			e = rendered(e, body(), nil, mtime)
		case "json":
			body, err := render.JSON(raw)
			e = rendered(e, body, err, modified)
		case "eml":
			e.Size, e.Version = backends.SizeUnknown, "mime:"+m.Stable()
			e.Mtime, e.Ctime = mtime, backends.Stamp(mtime, e.Version)
			e.Ref = join(refMIME, f.mailbox, x.ID)
		default:
			continue
		}
		it.entries = append(it.entries, e)
	}
	return it
}

func messageItem(id string) string { return "message:" + id }
