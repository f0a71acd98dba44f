package box

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/rest"
)

// With the scope enterprise_content a token reads every item of the enterprise by its id, as itself. What it can't have is
// another user's root: folder 0 is always one's own, and no call lists what somebody owns (Box's staff in
// support.box.com, community thread 360049157594). So the items of a root are found by search, whose hits name the folders
// above them, and by the events of the enterprise; what was found once is remembered. Below the root, folders are listed as
// always. This finds a root folder as soon as anything below it is found; what nothing finds is told in Coverage.

// searchWords are looked for in the names of a user's items: a search has to have a word, knows no wildcard, and takes
// several words for alternatives. Names are taken apart at points, so that endings are words; few files have none of these.
var searchWords = strings.Join([]string{
	"pdf doc docx dotx odt rtf txt md tex xls xlsx xlsm ods csv tsv ppt pptx odp key pages numbers boxnote gdoc gsheet gslides",
	"jpg jpeg png gif tif tiff bmp svg heic webp psd ai eps indd mp3 m4a wav mp4 mov avi mkv zip 7z gz tar rar",
	"eml msg ics vcf html htm xml json yaml yml log sql db bak bin exe dmg iso js ts py go java c cpp h sh url dwg dxf",
	"documents files archive projects work drafts new old my data shared private 1 2 3 01 02 2022 2023 2024 2025 2026",
}, " ")

const (
	// searchPage is the most that a search gives at once, searchPages how many pages are read for one listing: there are 60
	// searches a minute, and a listing may take no longer.
	searchPage  = 200
	searchPages = 20
	// mostRoots bounds what is remembered of one root.
	mostRoots = 10000
	// ownedAge is for how long the items of a root are taken for found. The events tell of new ones.
	ownedAge = time.Hour
)

// searchLimits are those of Box for each user: 6 a second and 60 a minute (developer.box.com, Rate limits), a second of which
// is one Config.Backoff here.
func searchLimits(backoff time.Duration) []*rest.Limiter {
	return []*rest.Limiter{rest.NewLimiter(0, 60, backoff), rest.NewLimiter(0, 6, backoff/6)}
}

// foreign tells whether a view is another user's that is seen without acting as that user.
func (b *Backend) foreign(view string) bool { return b.cfg.EnterpriseContent && view != b.own() }

// actor is the user by whose permissions a view is read.
func (b *Backend) actor(view string) string {
	if b.cfg.EnterpriseContent {
		return b.own()
	}
	return view
}

// place is an item of a root.
type place struct {
	Type text `json:"type"`
	ID   text `json:"id"`
}

// hit is an item that a search found, with the folders above it.
type hit struct {
	item
	Owner part[principal] `json:"owned_by"`
	Path  part[struct {
		Entries []place `json:"entries"`
	}] `json:"path_collection"`
}

// top gives the item of the root that a hit is or lies below; false if Box does not say.
func (h *hit) top() (place, bool) {
	switch above := h.Path.V.Entries; {
	case len(above) == 0 || above[0].ID != "0":
		return place{}, false
	case len(above) == 1:
		return place{h.Type, h.ID}, isItem(h.Type) && h.ID != ""
	default:
		return place{"folder", above[1].ID}, above[1].ID != ""
	}
}

// readRoot gives the items of another user's root, as far as they are known or can be found.
func (b *Backend) readRoot(ctx context.Context, view string, memory backends.Memory) ([]backends.Entry, error) {
	places := b.remembered(view, memory)
	known := map[place]bool{}
	for _, p := range places {
		known[p] = true
	}
	found, err := b.search(ctx, view)
	if refused(err) {
		b.gap("users/*/files", "Box does not let this sign-in search the whole enterprise: the application needs the scope enterprise_content, which Box grants on request, and the sign-in has to be an administrator's or the application's own")
		return nil, fmt.Errorf("looking for what user %s owns: %w (%w)", view, backends.ErrForbidden, plain(err))
	}
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		if !known[p] {
			known[p] = true
			places = append(places, p)
		}
	}
	entries := make([]*backends.Entry, len(places))
	asks, ctx := errgroup.WithContext(ctx)
	asks.SetLimit(asksAtOnce)
	for i, p := range places {
		asks.Go(func() (err error) {
			entries[i], err = b.readPlace(ctx, view, p)
			return err
		})
	}
	if err := asks.Wait(); err != nil {
		return nil, err
	}
	var all []backends.Entry
	var still []place
	for i, e := range entries {
		if e != nil {
			all = append(all, *e)
			still = append(still, places[i])
		}
	}
	b.roots.Lock()
	defer b.roots.Unlock()
	// Events may have told of others meanwhile.
	for _, p := range b.remembered(view, memory) {
		if !known[p] {
			still = append(still, p)
		}
	}
	return all, b.rememberPlaces(view, memory, still)
}

