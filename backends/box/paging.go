package box

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"net/url"
	"strconv"

	"github.com/workfs/workfs/backends"
)

// pageSize is the most that Box gives at once.
const pageSize = 1000

var seed = maphash.MakeSeed()

// byMarker calls fn for each entry of a collection that is read in a view, page by page, by markers. A marker that is null,
// "" or absent is the end; short and empty pages are not. path has a query.
func (b *Backend) byMarker(ctx context.Context, path, view string, fn func(json.RawMessage) error) error {
	seen := map[uint64]bool{}
	marker := ""
	for {
		var page struct {
			Entries []json.RawMessage `json:"entries"`
			Next    text              `json:"next_marker"`
		}
		link := path + "&usemarker=true&limit=" + strconv.Itoa(pageSize)
		if marker != "" {
			link += "&marker=" + url.QueryEscape(marker)
		}
		if err := b.rest.JSON(ctx, link, b.as(view), &page); err != nil {
			return err
		}
		if page.Entries == nil {
			return fmt.Errorf("%w: Box answered without the entries", backends.ErrUnavailable)
		}
		for _, raw := range page.Entries {
			if err := fn(raw); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		marker = string(page.Next)
		sum := maphash.String(seed, marker)
		if seen[sum] {
			return fmt.Errorf("%w: Box's pages go in a circle", backends.ErrUnavailable)
		}
		seen[sum] = true
	}
}

// byOffset does the same for collections without markers. Pages may be short because Box filters them after counting, so
// it goes on by the limit that the answer names, until the total.
func (b *Backend) byOffset(ctx context.Context, path string, fn func(json.RawMessage) error) error {
	for offset := int64(0); ; {
		var page struct {
			Entries []json.RawMessage `json:"entries"`
			Total   *count            `json:"total_count"`
			Limit   *count            `json:"limit"`
		}
		link := path + "&limit=" + strconv.Itoa(pageSize) + "&offset=" + strconv.FormatInt(offset, 10)
		if err := b.rest.JSON(ctx, link, b.as(b.own()), &page); err != nil {
			return err
		}
		if page.Entries == nil || page.Total == nil || *page.Total < 0 {
			return fmt.Errorf("%w: Box answered without the entries or their number", backends.ErrUnavailable)
		}
		for _, raw := range page.Entries {
			if err := fn(raw); err != nil {
				return err
			}
		}
		step := int64(pageSize)
		if page.Limit != nil && *page.Limit > 0 {
			step = min(step, int64(*page.Limit))
		}
		if offset += step; offset >= int64(*page.Total) {
			return nil
		}
	}
}

func (b *Backend) log(what string, args ...any) {
	if b.cfg.Log != nil {
		b.cfg.Log.Warn(what, args...)
	}
}
