package graph

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

// contentTypeJSON is what Graph says of its JSON.
const contentTypeJSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

// Request is what a handler of the Graph host gets.
type Request struct {
	*core.Request
	Caller Caller
	User   *company.Person // the caller for /me, the addressed person for {U}; nil otherwise
	Prefer Prefer
	Query  Query // as the first request of the paging run had it, also when a link is followed

	server  *Server
	area    area
	applied []string
	link    linkToken
	linked  bool
	latest  string // raw delta token that is no link of ours: "latest"
}

// Company gives the people and groups that the tenant has.
func (r *Request) Company() *company.Company { return r.server.company }

// Now gives the virtual time in UTC.
func (r *Request) Now() time.Time { return r.World.Clock.Now() }

// Me reports whether the caller asks for their own data.
func (r *Request) Me() bool {
	return r.User != nil && !r.Caller.AppOnly && r.User.ID == r.Caller.UserID
}

// ReadJSON decodes the request's body into v; on failure it answers 400 and gives false.
func (r *Request) ReadJSON(v any) bool {
	body, err := io.ReadAll(io.LimitReader(r.Request.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		r.Error(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request is too large.")
		return false
	}
	if err == nil {
		err = json.Unmarshal(body, v)
	}
	if err != nil {
		r.Error(http.StatusBadRequest, "BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
		return false
	}
	return true
}

// Apply notes that a Prefer value was honoured, written as Preference-Applied gives it, for example
// `outlook.body-content-type="text"`. Call it before the answer is written.
func (r *Request) Apply(preference string) {
	for _, p := range r.applied {
		if p == preference {
			return
		}
	}
	r.applied = append(r.applied, preference)
}

// Enum gives an evolvable enumeration's newer member as it is if the client opted in by
// Prefer: include-unknown-enum-members, else "unknownFutureValue".
func (r *Request) Enum(newer string) string {
	if !r.Prefer.UnknownEnums {
		return "unknownFutureValue"
	}
	r.Apply("include-unknown-enum-members")
	return newer
}

// JSON answers with v.
func (r *Request) JSON(status int, v any) {
	// Only what JSON demands is escaped, as in the samples of Microsoft's documentation: Go's own escapes of <, > and &
	// would make bodies in HTML larger than they are.
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("simulator made an answer that is not JSON: " + err.Error())
	}
	h := r.W.Header()
	h.Set("OData-Version", "4.0")
	r.Bytes(status, contentTypeJSON, bytes.TrimSuffix(body.Bytes(), []byte("\n")))
}

// Entity answers with a single resource, to which it adds its @odata.context. obj itself is not changed.
func (r *Request) Entity(status int, obj map[string]any) {
	out := maps.Clone(obj)
	out["@odata.context"] = r.ContextURL(r.contextPath(true))
	r.JSON(status, out)
}

// contextPath writes the path of the request as @odata.context names it: keys in parentheses, /me by the user's id, and of a
// single resource the collection that holds it.
func (r *Request) contextPath(entity bool) string {
	pattern := strings.TrimPrefix(afterMethod(r.Route), Version+"/")
	var b strings.Builder
	switch {
	case strings.Contains(pattern, "...}"):
		b.WriteString(strings.TrimPrefix(r.Request.URL.EscapedPath(), Version+"/"))
	default:
		segments := strings.Split(pattern, "/")
		if last := segments[len(segments)-1]; entity && strings.HasPrefix(last, "{") {
			segments = segments[:len(segments)-1]
		}
		for i, seg := range segments {
			name, isKey := strings.CutPrefix(seg, "{")
			switch {
			case isKey:
				b.WriteString("('" + url.PathEscape(r.Param(strings.TrimSuffix(name, "}"))) + "')")
			case i == 0 && seg == "me" && r.User != nil && len(segments) > 1:
				b.WriteString("users('" + r.User.ID + "')")
			case i == 0:
				b.WriteString(seg)
			default:
				b.WriteString("/" + seg)
			}
		}
	}
	if entity {
		b.WriteString("/$entity")
	}
	return b.String()
}

// Bytes answers with a body of another content type.
func (r *Request) Bytes(status int, contentType string, body []byte) {
	h := r.W.Header()
	h.Set("Content-Type", contentType)
	if len(r.applied) > 0 {
		h.Set("Preference-Applied", strings.Join(r.applied, ", "))
	}
	r.W.WriteHeader(status)
	if status != http.StatusNoContent && status != http.StatusNotModified {
		_, _ = r.W.Write(body)
	}
}

// Empty answers without a body, as 204 and 202 do.
func (r *Request) Empty(status int) { r.Bytes(status, "text/plain", nil) }

// Address gives an absolute address on the Graph host for a path without version, such as "/me/messages".
func (r *Request) Address(path string) string { return r.World.Hosts.Graph + Version + path }

// ContextURL gives the @odata.context for a fragment such as "users".
func (r *Request) ContextURL(fragment string) string { return r.Address("/$metadata#" + fragment) }

// Select keeps the properties of obj that $select names; without $select those in defaults, or all if there are none.
// id and the annotations that start with @ or hold an @odata. part stay. obj itself is not changed.
func (r *Request) Select(obj map[string]any, defaults ...string) map[string]any {
	want := r.Query.Select
	if len(want) == 0 {
		want = defaults
	}
	if len(want) == 0 {
		return obj
	}
	out := make(map[string]any, len(want)+2)
	for k, v := range obj {
		if k == "id" || strings.Contains(k, "@") {
			out[k] = v
			continue
		}
		for _, w := range want {
			if strings.EqualFold(k, w) {
				out[k] = v
			}
		}
	}
	return out
}
