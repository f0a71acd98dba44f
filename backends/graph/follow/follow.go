// Package follow keeps the collections of a Microsoft service right: by notifications where there are subscriptions, by
// asking for changes at an adaptive interval where there are none, by age where the service forbids that.
package follow

import (
	"context"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/subscription"
)

// Service is what a service tells the loop of its collections.
type Service interface {
	// Standing are the subscriptions to have from the start, whatever is looked at.
	Standing() []subscription.Wish
	// Watch tells how changes of a collection are learnt. ok is false for collections that nothing can be done for: they
	// have their age.
	Watch(collection string) (w Watch, ok bool)
	// Concerns tells whether a notification is, or may be, about a collection, of those that share its resource.
	Concerns(n subscription.Notification, collection string) bool
	// Sync asks what changed in a collection and commits it, with one request where the notifications tell where to look.
	// Without any it asks for all changes since the last time. It gives back those notifications that the answer did not
	// account for, because the service does not show the change yet: they come again a little later, a few times.
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

// Run follows a service until ctx ends. Without a manager there are no subscriptions.
func Run(ctx context.Context, s Service, feed backends.Feed, m *subscription.Manager, o backends.Options) {
	<-ctx.Done()
}
