package outlook

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/query"
)

var folderSchema = query.Schema{
	"id": query.String, "displayName": query.String, "parentFolderId": query.String, "childFolderCount": query.Number,
	"totalItemCount": query.Number, "unreadItemCount": query.Number, "isHidden": query.Bool,
}

// folder gives the resource. Needs RLock.
func (v *view) folder(f *mailbox.Folder) map[string]any {
	out := map[string]any{"id": v.id(f.Ref())}
	children := 0
	for _, c := range f.Children {
		if !c.Unlisted && !c.Hidden {
			children++
		}
	}
	total, unread := len(f.Messages())+f.OtherItems, f.Unread
	if f.Search != nil {
		found := v.c.search(f)
		total, unread = len(found), 0
		for _, m := range found {
			if !m.IsRead {
				unread++
			}
		}
		out["@odata.type"] = "#microsoft.graph.mailSearchFolder"
	}
	all := map[string]any{
		"displayName": f.Name, "childFolderCount": children, "totalItemCount": total, "unreadItemCount": unread, "isHidden": f.Hidden,
	}
	if f.Parent != nil {
		all["parentFolderId"] = v.id(f.Parent.Ref())
	} else {
		all["parentFolderId"] = v.id(mailbox.Ref{Kind: mailbox.KindMailFolder, Key: 1})
	}
	if f.Search != nil {
		sources := []string{}
		for _, s := range f.Search.Sources {
			sources = append(sources, v.id(s.Ref()))
		}
		all["isSupported"], all["includeNestedFolders"] = true, f.Search.Nested
		all["sourceFolderIds"], all["filterQuery"] = sources, f.Search.Filter
	}
	for name, value := range all {
		if v.sel.Wants(name) {
			out[name] = value
		}
	}
	return out
}

func (v *view) folderGetter(f *mailbox.Folder) query.Getter {
	props := (&view{c: v.c}).folder(f)
	return func(path string) any {
		if n, ok := props[path].(int); ok {
			return int64(n)
		}
		return props[path]
	}
}

// absentFolders are well-known names that today's mailboxes do not have a folder for.
var absentFolders = []string{"clutter", "scheduled"}

// lookFolder finds the folder that the path names and checks that the caller may see it; else it answers. Needs RLock.
func (c *call) lookFolder() *mailbox.Folder {
	id := c.Param("folder")
	f := c.mb.Folder(id)
	if f == nil {
		if !c.owns() {
			c.AccessDenied()
			return nil
		}
		if slices.Contains(absentFolders, strings.ToLower(id)) {
			c.Error(http.StatusNotFound, "ErrorFolderNotFound", "The specified folder could not be found in the store.")
			return nil
		}
		c.unknownID(id)
		return nil
	}
	if !c.sees(f.SharedWith) {
		c.AccessDenied()
		return nil
	}
	return f
}

func (s *Store) listFolders(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	if !c.owns() {
		c.AccessDenied()
		return
	}
	c.folderList(c.mb.Root)
}

func (s *Store) listChildFolders(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	if f := c.lookFolder(); f != nil {
		c.folderList(f)
	}
}

func (c *call) folderList(parent *mailbox.Folder) {
	v, ok := c.newView()
	if !ok {
		return
	}
	filter, keys, ok := c.options(folderSchema)
	if !ok {
		return
	}
	hidden := strings.EqualFold(c.Query.Get("includeHiddenFolders"), "true")
	var found []*mailbox.Folder
	for _, f := range parent.Children {
		if !f.Unlisted && (hidden || !f.Hidden) && (filter == nil || filter.Match(v.folderGetter(f))) {
			found = append(found, f)
		}
	}
	sortBy(found, keys, v.folderGetter)
	expand := strings.Contains(strings.ToLower(c.Query.Expand), "childfolders")
	page(c, found, 10, 1000, func(f *mailbox.Folder) any {
		out := v.folder(f)
		if expand {
			children := []any{}
			for _, child := range f.Children {
				if !child.Unlisted && (hidden || !child.Hidden) {
					children = append(children, (&view{c: c}).folder(child))
				}
			}
			out["childFolders"] = children
		}
		return out
	})
}

func (s *Store) getFolder(c *call) {
	c.mb.RLock()
	defer c.mb.RUnlock()
	f := c.lookFolder()
	if f == nil {
		return
	}
	v, ok := c.newView()
	if !ok {
		return
	}
	out := v.folder(f)
	if strings.Contains(strings.ToLower(c.Query.Expand), "childfolders") {
		children := []any{}
		for _, child := range f.Children {
			if !child.Unlisted && !child.Hidden {
				children = append(children, (&view{c: c}).folder(child))
			}
		}
		out["childFolders"] = children
	}
	c.one(http.StatusOK, "mailFolders/$entity", out)
}

// one answers with a single resource.
func (c *call) one(status int, fragment string, resource map[string]any) {
	resource["@odata.context"] = c.ContextURL("users('" + c.User.ID + "')/" + fragment)
	c.JSON(status, resource)
}

