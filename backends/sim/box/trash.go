package box

import (
	"net/http"
	"strconv"
)

func (s *Server) trashRoutes() {
	for _, r := range []struct {
		path string
		kind kind
	}{{"/files/{item}", fileKind}, {"/folders/{item}", folderKind}, {"/web_links/{item}", linkKind}} {
		s.handle("GET "+r.path+"/trash", scopeRead, func(c *call) error { return c.getTrashed(r.kind) })
		s.handle("DELETE "+r.path+"/trash", scopeWrite, func(c *call) error { return c.purge(r.kind) })
		s.handle("POST "+r.path, scopeWrite, func(c *call) error { return c.restoreItem(r.kind) })
	}
}

// trashItems lists what was itself put into the trash, of the caller's own items.
func (c *call) trashItems() error {
	p, err := c.paging(100, highestLimit, c.s.w.Switches.Int("box.offset_ceiling"))
	if err != nil {
		return err
	}
	q := c.URL.Query()
	if p.marker != "" && !p.useMarker || p.useMarker && (q.Has("sort") || q.Has("direction") || q.Has("offset")) {
		return errMarkerUse
	}
	standardOrder := "name"
	if p.useMarker {
		standardOrder = "id"
	}
	by, direction, _, err := c.ordering(standardOrder)
	if err != nil {
		return err
	}
	return c.reading(func() (any, error) {
		dir := &item{kind: folderKind, num: 1, owner: c.v.user, children: c.v.user.trash, name: "Trash"}
		dir.parent = dir // not a root, so its id is 1
		picked, err := c.choose(dir.children, dir, p, by, direction)
		if err != nil {
			return nil, err
		}
		o := object{{"entries", c.entries(dir, picked.items)}, {"limit", p.limit}}
		switch {
		case !p.useMarker:
			var order any = nameOrderBy(by, direction)
			if !c.s.w.Switches.Bool("box.plain_listings") {
				// The one place where order is an object and not an array (rclone#8776).
				order = nameOrderBy(by, direction)[1]
			}
			o = append(o, member{"total_count", picked.total}, member{"offset", p.offset}, member{"order", order})
		case picked.next != "":
			o = append(o, member{"next_marker", picked.next})
		default:
			o = c.s.lastMarker(o)
		}
		return o, nil
	})
}

// trashedItem finds an item that was itself put into the trash. The store's lock must be held.
func (c *call) trashedItem(k kind) (*item, access, error) {
	id := c.Param("item")
	num, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return nil, access{}, errMethod()
	}
	it := c.s.store.items[itemKey{k, num}]
	if it == nil {
		return nil, access{}, errNotFound(k.String(), id)
	}
	a := c.v.look(it)
	switch {
	case a.role == "", it.trashed.IsZero() && it.inTrash():
		return nil, a, errNotFound(k.String(), id)
	case it.trashed.IsZero():
		return nil, a, fail(http.StatusNotFound, "not_trashed", "Item is not trashed")
	}
	return it, a, nil
}

func (c *call) getTrashed(k kind) error {
	return c.reading(func() (any, error) {
		it, a, err := c.trashedItem(k)
		if err != nil {
			return nil, err
		}
		saved := c.fields
		defer func() { c.fields = saved }()
		o := c.show(it, a, standard)
		// A trashed folder cannot be listed, so its own listing is not shown either.
		for i, m := range o {
			if m.key == "item_collection" {
				return append(o[:i:i], o[i+1:]...), nil
			}
		}
		return o, nil
	})
}

func (c *call) purge(k kind) error {
	return c.writing(http.StatusNoContent, func() (any, error) {
		it, a, err := c.trashedItem(k)
		if err != nil {
			return nil, err
		}
		if !can(a.role, "edit") {
			return nil, errForbidden()
		}
		c.after(ActionPurge, it)
		c.s.store.forget(it)
		c.s.store.remount()
		return nil, nil
	})
}

// restoreItem takes an item out of the trash, into another folder or under another name if the body says so.
func (c *call) restoreItem(k kind) error {
	var in itemPatch
	if err := c.body(&in); err != nil {
		return err
	}
	return c.writing(http.StatusCreated, func() (any, error) {
		it, a, err := c.trashedItem(k)
		if err != nil {
			return nil, err
		}
		if !can(a.role, "edit") {
			return nil, errForbidden()
		}
		dir := it.parent
		if dir.inTrash() || !dir.isRoot() && c.s.store.items[itemKey{folderKind, dir.num}] != dir {
			// Only then the folder that the body names counts.
			if dir, _, err = c.item(folderKind, in.Parent.ID); err != nil {
				return nil, err
			}
		}
		name := it.name
		if twin := dir.children.named(name); twin != nil {
			if in.Name == nil {
				return nil, errInUse(twin)
			}
			name = *in.Name
			if err := checkName(name); err != nil {
				return nil, err
			}
			if twin := dir.children.named(name); twin != nil {
				return nil, errInUse(twin)
			}
		}
		c.s.store.restore(it, dir, name)
		c.block(it)
		it.touch(c.v.user, c.now)
		c.after(ActionRestore, it)
		return c.show(it, c.v.look(it), standard), nil
	})
}
