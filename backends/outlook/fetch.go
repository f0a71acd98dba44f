package outlook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/render"
	"github.com/workfs/workfs/backends/rest"
	"golang.org/x/net/html"
)

// The kinds of Ref, first part of it.
const (
	refMIME       = "mime" // mailbox, message
	refAttachment = "att"  // mailbox, kind of owner, owner, attachment
	refLink       = "link" // mailbox, kind of owner, owner, name of the attachment
)

// Fetch implements backends.Backend. Nothing here serves ranges.
func (s *service) Fetch(ctx context.Context, f backends.File, _, _ int64) (backends.Content, error) {
	if f.Version == broken || f.Ref == broken {
		return backends.Content{}, fmt.Errorf("outlook: item that can't be rendered: %w", backends.ErrBroken)
	}
	s.asked.Store(time.Now().UnixNano())
	r := split(f.Ref)
	switch {
	case r[0] == refMIME && len(r) == 3:
		c, err := s.stream(ctx, s.prefix(r[1])+graph.Path("messages", r[2], "$value"))
		s.unreadable(r[1], "messages", r[2], err)
		return c, err
	case r[0] == refAttachment && len(r) == 5:
		c, err := s.stream(ctx, s.prefix(r[1])+graph.Path(r[2], r[3], "attachments", r[4], "$value"))
		s.unreadable(r[1], r[2], r[4], err)
		return c, err
	case r[0] == refLink && len(r) == 5:
		return s.link(ctx, owner{r[1], r[2], r[3]}, r[4])
	}
	return backends.Content{}, fmt.Errorf("outlook: no content %q: %w", f.ID, backends.ErrNotFound)
}

func (s *service) stream(ctx context.Context, path string) (backends.Content, error) {
	body, header, err := s.client.Stream(ctx, path)
	if err != nil {
		return backends.Content{}, fmt.Errorf("outlook: fetch: %w", err)
	}
	return backends.Content{ReadCloser: body, Total: contentLength(header)}, nil
}

func contentLength(h http.Header) int64 {
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil && n >= 0 && h.Get("Content-Encoding") == "" {
		return n
	}
	return backends.SizeUnknown
}

// link makes the shortcut for a cloud attachment. v1.0 of the API does not tell its address; it is in the owner's body, as
// the link with the attachment's name. Failing that, the shortcut leads to the owner.
func (s *service) link(ctx context.Context, o owner, name string) (backends.Content, error) {
	var m struct {
		WebLink string `json:"webLink"`
		Body    struct {
			Content string `json:"content"`
		} `json:"body"`
	}
	if err := s.client.Get(ctx, s.item(o), graph.Opts("$select", "webLink,body"), &m); err != nil {
		return backends.Content{}, fmt.Errorf("outlook: fetch link: %w", err)
	}
	if m.WebLink == "" && m.Body.Content == "" {
		return backends.Content{}, fmt.Errorf("outlook: item without body and address: %w", backends.ErrUnavailable)
	}
	target, comment := findLink(m.Body.Content, name), name
	if target == "" {
		target, comment = m.WebLink, name+" (address unknown, this opens the message)"
	}
	body := render.URL(target, comment)
	return backends.Content{ReadCloser: io.NopCloser(bytes.NewReader(body)), Total: int64(len(body))}, nil
}

// maxLinks bounds the links of a body that are looked at.
const maxLinks = 1000

// findLink finds the address of the https link whose text, or whose address, has the attachment's name.
func findLink(body, name string) string {
	if name == "" {
		return ""
	}
	z := html.NewTokenizer(strings.NewReader(body))
	z.SetMaxBuf(1 << 20)
	target, text, links := "", "", 0
	for links < maxLinks {
		switch z.Next() {
		case html.ErrorToken:
			return ""
		case html.StartTagToken:
			if t := z.Token(); t.Data == "a" {
				target, text = "", ""
				links++
				for _, a := range t.Attr {
					if a.Key == "href" && strings.HasPrefix(strings.ToLower(a.Val), "https://") {
						target = a.Val
					}
				}
			}
		case html.TextToken:
			if target != "" && len(text) < 4096 {
				text += string(z.Text())
			}
		case html.EndTagToken:
			t := z.Token()
			if t.Data != "a" || target == "" {
				continue
			}
			plain := strings.Join(strings.Fields(html.UnescapeString(text)), " ")
			if strings.EqualFold(plain, name) || hasPath(target, name) {
				return target
			}
			target = ""
		}
	}
	return ""
}

// hasPath tells whether the path of an address ends in name.
func hasPath(target, name string) bool {
	u, err := url.Parse(target)
	return err == nil && strings.HasSuffix(u.Path, "/"+name)
}

// status gives the HTTP status of an answer that was an error, 0 if err is something else.
func status(err error) int {
	var e *rest.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}
