package directory

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/graph"
)

// Page sizes of users, groups and members.
const (
	defaultPage = 100
	maxPage     = 999
)

// Permissions by the table of the API pages.
var (
	readUsers = graph.Perms{Delegated: []string{"User.ReadBasic.All"}, App: []string{"User.Read.All", "User.ReadBasic.All"}}
	readMe    = graph.Perms{Delegated: []string{"User.Read"}}
	// User.Read suffices for one's own object, also by its id.
	readUser    = graph.Perms{Delegated: []string{"User.Read", "User.ReadBasic.All"}, App: readUsers.App}
	readGroups  = graph.Perms{Delegated: []string{"GroupMember.Read.All"}, App: []string{"GroupMember.Read.All"}}
	readOrg     = graph.Perms{Delegated: []string{"User.Read", "Organization.Read.All"}, App: []string{"Organization.Read.All"}}
	writeUsers  = graph.Perms{Delegated: []string{"User.ReadWrite.All"}, App: []string{"User.ReadWrite.All"}}
	writeGroups = graph.Perms{Delegated: []string{"Group.ReadWrite.All"}, App: []string{"Group.ReadWrite.All"}}
	writeMember = graph.Perms{Delegated: []string{"GroupMember.ReadWrite.All", "Group.ReadWrite.All"}, App: []string{"GroupMember.ReadWrite.All", "Group.ReadWrite.All"}}
)

// Directory is the tenant's people and groups on Graph.
type Directory struct {
	Store *Store

	world   *core.World
	company *company.Company

	presenceMu sync.Mutex
	presences  map[string]presence // what users have set, by their ids
}

// New fills a directory with the company and registers its routes.
func New(w *core.World, s *graph.Server, c *company.Company) *Directory {
	sw := w.Switches
	sw.Register("directory.replication_seconds", 5, "how long reads still show the old state after a change")
	sw.Register("directory.awkward_delta", true, "first delta rounds repeat objects and tell of deletions never heard of")
	sw.Register("directory.delta_page", 100, "entries on a page of users or groups delta")
	sw.Register("directory.delta_members", 6, "members per entry of groups delta; larger groups repeat")
	sw.Register("directory.presence_app", true, "presence can be read by an application (undocumented)")
	d := &Directory{Store: newStore(w), world: w, company: c, presences: map[string]presence{}}
	fill(d.Store, c)

	s.Handle("GET /me", readMe, d.me)
	s.Handle("GET /users", readUsers, d.listUsers)
	s.Handle("GET /users/$count", readUsers, d.count(kindUser))
	s.Handle("GET /users/delta", readUsers, d.usersDelta)
	s.Handle("GET /users/{id}", readUser, d.user)
	s.Handle("POST /users", writeUsers, d.create(kindUser))
	s.Handle("PATCH /users/{id}", writeUsers, d.update(kindUser))
	s.Handle("DELETE /users/{id}", writeUsers, d.remove(kindUser))
	s.Handle("GET /groups", readGroups, d.listGroups)
	s.Handle("GET /groups/$count", readGroups, d.count(kindGroup))
	s.Handle("GET /groups/delta", readGroups, d.groupsDelta)
	s.Handle("GET /groups/{id}", readGroups, d.group)
	s.Handle("POST /groups", writeGroups, d.create(kindGroup))
	s.Handle("PATCH /groups/{id}", writeGroups, d.update(kindGroup))
	s.Handle("DELETE /groups/{id}", writeGroups, d.remove(kindGroup))
	s.Handle("GET /groups/{id}/members", readGroups, d.members(false))
	s.Handle("GET /groups/{id}/transitiveMembers", readGroups, d.members(true))
	s.Handle("POST /groups/{id}/members/$ref", writeMember, d.addMember)
	s.Handle("DELETE /groups/{id}/members/{member}/$ref", writeMember, d.removeMember)
	s.Handle("GET /organization", readOrg, d.organization)
	d.presenceRoutes(s)
	return d
}

