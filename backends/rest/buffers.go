package rest

import (
	"bytes"
	"sync"
)

// maxBuffer is the largest buffer that is kept for another answer, in bytes. Pages of listings are about a megabyte.
const maxBuffer = 8 << 20

// bufferPool keeps buffers for answers: growing a new one for each page costs as much as reading it.
type bufferPool struct{ p sync.Pool }

var buffers bufferPool

func (p *bufferPool) get() *bytes.Buffer {
	if b, ok := p.p.Get().(*bytes.Buffer); ok {
		return b
	}
	return new(bytes.Buffer)
}

// put takes a buffer that nothing looks into any more.
func (p *bufferPool) put(b *bytes.Buffer) {
	if b.Cap() <= maxBuffer {
		b.Reset()
		p.p.Put(b)
	}
}
