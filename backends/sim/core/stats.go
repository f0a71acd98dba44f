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
	counters map[string]int
	leaks    []Note
	early    []Note
	waits    map[string]time.Time
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
type Snapshot struct {
	Requests        map[string]int   `json:"requests"`
	Total           int              `json:"total"`
	Statuses        map[string]int   `json:"statuses"`
	Hosts           map[string]int   `json:"hosts"`
	Bytes           map[string]int64 `json:"bytes"`
	PeakConcurrency map[string]int   `json:"peak_concurrency"`
	Batches         int              `json:"batches"`       // $batch envelopes
	Counters        map[string]int   `json:"counters"`      // what single services count, see Count
	Leaks           []Note           `json:"leaks"`         // tokens that arrived at a host that must not see them
	EarlyRetries    []Note           `json:"early_retries"` // requests before the Retry-After of the last answer ended
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
	if s.inflight == nil {
		s.inflight = map[string]int{}
	}
	for k, n := range s.inflight {
		s.peak[k] = n
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

// end closes what begin opened.
func (s *Stats) end(host, route string, status int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
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

// Snapshot gives a copy of all counts.
func (s *Stats) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Snapshot{
		Requests: maps.Clone(s.requests), Total: s.total, Statuses: maps.Clone(s.statuses), Hosts: maps.Clone(s.hosts), Bytes: maps.Clone(s.bytes),
		PeakConcurrency: maps.Clone(s.peak), Batches: s.batches, Counters: maps.Clone(s.counters),
		Leaks: append([]Note{}, s.leaks...), EarlyRetries: append([]Note{}, s.early...),
	}
}