// organization serves the one organisation of the tenant.
func (d *Directory) organization(r *graph.Request) {
	r.WritePage(graph.Page{Fragment: "organization", Items: []any{r.Select(map[string]any{
		"id": d.company.TenantID, "displayName": d.company.Name, "tenantType": "AAD", "countryLetterCode": "US",
		"createdDateTime": created(d.Store, 0), "preferredLanguage": "en", "technicalNotificationMails": []string{d.company.Alice().Mail},
		"verifiedDomains": []map[string]any{{"name": d.company.Domain, "isDefault": true, "isInitial": false, "type": "Managed", "capabilities": "Email, OfficeCommunicationsOnline"}},
	})}})
}

func (d *Directory) count(kind string) func(*graph.Request) {
	return func(r *graph.Request) {
		if !eventual(r) {
			r.Error(http.StatusBadRequest, "Request_BadRequest", "$count is not currently supported.")
			return
		}
		items, ok := d.filtered(r, kind)
		if ok {
			r.Bytes(http.StatusOK, "text/plain", []byte(itoa(len(items))))
		}
	}
}

// eventual reports whether the client accepts the index that advanced queries run on.
func eventual(r *graph.Request) bool {
	return strings.EqualFold(r.Header.Get("ConsistencyLevel"), "eventual")
}

func (d *Directory) create(kind string) func(*graph.Request) {
	return func(r *graph.Request) {
		var props map[string]any
		if !r.ReadJSON(&props) {
			return
		}
		if name, _ := props["displayName"].(string); name == "" {
			r.Error(http.StatusBadRequest, "Request_BadRequest", "A value is required for property 'displayName' of resource.")
			return
		}
		delete(props, "passwordProfile")
		id := d.Store.Create(kind, props)
		out := map[string]any{}
		for k, v := range props {
			out[k] = v
		}
		out["id"] = id
		r.Entity(http.StatusCreated, out)
	}
}

func (d *Directory) update(kind string) func(*graph.Request) {
	return func(r *graph.Request) {
		var props map[string]any
		if !r.ReadJSON(&props) {
			return
		}
		delete(props, "id")
		d.done(r, d.Store.Update(kind, d.resolve(r.Param("id")), props))
	}
}

func (d *Directory) remove(kind string) func(*graph.Request) {
	return func(r *graph.Request) { d.done(r, d.Store.Delete(kind, d.resolve(r.Param("id")))) }
}

func (d *Directory) addMember(r *graph.Request) {
	var ref map[string]string
	if !r.ReadJSON(&ref) {
		return
	}
	link := ref["@odata.id"]
	d.done(r, d.Store.AddMember(r.Param("id"), link[strings.LastIndexByte(link, '/')+1:]))
}

func (d *Directory) removeMember(r *graph.Request) {
	d.done(r, d.Store.RemoveMember(r.Param("id"), r.Param("member")))
}

// done answers a change.
func (d *Directory) done(r *graph.Request, err error) {
	switch {
	case errors.Is(err, ErrExists):
		r.Error(http.StatusBadRequest, "Request_BadRequest", "One or more added object references already exist for the following modified properties: 'members'.")
	case err != nil:
		r.NotFound(r.Param("id"))
	default:
		r.Empty(http.StatusNoContent)
	}
}

// resolve gives the object id for an id or a user principal name.
func (d *Directory) resolve(key string) string {
	if p := d.company.Person(key); p != nil {
		return p.ID
	}
	for _, u := range d.Store.list(kindUser, d.Store.last()) {
		if upn, _ := u.props["userPrincipalName"].(string); strings.EqualFold(upn, key) {
			return u.id
		}
	}
	return strings.ToLower(key)
}

// basicUser are the properties that User.ReadBasic.All shows.
var basicUser = []string{"displayName", "givenName", "id", "mail", "surname", "userPrincipalName"}

// shown gives the properties of a user that the caller may see; others are null.
func shown(r *graph.Request, props map[string]any, own bool) map[string]any {
	if own || r.Caller.Has("User.Read.All") {
		return props
	}
	out := make(map[string]any, len(props))
	for k, v := range props {
		if !slices.Contains(basicUser, k) {
			v = nil
			if k == "businessPhones" {
				v = []string{}
			}
		}
		out[k] = v
	}
	return out
}
