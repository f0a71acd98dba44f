// Package graph is what the Microsoft services share: paths and options, paging, delta links, error codes, request limits
// and the account that is signed in.
//
// Paths are below the version: "/me/messages". Services address a mailbox, team, chat or drive in one way throughout,
// because the limits are kept by the id in the path (the signed-in user's own id and address count as "me").
package graph

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/rest"
)

const version = "/v1.0"

// Config describes a Client.
type Config struct {
	// BaseURL is the cloud's Graph host, https://graph.microsoft.com when empty. The version is added.
	BaseURL string
	// Tenant and ClientID are the connection's; Tenant may be a domain or, for a person, "common" or "organizations".
	Tenant, ClientID string
	// AppOnly says that tokens are the application's own (client credentials), so that there is no /me.
	AppOnly bool
	// Foreign says that tokens come from elsewhere, so that nothing but their use tells what tenant they are for.
	Foreign bool
	// Lineage names the stored sign-in, so that another person's is not taken for the one before; "" where there is nothing
	// to tell apart.
	Lineage string
	// Header is sent with every request to Graph.
	Header http.Header

	Tokens    auth.Source
	Transport http.RoundTripper
	// ContentHosts are the hosts that downloads may be redirected to; empty means those of the cloud.
	ContentHosts []string
	UserAgent    string
	Log          *slog.Logger
	// TeamsInterval is the time between requests for messages of one channel or chat, 1 s by default (limits of Teams).
	TeamsInterval time.Duration
	// Backoff is the first wait where the service names none, 1 s by default.
	Backoff time.Duration
}

// Client talks to Graph. It is safe for concurrent use.
type Client struct {
	cfg    Config
	rest   *rest.Client
	limits limits

	mu      sync.Mutex
	account *Account
}

// New makes a Client without a request.
func New(cfg Config) (*Client, error) {
	cfg.BaseURL = cmp.Or(cfg.BaseURL, "https://graph.microsoft.com")
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, fmt.Errorf("graph_url %q is not an address", cfg.BaseURL)
	}
	base = base.JoinPath(version)
	if len(cfg.ContentHosts) == 0 {
		cfg.ContentHosts = ContentHosts(cfg.BaseURL)
	}
	c := &Client{cfg: cfg, limits: limits{teams: cmp.Or(cfg.TeamsInterval, time.Second)}}
	c.rest = rest.New(rest.Options{
		Base: base, Tokens: cfg.Tokens, Transport: cfg.Transport, UserAgent: cfg.UserAgent,
		ContentHosts: cfg.ContentHosts, Limits: c.limits.of, Classify: classify, Backoff: cfg.Backoff, Log: cfg.Log, Header: cfg.Header,
	})
	return c, nil
}

// AppOnly tells whether the sign-in is an application's.
func (c *Client) AppOnly() bool { return c.cfg.AppOnly }

// Query is what goes with a request besides its path.
type Query struct {
	// Options are names (with $ where they have one) and values by turns, sent in this order, values unescaped.
	Options []string
	// Prefer are values of the Prefer header; IdType="ImmutableId" is always among those sent.
	Prefer []string
	// MaxPage asks for pages of that many elements by odata.maxpagesize; 0 leaves it to the service.
	MaxPage int
	// Header are further headers, as ConsistencyLevel.
	Header http.Header
}

// Opts is a Query of options: Opts("$top", "50", "$select", "id").
func Opts(namesAndValues ...string) Query { return Query{Options: namesAndValues} }

// Path joins segments to a path, each percent-encoded: Path("users", id, "messages").
func Path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		switch s {
		case ".", "..":
			// An id like that must not climb; no real one is.
			s = strings.ReplaceAll(s, ".", "%2E")
		default:
			s = url.PathEscape(s)
		}
		b.WriteString(s)
	}
	return b.String()
}

