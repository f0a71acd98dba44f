package fs

import (
	"runtime"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// spareProcessors are those of the Go scheduler beyond the machine's. All but a few of go-fuse's threads always wait for the
// kernel, and each keeps one of the scheduler's processors meanwhile. go-fuse has one such thread more than there are processors:
// a request that wakes the thread without would wait until the scheduler's watcher, which looks every 20 microseconds as long
// as it finds something, has taken a processor away from another. One more is for what is done beside requests.
const spareProcessors = 2

var processors = struct {
	sync.Mutex
	most int // without the spare ones
}{most: runtime.GOMAXPROCS(0)}

// newServer is fuse.NewServer, which makes as many threads as there are processors when it is called, and then adds the spare
// ones.
func newServer(f fuse.RawFileSystem, dir string, o *fuse.MountOptions) (*fuse.Server, error) {
	processors.Lock()
	defer processors.Unlock()
	runtime.GOMAXPROCS(processors.most)
	defer runtime.GOMAXPROCS(processors.most + spareProcessors)
	return fuse.NewServer(f, dir, o)
}
