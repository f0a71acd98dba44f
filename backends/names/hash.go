package names

import (
	"crypto/sha256"
)

// HashLen is the number of hash characters in a name that collides with nothing: 40 bits, so that a directory of 100,000
// equal stems would still have a collision only once in two hundred.
const HashLen = 8

// maxHash is how many whole base32 characters a SHA-256 sum yields.
const maxHash = sha256.Size * 8 / 5

// alphabet is Crockford's base32 in lower case: no i, l, o or u, so that a hash can be read aloud and types no word. It is
// part of the names of all files and fixed for ever.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// Hash gives the first n characters (at most 51) of the base32 form of the identity's SHA-256 sum. It is prefix-stable:
// Hash(id, 8) is a prefix of Hash(id, 9).
func Hash(identity string, n int) string {
	n = max(0, min(n, maxHash))
	sum := sha256.Sum256([]byte(identity))
	var out [maxHash]byte
	for i := range n {
		bit := i * 5
		v := uint16(sum[bit/8]) << 8
		if bit/8+1 < len(sum) {
			v |= uint16(sum[bit/8+1])
		}
		out[i] = alphabet[(v>>(11-bit%8))&31]
	}
	return string(out[:n])
}

// isHash reports whether s consists of characters that Hash makes.
func isHash(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > 'z' || (c > '9' && c < 'a') || c == 'i' || c == 'l' || c == 'o' || c == 'u' {
			return false
		}
	}
	return true
}
