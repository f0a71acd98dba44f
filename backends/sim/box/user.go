package box

import (
	"time"
)

// enterprise is one customer of Box.
type enterprise struct {
	id   string
	name string
}

// user is one Box account. The number, the login and the enterprise never change; the rest, and the trees below root and
// trash, are guarded by the store.
type user struct {
	num        uint64
	name       string
	login      string
	enterprise *enterprise
	role       string // admin, coadmin, user
	status     string // active, inactive, …
	service    bool   // the Service Account of an app
	appUser    bool   // made by an app, without a web login,
	maker      string // which has this client id
	job, phone string
	address    string
	language   string
	zone       string
	created    time.Time
	groups     []*group

	root  *item
	trash *listing
}

// group is a group of the enterprise.
type group struct {
	num         uint64
	name        string
	kind        string // managed_group or all_users_group
	description string
	created     time.Time
	members     []*membership
}

type membership struct {
	num     uint64
	user    *user
	group   *group
	role    string // member, admin
	created time.Time
}

func (u *user) id() string { return numeral(u.num) }

// in says whether the user belongs to the group.
func (u *user) in(g *group) bool {
	for _, have := range u.groups {
		if have == g {
			return true
		}
	}
	return false
}

// manages says whether the user may use the calls for administrators.
func (u *user) manages() bool { return u.role != "user" || u.service }

func (u *user) mini() object {
	return object{{"type", "user"}, {"id", u.id()}, {"name", u.name}, {"login", u.login}}
}

// nobody is what stands for the creator of a root folder.
func nobody() object {
	return object{{"type", "user"}, {"id", ""}, {"name", ""}, {"login", ""}}
}

func miniOrNil(u *user) any {
	if u == nil {
		return nil
	}
	return u.mini()
}

func (g *group) mini() object {
	return object{{"type", "group"}, {"id", numeral(g.num)}, {"name", g.name}, {"group_type", g.kind}}
}
