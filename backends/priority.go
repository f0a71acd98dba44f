package backends

import "context"

// Priority orders requests that wait for the same limiter.
type Priority uint8

const (
	// Interactive is a request that somebody waits for. It is what a context without a priority has.
	Interactive Priority = iota
	// Bulk is read-ahead and background work.
	Bulk
)

type priorityKey struct{}

// WithPriority returns a context whose requests have priority p.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

// PriorityOf tells the priority of a context.
func PriorityOf(ctx context.Context) Priority {
	p, _ := ctx.Value(priorityKey{}).(Priority)
	return p
}
