package teams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/subscription"
)

// sync asks what changed in the drive.
func (d *drive) sync(ctx context.Context, told []subscription.Notification, sink backends.Sink) (open []subscription.Notification, err error) {
	if err := await(ctx, d.turn); err != nil {
		return told, err
	}
	defer func() { d.turn <- struct{}{} }()
	if _, ok := sink.Get(d.linkKey()); !ok {
		return nil, nil // nothing is covered
	}
	return d.catchUp(ctx, told, sink)
}

// catchUp runs the delta and commits what it tells; it belongs to who has the turn. Notifications of drives don't say what
// changed, so those that brought no change at all are given back.
func (d *drive) catchUp(ctx context.Context, told []subscription.Notification, sink backends.Sink) (open []subscription.Notification, err error) {
	d.begun.Add(1)
	link, _ := sink.Get(d.linkKey())
	b := sink.Begin(d.collection())
	defer b.Discard()
	items := map[string]driveItem{} // the last one counts
	next, err := d.s.client.Pages(ctx, string(link), graph.Query{}, func(p graph.Page) error {
		for _, raw := range p.Values {
			var item driveItem
			if err := json.Unmarshal(raw, &item); err != nil || item.ID == "" {
				return fmt.Errorf("%w: a change of a drive can't be read", backends.ErrUnavailable)
			}
			items[item.ID] = item
		}
		return nil
	})
	switch {
	case mustReread(err):
		d.s.log.Info("reading a drive anew", "drive", d.id, "error", err)
		return nil, d.reread(ctx, sink)
	case err != nil:
		return told, err
	case next == "":
		return told, fmt.Errorf("%w: a delta of a drive without a link", backends.ErrUnavailable)
	}
	for _, n := range told {
		if len(items) == 0 && n.Change != "" {
			open = append(open, n)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	how := backends.Commit{Memory: map[string][]byte{d.linkKey(): []byte(next)}, Fresh: len(open) == 0}
	if err := d.apply(b, &how, items, sink); err != nil {
		return told, err
	}
	if err := b.Commit(how); err != nil {
		return told, err
	}
	if d.reading > 0 {
		if d.told == nil {
			d.told = map[string]driveItem{}
		}
		maps.Copy(d.told, items)
	}
	return open, nil
}

// apply puts changed items where they are shown. What is said of folders that nobody has listed is ignored, but for taking
// the item from where it was.
func (d *drive) apply(b backends.Batch, how *backends.Commit, items map[string]driveItem, sink backends.Sink) error {
	places := d.places(sink)
	vias := map[string]bool{}
	dirs := map[folder]backends.DirKey{}
	for _, p := range places {
		vias[p.Via] = true
		if p.Item != "" {
			dirs[folder{d.id, p.Item, p.Via}] = p.Dir
		}
	}
	for _, id := range slices.Sorted(maps.Keys(items)) {
		item := items[id]
		if item.Deleted != nil {
			places = d.unplace(id, places, how)
		}
		for via := range vias {
			identity := fileID(d.id, id, via)
			switch {
			case item.Deleted != nil:
				b.Remove(identity)
			case item.Root != nil || item.Parent.ID == "": // the root itself is in no folder
			default:
				in := folder{d.id, item.Parent.ID, via}
				dir, ok := dirs[in]
				if !ok {
					dir = in.dir()
				}
				if err := b.Add(dir, d.s.fileEntry(in, item, sink)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// unplace empties the files of a channel whose folder is gone. When somebody looks, the channel is asked for its folder.
func (d *drive) unplace(id string, places []place, how *backends.Commit) []place {
	kept := slices.DeleteFunc(slices.Clone(places), func(p place) bool { return p.Item == id })
	if len(kept) == len(places) {
		return places
	}
	for _, p := range places {
		if p.Item == id {
			how.Whole = append(how.Whole, backends.Listing{Dir: p.Dir, MaxAge: d.s.maxAge})
			how.Memory[homeKey(p.Dir)] = nil
			kept, _ = noted(kept, place{Via: p.Via}) // folders below may still be listed
		}
	}
	how.Memory[d.placesKey()] = encode(kept)
	return kept
}

// reread lists all folders anew that are listed, after the service has forgotten what changed since the link. Reading
// the drive's whole delta would do as well, but libraries are large and of most of them little is listed.
func (d *drive) reread(ctx context.Context, sink backends.Sink) error {
	link, err := d.latest(ctx)
	if err != nil {
		return graph.Spent(err)
	}
	d.mu.Lock()
	d.epoch++
	places := d.places(sink)
	d.mu.Unlock()
	for _, p := range places {
		if p.Item == "" || !sink.Dir(p.Dir).Whole {
			continue
		}
		below, err := d.read(ctx, p.Dir, folder{d.id, p.Item, p.Via}, sink)
		if err == nil {
			err = d.rereadBelow(ctx, below, sink)
		}
		if errors.Is(err, backends.ErrNotFound) {
			err = d.emptied(p.Item, sink)
		}
		if err != nil {
			return err
		}
	}
	return sink.Put(d.linkKey(), []byte(link))
}

// rereadBelow lists those of some folders, and of what is below them, that are listed.
func (d *drive) rereadBelow(ctx context.Context, folders []folder, sink backends.Sink) error {
	for len(folders) > 0 {
		f := folders[0]
		folders = folders[1:]
		if !sink.Dir(f.dir()).Whole {
			continue
		}
		below, err := d.read(ctx, f.dir(), f, sink)
		if errors.Is(err, backends.ErrNotFound) {
			continue // the delta that follows tells
		}
		if err != nil {
			return err
		}
		folders = append(folders, below...)
	}
	return nil
}

// emptied commits that a channel's folder is gone.
func (d *drive) emptied(id string, sink backends.Sink) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := sink.Begin(d.collection())
	defer b.Discard()
	how := backends.Commit{Memory: map[string][]byte{}}
	d.unplace(id, d.places(sink), &how)
	return b.Commit(how)
}
