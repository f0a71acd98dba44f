package cache

import (
	"cmp"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// Collection is the state of a collection: a mail folder, a channel, a Box folder. Those for which the service says the same
// by the beginning of their names are one, whose name ends in "*"; the ones that failed are also told of by themselves.
type Collection struct {
	Service     string    `json:"service"` // path of the service in the tree
	Name        string    `json:"name"`
	Collections int       `json:"collections"`       // that are told of here
	Directories int       `json:"directories"`       // that are listed
	Live        int       `json:"live_directories"`  // of them: good until a change is told of
	Fixed       int       `json:"fixed_directories"` // of them: listed once and for all
	Entries     uint64    `json:"entries"`           // in them
	Oldest      time.Time `json:"oldest,omitzero"`   // when the listing that was right longest ago was
	Newest      time.Time `json:"newest,omitzero"`   // when the latest one was: the last sync
	// Following is nil where the service has said nothing: then listings are good for their age.
	Following  *Following  `json:"following,omitempty"`
	LastChange *LastChange `json:"last_change,omitempty"` // since the start
	Error      string      `json:"error,omitempty"`       // of the last listing of one of its directories, if that failed
	PausedFor  string      `json:"paused,omitempty"`      // until that is tried again while an older listing serves
	FailedAt   time.Time   `json:"failed_at,omitzero"`    // when
}

// Following is how a collection is kept right, as backends.Liveness has it.
type Following struct {
	By           string        `json:"by,omitempty"`
	Since        time.Time     `json:"since,omitzero"`
	Interval     time.Duration `json:"interval_ns,omitempty"`
	Renewal      time.Time     `json:"next_renewal,omitzero"`
	Subscription string        `json:"subscription,omitempty"`
	Problem      string        `json:"problem,omitempty"`
}

func followingOf(l backends.Liveness) *Following {
	if l == (backends.Liveness{}) {
		return nil
	}
	f := Following(l)
	return &f
}

// LastChange is how the last change was learnt.
type LastChange struct {
	At           time.Time     `json:"at"` // when it was committed
	By           string        `json:"by"`
	Subscription string        `json:"subscription,omitempty"`
	Lag          time.Duration `json:"lag_ns,omitempty"` // from the arrival of the news to At; 0: there was none
}

// tally adds collections up.
type tally struct {
	t        *Tree
	tx       *bbolt.Tx
	now      time.Time
	failed   map[backends.NodeID]failure
	byNumber map[uint64]*tallied
	rows     map[rowKey]*Collection
}

// rowKey says which collections are told of as one.
type rowKey struct {
	scope uint32
	name  string
}

// tallied is a collection that was met.
type tallied struct {
	coll collRecord
	said backends.Liveness
	row  *Collection
}

// Collections tells the state of all collections of the mounted services, and of directories that no collection has
// made whole yet but that failed to be listed.
func (t *Tree) Collections() ([]Collection, error) {
	y := &tally{
		t: t, now: t.c.o.Now(), failed: t.listings.failures(), byNumber: map[uint64]*tallied{}, rows: map[rowKey]*Collection{},
	}
	err := t.c.meta.View(func(tx *bbolt.Tx) error {
		y.tx = tx
		return tx.Bucket(bucketDirs).ForEach(func(k, v []byte) error {
			rec, err := decodeDir(v)
			if err != nil {
				return err
			}
			return y.add(backends.NodeID(number(k)), &rec)
		})
	})
	if err != nil {
		return nil, err
	}
	all := make([]Collection, 0, len(y.rows))
	for _, c := range y.rows {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Collection) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

// row gives the line of collections.
func (y *tally) row(s *service, name string) *Collection {
	key := rowKey{s.sink.no, name}
	c := y.rows[key]
	if c == nil {
		c = &Collection{Service: s.prefix(), Name: name}
		y.rows[key] = c
	}
	return c
}

// add counts a directory.
func (y *tally) add(n backends.NodeID, rec *dirRecord) error {
	s := y.t.service(rec.scope)
	fail, failed := y.failed[n]
	whole := y.t.c.whole(rec)
	if s == nil || !failed && (rec.coll == 0 || !whole) {
		return nil
	}
	name, said := rec.key, backends.Liveness{}
	if rec.coll != 0 {
		c, err := y.collection(s, rec.coll)
		if err != nil {
			return err
		}
		name, said = c.coll.name, c.said
		if whole {
			y.count(c, rec)
		}
	}
	if !failed {
		return nil
	}
	c := y.row(s, name)
	c.Collections, c.Following = 1, followingOf(said)
	if !fail.at.Before(c.FailedAt) {
		c.Error, c.FailedAt, c.PausedFor = fail.err.Error(), fail.at, ""
		if left := fail.left(y.now); left > 0 {
			c.PausedFor = left.Round(time.Second).String()
		}
	}
	return nil
}

// collection gives a collection that is met, with its line.
func (y *tally) collection(s *service, number uint64) (*tallied, error) {
	c := y.byNumber[number]
	if c != nil {
		return c, nil
	}
	c = &tallied{}
	y.byNumber[number] = c
	var err error
	if c.coll, err = decodeColl(y.tx.Bucket(bucketColls).Get(key64(number))); err != nil {
		return nil, err
	}
	name := c.coll.name
	if s.feed != nil {
		c.said, name = s.feed.liveness.saidOf(name)
	}
	c.row = y.row(s, name)
	c.row.Collections++
	c.row.Following = followingOf(c.said)
	if last := y.t.latest.of(number); last != nil && (c.row.LastChange == nil || last.At.After(c.row.LastChange.At)) {
		c.row.LastChange = last
	}
	return c, nil
}

// count adds a listed directory.
func (y *tally) count(c *tallied, rec *dirRecord) {
	row := c.row
	row.Directories++
	row.Entries += rec.count
	at := rec.asOf
	if rec.covered && c.coll.fresh.After(at) {
		at = c.coll.fresh
	}
	switch {
	case rec.covered && isLive(c.said) && !at.Before(c.said.Since):
		row.Live++
	case !rec.covered && rec.maxAge < 0:
		row.Fixed++
	}
	if row.Oldest.IsZero() || at.Before(row.Oldest) {
		row.Oldest = at
	}
	if at.After(row.Newest) {
		row.Newest = at
	}
}
