package directory

import (
	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/graph"
)

// Directory is the tenant's people and groups.
type Directory struct{}

// New registers the directory's routes.
func New(w *core.World, s *graph.Server, c *company.Company) *Directory { return &Directory{} }
