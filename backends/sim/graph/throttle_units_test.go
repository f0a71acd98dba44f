package graph_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/graph"
)

// anybody is a permission that the tests' application has.
var anybody = graph.Perms{App: []string{"User.Read"}}

func (f *fixture) throttled() string {
	f.set("throttle", core.ThrottleReal)
	return f.app("User.Read")
}

func TestDirectoryCosts(t *testing.T) {
	f := newFixture(t)
	token := f.throttled()
	for _, pattern := range []string{"GET /users", "GET /groups", "GET /groups/{id}/members", "GET /groups/{id}/transitiveMembers", "PATCH /users/{id}"} {
		f.s.Handle(pattern, anybody, func(r *graph.Request) {
			r.WritePage(graph.Page{Next: "more"})
		})
	}
	sum := 0
	check := func(method, path string, want int) answer {
		t.Helper()
		a := f.call(token, method, path, "")
		if got := a.header.Get("x-ms-resource-unit"); a.status != 200 || got != strconv.Itoa(want) {
			t.Errorf("%s %s: %d, %s units, want %d", method, path, a.status, got, want)
		}
		sum += want
		return a
	}
	check("GET", "/users", 2)
	check("GET", "/users?$select=id", 1)
	check("GET", "/users?$expand=manager", 3)
	check("GET", "/users?$top=19", 1)
	check("GET", "/users?$top=20", 2)
	check("GET", "/users?$select=id&$top=5", 1)
	check("GET", "/groups", 1)
	check("GET", "/groups/g/transitiveMembers", 5)
	a := check("GET", "/groups/g/members?$select=id&$expand=manager&$top=5", 2)
	check("GET", a.next(), 2) // as its first page
	check("PATCH", "/users/u", 1)
	if got := f.w.Counts(); got.ResourceUnits["directory"] != sum || got.Pages["GET /v1.0/groups/{id}/members"] != 2 {
		t.Errorf("statistics tell of %v units and %v pages, want %d and 2", got.ResourceUnits, got.Pages, sum)
	}
}

func TestDirectoryThrottling(t *testing.T) {
	f := newFixture(t)
	token := f.throttled()
	f.s.Handle("GET /groups/{id}/transitiveMembers", anybody, ok)
	f.s.Handle("PATCH /users/{id}", anybody, ok)
	get := func(headers ...string) answer {
		t.Helper()
		return f.get(token, "/groups/g/transitiveMembers", headers...)
	}
	for _, size := range []struct{ users, units int }{{0, 3500}, {49, 3500}, {50, 5000}, {501, 8000}} {
		f.set("graph.tenant_users", size.users)
		f.w.Limits.Reset()
		start := f.w.Clock.Now()
		for spent := 5; spent <= size.units; spent += 5 {
			a := get()
			want := ""
			if spent*10 > size.units*8 {
				want = strconv.FormatFloat(float64(spent)/float64(size.units), 'f', 2, 64)
			}
			if got := a.header.Get("x-ms-throttle-limit-percentage"); a.status != 200 || got != want {
				t.Fatalf("%d users, %d units: %d, percentage %q, want %q", size.users, spent, a.status, got, want)
			}
			f.w.Clock.Set(start) // the bucket gets something back with each second
		}
	}
	a := get()
	want := "Tenant_Application/ReadWrite/" + f.id.Confidential.ID + "/" + f.c.TenantID
	// The clock goes on by itself and was set back, so the next unit may be a little more than a second away.
	after, _ := strconv.Atoi(a.header.Get("Retry-After"))
	if h := a.header; a.status != 429 || after < 1 || after > 2 || h.Get("x-ms-throttle-scope") != want ||
		h.Get("x-ms-throttle-information") != "ResourceUnitLimitExceeded" || h.Get("x-ms-throttle-limit-percentage") < "1.00" {
		t.Errorf("%d %v", a.status, h)
	}
	// A tenth of the bucket comes back in a second, which is for what is not of low priority.
	f.w.Clock.Advance(time.Duration(after) * time.Second)
	if a := get("x-ms-throttle-priority", "Low"); a.status != 429 {
		t.Errorf("low priority: %d", a.status)
	}
	if a := get("x-ms-throttle-priority", "High"); a.status != 200 {
		t.Errorf("high priority: %d", a.status)
	}
	if got := f.w.Counts().Throttled["directory"]; got.Requests != 2 || got.Seconds < 1 {
		t.Errorf("statistics tell of %+v", got)
	}
	f.w.Limits.Reset()
	start := f.w.Clock.Now()
	for range 3000 {
		if a := f.call(token, "PATCH", "/users/u", ""); a.status != 200 {
			t.Fatalf("%d %v", a.status, a.header)
		}
		f.w.Clock.Set(start)
	}
	a = f.call(token, "PATCH", "/users/u", "")
	if a.status != 429 || a.header.Get("x-ms-throttle-information") != "WriteLimitExceeded" || !strings.Contains(a.header.Get("x-ms-throttle-scope"), "/Write/") {
		t.Errorf("writes: %d %v", a.status, a.header)
	}
	if a := get(); a.status != 200 {
		t.Errorf("a read beside them: %d", a.status)
	}
}

