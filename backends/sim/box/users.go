package box

import (
	"slices"
	"strconv"
	"strings"
)

func (s *Server) userRoutes() {
	s.handle("GET /users/me", scopeNone, func(c *call) error {
		return c.reading(func() (any, error) { return c.showUser(c.v.user, standard), nil })
	})
	s.handle("GET /users", scopeUsers, (*call).listUsers)
	s.handle("GET /users/{user}", scopeNone, (*call).getUser)
	s.handle("GET /users/{user}/memberships", scopeNone, (*call).userMemberships)
	s.handle("GET /groups", scopeGroups, (*call).listGroups)
	s.handle("GET /groups/{group}", scopeGroups, (*call).getGroup)
	s.handle("GET /groups/{group}/memberships", scopeGroups, (*call).groupMemberships)
	s.handle("GET /groups/{group}/collaborations", scopeGroups, (*call).groupCollaborations)
}

var (
	userStandard = []string{
		"name", "login", "created_at", "modified_at", "language", "timezone", "space_amount", "space_used", "max_upload_size",
		"status", "job_title", "phone", "address", "avatar_url", "notification_email",
	}
	userMini = []string{"name", "login"}
)

// unlimited is the quota of most accounts; Box writes it like this (rclone commit dc95f36bc).
const unlimited = literal("1e+18")

func (c *call) showUser(u *user, l level) object {
	o := object{{"type", "user"}, {"id", u.id()}}
	names := c.fields
	if names == nil {
		names = userStandard
		if l == mini {
			names = userMini
		}
	}
	// Of people outside, hardly more than the name is told.
	stranger := u.enterprise != c.s.store.ours
	for _, name := range names {
		var v any
		switch name {
		case "name":
			v = u.name
		case "login":
			v = u.login
		default:
			var known bool
			if v, known = c.userField(u, name); !known {
				continue
			}
			if stranger {
				v = nil
			}
		}
		o = append(o, member{name, v})
	}
	return o
}

func (c *call) userField(u *user, name string) (v any, known bool) {
	switch name {
	case "created_at", "modified_at":
		return stamp(u.created, u.num), true
	case "language":
		return u.language, true
	case "timezone":
		return u.zone, true
	case "space_amount":
		if u.service {
			return 10 << 30, true
		}
		return unlimited, true
	case "space_used":
		return u.root.size, true
	case "max_upload_size":
		return int64(50) << 30, true
	case "status":
		return u.status, true
	case "job_title":
		return u.job, true
	case "phone":
		return u.phone, true
	case "address":
		return u.address, true
	case "avatar_url":
		return "https://contoso.app.box.com/api/avatar/large/" + u.id(), true
	case "notification_email":
		return object{}, true
	case "role":
		return u.role, true
	case "enterprise":
		return object{{"type", "enterprise"}, {"id", u.enterprise.id}, {"name", u.enterprise.name}}, true
	case "is_platform_access_only":
		return u.appUser, true
	case "external_app_user_id", "hostname":
		return nil, true
	case "tracking_codes", "my_tags":
		return []string{}, true
	case "is_external_collab_restricted", "is_exempt_from_device_limits", "is_exempt_from_login_verification", "is_sync_enabled", "can_see_managed_users":
		return false, true
	}
	return nil, false
}

// listUsers lists managed users. People outside are found only one at a time by their exact login; the Service Account is
// not listed.
func (c *call) listUsers() error {
	p, err := c.paging(100, highestLimit, 10000)
	if err != nil {
		return err
	}
	if p.marker != "" && !p.useMarker {
		return errMarkerUse
	}
	q := c.URL.Query()
	term, kind := strings.ToLower(q.Get("filter_term")), q.Get("user_type")
	if kind == "" {
		kind = "managed"
	}
	if !slices.Contains([]string{"managed", "external", "all"}, kind) {
		return errParameter("user_type", "Invalid value '"+kind+"'.")
	}
	return c.reading(func() (any, error) {
		if !c.v.user.manages() {
			return nil, errForbidden()
		}
		var found []*user
		for _, u := range c.s.store.users {
			managed := u.enterprise == c.s.store.ours
			switch {
			case u.service, q.Has("external_app_user_id"):
			case managed && kind != "external" && (term == "" || strings.HasPrefix(strings.ToLower(u.name), term) || strings.HasPrefix(strings.ToLower(u.login), term)):
				found = append(found, u)
			case !managed && kind != "managed" && term == strings.ToLower(u.login):
				found = append(found, u)
			}
		}
		show := func(u *user) object { return c.showUser(u, standard) }
		if p.useMarker {
			return byMarker(c.s, p, "users "+kind+" "+term, found, func(u *user) uint64 { return u.num }, show)
		}
		return byOffset(p, found, nil, show), nil
	})
}

