package teams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/rest"
)

// childrenPage is how many children are asked for at a time; the service gives 200 by default.
const childrenPage = "999"

// folder names a folder of a drive where it is shown: via is "" or the team that a shared channel is shown in besides its
// own, because a directory can't be in two places.
type folder struct{ drive, id, via string }

func (f folder) dir() backends.DirKey { return dirKey(kindFolder, f.drive, f.id, f.via) }

// drive is a drive as this process knows it. All its folders that are listed are one collection, which the drive's delta
// keeps right: an item that moves leaves its old folder in the commit that brings it to the new one.
//
// Listings of different folders run side by side and beside the delta. One that began before a delta was committed may
// be older than that, so what deltas told meanwhile is put on top of it.
type drive struct {
	s    *service
	id   string
	turn chan struct{} // holds one value while nobody runs the delta

	nolink bool         // the service has no delta for this drive or this sign-in; belongs to who has the turn
	begun  atomic.Int64 // counts the rounds of the delta that began

	mu      sync.Mutex           // held for commits, guards what follows
	epoch   int                  // counts the losses of the delta link
	reading int                  // listings under way
	told    map[string]driveItem // by deltas since the first of those began
}

func (s *service) drive(id string) *drive {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.drives[id]
	if d == nil {
		d = &drive{s: s, id: id, turn: make(chan struct{}, 1)}
		d.turn <- struct{}{}
		s.drives[id] = d
	}
	return d
}

func (d *drive) collection() string { return join(kindDrive, d.id) }

func (d *drive) linkKey() string { return "link|" + d.collection() }

func (d *drive) placesKey() string { return "places|" + d.collection() }

// place is where a folder of a drive is shown under another key than its own: as the files of a channel.
type place struct {
	// Item is the folder's id. An empty one tells only that folders are shown for Via.
	Item string          `json:"item,omitempty"`
	Dir  backends.DirKey `json:"dir,omitempty"`
	Via  string          `json:"via,omitempty"`
}

// places tells where folders of the drive are shown.
func (d *drive) places(memory backends.Memory) []place {
	var all []place
	if v, ok := memory.Get(d.placesKey()); !ok || json.Unmarshal(v, &all) != nil {
		return nil
	}
	return all
}

// noted gives the places with one more; what was noted of the same directory is replaced.
func noted(all []place, p place) (places []place, changed bool) {
	if slices.Contains(all, p) {
		return all, false
	}
	all = slices.DeleteFunc(all, func(o place) bool { return p.Dir != "" && o.Dir == p.Dir })
	return append(all, p), true
}

// homeKey is where is remembered which folder is shown as the files of a channel.
func homeKey(dir backends.DirKey) string { return "home|" + string(dir) }

// home is the folder that is shown as the files of a channel.
type home struct {
	Drive string `json:"drive"`
	Item  string `json:"item"`
}

