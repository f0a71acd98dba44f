package box

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Sets of fields as Box names its representations. Base is type, id and etag; what is in no set comes only when named.
var (
	miniFields = map[kind][]string{
		fileKind:   {"sequence_id", "name", "sha1", "file_version"},
		folderKind: {"sequence_id", "name"},
		linkKind:   {"sequence_id", "name", "url"},
	}
	standardFields = map[kind][]string{
		fileKind: {
			"description", "size", "path_collection", "created_at", "modified_at", "trashed_at", "purged_at", "content_created_at",
			"content_modified_at", "created_by", "modified_by", "owned_by", "shared_link", "parent", "item_status",
		},
		folderKind: {
			"created_at", "modified_at", "description", "size", "path_collection", "created_by", "modified_by", "trashed_at", "purged_at",
			"content_created_at", "content_modified_at", "owned_by", "shared_link", "folder_upload_email", "parent", "item_status",
			"item_collection",
		},
		linkKind: {
			"description", "path_collection", "created_at", "modified_at", "trashed_at", "purged_at", "created_by", "modified_by",
			"owned_by", "shared_link", "parent", "item_status",
		},
	}
)

// level is how much of an item is shown when the query does not name fields.
type level int

const (
	mini level = iota
	standard
)

// show gives an item as the caller sees it. The store's lock must be held.
func (c *call) show(it *item, a access, l level) object {
	o := make(object, 0, 24)
	o = append(o, member{"type", it.kind.String()}, member{"id", it.id()}, member{"etag", etag(it)})
	names := c.fields
	if names == nil {
		names = miniFields[it.kind]
	}
	o = c.addFields(o, it, a, names)
	if c.fields == nil && l == standard {
		o = c.addFields(o, it, a, standardFields[it.kind])
	}
	return o
}

func (c *call) addFields(o object, it *item, a access, names []string) object {
	for _, name := range names {
		if name == "type" || name == "id" || name == "etag" {
			continue
		}
		f := itemFields[name]
		if rest, ok := strings.CutPrefix(name, "metadata."); ok {
			f = field{all, func(_ *call, it *item, _ access) any { return metadataField(it, rest) }}
			name = "metadata"
		}
		if f.get == nil || !slices.Contains(f.kinds, it.kind) {
			continue
		}
		v := f.get(c, it, a)
		if name == "metadata" {
			if o.get("metadata") == nil {
				o = append(o, member{name, v})
			} else {
				o = mergeMetadata(o, v)
			}
			continue
		}
		o = append(o, member{name, v})
	}
	return o
}

func etag(it *item) any {
	if it.isRoot() {
		return nil
	}
	return strconv.Itoa(it.etag)
}

// field is one field of items: the kinds that have it and its value.
type field struct {
	kinds []kind
	get   func(c *call, it *item, a access) any
}

var (
	all     = []kind{folderKind, fileKind, linkKind}
	solid   = []kind{folderKind, fileKind}
	files   = []kind{fileKind}
	folders = []kind{folderKind}
	links   = []kind{linkKind}
)

func always(kinds []kind, v any) field {
	return field{kinds, func(*call, *item, access) any { return v }}
}

var itemFields map[string]field

