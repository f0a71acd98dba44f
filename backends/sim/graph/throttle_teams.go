package graph

import (
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

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
		var quotas []quota
		add := func(per, key string, limit int) {
			name := "teams " + r.Method + " " + row.suffix + " per " + per
			quotas = append(quotas, quota{core.Quota{Name: name, Key: r.Caller.AppID + key, Limit: limit, Per: time.Second}, 1})
		}
		add("app", "", row.rate.app)
		add("app and tenant", r.Caller.TenantID, row.rate.tenant)
		if row.rate.resource > 0 && resource != "" {
			add("resource", resource, row.rate.resource)
		}
		if row.rate.user > 0 && r.Caller.UserID != "" && !r.Caller.AppOnly {
			add("user", r.Caller.UserID, row.rate.user)
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
