package box

import (
	"context"
	"time"

	"github.com/workfs/workfs/backends"
)

// apply has the items refreshed that events name, in the views that show them or their folder.
func (e *enterprise) apply(ctx context.Context, o backends.Origin, events []event, now time.Time) error {
	views := e.followed()
	var about []event
	for _, ev := range events {
		switch actions[ev.Type] {
		case ignore:
		case changeUsers:
			e.feed.Expire(key(usersKind), key(directoryKind), key(groupsKind))
		case changeAccess:
			concerned := views
			if id := ev.concerned(); id != "" {
				concerned = []string{id}
			}
			if e.b.cfg.EnterpriseContent {
				about = append(about, ev) // nobody's tree has what is shared, but perhaps the owner is another one
			} else {
				e.lost(concerned)
			}
			if _, ok := decodeSource(ev.Source); !ok {
				e.feed.Expire(key(directoryKind), key(groupsKind)) // perhaps a membership
			}
		case refreshItem:
			about = append(about, ev)
		default:
			if blank(ev.Source) {
				e.lost(views)
			}
			about = append(about, ev)
		}
	}
	all := gather(about)
	for _, id := range views {
		if err := e.refresh(ctx, id, o, all, now); err != nil {
			return err
		}
	}
	return nil
}

// lost has all of some views listed anew.
func (e *enterprise) lost(views []string) {
	e.restart(views...)
	for _, id := range views {
		e.feed.Expire(folderKey(id, "0"))
	}
}

// refresh brings a view up to date with news of items.
func (e *enterprise) refresh(ctx context.Context, id string, o backends.Origin, all []*news, now time.Time) error {
	v, sink := e.b.view(id), e.feed.Sink(o)
	var here []*news
	perDir := map[backends.DirKey]int{}
	var got outcome
	for _, n := range all {
		shown := len(sink.Where(e.b.identity(text(id), string(n.source.Type), string(n.source.ID)))) > 0
		dir := parentDir(v, &n.source)
		if !shown && !v.watches(sink, dir) && !v.busy() {
			continue
		}
		if owner := string(n.source.Owner.V.ID); !shown && owner != "" && owner != id && e.b.foreign(id) {
			continue
		}
		if e.b.askedSince(v, n) {
			continue
		}
		if perDir[dir]++; perDir[dir] > mostRefreshed {
			got.expire = append(got.expire, e.b.around(v, sink, n)...)
			continue
		}
		here = append(here, n)
	}
	if len(here) == 0 && len(got.expire) == 0 {
		return nil
	}
	got, err := e.b.weigh(ctx, v, sink, got, here)
	if err != nil {
		return err
	}
	if len(got.expire) > 0 {
		e.feed.Expire(got.expire...)
	}
	if len(got.changes) > 0 {
		if err := v.apply(sink, got.changes, nil, now); err != nil {
			return err
		}
	}
	if got.blind {
		e.restart(id)
	}
	for _, c := range got.changes {
		if c.entry == nil || c.dir != folderKey(id, "0") {
			continue
		}
		if e.hooks != nil && c.entry.IsDir {
			e.hooks.want(id, c.entry.Info.ServiceID)
		}
		if e.b.foreign(id) {
			kind, service := itemOf(c.id)
			if err := e.b.found(id, sink, place{kind, service}); err != nil {
				return err
			}
		}
	}
	return nil
}

// hear refreshes what webhooks hint at. Failures are left to the events, which tell of it again.
func (e *enterprise) hear(ctx context.Context) {
	for {
		var h hint
		select {
		case h = <-e.hints:
		case <-ctx.Done():
			return
		}
		if err := e.refresh(ctx, h.view, h.origin, gather([]event{h.event}), e.b.cfg.Now()); err != nil && ctx.Err() == nil {
			e.b.log("an item that a webhook names can't be had", "error", err)
		}
	}
}
