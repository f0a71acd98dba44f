package drive

import (
	"bytes"
	"encoding/binary"
	"io"
)

// Content is the bytes of one version of a file.
type Content interface {
	io.ReaderAt
	// Size is the length in bytes.
	Size() int64
}

// Bytes is content held in memory.
func Bytes(b []byte) Content { return bytes.NewReader(b) }

// Text is content held in memory.
func Text(s string) Content { return Bytes([]byte(s)) }

// Generated is content of any length that is computed where it is read: the same seed gives the same bytes.
type Generated struct {
	Seed   uint64
	Length int64
}

// Size is the length in bytes.
func (g Generated) Size() int64 { return g.Length }

// ReadAt computes the bytes from off on.
func (g Generated) ReadAt(p []byte, off int64) (n int, err error) {
	if off >= g.Length {
		return 0, io.EOF
	}
	if rest := g.Length - off; int64(len(p)) > rest {
		p, err = p[:rest], io.EOF
	}
	var word [8]byte
	for n < len(p) {
		at := off + int64(n)
		binary.LittleEndian.PutUint64(word[:], splitMix(g.Seed+uint64(at/8)))
		n += copy(p[n:], word[at%8:])
	}
	return n, err
}

// splitMix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that looks random.
func splitMix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
