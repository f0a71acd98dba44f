package drive

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"io"
)

const (
	quickXorBits  = 160
	quickXorBytes = quickXorBits / 8
	quickXorShift = 11 // bits that each next byte goes further in
)

// quickXor computes QuickXorHash, the only hash that business drives give, as base64
// (OneDrive documentation, "QuickXorHash Algorithm").
func quickXor(r io.Reader) (string, error) {
	// Bytes 160 apart go to the same bits, since 11 and 160 have no common factor: they can be joined first.
	var joined [quickXorBits]byte
	var length uint64
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			at := int(length % quickXorBits)
			k := min(len(p), quickXorBits-at)
			subtle.XORBytes(joined[at:at+k], joined[at:at+k], p[:k])
			p, length = p[k:], length+uint64(k)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
	}
	var cells [quickXorBytes]byte
	for i, b := range joined {
		bit := i * quickXorShift % quickXorBits
		cells[bit/8] ^= b << (bit % 8)
		if bit%8 > 0 {
			cells[(bit/8+1)%quickXorBytes] ^= b >> (8 - bit%8)
		}
	}
	tail := cells[quickXorBytes-8:]
	binary.LittleEndian.PutUint64(tail, binary.LittleEndian.Uint64(tail)^length)
	return base64.StdEncoding.EncodeToString(cells[:]), nil
}
