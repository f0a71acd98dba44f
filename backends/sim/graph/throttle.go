package graph

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// mailboxConcurrency is how many requests of one app one mailbox serves at a time (throttling-limits.md, Outlook).
const mailboxConcurrency = 4

// Services that throttle, as statistics name them.
const (
	serviceOutlook       = "outlook"
	serviceTeams         = "teams"
	serviceDrive         = "drive"
	serviceSubscriptions = "subscriptions"
	serviceDirectory     = "directory"
	servicePresence      = "presence"
)

// service names the one that a request counts for.
func (r *Request) service() string {
	switch r.area {
	case areaOutlook:
		return serviceOutlook
	case areaTeams:
		return serviceTeams
	case areaDrive:
		return serviceDrive
	case areaSubscriptions:
		return serviceSubscriptions
	}
	if route := strings.ToLower(r.Route); strings.Contains(route, "/presence") || strings.Contains(route, "/communications/") {
		return servicePresence
	}
	return serviceDirectory
}

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
	app := r.Caller.AppID
	everything := quota{core.Quota{Name: "graph per app", Key: app, Limit: 130000, Per: 10 * time.Second}, 1}
	if !s.limit(r, []quota{everything}, "TooManyRequests", "Too many requests.") {
		return release, false
	}
	switch r.service() {
	case serviceOutlook:
		ok = s.limitOutlook(r)
	case serviceTeams:
		code := "TooManyRequests"
		if s.world.Switches.Bool("graph.awkward_errors") && s.world.Sum(r.W.Header().Get("request-id"))[0]&1 == 1 {
			code = "UnknownError"
		}
		ok = s.limit(r, teamsQuotas(r), code, "")
	case serviceDrive:
		ok = s.limitDrive(r)
	case serviceSubscriptions:
		ok = s.limit(r, subscriptionQuotas(r), "TooManyRequests", "")
	case servicePresence:
		presence := quota{core.Quota{Name: "presence per app and tenant", Key: app + r.Caller.TenantID, Limit: 1500, Per: 30 * time.Second}, 1}
		ok = s.limit(r, []quota{presence}, "TooManyRequests", "")
	default:
		ok = s.limitDirectory(r)
	}
	return release, ok
}

// limitOutlook counts requests and uploaded bytes of one app and mailbox. Bodies without a length count for nothing.
func (s *Server) limitOutlook(r *Request) bool {
	key := r.Caller.AppID + s.mailbox(r)
	requests := quota{core.Quota{Name: "outlook per app and mailbox", Key: key, Limit: 10000, Per: 10 * time.Minute}, 1}
	if !s.limit(r, []quota{requests}, "ApplicationThrottled", "Application is over its MailboxRequests limit.") {
		return false
	}
	if r.Method == http.MethodGet || r.ContentLength <= 0 {
		return true
	}
	bytes := quota{core.Quota{Name: "outlook uploaded bytes per app and mailbox", Key: key, Limit: 150e6, Per: 5 * time.Minute}, int(r.ContentLength)}
	return s.limit(r, []quota{bytes}, "ApplicationThrottled", "Application is over its MailboxUpload limit.")
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

// quota is a limit and what a request takes of it.
type quota struct {
	core.Quota
	cost int
}

// limit takes from all quotas, or answers 429 at the first that is used up. Throttled calls may count, too.
func (s *Server) limit(r *Request, quotas []quota, code, message string) bool {
	for _, q := range quotas {
		if ok, _, reset := s.world.Limits.Take(q.Quota, q.cost); !ok {
			r.tooMany(reset, code, message)
			return false
		}
	}
	return true
}

// tooMany answers 429 with a Retry-After in whole seconds.
func (r *Request) tooMany(wait time.Duration, code, message string) {
	secs := max(1, int(math.Ceil(wait.Seconds())))
	r.W.Header().Set("Retry-After", strconv.Itoa(secs))
	r.World.Stats.Throttle(r.service(), time.Duration(secs)*time.Second)
	r.Error(http.StatusTooManyRequests, code, message)
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
	name = "subscriptions " + name
	return []quota{
		{core.Quota{Name: name + " per app", Key: r.Caller.AppID, Limit: app, Per: 20 * time.Second}, 1},
		{core.Quota{Name: name + " per app and tenant", Key: r.Caller.AppID + r.Caller.TenantID, Limit: tenant, Per: 20 * time.Second}, 1},
	}
}
