package rest

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// acceptGzip asks for a compressed answer, in the cases in which a transport would do so by itself. Pages of mail are megabytes
// of JSON, and what this package unpacks with takes a third of the transport's time.
func acceptGzip(req *http.Request) bool {
	if req.Header.Get("Accept-Encoding") != "" || req.Header.Get("Range") != "" || req.Method == http.MethodHead {
		return false
	}
	req.Header.Set("Accept-Encoding", "gzip")
	return true
}

// unzipped makes an answer what it would be had it not been compressed, as a transport does.
func unzipped(res *http.Response) {
	if !strings.EqualFold(res.Header.Get("Content-Encoding"), "gzip") {
		return
	}
	res.Header.Del("Content-Encoding")
	res.Header.Del("Content-Length")
	res.ContentLength, res.Uncompressed = -1, true
	res.Body = &gzipBody{packed: res.Body}
}

// gzipReaders have windows that need not be made for each answer.
var gzipReaders sync.Pool // of *gzip.Reader

// gzipBody unpacks a body while it is read. Close may come during a Read.
type gzipBody struct {
	packed io.ReadCloser
	reader *gzip.Reader // nil before the first Read and after the last one
	err    error        // of all Reads to come
}

func (b *gzipBody) Read(p []byte) (n int, err error) {
	if b.reader == nil && b.err == nil {
		b.err = b.open()
	}
	if b.err != nil {
		return 0, b.err
	}
	if n, err = b.reader.Read(p); err != nil {
		b.err = err
		gzipReaders.Put(b.reader)
		b.reader = nil
	}
	return n, err
}

func (b *gzipBody) open() (err error) {
	r, ok := gzipReaders.Get().(*gzip.Reader)
	if !ok {
		b.reader, err = gzip.NewReader(b.packed)
		return err
	}
	if err = r.Reset(b.packed); err == nil {
		b.reader = r
	}
	return err
}

func (b *gzipBody) Close() error { return b.packed.Close() }
