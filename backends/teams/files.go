package teams

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/render"
)

// childrenPage is how many children are asked for at a time; the service gives 200 by default.
const childrenPage = "999"

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
	} `json:"parentReference"`
	File *struct {
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

// folder names a folder of a drive where it is shown: via is "" or the team that a shared channel is shown in besides its
// own, because a directory can't be in two places.
type folder struct{ drive, id, via string }

func (f folder) dir() backends.DirKey { return dirKey(kindFolder, f.drive, f.id, f.via) }

// listFiles lists the channel's folder in SharePoint. Until somebody opens the files of a new channel there is none.
func (s *service) listFiles(ctx context.Context, dir backends.DirKey, c *conversation, sink backends.Sink) error {
	var got driveItem
	err := s.client.Get(ctx, graph.Path("teams", c.team(), "channels", c.id, "filesFolder"), graph.Query{}, &got)
	if errors.Is(err, backends.ErrNotFound) {
		// The same answer stands for a channel that is gone.
		if err := s.client.Get(ctx, graph.Path("teams", c.team(), "channels", c.id), graph.Opts("$select", "id"), &got); err != nil {
			return err
		}
		return s.commit(sink, dir, s.maxAge, nil)
	}
	if err != nil {
		return err
	}
	if got.ID == "" || got.Parent.DriveID == "" {
		return fmt.Errorf("%w: a channel's folder without an address", backends.ErrUnavailable)
	}
	return s.listFolder(ctx, dir, folder{got.Parent.DriveID, got.ID, c.via()}, sink)
}

// listFolder lists a folder of a drive.
func (s *service) listFolder(ctx context.Context, dir backends.DirKey, f folder, sink backends.Sink) error {
	items, err := graph.Collect[driveItem](ctx, s.client, graph.Path("drives", f.drive, "items", f.id, "children"), graph.Opts("$top", childrenPage))
	if err != nil {
		return err
	}
	entries := make([]backends.Entry, 0, len(items))
	for _, item := range items {
		if item.ID == "" {
			s.gap("file without id", "channels", "An item of a channel's files has no id.")
			continue
		}
		entries = append(entries, s.fileEntry(f, item))
	}
	return s.commit(sink, dir, s.maxAge, distinct(entries))
}

// fileEntry describes a driveItem. Its content time is the one that the client of the upload gave.
func (s *service) fileEntry(in folder, item driveItem) backends.Entry {
	id := join("file", in.drive, item.ID, in.via)
	modified := firstTime(item.Modified, item.FileSystem.Modified)
	content := firstTime(item.FileSystem.Modified, item.Modified)
	e := backends.Entry{
		Name: names.Wanted{Stem: names.Clean(cmp.Or(item.Name, "unnamed")), Key: s.key(id), User: true},
		ID:   id, Item: id, Mtime: content, Btime: firstTime(item.FileSystem.Created, item.Created),
		Info: backends.Info{ServiceID: item.ID, ETag: item.ETag, WebURL: item.WebURL, From: item.ModifiedBy.User.DisplayName},
	}
	switch {
	case item.Folder != nil && item.Remote == nil && item.Package == nil:
		e.IsDir, e.Dir, e.Mtime, e.Ctime = true, folder{in.drive, item.ID, in.via}.dir(), modified, modified
		return e
	case item.File != nil && item.Remote == nil:
		// The size goes with it because SharePoint may correct a size without telling of a new content.
		e.Version = cmp.Or(item.CTag, item.ETag, item.Modified) + " " + item.Size.String()
		e.Size, e.Ranged, e.Ref = sizeOf(item.Size), true, join(refFile, in.drive, item.ID)
		if h := item.File.Hashes.QuickXor; h != "" {
			e.Info.Hash = "quickxor:" + h
		}
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
	e.Ctime = backends.Stamp(modified, e.Version+item.ETag)
	return e
}

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
