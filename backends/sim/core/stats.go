package core

import (
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"
)

// maxNotes bounds each list of remarkable requests that Stats keeps.
const maxNotes = 1000

// Stats counts the requests that the services of one simulator got. Control calls are not counted, the items of a $batch
// one by one and not their envelope.
type Stats struct {
	clock *Clock

	mu       sync.Mutex
	requests map[string]int
	statuses map[string]int
	bytes    map[string]int64
	hosts    map[string]int
	inflight map[string]int
	peak     map[string]int
	total    int
	batches  int
	pages    map[string]int
	seconds  map[string]float64
	busy     map[string]*busy
	counters map[string]int
	units    map[string]int
	told     map[string]*told
	leaks    []Note
	early    []Note
	waits    map[string]time.Time
}

// busy adds up the real time during which something was in flight.
type busy struct {
	since time.Time // when the first of those in flight came; zero while there is none
	sum   time.Duration
}

// told is what a service refused.
type told struct {
	requests int
	until    time.Time // virtual, the end of the longest wait so far
	sum      time.Duration
}

// Throttled is what a service refused with 429 because of a limit.
type Throttled struct {
	Requests int `json:"requests"`
	// Seconds is the virtual time during which some client had been told to wait; waits that overlap count once.
	Seconds float64 `json:"seconds"`
}

// Note is one remarkable request.
type Note struct {
	Host   string `json:"host"`
	Method string `json:"method"`
	Path   string `json:"path"`
	Why    string `json:"why"`
}

// Snapshot is a copy of the statistics. Keys of Requests, Bytes and PeakConcurrency are route patterns such as
// "GET /v1.0/me/messages/{message}"; PeakConcurrency also has "total", "host:graph" and the like, and
// "mailbox:<user id>". Bytes are body bytes before compression.
//
// What an ideal client would need follows from them: for a chain of pages, Pages times the mean of Seconds per request; where
// requests may overlap, Seconds over the concurrency that is allowed; and no less than what each of Limits takes. Busy tells
// how much of a client's time went into that.
type Snapshot struct {
	Requests        map[string]int   `json:"requests"`
	Total           int              `json:"total"`
	Statuses        map[string]int   `json:"statuses"`
	Hosts           map[string]int   `json:"hosts"`
	Bytes           map[string]int64 `json:"bytes"`
	PeakConcurrency map[string]int   `json:"peak_concurrency"`
	Batches         int              `json:"batches"` // $batch envelopes
	// Pages are answers with a page of a collection, by route.
	Pages map[string]int `json:"pages"`
	// Seconds is the real time that requests were served, latency included, added up by route.
	Seconds map[string]float64 `json:"seconds"`
	// Busy is the real time during which anything of a key of PeakConcurrency was in flight; what overlaps counts once.
	Busy map[string]float64 `json:"busy_seconds"`
	// ResourceUnits are the costs of the requests to services that count in them, whether these were served or refused for
	// the sake of a limit. Nothing is counted, here and in the next two, unless the switch "throttle" is at "real".
	ResourceUnits map[string]int       `json:"resource_units"`
	Throttled     map[string]Throttled `json:"throttled"` // by service; also what is always limited
	Limits        map[string]Use       `json:"limits"`
	Counters      map[string]int       `json:"counters"`      // what single services count, see Count
	Leaks         []Note               `json:"leaks"`         // tokens that arrived at a host that must not see them
	EarlyRetries  []Note               `json:"early_retries"` // requests before the Retry-After of the last answer ended
}

func newStats(c *Clock) *Stats {
	s := &Stats{clock: c}
	s.Reset()
	return s
}

// Reset forgets all counts. Requests in flight stay in flight.
func (s *Stats) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.statuses, s.bytes = map[string]int{}, map[string]int{}, map[string]int64{}
	s.hosts, s.peak, s.waits = map[string]int{}, map[string]int{}, map[string]time.Time{}
	s.total, s.batches, s.counters, s.leaks, s.early = 0, 0, map[string]int{}, nil, nil
	s.pages, s.seconds, s.busy = map[string]int{}, map[string]float64{}, map[string]*busy{}
	s.units, s.told = map[string]int{}, map[string]*told{}
	if s.inflight == nil {
		s.inflight = map[string]int{}
	}
	for k, n := range s.inflight {
		s.peak[k] = n
		s.busy[k] = &busy{since: time.Now()}
	}
}

