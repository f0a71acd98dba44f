package box

import (
	"html/template"
	"net/http"
	"slices"

	"github.com/workfs/workfs/backends/sim/core"
)

// The pages are plain HTML without scripts. Fields and buttons have the names and ids that Box's own pages are known by
// (from scripts that drive them; Box documents none).
var (
	loginTemplate = htmlPage("login", `<h1>Log in to grant access to Box</h1>
<p><strong>{{.App}}</strong> asks for access to your Box account.</p>
{{if .Failed}}<p id="error" role="alert">Invalid Login Credentials</p>{{end}}
<form method="post" action="{{.Action}}">
<input type="hidden" name="request_token" value="{{.Token}}">
<p><label>Email address<br><input type="email" id="login" name="login" value="{{.Login}}" autocomplete="username" required autofocus></label></p>
<p><label>Password<br><input type="password" id="password" name="password" autocomplete="current-password" required></label></p>
<p><button type="submit" id="login-submit" name="login_submit" value="Authorize">Authorize</button></p>
</form>`)
	consentTemplate = htmlPage("consent", `<h1>Grant access to Box</h1>
<p><strong>{{.App}}</strong> wants to do the following in Box as {{.Name}} ({{.Login}}):</p>
<ul id="scopes">
{{range .Scopes}}<li>{{.}}</li>
{{end}}</ul>
<form method="post" action="{{.Action}}">
<input type="hidden" name="request_token" value="{{.Token}}">
<input type="hidden" name="doconsent" value="doconsent">
<p><button type="submit" id="consent_accept_button" name="consent_accept" value="Grant access to Box">Grant access to Box</button>
<button type="submit" id="consent_reject_button" name="consent_reject" value="Deny access to Box">Deny access to Box</button></p>
</form>`)
	errorTemplate = htmlPage("error", `<h1>Sorry, something went wrong</h1>
<p id="error" role="alert">Error: <code>{{.Code}}</code></p>
<p>{{.Text}}</p>`)
)

// htmlPage makes the template of a page around its body.
func htmlPage(name, body string) *template.Template {
	return template.Must(template.New(name).Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Box (simulated)</title>
<style>body{font-family:sans-serif;max-width:28em;margin:4em auto;padding:0 1em}button{padding:.5em 1em}input{width:100%;padding:.4em}</style></head>
<body>` + body + `</body></html>
`))
}

// scopeWords are what the consent page says of scopes (guide "Scopes").
var scopeWords = map[string]string{
	scopeRead:                      "Read all files and folders stored in Box",
	scopeWrite:                     "Read and write all files and folders stored in Box",
	scopeUsers:                     "Manage users",
	"manage_app_users":             "Manage app users",
	scopeGroups:                    "Manage groups",
	scopeWebhooks:                  "Manage webhooks",
	"manage_enterprise_properties": "Manage enterprise properties",
	scopeContent:                   "Manage all content of the enterprise",
}

func render(r *core.Request, status int, t *template.Template, data any) {
	h := r.W.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	r.W.WriteHeader(status)
	_ = t.Execute(r.W, data) // the browser is gone
}

// errorPage is for refusals that must not reach the redirect URI.
func (s *Server) errorPage(r *core.Request, code, text string) {
	render(r, http.StatusBadRequest, errorTemplate, map[string]string{"Code": code, "Text": text})
}

// loginPage asks who is there; failed is the login of an attempt that failed.
func (s *Server) loginPage(r *core.Request, session string, in *authorization, failed string) {
	render(r, http.StatusOK, loginTemplate, map[string]any{
		"App": in.app.name, "Action": r.URL.RequestURI(), "Token": s.formToken(session), "Login": failed, "Failed": failed != "",
	})
}

// consentPage asks what the app may do. Box asks each time, also after an earlier consent (a guess).
func (s *Server) consentPage(r *core.Request, session string, in *authorization, u *user) {
	var words []string
	for name := range s.inForce(in.scopes) {
		word := scopeWords[name]
		if word == "" {
			word = name
		}
		words = append(words, word)
	}
	slices.Sort(words)
	render(r, http.StatusOK, consentTemplate, map[string]any{
		"App": in.app.name, "Action": r.URL.RequestURI(), "Token": s.formToken(session), "Name": u.name, "Login": u.login, "Scopes": words,
	})
}
