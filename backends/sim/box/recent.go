package box

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// What GET /recent_items goes back to: 90 days or 1000 items, whichever is less (its reference).
const (
	recentAge   = 90 * 24 * time.Hour
	recentItems = 1000
)

// visit is a user's last access to an item.
type visit struct {
	item *item
	what string // item_preview, item_upload, item_comment, item_open or item_modify
	at   time.Time
	link string // the shared link that led there, empty for none
}

func (s *Server) recentRoutes() {
	s.handle("GET /recent_items", scopeRead, (*call).recent)
}

// visit records an access. mu must be held.
func (s *store) visit(u *user, it *item, what string, at time.Time) {
	if s.visits[u] == nil {
		s.visits[u] = map[*item]visit{}
	}
	s.visits[u][it] = visit{item: it, what: what, at: at}
}

// visited records what a change says of its maker's accesses. That a download is an item_open is a guess, and so is that
// accesses through the API count at all. The store's lock must be held.
func (s *Server) visited(ch *change) {
	what := ""
	switch ch.action {
	case ActionUpload:
		what = "item_upload"
		if len(ch.item.versions) > 1 {
			what = "item_modify"
		}
	case ActionPromote:
		what = "item_modify"
	case ActionCommentAdd:
		what = "item_comment"
	case ActionDownload:
		if s.w.Switches.Bool("box.recent_downloads") {
			what = "item_open"
		}
	}
	if what != "" {
		s.store.visit(ch.by, ch.item, what, ch.at)
	}
}

// compareVisit puts the latest first.
func compareVisit(a, b visit) int { return cmp.Or(b.at.Compare(a.at), compareID(a.item, b.item)) }

// recentOf lists a user's accesses, the latest first. The store's lock must be held.
func (c *call) recentOf() []visit {
	var all []visit
	for it, v := range c.s.store.visits[c.v.user] {
		if c.now.Sub(v.at) <= recentAge && !it.inTrash() && c.v.look(it).role != "" {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, compareVisit)
	return all[:min(len(all), recentItems)]
}

// recent lists what the user accessed of late. "fields" are those of the items.
func (c *call) recent() error {
	p, err := c.paging(100, highestLimit, 10000)
	if err != nil {
		return err
	}
	from, err := c.s.decodeMark(p.marker, "recent "+c.v.user.id())
	if err != nil {
		return err
	}
	c.s.store.mu.RLock()
	all := c.recentOf()
	if p.marker != "" {
		last := visit{item: &item{kind: from.Kind, num: from.Num}, at: time.Unix(0, from.Value)}
		all = slices.DeleteFunc(all, func(v visit) bool { return compareVisit(v, last) <= 0 })
	}
	more := len(all) > p.limit
	all = all[:min(len(all), p.limit)]
	var shown []content
	if c.wantsHash() {
		var items []*item
		for _, v := range all {
			items = append(items, v.item)
		}
		shown = contents(items)
	}
	c.s.store.mu.RUnlock()
	hash(shown)
	return c.reading(func() (any, error) {
		entries := []object{}
		for _, v := range all {
			var link any
			if v.link != "" {
				link = v.link
			}
			entries = append(entries, object{
				{"type", "recent_item"}, {"interaction_type", v.what}, {"interacted_at", stamp(v.at, v.item.num)},
				{"item", c.show(v.item, c.v.look(v.item), standard)}, {"interaction_shared_link", link},
			})
		}
		o := object{{"entries", entries}, {"limit", p.limit}, {"order", object{{"by", "interacted_at"}, {"direction", "DESC"}}}}
		if !more {
			return c.s.lastMarker(o), nil
		}
		last := all[len(all)-1]
		next := mark{Scope: "recent " + c.v.user.id(), Kind: last.item.kind, Num: last.item.num, Value: last.at.UnixNano()}
		return append(o, member{"next_marker", c.s.encodeMark(next)}), nil
	})
}

// recents gives a user a past: some documents, a folder that was opened through its link, and one file that nobody looked
// at for too long.
func (g *seeder) recents(u *user) {
	var files []*item
	var walk func(dir *item)
	walk = func(dir *item) {
		for _, it := range dir.children.byName {
			if it.kind == folderKind {
				walk(it)
			} else if it.kind == fileKind {
				files = append(files, it)
			}
		}
	}
	for _, name := range []string{"Finance", "Projects"} {
		walk(u.root.children.named(name))
	}
	end := g.s.w.Start()
	for i, what := range []string{"item_preview", "item_modify", "item_open", "item_preview", "item_upload", "item_comment", "item_preview", "item_preview"} {
		// Each is ever longer ago, the last by 100 days.
		age := time.Duration(i*i*i) * 7 * time.Hour
		if i == 7 {
			age = recentAge + 10*24*time.Hour
		}
		g.s.visit(u, files[(i*9+4)%len(files)], what, end.Add(-age-time.Hour))
	}
	for it := range g.s.visits[u] {
		if it.extra != nil && it.extra.shared != nil {
			v := g.s.visits[u][it]
			v.link = "https://contoso.box.com/s/" + strings.ToLower(it.extra.shared.key)
			g.s.visits[u][it] = v
		}
	}
}
