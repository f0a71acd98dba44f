package box

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/render"
)

// itemFields are all that an entry is made of. Box leaves out what is not named.
const itemFields = "type,id,etag,name,size,sha1,file_version,created_at,modified_at,content_modified_at,item_status,permissions,lock,url"

// item is a file, a folder or a web link.
type item struct {
	Type        text                    `json:"type"`
	ID          text                    `json:"id"`
	ETag        text                    `json:"etag"`
	Name        text                    `json:"name"`
	Size        *count                  `json:"size"`
	SHA1        text                    `json:"sha1"`
	FileVersion part[struct{ ID text }] `json:"file_version"`
	Created     when                    `json:"created_at"`
	Modified    when                    `json:"modified_at"`
	Content     when                    `json:"content_modified_at"`
	Status      text                    `json:"item_status"`
	Permissions part[struct {
		CanDownload *bool `json:"can_download"`
	}] `json:"permissions"`
	Lock part[struct {
		CreatedBy part[struct{ ID text }] `json:"created_by"`
		Expires   when                    `json:"expired_at"`
		Prevents  bool                    `json:"is_download_prevented"`
	}] `json:"lock"`
	URL text `json:"url"`
}

// listTries is how often a folder is read that changes all the time.
const listTries = 4

// listFolder lists a folder in a user's view. Each page is one request, and the only one. Changes that are learnt while the
// pages are read count more than these; only what nobody can tell has the folder read again.
func (b *Backend) listFolder(ctx context.Context, view, id string, sink backends.Sink) error {
	b.follow(ctx, view)
	for try := 1; ; try++ {
		if err := b.listOnce(ctx, view, id, sink); !errors.Is(err, errOld) || try == listTries {
			return err
		}
	}
}

func (b *Backend) listOnce(ctx context.Context, view, id string, sink backends.Sink) error {
	dir := folderKey(view, id)
	v := b.view(view)
	flight := v.begin(dir)
	defer v.end(flight)
	batch := sink.Begin(collection(dir))
	defer batch.Discard()
	var entries []backends.Entry
	var err error
	if id == "0" && b.foreign(view) {
		entries, err = b.readRoot(ctx, view, sink)
	} else {
		entries, err = b.readFolder(ctx, view, id)
	}
	if id == "0" && !b.cfg.EnterpriseContent && view != b.own() {
		err = b.impersonated(ctx, view, err)
	}
	if err != nil {
		return err
	}
	maxAge := b.cfg.MaxAge
	if id == "0" && b.foreign(view) {
		maxAge = ownedAge
	}
	again := false // a folder is back of which an old listing is remembered
	err = v.land(flight, entries, func(entries []backends.Entry) error {
		sortByName(entries)
		for i := range entries {
			again = again || entries[i].IsDir && v.returns(sink, &entries[i])
		}
		if err := batch.Add(dir, entries...); err != nil {
			return err
		}
		return batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir, MaxAge: maxAge, Covered: b.covered(view, id, entries)}}})
	})
	if err != nil {
		return err
	}
	if again {
		b.came(view)
	}
	if f := b.follower.Load(); id == "0" && f != nil {
		f.rootListed(view, entries)
	}
	return nil
}

// sortByName orders entries as people and programs read them, which read-ahead follows. Box orders them by id.
func sortByName(entries []backends.Entry) {
	slices.SortFunc(entries, func(x, y backends.Entry) int {
		return cmp.Or(cmp.Compare(x.Name.Stem, y.Name.Stem), cmp.Compare(x.ID, y.ID))
	})
}

func (b *Backend) readFolder(ctx context.Context, view, id string) ([]backends.Entry, error) {
	var entries []backends.Entry
	seen := map[string]bool{}
	path := "/folders/" + url.PathEscape(id) + "/items?fields=" + itemFields
	err := b.byMarker(ctx, path, view, func(raw json.RawMessage) error {
		var it item
		if json.Unmarshal(raw, &it) != nil || it.ID == "" {
			b.log("an item is unreadable", "folder", id)
			return nil
		}
		entry, ok := b.entry(view, it)
		if !ok || seen[entry.ID] {
			return nil
		}
		seen[entry.ID] = true
		entries = append(entries, entry)
		return nil
	})
	return entries, err
}

// covered tells whether events tell of everything that can happen to a folder's listing. Those of the signed-in user do not
// tell of collaborations by others: what they share appears in the root, and what may not be downloaded may be allowed.
func (b *Backend) covered(view, id string, entries []backends.Entry) bool {
	if view != b.own() {
		return id != "0" || !b.foreign(view)
	}
	return id != "0" && !slices.ContainsFunc(entries, func(e backends.Entry) bool { return strings.Contains(e.Ref, refDenied) })
}

