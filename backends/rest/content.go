package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
)

const (
	// signedLasts is how long a signed address is used again. Box's are good for about 15 minutes, Microsoft's for at
	// least as long (developer.box.com, Download file; Graph, driveItem).
	signedLasts = 10 * time.Minute
	// signedKept bounds the number of signed addresses in memory.
	signedKept = 4096
	// downloadTries is how often a download is taken up again after failures.
	downloadTries = 4
	// progress is how many bytes between two failures make the second count as a first.
	progress = 1 << 20
	// redirects is how often a content host may send a download on.
	redirects = 3
)

// signedURLs are the signed addresses of contents by key.
type signedURLs struct {
	mu  sync.Mutex
	all map[string]signedURL
}

type signedURL struct {
	u  *url.URL
	at time.Time
}

func (s *signedURLs) get(key string) *url.URL {
	s.mu.Lock()
	defer s.mu.Unlock()
	if got, ok := s.all[key]; ok && time.Since(got.at) < signedLasts {
		return got.u
	}
	return nil
}

func (s *signedURLs) put(key string, u *url.URL) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= signedKept {
		clear(s.all)
	}
	if s.all == nil {
		s.all = map[string]signedURL{}
	}
	s.all[key] = signedURL{u, time.Now()}
}

// drop forgets u unless another one has taken its place.
func (s *signedURLs) drop(key string, u *url.URL) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[key].u == u {
		delete(s.all, key)
	}
}

// Content opens n bytes from off (n < 0: to the end) of the content that the API redirects a path to. The redirect is
// followed without credentials and without header, to ContentHosts only. The signed address is kept under key, which has
// to name all that the content depends on (acting user, item, version), and used until it fails or grows old, so that
// later ranges cost one request each. A connection that breaks is replaced where it left off, without a byte asked for
// twice if the host serves ranges; where there is another content by then, that is ErrStale.
func (c *Client) Content(ctx context.Context, urlOrPath string, header http.Header, key string, off, n int64) (backends.Content, error) {
	if n == 0 {
		return backends.Content{ReadCloser: http.NoBody, Off: off, Total: backends.SizeUnknown}, nil
	}
	path, _, _ := strings.Cut(urlOrPath, "?")
	d := &download{ctx: ctx, c: c, path: urlOrPath, header: header, key: key, next: off, end: -1, op: opOf("download of", &url.URL{Path: path})}
	if n >= 0 {
		d.end = off + n
	}
	got, err := d.open()
	if err != nil {
		return backends.Content{}, err
	}
	if got.total >= 0 && (d.end < 0 || d.end > got.total) {
		d.end = got.total
	}
	d.first = got
	// A host that ignores ranges sends all from the start.
	d.next = got.off
	return backends.Content{ReadCloser: d, Off: d.next, Total: got.total}, nil
}

// download is a stream that survives broken connections.
type download struct {
	ctx    context.Context
	c      *Client
	path   string
	header http.Header
	key    string
	op     string
	body   io.ReadCloser
	next   int64 // offset in the content of the next byte to return
	end    int64 // offset behind the last byte that is wanted, -1 if that is not known
	first  opened
	tries  int
	broke  int64 // where the connection broke last
	failed error
}

// opened is what an answer of a content host says: where its body starts in the content, how long that is, and its ETag.
type opened struct {
	off, total int64
	tag        string
	header     http.Header
}

// differs tells whether two answers are certainly about different contents.
func (o opened) differs(p opened) bool {
	return o.total >= 0 && p.total >= 0 && o.total != p.total || o.tag != "" && p.tag != "" && o.tag != p.tag
}

