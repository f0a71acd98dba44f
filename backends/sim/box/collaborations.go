package box

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

func (s *Server) collaborationRoutes() {
	s.handle("GET /files/{file}/collaborations", scopeRead, func(c *call) error { return c.itemCollabs(fileKind, c.Param("file")) })
	s.handle("GET /folders/{folder}/collaborations", scopeRead, func(c *call) error { return c.itemCollabs(folderKind, c.Param("folder")) })
	s.handle("GET /collaborations", scopeRead, (*call).pendingCollabs)
	s.handle("POST /collaborations", scopeWrite, (*call).createCollab)
	s.handle("GET /collaborations/{collab}", scopeRead, (*call).getCollab)
	s.handle("PUT /collaborations/{collab}", scopeWrite, (*call).changeCollab)
	s.handle("DELETE /collaborations/{collab}", scopeWrite, (*call).removeCollab)
}

func (s *store) sortedCollabs() []*collab {
	return slices.SortedFunc(maps.Values(s.collabs), func(a, b *collab) int { return cmp.Compare(a.num, b.num) })
}

// addCollab gives a user or group a role on an item. mu must be held; remount must follow.
func (s *store) addCollab(co *collab, purpose string) *collab {
	co.num = s.number("collab "+purpose, func(n uint64) bool { return s.collabs[n] != nil })
	s.collabs[co.num] = co
	co.item.collabs = append(co.item.collabs, co)
	return co
}

// dropCollab ends a collaboration. mu must be held.
func (s *store) dropCollab(co *collab) {
	delete(s.collabs, co.num)
	co.item.collabs = slices.DeleteFunc(co.item.collabs, func(o *collab) bool { return o == co })
	co.item.unmount()
	s.remount()
}

// concerning notes a change of a collaboration, for those who see the item now, too: they may not in the end.
func (c *call) concerning(a Action, co *collab) {
	ch := c.after(a, co.item)
	ch.collab, ch.former = co, c.s.store.parties(co)
}

func (c *call) showCollab(co *collab) object {
	var on, who, email any
	if co.status != "pending" {
		mini := object{{"type", co.item.kind.String()}, {"id", co.item.id()}, {"sequence_id", etag(co.item)}, {"etag", etag(co.item)}, {"name", co.item.name}}
		if co.item.kind == fileKind {
			mini = append(mini, member{"sha1", sha1Of(co.item.current())})
		}
		on = mini
	}
	switch {
	case co.user != nil:
		who = co.user.mini()
	case co.group != nil:
		who = co.group.mini()
	}
	if co.email != "" {
		email = co.email
	}
	return object{
		{"type", "collaboration"}, {"id", numeral(co.num)}, {"item", on}, {"app_item", nil}, {"accessible_by", who}, {"invite_email", email},
		{"role", co.role}, {"expires_at", stamp(co.expires, co.num)}, {"is_access_only", co.accessOnly}, {"status", co.status},
		{"acknowledged_at", stamp(co.acknowledgedAt, co.num)}, {"created_by", miniOrNil(co.createdBy)},
		{"created_at", stamp(co.created, co.num)}, {"modified_at", stamp(co.modified, co.num)},
		{"acceptance_requirements_status", object{
			{"terms_of_service_requirement", object{{"is_accepted", nil}, {"terms_of_service", nil}}},
			{"strong_password_requirement", object{{"enterprise_has_strong_password_required_for_external_users", false}, {"user_has_strong_password", nil}}},
			{"two_factor_authentication_requirement", object{{"enterprise_has_two_factor_auth_enabled", false}, {"user_has_two_factor_authentication_enabled", nil}}},
		}},
	}
}

// itemCollabs lists the collaborations set on an item itself.
func (c *call) itemCollabs(k kind, id string) error {
	p, err := c.paging(100, highestLimit, 10000)
	if err != nil {
		return err
	}
	p.useMarker = true
	return c.reading(func() (any, error) {
		it, a, err := c.item(k, id)
		if err != nil {
			return nil, err
		}
		if it.isRoot() {
			return nil, errNotFound(k.String(), id)
		}
		if !can(a.role, "preview") {
			return nil, errForbidden()
		}
		found := slices.SortedFunc(slices.Values(it.collabs), func(a, b *collab) int { return cmp.Compare(a.num, b.num) })
		return byMarker(c.s, p, "collabs "+k.String()+id, found, func(co *collab) uint64 { return co.num }, c.showCollab)
	})
}

func (c *call) pendingCollabs() error {
	if status := c.URL.Query().Get("status"); status != "pending" {
		return errParameter("status", "Invalid value '"+status+"'.")
	}
	p, err := c.paging(100, highestLimit, 10000)
	if err != nil {
		return err
	}
	return c.reading(func() (any, error) {
		var found []*collab
		for _, co := range c.s.store.sortedCollabs() {
			if co.status == "pending" && co.user == c.v.user {
				found = append(found, co)
			}
		}
		return byOffset(p, found, nil, c.showCollab), nil
	})
}

