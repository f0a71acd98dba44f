package rest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Open sends a request as Do does and gives the answer, of status 200 to 299, without reading it; the caller closes the
// body. A redirect of a GET is followed without credentials and without header, to ContentHosts only: the answer is that of
// the content host then. A longer body keeps its places in the limiters until it is closed, as with Stream.
func (c *Client) Open(ctx context.Context, method, urlOrPath string, header http.Header, body []byte) (*http.Response, error) {
	u, err := c.resolve(method, urlOrPath)
	if err != nil {
		return nil, err
	}
	var got *http.Response
	a := attempt{c: c, method: method, u: u, header: header, body: body, op: opOf(method, u)}
	if method == http.MethodGet {
		a.redirects = true
		// Elsewhere 202 is an answer like others.
		a.locating = strings.HasSuffix(u.Path, "/content")
	}
	a.handle = func(res *http.Response, done func()) error {
		got = res
		return readAhead(res, done)
	}
	if err := a.run(ctx); err != nil {
		return nil, err
	}
	if got.StatusCode < 300 {
		return got, nil
	}
	got.Body.Close()
	signed, err := c.follow(a.op, u, got.Header.Get("Location"))
	if err != nil {
		return nil, err
	}
	// From here on as with Content: the connection is replaced where it breaks.
	d := &download{ctx: ctx, c: c, path: urlOrPath, header: header, key: signed.String(), end: -1, op: opOf("download of", &url.URL{Path: u.Path})}
	c.signed.put(d.key, signed)
	first, err := d.open()
	if err != nil {
		return nil, err
	}
	if d.first = first; first.total >= 0 {
		d.end = first.total
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: first.header, ContentLength: first.total, Body: d,
	}, nil
}

// readAhead has the start of a body in memory, at most streamAhead bytes, and the rest behind it. done is called as soon as
// nothing is left to read.
func readAhead(res *http.Response, done func()) error {
	var head bytes.Buffer
	_, err := io.CopyN(&head, res.Body, streamAhead)
	switch {
	case errors.Is(err, io.EOF):
		done()
		res.Body = io.NopCloser(&head)
	case err != nil:
		done()
		return err
	default:
		res.Body = &stream{Reader: io.MultiReader(&head, res.Body), op: opOf(res.Request.Method, res.Request.URL), done: done}
	}
	return nil
}