// open gets a body that starts at d.next, or at 0 if the host ignores ranges.
func (d *download) open() (opened, error) {
	for {
		u, cached, err := d.address()
		if err != nil {
			return opened{}, err
		}
		got, status, err := d.get(u)
		if err == nil {
			return got, nil
		}
		if d.ctx.Err() != nil {
			return opened{}, fmt.Errorf("%s: %w", d.op, d.ctx.Err())
		}
		expired := status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound || status == http.StatusGone
		if expired {
			d.c.signed.drop(d.key, u)
			if cached {
				continue
			}
		}
		d.tries++
		if !errors.Is(err, backends.ErrUnavailable) && !errors.Is(err, backends.ErrThrottled) || d.tries >= downloadTries {
			return opened{}, err
		}
		wait := jitter(d.c.backoff / 4 << min(d.tries-1, 6))
		var f *Error
		if errors.As(err, &f) && f.after > 0 {
			wait = f.after
		}
		if wait > remaining(d.ctx) {
			return opened{}, err
		}
		if err := sleep(d.ctx, wait); err != nil {
			return opened{}, fmt.Errorf("%s: %w", d.op, err)
		}
	}
}

// address gives the signed address, asking the API if there is none at hand.
func (d *download) address() (u *url.URL, cached bool, err error) {
	if u := d.c.signed.get(d.key); u != nil {
		return u, true, nil
	}
	u, shared, err := d.ask()
	if shared && d.ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, backends.ErrThrottled)) {
		// It had the time of another caller, who may have less.
		u, _, err = d.ask()
	}
	return u, false, err
}

// ask asks the API for the signed address, or waits for somebody who does; shared tells that several callers wait.
func (d *download) ask() (u *url.URL, shared bool, err error) {
	// Ranges that are read at the same time share the request, which therefore outlives its first caller.
	ch := d.c.locate.DoChan(d.key, func() (any, error) {
		if u := d.c.signed.get(d.key); u != nil {
			return u, nil // another question was answered between the look for an address and this
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), min(remaining(d.ctx), 2*time.Minute))
		defer cancel()
		u, err := d.c.askAddress(ctx, d.path, d.header)
		if err == nil {
			d.c.signed.put(d.key, u)
		}
		return u, err
	})
	select {
	case r := <-ch:
		if r.Err != nil {
			return nil, r.Shared, r.Err
		}
		return r.Val.(*url.URL), r.Shared, nil
	case <-d.ctx.Done():
		return nil, false, d.ctx.Err()
	}
}

// askAddress asks the API where a content is.
func (c *Client) askAddress(ctx context.Context, path string, header http.Header) (*url.URL, error) {
	from, err := c.resolve(http.MethodGet, path)
	if err != nil {
		return nil, err
	}
	var location string
	a := attempt{c: c, method: http.MethodGet, u: from, header: header, op: opOf(http.MethodGet, from), locating: true}
	a.handle = func(res *http.Response, done func()) error {
		defer done()
		if location = res.Header.Get("Location"); location == "" {
			return errors.New("it does not say where the content is")
		}
		return nil
	}
	if err := a.run(ctx); err != nil {
		return nil, err
	}
	return c.follow(a.op, from, location)
}

// follow checks where a redirect leads.
func (c *Client) follow(op string, from *url.URL, location string) (*url.URL, error) {
	u, err := from.Parse(location)
	if err != nil {
		return nil, refused(op, "the address of the content is malformed")
	}
	if !c.contentHost(u) {
		return nil, refused(op, "the content is at %s://%s, which is not among content_hosts", clean(u.Scheme, 20), clean(u.Host, 100))
	}
	return u, nil
}

