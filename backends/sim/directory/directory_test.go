package directory_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/directory"
	"github.com/workfs/workfs/backends/sim/simtest"
)

const (
	user  = "#microsoft.graph.user"
	group = "#microsoft.graph.group"
)

func newHost(t *testing.T) (*simtest.Host, *directory.Directory) {
	t.Helper()
	h := simtest.New(t, 0)
	d := directory.New(h.World, h.Graph, h.Company)
	return h, d
}

// settle lets replication catch up.
func settle(h *simtest.Host) { h.World.Clock.Advance(time.Minute) }

func text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func ids(items []map[string]any) []string {
	var out []string
	for _, it := range items {
		out = append(out, text(it, "id"))
	}
	return out
}

func keys(m map[string]any) []string {
	var out []string
	for k := range m {
		if !strings.HasPrefix(k, "@") {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

func TestMeAndUsers(t *testing.T) {
	h, _ := newHost(t)
	alice := h.As(h.Company.Alice())
	want := []string{"businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage", "surname", "userPrincipalName"}
	me := alice.Get("/me").JSON
	if got := keys(me); !slices.Equal(got, want) || text(me, "mail") != "alice@contoso.com" || text(me, "displayName") != "Alice Smith" {
		t.Errorf("/me is %v", me)
	}
	for _, item := range alice.Get("/users").Items() {
		if got := keys(item); !slices.Equal(got, want) {
			t.Fatalf("a user has %v, want the default subset", got)
		}
	}
	selected := alice.Get("/users?$select=id,department,userType").Items()
	if got := keys(selected[0]); !slices.Equal(got, []string{"department", "id", "userType"}) {
		t.Errorf("$select gives %v", got)
	}
	all, _ := alice.All("/users?$top=3&$select=id")
	if got := ids(all); len(got) != len(h.Company.Everyone()) || len(slices.Compact(slices.Sorted(slices.Values(got)))) != len(got) {
		t.Errorf("paging gives %d users, want %d once each", len(got), len(h.Company.Everyone()))
	}
	one := alice.Get("/users/BOB@contoso.com?$select=department,aboutMe").JSON
	if text(one, "department") != "Finance" {
		t.Errorf("bob is %v", one)
	}
	if _, ok := one["aboutMe"]; !ok {
		t.Error("a property for single users only is missing from a single user")
	}
	if got := h.App().Get("/users?$filter=userType%20eq%20'Guest'&$select=userType,id").Items(); len(got) != len(h.Company.Guests) {
		t.Errorf("%d guests, want %d", len(got), len(h.Company.Guests))
	}
}

func TestUserRefusals(t *testing.T) {
	h, _ := newHost(t)
	alice, app, guest := h.As(h.Company.Alice()), h.App(), h.As(h.Company.Guests[0])
	tests := []struct {
		name, path string
		client     *simtest.Client
		header     []string
		status     int
		code       string
	}{
		{"single user property", "/users?$select=id,skills", alice, nil, 501, "NotImplemented"},
		{"skip", "/users?$skip=1", alice, nil, 400, "Request_BadRequest"},
		{"unknown user", "/users/nobody@contoso.com", alice, nil, 404, "Request_ResourceNotFound"},
		{"unknown group", "/groups/nothing", alice, nil, 404, "Request_ResourceNotFound"},
		{"guest", "/users", guest, nil, 403, "Authorization_RequestDenied"},
		{"me as an application", "/me", app, nil, 400, "BadRequest"},
		{"ne without eventual", "/users?$filter=userType ne 'Guest'", app, nil, 400, "Request_UnsupportedQuery"},
		{"ne", "/users?$filter=userType ne 'Guest'", app, []string{"ConsistencyLevel", "eventual"}, 200, ""},
		{"search without eventual", `/users?$search="displayName:bob"`, app, nil, 400, "Request_UnsupportedQuery"},
		{"bad filter", "/users?$filter=nonsense", app, nil, 400, "Request_BadRequest"},
		{"count without eventual", "/users/$count", app, nil, 400, "Request_BadRequest"},
		{"own object", "/users/" + h.Company.Alice().ID, h.As(h.Company.Alice(), "User.Read"), nil, 200, ""},
		{"own object by name", "/users/alice@contoso.com", h.As(h.Company.Alice(), "User.Read"), nil, 200, ""},
		{"another's object", "/users/bob@contoso.com", h.As(h.Company.Alice(), "User.Read"), nil, 403, "Authorization_RequestDenied"},
		{"scope missing", "/users", h.As(h.Company.Alice(), "User.Read"), nil, 403, "Authorization_RequestDenied"},
		{"groups scope missing", "/groups", h.As(h.Company.Alice(), "User.Read.All"), nil, 403, "Authorization_RequestDenied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := strings.ReplaceAll(strings.ReplaceAll(tt.path, " ", "%20"), `"`, "%22")
			r := tt.client.Do(http.MethodGet, path, nil, tt.header...)
			if r.Status != tt.status || r.Code() != tt.code {
				t.Errorf("got %d %s, want %d %s", r.Status, r.Body, tt.status, tt.code)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	h, _ := newHost(t)
	app := h.App()
	r := app.Get("/users?$count=true&$top=2", "ConsistencyLevel", "eventual")
	if got := r.JSON["@odata.count"]; got != float64(len(h.Company.Everyone())) {
		t.Errorf("@odata.count %v", got)
	}
	if next := app.Get(r.Link("@odata.nextLink"), "ConsistencyLevel", "eventual"); next.JSON["@odata.count"] != nil {
		t.Error("the second page repeats the count")
	}
	if r := app.Get("/users?$count=true"); r.JSON["@odata.count"] != nil {
		t.Error("a count without ConsistencyLevel")
	}
	count := app.Get("/users/$count", "ConsistencyLevel", "eventual")
	if string(count.Body) != fmt.Sprint(len(h.Company.Everyone())) || !strings.HasPrefix(count.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("$count %q %v", count.Body, count.Header)
	}
}

func TestBasicReadersSeeBasicProperties(t *testing.T) {
	h, _ := newHost(t)
	basic := h.As(h.Company.Alice(), "User.ReadBasic.All")
	bob := basic.Get("/users/bob@contoso.com?$select=displayName,department,jobTitle").JSON
	if text(bob, "displayName") != "Bob Jones" || bob["department"] != nil || bob["jobTitle"] != nil {
		t.Errorf("bob is %v, want his name alone", bob)
	}
	own := basic.Get("/users/alice@contoso.com?$select=department").JSON
	if text(own, "department") == "" {
		t.Errorf("alice is %v to herself", own)
	}
}

func TestGroupMembers(t *testing.T) {
	h, _ := newHost(t)
	alice := h.As(h.Company.Alice())
	finance := h.Company.Group("finance")
	items, _ := alice.All("/groups/" + finance.ID + "/members?$top=2")
	if len(items) != len(finance.Members) {
		t.Errorf("%d members, want %d", len(items), len(finance.Members))
	}
	var nested string
	for _, g := range alice.Get("/groups").Items() {
		if text(g, "displayName") == "All Departments" {
			nested = text(g, "id")
		}
	}
	kinds := func(path string) map[string]int {
		t.Helper()
		n := map[string]int{}
		items, _ := alice.All(path)
		for _, m := range items {
			n[text(m, "@odata.type")]++
			if kind := text(m, "@odata.type"); kind != user && kind != group && len(keys(m)) != 1 {
				t.Errorf("member %v: a kind that the caller may not read shows more than its id", m)
			}
		}
		return n
	}
	direct, all := kinds("/groups/"+nested+"/members"), kinds("/groups/"+nested+"/transitiveMembers")
	if direct[user] != 0 || direct[group] != 2 || direct["#microsoft.graph.device"] != 1 || direct["#microsoft.graph.servicePrincipal"] != 1 {
		t.Errorf("direct members %v", direct)
	}
	if all[user] == 0 || all[group] != 2 {
		t.Errorf("transitive members %v", all)
	}
	bare := h.As(h.Company.Alice(), "GroupMember.Read.All")
	for _, m := range bare.Get("/groups/" + finance.ID + "/members").Items() {
		if got := keys(m); !slices.Equal(got, []string{"id"}) {
			t.Errorf("a member has %v for a caller who may not read users", got)
		}
	}
}

func TestTeamsEnabledGroups(t *testing.T) {
	h, _ := newHost(t)
	for _, g := range h.App().Get("/groups").Items() {
		known := h.Company.Group(text(g, "id"))
		if known == nil {
			continue
		}
		team := fmt.Sprint(g["resourceProvisioningOptions"]) == "[Team]"
		if unified := fmt.Sprint(g["groupTypes"]) == "[Unified]"; team != known.Team || unified != known.Unified {
			t.Errorf("%s: team %v unified %v", known.DisplayName, team, unified)
		}
	}
}

func TestPresence(t *testing.T) {
	h, _ := newHost(t)
	alice := h.As(h.Company.Alice())
	bob, guest := h.Company.Bob(), h.Company.Guests[0]
	for _, path := range []string{"/me/presence", "/users/" + bob.ID + "/presence"} {
		if p := alice.Get(path).JSON; text(p, "availability") == "" || text(p, "activity") == "" {
			t.Errorf("%s: %v", path, p)
		}
	}
	r := alice.Do("POST", "/communications/getPresencesByUserId", map[string]any{"ids": []string{bob.ID, guest.ID}})
	if items := r.Items(); len(items) != 2 || text(items[0], "id") != bob.ID || text(items[1], "availability") != "PresenceUnknown" {
		t.Errorf("presences %s", r.Body)
	}
	many := make([]string, 651)
	if r := alice.Do("POST", "/communications/getPresencesByUserId", map[string]any{"ids": many}); r.Status != 400 {
		t.Errorf("651 ids: %d", r.Status)
	}
	own := h.As(h.Company.Alice(), "Presence.Read")
	own.Get("/me/presence")
	if r := own.Do("GET", "/users/"+bob.ID+"/presence", nil); r.Status != 403 {
		t.Errorf("another's presence without the scope: %d", r.Status)
	}
	h.Set("directory.presence_app", false)
	if r := h.App().Do("GET", "/users/"+bob.ID+"/presence", nil); r.Status != 403 {
		t.Errorf("application with the switch off: %d", r.Status)
	}
}

func TestReplicationLags(t *testing.T) {
	h, d := newHost(t)
	alice := h.As(h.Company.Alice())
	title := func() string { return text(alice.Get("/users/bob@contoso.com").JSON, "jobTitle") }
	before := title()
	if err := d.Store.Update(user, h.Company.Bob().ID, map[string]any{"jobTitle": "President"}); err != nil {
		t.Fatal(err)
	}
	h.World.Clock.Set(simtest.Now) // whatever time the requests took
	if got := title(); got != before {
		t.Errorf("right after the change: %q, want still %q", got, before)
	}
	settle(h)
	if got := title(); got != "President" {
		t.Errorf("later: %q", got)
	}
}

func TestOrganization(t *testing.T) {
	h, _ := newHost(t)
	items := h.As(h.Company.Alice()).Get("/organization").Items()
	if len(items) != 1 || text(items[0], "id") != h.Company.TenantID {
		t.Errorf("organization %v", items)
	}
}

func TestWritesOverHTTP(t *testing.T) {
	h, _ := newHost(t)
	app := h.App()
	status := func(want int, method, path string, body any) *simtest.Response {
		t.Helper()
		r := app.Do(method, path, body)
		if r.Status != want {
			t.Fatalf("%s %s: %d %s, want %d", method, path, r.Status, r.Body, want)
		}
		return r
	}
	made := status(201, "POST", "/users", map[string]any{"displayName": "New Person", "userPrincipalName": "new@contoso.com", "passwordProfile": map[string]any{"password": "x"}})
	id := text(made.JSON, "id")
	status(404, "GET", "/users/"+id, nil)
	settle(h)
	if strings.Contains(string(status(200, "GET", "/users/new@contoso.com", nil).Body), "password") {
		t.Error("the password is shown")
	}
	finance := "/groups/" + h.Company.Group("finance").ID
	ref := map[string]any{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/" + id}
	status(204, "POST", finance+"/members/$ref", ref)
	status(400, "POST", finance+"/members/$ref", ref)
	status(204, "PATCH", "/users/"+id, map[string]any{"jobTitle": "Clerk"})
	settle(h)
	if r := status(200, "GET", finance+"/members", nil); !slices.Contains(ids(r.Items()), id) {
		t.Error("the new member is missing")
	}
	status(204, "DELETE", finance+"/members/"+id+"/$ref", nil)
	status(204, "DELETE", "/users/"+id, nil)
	settle(h)
	status(404, "GET", "/users/"+id, nil)
	if r := h.As(h.Company.Alice(), "User.Read.All").Do("DELETE", "/users/"+id, nil); r.Status != 403 {
		t.Errorf("write with a read scope: %d", r.Status)
	}
}
