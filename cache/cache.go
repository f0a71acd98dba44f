package cache

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/cache/blob"
	"github.com/workfs/workfs/cache/kv"
)

const (
	// format stamps the databases of the cache directory; one with another is set aside and made anew.
	format = "workfs cache 2"
	// stateFormat stamps the state database, which is never thrown away: another format is an error.
	stateFormat = "workfs state 1"
	// reserveMmap is address space, not memory: growing within it never waits for readers.
	reserveMmap = 4 << 30
	// residentFiles is how much of the databases and the program the process may hold mapped, in bytes. For a walk over
	// 400,000 entries that means 2,000 page faults more.
	residentFiles = 64 << 20
)

// ErrInUse says that another process has the cache open.
var ErrInUse = errors.New("the cache directory is in use by another process")

// Options are the arguments of Open. Zero values mean the defaults that are named.
type Options struct {
	CacheDir string // listings and contents: can be deleted at any time while nobody has it open
	StateDir string // what must survive that
	// MaxSize bounds contents, in bytes; 0: no bound. Those that came with listings get up to half of it: when they are
	// more, the oldest listings are forgotten with them.
	MaxSize int64
	MinFree int64 // bytes to leave free on the disk of CacheDir
	// Schema names what listings depend on beside the services: formats and the renderer's version. When it differs from
	// the last time, all listings are taken anew, while identities and contents stay. An empty one fits any.
	Schema        string
	DefaultMaxAge time.Duration // of listings that don't say; 5 minutes
	OpTimeout     time.Duration // of listing and stat; 60 seconds
	ReadTimeout   time.Duration // of reading, as long as nothing comes; 120 seconds
	Offline       bool          // never call the backends
	Log           *slog.Logger  // nil: nothing is logged
	Now           func() time.Time
}

