package teams_test

import (
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/teams"
)

// open makes a backend for alice or for the application, on the simulator's clock.
func open(appOnly bool, formats ...string) func(t testing.TB, s *sim.Sim, memory backends.Memory) backends.Backend {
	return func(t testing.TB, s *sim.Sim, memory backends.Memory) backends.Backend {
		t.Helper()
		client, account := backendtest.Graph(t, s, appOnly, memory)
		return teams.New(teams.Config{
			Client: client, Account: account, Options: backends.Options{Formats: formats}, Now: s.World().Clock.Now,
		})
	}
}

// part leaves most of the company out: what is like something else, and the one folder that holds files which are not what
// the service says they are.
func part(path string) bool {
	switch s := strings.Split(path, "/"); {
	case path == "channels/Engineering/General/files":
		return true
	case strings.HasSuffix(path, ".attachments"):
		return !strings.Contains(path, "/Board/") && !strings.Contains(path, "Carol")
	case s[0] == "channels" && len(s) == 2:
		return s[1] != "Engineering" && s[1] != "Finance" && s[1] != "Website relaunch 2025"
	case s[0] == "channels" && len(s) == 3:
		return s[2] != "General" && s[2] != "Board" && s[2] != "New ideas" || s[2] == "General" && s[1] != "Engineering"
	case len(s) > 1 && s[len(s)-2] == "chats":
		return !strings.Contains(s[len(s)-1], "Alice-Smith_") && !strings.HasPrefix(s[len(s)-1], "All-hands")
	case s[0] == "users" && len(s) == 2:
		return !strings.HasPrefix(s[1], "carol")
	}
	return false
}

func TestSuite(t *testing.T) {
	for name, appOnly := range map[string]bool{"user": false, "application": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time is spent with waiting
			backendtest.Suite{
				Open: open(appOnly), Routes: []string{"GET /v1.0/*"}, Skip: part, Files: 60,
				Hostile: func(address string) []core.FaultRule {
					page := func(link string) map[string]any {
						return map[string]any{"value": []any{}, link: address + "/v1.0/next"}
					}
					return []core.FaultRule{
						{Route: "GET /v1.0/teams/*/messages*", Status: 200, Body: page("@odata.nextLink"), Skip: 3},
						{Route: "GET /v1.0/me/joinedTeams", Status: 200, Body: page("@odata.nextLink")},
						{Route: "GET /v1.0/teams", Status: 200, Body: page("@odata.nextLink")},
						{Route: "GET /v1.0/chats/*", Status: 200, Body: page("@odata.nextLink"), Skip: 3},
						{Route: "GET /v1.0/drives/*", Status: 200, Body: page("@odata.nextLink"), Skip: 3},
					}
				},
			}.Run(t)
		})
	}
}
