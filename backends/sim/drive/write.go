package drive

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/graph"
)

// maxUpload bounds what a PUT of content takes here; the service takes 250 MB.
const maxUpload = 64 << 20

// fail answers for an error of the Store.
func fail(r *graph.Request, err error) {
	switch {
	case errors.Is(err, ErrNameTaken):
		r.Error(http.StatusConflict, "nameAlreadyExists", "An item with the same name already exists under the parent.")
	case errors.Is(err, ErrInvalidName):
		r.Error(http.StatusBadRequest, "invalidRequest", "The provided name cannot contain any of these characters.")
	case errors.Is(err, ErrGone):
		r.Error(http.StatusNotFound, "itemNotFound", "The resource could not be found.")
	default:
		r.Error(http.StatusBadRequest, "invalidRequest", "The request is not valid: "+err.Error()+".")
	}
}

// caller is the person who makes the change; nil for an application.
func caller(r *graph.Request) *company.Person { return r.Company().Person(r.Caller.UserID) }

// changed answers with the item as it is now.
func (s *Service) changed(r *graph.Request, d *Drive, it *Item, status int) {
	s.Store.mu.RLock()
	m := s.itemJSON(d, it, true)
	s.Store.mu.RUnlock()
	r.Entity(status, m)
}

// uploaded answers with the item as it is now, and then changes an Office file behind the client's back.
func (s *Service) uploaded(r *graph.Request, d *Drive, it *Item, status int) {
	s.Store.mu.RLock()
	m := s.itemJSON(d, it, true)
	s.Store.mu.RUnlock()
	if office(it.Name) && s.world.Switches.Bool(switchPromote) {
		// A change of its own, which the client of the upload hears of like others.
		_ = s.Store.change(d, it, false, func() error {
			s.Store.promote(d, it, s.world.Clock.Now())
			return nil
		})
	}
	r.Entity(status, m)
}

// unmet answers 412 when If-Match names another state of the item.
func (s *Service) unmet(r *graph.Request, it *Item) bool {
	want := r.Header.Get("If-Match")
	s.Store.mu.RLock()
	tag := it.eTag()
	s.Store.mu.RUnlock()
	if want == "" || want == "*" || strings.Trim(want, `"`) == strings.Trim(tag, `"`) {
		return false
	}
	r.Error(http.StatusPreconditionFailed, "resourceModified", "ETag does not match current item's value")
	return true
}

// upload makes a file or gives an existing one new content.
func (s *Service) upload(r *graph.Request, t target) {
	body, err := io.ReadAll(io.LimitReader(r.Request.Body, maxUpload+1))
	if err != nil {
		r.Error(http.StatusBadRequest, "invalidRequest", "The body could not be read.")
		return
	}
	if len(body) > maxUpload {
		r.Error(http.StatusRequestEntityTooLarge, "invalidRequest", "The file is too large for a simple upload.")
		return
	}
	conflict := r.Query.Get("@microsoft.graph.conflictBehavior")
	if t.item != nil && conflict == "rename" {
		s.Store.mu.RLock()
		t.parent, t.name, t.item = t.item.parent, t.item.Name, nil
		s.Store.mu.RUnlock()
	}
	if t.item == nil {
		it, err := s.create(r, t.drive, t.parent, t.name, Bytes(body), conflict)
		if err != nil {
			fail(r, err)
			return
		}
		s.uploaded(r, t.drive, it, http.StatusCreated)
		return
	}
	switch {
	case t.item.IsFolder() || t.item.Content == nil:
		r.Error(http.StatusConflict, "nameAlreadyExists", "The item is not a file.")
		return
	case conflict == "fail":
		fail(r, ErrNameTaken)
		return
	case s.unmet(r, t.item):
		return
	}
	if err := s.Store.SetContent(t.drive, t.item, Bytes(body), "", caller(r)); err != nil {
		fail(r, err)
		return
	}
	s.uploaded(r, t.drive, t.item, http.StatusOK)
}

// patch renames, moves, describes or dates an item.
func (s *Service) patch(r *graph.Request, t target) {
	var in struct {
		Name            string  `json:"name"`
		Description     *string `json:"description"`
		ParentReference struct {
			ID      string `json:"id"`
			DriveID string `json:"driveId"`
			Path    string `json:"path"`
		} `json:"parentReference"`
		FileSystemInfo struct {
			LastModified time.Time `json:"lastModifiedDateTime"`
		} `json:"fileSystemInfo"`
	}
	if !r.ReadJSON(&in) || s.unmet(r, t.item) {
		return
	}
	var parent *Item
	if ref := in.ParentReference; ref.ID != "" || ref.Path != "" {
		if ref.DriveID != "" && ref.DriveID != t.drive.ID {
			r.Error(http.StatusBadRequest, "invalidRequest", "Items cannot be moved to another drive by this call.")
			return
		}
		s.Store.mu.RLock()
		parent = t.drive.items[ref.ID]
		if ref.ID == "" {
			_, below, _ := strings.Cut(ref.Path, "root:")
			parent = walk(t.drive.Root, below)
		}
		s.Store.mu.RUnlock()
		if parent == nil {
			r.Error(http.StatusNotFound, "itemNotFound", "The destination folder could not be found.")
			return
		}
	}
	edit := Edit{Parent: parent, Name: in.Name, Description: in.Description, ContentTime: in.FileSystemInfo.LastModified}
	if edit != (Edit{}) {
		if err := s.Store.Edit(t.drive, t.item, edit, caller(r)); err != nil {
			fail(r, err)
			return
		}
	}
	s.changed(r, t.drive, t.item, http.StatusOK)
}

// remove serves DELETE, which leaves the item in the recycle bin, and permanentDelete. The bin is nothing that Graph shows.
func (s *Service) remove(r *graph.Request, t target) {
	if s.unmet(r, t.item) {
		return
	}
	if err := s.Store.Delete(t.drive, t.item); err != nil {
		fail(r, err)
		return
	}
	r.Empty(http.StatusNoContent)
}

// createFolder makes a folder; conflictBehavior rename finds a free name.
func (s *Service) createFolder(r *graph.Request, t target) {
	var in struct {
		Name     string         `json:"name"`
		Folder   map[string]any `json:"folder"`
		Conflict string         `json:"@microsoft.graph.conflictBehavior"`
	}
	if !r.ReadJSON(&in) {
		return
	}
	if in.Folder == nil {
		r.Error(http.StatusBadRequest, "invalidRequest", "A folder facet is required.")
		return
	}
	it, err := s.create(r, t.drive, t.item, in.Name, nil, in.Conflict)
	if err != nil {
		fail(r, err)
		return
	}
	s.changed(r, t.drive, it, http.StatusCreated)
}

// create makes a file or, without content, a folder; the conflict behaviour "rename" finds a free name.
func (s *Service) create(r *graph.Request, d *Drive, parent *Item, wanted string, content Content, conflict string) (*Item, error) {
	name, kind := wanted, ""
	if content != nil {
		kind = mimeType(wanted)
	}
	for n := 1; ; n++ {
		it, err := s.Store.Create(d, parent, name, content, kind, caller(r))
		if !errors.Is(err, ErrNameTaken) || conflict != "rename" {
			return it, err
		}
		ext := path.Ext(wanted)
		name = fmt.Sprintf("%s %d%s", strings.TrimSuffix(wanted, ext), n, ext)
	}
}
