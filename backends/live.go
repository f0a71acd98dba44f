package backends

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Follower is a Backend whose service tells of changes. While Follow runs, it keeps the collections right that somebody
// looked at, and says which are live.
type Follower interface {
	Backend
	// Follow runs until ctx ends. Failures of the service are its own to try again: it neither returns for them nor lets
	// go of what it can still keep right.
	Follow(ctx context.Context, feed Feed)
}

// Feed is what a Follower works with. It is safe for concurrent use.
type Feed interface {
	// Sink gives a Sink whose commits are noted as learnt by origin.
	Sink(origin Origin) Sink
	// Looks waits until somebody has looked at collections that have a whole directory, and names them, each once however
	// often it was looked at. A collection that is looked at all the time is named every few seconds. Its error is ctx's.
	Looks(ctx context.Context) ([]string, error)
	// Live says how collections are kept right from now on, instead of what was said of the same name before. A name
	// that ends in "*" stands for all collections that begin with what precedes it; where several fit, the longest counts.
	// The zero Liveness takes back what was said.
	Live(collections string, l Liveness)
	// Expire has directories listed at the next look, however young or live their listings are.
	Expire(dirs ...DirKey)
}

// Liveness is how collections are kept right.
type Liveness struct {
	// By is what tells of every change: ByWebhook, ByLongPoll, ByEvents. Empty: nothing does, listings are good for
	// their age only.
	By string
	// Since is the time from which every change is told: a listing that was right then or later is right until a commit
	// says otherwise. Where By is set and Since is not, nothing is live yet.
	Since time.Time
	// Interval is how often changes are asked for where nothing tells of them; 0: only when somebody looks.
	Interval time.Duration
	// Renewal is when the subscription will be renewed next, zero where there is none.
	Renewal time.Time
	// Subscription is the service's id of the subscription.
	Subscription string
	// Problem says why the collections are not live although they should be, in one sentence.
	Problem string
}

// The ways in which a change is learnt.
const (
	// ByListing: somebody looked and the listing was taken anew.
	ByListing = "listing"
	// ByDelta: the service was asked what changed, because it was time to.
	ByDelta = "delta"
	// ByWebhook: a notification was delivered.
	ByWebhook = "webhook"
	// ByLongPoll: the answer to a request that waited for a change.
	ByLongPoll = "long poll"
	// ByEvents: the event log of an enterprise.
	ByEvents = "events"
)

// Origin is how a change was learnt.
type Origin struct {
	By string // one of the constants above
	// Subscription is the service's id of the subscription whose notification told of it, if one did.
	Subscription string
	// At is when the news arrived; zero where the service was asked without any. The time from then to the commit is the
	// collection's lag.
	At time.Time
}

// Receiver takes what services deliver to the public address of this machine (webhooks).
type Receiver interface {
	// Handle has deliveries for a name taken by h, until release is called, and gives the address to subscribe with. The
	// same name has the same address at the next start. Deliveries to other addresses are refused.
	Handle(name string, h DeliveryHandler) (address string, release func())
}

// Reach is whether the public address of a Receiver answers.
type Reach struct {
	Known bool      `json:"known"` // it did answer once: some machines can't reach their own public address
	Down  bool      `json:"down"`  // it did once and does not any more: notifications may get lost
	Since time.Time `json:"since,omitzero"`
	// Problem says why it does not answer, in one sentence.
	Problem string `json:"problem,omitempty"`
}

// Reacher is a Receiver that watches whether its public address answers.
type Reacher interface {
	Receiver
	// Reach tells what is known, and gives a channel that is closed when that changes.
	Reach() (Reach, <-chan struct{})
}

// Delivery is one request that claims to come from a service. Its body is whole and within bounds.
type Delivery struct {
	Path   string // what follows the address that Handle gave
	Header http.Header
	Query  url.Values
	Body   []byte
	At     time.Time // when it had arrived
}

// DeliveryReply is the answer to a delivery.
type DeliveryReply struct {
	Status int
	// Body is sent as text/plain; it is what a validation of the address asks for.
	Body string
	// Accepted says that Take is to be called. Where the queue is full the answer is 503 instead, so that the service
	// delivers again.
	Accepted bool
	// Problem says why a delivery is refused, for the log; it holds no secret.
	Problem string
}

// DeliveryHandler takes the deliveries for one name.
type DeliveryHandler interface {
	// Check tells at once, without a request and without waiting, whether a delivery is what it claims to be.
	Check(d *Delivery) DeliveryReply
	// Take works on an accepted one, in the order of arrival, one at a time for each handler. It is brief: it passes on
	// what the delivery hints at.
	Take(ctx context.Context, d *Delivery)
}