// found remembers an item of a root of which events told: a search knows of it minutes later.
func (b *Backend) found(view string, memory backends.Memory, p place) error {
	b.roots.Lock()
	defer b.roots.Unlock()
	all := b.remembered(view, memory)
	if slices.Contains(all, p) {
		return nil
	}
	return b.rememberPlaces(view, memory, append(all, p))
}

// search looks for the items of a user's root.
func (b *Backend) search(ctx context.Context, view string) ([]place, error) {
	q := url.Values{
		"query": {searchWords}, "scope": {"enterprise_content"}, "owner_user_ids": {view}, "content_types": {"name"},
		"fields": {"type,id,owned_by,path_collection"}, "limit": {strconv.Itoa(searchPage)},
	}
	var found []place
	known := map[place]bool{}
	offset := int64(0)
	for range searchPages {
		q.Set("offset", strconv.FormatInt(offset, 10))
		var page struct {
			Entries []json.RawMessage `json:"entries"`
			Total   *count            `json:"total_count"`
			Limit   *count            `json:"limit"`
		}
		if err := b.rest.JSON(ctx, "/search?"+q.Encode(), nil, &page); err != nil {
			return nil, err
		}
		if page.Entries == nil || page.Total == nil {
			return nil, fmt.Errorf("%w: Box answered a search without entries or their number", backends.ErrUnavailable)
		}
		for _, raw := range page.Entries {
			var h hit
			if json.Unmarshal(raw, &h) != nil || string(h.Owner.V.ID) != view {
				continue
			}
			if p, ok := h.top(); ok && !known[p] {
				known[p] = true
				found = append(found, p)
			}
		}
		step := int64(searchPage)
		if page.Limit != nil && *page.Limit > 0 {
			step = min(step, int64(*page.Limit))
		}
		// Box counts before it takes out what may not be seen, so that pages may be short and even empty.
		if offset += step; offset >= int64(*page.Total) {
			break
		}
	}
	return found, nil
}

// readPlace asks for an item of a root; nil if it is not there any more.
func (b *Backend) readPlace(ctx context.Context, view string, p place) (*backends.Entry, error) {
	res, err := b.rest.Do(ctx, http.MethodGet, "/"+string(p.Type)+"s/"+url.PathEscape(string(p.ID))+"?fields="+itemFields+sourceMore, nil, nil)
	if refused(err) || errors.Is(err, backends.ErrBroken) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, ok := decodeSource(res.Body)
	if !ok || string(s.Owner.V.ID) != view || s.Parent.V.ID != "0" {
		return nil, nil
	}
	e, ok := b.entry(view, s.item)
	if !ok {
		return nil, nil
	}
	return &e, nil
}

// rootMemory is where Memory keeps what was found of a root.
func rootMemory(view string) string { return "box/root/" + view }

// remembered gives the items of a root that were found once.
func (b *Backend) remembered(view string, memory backends.Memory) (all []place) {
	if v, ok := memory.Get(rootMemory(view)); ok && json.Unmarshal(v, &all) != nil {
		return nil
	}
	return slices.DeleteFunc(all, func(p place) bool { return !isItem(p.Type) || p.ID == "" })
}

func (b *Backend) rememberPlaces(view string, memory backends.Memory, all []place) error {
	v, err := json.Marshal(all[:min(len(all), mostRoots)])
	if err != nil {
		return err
	}
	return memory.Put(rootMemory(view), v)
}
