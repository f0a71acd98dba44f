package activity

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// DefaultMaxSize bounds each of the two files, in bytes.
const DefaultMaxSize = 16 << 20

const (
	fileName = "activity.jsonl"
	oldName  = fileName + ".1"
	// maxLine is the longest line that is read back. Paths are bounded by the kernel, ids by the services.
	maxLine = 1 << 20
)

// Log is an open log. One process has it open at a time, which whoever owns the directory sees to. All methods may be
// called concurrently.
type Log struct {
	dir     string
	maxSize int64

	mu         sync.Mutex
	file       *os.File
	size       int64
	generation uint64
	modified   time.Time
	before     previous      // what the file was before it was begun anew
	broken     bool          // the last line may be torn
	grown      chan struct{} // closed at the next growth
}

// previous is the file before the present one, which stays readable: who shows the file learns a moment later that it was
// begun anew.
type previous struct {
	file *os.File // nil: none
	size int64
}

// Open opens the log of a directory, making it if there is none. A line that a crash tore is dropped. maxSize bounds each
// of the two files, DefaultMaxSize when 0.
func Open(dir string, maxSize int64) (*Log, error) {
	if maxSize <= 0 {
		maxSize = DefaultMaxSize
	}
	f, err := os.OpenFile(filepath.Join(dir, fileName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("activity log: %w", err)
	}
	l := &Log{dir: dir, maxSize: maxSize, file: f, generation: 1, grown: make(chan struct{})}
	info, err := f.Stat()
	if err == nil {
		l.modified = info.ModTime()
		l.size, err = wholeLines(f, info.Size())
	}
	if err == nil && l.size < info.Size() {
		err = f.Truncate(l.size)
	}
	if err != nil {
		return nil, fmt.Errorf("activity log: %w", errors.Join(err, f.Close()))
	}
	return l, nil
}

// wholeLines tells where the last whole line ends.
func wholeLines(f io.ReaderAt, size int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for end := size; end > 0; {
		n := min(end, int64(len(buf)))
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
	}
	return 0, nil
}

// Close closes the log. Followers are ended by their contexts.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	if l.before.file != nil {
		err = errors.Join(err, l.before.file.Close())
	}
	l.file, l.before = nil, previous{}
	return err
}

