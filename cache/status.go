package cache

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// Stats are the sizes of the cache and what it has done since it was opened.
type Stats struct {
	MetadataBytes int64 `json:"metadata_bytes"` // listings
	BodyBytes     int64 `json:"body_bytes"`     // contents that came with listings, compressed
	BlobBytes     int64 `json:"blob_bytes"`     // fetched contents
	Blobs         int64 `json:"blobs"`
	StateBytes    int64 `json:"state_bytes"`
	MaxBytes      int64 `json:"max_bytes"` // bound for bodies and blobs; 0: none
	MinFree       int64 `json:"min_free_bytes"`
	Entries       int64 `json:"entries"`
	KnownBytes    int64 `json:"known_bytes"` // sum of the known sizes of entries
	Lists         int64 `json:"lists"`       // directories that were asked for
	Fetches       int64 `json:"fetches"`     // contents and windows that were asked for
	FetchedBytes  int64 `json:"fetched_bytes"`
	Hits          int64 `json:"hits"` // reads from fetched contents that needed no request
}

// Stats tells the sizes of the cache.
func (c *Cache) Stats() Stats {
	blobBytes, blobs := c.blobs.Size()
	return Stats{
		MetadataBytes: c.meta.Size(), BodyBytes: c.bodies.size(), BlobBytes: blobBytes, Blobs: blobs,
		StateBytes: c.state.db.Size(), MaxBytes: c.o.MaxSize, MinFree: c.o.MinFree,
		Entries: c.entries.Load(), KnownBytes: c.bytes.Load(),
		Lists: c.counts.lists.Load(), Fetches: c.counts.fetches.Load(), FetchedBytes: c.counts.fetched.Load(),
		Hits: c.counts.hits.Load(),
	}
}

// Collection is the state of a collection: a mail folder, a channel, a Box folder.
type Collection struct {
	Service     string    `json:"service"` // path of the service in the tree
	Name        string    `json:"name"`
	Directories int       `json:"directories"`        // that are listed
	Entries     uint64    `json:"entries"`            // in them
	Oldest      time.Time `json:"oldest,omitzero"`    // when the listing that was right longest ago was
	Newest      time.Time `json:"newest,omitzero"`    // when the latest one was
	Error       string    `json:"error,omitempty"`    // of the last listing of one of its directories, if that failed
	PausedFor   string    `json:"paused,omitempty"`   // until that is tried again while an older listing serves
	FailedAt    time.Time `json:"failed_at,omitzero"` // when
}

// Collections tells the state of all collections of the mounted services, and of directories that no collection has
// made whole yet but that failed to be listed.
func (t *Tree) Collections() ([]Collection, error) {
	byNumber := map[uint64]*Collection{}
	var out []*Collection
	failed := t.listings.failures()
	err := t.c.meta.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketDirs).ForEach(func(k, v []byte) error {
			rec, err := decodeDir(v)
			if err != nil {
				return err
			}
			n := backends.NodeID(number(k))
			s := t.services[rec.scope]
			if s == nil || failed[n] == nil && (rec.coll == 0 || !t.c.whole(&rec)) {
				return nil
			}
			c := byNumber[rec.coll]
			if rec.coll == 0 || c == nil {
				c = &Collection{Service: s.prefix(), Name: rec.key}
				if rec.coll != 0 {
					coll, err := decodeColl(tx.Bucket(bucketColls).Get(key64(rec.coll)))
					if err != nil {
						return err
					}
					c.Name = coll.name
					byNumber[rec.coll] = c
				}
				out = append(out, c)
			}
			return t.tally(tx, n, &rec, c)
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b *Collection) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Name, b.Name))
	})
	all := make([]Collection, len(out))
	for i, c := range out {
		all[i] = *c
	}
	return all, nil
}

func (t *Tree) tally(tx *bbolt.Tx, n backends.NodeID, rec *dirRecord, c *Collection) error {
	if t.c.whole(rec) {
		c.Directories++
		c.Entries += rec.count
		at := rightAsOf(tx, rec)
		if c.Oldest.IsZero() || at.Before(c.Oldest) {
			c.Oldest = at
		}
		if at.After(c.Newest) {
			c.Newest = at
		}
	}
	if at, err := t.listings.failure(n); err != nil && at.After(c.FailedAt) {
		c.Error, c.FailedAt = err.Error(), at
		if left := t.listings.paused(n); left > 0 {
			c.PausedFor = left.Round(time.Second).String()
		}
	}
	return nil
}

// failure tells how the last listing of a directory failed, if it did, and when.
func (l *listings) failure(dir backends.NodeID) (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.failed[dir]
	return f.at, f.err
}

// failures tells the failures of all directories.
func (l *listings) failures() map[backends.NodeID]error {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[backends.NodeID]error, len(l.failed))
	for dir, f := range maps.All(l.failed) {
		out[dir] = f.err
	}
	return out
}
