package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/rest"
)

// maxAPIPage bounds a page, and so what a single item may take in memory.
const maxAPIPage = 128 << 20

// pager asks for the pages of a list, one after the other, and prints their items as they come: what is held in memory is an
// item. At Graph a page names the next one; Box counts by markers or by offsets.
type pager struct {
	client *rest.Client
	box    bool
	header http.Header
	out    *apiOutput
	lines  bool // one item per line
	raw    bool // the pages as they are

	w     *bufio.Writer
	items int // printed so far
}

// errNoList says that an answer has no pages.
var errNoList = withCode(codeUsage, errors.New("the answer is not a list: leave out --paginate"))

func (p *pager) run(ctx context.Context, path string) error {
	p.w = bufio.NewWriter(p.out.text())
	seed, seen := maphash.MakeSeed(), map[uint64]bool{}
	link, err := p.first(path)
	if err != nil {
		return err
	}
	var last pageFacts
	for link != "" {
		sum := maphash.String(seed, link)
		if seen[sum] {
			return fmt.Errorf("%w: the pages go in a circle", backends.ErrUnavailable)
		}
		seen[sum] = true
		if last, err = p.page(ctx, link); err != nil {
			return p.failed(err, len(seen) > 1)
		}
		if link, err = p.next(link, last); err != nil {
			return err
		}
	}
	p.end(last)
	return p.w.Flush()
}

// failed passes on why a page can't be had. What has been printed stays, without an end, so that nobody takes it for all.
func (p *pager) failed(err error, later bool) error {
	flushed := p.w.Flush()
	var refused *rest.Error
	if later && errors.As(err, &refused) && refused.Status == 0 && errors.Is(err, backends.ErrBroken) {
		return withCode(codeOther, fmt.Errorf("the next page is elsewhere, where nothing was sent: %v", refused.Err))
	}
	return errors.Join(err, flushed)
}

// byMarkerToo are the lists of Box that go by offsets unless they are asked for markers, which neither lose nor repeat items
// of a list that changes (developer.box.com/guides/api-calls/pagination/marker-based).
var byMarkerToo = regexp.MustCompile(`/2\.0/(folders/[^/]+/items|users)$`)

// first gives the address of the first page.
func (p *pager) first(path string) (string, error) {
	u, err := url.Parse(path)
	if err != nil || !p.box || !byMarkerToo.MatchString(u.Path) {
		return path, nil // the client says what is wrong with it
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", withCode(codeUsage, fmt.Errorf("the query of the path is malformed: %w", err))
	}
	for _, own := range []string{"usemarker", "offset", "sort", "direction"} {
		if q.Has(own) {
			return path, nil
		}
	}
	q.Set("usemarker", "true")
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// pageFacts is what a page says besides its items.
type pageFacts struct {
	nextLink, deltaLink, marker string
	offset, limit, total        int64 // -1 for none
}

// page prints the items of a page.
func (p *pager) page(ctx context.Context, link string) (pageFacts, error) {
	facts := pageFacts{offset: -1, limit: -1, total: -1}
	res, err := p.client.Open(ctx, http.MethodGet, link, p.header, nil)
	if err != nil {
		return facts, err
	}
	defer res.Body.Close()
	var body io.Reader = &bounded{r: res.Body, left: maxAPIPage}
	if p.raw {
		body = io.TeeReader(body, p.w)
	}
	d := json.NewDecoder(body)
	if err := p.decode(d, &facts); err != nil {
		return facts, err
	}
	if p.raw {
		if _, err := io.Copy(io.Discard, body); err != nil {
			return facts, err
		}
		fmt.Fprintln(p.w)
	}
	return facts, p.w.Flush()
}

// list is the member of a page that has the items.
func (p *pager) list() string {
	if p.box {
		return "entries"
	}
	return "value"
}

func (p *pager) decode(d *json.Decoder, facts *pageFacts) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return unusable(err, errNoList)
	}
	found := false
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return unusable(err, nil)
		}
		name, _ := t.(string)
		if name != p.list() {
			var v json.RawMessage
			if err := d.Decode(&v); err != nil {
				return unusable(err, nil)
			}
			facts.take(name, v)
			continue
		}
		if t, err := d.Token(); err != nil || t != json.Delim('[') {
			return unusable(err, errNoList)
		}
		found = true
		for d.More() {
			var item json.RawMessage
			if err := d.Decode(&item); err != nil {
				return unusable(err, nil)
			}
			if err := p.print(item); err != nil {
				return err
			}
		}
		if _, err := d.Token(); err != nil {
			return unusable(err, nil)
		}
	}
	if _, err := d.Token(); err != nil {
		return unusable(err, nil)
	}
	if !found {
		return errNoList
	}
	return nil
}

