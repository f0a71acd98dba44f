package graph

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// mailboxConcurrency is how many requests of one app one mailbox serves at a time (throttling-limits.md, Outlook).
const mailboxConcurrency = 4

// admit holds a place in the limits that apply to a request; on refusal it answers 429. The limit per mailbox is always
// on, the others with the switch "throttle" at "real".
func (s *Server) admit(r *Request) (release func(), ok bool) {
	if r.Route == "" || strings.HasSuffix(r.Route, "/$batch") {
		return nil, true // the items of a batch count, not the batch
	}
	if r.area == areaOutlook {
		if release, ok = s.admitMailbox(r); !ok {
			return release, false
		}
	}
	if !s.world.Throttled() {
		return release, true
	}
	switch r.area {
	case areaOutlook:
		ok = s.limit(r, []quota{{"app+mailbox " + r.Caller.AppID + s.mailbox(r), 10000, 10 * time.Minute, 1}},
			"ApplicationThrottled", "Application is over its MailboxRequests limit.")
	case areaTeams:
		code := "TooManyRequests"
		if s.world.Switches.Bool("graph.awkward_errors") && s.world.Sum(r.W.Header().Get("request-id"))[0]&1 == 1 {
			code = "UnknownError"
		}
		ok = s.limit(r, teamsQuotas(r), code, "")
	case areaDrive:
		ok = s.limitDrive(r)
	case areaSubscriptions:
		ok = s.limit(r, subscriptionQuotas(r), "TooManyRequests", "")
	default:
		ok = s.limitDirectory(r)
	}
	return release, ok
}

// mailbox names the mailbox that a request is for.
func (s *Server) mailbox(r *Request) string {
	if key := r.Param("user"); key != "" {
		if p := s.company.Person(key); p != nil {
			return p.ID
		}
		return key
	}
	return r.Caller.UserID
}