// with appends the options to a path.
func (q Query) with(path string) string {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	var b strings.Builder
	b.WriteString(path)
	for i := 0; i+1 < len(q.Options); i += 2 {
		b.WriteString(sep + q.Options[i] + "=" + strings.ReplaceAll(url.QueryEscape(q.Options[i+1]), "+", "%20"))
		sep = "&"
	}
	return b.String()
}

// header makes the headers of every request of a query.
func (q Query) header() http.Header {
	h := q.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	prefer := []string{`IdType="ImmutableId"`}
	if q.MaxPage > 0 {
		prefer = append(prefer, "odata.maxpagesize="+strconv.Itoa(q.MaxPage))
	}
	h.Set("Prefer", strings.Join(append(prefer, q.Prefer...), ", "))
	return h
}

// Get reads a resource, "/me/…" or "/users/…" below the version, into out.
func (c *Client) Get(ctx context.Context, path string, q Query, out any) error {
	return c.rest.JSON(ctx, q.with(path), q.header(), out)
}

// Raw reads a resource as it is.
func (c *Client) Raw(ctx context.Context, path string, q Query) (json.RawMessage, error) {
	var raw json.RawMessage
	err := c.rest.JSON(ctx, q.with(path), q.header(), &raw)
	return raw, err
}

// Post sends in as JSON to an action that only reads (those that need a list of ids) and decodes the answer into out.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	_, err := c.Send(ctx, http.MethodPost, path, Query{}, in, out)
	return err
}

// Send makes a request of any method with in as JSON, nil for no body, and decodes the answer into out unless that is nil.
// It gives the headers of the answer. Where it is not known whether the service handled a request, it is not repeated.
func (c *Client) Send(ctx context.Context, method, path string, q Query, in, out any) (http.Header, error) {
	h := q.header()
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, err
		}
		h.Set("Content-Type", "application/json")
	}
	res, err := c.rest.Do(ctx, method, q.with(path), h, body)
	if err != nil {
		return nil, err
	}
	if out == nil {
		return res.Header, nil
	}
	if err := json.Unmarshal(res.Body, out); err != nil {
		return nil, fmt.Errorf("%w: Graph's answer can't be read: %w", backends.ErrUnavailable, err)
	}
	return res.Header, nil
}

// Page is one page of a collection.
type Page struct {
	// Values are valid JSON. They share their memory: who keeps one keeps the page.
	Values []json.RawMessage
	// Count is @odata.count, -1 where the page has none.
	Count int64
	// Next and Delta are the links of the page; at most one is set.
	Next, Delta string
}

// Page reads one page of a collection from its path or a link.
func (c *Client) Page(ctx context.Context, pathOrLink string, q Query) (Page, error) {
	if strings.HasPrefix(pathOrLink, "/") {
		pathOrLink = q.with(pathOrLink)
	}
	var got pageBody
	if err := c.rest.JSON(ctx, pathOrLink, q.header(), &got); err != nil {
		return Page{}, err
	}
	switch {
	case got.Value == nil:
		return Page{}, fmt.Errorf("%w: Graph answered without the collection", backends.ErrUnavailable)
	case strings.HasPrefix(got.Next, "/"), strings.HasPrefix(got.Delta, "/"):
		// It would be taken for a path of ours.
		return Page{}, fmt.Errorf("%w: Graph gave a link without a host", backends.ErrBroken)
	case got.Next != "" && got.Next == pathOrLink:
		return Page{}, errCircle
	}
	page := Page{Values: got.Value, Count: -1, Next: got.Next}
	if got.Count != nil {
		page.Count = *got.Count
	}
	if got.Next == "" {
		page.Delta = got.Delta
	}
	return page, nil
}

var (
	seed      = maphash.MakeSeed()
	errCircle = fmt.Errorf("%w: Graph's pages go in a circle", backends.ErrUnavailable)
)

