package core

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
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
	// Route is a glob over "METHOD /path" in which * stands for any text and {name} for one segment, matched without regard
	// to case against both the path of the request and its route pattern. Empty matches all.
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

	route       *regexp.Regexp // of Route; nil for empty
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
		r.seen, r.fired, r.route = 0, 0, nil
		if r.Route != "" {
			r.route = compileGlob(r.Route)
		}
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
		if r.route != nil && !r.route.MatchString(req.Method+" "+req.URL.Path) && !r.route.MatchString(route) {
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

// globParts are what is special in a glob: any text, and one segment of a path.
var globParts = regexp.MustCompile(`\*|\{[^}]*\}`)

// compileGlob gives the expression for a glob: * stands for any text, also across slashes, {name} for one segment of a path
// whatever the name, and letter case does not count.
func compileGlob(glob string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("(?is)^")
	last := 0
	for _, loc := range globParts.FindAllStringIndex(glob, -1) {
		b.WriteString(regexp.QuoteMeta(glob[last:loc[0]]))
		if glob[loc[0]] == '*' {
			b.WriteString(".*")
		} else {
			b.WriteString("[^/]+")
		}
		last = loc[1]
	}
	b.WriteString(regexp.QuoteMeta(glob[last:]) + "$")
	return regexp.MustCompile(b.String())
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
