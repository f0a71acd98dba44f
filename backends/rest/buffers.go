package rest

import "bytes"

const (
	// keptBuffers is how many buffers are kept while nobody reads an answer, maxBuffer the largest of them in bytes. Pages of
	// listings have one or two megabytes.
	keptBuffers = 2
	maxBuffer   = 4 << 20
)

// bufferList keeps buffers for answers: growing a new one for each page costs as much as reading it. The collector comes
// more often than pages do, so that a sync.Pool would have none.
type bufferList chan *bytes.Buffer

var buffers = make(bufferList, keptBuffers)

func (l bufferList) get() *bytes.Buffer {
	select {
	case b := <-l:
		return b
	default:
		return new(bytes.Buffer)
	}
}

// put takes a buffer that nothing looks into any more.
func (l bufferList) put(b *bytes.Buffer) {
	if b.Cap() > maxBuffer {
		return
	}
	b.Reset()
	select {
	case l <- b:
	default:
	}
}
