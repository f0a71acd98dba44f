package box_test

import (
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/box"
	"github.com/workfs/workfs/backends/sim"
)

// open makes a backend for alice, or for the enterprise.
func open(enterprise bool) func(t testing.TB, s *sim.Sim, memory backends.Memory) backends.Backend {
	return func(t testing.TB, s *sim.Sim, memory backends.Memory) backends.Backend {
		t.Helper()
		r := s.Ready()
		subject := "user:" + r.BoxSubject
		if enterprise {
			subject = "enterprise:" + r.BoxEnterprise
		}
		tokens, hosts := backendtest.Box(t, s, subject)
		b, err := box.New(t.Context(), box.Config{
			APIURL: r.BoxAPI, ClientID: r.BoxClientID, Subject: subject, Enterprise: enterprise,
			Tokens: tokens, Transport: backendtest.Transport(t), ContentHosts: hosts, Backoff: backendtest.Backoff,
		}, memory)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func TestSuite(t *testing.T) {
	for name, enterprise := range map[string]bool{"user": false, "enterprise": true} {
		t.Run(name, func(t *testing.T) {
			backendtest.Suite{
				Open: open(enterprise),
				// The suite compares what is listed before and after it has read everything.
				Switches: map[string]any{"box.recent_downloads": false},
				Routes:   []string{"GET /2.0/folders/*", "GET /2.0/users", "GET /2.0/groups*", "GET /2.0/recent_items"},
				// Without a right to it there is no recent/.
				Partial: func(path string) bool { return path == "" },
				Unreadable: func(path string, e backends.Entry) bool {
					return unreadable(path, e)
				},
			}.Run(t)
		})
	}
}

// unreadable knows the files whose download Box forbids: by permissions, by a lock that has not run out, by policy.
func unreadable(path string, e backends.Entry) bool {
	return strings.Contains(e.Ref, `"d":true`) || strings.Contains(e.Ref, `"l":`) && !strings.Contains(path, "ran out") ||
		strings.Contains(path, "policy forbids")
}
