package cache

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// FileInfo is all that is known of a path.
type FileInfo struct {
	Path       string         `json:"path"`
	Node       uint64         `json:"node"`
	Ino        uint64         `json:"ino"`
	Dir        bool           `json:"dir"`
	Size       int64          `json:"size"` // -1 while only a fetch would tell
	Mtime      time.Time      `json:"mtime"`
	Ctime      time.Time      `json:"ctime"`
	Btime      time.Time      `json:"btime,omitzero"`
	Service    string         `json:"service,omitempty"` // path of the service in the tree
	Scope      string         `json:"scope,omitempty"`
	Collection string         `json:"collection,omitempty"`
	ID         string         `json:"identity,omitempty"`
	Version    string         `json:"version,omitempty"`
	Cached     bool           `json:"cached"` // the content is at hand, or the directory has been listed
	SHA256     string         `json:"sha256,omitempty"`
	SyncedAt   time.Time      `json:"synced_at,omitzero"`    // when the listing that shows it (a directory: its own) was right
	ValidFor   time.Duration  `json:"valid_for_ns"`          // until that is asked again; -1 for ever
	Live       bool           `json:"live"`                  // it is right until a change is told of
	Following  *Following     `json:"following,omitempty"`   // how changes are learnt that concern that listing
	LastChange *LastChange    `json:"last_change,omitempty"` // of that listing's collection
	Error      string         `json:"error,omitempty"`       // why a directory could not be listed last
	Item       *backends.Info `json:"item,omitempty"`
}

// resolve walks a path of the tree, "" or "." being the root.
func (t *Tree) resolve(ctx context.Context, path string) (backends.Dirent, error) {
	root := t.shape().byRoot[backends.RootID]
	d := backends.Dirent{Node: backends.RootID, Attr: root.attr}
	for _, name := range strings.Split(path, "/") {
		if name == "" || name == "." {
			continue
		}
		if !d.Attr.Dir {
			return d, fmt.Errorf("%w: %s is not a directory", backends.ErrNotFound, d.Name)
		}
		next, _, err := t.Lookup(ctx, d.Node, name)
		if err != nil {
			return d, err
		}
		d = next
	}
	return d, nil
}

// Info tells all about a path, which is relative to the root and slash separated. It lists what is on the way.
func (t *Tree) Info(ctx context.Context, path string) (FileInfo, error) {
	d, err := t.resolve(ctx, path)
	if err != nil {
		return FileInfo{}, err
	}
	a := d.Attr
	info := FileInfo{
		Path: strings.Trim(path, "/"), Node: uint64(d.Node), Ino: a.Ino, Dir: a.Dir, Size: a.Size,
		Mtime: a.Mtime, Ctime: a.Ctime, Btime: a.Btime, Cached: t.shape().static[d.Node] != nil,
	}
	if t.shape().static[d.Node] != nil {
		return info, nil
	}
	if a.Dir {
		err = t.dirInfo(d.Node, &info)
	} else {
		err = t.fileInfo(d.Node, &info)
	}
	return info, err
}

// listingInfo says how right a listing is.
func (t *Tree) listingInfo(tx *bbolt.Tx, info *FileInfo, l *listing) {
	info.SyncedAt, info.Live = l.asOf, l.live
	info.ValidFor = max(l.left, 0)
	if l.left == backends.Forever {
		info.ValidFor = -1
	}
	info.LastChange = t.latest.of(l.rec.coll)
	if s := t.service(l.rec.scope); s != nil && s.feed != nil {
		info.Following = followingOf(s.feed.liveness.of(t.c.collectionName(tx, l.rec.coll)))
	}
}

func (info *FileInfo) detail(d *detail) {
	info.ID, info.Version = d.ID, d.Version
	if d.Info != (backends.Info{}) {
		info.Item = &d.Info
	}
}

func (t *Tree) place(info *FileInfo, scope uint32) {
	if s := t.service(scope); s != nil {
		info.Service, info.Scope = s.prefix(), s.sink.scope
	}
}

func (t *Tree) dirInfo(n backends.NodeID, info *FileInfo) error {
	return t.c.meta.View(func(tx *bbolt.Tx) error {
		l, err := t.listing(tx, n)
		if err != nil {
			return err
		}
		t.place(info, l.rec.scope)
		if info.Cached = l.whole; l.whole {
			t.listingInfo(tx, info, &l)
		}
		info.Collection = t.c.collectionName(tx, l.rec.coll)
		if err := t.listings.failure(n); err != nil {
			info.Error = err.Error()
		}
		if l.rec.parent == 0 {
			return nil
		}
		_, d, err := loadPlace(tx, place{l.rec.parent, l.rec.cookie})
		if err == nil {
			info.detail(&d)
		}
		return err
	})
}

