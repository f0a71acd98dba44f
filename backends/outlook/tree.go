package outlook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
)

// child is a mail folder as its parent's listing describes it.
type child struct {
	ID, DisplayName  string
	ChildFolderCount int
	TotalItemCount   int64
	Type             string  `json:"@odata.type"`
	ChildFolders     []child // where the service expanded them
	More             string  `json:"childFolders@odata.nextLink"`
	expanded         bool
}

func (c *child) isSearch() bool { return strings.HasSuffix(c.Type, "mailSearchFolder") }

// tree is what is known of the folders of one mailbox, by parent; "" is the root.
type tree struct {
	fetching lock
	mu       sync.Mutex
	children map[string]childList
	totals   map[string]total
}

type childList struct {
	asOf time.Time
	list []child
}

// total is a folder's totalItemCount, which counts items of all types and so is never less than its messages.
type total struct {
	asOf  time.Time
	items int64
}

func (s *service) tree(mailbox string) *tree {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trees[mailbox]
	if t == nil {
		t = &tree{fetching: newLock(), children: map[string]childList{}, totals: map[string]total{}}
		s.trees[mailbox] = t
	}
	return t
}

func (t *tree) known(parent string, since time.Time) ([]child, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.children[parent]
	return c.list, ok && c.asOf.After(since)
}

func (t *tree) total(folder string, since time.Time) (int64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, ok := t.totals[folder]
	return n.items, ok && n.asOf.After(since)
}

// put remembers a listing, and those of the children that came expanded.
func (t *tree) put(parent string, list []child, asOf time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.children[parent] = childList{asOf, list}
	for _, c := range list {
		t.totals[c.ID] = total{asOf, c.TotalItemCount}
		switch {
		case c.ChildFolderCount == 0 && len(c.ChildFolders) == 0:
			t.children[c.ID] = childList{asOf, nil}
		case c.expanded && c.More == "" && len(c.ChildFolders) >= c.ChildFolderCount:
			t.children[c.ID] = childList{asOf, c.ChildFolders}
			for _, g := range c.ChildFolders {
				t.totals[g.ID] = total{asOf, g.TotalItemCount}
				if g.ChildFolderCount == 0 {
					t.children[g.ID] = childList{asOf, nil}
				}
			}
		default:
			delete(t.children, c.ID)
		}
	}
}

// childrenOf gives the folders below parent, "" being the root. What was found out on the way to them a moment ago serves,
// unless it is what dir, their listing, was made from.
func (s *service) childrenOf(ctx context.Context, mailbox, parent string, dir backends.DirState) ([]child, error) {
	t := s.tree(mailbox)
	// Real time, because it measures how old something is.
	since := time.Now().Add(-s.limits.treeAge)
	if dir.Whole && dir.AsOf.After(since) {
		since = dir.AsOf
	}
	if dir.Whole && parent == "" {
		since = time.Now()
	}
	if list, ok := t.known(parent, since); ok {
		return list, nil
	}
	if err := t.fetching.acquire(ctx); err != nil {
		return nil, err
	}
	defer t.fetching.release()
	if list, ok := t.known(parent, since); ok {
		return list, nil
	}
	asOf := time.Now()
	list, err := s.fetchChildren(ctx, mailbox, parent)
	if parent == "" && errors.Is(err, backends.ErrForbidden) && strings.HasPrefix(mailbox, sharedPrefix) {
		list, err = s.sharedFolders(ctx, mailbox, err)
	}
	if err != nil {
		return nil, err
	}
	t.put(parent, list, asOf)
	return list, nil
}

func (s *service) fetchChildren(ctx context.Context, mailbox, parent string) ([]child, error) {
	path := s.prefix(mailbox) + "/mailFolders"
	if parent != "" {
		path += graph.Path(parent, "childFolders")
	}
	options := []string{"includeHiddenFolders", "true", "$top", "999"}
	expand := !s.noExpand.Load()
	if expand {
		options = append(options, "$expand", "childFolders")
	}
	var list []child
	_, err := s.client.Pages(ctx, path, graph.Opts(options...), func(p graph.Page) error {
		for _, raw := range p.Values {
			var c child
			if err := decode(raw, &c); err != nil || c.ID == "" {
				s.log.Warn("mail folder without id left out", "mailbox", mailbox)
				continue
			}
			c.expanded = expand
			list = append(list, c)
		}
		return nil
	})
	if err != nil && expand && badRequest(err) {
		s.noExpand.Store(true)
		return s.fetchChildren(ctx, mailbox, parent)
	}
	return list, err
}

// wellKnown are the folders that people share with each other.
var wellKnown = []string{"inbox", "sentitems", "drafts", "deleteditems", "archive", "junkemail"}

// sharedFolders finds what of a mailbox is shared with the caller where the list of its folders is refused: a single
// folder that is shared can be reached by its well-known name only. It gives refused if there is none.
func (s *service) sharedFolders(ctx context.Context, mailbox string, refused error) ([]child, error) {
	var list []child
	for _, name := range wellKnown {
		var c child
		err := s.client.Get(ctx, s.prefix(mailbox)+graph.Path("mailFolders", name), graph.Query{}, &c)
		switch {
		case errors.Is(err, backends.ErrForbidden), errors.Is(err, backends.ErrNotFound):
		case err != nil:
			return nil, err
		case c.ID == "":
			return nil, fmt.Errorf("mail folder without id: %w", backends.ErrUnavailable)
		default:
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		return nil, refused
	}
	s.gaps.note(s.memory, s.gaps.title(mailbox)+"/mail/*", "Only single folders are shared; of these the ones with well-known names can be found.")
	return list, nil
}

// badRequest tells whether the service refused the request's form (400), so that a plainer one may do.
func badRequest(err error) bool {
	return status(err) == 400 && !errors.Is(err, backends.ErrForbidden)
}

// collectionOf names the collection of a mail folder.
func collectionOf(mailbox, folder string) string { return join("mail", mailbox, folder) }

// folderEntries gives the entries of child folders. Search folders show mail that lives elsewhere and are left out.
func (s *service) folderEntries(mailbox string, list []child) []backends.Entry {
	var out []backends.Entry
	for _, c := range list {
		if c.isSearch() {
			s.gaps.note(s.memory, s.gaps.title(mailbox)+"/mail/"+c.DisplayName, "Search folders are left out: they show messages of other folders a second time.")
			continue
		}
		name := c.DisplayName
		if name == "" {
			name = c.ID
		}
		out = append(out, backends.Entry{
			Name:  userName(name, s.key(mailbox, "mailFolder", c.ID)),
			ID:    s.id(mailbox, "mailFolder", c.ID, ""),
			Item:  "folder:" + c.ID,
			IsDir: true,
			Dir:   dirKey(kindFolder, mailbox, c.ID),
			Info:  backends.Info{ServiceID: c.ID},
		})
	}
	return out
}

// listMail lists the folders at the top of a mailbox.
func (s *service) listMail(ctx context.Context, mailbox string, sink backends.Sink) error {
	batch := sink.Begin(collectionOf(mailbox, ""))
	defer batch.Discard()
	dir := dirKey(kindMail, mailbox)
	list, err := s.childrenOf(ctx, mailbox, "", sink.Dir(dir))
	if err != nil {
		return err
	}
	if err := batch.Add(dir, s.folderEntries(mailbox, list)...); err != nil {
		return err
	}
	return batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir}}})
}
