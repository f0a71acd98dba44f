package cache

import (
	"github.com/workfs/workfs/backends"
)

// Replace shows a connection as it is now: a new one appears in the root, and the backends of one that is shown give their
// places to those that it has now. Where the scope of a backend stays, so do its directories, inodes and what is cached of
// it; what is under way with the one before ends there. Its followers have ended when this returns, and those of the new
// ones have begun if the tree is followed. A connection that can't be shown leaves the tree as it was.
func (t *Tree) Replace(conn Connection) error {
	return t.reshape(conn.Name, func(p, before *shape) error { return p.add(t, conn, before) })
}

// Remove takes a connection out of the root. What is cached of it stays, and nobody sees it.
func (t *Tree) Remove(connection string) error {
	return t.reshape(connection, func(*shape, *shape) error { return nil })
}

// reshape puts another shape in place of the one that is shown: without a connection, and with what add makes of it.
func (t *Tree) reshape(connection string, add func(p, before *shape) error) error {
	if !t.begin() {
		return errClosed
	}
	defer t.running.Done()
	t.shaping.Lock()
	defer t.shaping.Unlock()
	before := t.shape()
	after := before.without(connection)
	if err := t.c.alone(func() error { return add(after, before) }); err != nil {
		return err
	}
	t.shown.Store(after)
	for _, s := range before.order {
		if s.connection == connection && s.feed != nil {
			s.feed.end()
		}
	}
	t.listings.forgive() // the reasons may be gone
	for _, s := range before.order {
		if s.connection == connection {
			t.served.lapse(s.sink.no)
		}
	}
	t.events.push(rootEvents(before, after, connection))
	t.followAll()
	return nil
}

// alone runs fn while nothing commits.
func (c *Cache) alone(fn func() error) error {
	c.committing.Lock()
	defer c.committing.Unlock()
	if c.sealed {
		return errClosed
	}
	return fn()
}

// rootEvents tell of a connection in the root that has become another directory. Where it is the same, what is in it may be
// listed with another result.
func rootEvents(before, after *shape, connection string) []backends.Event {
	was, had := before.has(connection)
	is, has := after.has(connection)
	if had && has && was.node == is.node {
		return []backends.Event{{Kind: backends.EventExpired, Dir: is.node, IsDir: true}}
	}
	var events []backends.Event
	if had {
		events = append(events, backends.Event{Kind: backends.EventRemoved, Dir: backends.RootID, Name: connection, Node: was.node, IsDir: true})
	}
	if has {
		events = append(events, backends.Event{Kind: backends.EventAdded, Dir: backends.RootID, Name: connection, Node: is.node, IsDir: true})
	}
	return events
}