// collab finds what the path names. The store's lock must be held.
func (c *call) collab() (*collab, error) {
	num, err := strconv.ParseUint(c.Param("collab"), 10, 64)
	if err != nil {
		return nil, errMethod()
	}
	co := c.s.store.collabs[num]
	if co == nil || co.user != c.v.user && c.v.look(co.item).role == "" {
		return nil, errNotFound("collaboration", c.Param("collab"))
	}
	return co, nil
}

func (c *call) getCollab() error {
	return c.reading(func() (any, error) {
		co, err := c.collab()
		if err != nil {
			return nil, err
		}
		return c.showCollab(co), nil
	})
}

type collabInput struct {
	Item struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"item"`
	By struct {
		Type  string `json:"type"`
		Login string `json:"login"`
		ID    string `json:"id"`
	} `json:"accessible_by"`
	Role       string    `json:"role"`
	Status     string    `json:"status"`
	AccessOnly bool      `json:"is_access_only"`
	ViewPath   bool      `json:"can_view_path"`
	Expires    time.Time `json:"expires_at"`
}

func (c *call) createCollab() error {
	var in collabInput
	if err := c.body(&in); err != nil {
		return err
	}
	if r := strength(in.Role); r <= 0 || in.Role == "owner" {
		return errParameter("role", "Invalid value '"+in.Role+"'.")
	}
	return c.writing(http.StatusCreated, func() (any, error) {
		k := folderKind
		if in.Item.Type == "file" {
			k = fileKind
		}
		it, a, err := c.item(k, in.Item.ID)
		if err != nil {
			return nil, err
		}
		if err := c.mayChange(it, a, "edit"); err != nil {
			return nil, err
		}
		co := &collab{
			item: it, role: in.Role, status: "accepted", accessOnly: in.AccessOnly, viewPath: in.ViewPath && k == folderKind,
			created: c.now, modified: c.now, expires: in.Expires, createdBy: c.v.user, acknowledgedAt: c.now,
		}
		num, _ := strconv.ParseUint(in.By.ID, 10, 64) // 0 names nobody
		if in.By.Type == "group" {
			co.group = c.s.store.groupByID[num]
		} else {
			co.user = c.s.store.userByID[num]
			if u := c.s.store.userByLogin(in.By.Login); u != nil {
				co.user = u
			}
		}
		switch {
		case co.group == nil && co.user == nil && in.By.Login == "":
			return nil, errParameter("accessible_by", "Invalid value.")
		case co.group == nil && co.user == nil:
			co.email, co.status = in.By.Login, "pending"
		}
		for _, have := range it.collabs {
			if co.user != nil && have.user == co.user || co.group != nil && have.group == co.group || co.user == it.owner {
				return nil, fail(http.StatusBadRequest, "user_already_collaborator", "User is already a collaborator")
			}
		}
		c.s.store.addCollab(co, c.s.store.fresh("made"))
		c.s.store.remount()
		c.concerning(ActionCollabInvite, co)
		if co.status == "accepted" {
			c.concerning(ActionCollabAccept, co) // Box accepts for the people of one enterprise
		}
		return c.showCollab(co), nil
	})
}

func (c *call) changeCollab() error {
	var in collabInput
	if err := c.body(&in); err != nil {
		return err
	}
	return c.writing(http.StatusOK, func() (any, error) {
		co, err := c.collab()
		if err != nil {
			return nil, err
		}
		if in.Status != "" {
			if co.user != c.v.user || co.status != "pending" || in.Status != "accepted" && in.Status != "rejected" {
				return nil, errForbidden()
			}
			co.status, co.acknowledgedAt = in.Status, c.now
			if in.Status == "accepted" {
				c.concerning(ActionCollabAccept, co)
			} else {
				c.concerning(ActionCollabReject, co)
			}
		}
		if in.Role != "" {
			if r := strength(in.Role); r <= 0 || in.Role == "owner" {
				return nil, errParameter("role", "Invalid value '"+in.Role+"'.")
			}
			if !can(c.v.look(co.item).role, "edit") {
				return nil, errForbidden()
			}
			co.role = in.Role
			c.concerning(ActionCollabRole, co)
		}
		co.modified = c.now
		c.s.store.remount()
		return c.showCollab(co), nil
	})
}

func (c *call) removeCollab() error {
	return c.writing(http.StatusNoContent, func() (any, error) {
		co, err := c.collab()
		if err != nil {
			return nil, err
		}
		if co.user != c.v.user && !can(c.v.look(co.item).role, "edit") {
			return nil, errForbidden()
		}
		c.concerning(ActionCollabRemove, co)
		c.s.store.dropCollab(co)
		return nil, nil
	})
}