func TestDriveCosts(t *testing.T) {
	f := newFixture(t)
	token := f.throttled()
	for _, pattern := range []string{"GET /drives/{drive}/items/{item}", "GET /drives/{drive}/items/{item}/content", "GET /drives/{drive}/root/children",
		"GET /drives/{drive}/root/delta", "GET /drives/{drive}/items/{item}/permissions", "PATCH /drives/{drive}/items/{item}"} {
		f.s.Handle(pattern, anybody, func(r *graph.Request) { r.WritePage(graph.Page{Delta: "d", Token: "token"}) })
	}
	before := 0
	check := func(method, path string, want int) answer {
		t.Helper()
		a := f.call(token, method, path, "")
		got := f.w.Counts().ResourceUnits["drive"] - before
		if before += got; a.status != 200 || got != want {
			t.Errorf("%s %s: %d, %d units, want %d", method, path, a.status, got, want)
		}
		return a
	}
	check("GET", "/drives/d/items/i", 1)
	check("GET", "/drives/d/items/i/content", 1)
	check("GET", "/drives/d/root/children", 2)
	check("GET", "/drives/d/root/children?$expand=permissions", 5)
	check("GET", "/drives/d/items/i/permissions", 5)
	check("PATCH", "/drives/d/items/i", 2)
	a := check("GET", "/drives/d/root/delta", 2)
	link, _ := a.body["@odata.deltaLink"].(string)
	check("GET", link, 1)
}

func TestDriveLimitsGrowWithLicences(t *testing.T) {
	f := newFixture(t)
	token := f.throttled()
	f.s.Handle("GET /drives/{drive}/items/{item}/permissions", anybody, ok)
	f.set("graph.tenant_users", 60000)
	var a answer
	n := 0
	for start := f.w.Clock.Now(); n < 2000; n++ {
		if a = f.get(token, "/drives/d/items/i/permissions"); a.status != 200 {
			break
		}
		f.w.Clock.Set(start)
	}
	if n != 6250/5 || a.header.Get("RateLimit-Limit") != "6250" {
		t.Errorf("%d requests of 5 units, then %d %v", n, a.status, a.header)
	}
}

func TestMailboxUploads(t *testing.T) {
	f := newFixture(t)
	f.set("throttle", core.ThrottleReal)
	f.s.Handle("POST {U}/messages", mail, ok)
	token := f.app("Mail.Read")
	body := strings.Repeat("x", 3<<20)
	path := "/users/" + f.c.Alice().ID + "/messages"
	for n := range 48 {
		if a := f.call(token, "POST", path, body); (a.status == 200) != (n < 47) {
			t.Fatalf("%d after %d MB", a.status, 3*n)
		}
	}
	if a := f.call(token, "POST", "/users/"+f.c.Bob().ID+"/messages", body); a.status != 200 {
		t.Errorf("another mailbox: %d", a.status)
	}
	f.w.Clock.Advance(5 * time.Minute)
	if a := f.call(token, "POST", path, body); a.status != 200 {
		t.Errorf("5 minutes later: %d", a.status)
	}
}

func TestPresenceLimit(t *testing.T) {
	f := newFixture(t)
	token := f.throttled()
	f.s.Handle("POST /communications/getPresencesByUserId", anybody, ok)
	for n := range 1501 {
		a := f.call(token, "POST", "/communications/getPresencesByUserId", "")
		if (a.status == 200) != (n < 1500) {
			t.Fatalf("request %d: %d", n, a.status)
		}
		if a.header.Get("x-ms-resource-unit") != "" {
			t.Fatal("presence counts in the directory's units")
		}
	}
}
