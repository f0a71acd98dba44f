package box

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// directoryRoutes are the calls that change users and memberships of groups.
func (s *Server) directoryRoutes() {
	s.handle("POST /users", scopeUsers, (*call).createUser)
	s.handle("PUT /users/{user}", scopeUsers, (*call).changeUser)
	s.handle("DELETE /users/{user}", scopeUsers, (*call).deleteUser)
	s.handle("POST /group_memberships", scopeGroups, (*call).addMember)
	s.handle("DELETE /group_memberships/{membership}", scopeGroups, (*call).removeMember)
}

type userInput struct {
	Name    *string `json:"name"`
	Login   string  `json:"login"`
	Role    *string `json:"role"`
	Status  *string `json:"status"`
	Job     *string `json:"job_title"`
	AppUser bool    `json:"is_platform_access_only"`
}

// check refuses values that Box does not know.
func (in userInput) check() error {
	if in.Role != nil && *in.Role != "user" && *in.Role != "coadmin" {
		return errParameter("role", "Invalid value '"+*in.Role+"'.")
	}
	states := []string{"active", "inactive", "cannot_delete_edit", "cannot_delete_edit_upload"}
	if in.Status != nil && !slices.Contains(states, *in.Status) {
		return errParameter("status", "Invalid value '"+*in.Status+"'.")
	}
	return nil
}

func (in userInput) apply(u *user) {
	for _, f := range []struct {
		from *string
		to   *string
	}{{in.Name, &u.name}, {in.Role, &u.role}, {in.Status, &u.status}, {in.Job, &u.job}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
}

// userChanged notes a change of a user.
func (c *call) userChanged(a Action, u *user) { c.after(a, nil).user = u }

func (c *call) createUser() error {
	var in userInput
	if err := c.body(&in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	if in.Name == nil || *in.Name == "" {
		return errParameter("name", "name is a required field")
	}
	return c.writing(http.StatusCreated, func() (any, error) {
		s := c.s.store
		if !c.v.user.manages() {
			return nil, errForbidden()
		}
		num := s.number(s.fresh("user"), func(n uint64) bool { return s.userByID[n] != nil })
		login := in.Login
		if in.AppUser {
			login = "AppUser_" + numeral(num) + "@boxdevedition.com"
		}
		if !strings.Contains(login, "@") {
			return nil, errParameter("login", "Invalid value '"+login+"'.")
		}
		if s.userByLogin(login) != nil {
			return nil, fail(http.StatusConflict, "user_login_already_used", "User with the specified login already exists")
		}
		u := &user{
			num: num, login: login, enterprise: s.ours, role: "user", status: "active", appUser: in.AppUser, maker: c.app.id, created: c.now,
			language: "en", zone: "America/Los_Angeles",
		}
		in.apply(u)
		s.newRoot(u)
		// Those who walk the list hold the lock for reading, but may keep it.
		s.users = append(slices.Clone(s.users), u)
		slices.SortFunc(s.users, func(a, b *user) int { return cmp.Compare(a.num, b.num) })
		s.userByID[num] = u
		c.userChanged(ActionUserNew, u)
		return c.showUser(u, standard), nil
	})
}

// managed finds the user that the path names, for those who may change users. The store's lock must be held.
func (c *call) managed() (*user, error) {
	u, err := c.userOf()
	switch {
	case err != nil:
		return nil, err
	case !c.v.user.manages() || u.enterprise != c.s.store.ours || u.service || u.role == "admin":
		return nil, errForbidden()
	}
	return u, nil
}

func (c *call) changeUser() error {
	var in userInput
	if err := c.body(&in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	return c.writing(http.StatusOK, func() (any, error) {
		u, err := c.managed()
		if err != nil {
			return nil, err
		}
		if in.Role != nil && *in.Role != u.role {
			c.userChanged(ActionUserRole, u)
		}
		in.apply(u)
		c.userChanged(ActionUserEdit, u)
		return c.showUser(u, standard), nil
	})
}

// deleteUser removes a user with all that the user owns; if that is anything, only with force.
func (c *call) deleteUser() error {
	return c.writing(http.StatusNoContent, func() (any, error) {
		u, err := c.managed()
		if err != nil {
			return nil, err
		}
		s := c.s.store
		if u.root.children.len() > len(s.mountedFor(u)) && c.URL.Query().Get("force") != "true" {
			return nil, fail(http.StatusConflict, "conflict", "User owns content; use force to delete it")
		}
		for _, co := range s.sortedCollabs() {
			if co.user == u && co.item.owner != u {
				s.dropCollab(co)
			}
		}
		for _, g := range slices.Clone(u.groups) {
			g.leave(u)
		}
		for _, it := range slices.Concat(u.root.children.byID, u.trash.byID) {
			if it.owner == u {
				s.forget(it)
			}
		}
		s.remount()
		delete(s.userByID, u.num)
		s.users = slices.DeleteFunc(slices.Clone(s.users), func(o *user) bool { return o == u })
		c.s.tokens.drop(u)
		c.userChanged(ActionUserDelete, u)
		return nil, nil
	})
}

// mountedFor lists what shows in a user's root without being the user's. mu must be held.
func (s *store) mountedFor(u *user) []*item {
	var items []*item
	for _, it := range u.root.children.byID {
		if it.owner != u {
			items = append(items, it)
		}
	}
	return items
}

// leave takes a user out of the group. The store's lock must be held.
func (g *group) leave(u *user) {
	g.members = slices.DeleteFunc(slices.Clone(g.members), func(m *membership) bool { return m.user == u })
	u.groups = slices.DeleteFunc(slices.Clone(u.groups), func(o *group) bool { return o == g })
}

func (c *call) addMember() error {
	var in struct {
		User  reference `json:"user"`
		Group reference `json:"group"`
		Role  string    `json:"role"`
	}
	if err := c.body(&in); err != nil {
		return err
	}
	return c.writing(http.StatusCreated, func() (any, error) {
		s := c.s.store
		if !c.v.user.manages() {
			return nil, errForbidden()
		}
		un, _ := strconv.ParseUint(in.User.ID, 10, 64) // 0 names nobody
		gn, _ := strconv.ParseUint(in.Group.ID, 10, 64)
		u, g := s.userByID[un], s.groupByID[gn]
		switch {
		case u == nil:
			return nil, errNotFound("user", in.User.ID)
		case g == nil:
			return nil, errNotFound("group", in.Group.ID)
		case u.in(g):
			return nil, fail(http.StatusConflict, "conflict", "User is already a member of the group")
		}
		role := cmp.Or(in.Role, "member")
		m := &membership{num: s.number(s.fresh("membership"), func(uint64) bool { return false }), user: u, group: g, role: role, created: c.now}
		g.members, u.groups = append(g.members, m), append(u.groups, g)
		s.remount()
		ch := c.after(ActionGroupAdd, nil)
		ch.user, ch.group = u, g
		return c.showMembership(m), nil
	})
}

func (c *call) removeMember() error {
	return c.writing(http.StatusNoContent, func() (any, error) {
		num, err := strconv.ParseUint(c.Param("membership"), 10, 64)
		if err != nil {
			return nil, errMethod()
		}
		if !c.v.user.manages() {
			return nil, errForbidden()
		}
		for _, g := range c.s.store.groups {
			for _, m := range g.members {
				if m.num == num {
					g.leave(m.user)
					c.s.store.remount()
					ch := c.after(ActionGroupRemove, nil)
					ch.user, ch.group = m.user, g
					return nil, nil
				}
			}
		}
		return nil, errNotFound("group_membership", c.Param("membership"))
	})
}