// unusable says what is wrong with a page: it could not be read, or it is something else.
func unusable(err, otherwise error) error {
	switch {
	case err == nil:
		return otherwise
	case errors.Is(err, rest.ErrTooLarge), errors.Is(err, context.Canceled), backends.Temporary(err):
		return err
	}
	return fmt.Errorf("%w: a page is no JSON: %w", backends.ErrUnavailable, err)
}

// take notes a member of a page.
func (f *pageFacts) take(name string, v json.RawMessage) {
	text := func() (s string) {
		_ = json.Unmarshal(v, &s) // null and others are none
		return s
	}
	number := func() int64 {
		n, err := strconv.ParseFloat(string(bytes.Trim(v, `"`)), 64)
		if err != nil || n < 0 || n > 1<<53 {
			return -1
		}
		return int64(n)
	}
	switch name {
	case "@odata.nextLink":
		f.nextLink = text()
	case "@odata.deltaLink":
		f.deltaLink = text()
	case "next_marker":
		f.marker = text()
	case "offset":
		f.offset = number()
	case "limit":
		f.limit = number()
	case "total_count":
		f.total = number()
	}
}

// next gives the address of the page after one, "" after the last.
func (p *pager) next(link string, f pageFacts) (string, error) {
	if !p.box {
		return f.nextLink, nil
	}
	u, err := url.Parse(link)
	if err != nil {
		return "", err
	}
	q := u.Query()
	switch {
	case f.marker != "":
		q.Set("marker", f.marker)
	case f.total >= 0 && q.Get("usemarker") != "true" && f.limit > 0:
		// Pages may be short: Box takes items out after it has counted them. So it is the limit that counts.
		from := f.offset
		if from < 0 {
			from, _ = strconv.ParseInt(q.Get("offset"), 10, 64) // none is 0
		}
		if from+f.limit >= f.total {
			return "", nil
		}
		q.Set("offset", strconv.FormatInt(from+f.limit, 10))
	default:
		return "", nil
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// print writes an item.
func (p *pager) print(item json.RawMessage) error {
	if p.raw {
		return nil
	}
	if p.lines {
		var line bytes.Buffer
		if err := json.Compact(&line, item); err != nil {
			return err
		}
		line.WriteByte('\n')
		_, err := line.WriteTo(p.w)
		return err
	}
	between := ",\n"
	if p.items == 0 {
		between = p.begin() + "\n"
	}
	p.items++
	if _, err := p.w.WriteString(between); err != nil {
		return err
	}
	_, err := p.w.Write(item)
	return err
}

// begin gives the start of a merged list.
func (p *pager) begin() string { return `{"` + p.list() + `":[` }

// end closes a merged list; what the last page says of changes to come stays with it.
func (p *pager) end(last pageFacts) {
	if p.raw || p.lines {
		return
	}
	if p.items == 0 {
		p.w.WriteString(p.begin())
	} else {
		p.w.WriteByte('\n')
	}
	p.w.WriteByte(']')
	if last.deltaLink != "" {
		link, _ := json.Marshal(last.deltaLink) // a string can be encoded
		fmt.Fprintf(p.w, `,"@odata.deltaLink":%s`, link)
	}
	p.w.WriteString("}\n")
}

// bounded reads so much and then fails.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, rest.ErrTooLarge
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
