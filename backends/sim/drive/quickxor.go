package drive

import (
	"encoding/base64"
	"encoding/binary"
	"io"
)

const (
	quickXorBytes = 20 // 160 bits
	quickXorShift = 11 // each next byte goes in 11 bits further
)

// quickXor computes QuickXorHash, the only hash that business drives give, as base64
// (OneDrive documentation, "QuickXorHash Algorithm").
func quickXor(r io.Reader) (string, error) {
	var cells [quickXorBytes]byte
	var length uint64
	bit := 0
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		for _, b := range buf[:n] {
			i, off := bit/8, bit%8
			cells[i] ^= b << off
			if off > 0 {
				cells[(i+1)%quickXorBytes] ^= b >> (8 - off)
			}
			if bit += quickXorShift; bit >= quickXorBytes*8 {
				bit -= quickXorBytes * 8
			}
		}
		length += uint64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
	}
	tail := cells[quickXorBytes-8:]
	binary.LittleEndian.PutUint64(tail, binary.LittleEndian.Uint64(tail)^length)
	return base64.StdEncoding.EncodeToString(cells[:]), nil
}
