package box

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/rest"
)

// recentItem is an entry of Recents: what the user opened, previewed, uploaded, changed or commented on
// (developer.box.com/reference/get-recent-items).
type recentItem struct {
	Item part[item] `json:"item"`
}

// hasRecents tells whether the connection shows what its user worked with lately. An application has no such memories.
func (b *Backend) hasRecents() bool { return !b.everybody() }

// listRecents shows the files that the user worked with in the last 90 days, at most 1000, wherever they are. They are the
// same contents as in the tree, but files of their own: the same identity in two places could not be of two versions while
// one listing is older than the other. Folders are left out, or all that lies in them would be there twice.
func (b *Backend) listRecents(ctx context.Context, sink backends.Sink) error {
	view := b.own()
	var entries []backends.Entry
	seen := map[string]bool{}
	// The fields are those of the items (box-java-sdk, Recent Items).
	err := b.byMarker(ctx, "/recent_items?fields="+itemFields, view, func(raw json.RawMessage) error {
		var r recentItem
		if json.Unmarshal(raw, &r) != nil || r.Item.V.ID == "" {
			return nil // an item that the user can't see any more
		}
		e, ok := b.entry(view, r.Item.V)
		if !ok || e.IsDir || seen[e.ID] {
			return nil
		}
		seen[e.ID] = true
		e.Content = e.ID
		e.ID = recentKind + "|" + e.ID
		e.Item, e.Name.Key = e.ID, e.ID
		entries = append(entries, e)
		return nil
	})
	if refused(err) {
		b.gap(recentKind, "Box does not give the list of recent files to this sign-in")
		return fmt.Errorf("%w: the recent files (%w)", backends.ErrForbidden, plain(err))
	}
	if err != nil {
		return err
	}
	b.noGap(recentKind)
	sortByName(entries)
	return commit(sink, key(recentKind), b.cfg.MaxAge, entries)
}

// refused tells whether Box does not offer something to this sign-in, whatever the reason. A sign-in that is dead is
// another matter.
func refused(err error) bool {
	var e *rest.Error
	if errors.As(err, &e) && (e.Status == 0 || e.Status == http.StatusUnauthorized) {
		return false
	}
	return errors.Is(err, backends.ErrForbidden) || errors.Is(err, backends.ErrNotFound)
}
