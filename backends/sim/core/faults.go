package core

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Faults are the injected failures of one simulator.
type Faults struct {
	mu    sync.Mutex
	rand  *rand.Rand
	rules []*FaultRule
}

// FaultRule is one injected failure. The first rule that matches a request and fires decides.
type FaultRule struct {
	// Route is a glob over "METHOD /path" in which * stands for any text, matched without regard to case against both the
	// path of the request and its route pattern. Empty matches all.
	Route string `json:"route"`
	// Host limits the rule to one host by its name, such as "graph"; empty means all.
	Host string `json:"host,omitempty"`
	// Status is answered instead of the handler's answer; 0 lets the handler answer.
	Status int `json:"status,omitempty"`
	// Headers are set on the answer, over the handler's own.
	Headers map[string]string `json:"headers,omitempty"`
	// Body of the answer when Status is set: a string as it is, anything else as JSON.
	Body any `json:"body,omitempty"`
	// BodyCut lets only so many bytes of the body through. Alone it gives a whole HTTP answer with a truncated body; with
	// Reset the connection breaks there.
	BodyCut *int64 `json:"body_cut,omitempty"`
	// Delay in real time before the answer: a Go duration such as "300ms".
	Delay Duration `json:"delay,omitempty"`
	// Reset breaks the connection, before any answer unless BodyCut says where.
	Reset bool `json:"reset,omitempty"`
	// Probability that the rule fires, drawn from the seed; 0 means always.
	Probability float64 `json:"probability,omitempty"`
	// Count is how often the rule fires at most; 0 means without end.
	Count int `json:"count,omitempty"`
	// Skip lets so many matching requests pass first.
	Skip int `json:"skip,omitempty"`

	seen, fired int
}

// Duration is a time.Duration that is a Go duration string in JSON; a number means milliseconds.
type Duration time.Duration

// UnmarshalJSON reads a duration string or a number of milliseconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case float64:
		*d = Duration(v * float64(time.Millisecond))
	case string:
		parsed, err := time.ParseDuration(v)
		if err != nil {
			return err
		}
		*d = Duration(parsed)
	default:
		return fmt.Errorf("a duration is a string or a number, not %s", b)
	}
	return nil
}

// MarshalJSON writes the duration string.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

func newFaults(r *rand.Rand) *Faults { return &Faults{rand: r} }

// Set replaces all rules.
func (f *Faults) Set(rules ...FaultRule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
	for _, r := range rules {
		r.seen, r.fired = 0, 0
		f.rules = append(f.rules, &r)
	}
}

// match gives a copy of the rule that fires for a request, or nil.
func (f *Faults) match(host string, req *http.Request, route string) *FaultRule {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if r.Host != "" && r.Host != host {
			continue
		}
		if r.Route != "" && !glob(r.Route, req.Method+" "+req.URL.Path) && !glob(r.Route, route) {
			continue
		}
		if r.Count > 0 && r.fired >= r.Count {
			continue
		}
		r.seen++
		if r.seen <= r.Skip || r.Probability > 0 && f.rand.Float64() >= r.Probability {
			continue
		}
		r.fired++
		c := *r
		return &c
	}
	return nil
}

// apply acts on a request before its handler; it reports whether the request has been answered.
func (r *FaultRule) apply(req *Request, out *response) bool {
	sleep(req.Context().Done(), time.Duration(r.Delay))
	out.extra = http.Header{}
	for k, v := range r.Headers {
		out.extra.Set(k, v)
	}
	if r.BodyCut != nil {
		out.cut, out.abort = *r.BodyCut, r.Reset && !req.InItem
	} else if r.Reset {
		if req.InItem {
			out.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		out.status = http.StatusServiceUnavailable
		resetConn(out.ResponseWriter)
		return true
	}
	if r.Status == 0 {
		return false
	}
	var body []byte
	switch b := r.Body.(type) {
	case nil:
	case string:
		body = []byte(b)
	default:
		body, _ = json.Marshal(b)
		out.Header().Set("Content-Type", "application/json")
	}
	out.WriteHeader(r.Status)
	_, _ = out.Write(body)
	return true
}

// glob matches text against a pattern in which * stands for any text, also across slashes, without regard to case.
func glob(pattern, text string) bool {
	parts := strings.Split(strings.ToLower(pattern), "*")
	text = strings.ToLower(text)
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	if len(parts) == 1 {
		return text == ""
	}
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(text, p)
		if i < 0 {
			return false
		}
		text = text[i+len(p):]
	}
	return strings.HasSuffix(text, last)
}

// Rules gives a copy of the rules in force.
func (f *Faults) Rules() []FaultRule {
	f.mu.Lock()
	defer f.mu.Unlock()
	rules := make([]FaultRule, 0, len(f.rules))
	for _, r := range f.rules {
		rules = append(rules, *r)
	}
	return rules
}
