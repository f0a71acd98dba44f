package outlook

import (
	"sync"

	"github.com/workfs/workfs/backends/graph/subscription"
)

// gone remembers which items left a collection not long ago: a late notification of such a one is not waited for when the
// service does not have it. It is safe for concurrent use.
type gone struct {
	mu  sync.Mutex
	ids map[string]bool
}

// maxGone bounds the ids that are remembered.
const maxGone = 1000

func (g *gone) add(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ids == nil || len(g.ids) >= maxGone {
		g.ids = map[string]bool{}
	}
	g.ids[id] = true
}

// hear takes in a notification.
func (g *gone) hear(n subscription.Notification) {
	if n.Change == "deleted" {
		g.add(n.ID)
	}
}

// take takes in what the cursor of a folder tells.
func (g *gone) take(d *delta) {
	for id := range d.removed {
		g.add(id)
	}
}

func (g *gone) has(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ids[id]
}
