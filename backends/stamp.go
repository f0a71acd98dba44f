package backends

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Stamp returns t with its nanoseconds replaced by a hash of version: the ctime of a file whose bytes may change
// within a second. The version must include the renderer's. A zero t stays zero.
func Stamp(t time.Time, version string) time.Time {
	if t.IsZero() {
		return t
	}
	sum := sha256.Sum256([]byte(version))
	nanos := binary.BigEndian.Uint32(sum[:4]) % uint32(time.Second)
	return t.Truncate(time.Second).Add(time.Duration(nanos)).UTC()
}

// Ino is the inode number of an identity: 63 bits of a hash, never 0 or 1.
func Ino(scope, id string) uint64 {
	h := sha256.New()
	h.Write([]byte(scope))
	h.Write([]byte{0})
	h.Write([]byte(id))
	ino := binary.BigEndian.Uint64(h.Sum(nil)[:8]) >> 1
	if ino < 2 {
		ino += 2
	}
	return ino
}