// search gives the messages that a search folder shows, oldest first. Needs RLock.
func (c *call) search(f *mailbox.Folder) mailbox.Index {
	filter, err := query.ParseFilter(f.Search.Filter, messageSchema)
	if err != nil {
		return nil
	}
	var found mailbox.Index
	seen := map[*mailbox.Folder]bool{}
	var collect func(from *mailbox.Folder)
	collect = func(from *mailbox.Folder) {
		if seen[from] {
			return
		}
		seen[from] = true
		for _, m := range from.Messages() {
			if filter.Match(messageGetter(m)) {
				found = append(found, m)
			}
		}
		if f.Search.Nested {
			for _, child := range from.Children {
				collect(child)
			}
		}
	}
	for _, source := range f.Search.Sources {
		collect(source)
	}
	found.Sort()
	return found
}

type folderBody struct {
	ODataType     string   `json:"@odata.type"`
	DisplayName   *string  `json:"displayName"`
	IsHidden      bool     `json:"isHidden"`
	Nested        bool     `json:"includeNestedFolders"`
	Sources       []string `json:"sourceFolderIds"`
	FilterQuery   string   `json:"filterQuery"`
	DestinationID string   `json:"destinationId"`
}

func (s *Store) createFolder(c *call) {
	var body folderBody
	if !c.ReadJSON(&body) {
		return
	}
	c.mb.RLock()
	parent := c.mb.Root
	if c.Param("folder") != "" {
		parent = c.lookFolder()
	}
	var search *mailbox.Search
	if strings.HasSuffix(body.ODataType, "mailSearchFolder") {
		search = &mailbox.Search{Nested: body.Nested, Filter: body.FilterQuery}
		for _, id := range body.Sources {
			if f := c.mb.Folder(id); f != nil {
				search.Sources = append(search.Sources, f)
			}
		}
	}
	c.mb.RUnlock()
	if parent == nil {
		return
	}
	if body.DisplayName == nil || *body.DisplayName == "" || len(*body.DisplayName) > 1024 {
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", "The folder's displayName is missing or too long.")
		return
	}
	if search != nil {
		if _, err := query.ParseFilter(search.Filter, messageSchema); err != nil {
			c.badQuery(err)
			return
		}
	}
	f, err := c.mb.AddFolder(parent, *body.DisplayName, body.IsHidden, search)
	if c.refused(err) {
		return
	}
	c.mb.RLock()
	defer c.mb.RUnlock()
	c.one(http.StatusCreated, "mailFolders/$entity", (&view{c: c}).folder(f))
}

// refused answers the error of a mutation, if there is one.
func (c *call) refused(err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, mailbox.ErrNotFound):
		c.itemNotFound()
	case errors.Is(err, mailbox.ErrExists):
		c.Error(http.StatusConflict, "ErrorFolderExists", "A folder with the specified name already exists.")
	case errors.Is(err, mailbox.ErrRefused):
		c.Error(http.StatusForbidden, "ErrorAccessDenied", "The operation cannot be performed on this folder.")
	default:
		c.Error(http.StatusBadRequest, "ErrorInvalidRequest", err.Error())
	}
	return true
}

// changeFolder runs a mutation on the folder that the path names and answers with the folder that it gives.
func (c *call) changeFolder(status int, change func(f *mailbox.Folder) (*mailbox.Folder, error)) {
	c.mb.RLock()
	f := c.lookFolder()
	c.mb.RUnlock()
	if f == nil {
		return
	}
	f, err := change(f)
	if c.refused(err) {
		return
	}
	if status == http.StatusNoContent {
		c.Empty(status)
		return
	}
	c.mb.RLock()
	defer c.mb.RUnlock()
	c.one(status, "mailFolders/$entity", (&view{c: c}).folder(f))
}

func (s *Store) patchFolder(c *call) {
	var body folderBody
	if !c.ReadJSON(&body) {
		return
	}
	c.changeFolder(http.StatusOK, func(f *mailbox.Folder) (*mailbox.Folder, error) {
		if body.DisplayName == nil || *body.DisplayName == "" {
			return nil, errors.New("the folder's displayName is missing")
		}
		return f, c.mb.RenameFolder(f, *body.DisplayName)
	})
}

// deleteFolder serves DELETE and permanentDelete.
func (s *Store) deleteFolder(c *call) {
	forever := strings.HasSuffix(strings.ToLower(c.Request.URL.Path), "/permanentdelete")
	c.changeFolder(http.StatusNoContent, func(f *mailbox.Folder) (*mailbox.Folder, error) { return nil, c.mb.DeleteFolder(f, forever) })
}

// transferFolder runs a move or a copy to the folder that the body names.
func (c *call) transferFolder(transfer func(f, to *mailbox.Folder) (*mailbox.Folder, error)) {
	var body folderBody
	if !c.ReadJSON(&body) {
		return
	}
	c.changeFolder(http.StatusCreated, func(f *mailbox.Folder) (*mailbox.Folder, error) {
		c.mb.RLock()
		to := c.mb.Folder(body.DestinationID)
		c.mb.RUnlock()
		if to == nil {
			return nil, mailbox.ErrNotFound
		}
		return transfer(f, to)
	})
}

func (s *Store) moveFolder(c *call) {
	c.transferFolder(func(f, to *mailbox.Folder) (*mailbox.Folder, error) { return f, c.mb.MoveFolder(f, to) })
}

func (s *Store) copyFolder(c *call) { c.transferFolder(c.mb.CopyFolder) }