func (s *Server) admitMailbox(r *Request) (func(), bool) {
	box := s.mailbox(r)
	key := "mailbox:" + box
	s.world.Stats.Enter(key)
	app := r.Caller.AppID + " " + box
	s.mu.Lock()
	s.busy[app]++
	n := s.busy[app]
	s.mu.Unlock()
	release := func() {
		s.world.Stats.Leave(key)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.busy[app]--; s.busy[app] == 0 {
			delete(s.busy, app)
		}
	}
	if n > mailboxConcurrency {
		r.tooMany(time.Second, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.")
		return release, false
	}
	return release, true
}

// quota is a limit of units per time for one key.
type quota struct {
	key   string
	limit int
	per   time.Duration
	cost  int
}

// limit takes from all quotas, or answers 429 at the first that is used up.
func (s *Server) limit(r *Request, quotas []quota, code, message string) bool {
	for _, q := range quotas {
		if ok, _, reset := s.world.Limits.Take(q.key, q.limit, q.per, q.cost); !ok {
			r.tooMany(reset, code, message)
			return false
		}
	}
	return true
}

// tooMany answers 429 with a Retry-After in whole seconds.
func (r *Request) tooMany(wait time.Duration, code, message string) {
	r.W.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	r.Error(http.StatusTooManyRequests, code, message)
}

// teamsRate is a row of the table of Teams limits, in requests per second; 0 means no such limit.
type teamsRate struct{ app, tenant, resource, user int }

// teamsRates by method and the end of the route (throttling-limits.md, Microsoft Teams). The first that fits counts.
var teamsRates = []struct {
	method, suffix string
	rate           teamsRate
}{
	{"GET", "/getAllMessages", teamsRate{1000, 200, 0, 0}},
	{"GET", "/getAllRetainedMessages", teamsRate{1000, 200, 0, 0}},
	{"GET", "/joinedTeams", teamsRate{300, 30, 0, 0}},
	{"GET", "/hostedContents/{}/$value", teamsRate{600, 60, 1, 0}},
	{"GET", "/hostedContents", teamsRate{500, 50, 1, 0}},
	{"GET", "/channels/{}/members", teamsRate{1200, 60, 1, 0}},
	{"GET", "/teams/{}/members", teamsRate{1200, 60, 4, 0}},
	{"GET", "/channels/{}/messages", teamsRate{200, 20, 1, 0}},
	{"GET", "/channels/{}/messages/{}/replies", teamsRate{200, 20, 1, 0}},
	{"GET", "/chats/{}/messages", teamsRate{200, 20, 1, 0}},
	{"GET", "/channels", teamsRate{1200, 60, 4, 0}},
	{"GET", "/allChannels", teamsRate{1200, 60, 4, 0}},
	{"GET", "/channels/{}", teamsRate{600, 30, 1, 0}},
	{"GET", "/teams/{}", teamsRate{1500, 30, 4, 0}},
	{"GET", "/chats/{}", teamsRate{2000, 200, 1, 5}},
	{"GET", "/chats", teamsRate{200, 20, 0, 1}},
	{"GET", "", teamsRate{1500, 30, 1, 1}},
	{"DELETE", "", teamsRate{150, 15, 0, 0}},
	{"", "", teamsRate{300, 30, 1, 1}},
}

func teamsQuotas(r *Request) []quota {
	shape, resource := teamsResource(r)
	for _, row := range teamsRates {
		if row.method != "" && row.method != r.Method || !strings.HasSuffix(shape, row.suffix) {
			continue
		}
		name := "teams " + r.Method + row.suffix + " "
		quotas := []quota{
			{name + "app " + r.Caller.AppID, row.rate.app, time.Second, 1},
			{name + "tenant " + r.Caller.AppID + r.Caller.TenantID, row.rate.tenant, time.Second, 1},
		}
		if row.rate.resource > 0 && resource != "" {
			quotas = append(quotas, quota{name + r.Caller.AppID + resource, row.rate.resource, time.Second, 1})
		}
		if row.rate.user > 0 && r.Caller.UserID != "" && !r.Caller.AppOnly {
			quotas = append(quotas, quota{name + "user " + r.Caller.AppID + r.Caller.UserID, row.rate.user, time.Second, 1})
		}
		return quotas
	}
	return nil
}

// teamsResource gives the route with unnamed parameters, and the innermost chat, channel or team.
func teamsResource(r *Request) (shape, resource string) {
	var last string
	for _, seg := range strings.Split(afterMethod(r.Route), "/")[1:] {
		if name, ok := strings.CutPrefix(seg, "{"); ok {
			if last == "teams" || last == "channels" || last == "chats" {
				resource = last + " " + r.Param(strings.TrimSuffix(name, "}"))
			}
			seg = "{}"
		}
		shape += "/" + seg
		last = seg
	}
	return shape, resource
}

// limitDirectory counts resource units of a small tenant: 3,500 per 10 seconds and app (throttling-limits.md, Identity and
// access).
func (s *Server) limitDirectory(r *Request) bool {
	const limit, per = 3500, 10 * time.Second
	cost := 2
	if strings.Contains(strings.ToLower(r.Route), "members") {
		cost = 3
	}
	if q, err := parseQuery(r.Request.URL.RawQuery); err == nil {
		if len(q.Select) > 0 {
			cost--
		}
		if q.Expand != "" {
			cost++
		}
		if q.Top > 0 && q.Top < 20 {
			cost--
		}
	}
	cost = max(1, cost)
	r.W.Header().Set("x-ms-resource-unit", strconv.Itoa(cost))
	ok, left, reset := s.world.Limits.Take("directory "+r.Caller.AppID, limit, per, cost)
	if used := 1 - float64(left)/limit; used >= 0.8 || !ok {
		r.W.Header().Set("x-ms-throttle-limit-percentage", fmt.Sprintf("%.2f", max(used, 0.8)))
	}
	if !ok {
		r.W.Header().Set("x-ms-throttle-scope", "Tenant_Application/ReadWrite/"+r.Caller.AppID+"/"+r.Caller.TenantID)
		r.W.Header().Set("x-ms-throttle-information", "ResourceUnitLimitExceeded")
		r.tooMany(reset, "TooManyRequests", "Too many requests.")
	}
	return ok
}

// limitDrive counts resource units of a small tenant: 1,250 per minute and app, and 3,000 requests per 5 minutes and user
// (SharePoint's page on throttling). The RateLimit headers appear once 80 % of a minute are used.
func (s *Server) limitDrive(r *Request) bool {
	const limit, per = 1250, time.Minute
	path := strings.ToLower(r.Request.URL.Path)
	cost := 1
	switch {
	case strings.Contains(path, "permissions") || strings.Contains(r.Request.URL.RawQuery, "permissions"):
		cost = 5
	case strings.HasSuffix(path, "/children"), r.Method != http.MethodGet,
		strings.Contains(path, "/delta") && !strings.Contains(r.Request.URL.RawQuery, "token="):
		cost = 2
	}
	ok, left, reset := s.world.Limits.Take("drive "+r.Caller.AppID, limit, per, cost)
	if left*5 <= limit {
		h := r.W.Header()
		h.Set("RateLimit-Limit", strconv.Itoa(limit))
		h.Set("RateLimit-Remaining", strconv.Itoa(left))
		h.Set("RateLimit-Reset", strconv.Itoa(int(math.Ceil(reset.Seconds()))))
	}
	if ok && !r.Caller.AppOnly {
		ok, _, reset = s.world.Limits.Take("drive user "+r.Caller.UserID, 3000, 5*time.Minute, 1)
	}
	if !ok {
		r.tooMany(reset, "activityLimitReached", "The app or user has been throttled.")
	}
	return ok
}

// subscriptionQuotas are the limits of one tenant on calls for subscriptions (throttling-limits.md, Subscription service).
func subscriptionQuotas(r *Request) []quota {
	name, app, tenant := r.Method, 2000, 500
	switch {
	case strings.HasSuffix(r.Route, "/reauthorize"):
		name, app, tenant = "reauthorize", 4000, 1000
	case strings.HasSuffix(r.Route, "GET "+Version+"/subscriptions"):
		name, app, tenant = "list", 40, 25
	case r.Method != http.MethodGet:
		name = "write"
	}
	key := "subscriptions " + name + " " + r.Caller.AppID
	return []quota{{key, app, 20 * time.Second, 1}, {key + " " + r.Caller.TenantID, tenant, 20 * time.Second, 1}}
}