func (o *Options) defaults() {
	if o.DefaultMaxAge == 0 {
		o.DefaultMaxAge = 5 * time.Minute
	}
	if o.OpTimeout == 0 {
		o.OpTimeout = time.Minute
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = 2 * time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Cache is an open cache directory with its state. All methods may be called concurrently.
type Cache struct {
	o      Options
	log    *slog.Logger
	lock   *os.File
	held   *kv.Resident
	meta   *kv.DB
	bodies *bodies
	state  *state
	blobs  *blob.Store
	ino    func(scope, id string) uint64 // backends.Ino, but for tests of collisions
	bounds bounds

	epoch   atomic.Uint64 // listings of another epoch do not count
	bytes   atomic.Int64  // sum of known sizes
	entries atomic.Int64
	tree    atomic.Pointer[Tree]

	committing sync.Mutex // held over a commit of metadata and the queueing of its events, so that their order is one
	// Guarded by committing:
	inos    map[ident]uint64 // stored collisions
	sealed  bool             // closed: nothing commits any more
	dropped time.Time        // when damaged bodies were last dropped

	staging map[backends.NodeID]int // how many open batches have written to a directory ahead of their commit

	pins         pins
	bodiesAtOpen uint64 // number of the last body of earlier runs

	stop    chan struct{}
	stopped sync.WaitGroup
	closing sync.Once
	counts  counters
}

// counters count what the cache did since Open.
type counters struct {
	lists, fetches, fetched, hits atomic.Int64
}

// Open opens the cache, making what does not exist. ErrInUse when another process has it.
func Open(o Options) (c *Cache, err error) {
	o.defaults()
	c = &Cache{o: o, log: o.Log, stop: make(chan struct{}), ino: backends.Ino, bounds: defaultBounds,
		staging: map[backends.NodeID]int{}, pins: pins{counts: map[uint64]int{}}}
	opened := c // a failed return has set c to nil already
	defer func() {
		if err != nil {
			_ = opened.closeFiles() // the reason why it failed says more
		}
	}()
	for _, dir := range []string{o.CacheDir, o.StateDir} {
		if err := privateDir(dir); err != nil {
			return nil, err
		}
	}
	if c.lock, err = lockDir(o.CacheDir); err != nil {
		return nil, err
	}
	if err := errors.Join(tagDir(o.CacheDir), removeDetailFiles(o.CacheDir)); err != nil {
		return nil, err
	}
	c.held = kv.NewResident(residentFiles)
	if c.state, err = openState(filepath.Join(o.StateDir, "state.db"), c.held, o.Log); err != nil {
		return nil, err
	}
	if c.inos, err = c.state.inos(); err != nil {
		return nil, err
	}
	c.meta, _, err = kv.Open(filepath.Join(o.CacheDir, "meta.db"), kv.Options{
		Format: format, Buckets: metaBuckets, Replace: true, Mmap: reserveMmap, Resident: c.held, Log: o.Log,
	})
	if err != nil {
		return nil, err
	}
	if c.bodies, err = openBodies(filepath.Join(o.CacheDir, "bodies.db"), c.held, o.Log); err != nil {
		return nil, err
	}
	c.bodiesAtOpen = c.bodies.next.Load()
	c.blobs, err = blob.Open(filepath.Join(o.CacheDir, "blobs"), blob.Options{
		MaxSize: o.MaxSize, MinFree: o.MinFree, Beside: c.bodiesBeside, Log: o.Log,
	})
	if err != nil {
		return nil, err
	}
	if err := c.loadFacts(); err != nil {
		return nil, err
	}
	c.stopped.Add(1)
	go c.sweeper()
	return c, nil
}

// bodiesBeside is what bodies take of the budget. It never leaves fetched contents without any.
func (c *Cache) bodiesBeside() int64 { return min(c.bodies.used(), c.o.MaxSize/2) }

// loadFacts reads the counters, and starts a new epoch when the listings can't be relied on: another schema, or bodies
// that are gone.
func (c *Cache) loadFacts() error {
	var schema, origin string
	err := c.meta.View(func(tx *bbolt.Tx) error {
		facts := tx.Bucket(bucketFacts)
		c.epoch.Store(number(facts.Get(factEpoch)))
		c.bytes.Store(int64(number(facts.Get(factBytes))))
		c.entries.Store(int64(number(facts.Get(factEntries))))
		schema, origin = string(facts.Get(factSchema)), string(facts.Get(factBodies))
		return nil
	})
	if err != nil || c.epoch.Load() > 0 && (schema == c.o.Schema || c.o.Schema == "") && origin == c.bodies.origin {
		return err
	}
	return c.newEpoch()
}

// newEpoch makes all listings count as not taken.
func (c *Cache) newEpoch() error {
	epoch := c.epoch.Load() + 1
	err := c.meta.Update(func(tx *bbolt.Tx) error {
		facts := tx.Bucket(bucketFacts)
		return errors.Join(
			facts.Put(factEpoch, key64(epoch)),
			facts.Put(factSchema, []byte(c.o.Schema)),
			facts.Put(factBodies, []byte(c.bodies.origin)),
		)
	})
	if err != nil {
		return storeError("begin an epoch", err)
	}
	c.epoch.Store(epoch)
	if t := c.tree.Load(); t != nil {
		t.served.lapseAll() // they are not kept up to date any more
	}
	return nil
}

// dropBodies forgets all bodies and listings because some can't be read; the next look at a directory brings its own again.
// It does so once a minute at most, since a disk that keeps spoiling them is beyond help: then it gives the cause.
func (c *Cache) dropBodies(cause error) error {
	c.committing.Lock()
	defer c.committing.Unlock()
	now := c.o.Now()
	if c.sealed || now.Before(c.dropped.Add(time.Minute)) {
		return fmt.Errorf("%w: %w", backends.ErrUnavailable, cause)
	}
	c.dropped = now
	c.log.Error("stored contents are damaged, they will be listed again", "error", cause)
	return storeError("drop damaged contents", errors.Join(c.bodies.clear(), c.newEpoch()))
}

// Clear forgets all listings and contents. Names, inodes and node ids stay, and so does the state. Batches that are open
// fail when they commit.
func (c *Cache) Clear() error {
	c.committing.Lock()
	defer c.committing.Unlock()
	if c.sealed {
		return errClosed
	}
	err := c.meta.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMemory, bucketDead} {
			if err := tx.DeleteBucket(name); err != nil {
				return err
			}
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return storeError("clear", err)
	}
	// Should we be killed in between, the bodies' new origin begins the epoch at the next start.
	if err := errors.Join(c.bodies.clear(), c.newEpoch()); err != nil {
		return storeError("clear", err)
	}
	return c.blobs.Clear()
}

// Memory keeps what a connection remembers of its account. It lives in the state directory.
func (c *Cache) Memory(connection string) backends.Memory {
	return accountMemory{c.state, connection}
}

// Close ends all use of the cache and its tree. Flights are cancelled.
func (c *Cache) Close() error {
	var err error
	c.closing.Do(func() {
		close(c.stop)
		if t := c.tree.Load(); t != nil {
			t.close()
		}
		c.stopped.Wait()
		c.committing.Lock()
		c.sealed = true
		c.committing.Unlock()
		err = c.closeFiles()
	})
	return err
}

func (c *Cache) closeFiles() error {
	var errs []error
	if c.blobs != nil {
		c.blobs.Close()
	}
	if c.bodies != nil {
		errs = append(errs, c.bodies.close())
	}
	if c.meta != nil {
		errs = append(errs, c.meta.Close())
	}
	if c.state != nil {
		errs = append(errs, c.state.db.Close())
	}
	errs = append(errs, c.held.Close())
	if c.lock != nil {
		errs = append(errs, c.lock.Close())
	}
	return errors.Join(errs...)
}

// storeError gives a failure of our own storage its kind: a full disk, else unavailable.
func storeError(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, backends.ErrNoSpace):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: %w: %w", doing, backends.ErrNoSpace, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// privateDir makes a directory that only its owner can enter, and makes one that exists so.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if info.Mode().Perm() != 0o700 {
		return os.Chmod(dir, 0o700)
	}
	return nil
}

// lockDir takes the lock of a cache directory; it goes with the process, however that ends.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 32))
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s, process %s", ErrInUse, dir, holder)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, err
	}
	_, err = fmt.Fprintf(f, "%d", os.Getpid())
	return f, err
}

// tagDir marks the directory as a cache for backup tools (https://bford.info/cachedir/).
func tagDir(dir string) error {
	path := filepath.Join(dir, "CACHEDIR.TAG")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return os.WriteFile(path, []byte("Signature: 8a477f597d28d172789f06886806bc55\n"+
		"# This directory was made by workfs and can be deleted while workfs is not running.\n"), 0o600)
}
