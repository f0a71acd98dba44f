package webhook

import (
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
)

// patience is how long a delivery waits for a place to be read.
const patience = 2 * time.Second

// ServeHTTP takes one delivery.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	first, rest, known := r.split(req.URL.Path)
	if known && r.probe.answer(w, req, first) {
		return
	}
	h := r.handler(first)
	if !known || h == nil {
		// No hint what there is, whatever the method.
		r.refuse(w, req, http.StatusNotFound, "unknown address")
		return
	}
	if status, problem := acceptable(req); status != 0 {
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodPost)
		}
		r.refuse(w, req, status, problem)
		return
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case r.reading <- struct{}{}:
		defer func() { <-r.reading }()
	case <-t.C:
		r.busy(w, req, "too many deliveries at a time")
		return
	case <-req.Context().Done():
		return
	}
	body, err := r.read(w, req)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		r.refuse(w, req, http.StatusRequestEntityTooLarge, "body too large")
		return
	case err != nil:
		r.refuse(w, req, http.StatusRequestTimeout, "body cut off or too slow")
		return
	}
	d := &backends.Delivery{Path: rest, Header: req.Header, Query: req.URL.Query(), Body: body, At: r.o.Now()}
	reply := h.check(d)
	if reply.Accepted && !h.put(d) {
		r.busy(w, req, "queue full")
		return
	}
	if reply.Status >= 400 {
		r.refuse(w, req, reply.Status, reply.Problem)
		return
	}
	if reply.Problem != "" {
		// Parts of it are refused, which the sender need not know.
		r.refused.note(source(req), reply.Problem)
	}
	if reply.Accepted {
		r.accepted.Add(1)
	}
	if reply.Status == 0 {
		reply.Status = http.StatusAccepted
	}
	if reply.Body != "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(reply.Status)
	w.Write([]byte(reply.Body))
}

// split parts a path below the public one into the first segment and what follows. A proxy may strip the public path or
// leave it.
func (r *Receiver) split(path string) (first, rest string, ok bool) {
	if below, cut := strings.CutPrefix(path, r.public.Path+"/"); cut {
		path = "/" + below
	}
	first, rest, more := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if more {
		rest = "/" + rest
	}
	return first, rest, first != ""
}

// acceptable looks at what precedes the body. It gives the status of a refusal and why.
func acceptable(req *http.Request) (status int, problem string) {
	if req.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "method is not POST"
	}
	if e := req.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return http.StatusUnsupportedMediaType, "encoded body"
	}
	if req.ContentLength > maxBody {
		return http.StatusRequestEntityTooLarge, "body too large"
	}
	kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	switch {
	case err == nil && (kind == "application/json" || kind == "text/plain"):
	case req.Header.Get("Content-Type") == "" && req.ContentLength == 0:
		// A handshake whose sender saw no need to say what the body is not.
	default:
		return http.StatusUnsupportedMediaType, "content type is neither application/json nor text/plain"
	}
	return 0, ""
}

// refuse answers a request that is not what it should be; floods of those get 429.
func (r *Receiver) refuse(w http.ResponseWriter, req *http.Request, status int, problem string) {
	if !r.refused.note(source(req), problem) {
		w.Header().Set("Retry-After", "60")
		status = http.StatusTooManyRequests
	}
	w.WriteHeader(status)
}

// busy answers a delivery that is to be sent again.
func (r *Receiver) busy(w http.ResponseWriter, req *http.Request, problem string) {
	r.refused.note(source(req), problem)
	w.Header().Set("Retry-After", "10")
	w.WriteHeader(http.StatusServiceUnavailable)
}