// userOf finds the user that the path names. The store's lock must be held.
func (c *call) userOf() (*user, error) {
	id := c.Param("user")
	num, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return nil, errMethod()
	}
	u := c.s.store.userByID[num]
	if u == nil {
		return nil, errNotFound("user", id)
	}
	return u, nil
}

func (c *call) getUser() error {
	return c.reading(func() (any, error) {
		u, err := c.userOf()
		if err != nil {
			return nil, err
		}
		if u != c.v.user && !c.v.user.manages() && u.enterprise != c.v.user.enterprise && !c.s.store.workTogether(u, c.v.user) {
			return nil, errNotFound("user", u.id())
		}
		return c.showUser(u, standard), nil
	})
}

// workTogether says whether two users meet in a collaboration. mu must be held.
func (s *store) workTogether(a, b *user) bool {
	for _, c := range s.collabs {
		if c.user == a && c.item.owner == b || c.user == b && c.item.owner == a {
			return true
		}
	}
	return false
}

func (c *call) showMembership(m *membership) object {
	return object{
		{"type", "group_membership"}, {"id", numeral(m.num)}, {"user", m.user.mini()}, {"group", m.group.mini()}, {"role", m.role},
		{"created_at", stamp(m.created, m.num)}, {"modified_at", stamp(m.created, m.num)},
	}
}

func (c *call) userMemberships() error {
	p, err := c.paging(100, highestLimit, 10000)
	if err != nil {
		return err
	}
	return c.reading(func() (any, error) {
		u, err := c.userOf()
		if err != nil {
			return nil, err
		}
		if u != c.v.user && !c.v.user.manages() {
			return nil, errForbidden()
		}
		var mine []*membership
		for _, g := range u.groups {
			for _, m := range g.members {
				if m.user == u {
					mine = append(mine, m)
				}
			}
		}
		return byOffset(p, mine, nil, c.showMembership), nil
	})
}

func (c *call) showGroup(g *group) object {
	o := object{{"type", "group"}, {"id", numeral(g.num)}}
	names := c.fields
	if names == nil {
		names = []string{"name", "group_type", "created_at", "modified_at"}
	}
	for _, name := range names {
		var v any
		switch name {
		case "name":
			v = g.name
		case "group_type":
			v = g.kind
		case "created_at", "modified_at":
			v = stamp(g.created, g.num)
		case "description":
			v = g.description
		case "provenance", "external_sync_identifier":
		case "invitability_level":
			v = "all_managed_users"
		case "member_viewability_level":
			v = "all_managed_users"
		case "permissions":
			v = object{{"can_invite_as_collaborator", true}}
		default:
			continue
		}
		o = append(o, member{name, v})
	}
	return o
}

func (c *call) listGroups() error {
	p, err := c.paging(100, highestLimit, 10000)
	if err != nil {
		return err
	}
	term := strings.ToLower(c.URL.Query().Get("filter_term"))
	return c.reading(func() (any, error) {
		if !c.v.user.manages() {
			return nil, errForbidden()
		}
		var found []*group
		for _, g := range c.s.store.groups {
			if strings.Contains(strings.ToLower(g.name), term) {
				found = append(found, g)
			}
		}
		return byOffset(p, found, []object{{{"by", "name"}, {"direction", "ASC"}}}, c.showGroup), nil
	})
}

// group finds the group that the path names, for those who may manage groups. The store's lock must be held.
func (c *call) group() (*group, error) {
	if !c.v.user.manages() {
		return nil, errForbidden()
	}
	num, err := strconv.ParseUint(c.Param("group"), 10, 64)
	if err != nil {
		return nil, errMethod()
	}
	g := c.s.store.groupByID[num]
	if g == nil {
		return nil, errNotFound("group", c.Param("group"))
	}
	return g, nil
}

func (c *call) getGroup() error {
	return c.reading(func() (any, error) {
		g, err := c.group()
		if err != nil {
			return nil, err
		}
		return c.showGroup(g), nil
	})
}

func (c *call) groupMemberships() error {
	p, err := c.paging(100, highestLimit, 10000)
	if err != nil {
		return err
	}
	return c.reading(func() (any, error) {
		g, err := c.group()
		if err != nil {
			return nil, err
		}
		return byOffset(p, g.members, nil, c.showMembership), nil
	})
}

func (c *call) groupCollaborations() error {
	p, err := c.paging(100, highestLimit, 10000)
	if err != nil {
		return err
	}
	return c.reading(func() (any, error) {
		g, err := c.group()
		if err != nil {
			return nil, err
		}
		var found []*collab
		for _, co := range c.s.store.sortedCollabs() {
			if co.group == g {
				found = append(found, co)
			}
		}
		return byOffset(p, found, nil, c.showCollab), nil
	})
}
