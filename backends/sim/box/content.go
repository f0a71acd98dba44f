package box

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"io"
	"os"
	"sync"
)

// content is the bytes of one version. Implementations are safe for concurrent use.
type content interface {
	size() int64
	// sha1 gives the lower-case hexadecimal digest, computed when first asked for. An error means that the bytes can no
	// longer be read.
	sha1() (string, error)
	// open gives the bytes; the caller closes it.
	open() (io.ReadSeekCloser, error)
}

// digest computes a SHA-1 once.
type digest struct {
	once sync.Once
	hex  string
	err  error
}

func (d *digest) of(c content) (string, error) {
	d.once.Do(func() {
		r, err := c.open()
		if err != nil {
			d.err = err
			return
		}
		defer r.Close()
		h := sha1.New()
		if _, d.err = io.Copy(h, r); d.err == nil {
			d.hex = hex.EncodeToString(h.Sum(nil))
		}
	})
	return d.hex, d.err
}

type noClose struct{ io.ReadSeeker }

func (noClose) Close() error { return nil }

// memory is content held as it is.
type memory struct {
	data []byte
	sum  digest
}

func newMemory(data []byte) *memory { return &memory{data: data} }

func (m *memory) size() int64           { return int64(len(m.data)) }
func (m *memory) sha1() (string, error) { return m.sum.of(m) }
func (m *memory) open() (io.ReadSeekCloser, error) {
	return noClose{bytes.NewReader(m.data)}, nil
}

// made is content of known size that is made anew each time it is read.
type made struct {
	length int64
	fill   func(p []byte, off int64)
	sum    digest
}

func (m *made) size() int64           { return m.length }
func (m *made) sha1() (string, error) { return m.sum.of(m) }
func (m *made) open() (io.ReadSeekCloser, error) {
	return noClose{io.NewSectionReader(m, 0, m.length)}, nil
}

// ReadAt makes the bytes at an offset.
func (m *made) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), m.length-off))
	if n <= 0 {
		return 0, io.EOF
	}
	m.fill(p[:n], off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// newPattern is content in which each 8 bytes tell their own place, so that bytes served from the wrong offset show.
func newPattern(length int64, key uint64) *made {
	return &made{length: length, fill: func(p []byte, off int64) {
		for i := range p {
			at := uint64(off) + uint64(i)
			word := (at/8 + 1) * (key | 1) * 0x9e3779b97f4a7c15
			p[i] = byte(word >> (at % 8 * 8))
		}
	}}
}

// newRepeated is content that begins with head and then repeats a text up to a length.
func newRepeated(length int64, head string, text []byte) *made {
	return &made{length: length, fill: func(p []byte, off int64) {
		n := 0
		if off < int64(len(head)) {
			n = copy(p, head[off:])
		}
		for n < len(p) {
			n += copy(p[n:], text[(off+int64(n)-int64(len(head)))%int64(len(text)):])
		}
	}}
}

// disk is content in a file of the machine.
type disk struct {
	path   string
	length int64
	sum    digest
}

func (d *disk) size() int64           { return d.length }
func (d *disk) sha1() (string, error) { return d.sum.of(d) }

// diskFile gives no more bytes than the file had when it was imported, whatever happened since.
type diskFile struct {
	*io.SectionReader
	f *os.File
}

// Close closes the file.
func (d diskFile) Close() error { return d.f.Close() }

func (d *disk) open() (io.ReadSeekCloser, error) {
	f, err := os.Open(d.path)
	if err != nil {
		return nil, err
	}
	return diskFile{io.NewSectionReader(f, 0, d.length), f}, nil
}
