package box

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"time"

	"github.com/workfs/workfs/backends"
)

// Fetch implements backends.Backend. The first range of a version costs two requests, the redirect and the bytes; later
// ones cost one while the signed address works.
func (b *Backend) Fetch(ctx context.Context, f backends.File, off, n int64) (backends.Content, error) {
	var r ref
	if err := json.Unmarshal([]byte(f.Ref), &r); err != nil || r.ID == "" {
		return backends.Content{}, fmt.Errorf("%w: the file has no content of its own", backends.ErrNotFound)
	}
	if r.forbidden(time.Now()) {
		return backends.Content{}, fmt.Errorf("%w: Box does not let this user download file %s", backends.ErrForbidden, r.ID)
	}
	path := "/files/" + url.PathEscape(r.ID) + "/content"
	if r.Version != "" {
		// Without it, ranges of two versions could be mixed.
		path += "?version=" + url.QueryEscape(r.Version)
	}
	key := r.View + "|" + r.ID + "|" + f.Version
	got, err := b.rest.Content(ctx, path, b.as(r.View), key, off, n)
	if errors.Is(err, backends.ErrNotFound) {
		return backends.Content{}, b.missing(ctx, r, err)
	}
	if err != nil {
		return backends.Content{}, err
	}
	if got.Off == 0 && (n < 0 || f.Size >= 0 && off+n >= f.Size) && len(r.SHA1) == 2*sha1.Size {
		got.ReadCloser = &checked{ReadCloser: got.ReadCloser, sum: sha1.New(), want: r.SHA1, size: f.Size}
	}
	return got, nil
}

// missing finds out whether the file is gone or only its version.
func (b *Backend) missing(ctx context.Context, r ref, cause error) error {
	var current struct{ ID text }
	err := b.rest.JSON(ctx, "/files/"+url.PathEscape(r.ID)+"?fields=id", b.as(r.View), &current)
	if err == nil && r.Version != "" {
		return fmt.Errorf("%w: %w", backends.ErrStale, plain(cause))
	}
	return cause
}

// checked compares a content that is read to its end with its SHA-1.
type checked struct {
	io.ReadCloser
	sum  hash.Hash
	want string
	size int64 // as listed, SizeUnknown if not
	read int64
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.sum.Write(p[:n])
	c.read += int64(n)
	// Whoever knows the size may not read on to EOF, so the last byte is where a difference has to show.
	if (err == io.EOF || c.read == c.size) && hex.EncodeToString(c.sum.Sum(nil)) != c.want {
		return 0, fmt.Errorf("%w: the content does not have the SHA-1 that Box states", backends.ErrUnavailable)
	}
	return n, err
}
