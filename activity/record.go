package activity

import "time"

// Record is one change. Its JSON form is a line of the log.
type Record struct {
	Time   time.Time `json:"time"`   // when it was committed
	Action string    `json:"action"` // "created", "changed", "removed", "renamed", "moved"; "many": more than could be noted
	Path   string    `json:"path"`   // from the root of the mount, slash separated
	// OldPath is where a renamed or moved thing was.
	OldPath string `json:"old_path,omitempty"`
	Type    string `json:"type"` // "file" or "directory"

	Connection string `json:"connection,omitempty"`
	Service    string `json:"service,omitempty"` // path of the service in the tree
	Collection string `json:"collection,omitempty"`

	ID     string `json:"id,omitempty"` // as the service calls the item
	ETag   string `json:"etag,omitempty"`
	WebURL string `json:"web_url,omitempty"`

	By           string `json:"by"` // by what it was learnt: "webhook", "long poll", "events", "delta", "listing"
	Subscription string `json:"subscription,omitempty"`
	// Lag is how long after its announcement had arrived the change was committed, in milliseconds.
	Lag float64 `json:"lag_ms,omitempty"`
}

// Filter chooses records. Its zero value chooses all.
type Filter struct {
	Since        time.Time
	Subscription string
	Connection   string
	// Below is a path: only what is or was there or below it.
	Below string
}

// Match tells whether the filter chooses a record.
func (f Filter) Match(r *Record) bool {
	switch {
	case r.Time.Before(f.Since):
		return false
	case f.Subscription != "" && r.Subscription != f.Subscription:
		return false
	case f.Connection != "" && r.Connection != f.Connection:
		return false
	}
	return below(r.Path, f.Below) || r.OldPath != "" && below(r.OldPath, f.Below)
}

func below(path, dir string) bool {
	return dir == "" || path == dir || len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == '/'
}