// Pages reads a collection from its path, a nextLink or a deltaLink, and follows nextLinks byte for byte. The options of q
// go with the first request of a path only (links have them baked in), its headers with every one. fn gets each page once,
// in order, empty ones too; its error ends the run. It returns the deltaLink if the last page had one.
func (c *Client) Pages(ctx context.Context, pathOrLink string, q Query, fn func(Page) error) (deltaLink string, err error) {
	seen := map[uint64]bool{}
	for {
		page, err := c.Page(ctx, pathOrLink, q)
		if err != nil {
			return "", err
		}
		if err := fn(page); err != nil {
			return "", err
		}
		if page.Next == "" {
			return page.Delta, nil
		}
		pathOrLink = page.Next
		sum := maphash.String(seed, pathOrLink)
		if seen[sum] {
			return "", errCircle
		}
		seen[sum] = true
	}
}

// Collect reads all elements of a collection, decoded; none is an empty slice. An element that can't be decoded is
// ErrUnavailable: half a collection would look like a whole one.
func Collect[T any](ctx context.Context, c *Client, path string, q Query) ([]T, error) {
	all := []T{}
	_, err := c.Pages(ctx, path, q, func(p Page) error {
		for _, raw := range p.Values {
			var v T
			if err := json.Unmarshal(raw, &v); err != nil {
				return fmt.Errorf("%w: an element of %s can't be read", backends.ErrUnavailable, path)
			}
			all = append(all, v)
		}
		return nil
	})
	return all, err
}

// Stream opens a $value. Short ones, up to 4 MiB, are read whole and repaired first. A longer one counts as a request in
// flight of its mailbox until the caller closes it, so the caller makes no other request of that mailbox meanwhile.
func (c *Client) Stream(ctx context.Context, path string) (io.ReadCloser, http.Header, error) {
	h := Query{}.header()
	h.Set("Accept", "*/*")
	res, err := c.rest.Stream(ctx, path, h)
	if err != nil {
		return nil, nil, err
	}
	return res.Body, res.Header, nil
}

// Content opens n bytes from off (n < 0: to the end) of a drive item's /content path. The signed address that the service
// redirects to is kept under key, which names the item's version.
func (c *Client) Content(ctx context.Context, path, key string, off, n int64) (backends.Content, error) {
	return c.rest.Content(ctx, path, nil, key, off, n)
}

// classify knows Graph's codes that mean something else than their status.
func classify(status int, code, _ string, _ http.Header) error {
	switch strings.ToLower(code) {
	case "errorcorruptdata", "malwaredetected", "errorcannotopenfileattachment":
		return backends.ErrBroken
	case "activitylimitreached", "applicationthrottled", "toomanyrequests":
		return backends.ErrThrottled
	case "":
		switch status {
		case http.StatusMethodNotAllowed:
			// $value of a reference attachment.
			return backends.ErrBroken
		case http.StatusPaymentRequired:
			return backends.ErrForbidden
		}
	}
	return nil
}

// hasCode tells whether Graph named any of the codes in an error, at any depth; case does not matter.
func hasCode(err error, codes ...string) bool {
	var e *rest.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, got := range e.Codes {
		for _, want := range codes {
			if strings.EqualFold(got, want) {
				return true
			}
		}
	}
	return false
}

// IsResync tells whether err means that a delta link (or a nextLink of a delta round) is spent and the collection has to be
// read anew.
func IsResync(err error) bool {
	var e *rest.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Status == http.StatusGone ||
		hasCode(err, "syncStateNotFound", "syncStateInvalid", "resyncRequired", "fullSyncRequired",
			"resyncChangesApplyDifferences", "resyncChangesUploadDifferences", "resyncApplyDifferences", "resyncUploadDifferences") ||
		e.Status == http.StatusBadRequest && strings.Contains(strings.ToLower(e.Message), "deltatoken")
}

// Spent gives an error of kind ErrUnavailable for one that IsResync knows, for who has read the collection anew and still
// met it: the answer's own kind would say that the collection is gone. Other errors stay as they are.
func Spent(err error) error {
	if !IsResync(err) {
		return err
	}
	return fmt.Errorf("%w: a delta round was cut off: %v", backends.ErrUnavailable, err)
}
