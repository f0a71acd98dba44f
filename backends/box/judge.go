package box

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/rest"
)

// news is what some events say of one item.
type news struct {
	source  source // the newest that one of them has
	action  action // of that event
	created time.Time
	unclear bool // the events can't be put into an order
}

// gather sorts events by the items that they are about, in the order in which these first come.
func gather(events []event) []*news {
	var all []*news
	type name struct{ kind, id text }
	byItem := map[name]*news{}
	for _, e := range events {
		s, ok := decodeSource(e.Source)
		if !ok {
			continue
		}
		n := &news{source: s, action: actions[e.Type], created: e.Created.Time}
		old, ok := byItem[name{s.Type, s.ID}]
		if !ok {
			byItem[name{s.Type, s.ID}] = n
			all = append(all, n)
			continue
		}
		old.add(n)
	}
	return all
}

// add takes in another event of the same item.
func (n *news) add(o *news) {
	a, b := number(n.source.ETag), number(o.source.ETag)
	switch {
	case a < 0 || b < 0:
		n.unclear = true
	case a == b && n.leaves() != o.leaves():
		n.unclear = true
	case b > a || a == b && number(o.source.Sequence) >= number(n.source.Sequence):
		o.unclear = n.unclear
		*n = *o
	}
}

// leaves tells whether the item has gone to the trash.
func (n *news) leaves() bool { return n.action == removeItem || n.source.removed() }

// verdict is what to do about news.
type verdict uint8

const (
	skip  verdict = iota // it is known, or overtaken
	apply                // it is to be committed
	ask                  // only Box knows
)

// judge compares news with what is known of the item. Nothing may go back to what it was before, whatever comes late, twice
// or in another order, so where the etag leaves a doubt Box is asked.
func (b *Backend) judge(v *view, sink backends.Sink, n *news) (change, verdict) {
	s := &n.source
	c := change{id: b.identity(text(v.id), string(s.Type), string(s.ID)), etag: number(s.ETag), seq: number(s.Sequence)}
	shown := sink.Where(c.id)
	v.mu.Lock()
	left, hasLeft := v.gone.get(c.id)
	applied, hasApplied := v.applied.get(c.id)
	old := !n.created.IsZero() && n.created.Before(v.since)
	v.mu.Unlock()
	hasLeft = hasLeft && len(shown) == 0
	known := etagOf(shown)

	switch {
	case s.removed() || n.action == removeItem && !n.unclear:
		c.left, c.trashed = true, true
		switch {
		case n.unclear || c.etag < 0 && len(shown) > 0:
			return c, ask
		case known > c.etag || c.etag < 0:
			return c, skip
		}
		return c, apply
	case n.unclear || c.etag < 0 || s.Parent.V.ID == "" && !s.whole:
		return c, ask
	case hasLeft && left.etag >= 0 && c.etag < left.etag, known > c.etag:
		return c, skip
	case hasLeft && c.etag == left.etag, n.action == removeItem:
		return c, ask
	}

	c.dir = parentDir(v, s)
	if len(shown) == 0 && !v.watches(sink, c.dir) {
		return c, apply // nobody sees it, but a listing under way may have seen it elsewhere
	}
	if !s.whole || len(shown) == 0 && old || b.hidden(v, sink, s, shown) {
		return c, ask
	}
	entry, ok := b.entry(v.id, s.item)
	if !ok {
		return c, skip
	}
	c.entry = &entry
	if c.etag > known {
		return c, apply
	}
	switch {
	case hasApplied && c.seq >= 0:
		if c.seq <= applied {
			return c, skip
		}
		return c, apply
	case len(shown) == 1 && shown[0].Dir == c.dir && shown[0].Version == entry.Version && n.action != refreshItem:
		return c, skip
	}
	return c, ask // perhaps something that leaves the etag alone, such as a lock
}

// hidden tells whether a source may name a folder that the view does not show in this place: what is shared with a user is
// in that user's root, wherever its owner has it.
func (b *Backend) hidden(v *view, sink backends.Sink, s *source, shown []backends.Shown) bool {
	inRoot := inDir(shown, folderKey(v.id, "0"))
	switch parent := s.Parent.V.ID; parent {
	case "":
		return !inRoot
	case "0":
		return false
	default:
		return inRoot && len(sink.Where(b.identity(text(v.id), "folder", string(parent)))) == 0
	}
}

// ask asks Box for an item in a view. What the view does not have, for whatever reason, has left it.
func (b *Backend) ask(ctx context.Context, v *view, sink backends.Sink, n *news) (change, error) {
	kind, id := string(n.source.Type), string(n.source.ID)
	c := change{id: b.identity(text(v.id), kind, id), seq: number(n.source.Sequence), sure: true}
	known := etagOf(sink.Where(c.id))
	res, err := b.rest.Do(ctx, http.MethodGet, "/"+kind+"s/"+url.PathEscape(id)+"?fields="+itemFields+sourceMore, b.as(v.id), nil)
	switch {
	case refused(err):
		c.left, c.etag, c.trashed = true, max(known, number(n.source.ETag)), isTrashed(err)
		return c, nil
	case err != nil:
		return c, err
	}
	c.asked, _ = http.ParseTime(res.Header.Get("Date"))
	s, ok := decodeSource(res.Body)
	if !ok || s.Type != n.source.Type || s.ID != n.source.ID {
		return c, errUnusable
	}
	c.etag = number(s.ETag)
	if s.removed() {
		c.left, c.trashed = true, true
		return c, nil
	}
	if owner := string(s.Owner.V.ID); b.cfg.EnterpriseContent && owner != v.id {
		// Every item can be had, so this does not tell who sees it: in another's tree is what that user owns, and what is
		// shared with the own user its root tells.
		c.left = v.id != b.own()
		return c, nil
	}
	if s.Parent.V.ID == "" && !inDir(sink.Where(c.id), folderKey(v.id, "0")) {
		return c, nil // in the root, or in none: only a listing tells
	}
	entry, ok := b.entry(v.id, s.item)
	if !ok {
		return c, errUnusable
	}
	c.entry, c.dir = &entry, parentDir(v, &s)
	return c, nil
}

// askMargin is by how much an answer has to be later than an event to be sure to know of it. Box's times are whole seconds.
const askMargin = 2 * time.Second

// askedSince tells whether Box was asked about an item after the event that brought the news: so it is when a webhook told
// of it first.
func (b *Backend) askedSince(v *view, n *news) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	at, ok := v.asked.get(b.identity(text(v.id), string(n.source.Type), string(n.source.ID)))
	return ok && !n.created.IsZero() && at.Sub(n.created) >= askMargin
}

// errUnusable: an answer about an item does not say what it is.
var errUnusable = fmt.Errorf("%w: Box's answer about an item is unusable", backends.ErrBroken)

func isTrashed(err error) bool {
	var e *rest.Error
	return errors.As(err, &e) && e.Code == "trashed"
}

// parentDir is where an item is; what has no parent is in the root.
func parentDir(v *view, s *source) backends.DirKey {
	return folderKey(v.id, cmp.Or(string(s.Parent.V.ID), "0"))
}

func inDir(shown []backends.Shown, dir backends.DirKey) bool {
	return slices.ContainsFunc(shown, func(s backends.Shown) bool { return s.Dir == dir })
}
