package outlook_test

import (
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/outlook"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// TestSuite runs what every service has to pass, over a part of the seeded mailbox.
func TestSuite(t *testing.T) {
	backendtest.Suite{
		Open: func(t testing.TB, s *sim.Sim, memory backends.Memory) backends.Backend {
			client, account := backendtest.Graph(t, s, false, memory)
			return outlook.New(outlook.Config{
				Client: client, Account: account, Memory: memory,
				Options: backends.Options{Formats: []string{"md", "eml"}},
				Now:     func() time.Time { return backendtest.Now },
			})
		},
		Routes: []string{"GET /v1.0/*"},
		Hostile: func(address string) []core.FaultRule {
			return []core.FaultRule{
				{Route: "GET */messages/delta*", Status: 200, Body: map[string]any{"value": []any{}, "@odata.nextLink": address + "/v1.0/me/messages/delta"}},
				{Route: "GET */messages", Status: 200, Body: map[string]any{"value": []any{}, "@odata.count": 0, "@odata.nextLink": address + "/v1.0/me/messages"}},
				{Route: "GET */events", Status: 200, Body: map[string]any{"value": []any{}, "@odata.nextLink": address + "/v1.0/me/events"}},
				{Route: "GET */mailFolders", Status: 200, Body: map[string]any{"value": []any{}, "@odata.nextLink": address + "/v1.0/me/mailFolders"}},
				{Route: "GET */contacts/delta*", Status: 200, Body: map[string]any{"value": []any{}, "@odata.nextLink": address + "/v1.0/me/contacts"}},
			}
		},
		Skip: func(path string) bool {
			// One folder with everything odd and an empty one, the calendars with one month, and the contacts are enough.
			if strings.Count(path, "/") > 2 && strings.Contains(path, "/calendar/") && !strings.Contains(path, "/2026-11") {
				return true
			}
			rest, mail := strings.CutPrefix(path, "alice@contoso.com/mail/")
			return mail && !strings.HasPrefix(rest, "Odds & ends") && !strings.HasPrefix(rest, "Empty") ||
				strings.HasSuffix(path, ".attachments") && !strings.HasPrefix(rest, "Odds & ends")
		},
		Unreadable: func(_ string, e backends.Entry) bool {
			return strings.Contains(e.Name.Stem, "annot-be-converted") || strings.Contains(e.Name.Stem, "orrupt")
		},
	}.Run(t)
}
