package drive

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/graph"
)

// Switches of this package.
const (
	switchIgnoreRange   = "drive.ignore_range_percent"
	switchExpiredStatus = "drive.expired_status"
	switchDeltaEpoch    = "drive.delta_epoch"
	switchResyncCode    = "drive.resync_code"
	switchLocked        = "drive.locked_site"
	switchPromote       = "drive.promote_properties"
)

var (
	permsOwn   = graph.Perms{Delegated: []string{"Files.Read"}, App: []string{"Files.Read.All"}, DelegatedShared: []string{"Files.Read.All"}}
	permsRead  = graph.Perms{Delegated: []string{"Files.Read"}, App: []string{"Files.Read.All"}}
	permsWrite = graph.Perms{Delegated: []string{"Files.ReadWrite"}, App: []string{"Files.ReadWrite.All"}, DelegatedShared: []string{"Files.ReadWrite.All"}}
	permsSite  = graph.Perms{Delegated: []string{"Sites.Read.All"}, App: []string{"Sites.Read.All"}}
)

// Service serves the drives of a Store.
type Service struct {
	Store *Store

	world     *core.World
	key       [32]byte // signs download URLs
	ranges    atomic.Int64
	downloads *core.Router
}

// New makes the drives of everybody in the company and registers the routes with the Graph host. Other packages may add
// drives to its Store.
func New(w *core.World, g *graph.Server, people *company.Company) *Service {
	s := &Service{Store: NewStore(w.Clock.Now, people), world: w, key: w.Sum("drive downloads")}
	sw := w.Switches
	sw.Register(switchIgnoreRange, 0, "share of Range requests to the download host, in percent, that get the whole file with 200")
	sw.Register(switchExpiredStatus, http.StatusUnauthorized, "status for an expired download URL: 401, 403 or 404 (undocumented)")
	sw.Register(switchDeltaEpoch, 1, "delta tokens of another epoch are answered with 410: raise it to force a resync")
	sw.Register(switchResyncCode, "resyncChangesApplyDifferences", "error code of that 410; the other is resyncChangesUploadDifferences")
	sw.Register(switchLocked, "", "name of a site (last part of its URL) that is locked: 423 resourceLocked")
	sw.Register(switchPromote, true, "the listed size of an Office file changes after an upload and is not that of the download (observed)")
	// Whole days, so that the seed is the same all day.
	s.Store.seedPeople(w.Start().Truncate(24 * time.Hour))
	s.downloads = s.newDownloads()
	s.routes(g)
	return s
}

// Downloads is the handler of the host that gives out bytes, World.Hosts.DriveDownload.
func (s *Service) Downloads() http.Handler { return s.downloads }

// reads says whether the caller may read an item of a drive. Called with the Store's lock held.
func (s *Service) reads(r *graph.Request, d *Drive, it *Item) bool {
	c := r.Caller
	if c.AppOnly {
		return true
	}
	if d.Owner != nil && d.Owner.ID == c.UserID {
		return true
	}
	if !c.Has("Files.Read.All", "Sites.Read.All") {
		return false
	}
	if d.Readers != nil && d.Readers(c.UserID) {
		return true
	}
	for ; it != nil; it = it.parent {
		for _, p := range it.Grants {
			if p.ID == c.UserID {
				return true
			}
		}
	}
	return false
}

// driveFinder gives the drive that a request's path names; nil when there is none. Called with the Store's lock held.
type driveFinder func(r *graph.Request) *Drive

// target is what a request is about.
type target struct {
	drive  *Drive
	item   *Item  // nil: the path's last name does not exist
	parent *Item  // the folder of a missing item
	name   string // of a missing item
	action string // what follows the item, as in "children"
}