// The table is filled here since some of its functions lead back to it.
func init() {
	itemFields = map[string]field{
		"sequence_id": {all, func(_ *call, it *item, _ access) any { return etag(it) }},
		"name":        {all, func(_ *call, it *item, _ access) any { return it.name }},
		"description": {all, func(_ *call, it *item, _ access) any { return it.description }},
		"url":         {links, func(_ *call, it *item, _ access) any { return it.url }},
		"sha1":        {files, func(_ *call, it *item, _ access) any { return sha1Of(it.current()) }},
		"file_version": {files, func(_ *call, it *item, _ access) any {
			v := it.current()
			return object{{"type", "file_version"}, {"id", numeral(v.num)}, {"sha1", sha1Of(v)}}
		}},
		"size":                {solid, sizeField},
		"path_collection":     {all, pathField},
		"created_at":          {all, func(_ *call, it *item, _ access) any { return stamp(it.created, it.num) }},
		"modified_at":         {all, func(_ *call, it *item, _ access) any { return stamp(it.modified, it.num) }},
		"content_created_at":  {solid, func(_ *call, it *item, _ access) any { return stamp(it.contentCreated, it.num) }},
		"content_modified_at": {solid, func(_ *call, it *item, _ access) any { return stamp(it.contentModified, it.num) }},
		"trashed_at":          {all, func(_ *call, it *item, _ access) any { return stamp(it.trashed, it.num) }},
		"purged_at":           {all, func(_ *call, it *item, _ access) any { return stamp(it.purge, it.num) }},
		"created_by": {all, func(_ *call, it *item, _ access) any {
			if it.isRoot() {
				return nobody()
			}
			return miniOrNil(it.createdBy)
		}},
		"modified_by": {all, func(_ *call, it *item, _ access) any {
			if it.isRoot() {
				return it.owner.mini()
			}
			return miniOrNil(it.modifiedBy)
		}},
		"owned_by":    {all, func(_ *call, it *item, _ access) any { return it.owner.mini() }},
		"shared_link": {all, func(_ *call, it *item, _ access) any { return sharedField(it) }},
		"parent":      {all, parentField},
		"item_status": {all, func(_ *call, it *item, _ access) any {
			if it.inTrash() {
				return "trashed"
			}
			return "active"
		}},
		"folder_upload_email": always(folders, nil),
		"permissions":         {solid, func(c *call, it *item, a access) any { return c.v.permissions(it, a, c.now) }},
		"tags": {solid, func(_ *call, it *item, _ access) any {
			if it.extra == nil {
				return []string{}
			}
			return it.extra.tags
		}},
		"classification": {solid, func(_ *call, it *item, _ access) any {
			if it.extra == nil || it.extra.class == "" {
				return nil
			}
			return object{{"name", it.extra.class}, {"definition", "Content that must not leave the company."}, {"color", "#FF0000"}}
		}},
		"has_collaborations":            {solid, func(_ *call, it *item, _ access) any { return len(it.collabs) > 0 }},
		"is_externally_owned":           {solid, func(c *call, it *item, _ access) any { return it.owner.enterprise != c.v.user.enterprise }},
		"watermark_info":                always(solid, object{{"is_watermarked", false}}),
		"allowed_invitee_roles":         always(solid, []string{"editor", "viewer", "previewer", "uploader", "previewer uploader", "viewer uploader", "co-owner"}),
		"is_accessible_via_shared_link": {solid, func(_ *call, it *item, _ access) any { return it.extra != nil && it.extra.shared != nil }},
		"lock":                          {files, lockField},
		"version_number":                {files, func(_ *call, it *item, _ access) any { return strconv.Itoa(len(it.versions)) }},
		"comment_count":                 {files, func(_ *call, it *item, _ access) any { return commentCount(it) }},
		"extension":                     {files, func(_ *call, it *item, _ access) any { return strings.TrimPrefix(path.Ext(it.name), ".") }},
		"is_package":                    {files, func(_ *call, it *item, _ access) any { return it.extra != nil && it.extra.isPackage }},
		"representations":               {files, func(c *call, it *item, _ access) any { return c.representations(it) }},
		"expires_at":                    always(files, nil),
		"disposition_at":                always(files, nil),
		"uploader_display_name":         {files, func(_ *call, it *item, _ access) any { return uploader(it) }},
		"expiring_embed_link":           always(files, nil),
		"sync_state": {folders, func(_ *call, it *item, _ access) any {
			if it.synced {
				return "synced"
			}
			return "not_synced"
		}},
		"can_non_owners_invite":                     always(folders, true),
		"can_non_owners_view_collaborators":         always(folders, true),
		"is_collaboration_restricted_to_enterprise": always(folders, false),
		"allowed_shared_link_access_levels":         always(all, []string{"collaborators", "open", "company"}),
		"item_collection":                           {folders, collectionField},
	}
}

func sha1Of(v *version) any {
	sum, err := v.content.sha1()
	if err != nil {
		return nil
	}
	return sum
}

// contents gives the current contents of the files among items. The store's lock must be held.
func contents(items []*item) []content {
	var out []content
	for _, it := range items {
		if it.kind == fileKind {
			out = append(out, it.current().content)
		}
	}
	return out
}

