package core

import (
	"net"
	"net/http"
)

// response counts what a handler writes, and cuts the body where a fault wants it.
type response struct {
	http.ResponseWriter
	status int
	bytes  int64

	cut    int64 // bytes let through; negative for all
	abort  bool  // break the connection once the body is cut
	extra  http.Header
	broken bool
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
	w.ResponseWriter.WriteHeader(status)
}

// Write sends p, or the part of it that a fault lets through.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.cut < 0 {
		n, err := w.ResponseWriter.Write(p)
		w.bytes += int64(n)
		return n, err
	}
	keep := p[:min(int64(len(p)), max(0, w.cut-w.bytes))]
	n, err := w.ResponseWriter.Write(keep)
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
		_ = http.NewResponseController(w.ResponseWriter).Flush()
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