// routes registers everything.
func (s *Service) routes(g *graph.Server) {
	s.driveRoutes(g, "/drives/{drive}", func(r *graph.Request) *Drive { return s.Store.drives[r.Param("drive")] })
	s.driveRoutes(g, "{U}/drive", func(r *graph.Request) *Drive { return s.Store.byUser[r.User.ID] })
	s.driveRoutes(g, "/groups/{group}/drive", func(r *graph.Request) *Drive { return s.Store.byGroup[strings.ToLower(r.Param("group"))] })
	s.driveRoutes(g, "/sites/{site}/drive", func(r *graph.Request) *Drive { return s.Store.bySite[r.Param("site")] })
	for prefix, find := range map[string]driveFinder{
		"{U}/drives":             func(r *graph.Request) *Drive { return s.Store.byUser[r.User.ID] },
		"/groups/{group}/drives": func(r *graph.Request) *Drive { return s.Store.byGroup[strings.ToLower(r.Param("group"))] },
		"/sites/{site}/drives":   func(r *graph.Request) *Drive { return s.Store.bySite[r.Param("site")] },
	} {
		g.Handle("GET "+prefix, permsOwn, s.withDrive(find, func(r *graph.Request, d *Drive) {
			r.WritePage(graph.Page{Items: []any{s.driveJSON(d)}})
		}))
	}
	g.Handle("GET /sites/{site}", permsSite, s.withDrive(func(r *graph.Request) *Drive { return s.Store.bySite[r.Param("site")] },
		func(r *graph.Request, d *Drive) { r.Entity(http.StatusOK, d.siteJSON()) }))
	g.Handle("GET /groups/{group}/sites/root", permsSite, s.withDrive(func(r *graph.Request) *Drive { return s.Store.byGroup[strings.ToLower(r.Param("group"))] },
		func(r *graph.Request, d *Drive) { r.Entity(http.StatusOK, d.siteJSON()) }))
	g.Handle("GET /sites/{site}/{rest...}", permsSite, s.withDrive(s.siteByPath,
		func(r *graph.Request, d *Drive) { r.Entity(http.StatusOK, d.siteJSON()) }))
	for _, method := range []string{"GET", "PUT", "PATCH", "POST", "DELETE"} {
		perms := permsRead
		if method != "GET" {
			perms = permsWrite
		}
		serve := s.shared(s.dispatch(method))
		if method != "PUT" && method != "POST" {
			g.Handle(method+" /shares/{share}/driveItem", perms, serve)
		}
		g.Handle(method+" /shares/{share}/driveItem/{action...}", perms, serve)
	}
}

// siteByPath resolves /sites/contoso.sharepoint.com:/sites/Engineering.
func (s *Service) siteByPath(r *graph.Request) *Drive {
	host, ok := strings.CutSuffix(r.Param("site"), ":")
	if !ok {
		return nil
	}
	want := "https://" + host + "/" + strings.Trim(r.Param("rest"), "/:")
	for _, d := range s.Store.drives {
		if strings.EqualFold(d.SiteURL, want) {
			return d
		}
	}
	return nil
}

// actions are the resources below an item, beside the item itself. Each is a route of its own so that statistics tell them
// apart.
var actions = map[string][]string{
	"":                            {"GET", "PATCH", "DELETE"},
	"/children":                   {"GET", "POST"},
	"/content":                    {"GET", "PUT"},
	"/versions":                   {"GET"},
	"/versions/{version}":         {"GET"},
	"/versions/{version}/content": {"GET"},
	"/permissions":                {"GET"},
	"/permanentDelete":            {"POST"},
	"/delta":                      {"GET"},
}