// hash computes digests side by side before a page is written. The store's lock must not be held: big files take long.
func hash(all []content) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	for _, c := range all {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			_, _ = c.sha1() // the page tells what failed
		})
	}
	wg.Wait()
}

// wantsHash says whether the answer to the call shows digests.
func (c *call) wantsHash() bool {
	return c.fields == nil || slices.Contains(c.fields, "sha1") || slices.Contains(c.fields, "file_version")
}

func sizeField(c *call, it *item, _ access) any {
	n := it.bytes()
	// Real answers switch to exponents around 10^14 (rclone#2261); the awkward folder does so from 1000 on.
	if it.kind == folderKind && (n >= 1e14 || n >= 1000 && c.awkward(it)) {
		return exponent(n)
	}
	return n
}

// miniFolder is a folder in a path or as a parent.
func miniFolder(d *item) object {
	return object{{"type", "folder"}, {"id", d.id()}, {"sequence_id", etag(d)}, {"etag", etag(d)}, {"name", d.name}}
}

func trashFolder() object {
	return object{{"type", "folder"}, {"id", "1"}, {"sequence_id", nil}, {"etag", nil}, {"name", "Trash"}}
}

func pathField(c *call, it *item, a access) any {
	if it.inTrash() {
		return object{{"total_count", 1}, {"entries", []object{trashFolder()}}}
	}
	entries := []object{}
	if !it.isRoot() && (a.path == nil || !a.path.accessOnly) {
		entries = append(entries, miniFolder(c.v.user.root))
		for _, d := range c.v.above(it, a) {
			entries = append(entries, miniFolder(d))
		}
	}
	return object{{"total_count", len(entries)}, {"entries", entries}}
}

func parentField(c *call, it *item, a access) any {
	if it.isRoot() || it == a.top {
		return nil
	}
	p := miniFolder(it.parent)
	if c.awkward(it) && !it.parent.isRoot() {
		p[1].val = literal(it.parent.id())
	}
	return p
}

func lockField(c *call, it *item, _ access) any {
	if it.lock == nil {
		return nil
	}
	var app any
	if it.lock.app != "" {
		app = it.lock.app
	}
	return object{
		{"type", "lock"}, {"id", numeral(it.lock.num)}, {"created_by", it.lock.by.mini()}, {"created_at", stamp(it.lock.created, it.num)},
		{"expired_at", stamp(it.lock.expires, it.num)}, {"is_download_prevented", it.lock.noDownload}, {"app_type", app},
	}
}

func sharedField(it *item) any {
	if it.extra == nil || it.extra.shared == nil {
		return nil
	}
	l := it.extra.shared
	permission := "can_preview"
	if l.download {
		permission = "can_download"
	}
	var direct any
	if it.kind == fileKind && l.download {
		direct = "https://contoso.box.com/shared/static/" + l.key + path.Ext(it.name)
	}
	return object{
		{"url", "https://contoso.box.com/s/" + l.key}, {"download_url", direct}, {"vanity_url", nil}, {"vanity_name", nil},
		{"effective_access", l.access}, {"effective_permission", permission}, {"is_password_enabled", false}, {"unshared_at", nil},
		{"download_count", 0}, {"preview_count", 0}, {"access", l.access},
		{"permissions", object{{"can_preview", true}, {"can_download", l.download}, {"can_edit", false}}},
	}
}

func commentCount(it *item) int {
	if it.extra == nil {
		return 0
	}
	return len(it.extra.comments)
}

func uploader(it *item) any {
	switch {
	case it.extra != nil && it.extra.uploader != "":
		return it.extra.uploader
	case it.createdBy != nil:
		return it.createdBy.name
	}
	return nil
}

func collectionField(c *call, it *item, _ access) any {
	saved := c.fields
	c.fields = nil
	defer func() { c.fields = saved }()
	entries := []object{}
	for _, child := range it.children.byName[:min(100, it.children.len())] {
		if a := c.v.look(child); a.role != "" {
			entries = append(entries, c.show(child, a, mini))
		}
	}
	return object{{"total_count", it.children.len()}, {"entries", entries}, {"offset", 0}, {"limit", 100}, {"order", nameOrder("ASC")}}
}

func nameOrder(direction string) []object {
	return []object{{{"by", "type"}, {"direction", "ASC"}}, {{"by", "name"}, {"direction", direction}}}
}
