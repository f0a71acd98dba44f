package box

import (
	"encoding/json"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

func (s *Server) downloadRoutes() {
	s.download.Handle("GET /d/1/{ticket}/download", s.numbered(s.serveTicket))
	// The default would send HEAD to the handler of GET; the download host takes GET alone.
	s.download.Handle("HEAD /d/1/{ticket}/download", s.numbered(func(r *core.Request) { plain(r, http.StatusMethodNotAllowed, "") }))
	s.download.Handle("GET /api/2.0/internal_files/{file}/versions/{version}/representations/{rep}/content/{asset...}", s.representationContent)
	s.download.NotFound = func(r *core.Request, _ bool) {
		s.number(r)
		plain(r, http.StatusNotFound, "Not found")
	}
}

// plain is how the download host refuses: no JSON there.
func plain(r *core.Request, status int, text string) {
	r.W.Header().Set("Content-Type", "text/html; charset=utf-8")
	r.W.WriteHeader(status)
	_, _ = io.WriteString(r.W, text)
}

// serveTicket serves the bytes that a signed URL stands for.
func (s *Server) serveTicket(r *core.Request) {
	if r.Header.Get("Authorization") != "" || r.Header.Get("As-User") != "" {
		s.w.Stats.Leak(core.HostBoxDownload, r.Method, "/d/1/…/download", "credentials on a download URL that authenticates itself")
		if s.w.Switches.Bool("box.download_strict") {
			plain(r, http.StatusForbidden, "Only one authentication mechanism is allowed")
			return
		}
	}
	payload, ok := s.verify(r.Param("ticket"))
	var t ticket
	if !ok || json.Unmarshal(payload, &t) != nil || s.w.Clock.Now().Unix() >= t.Expires {
		plain(r, http.StatusForbidden, "This link has expired")
		return
	}
	s.store.mu.RLock()
	it, v := s.store.items[itemKey{fileKind, t.File}], s.store.versions[t.Version]
	name := ""
	if it != nil {
		name = it.name
	}
	s.store.mu.RUnlock()
	if it == nil || v == nil {
		plain(r, http.StatusNotFound, "Not found")
		return
	}
	s.serveContent(r, v.content, name)
}

// serveContent serves a content under Box's rules for ranges.
func (s *Server) serveContent(r *core.Request, c content, name string) {
	size := c.size()
	from, to, partial := int64(0), size, false
	if h := r.Header.Get("Range"); h != "" && !s.w.Switches.Bool("box.ignore_range") {
		var ok bool
		if from, to, ok = parseRange(h, size); !ok {
			r.W.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
			plain(r, http.StatusRequestedRangeNotSatisfiable, "")
			return
		}
		partial = true
	}
	body, err := c.open()
	if err != nil {
		plain(r, http.StatusNotFound, "Not found")
		return
	}
	defer body.Close()
	if _, err := body.Seek(from, io.SeekStart); err != nil {
		plain(r, http.StatusInternalServerError, "")
		return
	}
	h := r.W.Header()
	h.Set("Content-Type", company.ContentType(strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))))
	h.Set("Content-Length", strconv.FormatInt(to-from, 10))
	h.Set("Accept-Ranges", "bytes")
	status := http.StatusOK
	if partial {
		h.Set("Content-Range", "bytes "+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(to-1, 10)+"/"+strconv.FormatInt(size, 10))
		status = http.StatusPartialContent
	}
	r.W.WriteHeader(status)
	n := to - from
	cut := int64(s.w.Switches.Int("box.truncate_downloads"))
	if cut > 0 && cut < n {
		n = cut
	}
	if _, err := io.CopyN(r.W, body, n); err != nil || n < to-from {
		_ = http.NewResponseController(r.W).Flush() // what was written shall arrive
		panic(http.ErrAbortHandler)                 // the rest never will
	}
}

// parseRange takes bytes=a-b and bytes=a- only; a suffix, several ranges and any range of an empty file are refused.
func parseRange(h string, size int64) (from, to int64, ok bool) {
	spec, isBytes := strings.CutPrefix(strings.TrimSpace(h), "bytes=")
	a, b, dash := strings.Cut(spec, "-")
	if !isBytes || !dash || size == 0 {
		return 0, 0, false
	}
	from, err := strconv.ParseInt(a, 10, 64)
	if err != nil || from < 0 || from >= size {
		return 0, 0, false
	}
	if b == "" {
		return from, size, true
	}
	last, err := strconv.ParseInt(b, 10, 64)
	if err != nil || last < from {
		return 0, 0, false
	}
	return from, min(last, size-1) + 1, true
}