func (t *Tree) fileInfo(n backends.NodeID, info *FileInfo) error {
	f, err := t.loadFile(n)
	if err != nil {
		return err
	}
	t.place(info, f.k.scope)
	info.detail(&f.k.det)
	if f.k.entry.body != 0 {
		info.Cached = t.c.bodies.has(f.k.entry.body)
	} else {
		_, info.Cached = t.c.blobs.Stat(f.key)
	}
	if rec, ok := t.c.firstCopy(identOf(info.Scope, f.k.det.ID), f.k.det.Version); ok && rec.sum != [32]byte{} {
		info.SHA256 = hex.EncodeToString(rec.sum[:])
	}
	if f.k.retired() {
		return nil
	}
	return t.c.meta.View(func(tx *bbolt.Tx) error {
		l, err := t.listing(tx, f.k.places[0].dir)
		if err == nil {
			t.listingInfo(tx, info, &l)
		}
		info.Collection = t.c.collectionName(tx, f.k.entry.coll)
		return err
	})
}

// pathOf tells where the tree shows a directory; "" when it does not.
func (t *Tree) pathOf(tx *bbolt.Tx, n backends.NodeID) string {
	var parts []string
	for range 256 { // no tree is that deep, but a damaged one might go in circles
		if e, ok := t.shape().byRoot[n]; ok {
			if n == backends.RootID {
				slices.Reverse(parts)
				return strings.Join(parts, "/")
			}
			parts = append(parts, e.name)
			n = e.parent
			continue
		}
		rec, err := loadDir(tx, n)
		if err != nil || rec.parent == 0 {
			return ""
		}
		e, err := decodeEntry(tx.Bucket(bucketEntries).Get(place{rec.parent, rec.cookie}.key()))
		if err != nil {
			return ""
		}
		parts = append(parts, e.name)
		n = rec.parent
	}
	return ""
}

// Path tells where the tree shows a node now; "" for the root and for what is not shown.
func (t *Tree) Path(n backends.NodeID) (path string) {
	err := t.c.meta.View(func(tx *bbolt.Tx) error {
		k, err := loadNode(tx, n)
		if err != nil || k.retired() {
			return err
		}
		if k.node == 0 {
			path = t.pathOf(tx, n)
			return nil
		}
		if dir := t.pathOf(tx, k.places[0].dir); dir != "" {
			path = dir + "/" + k.entry.name
		}
		return nil
	})
	if err != nil {
		return ""
	}
	return path
}

// Coverage tells what the tree does not show, with reasons and paths from its root.
func (t *Tree) Coverage() []backends.Gap {
	p := t.shape()
	var gaps []backends.Gap
	for _, own := range p.gaps {
		gaps = append(gaps, own...)
	}
	for _, s := range p.order {
		for _, g := range s.backend.Coverage() {
			gaps = append(gaps, backends.Gap{Path: strings.TrimSuffix(s.prefix()+"/"+g.Path, "/"), Reason: g.Reason})
		}
	}
	for _, b := range t.contents.brokenNow() {
		if path := t.Path(b.node); path != "" {
			gaps = append(gaps, backends.Gap{Path: path, Reason: "The service has the item but cannot give its content: " + b.err.Error()})
		}
	}
	for dir, f := range t.listings.failures() {
		if !errors.Is(f.err, backends.ErrForbidden) {
			continue
		}
		if path := t.Path(dir); path != "" {
			gaps = append(gaps, backends.Gap{Path: path, Reason: "The sign-in may not list it: " + f.err.Error()})
		}
	}
	slices.SortFunc(gaps, func(a, b backends.Gap) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	})
	return slices.Compact(gaps)
}

// Refresh has the directory of a path listed now, however young its listing is. For a file it is the directory that
// shows it.
func (t *Tree) Refresh(ctx context.Context, path string) error {
	d, err := t.resolve(ctx, path)
	if err != nil {
		return err
	}
	if !d.Attr.Dir {
		up := ""
		if i := strings.LastIndexByte(strings.Trim(path, "/"), '/'); i >= 0 {
			up = strings.Trim(path, "/")[:i]
		}
		if d, err = t.resolve(ctx, up); err != nil {
			return err
		}
	}
	if t.shape().static[d.Node] != nil {
		return nil
	}
	var rec dirRecord
	err = t.c.meta.View(func(tx *bbolt.Tx) (err error) {
		rec, err = loadDir(tx, d.Node)
		return err
	})
	if err != nil {
		return err
	}
	return t.listings.list(ctx, d.Node, &rec)
}
