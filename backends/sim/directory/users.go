package directory

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/outlook/query"
)

// defaultUser are the properties that users have without $select.
var defaultUser = []string{"businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation",
	"preferredLanguage", "surname", "userPrincipalName"}

// singleUserOnly are properties that only a request for one user can give.
var singleUserOnly = []string{"aboutMe", "birthday", "hireDate", "interests", "mySite", "pastProjects", "preferredName", "responsibilities",
	"schools", "skills", "mailboxSettings", "deviceEnrollmentLimit", "print"}

// schema is what $filter and $orderby can use.
var schema = query.Schema{
	"id": query.String, "userPrincipalName": query.String, "mail": query.String, "displayName": query.String, "givenName": query.String,
	"surname": query.String, "jobTitle": query.String, "department": query.String, "accountEnabled": query.Bool, "userType": query.String,
	"mailNickname": query.String, "createdDateTime": query.Time, "mailEnabled": query.Bool, "securityEnabled": query.Bool,
	"groupTypes": query.Strings, "resourceProvisioningOptions": query.Strings, "officeLocation": query.String, "companyName": query.String,
	"visibility": query.String, "proxyAddresses": query.Strings, "city": query.String, "country": query.String,
}

func itoa(n int) string { return strconv.Itoa(n) }

// last gives the number of the last change, replicated or not.
func (s *Store) last() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.seq
}

func (d *Directory) me(r *graph.Request) { d.oneUser(r, r.User.ID, true) }

func (d *Directory) user(r *graph.Request) {
	id := d.resolve(r.Param("id"))
	own := id == r.Caller.UserID
	if !own && !r.Caller.Has("User.ReadBasic.All") {
		r.AccessDenied()
		return
	}
	d.oneUser(r, id, own)
}

func (d *Directory) oneUser(r *graph.Request, id string, own bool) {
	_, v := d.Store.live(id, kindUser, d.Store.replicated())
	if v == nil {
		r.NotFound(r.Param("id"))
		return
	}
	props := shown(r, v.props, own)
	for _, name := range r.Query.Select {
		for _, only := range singleUserOnly {
			if strings.EqualFold(name, only) {
				props = withNull(props, only)
			}
		}
	}
	out := copyOf(r.Select(props, defaultUser...))
	out["@odata.context"] = r.ContextURL("users/$entity")
	r.JSON(http.StatusOK, out)
}

func copyOf(m map[string]any) map[string]any {
	out := make(map[string]any, len(m)+2)
	for k, v := range m {
		out[k] = v
	}
	return out
}

func withNull(m map[string]any, name string) map[string]any {
	m = copyOf(m)
	m[name] = nil
	return m
}

// filtered gives all objects of a kind that $filter lets through, in order of id or as $orderby says; on a bad option it
// answers and gives false.
func (d *Directory) filtered(r *graph.Request, kind string) ([]listed, bool) {
	bad := func(message string) ([]listed, bool) {
		r.Error(http.StatusBadRequest, "Request_UnsupportedQuery", message)
		return nil, false
	}
	if r.Query.Values.Has("$skip") {
		r.Error(http.StatusBadRequest, "Request_BadRequest", "'$skip' is not supported by the service.")
		return nil, false
	}
	filter, err := query.ParseFilter(r.Query.Filter, schema)
	if err != nil {
		r.Error(http.StatusBadRequest, "Request_BadRequest", "Invalid filter clause: "+err.Error())
		return nil, false
	}
	order, err := query.ParseOrderBy(r.Query.OrderBy, schema)
	if err != nil {
		return bad("Unsupported sort property: " + err.Error())
	}
	if !eventual(r) {
		for _, op := range []string{" ne ", "not ", "not(", "endswith("} {
			if strings.Contains(strings.ToLower(r.Query.Filter), op) {
				return bad("Operator '" + strings.Trim(op, " (") + "' is not supported because the 'ConsistencyLevel:eventual' header is missing. Refer to https://aka.ms/graph-docs/advanced-queries for more information")
			}
		}
		if r.Query.Search != "" {
			return bad("Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'")
		}
		if filter != nil && len(order) > 0 {
			return bad("Sorting not supported for current query.")
		}
	}
	prop, wanted := searched(r.Query.Search)
	var out []listed
	for _, o := range d.Store.list(kind, d.Store.replicated()) {
		if filter != nil && !filter.Match(o.get) {
			continue
		}
		if wanted != "" {
			if v, _ := o.props[prop].(string); !strings.Contains(strings.ToLower(v), wanted) {
				continue
			}
		}
		out = append(out, o)
	}
	if len(order) > 0 {
		slices.SortStableFunc(out, func(a, b listed) int { return query.Compare(order, a.get, b.get) })
	}
	return out, true
}

// searched reads `"displayName:text"`.
func searched(search string) (prop, text string) {
	prop, text, _ = strings.Cut(strings.Trim(search, `"`), ":")
	return prop, strings.ToLower(text)
}

// get gives a property for filters.
func (l listed) get(path string) any {
	v := l.props[path]
	if s, ok := v.(string); ok && path == "createdDateTime" {
		if t, err := query.ParseTime(s); err == nil {
			return t
		}
	}
	return v
}

// page writes one page of objects; the mark of a link is the position.
func (d *Directory) page(r *graph.Request, fragment string, items []listed, object func(listed) map[string]any) {
	n, ok := r.PageSize(defaultPage, maxPage)
	if !ok {
		return
	}
	from := 0
	mark, following := r.State()
	if following {
		from, _ = strconv.Atoi(mark)
		from = min(max(from, 0), len(items))
	}
	to := min(from+n, len(items))
	p := graph.Page{Fragment: fragment}
	for _, o := range items[from:to] {
		p.Items = append(p.Items, object(o))
	}
	if to < len(items) {
		p.Next = itoa(to)
	}
	// The total comes with the first page only, and only from the index for advanced queries.
	if r.Query.Count && eventual(r) && !following {
		total := len(items)
		p.Count = &total
	}
	r.WritePage(p)
}

func (d *Directory) listUsers(r *graph.Request) {
	if p := d.company.Person(r.Caller.UserID); p != nil && p.Kind == company.Guest {
		r.AccessDenied()
		return
	}
	for _, name := range r.Query.Select {
		if slices.ContainsFunc(singleUserOnly, func(s string) bool { return strings.EqualFold(s, name) }) {
			r.Error(http.StatusNotImplemented, "NotImplemented", "The property '"+name+"' is only supported when a single user is requested.")
			return
		}
	}
	items, ok := d.filtered(r, kindUser)
	if ok {
		d.page(r, "users", items, func(o listed) map[string]any { return r.Select(shown(r, o.props, false), defaultUser...) })
	}
}
