package box

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/workfs/workfs/backends"
)

// outcome is what events come to in a view.
type outcome struct {
	changes []change
	expire  []backends.DirKey // to be listed anew
	blind   bool              // something changed, and nobody can tell where
}

// relevant sorts out which events of a page concern the view of the user whose stream it is.
func (b *Backend) relevant(user string, events []event) (o outcome, all []*news) {
	var about []event
	for _, e := range events {
		switch actions[e.Type] {
		case ignore, changeUsers:
		case changeAccess:
			// What others may see is nothing to this view. Roles, too, show in all that lies below an item.
			if id := e.concerned(); id != "" && id != user || e.owner() == user {
				continue
			}
			o.blind = true
			o.expire = append(o.expire, folderKey(user, "0"))
		case refreshItem:
			about = append(about, e) // it may be about no item at all
		default:
			if blank(e.Source) {
				o.blind = true
			}
			about = append(about, e)
		}
	}
	return o, gather(about)
}

// blank tells whether a source names nothing: what it was is gone already.
func blank(raw json.RawMessage) bool {
	var s struct {
		ID   text `json:"id"`
		Item text `json:"item_id"`
	}
	_ = json.Unmarshal(raw, &s)
	return s.ID == "" && s.Item == ""
}

// asksAtOnce is how many items are asked for at the same time.
const asksAtOnce = 4

// weigh finds out what news comes to in a view, and asks Box where that is in doubt.
func (b *Backend) weigh(ctx context.Context, v *view, sink backends.Sink, o outcome, all []*news) (outcome, error) {
	changes := make([]*change, len(all))
	var mu sync.Mutex // guards o
	asks, ctx := errgroup.WithContext(backends.WithPriority(ctx, backends.Bulk))
	asks.SetLimit(asksAtOnce)
	for i, n := range all {
		c, what := b.judge(v, sink, n)
		switch what {
		case skip:
			v.pass(c.id, etagOf(sink.Where(c.id)))
		case apply:
			changes[i] = &c
		case ask:
			asks.Go(func() error {
				c, err := b.ask(ctx, v, sink, n)
				if err != nil && (ctx.Err() != nil || backends.Temporary(err)) {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					b.log("an item that changed can't be had", "error", err)
					o.expire = append(o.expire, b.around(v, sink, n)...)
					return nil
				}
				changes[i] = &c
				return nil
			})
		}
	}
	if err := asks.Wait(); err != nil {
		return o, err
	}
	for _, c := range changes {
		if c == nil {
			continue
		}
		o.changes = append(o.changes, *c)
		back, fromTrash := v.comesBack(sink, c)
		switch {
		case c.sure && c.entry == nil && !c.left:
			o.expire = append(o.expire, folderKey(v.id, "0"))
		case back && fromTrash:
			o.expire = append(o.expire, c.entry.Dir)
		case back:
			o.blind = true
		}
	}
	slices.Sort(o.expire)
	o.expire = slices.Compact(o.expire)
	return o, nil
}

// around gives the directories that show an item or should.
func (b *Backend) around(v *view, sink backends.Sink, n *news) []backends.DirKey {
	dirs := []backends.DirKey{parentDir(v, &n.source)}
	for _, s := range sink.Where(b.identity(text(v.id), string(n.source.Type), string(n.source.ID))) {
		dirs = append(dirs, s.Dir)
	}
	return dirs
}

// comesBack tells whether a change brings back a folder of which an old listing is remembered, and whether it comes from the
// trash, where nothing happens to what lies below.
func (v *view) comesBack(sink backends.Sink, c *change) (back, fromTrash bool) {
	if c.entry == nil || !c.entry.IsDir {
		return false, false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	d, ok := v.gone.get(c.id)
	return v.returns(sink, c.entry), ok && d.trashed
}
