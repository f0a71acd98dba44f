package core

import (
	"encoding/json"
	"net/http"
)

// Request is what a handler gets: the HTTP request, where the answer goes, and what the router found in the path.
type Request struct {
	*http.Request
	W      http.ResponseWriter
	World  *World
	Params map[string]string // path parameters, percent-decoded
	Route  string            // the pattern that matched, e.g. "GET /v1.0/me/messages/{message}"
	InItem bool              // an item of a $batch, not a request of its own
}

// Param gives a path parameter, percent-decoded; "" if the route has none of that name.
func (r *Request) Param(name string) string { return r.Params[name] }

// WriteJSON answers with v as JSON and no further headers than Content-Type (unless it is set already).
func (r *Request) WriteJSON(status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic("simulator made an answer that is not JSON: " + err.Error())
	}
	if r.W.Header().Get("Content-Type") == "" {
		r.W.Header().Set("Content-Type", "application/json")
	}
	r.W.WriteHeader(status)
	_, _ = r.W.Write(body)
}