// driveRoutes registers the addresses of a drive and its items under a prefix.
func (s *Service) driveRoutes(g *graph.Server, prefix string, find driveFinder) {
	perms := func(method string) graph.Perms {
		if method == "GET" {
			return permsOwn
		}
		return permsWrite
	}
	g.Handle("GET "+prefix, permsOwn, s.withDrive(find, func(r *graph.Request, d *Drive) { r.Entity(http.StatusOK, r.Select(s.driveJSON(d))) }))
	for action, methods := range actions {
		for _, method := range methods {
			serve := s.dispatch(method)
			name := strings.TrimPrefix(action, "/")
			g.Handle(method+" "+prefix+"/root"+action, perms(method), s.withTarget(find, func(r *graph.Request, d *Drive) target {
				return target{drive: d, item: d.Root, action: versioned(r, name)}
			}, serve))
			g.Handle(method+" "+prefix+"/items/{item}"+action, perms(method), s.withTarget(find, func(r *graph.Request, d *Drive) target {
				t := byKey(d, r.Param("item"))
				if t.action == "" {
					t.action = versioned(r, name)
				}
				return t
			}, serve))
		}
	}
	for _, method := range []string{"GET", "PUT", "PATCH", "POST", "DELETE"} {
		serve := s.dispatch(method)
		g.Handle(method+" "+prefix+"/root:/{rest...}", perms(method), s.withTarget(find, func(r *graph.Request, d *Drive) target {
			return byPath(d, d.Root, r.Param("rest"))
		}, serve))
		g.Handle(method+" "+prefix+"/items/{item}/{rest...}", perms(method), s.withTarget(find, func(r *graph.Request, d *Drive) target {
			id, ok := strings.CutSuffix(r.Param("item"), ":")
			if from := byKey(d, id).item; ok && from != nil {
				return byPath(d, from, r.Param("rest"))
			}
			return target{drive: d}
		}, serve))
	}
	// root/delta(token='latest') is the function in OData's own spelling; delta() is plain delta to the router.
	g.Handle("GET "+prefix+"/root/{function}", permsOwn, s.withTarget(find, func(r *graph.Request, d *Drive) target {
		return target{drive: d, item: d.Root, action: r.Param("function")}
	}, s.dispatch("GET")))
}

// versioned fills in the version of an action that has one.
func versioned(r *graph.Request, action string) string {
	return strings.Replace(action, "{version}", r.Param("version"), 1)
}

// byKey resolves what stands for an item's id: the id, "root", or in one escaped segment "root:/a/b:", as SDKs send it.
func byKey(d *Drive, key string) target {
	id, path, hasPath := strings.Cut(key, ":")
	from := d.items[id]
	if strings.EqualFold(id, "root") {
		from = d.Root
	}
	if from == nil || !hasPath {
		return target{drive: d, item: from}
	}
	return byPath(d, from, path)
}

// byPath resolves "a/b:/children" below an item.
func byPath(d *Drive, from *Item, rest string) target {
	path, action, _ := strings.Cut(rest, ":")
	t := target{drive: d, item: walk(from, path), action: strings.Trim(action, "/")}
	if t.item == nil {
		dir, name := "", strings.Trim(path, "/")
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			dir, name = name[:i], name[i+1:]
		}
		t.parent, t.name = walk(from, dir), name
	}
	return t
}

// withDrive finds the drive and checks that the caller may see it.
func (s *Service) withDrive(find driveFinder, h func(*graph.Request, *Drive)) func(*graph.Request) {
	return func(r *graph.Request) {
		s.Store.mu.RLock()
		d := find(r)
		readable := d != nil && s.reads(r, d, nil)
		s.Store.mu.RUnlock()
		if s.refused(r, d, readable) {
			return
		}
		s.Store.mu.RLock()
		defer s.Store.mu.RUnlock()
		h(r, d)
	}
}

// refused answers for what is not there or not for the caller.
func (s *Service) refused(r *graph.Request, d *Drive, readable bool) bool {
	switch {
	case d == nil:
		r.Error(http.StatusNotFound, "itemNotFound", "The resource could not be found.")
	case !readable:
		r.Error(http.StatusForbidden, "accessDenied", "Access denied")
	case s.world.Switches.String(switchLocked) != "" && strings.HasSuffix(d.SiteURL, "/"+s.world.Switches.String(switchLocked)):
		r.Error(http.StatusLocked, "resourceLocked", "The site is locked.")
	default:
		return false
	}
	return true
}

// withTarget finds drive and item, checks that the caller may see them, and hands on without a lock.
func (s *Service) withTarget(find driveFinder, locate func(*graph.Request, *Drive) target, h func(*graph.Request, target)) func(*graph.Request) {
	return func(r *graph.Request) {
		var t target
		s.Store.mu.RLock()
		d := find(r)
		if d != nil {
			t = locate(r, d)
		}
		at := t.item
		if at == nil {
			at = t.parent
		}
		readable := d != nil && s.reads(r, d, at)
		s.Store.mu.RUnlock()
		if !s.refused(r, d, readable) {
			h(r, t)
		}
	}
}

