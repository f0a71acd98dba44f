package follow

import (
	"math/rand/v2"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/subscription"
)

// collection is one that somebody looked at. The loop's mu guards it.
type collection struct {
	name     string
	resource *resource // that tells of its changes, nil if none
	poll     bool
	known    time.Time // when it was first heard of: earlier notifications were not kept for it
	looked   time.Time

	pending []subscription.Notification // to look into
	open    []open                      // to look into later
	tries   map[key]int                 // how often those were looked into
	whole   want                        // what else is to be asked for
	origin  backends.Origin             // of whole, where a notification asked for it

	running  bool
	queued   want          // the queue in which it waits
	interval time.Duration // between polls
	last     time.Time     // when it was last asked about
	next     time.Time     // when it is to be asked about without any news; zero for never
	fails    int           // since the last success
	problem  string        // of the last failure
	hold     time.Time     // after a failure, nothing is asked before

	due   time.Time // the earliest of all of these times; zero for none
	index int       // in the heap of those that have one, -1 outside
	said  backends.Liveness
}

// want is why a collection is asked about, the more urgent the larger.
type want int

const (
	nothing want = iota
	routine      // polls and the safety net: paced
	catchUp      // changes may have been missed
	news         // a notification tells of a change
	wants        // how many there are
)

// resource is a subscription that collections share. The loop's mu guards it.
type resource struct {
	wish        subscription.Wish
	standing    bool
	state       subscription.State
	collections map[*collection]bool
}

// open is a notification that was not accounted for.
type open struct {
	subscription.Notification
	at time.Time // when to look again
}

// key tells notifications apart: those with the same one hint at the same.
type key struct{ path, change, id, etag string }

func keyOf(n subscription.Notification) key { return key{n.Path, n.Change, n.ID, n.ETag} }

// notify takes a notification. One that is there already brings nothing new, but its data may be.
func (c *collection) notify(n subscription.Notification) {
	k := keyOf(n)
	for i, old := range c.pending {
		if keyOf(old) == k {
			n.At = old.At
			c.pending[i] = n
			return
		}
	}
	if c.pending = append(c.pending, n); len(c.pending) <= crowd {
		return
	}
	c.ask(news, originOf(c.pending))
	c.pending, c.open, c.tries = nil, nil, nil
	// Some of them may have been early.
	c.next = earlier(c.next, n.At.Add(delays[len(delays)-1]))
}

// ask has all changes asked for.
func (c *collection) ask(w want, origin backends.Origin) {
	if w > c.whole {
		c.whole, c.origin = w, origin
	}
}

// wanted tells why the collection is to be asked about now.
func (c *collection) wanted() want {
	if len(c.pending) > 0 {
		return news
	}
	return c.whole
}

// ripen moves what has become due at now to what is wanted.
func (c *collection) ripen(now time.Time, polled bool) {
	later := c.open[:0]
	for _, o := range c.open {
		if o.at.After(now) {
			later = append(later, o)
		} else {
			c.pending = append(c.pending, o.Notification)
		}
	}
	c.open = later
	if !c.next.IsZero() && !c.next.After(now) {
		c.next = time.Time{}
		if c.live() || polled && now.Sub(c.looked) <= memory {
			c.ask(routine, backends.Origin{By: backends.ByDelta})
		}
	}
}

// live tells whether notifications come for the collection.
func (c *collection) live() bool { return c.resource != nil && c.resource.state.Live }

// since is the time from which every change of a live collection is told.
func (c *collection) since() time.Time {
	if s := c.resource.state.Since; s.After(c.known) {
		return s
	}
	return c.known
}

// earliest is when something of the collection becomes due without news.
func (c *collection) earliest(now time.Time) time.Time {
	at := c.next
	for _, o := range c.open {
		at = earlier(at, o.at)
	}
	if c.wanted() != nothing && c.hold.After(now) {
		at = earlier(at, c.hold)
	}
	return at
}

// earlier gives the earlier of two times, of which zero ones are never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// originOf gives the origin of what notifications tell: the oldest counts.
func originOf(n []subscription.Notification) backends.Origin {
	o := backends.Origin{By: backends.ByWebhook}
	for _, n := range n {
		if o.At.IsZero() || n.At.Before(o.At) {
			o.At, o.Subscription = n.At, n.Subscription
		}
	}
	return o
}

// adapt gives the next interval between polls: half as long after a change, down to a fifth of the usual one; twice as long
// when there was none, up to the usual one where somebody looked meanwhile and to four times that where nobody did.
func adapt(interval, usual time.Duration, changed, looked bool) time.Duration {
	switch {
	case changed:
		return max(interval/2, usual/5)
	case looked:
		return min(interval*2, usual)
	default:
		return min(interval*2, usual*4)
	}
}

// backoff is the wait after n failures in a row.
func backoff(n int) time.Duration {
	return jitter(min(2*time.Second<<min(n-1, 10), 5*time.Minute))
}

// jitter spreads a wait over 90 % to 110 % of d, so that collections do not stay in step.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}

// byDue is a heap of collections by due.
type byDue []*collection

func (h byDue) Len() int           { return len(h) }
func (h byDue) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h byDue) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *byDue) Push(x any) {
	c := x.(*collection)
	c.index = len(*h)
	*h = append(*h, c)
}

// Pop implements heap.Interface.
func (h *byDue) Pop() any {
	old := *h
	c := old[len(old)-1]
	c.index = -1
	*h = old[:len(old)-1]
	return c
}
