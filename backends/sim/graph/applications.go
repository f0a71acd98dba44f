package graph

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/workfs/workfs/backends/sim/core"
	"github.com/workfs/workfs/backends/sim/entra"
)

// Permissions of application registrations (application resource of Graph). OwnedBy suffices for an application's own.
var (
	readApplications  = Perms{Delegated: []string{"Application.Read.All"}, App: []string{"Application.Read.All", "Application.ReadWrite.OwnedBy"}}
	writeApplications = Perms{Delegated: []string{"Application.ReadWrite.All"}, App: []string{"Application.ReadWrite.All", "Application.ReadWrite.OwnedBy"}}
)

func (s *Server) applicationRoutes() {
	s.Handle("GET /applications", readApplications, s.listApplications)
	s.Handle("GET /applications/{id}", readApplications, s.application(func(r *Request, a *entra.App) {
		r.Entity(http.StatusOK, r.Select(s.registration(r, a)))
	}))
	s.Handle("PATCH /applications/{id}", writeApplications, s.application(s.patchApplication))
}

// registration gives the resource; certificates are in it only when $select asks for them.
func (s *Server) registration(r *Request, a *entra.App) map[string]any {
	return s.tokens.Registration(a, len(r.Query.Select) > 0 && r.Query.Selected("keyCredentials"))
}

// listApplications knows the one $filter that finds an application's object id.
func (s *Server) listApplications(r *Request) {
	appID, filtered := strings.CutPrefix(r.Query.Filter, "appId eq '")
	appID = strings.TrimSuffix(appID, "'")
	if !filtered && r.Query.Filter != "" {
		r.Error(http.StatusBadRequest, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause specified for property of resource 'Application'.")
		return
	}
	var items []any
	for _, a := range s.tokens.Applications() {
		if !filtered || strings.EqualFold(a.ID, appID) {
			items = append(items, r.Select(s.registration(r, a)))
		}
	}
	r.WritePage(Page{Fragment: "applications", Items: items})
}

// application finds the registration of a request.
func (s *Server) application(h func(*Request, *entra.App)) func(*Request) {
	return func(r *Request) {
		a := s.tokens.Application(r.Param("id"))
		switch {
		case a == nil:
			r.NotFound(r.Param("id"))
		case r.Caller.AppOnly && a.ID != r.Caller.AppID && !r.Caller.Has("Application.Read.All"):
			r.AccessDenied()
		default:
			h(r, a)
		}
	}
}

// patchApplication replaces what the request names, keyCredentials as a whole list.
func (s *Server) patchApplication(r *Request, a *entra.App) {
	var body json.RawMessage
	if !r.ReadJSON(&body) {
		return
	}
	if err := s.tokens.Update(a, body); err != nil {
		r.Error(http.StatusBadRequest, "Request_BadRequest", "Invalid value specified for resource 'Application': "+err.Error()+".")
		return
	}
	r.Empty(http.StatusNoContent)
}

// userInfo serves GET /oidc/userinfo (userinfo.md): who the user of a token with openid is.
func (s *Server) userInfo(cr *core.Request) {
	r := &Request{Request: cr, server: s, Caller: identityOf(cr.Request).caller}
	p := s.company.Person(r.Caller.UserID)
	if r.Caller.AppOnly || !r.Caller.openID || p == nil {
		r.AccessDenied()
		return
	}
	r.JSON(http.StatusOK, map[string]any{
		"sub": s.tokens.Subject(r.Caller.AppID, p.ID), "name": p.DisplayName, "given_name": p.GivenName, "family_name": p.Surname, "email": p.Mail,
		"picture": s.world.Hosts.Graph + Version + "/me/photo/$value",
	})
}
