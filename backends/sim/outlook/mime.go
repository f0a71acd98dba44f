package outlook

import (
	"fmt"
	"net/http"

	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/outlook/rfc822"
)

// boundary gives the changing part of a message's boundaries: by default another one on every call, so that MIME is never
// the same twice.
func (s *Store) boundary(r mailbox.Ref) string {
	n := uint64(0)
	if !s.w.Switches.Bool(switchStableMIME) {
		n = s.mimeCalls.Add(1)
	}
	sum := s.w.Sum(fmt.Sprintf("boundary %d %d", r.Key, n))
	return fmt.Sprintf("%X%s", sum[:16], s.c.Domain)
}

// messageValue serves a message's MIME: text/plain, without a length, Range ignored.
func (s *Store) messageValue(c *call) {
	c.mb.RLock()
	m := c.lookMessage()
	var o rfc822.Options
	var content *mailbox.Content
	var ref mailbox.Ref
	if m != nil {
		content, ref = m.Content(), m.Ref(false)
		o = rfc822.Options{Sent: m.Sent}
	}
	c.mb.RUnlock()
	if m == nil {
		return
	}
	if content.Corrupt {
		c.Error(http.StatusInternalServerError, "ErrorCorruptData", "Data is corrupt.")
		return
	}
	var mime []byte
	if content.Raw != nil {
		var err error
		if mime, err = content.Raw(); err != nil {
			c.Error(http.StatusInternalServerError, "ErrorInternalServerError", "An internal server error occurred. The operation failed.")
			return
		}
	} else {
		o.Boundary = s.boundary(ref)
		mime = rfc822.Make(content, o)
	}
	h := c.W.Header()
	h.Set("Content-Type", "text/plain")
	c.W.WriteHeader(http.StatusOK)
	// Flushing before the first byte keeps net/http from adding a Content-Length.
	_ = http.NewResponseController(c.W).Flush()
	_, _ = c.W.Write(mime)
}