// Enter counts one more concurrent use of key and gives the number in use, this one included.
func (s *Stats) Enter(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enter(key)
}

func (s *Stats) enter(key string) int {
	n := s.inflight[key] + 1
	s.inflight[key] = n
	s.peak[key] = max(s.peak[key], n)
	if n == 1 {
		b := s.busy[key]
		if b == nil {
			b = &busy{}
			s.busy[key] = b
		}
		b.since = time.Now()
	}
	return n
}

// Leave ends a use of key that Enter began.
func (s *Stats) Leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(key)
}

func (s *Stats) leave(key string) {
	if s.inflight[key] <= 1 {
		delete(s.inflight, key)
		if b := s.busy[key]; b != nil && !b.since.IsZero() {
			b.sum += time.Since(b.since)
			b.since = time.Time{}
		}
		return
	}
	s.inflight[key]--
}

// begin counts a request of a route.
func (s *Stats) begin(host, route string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[route]++
	s.hosts[host]++
	s.total++
	s.enter(route)
	s.enter("host:" + host)
	s.enter("total")
}

// end closes what begin opened, after a time of serving.
func (s *Stats) end(host, route string, status int, bytes int64, served time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seconds[route] += served.Seconds()
	s.bytes[route] += bytes
	s.statuses[strconv.Itoa(status)]++
	s.leave(route)
	s.leave("host:" + host)
	s.leave("total")
}

// Count adds one to a counter that a service keeps of its own. "box_notifying" are the requests to Box's API that did not
// say Box-Notifications: off.
func (s *Stats) Count(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters[name]++
}

// Page counts an answer of a route that is a page of a collection.
func (s *Stats) Page(route string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[route]++
}

// Units counts what a request to a service cost.
func (s *Stats) Units(service string, cost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.units[service] += cost
}

// Throttle counts a request that a service refused, with the time that the client was told to wait.
func (s *Stats) Throttle(service string, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.told[service]
	if t == nil {
		t = &told{}
		s.told[service] = t
	}
	t.requests++
	now := s.clock.Now()
	if until := now.Add(wait); until.After(t.until) {
		t.sum += until.Sub(later(now, t.until))
		t.until = until
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// batch counts one $batch envelope.
func (s *Stats) batch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches++
}

// Leak records a token that arrived at a host that must not see it. The token itself is not kept.
func (s *Stats) Leak(host, method, path, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.leaks) < maxNotes {
		s.leaks = append(s.leaks, Note{host, method, path, why})
	}
}

// wait remembers that scope was told to come back no sooner than after d.
func (s *Stats) wait(scope string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waits) < maxNotes {
		s.waits[scope] = s.clock.Now().Add(d)
	}
}

// checkWait records a request that arrives before the wait of its scope is over.
func (s *Stats) checkWait(scope, host, method, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.waits[scope]
	if !ok {
		return
	}
	left := until.Sub(s.clock.Now())
	if left <= 0 {
		delete(s.waits, scope)
		return
	}
	if len(s.early) < maxNotes {
		s.early = append(s.early, Note{host, method, path, fmt.Sprintf("%v too early", left.Round(time.Millisecond))})
	}
}

// Snapshot gives a copy of all counts but those of Limits, which World.Counts adds.
func (s *Stats) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := Snapshot{
		Requests: maps.Clone(s.requests), Total: s.total, Statuses: maps.Clone(s.statuses), Hosts: maps.Clone(s.hosts), Bytes: maps.Clone(s.bytes),
		PeakConcurrency: maps.Clone(s.peak), Batches: s.batches, Pages: maps.Clone(s.pages), Seconds: maps.Clone(s.seconds),
		Busy: map[string]float64{}, ResourceUnits: maps.Clone(s.units), Throttled: map[string]Throttled{}, Counters: maps.Clone(s.counters),
		Leaks: append([]Note{}, s.leaks...), EarlyRetries: append([]Note{}, s.early...),
	}
	for k, b := range s.busy {
		sum := b.sum
		if !b.since.IsZero() {
			sum += time.Since(b.since)
		}
		snap.Busy[k] = sum.Seconds()
	}
	for service, t := range s.told {
		snap.Throttled[service] = Throttled{t.requests, t.sum.Seconds()}
	}
	return snap
}
