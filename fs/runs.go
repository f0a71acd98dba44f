package fs

import (
	"path"
	"slices"

	"github.com/workfs/workfs/backends"
)

const (
	// nearby is how far, in cookies of its directory, a read may lie from a run to belong to it: several readers share the
	// work, and not everything in a directory is a file that they want.
	nearby = 64
	// runReads is how many reads show where a run goes.
	runReads = 8
	// maxSuffixes is how many kinds of file a reader wants before it is taken to want all.
	maxSuffixes = 4
	// maxRuns bounds the runs of one directory, maxRunDirs the directories in which reads are remembered.
	maxRuns    = 8
	maxRunDirs = 512
)

// run is what one or more readers have lately read in one stretch of a directory, and what was pushed for them.
type run struct {
	reads    []uint64 // cookies, the latest last, at most runReads
	suffixes []string // of the names that were read, at most one more than maxSuffixes
	back     bool     // they go towards smaller cookies
	window   int      // files of the last push; 0: none yet
	end      uint64   // cookie of the file up to which was pushed, or from which the first push starts
	mark     uint64   // cookie whose read, or one beyond, asks for more; 0: any
}

// near tells whether a read may belong to the run.
func (r *run) near(cookie uint64) bool {
	low, high := min(slices.Min(r.reads), r.end), max(slices.Max(r.reads), r.end)
	return cookie+nearby >= low && cookie <= high+nearby
}

// read notes a read and tells whether the next files are to be pushed now.
func (r *run) read(at backends.Place) bool {
	if len(r.reads) == runReads {
		r.reads = slices.Delete(r.reads, 0, 1)
	}
	r.reads = append(r.reads, at.Cookie)
	if suffix := path.Ext(at.Name); len(r.suffixes) <= maxSuffixes && !slices.Contains(r.suffixes, suffix) {
		r.suffixes = append(r.suffixes, suffix)
	}
	if back := r.backward(); back != r.back || r.window == 0 {
		r.back, r.window, r.end, r.mark = back, 0, at.Cookie, 0
	}
	switch {
	case len(r.reads) < pushAfter, r.mark != 0 && r.beyond(r.mark, at.Cookie):
		return false
	case r.beyond(at.Cookie, r.end):
		r.end = at.Cookie // faster than the pushes
	}
	r.mark = 0
	return true
}

// beyond tells whether a reader comes to cookie a later than to b.
func (r *run) beyond(a, b uint64) bool {
	if r.back {
		return a < b
	}
	return a > b
}

// backward tells where the reads go on the whole. Readers that share the work don't keep their order exactly.
func (r *run) backward() bool {
	trend := 0
	for i, a := range r.reads {
		for _, b := range r.reads[i+1:] {
			if b > a {
				trend++
			} else if b < a {
				trend--
			}
		}
	}
	return trend < 0
}

// wants tells by its name whether a file will be read: where a message is listed in several formats, most readers read one.
func (r *run) wants(name string) bool {
	return len(r.suffixes) > maxSuffixes || slices.Contains(r.suffixes, path.Ext(name))
}

// runs are those of all directories. What was not looked at for long is forgotten.
type runs struct {
	recent, older map[backends.NodeID][]*run
}

// of gives the run that a read belongs to.
func (s *runs) of(at backends.Place) *run {
	here, ok := s.recent[at.Dir]
	if !ok {
		here = s.older[at.Dir]
		if len(s.recent) >= maxRunDirs || s.recent == nil {
			s.older, s.recent = s.recent, map[backends.NodeID][]*run{}
		}
	}
	i := slices.IndexFunc(here, func(r *run) bool { return r.near(at.Cookie) })
	if i < 0 {
		if len(here) == maxRuns {
			here = slices.Delete(here, 0, 1)
		}
		i = len(here)
		here = append(here, &run{end: at.Cookie, reads: make([]uint64, 0, runReads)})
	}
	s.recent[at.Dir] = here
	return here[i]
}
