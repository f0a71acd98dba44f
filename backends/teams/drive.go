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
