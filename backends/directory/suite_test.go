package directory_test

import (
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/directory"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

func TestSuite(t *testing.T) {
	backendtest.Suite{
		Open: func(t testing.TB, s *sim.Sim, m backends.Memory) backends.Backend {
			c, a := backendtest.Graph(t, s, false, m)
			return directory.New(directory.Config{Client: c, Account: a, Now: func() time.Time { return backendtest.Now }})
		},
		Routes: []string{"GET /v1.0/*", "POST /v1.0/*"},
		Hostile: func(address string) []core.FaultRule {
			return []core.FaultRule{{Route: "GET /v1.0/*", Status: 200, Body: map[string]any{"value": []any{}, "@odata.nextLink": address + "/v1.0/x"}}}
		},
		Partial: func(p string) bool { return p == "" },
	}.Run(t)
}
