package cache

import (
	"os"
	"path/filepath"
)

const (
	// detailBytes is how much of the details of a batch is kept in memory; what is more goes to a file.
	detailBytes = 1 << 20
	// detailFiles names these files, of which a crash can leave an empty one.
	detailFiles = "batch-*.tmp"
	// detailWindow is how much is read of it at once: what it holds of a directory is asked for in order.
	detailWindow = 64 << 10
)

// details are the encoded details of a batch's entries: most of what a batch is, and not needed before its commit. The file
// has no name, so that it goes with the process.
type details struct {
	c    *Cache
	file *os.File
	size int64  // of the file
	tail []byte // what comes after it

	window []byte // what was read of the file last, and where it begins
	begin  int64
	end    int64 // of the detail that was read last
}

// slice is where a detail is in details.
type slice struct {
	off int64
	n   int32
}

// add keeps a copy of a detail.
func (d *details) add(det []byte) (slice, error) {
	at := slice{off: d.size + int64(len(d.tail)), n: int32(len(det))}
	d.tail = append(d.tail, det...)
	if len(d.tail) < d.c.bounds.details {
		return at, nil
	}
	if err := d.spill(); err != nil {
		return at, storeError("write a batch", err)
	}
	return at, nil
}

func (d *details) spill() error {
	if err := d.c.blobs.FreeFor(int64(len(d.tail))); err != nil {
		return err
	}
	if d.file == nil {
		f, err := os.CreateTemp(d.c.o.CacheDir, detailFiles)
		if err != nil {
			return err
		}
		d.file = f
		if err := os.Remove(f.Name()); err != nil {
			return err
		}
	}
	if _, err := d.file.WriteAt(d.tail, d.size); err != nil {
		return err
	}
	d.size += int64(len(d.tail))
	d.tail = make([]byte, 0, cap(d.tail)) // another, since what was read of the old one may be in use
	return nil
}

// get reads a detail, which must not be changed.
func (d *details) get(at slice) ([]byte, error) {
	if at.off >= d.size {
		off := at.off - d.size
		end := off + int64(at.n)
		return d.tail[off:end:end], nil
	}
	if at.off < d.begin || at.off+int64(at.n) > d.begin+int64(len(d.window)) {
		if err := d.load(at); err != nil {
			return nil, storeError("read a batch", err)
		}
	}
	d.end = at.off + int64(at.n)
	off := at.off - d.begin
	return d.window[off : d.end-d.begin : d.end-d.begin], nil
}

// load reads a detail from the file, and what comes after it for who goes on where they were. What was read before may be in
// use.
func (d *details) load(at slice) error {
	n := int64(at.n)
	if at.off == d.end {
		n = max(n, min(detailWindow, d.size-at.off))
	}
	b := make([]byte, n)
	if _, err := d.file.ReadAt(b, at.off); err != nil {
		return err
	}
	d.window, d.begin = b, at.off
	return nil
}

func (d *details) close() {
	if d.file != nil {
		d.file.Close()
	}
	d.file, d.tail, d.window = nil, nil, nil
}

// removeDetailFiles removes what a crash left between the making of a file and the removal of its name.
func removeDetailFiles(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, detailFiles))
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return err
}
