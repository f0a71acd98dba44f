package sim

import (
	"net/http"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

// boxCloud stands where the simulated Box goes.
type boxCloud struct {
	w  *core.World
	co *company.Company
}

func newBoxCloud(w *core.World, co *company.Company, _ boxApp, _ string) (*boxCloud, error) {
	return &boxCloud{w, co}, nil
}

func (b *boxCloud) API() http.Handler      { return core.NewRouter(b.w, core.HostBoxAPI) }
func (b *boxCloud) Account() http.Handler  { return core.NewRouter(b.w, core.HostBoxAccount) }
func (b *boxCloud) Download() http.Handler { return core.NewRouter(b.w, core.HostBoxDownload) }

func (b *boxCloud) EnterpriseID() string            { return b.co.BoxEnterprise }
func (b *boxCloud) UserID(string) string            { return b.co.Alice().BoxID }
func (b *boxCloud) IssueRefreshToken(string) string { return "" }
