package drive

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/order"
)

const (
	defaultPage = 200 // Graph documentation, driveItem: list children
	maxPage     = 1000
)

// shareURL decodes a sharing token.
func shareURL(token string) (string, bool) {
	enc, ok := strings.CutPrefix(token, "u!")
	if !ok {
		return "", false
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(enc, "="))
	return string(raw), err == nil
}

// children lists a folder by name, forwards or (with $orderby=name desc) backwards.
func (s *Service) children(r *graph.Request, t target) {
	size, ok := r.PageSize(defaultPage, maxPage)
	if !ok {
		return
	}
	s.Store.mu.RLock()
	tag := t.item.eTag()
	page := s.childrenPage(r, t, size)
	s.Store.mu.RUnlock()
	if !notModified(r, tag) {
		r.WritePage(page)
	}
}

// childrenPage builds one page of a folder. Called with the Store's lock held.
func (s *Service) childrenPage(r *graph.Request, t target, size int) (page graph.Page) {
	if !t.item.IsFolder() {
		return page
	}
	mark, resumed := r.State()
	at := order.Key{S: mark}
	walk := t.item.children.After(at)
	if strings.EqualFold(strings.Join(strings.Fields(r.Query.OrderBy), " "), "name desc") {
		walk = t.item.children.Before(nil)
		if resumed {
			walk = t.item.children.Before(&at)
		}
	}
	for k, it := range walk {
		if len(page.Items) == size {
			page.Next = mark
			break
		}
		page.Items = append(page.Items, selected(r, s.itemJSON(t.drive, it, true)))
		mark = k.S
	}
	return page
}

// delta lists what changed in a drive in the order of its last change, so that a folder that got new children comes after
// older ones. Each page repeats the last item of the one before, since the service may list items several times.
func (s *Service) delta(r *graph.Request, t target, function string) {
	if t.item.parent != nil {
		r.Error(http.StatusBadRequest, "invalidRequest", "Delta is supported for the root of this drive only.")
		return
	}
	size, ok := r.PageSize(defaultPage, maxPage)
	if !ok {
		return
	}
	d := t.drive
	from, isDelta := r.DeltaState()
	mark, isNext := r.State()
	if function != "" {
		from, isDelta = function, true
	}
	epoch := strconv.Itoa(s.world.Switches.Int(switchDeltaEpoch))
	var at order.Key
	switch {
	case from == "latest":
		s.Store.mu.RLock()
		last := d.log.Last()
		s.Store.mu.RUnlock()
		r.WritePage(graph.Page{Delta: deltaMark(epoch, last), Token: "token"})
		return
	case isNext || isDelta:
		if !isNext {
			mark = from
		}
		if when, err := time.Parse(time.RFC3339, mark); err == nil {
			at = order.Key{N: when.UnixNano()}
			break
		}
		var known bool
		if at, known = parseMark(epoch, mark); !known {
			r.W.Header().Set("Location", r.Address("/drives/"+d.ID+"/root/delta?token="))
			r.Error(http.StatusGone, s.world.Switches.String(switchResyncCode), "Resync required. Replace any local items with the server's version.")
			return
		}
	}
	s.Store.mu.RLock()
	items, at, more := s.changesAfter(r, d, at, size, isNext)
	s.Store.mu.RUnlock()
	page := graph.Page{Token: "token", Items: items}
	if more {
		page.Next = deltaMark(epoch, at)
	} else {
		page.Delta = deltaMark(epoch, at)
	}
	r.WritePage(page)
}

// changesAfter gives up to n items of the drive's log beyond a position, and the position reached. again puts the item at
// the position itself before them. Called with the Store's lock held.
func (s *Service) changesAfter(r *graph.Request, d *Drive, at order.Key, n int, again bool) (items []any, last order.Key, more bool) {
	if it, found := d.log.Get(at); found && again && n > 0 {
		items = append(items, selected(r, s.deltaJSON(d, it)))
		n++
	}
	for k, it := range d.log.After(at) {
		if len(items) == n {
			return items, at, true
		}
		items = append(items, selected(r, s.deltaJSON(d, it)))
		at = k
	}
	return items, at, false
}

func deltaMark(epoch string, k order.Key) string {
	return epoch + "|" + strconv.FormatInt(k.N, 10) + "|" + k.S
}

// parseMark reads a mark of this epoch.
func parseMark(epoch, mark string) (order.Key, bool) {
	parts := strings.SplitN(mark, "|", 3)
	if len(parts) != 3 || parts[0] != epoch {
		return order.Key{}, false
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	return order.Key{N: n, S: parts[2]}, err == nil
}
