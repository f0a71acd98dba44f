package box

import (
	"net/http"

	"github.com/workfs/workfs/backends/sim/core"
)

// routes registers all calls.
func (s *Server) routes() {
	s.api.Handle("POST /oauth2/token", s.numbered(s.token))
	s.api.Handle("POST /oauth2/revoke", s.numbered(s.revoke))
	s.accountRoutes()
	s.consoleRoutes()
	s.folderRoutes()
	s.fileRoutes()
	s.trashRoutes()
	s.uploadRoutes()
	s.userRoutes()
	s.collaborationRoutes()
	s.extraRoutes()
	s.searchRoutes()
	s.recentRoutes()
	s.directoryRoutes()
	s.eventRoutes()
	s.realtimeRoutes()
	s.webhookRoutes()
	s.controlRoutes()
	s.downloadRoutes()
	s.api.NotFound = func(r *core.Request, pathExists bool) {
		s.serve(r, scopeNone, func(c *call) error {
			if pathExists {
				return errMethod()
			}
			return fail(http.StatusNotFound, "not_found", "Not Found")
		})
	}
	s.account.NotFound = func(r *core.Request, _ bool) {
		s.number(r)
		if r.Method == http.MethodPost {
			// The token endpoint is on the API host; here Box knows no grants.
			oauthError(r, "invalid_request", "Invalid grant_type parameter or parameter missing")
			return
		}
		plain(r, http.StatusNotFound, "Not found")
	}
}
