package follow

import (
	"sync/atomic"

	"github.com/workfs/workfs/backends"
)

// watched is a Sink that tells whether something was committed to it that may be a change.
type watched struct {
	backends.Sink
	changed atomic.Bool
}

// Begin implements backends.Sink.
func (w *watched) Begin(collection string) backends.Batch {
	return &watchedBatch{Batch: w.Sink.Begin(collection), sink: w}
}

type watchedBatch struct {
	backends.Batch
	sink  *watched
	wrote bool
}

// Add implements backends.Batch.
func (b *watchedBatch) Add(dir backends.DirKey, entries ...backends.Entry) error {
	b.wrote = b.wrote || len(entries) > 0
	return b.Batch.Add(dir, entries...)
}

// Remove implements backends.Batch.
func (b *watchedBatch) Remove(item string) {
	b.wrote = true
	b.Batch.Remove(item)
}

// Commit implements backends.Batch.
func (b *watchedBatch) Commit(c backends.Commit) error {
	err := b.Batch.Commit(c)
	if err == nil && b.wrote {
		b.sink.changed.Store(true)
	}
	return err
}
