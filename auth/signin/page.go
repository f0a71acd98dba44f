package signin

import (
	"html/template"
	"net/http"
)

// page is what the browser shows at the end. It has nothing of the sign-in in it but an error's words.
type page struct{ Title, Text string }

var (
	pageDone    = page{"You are signed in", "You can close this window and go on in the terminal."}
	pageGranted = page{"The permissions are granted", "You can close this window and go on in the terminal."}
	pageForeign = page{"Not this sign-in", "This answer does not belong to the sign-in that workfs waits for. Start it again from the address in the terminal."}
	pageUsed    = page{"Already used", "This sign-in has been answered. You can close this window."}
	pageNothing = page{"Nothing here", "workfs waits here for the end of a sign-in."}
)

func pageRefused(err error) page {
	return page{"You are not signed in", err.Error() + ". The terminal says more. You can close this window."}
}

var layout = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}} – workfs</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:18vh auto 0;padding:0 1rem}</style></head>
<body><h1>{{.Title}}</h1><p>{{.Text}}</p></body></html>
`))

// writePage answers with a page that is kept nowhere, loads nothing, and does not hand its address, which has a code in it,
// to another site.
func writePage(w http.ResponseWriter, status int, p page) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = layout.Execute(w, p) // a browser that has gone needs no page
}
