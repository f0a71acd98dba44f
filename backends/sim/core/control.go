package core

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// maxControlBody bounds the body of a control call.
const maxControlBody = 1 << 20

// Control gives the handler of the control host: GET /stats, POST /reset, GET and PUT /faults, GET and PUT /switches,
// GET and POST /clock, and what HandleControl added. ready is what GET /ready answers. Its calls are not counted.
func (w *World) Control(ready func() any) http.Handler {
	mux := http.NewServeMux()
	answer, read := AnswerControl, ReadControl
	for _, c := range w.controls {
		mux.HandleFunc(c.pattern, c.handle)
	}
	mux.HandleFunc("GET /ready", func(rw http.ResponseWriter, r *http.Request) { answer(rw, ready()) })
	mux.HandleFunc("GET /stats", func(rw http.ResponseWriter, r *http.Request) { answer(rw, w.Counts()) })
	mux.HandleFunc("POST /reset", func(rw http.ResponseWriter, r *http.Request) {
		w.Stats.Reset()
		w.Faults.Set()
		w.Limits.Reset()
		rw.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /faults", func(rw http.ResponseWriter, r *http.Request) { answer(rw, w.Faults.Rules()) })
	mux.HandleFunc("PUT /faults", func(rw http.ResponseWriter, r *http.Request) {
		var rules []FaultRule
		if read(rw, r, &rules) {
			w.Faults.Set(rules...)
			rw.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("GET /switches", func(rw http.ResponseWriter, r *http.Request) { answer(rw, w.Switches.All()) })
	mux.HandleFunc("PUT /switches", func(rw http.ResponseWriter, r *http.Request) {
		var values map[string]any
		if !read(rw, r, &values) {
			return
		}
		for name, v := range values {
			if err := w.Switches.Set(name, v); err != nil {
				http.Error(rw, err.Error(), http.StatusBadRequest)
				return
			}
		}
		rw.WriteHeader(http.StatusNoContent)
	})
	now := func(rw http.ResponseWriter) { answer(rw, map[string]time.Time{"now": w.Clock.Now()}) }
	mux.HandleFunc("GET /clock", func(rw http.ResponseWriter, r *http.Request) { now(rw) })
	mux.HandleFunc("POST /clock", func(rw http.ResponseWriter, r *http.Request) {
		var change struct {
			Advance Duration  `json:"advance"`
			Set     time.Time `json:"set"`
		}
		if !read(rw, r, &change) {
			return
		}
		if !change.Set.IsZero() {
			w.Clock.Set(change.Set)
		}
		w.Clock.Advance(time.Duration(change.Advance))
		now(rw)
	})
	return mux
}

// AnswerControl answers a call of the control host with v as JSON.
func AnswerControl(rw http.ResponseWriter, v any) {
	rw.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(rw)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v)
}

// ReadControl decodes the body of a call of the control host into v; on failure it answers 400 and gives false.
func ReadControl(rw http.ResponseWriter, r *http.Request, v any) bool {
	err := json.NewDecoder(io.LimitReader(r.Body, maxControlBody)).Decode(v)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
	}
	return err == nil
}
