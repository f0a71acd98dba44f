package render

import "sync"

// scratches are buffers in which texts grow: how long one gets is known at its end, and then it is copied.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

// maxScratch is the largest buffer in bytes that is kept for another text.
const maxScratch = 256 << 10

// keepScratch gives back a buffer, which may have moved while it grew.
func keepScratch(scratch *[]byte, grown []byte) {
	if cap(grown) <= maxScratch {
		*scratch = grown[:0]
		scratches.Put(scratch)
	}
}
