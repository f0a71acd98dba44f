package cache

import (
	"context"

	"github.com/workfs/workfs/backends"
)

func (t *Tree) Neighbours(ctx context.Context, n backends.NodeID, fn func(n backends.NodeID, size int64, read func() ([]byte, error)) bool) error {
	return nil
}

func (c *Cache) sweeper() { defer c.stopped.Done(); <-c.stop }
