package drive

import (
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
)

// stamp is the form of times in SharePoint: whole seconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// identity is an identitySet. Changes by the system have an application.
func identity(p *company.Person) map[string]any {
	if p == nil {
		return map[string]any{"application": map[string]any{"id": "08e18876-6177-487e-b8b5-cf950c1e598c", "displayName": "SharePoint App"},
			"user": map[string]any{"displayName": "System Account"}}
	}
	return map[string]any{"user": map[string]any{"email": p.Mail, "id": p.ID, "displayName": p.DisplayName}}
}

// office says whether the file opens in a browser by a link that names it by its GUID.
func office(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".docx", ".xlsx", ".pptx":
		return true
	}
	return false
}

// browserURL is the webUrl property: the plain URL except for Office files.
func (d *Drive) browserURL(it *Item) string {
	if it.Content != nil && office(it.Name) {
		return d.SiteURL + "/_layouts/15/Doc.aspx?sourcedoc=%7B" + strings.ToUpper(it.GUID) + "%7D&file=" +
			url.QueryEscape(it.Name) + "&action=default&mobileredirect=true"
	}
	return d.WebURL(it)
}

// parentReference is the itemReference of the folder that holds it.
func (d *Drive) parentReference(it *Item, withPath bool) map[string]any {
	ref := map[string]any{"driveType": d.Type, "driveId": d.ID, "siteId": d.SiteID}
	p := it.parent
	if p == nil {
		return ref
	}
	ref["id"], ref["name"] = p.ID, p.Name
	if p.parent == nil {
		ref["name"] = d.Name
	}
	if withPath {
		ref["path"] = "/drives/" + d.ID + "/root:" + (&url.URL{Path: p.path()}).EscapedPath()
	}
	return ref
}

// itemJSON is the driveItem resource as single gets and children lists give it. Called with the Store's lock held.
func (s *Service) itemJSON(d *Drive, it *Item, withPath bool) map[string]any {
	m := map[string]any{
		"id": it.ID, "name": it.Name, "eTag": it.eTag(), "size": it.size(), "webUrl": d.browserURL(it),
		"createdDateTime": stamp(it.Created), "lastModifiedDateTime": stamp(it.Modified),
		"createdBy": identity(it.CreatedBy), "lastModifiedBy": identity(it.ModifiedBy),
		"parentReference": d.parentReference(it, withPath),
		"fileSystemInfo":  map[string]any{"createdDateTime": stamp(it.Created), "lastModifiedDateTime": stamp(it.ContentTime)},
	}
	if it.Description != "" {
		m["description"] = it.Description
	}
	if it.Shared {
		m["shared"] = map[string]any{"scope": "users"}
	}
	switch {
	case it.Remote != nil:
		s.remoteJSON(m, it)
	case it.Package != "":
		m["package"] = map[string]any{"type": it.Package}
		m["cTag"] = it.cTag()
	case it.children != nil:
		m["folder"] = map[string]any{"childCount": it.children.Len()}
		if it.parent == nil {
			m["root"] = map[string]any{}
		}
	default:
		m["cTag"] = it.cTag()
		file := map[string]any{"mimeType": it.ContentType}
		if !s.world.Clock.Now().Before(it.HashAfter) {
			file["hashes"] = map[string]any{"quickXorHash": it.hash.get(it.Content)}
		}
		m["file"] = file
		if it.Malware != "" {
			m["malware"] = map[string]any{"description": it.Malware}
		} else {
			m["@microsoft.graph.downloadUrl"] = s.downloadURL(d, it, 0)
		}
	}
	return m
}

// remoteJSON adds the remoteItem facet, which describes the target as its own drive has it.
func (s *Service) remoteJSON(m map[string]any, it *Item) {
	remote := map[string]any{"id": it.Remote.ItemID, "parentReference": map[string]any{"driveId": it.Remote.DriveID}}
	if d := s.Store.drives[it.Remote.DriveID]; d != nil {
		if target := d.items[it.Remote.ItemID]; target != nil {
			whole := s.itemJSON(d, target, false)
			for _, k := range []string{"name", "size", "file", "folder", "package", "fileSystemInfo", "webUrl", "lastModifiedDateTime", "createdDateTime", "createdBy", "lastModifiedBy", "parentReference"} {
				if v, ok := whole[k]; ok {
					remote[k] = v
				}
			}
		}
	}
	m["remoteItem"] = remote
}

// deltaJSON is an item as delta gives it: without path, and what is gone as little more than an id (business drives leave
// out cTag always, name on deletes).
func (s *Service) deltaJSON(d *Drive, it *Item) map[string]any {
	if it.deleted {
		facet := "file"
		if it.children != nil {
			facet = "folder"
		}
		return map[string]any{"id": it.ID, "size": 0, "parentReference": d.parentReference(it, false),
			"deleted": map[string]any{"state": "deleted"}, facet: map[string]any{}}
	}
	m := s.itemJSON(d, it, false)
	delete(m, "cTag")
	return m
}

// driveJSON is the drive resource.
func (s *Service) driveJSON(d *Drive) map[string]any {
	const total = int64(1) << 40
	m := map[string]any{
		"id": d.ID, "driveType": d.Type, "name": d.Name, "webUrl": d.URL, "description": "",
		"createdDateTime": stamp(d.Created), "lastModifiedDateTime": stamp(d.Root.Modified),
		"createdBy": identity(nil),
		"quota":     map[string]any{"deleted": 0, "remaining": total - d.Root.total, "state": "normal", "total": total, "used": d.Root.total},
	}
	if d.Owner != nil {
		m["owner"] = identity(d.Owner)
	} else {
		m["owner"] = map[string]any{"group": map[string]any{"id": d.GroupID, "displayName": d.SiteName}}
	}
	return m
}

// siteJSON is the site that holds a drive.
func (d *Drive) siteJSON() map[string]any {
	host, _, _ := strings.Cut(strings.TrimPrefix(d.SiteURL, "https://"), "/")
	return map[string]any{"id": d.SiteID, "displayName": d.SiteName, "name": path.Base(d.SiteURL), "webUrl": d.SiteURL,
		"createdDateTime": stamp(d.Created), "siteCollection": map[string]any{"hostname": host}}
}

// FilesFolder is the answer to a channel's filesFolder: a driveItem with few properties and unset dates, as the service
// gives it (Graph documentation, channel: get filesFolder).
func (s *Service) FilesFolder(d *Drive, it *Item) map[string]any {
	s.Store.mu.RLock()
	defer s.Store.mu.RUnlock()
	return map[string]any{
		"id": it.ID, "name": it.Name, "webUrl": d.WebURL(it), "size": it.size(),
		"createdDateTime": "0001-01-01T00:00:00Z", "lastModifiedDateTime": "0001-01-01T00:00:00Z",
		"parentReference": map[string]any{"driveId": d.ID, "driveType": d.Type},
		"fileSystemInfo":  map[string]any{"createdDateTime": stamp(it.Created), "lastModifiedDateTime": stamp(it.Modified)},
		"folder":          map[string]any{"childCount": it.children.Len()},
	}
}