// impersonated keeps account of whom the sign-in cannot act for. Box says so with 403 or with 404.
func (b *Backend) impersonated(ctx context.Context, view string, err error) error {
	what := "users/" + view + "/files"
	switch {
	case refused(err):
		b.cannotAct(view, b.whyNot(ctx, view))
		return fmt.Errorf("acting as user %s: %w (%w)", view, backends.ErrForbidden, plain(err))
	case err == nil:
		b.noGap(what)
	}
	return err
}

// cannotAct tells in Coverage why a user's files are not to be seen.
func (b *Backend) cannotAct(view, reason string) {
	what, login := "users/"+view+"/files", view
	if u, ok := b.person(view); ok && u.Login != "" {
		login = string(u.Login)
	}
	b.gapOf(what, "users/"+login+"/files", "the sign-in may not act as this user: "+reason)
}

// plain hides the kind of an error that is given another kind.
func plain(err error) error { return errors.New(err.Error()) }

// entry describes an item; false for what is not shown.
func (b *Backend) entry(view string, it item) (backends.Entry, bool) {
	if it.Status == "trashed" || it.Status == "deleted" {
		return backends.Entry{}, false
	}
	name := string(it.Name)
	if name == "" {
		name = string(it.Type) + "-" + string(it.ID)
	}
	id := b.identity(text(view), string(it.Type), string(it.ID))
	e := backends.Entry{
		ID: id, Item: id,
		Mtime: it.Modified.Time, Ctime: it.Modified.Time, Btime: it.Created.Time,
		Info: backends.Info{ServiceID: string(it.ID), ETag: string(it.ETag)},
	}
	switch it.Type {
	case "folder":
		e.IsDir, e.Dir = true, folderKey(view, string(it.ID))
	case "file":
		b.fileEntry(&e, view, it)
	case "web_link":
		if !strings.HasSuffix(strings.ToLower(name), ".url") {
			name += ".url"
		}
		e.Body = render.URL(string(it.URL), "")
		e.Version = hashOf(e.Body)
		e.Info.WebURL = string(it.URL)
		e.Ctime = backends.Stamp(it.Modified.Time, e.Version+string(it.ETag))
	default:
		return backends.Entry{}, false
	}
	e.Name = names.Wanted{Stem: names.Clean(name), Key: id, User: true}
	return e, true
}

func (b *Backend) fileEntry(e *backends.Entry, view string, it item) {
	e.Version = string(it.FileVersion.V.ID + ":" + it.SHA1)
	if it.FileVersion.V.ID == "" {
		e.Version = string("etag " + it.ETag + ":" + it.SHA1)
	}
	e.Size, e.Ranged = backends.SizeUnknown, true
	if it.Size != nil {
		e.Size = int64(*it.Size)
	}
	if e.Size == 0 {
		e.Body = []byte{}
	}
	if !it.Content.IsZero() {
		e.Mtime = it.Content.Time
	}
	changed := it.Modified.Time
	if changed.IsZero() {
		changed = e.Mtime
	}
	e.Ctime = backends.Stamp(changed, e.Version+string(it.ETag))
	if it.SHA1 != "" {
		e.Info.Hash = "sha1:" + string(it.SHA1)
	}
	r := ref{View: view, ID: string(it.ID), Version: string(it.FileVersion.V.ID), SHA1: strings.ToLower(string(it.SHA1))}
	if can := it.Permissions.V.CanDownload; can != nil && !*can {
		r.Denied = true
	}
	if l := it.Lock.V; l.Prevents && string(l.CreatedBy.V.ID) != b.actor(view) {
		r.Locked = noExpiry
		if !l.Expires.IsZero() {
			r.Locked = l.Expires.Unix()
		}
	}
	e.Ref = r.String()
}

// noExpiry is a lock without end.
const noExpiry = 1 << 62

// ref is what Fetch has to know of a file.
type ref struct {
	View    string `json:"u"`
	ID      string `json:"i"`
	Version string `json:"v,omitempty"` // of the content, "" if Box does not tell
	SHA1    string `json:"s,omitempty"`
	Denied  bool   `json:"d,omitempty"` // permissions forbid the download
	Locked  int64  `json:"l,omitempty"` // a lock forbids it until then, Unix time
}

// refDenied is in the text of a ref that is denied.
const refDenied = `"d":true`

func (r ref) String() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and numbers can be encoded
	}
	return string(b)
}

// forbidden tells whether the download need not be tried.
func (r ref) forbidden(now time.Time) bool { return r.Denied || r.Locked > now.Unix() }

// hashOf is a version made of a content and the renderer's version.
func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return fmt.Sprintf("r%d:%s", render.Version, hex.EncodeToString(sum[:12]))
}
