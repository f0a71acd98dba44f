package core

import (
	"net"
	"net/http"
	"time"
)

// heldBytes is how much of an answer waits in memory for its time. What makes more waits itself.
const heldBytes = 8 << 20

// response counts what a handler writes, cuts the body where a fault wants it, and holds it back until it is due.
type response struct {
	http.ResponseWriter
	status int
	bytes  int64

	cut    int64 // bytes let through; negative for all
	abort  bool  // break the connection once the body is cut
	extra  http.Header
	broken bool

	due   time.Time       // until then nothing is sent; zero from then on
	gone  <-chan struct{} // the client has left
	held  []byte
	flush bool
}

func newResponse(w http.ResponseWriter) *response { return &response{ResponseWriter: w, cut: -1} }

// WriteHeader sends the header once; later calls are ignored.
func (w *response) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	for k, vs := range w.extra {
		w.Header()[k] = vs
	}
	if w.cut >= 0 && !w.abort {
		// A cut body must still be a whole HTTP message, so that the damage is in the content alone.
		w.Header().Del("Content-Length")
	}
	if w.due.IsZero() {
		w.ResponseWriter.WriteHeader(status)
	}
}

// hold keeps the answer back until due. It is made meanwhile, as a service's own time is part of its latency, and its
// handler waits for nothing, so that it holds no lock for longer.
func (w *response) hold(due time.Time, gone <-chan struct{}) { w.due, w.gone = due, gone }

// release waits until the answer is due and sends what was held back of it.
func (w *response) release() {
	if w.due.IsZero() {
		return
	}
	sleep(w.gone, time.Until(w.due))
	w.due = time.Time{}
	if w.status == 0 {
		return
	}
	w.ResponseWriter.WriteHeader(w.status)
	if w.flush {
		_ = w.FlushError()
	}
	_, _ = w.ResponseWriter.Write(w.held) // whoever has left misses nothing
	w.held = nil
	if w.flush {
		_ = w.FlushError()
	}
}

// send writes to the client, or to what is held back for it.
func (w *response) send(p []byte) (int, error) {
	if !w.due.IsZero() && len(w.held)+len(p) > heldBytes {
		w.release()
	}
	if !w.due.IsZero() {
		w.held = append(w.held, p...)
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// FlushError sends what net/http has buffered, or does so when the answer is due.
func (w *response) FlushError() error {
	if !w.due.IsZero() {
		w.flush = true
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Write sends p, or the part of it that a fault lets through.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.cut < 0 {
		n, err := w.send(p)
		w.bytes += int64(n)
		return n, err
	}
	keep := p[:min(int64(len(p)), max(0, w.cut-w.bytes))]
	n, err := w.send(keep)
	w.bytes += int64(n)
	w.broken = w.broken || len(keep) < len(p)
	if err != nil {
		return n, err
	}
	return len(p), nil
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish breaks the connection if the fault wants that.
func (w *response) finish() {
	if w.abort && w.broken {
		_ = w.FlushError()
		resetConn(w.ResponseWriter)
	}
}

// resetConn ends the connection with a TCP reset where possible.
func resetConn(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
