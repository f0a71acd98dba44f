package box

import (
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/names"
)

// TestListedAfterNewsWasJudged lists a folder for the first time between the judgement of news of a file in it, when nobody
// watched that folder, and its commit, for which Box may have to answer about other files first.
func TestListedAfterNewsWasJudged(t *testing.T) {
	here, elsewhere := folderKey("u", "1"), folderKey("u", "2")
	entry := func(etag string) backends.Entry {
		return backends.Entry{
			ID: "u|file|7", Item: "u|file|7", Name: names.Wanted{Stem: "x", Key: "u|file|7", User: true}, Version: "v" + etag,
			Info: backends.Info{ServiceID: "7", ETag: etag},
		}
	}
	for _, test := range []struct {
		name   string
		dir    backends.DirKey // that is listed
		etag   string          // of the file there
		ended  bool            // the listing has ended when the news is committed
		failed error           // of the listing
		shown  bool
	}{
		{"ended", here, "1", true, nil, true},
		{"ended, with a later state", here, "2", true, nil, true},
		{"under way", here, "1", false, nil, true},
		{"under way, with a later state", here, "2", false, nil, true},
		{"under way, with an earlier state", here, "0", false, errOld, false},
		{"elsewhere, where it was before", elsewhere, "0", false, nil, false},
		{"elsewhere, ended, where it was before", elsewhere, "0", true, nil, false},
		{"elsewhere, where it is now", elsewhere, "2", false, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, sink := newView("u"), backendtest.NewSink()
			news := change{id: "u|file|7", etag: 1, seq: -1, dir: here}
			f := v.begin(test.dir)
			land := func() error {
				defer v.end(f)
				return v.land(f, []backends.Entry{entry(test.etag)}, func(entries []backends.Entry) error {
					batch := sink.Begin(collection(test.dir))
					defer batch.Discard()
					if err := batch.Add(test.dir, entries...); err != nil {
						return err
					}
					return batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: test.dir}}})
				})
			}
			var failed error
			if test.ended {
				failed = land()
			}
			if err := v.apply(sink, []change{news}, nil, news.asked); err != nil {
				t.Fatal(err)
			}
			if !test.ended {
				failed = land()
			}
			if failed != test.failed {
				t.Errorf("the listing: %v, want %v", failed, test.failed)
			}
			if shown := len(sink.Where("u|file|7")) > 0; shown != test.shown {
				t.Errorf("shown: %v, want %v", shown, test.shown)
			}
		})
	}
}