// get asks a content host.
func (d *download) get(u *url.URL) (got opened, status int, err error) {
	for range redirects {
		req := (&http.Request{
			Method: http.MethodGet, URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			// Compressed answers would hide lengths and ranges.
			Header: http.Header{"Accept-Encoding": {"identity"}},
		}).WithContext(d.ctx)
		if d.c.o.UserAgent != "" {
			req.Header.Set("User-Agent", d.c.o.UserAgent)
		}
		ranged := d.next > 0 || d.end >= 0
		if ranged {
			last := ""
			if d.end >= 0 {
				last = strconv.FormatInt(d.end-1, 10)
			}
			req.Header.Set("Range", fmt.Sprintf("bytes=%d-%s", d.next, last))
		}
		began := time.Now()
		res, err := d.c.http.Do(req)
		if err != nil {
			return opened{}, 0, network(d.op, err)
		}
		d.c.o.Log.DebugContext(d.ctx, "download", "op", d.op, "status", res.StatusCode, "from", d.next, "took", time.Since(began))
		switch {
		case res.StatusCode == http.StatusOK:
			d.body = res.Body
			return opened{0, res.ContentLength, res.Header.Get("ETag"), res.Header}, res.StatusCode, nil
		case res.StatusCode == http.StatusPartialContent && ranged:
			first, total, err := contentRange(res.Header.Get("Content-Range"))
			if err != nil || first != d.next {
				res.Body.Close()
				return opened{}, res.StatusCode, network(d.op, fmt.Errorf("the range is not the one that was asked for"))
			}
			d.body = res.Body
			return opened{first, total, res.Header.Get("ETag"), res.Header}, res.StatusCode, nil
		case res.StatusCode >= 300 && res.StatusCode < 400 && res.Header.Get("Location") != "":
			res.Body.Close()
			if u, err = d.c.follow(d.op, u, res.Header.Get("Location")); err != nil {
				return opened{}, res.StatusCode, err
			}
		default:
			data, _ := io.ReadAll(io.LimitReader(res.Body, errorBody))
			res.Body.Close()
			f := d.c.refusal(d.op, res, data)
			d.c.o.Log.WarnContext(d.ctx, "download refused", "op", d.op, "status", f.Status, "code", f.Code)
			switch res.StatusCode {
			case http.StatusUnauthorized, http.StatusNotFound, http.StatusGone:
				// The API said that the content is here, so this is about the address and not about the item.
				f.Kind = backends.ErrUnavailable
			}
			return opened{}, res.StatusCode, f
		}
	}
	return opened{}, 0, refused(d.op, "the content is behind too many redirects")
}

// contentRange reads "bytes 0-99/100"; the total is SizeUnknown for "*".
func contentRange(v string) (first, total int64, err error) {
	v, ok := strings.CutPrefix(v, "bytes ")
	span, size, found := strings.Cut(v, "/")
	from, _, dash := strings.Cut(span, "-")
	if !ok || !found || !dash {
		return 0, 0, errors.New("malformed Content-Range")
	}
	if first, err = strconv.ParseInt(from, 10, 64); err != nil {
		return 0, 0, err
	}
	if size == "*" {
		return first, backends.SizeUnknown, nil
	}
	total, err = strconv.ParseInt(size, 10, 64)
	return first, total, err
}

// Read implements io.Reader.
func (d *download) Read(p []byte) (int, error) {
	for {
		if d.failed != nil {
			return 0, d.failed
		}
		if d.end >= 0 {
			if d.next >= d.end {
				return 0, io.EOF
			}
			p = p[:min(int64(len(p)), d.end-d.next)]
		}
		n, err := d.body.Read(p)
		d.next += int64(n)
		if err == io.EOF && d.end >= 0 && d.next < d.end {
			err = io.ErrUnexpectedEOF
		}
		if n > 0 || err == nil || err == io.EOF {
			if n > 0 && err != io.EOF {
				// A failure will show again, or be repaired, at the next call.
				return n, nil
			}
			return n, err
		}
		d.failed = d.resume(err)
	}
}

// resume opens the content again at the next byte.
func (d *download) resume(cause error) error {
	d.body.Close()
	d.body = http.NoBody
	if d.ctx.Err() != nil {
		return fmt.Errorf("%s: %w", d.op, d.ctx.Err())
	}
	d.c.o.Log.WarnContext(d.ctx, "download broke off", "op", d.op, "at", d.next, "error", cause)
	if d.next-d.broke >= progress {
		d.tries = 0
	}
	d.broke = d.next
	d.tries++
	if d.tries >= downloadTries {
		return network(d.op, cause)
	}
	got, err := d.open()
	if err != nil {
		return err
	}
	if got.differs(d.first) {
		return &Error{Op: d.op, Kind: backends.ErrStale, Err: errors.New("the content changed while it was read")}
	}
	if got.off < d.next {
		if _, err := io.CopyN(io.Discard, d.body, d.next-got.off); err != nil {
			return network(d.op, err)
		}
	}
	return nil
}

// Close implements io.Closer.
func (d *download) Close() error { return d.body.Close() }
