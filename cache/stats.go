package cache

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
