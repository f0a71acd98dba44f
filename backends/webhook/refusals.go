package webhook

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	// each and all are how many refusals a second get a status of their own, by sender and together, with bursts of five
	// times that. What is beyond gets 429.
	each = 20
	all  = 500
	// senders is how many are told apart.
	senders = 4096
	// kinds is how many kinds of refusal are logged apart.
	kinds = 64
	// quiet is the time between two log lines of one kind.
	quiet = time.Minute
)

// refusals counts what is refused, and logs it: each kind once a minute with how many there were.
type refusals struct {
	log   *slog.Logger
	total atomic.Int64
	all   *rate.Limiter

	mu      sync.Mutex
	closed  bool
	senders map[netip.Addr]*rate.Limiter
	kinds   map[string]*kind
}

// kind is a kind of refusal that was logged within the last minute.
type kind struct {
	more  int // since then
	timer *time.Timer
}

func newRefusals(log *slog.Logger) *refusals {
	return &refusals{
		log: log, all: rate.NewLimiter(all, 5*all), senders: map[netip.Addr]*rate.Limiter{}, kinds: map[string]*kind{},
	}
}

// note counts a refusal. False means that the sender, or all together, flood us with such.
func (r *refusals) note(from netip.Addr, problem string) bool {
	r.total.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.say(problem, from)
	return r.sender(from).Allow() && r.all.Allow()
}

// sender gives the limiter of a sender; mu is held.
func (r *refusals) sender(from netip.Addr) *rate.Limiter {
	l := r.senders[from]
	if l == nil {
		if len(r.senders) >= senders {
			for a, l := range r.senders {
				if l.Tokens() >= 5*each {
					delete(r.senders, a)
				}
			}
		}
		if len(r.senders) >= senders {
			return r.all // more than we can tell apart count together
		}
		l = rate.NewLimiter(each, 5*each)
		r.senders[from] = l
	}
	return l
}

// say logs a problem unless it did so within the last minute; mu is held.
func (r *refusals) say(problem string, from netip.Addr) {
	if k := r.kinds[problem]; k != nil {
		k.more++
		return
	}
	if r.closed || len(r.kinds) >= kinds {
		return
	}
	r.log.Warn("delivery refused", "problem", problem, "from", from)
	k := &kind{}
	r.kinds[problem] = k
	k.timer = time.AfterFunc(quiet, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.kinds[problem] == k {
			r.summarize(problem, k)
		}
	})
}

// summarize tells what was not logged; mu is held.
func (r *refusals) summarize(problem string, k *kind) {
	delete(r.kinds, problem)
	if k.more > 0 {
		r.log.Warn("deliveries refused", "problem", problem, "more", k.more)
	}
}

// close logs what was not logged yet.
func (r *refusals) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for problem, k := range r.kinds {
		k.timer.Stop()
		r.summarize(problem, k)
	}
}

// source is who sent a request: an address, of IPv6 the network, since a sender has all of one.
func source(req *http.Request) netip.Addr {
	return senderOf(req.RemoteAddr)
}

func senderOf(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			a = p.Addr()
		}
	}
	return a
}
