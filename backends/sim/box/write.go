package box

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// body reads a JSON body.
func (c *call) body(into any) error {
	data, err := io.ReadAll(http.MaxBytesReader(c.W, c.Body, 1<<20))
	if err != nil {
		return fail(http.StatusRequestEntityTooLarge, "bad_request", "Request body too large")
	}
	if len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fail(http.StatusBadRequest, "bad_request", "Could not parse JSON")
	}
	return nil
}

// writing runs f with the store locked, answers with what it gives and tells the changes that it noted.
func (c *call) writing(status int, f func() (any, error)) error {
	c.s.store.mu.Lock()
	v, err := f()
	if err == nil {
		c.tell()
	}
	c.s.store.mu.Unlock()
	if err != nil {
		return err
	}
	if status == http.StatusNoContent {
		c.W.WriteHeader(status)
		return nil
	}
	respond(c.Request, status, v)
	return nil
}

// mayChange gives the refusal when the caller lacks a right on an item, does not match its etag, or the tree is busy.
func (c *call) mayChange(it *item, a access, right string) error {
	switch {
	case it.isRoot() && right != "upload":
		return errForbidden()
	case !can(a.role, right):
		return errForbidden()
	case it.blocked(c.now):
		return errBlocked()
	case it.lock.locked(c.now) && it.lock.by != c.v.user:
		return fail(http.StatusForbidden, "access_denied_item_locked", "Access denied - item locked")
	}
	if match := c.Header.Get("If-Match"); match != "" && strings.Trim(match, `"`) != etag(it) {
		return errPrecondition()
	}
	return nil
}

