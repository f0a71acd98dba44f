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

// listFiles lists the channel's folder in SharePoint. Until somebody opens the files of a new channel there is none.
func (s *service) listFiles(ctx context.Context, dir backends.DirKey, c *conversation, sink backends.Sink) error {
	var folder driveItem
	err := s.client.Get(ctx, graph.Path("teams", c.team(), "channels", c.id, "filesFolder"), graph.Query{}, &folder)
	if errors.Is(err, backends.ErrNotFound) {
		return s.commit(sink, dir, s.maxAge, nil)
	}
	if err != nil {
		return err
	}
	if folder.ID == "" || folder.Parent.DriveID == "" {
		return fmt.Errorf("%w: a channel's folder without an address", backends.ErrUnavailable)
	}
	return s.listFolder(ctx, dir, folder.Parent.DriveID, folder.ID, sink)
}

// listFolder lists a folder of a drive.
func (s *service) listFolder(ctx context.Context, dir backends.DirKey, drive, id string, sink backends.Sink) error {
	items, err := collect[driveItem](ctx, s.client, graph.Path("drives", drive, "items", id, "children"), graph.Opts("$top", childrenPage))
	if err != nil {
		return err
	}
	entries := make([]backends.Entry, 0, len(items))
	for _, item := range items {
		if item.ID == "" {
			s.gap("channels", "an item of a channel's files has no id")
			continue
		}
		entries = append(entries, s.fileEntry(drive, item))
	}
	return s.commit(sink, dir, s.maxAge, distinct(entries))
}

// fileEntry describes a driveItem. Its content time is the one that the client of the upload gave.
func (s *service) fileEntry(drive string, item driveItem) backends.Entry {
	id := join("file", drive, item.ID)
	modified := firstTime(item.Modified, item.FileSystem.Modified)
	content := firstTime(item.FileSystem.Modified, item.Modified)
	e := backends.Entry{
		Name: names.Wanted{Stem: names.Clean(cmp.Or(item.Name, "unnamed")), Key: s.key(id), User: true},
		ID:   id, Item: id, Mtime: content, Btime: firstTime(item.FileSystem.Created, item.Created),
		Info: backends.Info{ServiceID: item.ID, ETag: item.ETag, WebURL: item.WebURL, From: item.ModifiedBy.User.DisplayName},
	}
	switch {
	case item.Folder != nil && item.Remote == nil && item.Package == nil:
		e.IsDir, e.Dir, e.Mtime, e.Ctime = true, dirKey(kindFolder, drive, item.ID), modified, modified
		return e
	case item.File != nil && item.Remote == nil:
		e.Version = cmp.Or(item.CTag, item.ETag, item.Modified)
		e.Size, e.Ranged, e.Ref = sizeOf(item.Size), true, join(refFile, drive, item.ID)
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
