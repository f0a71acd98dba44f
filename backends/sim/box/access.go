package box

import (
	"slices"
	"time"
)

// collab is one collaboration: a user or group with a role on an item and all below it.
type collab struct {
	num            uint64
	item           *item
	user           *user  // or
	group          *group // or, while pending,
	email          string // the invited address
	role           string
	status         string // accepted, pending, rejected
	accessOnly     bool   // reachable by id, absent from the collaborator's tree
	viewPath       bool   // the names of the folders above show
	created        time.Time
	modified       time.Time
	expires        time.Time
	createdBy      *user
	acknowledgedAt time.Time
}

// roles from the weakest to the strongest; owner is never a collaboration of its own.
var roles = []string{"", "uploader", "previewer", "previewer uploader", "viewer", "viewer uploader", "editor", "co-owner", "owner"}

func strength(role string) int { return slices.Index(roles, role) }

// can tells what a role permits.
func can(role, what string) bool {
	r := strength(role)
	switch what {
	case "list":
		return r > 0
	case "preview":
		return r >= strength("previewer")
	case "download":
		return r >= strength("viewer")
	case "upload":
		return slices.Contains([]string{"uploader", "previewer uploader", "viewer uploader", "editor", "co-owner", "owner"}, role)
	case "edit":
		return r >= strength("editor")
	case "own":
		return r >= strength("co-owner")
	}
	return false
}

// viewer is whose eyes look at the tree.
type viewer struct {
	user *user
	// insiders is set under As-User and for the Service Account: what an external enterprise owns is not reachable.
	insiders bool
	// everything is set by the scope enterprise_content ("Global Content Manager"): all content of the enterprise can be read
	// and none of it written, not even the caller's own; what others own is out of reach (guide "Scopes").
	everything bool
}

// access is what a viewer may do with an item.
type access struct {
	role string // "" for none
	top  *item  // highest folder or item on the way up that the viewer sees; the owner's root for the owner
	path *collab
}

// look works out the access of v to an item, the trash aside. The store's lock must be held.
func (v viewer) look(it *item) access {
	if v.insiders && it.owner.enterprise != v.user.enterprise {
		return access{}
	}
	var a access
	n := it
	for ; ; n = n.parent {
		for _, c := range n.collabs {
			if c.status == "accepted" && (c.user == v.user || c.group != nil && v.user.in(c.group)) {
				if strength(c.role) > strength(a.role) {
					a.role = c.role
				}
				a.top, a.path = n, c
			}
		}
		if n.parent == nil {
			break
		}
	}
	switch {
	case v.everything && n.owner.enterprise != v.user.enterprise:
		return access{}
	case v.everything:
		return access{role: "viewer", top: n} // that the whole path shows is a guess
	case n.owner == v.user:
		return access{role: "owner", top: n}
	}
	return a
}

// above lists the folders above an item that the viewer sees, from the top, without the pseudo root "All Files".
func (v viewer) above(it *item, a access) (dirs []*item) {
	if it.isRoot() {
		return nil
	}
	for n := it; n != a.top; {
		n = n.parent
		if n == nil || n.isRoot() {
			break
		}
		dirs = append(dirs, n)
	}
	if a.path != nil && a.path.viewPath {
		for n := a.top.parent; n != nil && !n.isRoot(); n = n.parent {
			dirs = append(dirs, n)
		}
	}
	slices.Reverse(dirs)
	return dirs
}

// remount works out anew which items appear in whose root because of collaborations. There are few of those, so it simply
// does all. The store's lock must be held.
func (s *store) remount() {
	want := map[*item][]*item{}
	for _, c := range s.collabs {
		if c.status != "accepted" || c.accessOnly || c.item.inTrash() {
			continue
		}
		for _, u := range s.users {
			if u == c.item.owner || c.user != u && (c.group == nil || !u.in(c.group)) {
				continue
			}
			// Below a folder that is mounted already the item shows in its place there.
			if (viewer{user: u}).look(c.item).top == c.item && !slices.Contains(want[c.item], u.root) {
				want[c.item] = append(want[c.item], u.root)
			}
		}
	}
	for _, c := range s.collabs {
		it := c.item
		for _, r := range it.mounts {
			if !slices.Contains(want[it], r) {
				r.children.remove(it)
			}
		}
		it.mounts = want[it]
		for _, r := range it.mounts {
			r.children.add(it)
		}
	}
}

// unmount removes an item from all roots of collaborators; for an item whose last collaboration goes.
func (it *item) unmount() {
	for _, r := range it.mounts {
		r.children.remove(it)
	}
	it.mounts = nil
}

// mayDownload gives nil when the viewer may read the bytes of a file, else the refusal.
func (v viewer) mayDownload(it *item, a access, now time.Time) error {
	switch {
	case !can(a.role, "download"):
		return errForbidden()
	case it.lock.locked(now) && it.lock.noDownload && it.lock.by != v.user:
		return errForbidden()
	case it.policy:
		return errPolicy()
	}
	return nil
}

func (l *lock) locked(now time.Time) bool {
	return l != nil && (l.expires.IsZero() || now.Before(l.expires))
}

// permissions is the object of that name in an item.
func (v viewer) permissions(it *item, a access, now time.Time) object {
	r := a.role
	download := can(r, "download")
	if it.kind == fileKind {
		download = v.mayDownload(it, a, now) == nil
		return object{
			{"can_delete", can(r, "edit")}, {"can_download", download}, {"can_invite_collaborator", can(r, "edit")},
			{"can_rename", can(r, "edit")}, {"can_set_share_access", can(r, "own")}, {"can_share", can(r, "edit")},
			{"can_annotate", can(r, "preview")}, {"can_comment", can(r, "preview")}, {"can_preview", can(r, "preview")},
			{"can_upload", can(r, "upload")}, {"can_view_annotations_all", can(r, "preview")},
			{"can_view_annotations_self", can(r, "preview")}, {"can_apply_watermark", can(r, "own")},
		}
	}
	return object{
		{"can_delete", can(r, "edit") && !it.isRoot()}, {"can_download", download}, {"can_invite_collaborator", can(r, "edit") && !it.isRoot()},
		{"can_rename", can(r, "edit") && !it.isRoot()}, {"can_set_share_access", can(r, "own") && !it.isRoot()},
		{"can_share", can(r, "edit") && !it.isRoot()}, {"can_upload", can(r, "upload")}, {"can_apply_watermark", can(r, "own")},
	}
}
