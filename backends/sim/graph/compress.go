package graph

import (
	"compress/gzip"
	"net/http"
	"strings"
	"sync"
)

var gzips = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return z
}}

// compress gives the writer to answer with: JSON and text go out in gzip where the client takes it, and in chunks. finish
// must be called when the answer is complete.
func (s *Server) compress(w http.ResponseWriter, r *http.Request) (_ http.ResponseWriter, finish func()) {
	c := &compressor{ResponseWriter: w, chunked: s.world.Switches.Bool("graph.chunked") && r.Method != http.MethodHead}
	for _, enc := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(enc), ";")
		c.accepts = c.accepts || strings.EqualFold(name, "gzip") && !strings.HasPrefix(strings.ReplaceAll(q, " ", ""), "q=0")
	}
	c.accepts = c.accepts && r.Method != http.MethodHead
	return c, c.finish
}

type compressor struct {
	http.ResponseWriter
	accepts, chunked bool
	started          bool
	z                *gzip.Writer
}

// WriteHeader decides on compression by the content type.
func (c *compressor) WriteHeader(status int) {
	if c.started {
		return
	}
	c.started = true
	h := c.Header()
	media := h.Get("Content-Type")
	body := status != http.StatusNoContent && status != http.StatusNotModified
	texty := strings.HasPrefix(media, "application/json") || strings.HasPrefix(media, "text/")
	if texty && body {
		h.Add("Vary", "Accept-Encoding")
	}
	if c.accepts && body && texty && h.Get("Content-Encoding") == "" {
		h.Set("Content-Encoding", "gzip")
		h.Del("Content-Length")
		c.z = gzips.Get().(*gzip.Writer)
		c.z.Reset(c.ResponseWriter)
	}
	c.ResponseWriter.WriteHeader(status)
	if c.chunked && texty && body && h.Get("Content-Length") == "" {
		// An early flush keeps net/http from adding the length of short bodies.
		_ = http.NewResponseController(c.ResponseWriter).Flush()
	}
}

// Write sends p, compressed or not.
func (c *compressor) Write(p []byte) (int, error) {
	if !c.started {
		c.WriteHeader(http.StatusOK)
	}
	if c.z != nil {
		return c.z.Write(p)
	}
	return c.ResponseWriter.Write(p)
}

// FlushError sends what is buffered.
func (c *compressor) FlushError() error {
	if c.z != nil {
		if err := c.z.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(c.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (c *compressor) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *compressor) finish() {
	if c.z != nil {
		_ = c.z.Close()
		gzips.Put(c.z)
		c.z = nil
	}
}
