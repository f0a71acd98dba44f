// Package follow keeps the collections of a Microsoft service right: by notifications where there are subscriptions, by
// asking for changes at an adaptive interval where there are none, by age where the service forbids that.
//
// A notification is a hint to ask; the service's answer is the truth. So lost, late, doubled and reordered notifications
// cost at most a request: what was lost is found by the next round of the safety net, and where it is known that some were
// lost (the subscription had to be made anew, the address could not be reached) all is asked for at once.
package follow

import (
	"context"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/subscription"
)

// Service is what a service tells the loop of its collections. Its methods are called from several goroutines; those
// without a context return soon.
type Service interface {
	// Standing are the subscriptions to have from the start, whatever is looked at.
	Standing() []subscription.Wish
	// Watch tells how changes of a collection are learnt. ok is false for collections that nothing can be done for: they
	// have their age.
	Watch(collection string) (w Watch, ok bool)
	// Concerns tells whether a notification is, or may be, about a collection, of those that share its resource. What
	// concerns no collection that anybody looked at is dropped.
	Concerns(n subscription.Notification, collection string) bool
	// Sync asks what changed in a collection and commits it, with one request where the notifications tell where to look.
	// Without any it asks for all changes since the last time. It gives back those notifications that the answer did not
	// account for, because the service does not show the change yet: they come again a little later, a few times. Its
	// calls for one collection never overlap. ErrNotFound means that the collection is gone.
	Sync(ctx context.Context, collection string, n []subscription.Notification, sink backends.Sink) (open []subscription.Notification, err error)
}

// Watch is how changes of a collection are learnt.
type Watch struct {
	// Wish is the subscription that tells of all its changes; many collections may share one. Its Resource is empty
	// where there is none.
	Wish subscription.Wish
	// Poll says that the service may be asked for changes at an interval while there is no subscription.
	Poll bool
}

const (
	// slots is how many collections are asked about at a time; spared of them are for what notifications tell of.
	slots  = 6
	spared = 2
	// pace is the least time between two requests in the background. It is kept for each service; of those that share a
	// connection only Outlook polls.
	pace = 2 * time.Second
	// memory is how long after the last look a collection is polled.
	memory = 24 * time.Hour
	// safety is the interval at which live collections are asked about, to find what no notification told.
	safety = 6 * time.Hour
	// patience bounds one Sync. A collection that fell behind by months has many pages.
	patience = 10 * time.Minute
	// crowd is how many notifications wait for one collection before they are taken for "much has changed".
	crowd = 256
	// defaultTick is the default of Options.Tick.
	defaultTick = 30 * time.Second
)

// delays are the waits before a notification that is not accounted for is looked into again. Graph may notify before the
// change can be read. After the last one everything is asked for.
var delays = [...]time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute}

// Run follows a service until ctx ends. Without a manager there are no subscriptions.
func Run(ctx context.Context, s Service, feed backends.Feed, m *subscription.Manager, o backends.Options) {
	newLoop(s, feed, m, o).run(ctx)
}