// shared resolves a sharing token: "u!" and the URL in base64url without padding (Graph documentation, Access shared items).
func (s *Service) shared(h func(*graph.Request, target)) func(*graph.Request) {
	return func(r *graph.Request) {
		link, ok := shareURL(r.Param("share"))
		if !ok {
			r.Error(http.StatusBadRequest, "invalidRequest", "The sharing token is malformed.")
			return
		}
		d, it := s.Store.ByURL(link)
		if d == nil || it == nil {
			r.Error(http.StatusNotFound, "itemNotFound", "The sharing link no longer exists, or you do not have permission to access it.")
			return
		}
		s.Store.mu.RLock()
		readable := s.reads(r, d, it)
		s.Store.mu.RUnlock()
		if !s.refused(r, d, readable) {
			h(r, target{drive: d, item: it, action: r.Param("action")})
		}
	}
}

// dispatch gives the handler of a method for any item and action.
func (s *Service) dispatch(method string) func(*graph.Request, target) {
	return func(r *graph.Request, t target) {
		upload := method == "PUT" && t.action == "content"
		if t.item == nil && !(upload && t.parent != nil && t.name != "") {
			r.Error(http.StatusNotFound, "itemNotFound", "The resource could not be found.")
			return
		}
		version, isVersion := strings.CutPrefix(t.action, "versions/")
		switch {
		case upload:
			s.upload(r, t)
		case method == "PATCH" && t.action == "":
			s.patch(r, t)
		case method == "DELETE" && t.action == "":
			s.remove(r, t)
		case method == "POST" && t.action == "permanentDelete":
			s.remove(r, t)
		case method == "POST" && t.action == "children":
			s.createFolder(r, t)
		case method != "GET":
			r.Error(http.StatusMethodNotAllowed, "methodNotAllowed", "The method is not allowed for this resource.")
		case t.action == "":
			s.get(r, t)
		case t.action == "children":
			s.children(r, t)
		case t.action == "content":
			s.content(r, t)
		case t.action == "versions":
			s.versions(r, t)
		case isVersion:
			s.version(r, t, version)
		case t.action == "permissions":
			s.permissions(r, t)
		case t.action == "delta" || t.action == "delta()":
			s.delta(r, t, "")
		case strings.HasPrefix(t.action, "delta(token='"):
			s.delta(r, t, strings.TrimSuffix(strings.TrimPrefix(t.action, "delta(token='"), "')"))
		default:
			r.Error(http.StatusBadRequest, "invalidRequest", "Resource not found for the segment '"+t.action+"'.")
		}
	}
}

// notModified answers 304 when the client has the given tags already.
func notModified(r *graph.Request, tags ...string) bool {
	have := r.Header.Get("If-None-Match")
	if have == "" {
		return false
	}
	for _, tag := range tags {
		// A quoted tag holds a comma, so the list cannot be split at commas.
		if strings.Contains(have, tag) || have == strings.Trim(tag, `"`) {
			r.W.Header().Set("ETag", tags[0])
			r.Empty(http.StatusNotModified)
			return true
		}
	}
	return false
}

func (s *Service) get(r *graph.Request, t target) {
	s.Store.mu.RLock()
	defer s.Store.mu.RUnlock()
	if notModified(r, t.item.eTag(), t.item.cTag()) {
		return
	}
	r.W.Header().Set("ETag", t.item.eTag())
	r.Entity(http.StatusOK, selected(r, s.itemJSON(t.drive, t.item, true)))
}

// selected applies $select, where content.downloadUrl stands for the annotation of that name.
func selected(r *graph.Request, m map[string]any) map[string]any {
	if len(r.Query.Select) == 0 {
		return m
	}
	const annotation = "@microsoft.graph.downloadUrl"
	out := r.Select(m)
	if !r.Query.Selected("content.downloadUrl") && !r.Query.Selected(annotation) {
		delete(out, annotation)
	}
	return out
}

