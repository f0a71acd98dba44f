package teams

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/render"
)

// driveItem holds the fields of a Graph driveItem that a listing needs.
type driveItem struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	ETag       string      `json:"eTag"`
	CTag       string      `json:"cTag"`
	Size       json.Number `json:"size"`
	WebURL     string      `json:"webUrl"`
	Created    string      `json:"createdDateTime"`
	Modified   string      `json:"lastModifiedDateTime"`
	FileSystem struct {
		Created  string `json:"createdDateTime"`
		Modified string `json:"lastModifiedDateTime"`
	} `json:"fileSystemInfo"`
	Parent struct {
		DriveID string `json:"driveId"`
		ID      string `json:"id"`
	} `json:"parentReference"`
	Deleted *json.RawMessage `json:"deleted"` // in deltas
	Root    *json.RawMessage `json:"root"`
	File    *struct {
		Hashes struct {
			QuickXor string `json:"quickXorHash"`
		} `json:"hashes"`
	} `json:"file"`
	Folder  *json.RawMessage `json:"folder"`
	Package *json.RawMessage `json:"package"`
	Remote  *struct {
		WebURL string `json:"webUrl"`
	} `json:"remoteItem"`
	ModifiedBy struct {
		User struct {
			DisplayName string `json:"displayName"`
		} `json:"user"`
	} `json:"lastModifiedBy"`
}

// hash is what Info says of a content, "" for one that the service has not processed yet.
func (i *driveItem) hash() string {
	if i.File == nil || i.File.Hashes.QuickXor == "" {
		return ""
	}
	return "quickxor:" + i.File.Hashes.QuickXor
}

// isFolder tells whether an item is shown as a directory.
func (i *driveItem) isFolder() bool { return i.Folder != nil && i.Remote == nil && i.Package == nil }

// fileEntry describes a driveItem. Its content time is the one that the client of the upload gave.
func (s *service) fileEntry(in folder, item driveItem, sink backends.Sink) backends.Entry {
	id := fileID(in.drive, item.ID, in.via)
	modified := firstTime(item.Modified, item.FileSystem.Modified)
	content := firstTime(item.FileSystem.Modified, item.Modified)
	e := backends.Entry{
		Name: names.Wanted{Stem: names.Clean(cmp.Or(item.Name, "unnamed")), Key: s.key(id), User: true},
		ID:   id, Item: id, Mtime: content, Btime: firstTime(item.FileSystem.Created, item.Created),
		Info: backends.Info{ServiceID: item.ID, ETag: item.ETag, WebURL: item.WebURL, From: item.ModifiedBy.User.DisplayName},
	}
	switch {
	case item.isFolder():
		e.IsDir, e.Dir, e.Mtime, e.Ctime = true, folder{in.drive, item.ID, in.via}.dir(), modified, modified
		return e
	case item.File != nil && item.Remote == nil:
		e.Version = fileVersion(id, &item, sink)
		e.Size, e.Ranged, e.Ref = sizeOf(item.Size), true, join(refFile, in.drive, item.ID)
		e.Info.Hash = item.hash()
		if e.Size == 0 {
			e.Body = []byte{}
		}
	default:
		// Notebooks and what lies elsewhere have no bytes to download: a link tells where they are.
		target := item.WebURL
		if item.Remote != nil && item.Remote.WebURL != "" {
			target = item.Remote.WebURL
		}
		e.Name.Stem = names.Clean(cmp.Or(item.Name, "unnamed") + ".url")
		e.Body = render.URL(target, item.Name)
		e.Size = int64(len(e.Body))
		e.Version = contentVersion("url", e.Body)
	}
	e.Ctime = backends.Stamp(modified, item.ETag+" "+item.Size.String())
	return e
}

// fileVersion names the content of a file. Lists have a tag of the content that deltas lack (driveItem: delta), both have its
// hash once the service has made it, and the item's own tag changes more often than the content: so what is shown already
// keeps its version as long as anything proves that the content is the same. The size goes with it because SharePoint may
// correct a size without telling of a new content.
func fileVersion(id string, item *driveItem, sink backends.Sink) string {
	size := " " + item.Size.String()
	hash := item.hash()
	for _, known := range sink.Where(id) {
		same := item.ETag != "" && known.Info.ETag == item.ETag || hash != "" && known.Info.Hash == hash
		if same && strings.HasSuffix(known.Version, size) {
			return known.Version
		}
	}
	return cmp.Or(hash, item.CTag, item.ETag, item.Modified) + size
}

// fileID is the identity of a drive's item where it is shown.
func fileID(drive, item, via string) string { return join("file", drive, item, via) }

// sizeOf reads a size, which may come as a float. What is no size has to be learnt.
func sizeOf(n json.Number) int64 {
	if v, err := strconv.ParseInt(n.String(), 10, 64); err == nil && v >= 0 {
		return v
	}
	if v, err := n.Float64(); err == nil && v >= 0 && v < 1<<62 {
		return int64(v)
	}
	return backends.SizeUnknown
}

func firstTime(candidates ...string) time.Time {
	for _, s := range candidates {
		if t, ok := render.ParseTime(s); ok {
			return t
		}
	}
	return time.Time{}
}