// await waits for a turn, which the caller gives back.
func await(ctx context.Context, turn chan struct{}) error {
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// list makes the directory of a folder fresh, by the delta where that covers it. listed says that it was listed before.
func (d *drive) list(ctx context.Context, dir backends.DirKey, f folder, listed bool, sink backends.Sink) error {
	asked, was := d.begun.Load(), sink.Dir(dir)
	if err := await(ctx, d.turn); err != nil {
		return err
	}
	fresh := func() bool { return listed && sink.Dir(dir).AsOf.After(was.AsOf) && d.shows(dir, f, sink) }
	if d.begun.Load() > asked && fresh() {
		d.turn <- struct{}{}
		return nil // somebody's round began and ended meanwhile
	}
	err := d.prepare(ctx, listed, sink)
	d.turn <- struct{}{}
	if err != nil || fresh() {
		return err
	}
	_, err = d.read(ctx, dir, f, sink)
	return err
}

// shows tells whether a folder is still shown somewhere. One that is not may be gone.
func (d *drive) shows(dir backends.DirKey, f folder, sink backends.Sink) bool {
	if dir == f.dir() {
		return len(sink.Where(fileID(d.id, f.id, f.via))) > 0
	}
	_, known := sink.Get(homeKey(dir))
	return known
}

// prepare has a delta link before a folder is listed for the first time, so that what changes afterwards will be told;
// for one that is listed it runs the delta.
func (d *drive) prepare(ctx context.Context, listed bool, sink backends.Sink) error {
	if _, ok := sink.Get(d.linkKey()); ok {
		if !listed {
			return nil
		}
		_, err := d.catchUp(ctx, nil, sink)
		return err
	}
	if d.nolink {
		return nil
	}
	link, err := d.latest(ctx)
	var e *rest.Error
	switch {
	case err == nil:
		return sink.Put(d.linkKey(), []byte(link))
	case errors.Is(err, backends.ErrForbidden), errors.Is(err, backends.ErrNotFound),
		errors.As(err, &e) && e.Status >= 400 && e.Status < 500 && !errors.Is(err, backends.ErrThrottled):
		d.s.log.Info("a drive without delta", "drive", d.id, "error", err)
		d.nolink = true // its folders keep by age
		return nil
	}
	return err
}

// latest asks for a delta link that tells of what changes from now on.
func (d *drive) latest(ctx context.Context) (string, error) {
	link, err := d.s.client.Pages(ctx, d.deltaPath(), graph.Opts("token", "latest"), func(graph.Page) error { return nil })
	if err == nil && link == "" {
		err = fmt.Errorf("%w: the latest delta of a drive without a link", backends.ErrUnavailable)
	}
	return link, err
}

func (d *drive) deltaPath() string { return graph.Path("drives", d.id, "root", "delta") }

// read lists a folder from the service and commits it. It returns the folders in it.
func (d *drive) read(ctx context.Context, dir backends.DirKey, f folder, sink backends.Sink) (folders []folder, err error) {
	epoch, covered := d.startReading(sink)
	defer d.endReading()
	b := sink.Begin(d.collection())
	defer b.Discard()
	items, err := graph.Collect[driveItem](ctx, d.s.client, graph.Path("drives", d.id, "items", f.id, "children"), graph.Opts("$top", childrenPage))
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var entries []backends.Entry
	for _, item := range d.corrected(f.id, items) {
		if item.ID == "" {
			d.s.gap("file without id", "channels", "An item of a channel's files has no id.")
			continue
		}
		if item.isFolder() {
			folders = append(folders, folder{d.id, item.ID, f.via})
		}
		entries = append(entries, d.s.fileEntry(f, item, sink))
	}
	if err := b.Add(dir, distinct(entries)...); err != nil {
		return nil, err
	}
	// A listing that began before the link was lost is older than what the next one tells.
	how := backends.Commit{
		Whole:  []backends.Listing{{Dir: dir, MaxAge: d.s.maxAge, Covered: covered && epoch == d.epoch}},
		Memory: map[string][]byte{},
	}
	p := place{Via: f.via}
	if dir != f.dir() {
		p.Item, p.Dir = f.id, dir
		how.Memory[homeKey(dir)] = encode(home{Drive: d.id, Item: f.id})
	}
	if places, changed := noted(d.places(sink), p); changed {
		how.Memory[d.placesKey()] = encode(places)
	}
	return folders, b.Commit(how)
}

// startReading has deltas remembered until endReading, and tells whether there is a link that will tell of what changes.
func (d *drive) startReading(sink backends.Memory) (epoch int, covered bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reading++
	_, covered = sink.Get(d.linkKey())
	return d.epoch, covered
}

func (d *drive) endReading() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reading--; d.reading == 0 {
		d.told = nil
	}
}

// corrected puts what deltas told while a folder was listed on top of what the list says. Where the list is the newer one,
// the next delta says so again.
func (d *drive) corrected(parent string, items []driveItem) []driveItem {
	if len(d.told) == 0 {
		return items
	}
	right := slices.DeleteFunc(items, func(i driveItem) bool {
		_, again := d.told[i.ID]
		return again
	})
	for _, id := range slices.Sorted(maps.Keys(d.told)) {
		if i := d.told[id]; i.Deleted == nil && i.Parent.ID == parent {
			right = append(right, i)
		}
	}
	return right
}

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

// listFiles lists the channel's folder in SharePoint. Until somebody opens the files of a new channel there is none.
func (s *service) listFiles(ctx context.Context, dir backends.DirKey, c *conversation, sink backends.Sink) error {
	var h home
	if v, ok := sink.Get(homeKey(dir)); ok && json.Unmarshal(v, &h) == nil && sink.Dir(dir).Whole {
		return s.drive(h.Drive).list(ctx, dir, folder{h.Drive, h.Item, c.via()}, true, sink)
	}
	b := sink.Begin(string(dir))
	defer b.Discard()
	var got driveItem
	err := s.client.Get(ctx, graph.Path("teams", c.team(), "channels", c.id, "filesFolder"), graph.Query{}, &got)
	if errors.Is(err, backends.ErrNotFound) {
		// The same answer stands for a channel that is gone.
		if err := s.client.Get(ctx, graph.Path("teams", c.team(), "channels", c.id), graph.Opts("$select", "id"), &got); err != nil {
			return err
		}
		return b.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir, MaxAge: s.maxAge}}})
	}
	if err != nil {
		return err
	}
	if got.ID == "" || got.Parent.DriveID == "" {
		return fmt.Errorf("%w: a channel's folder without an address", backends.ErrUnavailable)
	}
	return s.drive(got.Parent.DriveID).list(ctx, dir, folder{got.Parent.DriveID, got.ID, c.via()}, false, sink)
}