func (s *Service) content(r *graph.Request, t target) {
	s.Store.mu.RLock()
	defer s.Store.mu.RUnlock()
	it := t.item
	switch {
	case it.Malware != "":
		r.W.Header().Set("X-Virus-Infected", "true")
		r.Error(http.StatusForbidden, "malwareDetected", "Malware was detected in the requested file: "+it.Malware)
	case it.Content == nil:
		r.Error(http.StatusBadRequest, "invalidRequest", "You cannot get content for a folder, a package or a remote item.")
	case notModified(r, it.eTag(), it.cTag()):
	default:
		r.W.Header().Set("Location", s.downloadURL(t.drive, it, 0))
		r.Empty(http.StatusFound)
	}
}

func (s *Service) versions(r *graph.Request, t target) {
	s.Store.mu.RLock()
	defer s.Store.mu.RUnlock()
	it := t.item
	if it.Content == nil {
		r.Error(http.StatusBadRequest, "invalidRequest", "Versions exist for files only.")
		return
	}
	items := []any{versionJSON(len(it.Older)+1, Version{Content: it.Content, Modified: it.Modified, By: it.ModifiedBy})}
	for i := len(it.Older) - 1; i >= 0; i-- {
		items = append(items, versionJSON(it.Older[i].Number, *it.Older[i]))
	}
	r.WritePage(graph.Page{Items: items})
}

// versionJSON is the driveItemVersion resource.
func versionJSON(number int, v Version) map[string]any {
	id := strconv.Itoa(number) + ".0"
	return map[string]any{"id": id, "lastModifiedDateTime": stamp(v.Modified), "lastModifiedBy": identity(v.By),
		"size": v.Content.Size(), "publication": map[string]any{"level": "published", "versionId": id}}
}

// version serves versions/{v} and versions/{v}/content. The current version's content is to be read from the item.
func (s *Service) version(r *graph.Request, t target, rest string) {
	s.Store.mu.RLock()
	defer s.Store.mu.RUnlock()
	id, tail, _ := strings.Cut(rest, "/")
	number, err := strconv.Atoi(strings.TrimSuffix(id, ".0"))
	old := t.item.older(number)
	current := err == nil && t.item.Content != nil && number == len(t.item.Older)+1
	switch {
	case current && tail == "content":
		r.Error(http.StatusBadRequest, "invalidRequest", "You cannot get the content of the current version.")
	case current:
		r.Entity(http.StatusOK, versionJSON(number, Version{Content: t.item.Content, Modified: t.item.Modified, By: t.item.ModifiedBy}))
	case err != nil || old == nil:
		r.Error(http.StatusNotFound, "itemNotFound", "The resource could not be found.")
	case tail == "content":
		r.W.Header().Set("Location", s.downloadURL(t.drive, t.item, number))
		r.Empty(http.StatusFound)
	default:
		r.Entity(http.StatusOK, versionJSON(number, *old))
	}
}

func (s *Service) permissions(r *graph.Request, t target) {
	s.Store.mu.RLock()
	defer s.Store.mu.RUnlock()
	d := t.drive
	owner := map[string]any{"id": "owner", "roles": []string{"owner"}}
	if d.Owner != nil {
		owner["grantedToV2"] = identity(d.Owner)
	} else {
		owner["grantedToV2"] = map[string]any{"group": map[string]any{"id": d.GroupID, "displayName": d.SiteName + " Owners"}}
	}
	if t.item.parent != nil {
		owner["inheritedFrom"] = map[string]any{"driveId": d.ID, "id": d.Root.ID, "path": "/drives/" + d.ID + "/root:"}
	}
	items := []any{owner}
	if t.item.Shared {
		link := map[string]any{"type": "view", "scope": "organization", "webUrl": d.WebURL(t.item) + "?" + url.Values{"web": {"1"}}.Encode()}
		items = append(items, map[string]any{"id": "link", "roles": []string{"read"}, "shareId": "u!" + t.item.ID, "link": link, "hasPassword": false})
	}
	if d.Owner != nil && !r.Caller.AppOnly && d.Owner.ID != r.Caller.UserID {
		// Others see only what applies to them.
		items = items[:0]
	}
	for i, p := range t.item.Grants {
		if len(items) == 0 && p.ID != r.Caller.UserID {
			continue
		}
		items = append(items, map[string]any{"id": "grant" + strconv.Itoa(i), "roles": []string{"read"}, "grantedToV2": identity(p)})
	}
	r.WritePage(graph.Page{Items: items})
}