// checkName refuses names that Box refuses.
func checkName(name string) error {
	switch {
	case utf8.RuneCountInString(name) > 255:
		return fail(http.StatusBadRequest, "item_name_too_long", "Item name too long")
	case name == "", name == ".", name == "..", strings.HasSuffix(name, " "), strings.ContainsAny(name, `/\`), !utf8.ValidString(name),
		strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return fail(http.StatusBadRequest, "item_name_invalid", "Item name invalid")
	}
	return nil
}

// target finds the folder that gets something new and checks the name.
func (c *call) target(id, name string) (*item, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	dir, a, err := c.item(folderKind, id)
	if err != nil {
		return nil, err
	}
	if !can(a.role, "upload") {
		return nil, errForbidden()
	}
	if dir.blocked(c.now) {
		return nil, errBlocked()
	}
	if twin := dir.children.named(name); twin != nil {
		return nil, errInUse(twin)
	}
	return dir, nil
}

type reference struct {
	ID string `json:"id"`
}

// UnmarshalJSON takes ids as strings and as numbers, as Box does.
func (r *reference) UnmarshalJSON(b []byte) error {
	var in struct {
		ID json.RawMessage `json:"id"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	r.ID = strings.Trim(string(in.ID), `"`)
	return nil
}

func (c *call) createFolder() error {
	var in struct {
		Name   string    `json:"name"`
		Parent reference `json:"parent"`
	}
	if err := c.body(&in); err != nil {
		return err
	}
	return c.writing(http.StatusCreated, func() (any, error) {
		dir, err := c.target(in.Parent.ID, in.Name)
		if err != nil {
			return nil, err
		}
		it := c.s.store.newItem(folderKind, c.s.store.fresh("folder"), in.Name, dir, c.v.user, c.now)
		if c.s.w.Switches.Bool("box.same_ids") {
			for _, f := range dir.children.byID {
				if twin := (itemKey{folderKind, f.num}); f.kind == fileKind && c.s.store.items[twin] == nil {
					delete(c.s.store.items, itemKey{folderKind, it.num})
					it.num = f.num
					c.s.store.items[twin] = it
					break
				}
			}
		}
		c.s.store.put(it)
		c.after(ActionCreate, it)
		return c.show(it, c.v.look(it), standard), nil
	})
}

func (c *call) createLink() error {
	var in struct {
		URL         string    `json:"url"`
		Name        string    `json:"name"`
		Description string    `json:"description"`
		Parent      reference `json:"parent"`
	}
	if err := c.body(&in); err != nil {
		return err
	}
	if !strings.HasPrefix(in.URL, "http://") && !strings.HasPrefix(in.URL, "https://") {
		return errParameter("url", "Invalid value '"+in.URL+"'.")
	}
	if in.Name == "" {
		in.Name = strings.NewReplacer("https://", "", "http://", "", "/", "_").Replace(in.URL)
	}
	return c.writing(http.StatusCreated, func() (any, error) {
		dir, err := c.target(in.Parent.ID, in.Name)
		if err != nil {
			return nil, err
		}
		it := c.s.store.newItem(linkKind, c.s.store.fresh("link"), in.Name, dir, c.v.user, c.now)
		it.url, it.description = in.URL, in.Description
		c.s.store.put(it)
		c.after(ActionCreate, it)
		return c.show(it, c.v.look(it), standard), nil
	})
}

// itemPatch is the body of an update; what is absent stays.
type itemPatch struct {
	Name        *string    `json:"name"`
	Description *string    `json:"description"`
	URL         *string    `json:"url"`
	Parent      *reference `json:"parent"`
	Tags        *[]string  `json:"tags"`
	Lock        *lockPatch `json:"lock"`
	Shared      *linkPatch `json:"shared_link"`
	Sync        *string    `json:"sync_state"`
}

// linkPatch and lockPatch tell null, which takes away, from absent, which leaves alone.
type linkPatch struct {
	Set    bool
	Access string
}

type lockPatch struct {
	Set        bool
	Expires    time.Time
	NoDownload bool
}

// UnmarshalJSON reads a shared_link or null.
func (p *linkPatch) UnmarshalJSON(b []byte) error {
	var in *struct {
		Access string `json:"access"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if in != nil {
		*p = linkPatch{true, in.Access}
	}
	return nil
}

// UnmarshalJSON reads a lock or null.
func (p *lockPatch) UnmarshalJSON(b []byte) error {
	var in *struct {
		Expires    time.Time `json:"expires_at"`
		NoDownload bool      `json:"is_download_prevented"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if in != nil {
		*p = lockPatch{true, in.Expires, in.NoDownload}
	}
	return nil
}

// UnmarshalJSON reads the members so that null is told from absent for the two that need it: encoding/json leaves a
// pointer nil for both.
func (p *itemPatch) UnmarshalJSON(b []byte) error {
	type plain itemPatch
	if err := json.Unmarshal(b, (*plain)(p)); err != nil {
		return err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	if v, ok := raw["lock"]; ok && string(v) == "null" {
		p.Lock = &lockPatch{}
	}
	if v, ok := raw["shared_link"]; ok && string(v) == "null" {
		p.Shared = &linkPatch{}
	}
	return nil
}

// updateItem renames, moves, describes, locks and shares.
func (c *call) updateItem(k kind, id string) error {
	var in itemPatch
	if err := c.body(&in); err != nil {
		return err
	}
	return c.writing(http.StatusOK, func() (any, error) {
		it, a, err := c.item(k, id)
		if err != nil {
			return nil, err
		}
		if err := c.mayChange(it, a, "edit"); err != nil {
			return nil, err
		}
		dir, name := it.parent, it.name
		if in.Name != nil {
			name = *in.Name
		}
		if in.Parent != nil && in.Parent.ID != dir.id() && (it != a.top || in.Parent.ID != "0") {
			if dir, _, err = c.item(folderKind, in.Parent.ID); err != nil {
				return nil, err
			}
		}
		if name != it.name || dir != it.parent {
			if err := c.relocate(it, dir, name); err != nil {
				return nil, err
			}
		}
		c.edit(it, in)
		it.touch(c.v.user, c.now)
		return c.show(it, c.v.look(it), standard), nil
	})
}

// relocate renames and moves after checking that the place is free.
func (c *call) relocate(it, dir *item, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if twin := dir.children.named(name); twin != nil && twin != it {
		return errInUse(twin)
	}
	if dir != it.parent {
		switch {
		case !can(c.v.look(dir).role, "upload"):
			return errForbidden()
		case dir.within(it):
			return fail(http.StatusConflict, "cyclical_folder_structure", "Folder move creates cyclical folder structure")
		case dir.blocked(c.now):
			return errBlocked()
		}
	}
	if name != it.name {
		c.after(ActionRename, it).oldName = it.name
		c.s.store.rename(it, name)
	}
	if dir != it.parent {
		ch := c.after(ActionMove, it)
		ch.from, ch.former, ch.hooks = it.parent, c.s.store.watchers(it), c.s.hooks.covering(it)
		c.s.store.move(it, dir)
		c.block(it)
	}
	return nil
}

// edit applies what is neither name nor place.
func (c *call) edit(it *item, in itemPatch) {
	if in.Description != nil {
		it.description = *in.Description
		c.after(ActionDescribe, it)
	}
	if in.URL != nil && it.kind == linkKind {
		it.url = *in.URL
		c.after(ActionDescribe, it)
	}
	if in.Tags != nil {
		it.more().tags = *in.Tags
		c.after(ActionTag, it)
	}
	if in.Lock != nil && it.kind == fileKind {
		if in.Lock.Set {
			num := c.s.store.number(c.s.store.fresh("lock"), func(uint64) bool { return false })
			it.lock = &lock{num: num, by: c.v.user, created: c.now, expires: in.Lock.Expires, noDownload: in.Lock.NoDownload}
			c.after(ActionLock, it)
		} else if it.lock != nil {
			it.lock = nil
			c.after(ActionUnlock, it)
		}
	}
	if in.Shared != nil {
		if in.Shared.Set {
			kind := in.Shared.Access
			if kind == "" {
				kind = "company"
			}
			action := ActionShare
			if it.more().shared != nil {
				action = ActionReshare
			}
			it.more().shared = &sharedLink{key: fmt.Sprintf("%x", it.num), access: kind, download: true}
			c.after(action, it)
		} else if it.more().shared != nil {
			it.more().shared = nil
			c.after(ActionUnshare, it)
		}
	}
	if in.Sync != nil && it.kind == folderKind && it.synced != (*in.Sync == "synced") {
		it.synced = !it.synced
		if it.synced {
			c.after(ActionSync, it)
		} else {
			c.after(ActionUnsync, it)
		}
	}
}

// bigOperation is the number of items above which Box works in the background (guide "Copy folder").
const bigOperation = 500

// block closes a tree for a while if it is big.
func (c *call) block(it *item) {
	secs := c.s.w.Switches.Int("box.big_operation_seconds")
	if secs > 0 && it.kind == folderKind && it.count(bigOperation) > bigOperation {
		it.blockedUntil = c.now.Add(time.Duration(secs) * time.Second)
	}
}

func (c *call) trashItem(k kind, id string) error {
	return c.writing(http.StatusNoContent, func() (any, error) {
		it, a, err := c.item(k, id)
		if err != nil {
			return nil, err
		}
		if err := c.mayChange(it, a, "edit"); err != nil {
			return nil, err
		}
		if k == folderKind && it.children.len() > 0 && c.URL.Query().Get("recursive") != "true" {
			return nil, fail(http.StatusBadRequest, "folder_not_empty", "Cannot delete - folder not empty")
		}
		c.after(ActionTrash, it)
		if it.lock != nil {
			// The guide "Get user events": "If a locked file is deleted, the source file will be null."
			it.lock = nil
			c.after(ActionUnlock, it).gone = true
		}
		c.s.store.toTrash(it, c.now)
		c.block(it)
		return nil, nil
	})
}

// copyItem copies a file, a link or a tree; only current versions come along.
func (c *call) copyItem(k kind, id string) error {
	var in struct {
		Name   string    `json:"name"`
		Parent reference `json:"parent"`
	}
	if err := c.body(&in); err != nil {
		return err
	}
	return c.writing(http.StatusCreated, func() (any, error) {
		it, a, err := c.item(k, id)
		if err != nil {
			return nil, err
		}
		if it.isRoot() || !can(a.role, "download") {
			return nil, errForbidden()
		}
		name := in.Name
		if name == "" {
			name = it.name
		}
		dir, err := c.target(in.Parent.ID, name)
		if err != nil {
			return nil, err
		}
		if dir.within(it) {
			return nil, fail(http.StatusConflict, "cyclical_folder_structure", "Folder copy creates cyclical folder structure")
		}
		made := c.duplicate(it, dir, name)
		c.after(ActionCopy, made).from = it
		return c.show(made, c.v.look(made), standard), nil
	})
}

func (c *call) duplicate(it, dir *item, name string) *item {
	made := c.s.store.newItem(it.kind, c.s.store.fresh("copy"), name, dir, c.v.user, c.now)
	made.url, made.description = it.url, it.description
	made.contentCreated, made.contentModified = it.contentCreated, it.contentModified
	if it.kind == fileKind {
		c.s.store.addVersion(made, c.s.store.fresh("copy version"), it.current().content, c.v.user, c.now, c.now)
	}
	c.s.store.put(made)
	if it.kind == folderKind {
		for _, child := range it.children.byID {
			c.duplicate(child, made, child.name)
		}
	}
	return made
}