// Append adds records. They are with the operating system when it returns.
func (l *Log) Append(records ...Record) error {
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	enc.SetEscapeHTML(false)
	for i := range records {
		if err := enc.Encode(&records[i]); err != nil {
			return fmt.Errorf("activity log: %w", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return os.ErrClosed
	}
	if l.size > 0 && l.size+int64(lines.Len()) > l.maxSize {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	if l.broken {
		if err := l.file.Truncate(l.size); err != nil {
			return fmt.Errorf("activity log: %w", err)
		}
		l.broken = false
	}
	if _, err := l.file.WriteAt(lines.Bytes(), l.size); err != nil {
		l.broken = true
		return fmt.Errorf("activity log: %w", err)
	}
	l.size += int64(lines.Len())
	l.modified = time.Now()
	close(l.grown)
	l.grown = make(chan struct{})
	return nil
}

// rotate begins the file anew. Whoever reads the old one through an open file keeps it.
func (l *Log) rotate() error {
	path := filepath.Join(l.dir, fileName)
	if err := os.Rename(path, filepath.Join(l.dir, oldName)); err != nil {
		return fmt.Errorf("activity log: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("activity log: %w", err)
	}
	if l.before.file != nil {
		_ = l.before.file.Close() // whole lines were written, and nothing is buffered
	}
	l.before = previous{l.file, l.size}
	l.file, l.size, l.broken = f, 0, false
	l.generation++
	return nil
}

// Size gives the size of activity.jsonl in bytes and its generation, which is another one when the file was begun anew.
func (l *Log) Size() (size int64, generation uint64, modified time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size, l.generation, l.modified
}

// Grown gives a channel that is closed when something is appended or the file is begun anew.
func (l *Log) Grown() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grown
}

// ReadAt is io.ReaderAt over the whole lines of a generation of activity.jsonl: the present one or the one before;
// os.ErrNotExist for others.
func (l *Log) ReadAt(generation uint64, p []byte, off int64) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	file, size := l.file, l.size
	switch {
	case file == nil:
		return 0, os.ErrClosed
	case generation == l.generation-1 && l.before.file != nil:
		file, size = l.before.file, l.before.size
	case generation != l.generation:
		return 0, fmt.Errorf("activity log: generation %d: %w", generation, os.ErrNotExist)
	}
	return io.NewSectionReader(file, 0, size).ReadAt(p, off)
}

// Read calls fn for the records that a filter chooses, oldest first, until it returns false. With follow it goes on with
// what is appended until ctx ends, and then returns nil. Lines that can't be read are passed over.
func (l *Log) Read(ctx context.Context, filter Filter, follow bool, fn func(*Record) bool) error {
	l.mu.Lock()
	if l.file == nil {
		l.mu.Unlock()
		return os.ErrClosed
	}
	// Both are opened while nothing can be renamed, so that no record is met twice or never.
	current, err := os.Open(filepath.Join(l.dir, fileName))
	old, oldErr := os.Open(filepath.Join(l.dir, oldName))
	generation, grown := l.generation, l.grown
	l.mu.Unlock()
	if err != nil {
		return fmt.Errorf("activity log: %w", err)
	}
	defer func() { _ = current.Close() }()
	if oldErr == nil {
		more, err := newLineReader(old).scan(filter, fn)
		if err = errors.Join(err, old.Close()); err != nil || !more {
			return err
		}
	}
	lines := newLineReader(current)
	for {
		more, err := lines.scan(filter, fn)
		if err != nil || !more || !follow {
			return err
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil
		}
		l.mu.Lock()
		grown = l.grown
		next := l.generation
		l.mu.Unlock()
		if next == generation {
			continue
		}
		// The file that is open has got all it will get.
		if more, err := lines.scan(filter, fn); err != nil || !more {
			return err
		}
		if next != generation+1 {
			// So fast that one file was overtaken: what it held beyond the others is lost to this reader.
			if !fn(&Record{Time: time.Now(), Action: "many"}) {
				return nil
			}
		}
		_ = current.Close()
		l.mu.Lock()
		current, err = os.Open(filepath.Join(l.dir, fileName))
		generation, grown = l.generation, l.grown
		l.mu.Unlock()
		if err != nil {
			return fmt.Errorf("activity log: %w", err)
		}
		lines = newLineReader(current)
	}
}

// lineReader reads whole lines. At the end of a file that grows it keeps the part of a line that is there.
type lineReader struct {
	r    *bufio.Reader
	part []byte
	long bool // the line is longer than maxLine and will be left out
}

func newLineReader(f io.Reader) *lineReader { return &lineReader{r: bufio.NewReader(f)} }

// next gives the next line, valid until the next call; io.EOF where there is no whole one.
func (l *lineReader) next() ([]byte, error) {
	for {
		part, err := l.r.ReadSlice('\n')
		if l.long = l.long || len(l.part)+len(part) > maxLine; !l.long {
			l.part = append(l.part, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err != nil:
			return nil, err
		}
		line, long := l.part, l.long
		l.part, l.long = l.part[:0], false
		if !long {
			return line, nil
		}
	}
}

// scan calls fn for whole lines to the end; false when it has had enough.
func (l *lineReader) scan(filter Filter, fn func(*Record) bool) (more bool, err error) {
	for {
		line, err := l.next()
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("activity log: %w", err)
		}
		var rec Record
		if json.Unmarshal(line, &rec) != nil || !filter.Match(&rec) {
			continue
		}
		if !fn(&rec) {
			return false, nil
		}
	}
}
