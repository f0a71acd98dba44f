package graph

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// switchTenantUsers sets how large the tenant is for limits that depend on it.
const switchTenantUsers = "graph.tenant_users"

// tenantUsers gives the number of users, all of which have a licence.
func (s *Server) tenantUsers() int {
	if n := s.world.Switches.Int(switchTenantUsers); n > 0 {
		return n
	}
	return len(s.company.Everyone())
}

// directoryCosts are base costs by method and the end of the route; what is not listed costs 1 (throttling-limits.md,
// Identity and access). /users/delta is a guess: it gives what /users does.
var directoryCosts = []struct {
	method, suffix string
	cost           int
}{
	{"GET", "/applications", 2},
	{"GET", "/users", 2},
	{"GET", "/users/delta", 2},
	{"GET", "/members", 3},
	{"GET", "/transitiveMembers", 5},
}

// directoryCost gives the resource units of a request. A followed link costs what the first request did.
func (r *Request) directoryCost() int {
	cost := 1
	for _, row := range directoryCosts {
		if row.method == r.Method && strings.HasSuffix(r.Route, row.suffix) {
			cost = row.cost
		}
	}
	q, err := parseQuery(r.Request.URL.RawQuery)
	if err == nil {
		err = r.readLink(&q)
	}
	if err != nil {
		return cost // it fails, after it was counted
	}
	if len(q.Select) > 0 {
		cost--
	}
	if q.Expand != "" {
		cost++
	}
	if q.Top > 0 && q.Top < 20 {
		cost--
	}
	return max(1, cost)
}

// directoryUnits is what an app may use of a tenant in 10 seconds, by the number of the tenant's users.
func directoryUnits(users int) int {
	switch {
	case users < 50:
		return 3500
	case users <= 500:
		return 5000
	}
	return 8000
}

// Request priorities (header x-ms-throttle-priority). Low ones are throttled first; how much they have to leave is a guess.
const (
	priorityLow      = "low"
	lowLeavesPercent = 20
)

// limitDirectory counts resource units in a token bucket for each app and tenant, and what an app writes.
func (s *Server) limitDirectory(r *Request) bool {
	h := r.W.Header()
	cost := r.directoryCost()
	h.Set("x-ms-resource-unit", strconv.Itoa(cost))
	s.world.Stats.Units(serviceDirectory, cost)
	pair := r.Caller.AppID + r.Caller.TenantID
	units := core.Quota{Name: "directory units per app and tenant", Key: pair, Limit: directoryUnits(s.tenantUsers()), Per: 10 * time.Second, Bucket: true}
	if strings.EqualFold(r.Header.Get("x-ms-throttle-priority"), priorityLow) {
		units.Reserve = units.Limit * lowLeavesPercent / 100
	}
	ok, left, reset := s.world.Limits.Take(units, cost)
	used := float64(units.Limit-left) / float64(units.Limit)
	if !ok {
		used = max(1, used+float64(cost)/float64(units.Limit))
	}
	if used > 0.8 {
		h.Set("x-ms-throttle-limit-percentage", fmt.Sprintf("%.2f", min(used, 1.8)))
	}
	scope, extent, why := "Tenant_Application", "ReadWrite", "ResourceUnitLimitExceeded"
	if ok {
		scope = "Application"
		ok, _, reset = s.world.Limits.Take(core.Quota{Name: "directory units per app", Key: r.Caller.AppID, Limit: 150000, Per: 20 * time.Second, Bucket: true}, cost)
	}
	if ok && r.Method != http.MethodGet {
		scope, extent, why = "Tenant_Application", "Write", "WriteLimitExceeded"
		ok, _, reset = s.world.Limits.Take(core.Quota{Name: "directory writes per app and tenant", Key: pair, Limit: 3000, Per: 150 * time.Second, Bucket: true}, 1)
	}
	if !ok {
		h.Set("x-ms-throttle-scope", scope+"/"+extent+"/"+r.Caller.AppID+"/"+r.Caller.TenantID)
		h.Set("x-ms-throttle-information", why)
		r.tooMany(reset, "TooManyRequests", "Too many requests.")
	}
	return ok
}

// driveUnits are the limits on resource units by the tenant's licences: for one app in a minute and a day, and for all apps
// in five minutes (SharePoint's page on throttling). The rows between the first and the last are interpolated.
func driveUnits(licences int) (minute, day, apps int) {
	switch {
	case licences <= 1000:
		return 1250, 1200000, 18750
	case licences <= 5000:
		return 2500, 2400000, 37500
	case licences <= 15000:
		return 3750, 3600000, 56250
	case licences <= 50000:
		return 5000, 4800000, 75000
	}
	return 6250, 6000000, 93750
}

// driveCost gives the resource units of a request: 1 for one item, a download and a delta with a token, 2 for lists, a delta
// without one and writes, 5 for permissions.
func (r *Request) driveCost() int {
	path, query := strings.ToLower(r.Request.URL.Path), r.Request.URL.RawQuery
	switch {
	case strings.Contains(path, "/permissions"), strings.Contains(query, "permissions"):
		return 5
	case strings.HasSuffix(path, "/children"), strings.HasSuffix(path, "/versions"), strings.HasSuffix(path, "/drives"), r.Method != http.MethodGet:
		return 2
	case strings.Contains(path, "/delta") && !strings.Contains(query+path, "token="):
		return 2
	}
	return 1
}

// limitDrive counts resource units of app and tenant, those of all apps, and requests of a user. The RateLimit headers appear
// once 80 % of a minute are used.
func (s *Server) limitDrive(r *Request) bool {
	cost := r.driveCost()
	s.world.Stats.Units(serviceDrive, cost)
	minute, day, apps := driveUnits(s.tenantUsers())
	pair := r.Caller.AppID + r.Caller.TenantID
	ok, left, reset := s.world.Limits.Take(core.Quota{Name: "drive units per app and tenant", Key: pair, Limit: minute, Per: time.Minute}, cost)
	if left*5 <= minute {
		h := r.W.Header()
		h.Set("RateLimit-Limit", strconv.Itoa(minute))
		h.Set("RateLimit-Remaining", strconv.Itoa(left))
		h.Set("RateLimit-Reset", strconv.Itoa(int(math.Ceil(reset.Seconds()))))
	}
	if ok {
		rest := []quota{
			{core.Quota{Name: "drive units per app, tenant and day", Key: pair, Limit: day, Per: 24 * time.Hour}, cost},
			{core.Quota{Name: "drive units per tenant", Key: r.Caller.TenantID, Limit: apps, Per: 5 * time.Minute}, cost},
		}
		if !r.Caller.AppOnly {
			rest = append(rest, quota{core.Quota{Name: "drive requests per user", Key: r.Caller.UserID, Limit: 3000, Per: 5 * time.Minute}, 1})
		}
		return s.limit(r, rest, "activityLimitReached", "The app or user has been throttled.")
	}
	r.tooMany(reset, "activityLimitReached", "The app or user has been throttled.")
	return false
}
