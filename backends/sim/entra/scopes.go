package entra

import (
	"fmt"
	"slices"
	"strings"
)

// wanted is what the scope parameter of a request asks for.
type wanted struct {
	audience string   // of the resource's tokens
	resource string   // as the permissions were named with it, "" if they were not
	names    []string // delegated permissions of the resource
	all      bool     // .default: what the application registered, or was consented to
	oidc     []string // OpenID Connect scopes, offline_access among them
}

func (w wanted) has(oidc string) bool { return slices.Contains(w.oidc, oidc) }

// parseScopes reads a scope parameter (scopes-oidc.md). A permission without a resource is one of Graph. The names of
// permissions are not checked beyond their resource; those that are known are spelled as Graph does.
func (s *Service) parseScopes(raw string) (wanted, *failure) {
	w := wanted{audience: GraphAudience}
	for _, scope := range strings.Fields(raw) {
		name, resource := scope, ""
		if i := strings.LastIndexByte(scope, '/'); i >= 0 {
			resource, name = scope[:i], scope[i+1:]
			audience, problem := s.audience(resource)
			if problem != nil {
				return w, problem
			}
			w.audience, w.resource = audience, strings.TrimSuffix(resource, "/")
		}
		switch {
		case slices.Contains(oidcScopes, strings.ToLower(name)):
			w.oidc = appendNew(w.oidc, strings.ToLower(name))
		case name == ".default":
			w.all = true
		default:
			if p, ok := known(name); ok {
				name = p.name
			}
			w.names = appendNew(w.names, name)
		}
	}
	if w.all && len(w.names) > 0 {
		return w, &failure{"invalid_scope", 70011, fmt.Sprintf("The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' "+
			"is not valid. The scope %s is not valid. .default scope can't be combined with resource-specific scopes.", raw), ""}
	}
	return w, nil
}

// exist refuses permissions that the resource does not have.
func (w wanted) exist(app *App) *failure {
	for _, name := range w.names {
		if _, ok := known(name); !ok {
			return &failure{"invalid_client", 650053, fmt.Sprintf("The application '%s' asked for scope '%s' that doesn't exist on the resource '%s'. Contact the app vendor.",
				app.Name, name, GraphAppID), ""}
		}
	}
	return nil
}

// oneResource refuses, at the token endpoint, scopes of several resources.
func oneResource(raw string) *failure {
	first := ""
	for _, scope := range strings.Fields(raw) {
		i := strings.LastIndexByte(scope, '/')
		switch {
		case i < 0:
		case first == "":
			first = scope[:i]
		case !strings.EqualFold(strings.TrimSuffix(first, "/"), strings.TrimSuffix(scope[:i], "/")):
			return &failure{"invalid_request", 28000, fmt.Sprintf("Provided value for the input parameter scope is not valid because it contains more than one resource. "+
				"Scope %s is not valid.", raw), ""}
		}
	}
	return nil
}

func appendNew(list []string, v string) []string {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}
