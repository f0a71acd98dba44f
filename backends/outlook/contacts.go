package outlook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/render"
)

// book is one folder of contacts. Its delta makes it whole and keeps it fresh.
type book struct {
	mailbox, id string

	ops     lock // held while contacts are read and committed
	refresh flight
	gone    gone

	mu     sync.Mutex // guards what follows
	loaded bool
	state  bookState
	// below are the folders inside as of belowAt.
	below   []bookFolder
	belowAt time.Time
}

// bookState is what is remembered of a folder of contacts.
type bookState struct {
	Edition string   `json:"edition"`
	Link    string   `json:"link,omitempty"`
	Below   []string `json:"below,omitempty"` // ids of the folders inside
}

// bookFolder is a folder of contacts as a listing describes it.
type bookFolder struct {
	ID             string        `json:"id"`
	DisplayName    string        `json:"displayName"`
	ParentFolderID string        `json:"parentFolderId,omitempty"`
	ChildFolders   *[]bookFolder `json:"childFolders,omitempty"` // nil where the service did not expand them
	More           string        `json:"childFolders@odata.nextLink,omitempty"`
}

func (s *service) book(mailbox, id string) *book {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := join(mailbox, id)
	b := s.books[k]
	if b == nil {
		b = &book{mailbox: mailbox, id: id, ops: newLock()}
		s.books[k] = b
	}
	return b
}

func (b *book) collection() string   { return join("contacts", b.mailbox, b.id) }
func (b *book) dir() backends.DirKey { return dirKey(kindBook, b.mailbox, b.id) }

func (s *service) bookEntry(mailbox string, f bookFolder) backends.Entry {
	return backends.Entry{
		Name:  userName(cmp.Or(f.DisplayName, f.ID), s.key(mailbox, "contactFolder", f.ID)),
		ID:    s.id(mailbox, "contactFolder", f.ID, ""),
		Item:  "folder:" + f.ID,
		IsDir: true,
		Dir:   dirKey(kindBook, mailbox, f.ID),
		Info:  backends.Info{ServiceID: f.ID},
	}
}

// listContacts lists the folders of contacts: the default one, which the service's list leaves out, and those beside it.
// Those inside it are shown there.
func (s *service) listContacts(ctx context.Context, mailbox string, sink backends.Sink) error {
	batch := sink.Begin(join(kindContacts, mailbox))
	defer batch.Discard()
	memory := map[string][]byte{}
	own, err := s.defaultBook(ctx, mailbox, sink, memory)
	if err != nil {
		return err
	}
	begun := time.Now()
	list, err := s.bookFolders(ctx, mailbox, s.prefix(mailbox)+"/contactFolders")
	if err != nil {
		return err
	}
	if own.ID != "" {
		inside, beside := []bookFolder{}, []bookFolder{own}
		for _, f := range list {
			switch {
			case f.ID == own.ID:
			case f.ParentFolderID == own.ID:
				inside = append(inside, f)
				s.book(mailbox, f.ID).setBelow(f)
			default:
				beside = append(beside, f)
			}
		}
		beside[0].ChildFolders = &inside
		list = beside
	}
	dir := dirKey(kindContacts, mailbox)
	for _, f := range list {
		s.book(mailbox, f.ID).setBelow(f)
		if err := batch.Add(dir, s.bookEntry(mailbox, f)); err != nil {
			return err
		}
	}
	if err := batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir}}, Memory: memory}); err != nil {
		return err
	}
	return s.placeBelow(ctx, mailbox, begun, sink)
}

// placeBelow shows in the directories of a mailbox's folders of contacts the folders inside, of those that were told since.
// A folder that is live is not asked for them, as no subscription tells of folders.
func (s *service) placeBelow(ctx context.Context, mailbox string, since time.Time, sink backends.Sink) error {
	s.mu.Lock()
	books := slices.Collect(maps.Values(s.books))
	s.mu.Unlock()
	for _, b := range books {
		b.mu.Lock()
		below, told := b.below, b.belowAt.After(since)
		b.mu.Unlock()
		if b.mailbox != mailbox || !told || !sink.Dir(b.dir()).Whole {
			continue
		}
		if err := s.commitBelow(ctx, b, below, sink); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) commitBelow(ctx context.Context, b *book, below []bookFolder, sink backends.Sink) error {
	if err := b.ops.acquire(ctx); err != nil {
		return err
	}
	defer b.ops.release()
	next := b.snapshot(sink)
	if len(below) == 0 && len(next.Below) == 0 {
		return nil
	}
	batch := sink.Begin(b.collection())
	defer batch.Discard()
	if err := s.addBelow(b, &next, below, batch); err != nil {
		return err
	}
	return b.commit(batch, next, backends.Commit{})
}

// defaultBook gives the default folder of contacts, whose id never changes, so that it is asked for once.
func (s *service) defaultBook(ctx context.Context, mailbox string, sink backends.Sink, memory map[string][]byte) (bookFolder, error) {
	var own bookFolder
	key := join("default-contacts", mailbox)
	if raw, ok := sink.Get(key); ok && json.Unmarshal(raw, &own) == nil && own.ID != "" {
		return own, nil
	}
	q := graph.Opts("$select", "id,displayName")
	err := s.client.Get(ctx, s.prefix(mailbox)+"/contactFolders/contacts", q, &own)
	if errors.Is(err, backends.ErrNotFound) {
		return bookFolder{}, nil
	}
	if err == nil && own.ID == "" {
		err = fmt.Errorf("folder of contacts without id: %w", backends.ErrUnavailable)
	}
	if err != nil {
		return bookFolder{}, err
	}
	own.DisplayName = cmp.Or(own.DisplayName, "Contacts")
	raw, err := json.Marshal(own)
	memory[key] = raw
	return own, err
}

func (s *service) bookFolders(ctx context.Context, mailbox, path string) ([]bookFolder, error) {
	var list []bookFolder
	_, err := s.client.Pages(ctx, path, graph.Opts("$top", "100", "$expand", "childFolders"), func(p graph.Page) error {
		for _, raw := range p.Values {
			var f bookFolder
			if err := decode(raw, &f); err != nil || f.ID == "" {
				s.log.Warn("folder of contacts without id left out", "mailbox", mailbox)
				continue
			}
			list = append(list, f)
		}
		return nil
	})
	return list, err
}

// setBelow remembers the folders inside, if their parent's listing told them.
func (b *book) setBelow(f bookFolder) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.belowAt = time.Time{}
	if f.ChildFolders != nil && f.More == "" {
		b.below, b.belowAt = *f.ChildFolders, time.Now()
	}
}

// childBooks gives the folders inside a folder of contacts.
func (s *service) childBooks(ctx context.Context, b *book) ([]bookFolder, error) {
	b.mu.Lock()
	list, at := b.below, b.belowAt
	b.mu.Unlock()
	if time.Since(at) < s.limits.treeAge {
		return list, nil
	}
	list, err := s.bookFolders(ctx, b.mailbox, s.prefix(b.mailbox)+graph.Path("contactFolders", b.id, "childFolders"))
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		s.book(b.mailbox, f.ID).setBelow(f)
	}
	b.mu.Lock()
	b.below, b.belowAt = list, time.Now()
	b.mu.Unlock()
	return list, nil
}

// listBook makes a folder of contacts fresh.
func (s *service) listBook(ctx context.Context, b *book, sink backends.Sink) error {
	return b.refresh.do(ctx, func(ctx context.Context) error {
		below, err := s.childBooks(ctx, b)
		if err != nil {
			return err
		}
		if err := b.ops.acquire(ctx); err != nil {
			return err
		}
		defer b.ops.release()
		_, err = s.readBook(ctx, b, &below, sink)
		return err
	})
}

func (b *book) snapshot(memory backends.Memory) bookState {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.loaded {
		b.loaded = true
		if raw, ok := memory.Get(b.collection()); ok && json.Unmarshal(raw, &b.state) != nil {
			b.state = bookState{}
		}
	}
	return b.state
}

// readBook commits what changed since the cursor, or everything where there is none any more, and gives the ids of contacts
// that the answer is about. below are the folders inside; nil leaves them as they are. Needs the operation lock.
func (s *service) readBook(ctx context.Context, b *book, below *[]bookFolder, sink backends.Sink) (told map[string]bool, err error) {
	st := b.snapshot(sink)
	if st.Link != "" && st.Edition == s.edition && sink.Dir(b.dir()).Whole {
		told, err = s.readChanges(ctx, b, st, below, sink)
		if !graph.IsResync(err) {
			return told, err
		}
	}
	if below == nil {
		// What makes the directory whole has to hold them.
		all, err := s.childBooks(ctx, b)
		if err != nil {
			return nil, err
		}
		below = &all
	}
	for range maxTries {
		if told, err = s.readChanges(ctx, b, bookState{}, below, sink); !graph.IsResync(err) {
			break
		}
	}
	return told, graph.Spent(err)
}

// readChanges commits what changed since st's cursor, or everything if it has none.
func (s *service) readChanges(ctx context.Context, b *book, st bookState, below *[]bookFolder, sink backends.Sink) (map[string]bool, error) {
	batch := sink.Begin(b.collection())
	defer batch.Discard()
	path := st.Link
	commit := backends.Commit{Fresh: true}
	if path == "" {
		path = s.prefix(b.mailbox) + graph.Path("contactFolders", b.id, "contacts", "delta")
		commit.Whole = []backends.Listing{{Dir: b.dir(), Covered: true}}
	}
	told := map[string]bool{}
	q := graph.Query{MaxPage: s.limits.deltaPage}
	link, err := s.client.Pages(ctx, path, q, func(p graph.Page) error {
		for _, raw := range p.Values {
			var x facts
			ok := scanFacts(raw, &x)
			told[x.ID] = true
			switch {
			case !ok || x.ID == "":
				s.log.Warn("contact without id left out", "mailbox", b.mailbox)
			case x.Removed:
				batch.Remove(contactItem(x.ID))
				b.gone.add(x.ID)
			default:
				if err := batch.Add(b.dir(), s.contactEntries(b, &x, raw)...); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	next := bookState{Edition: s.edition, Link: link, Below: st.Below}
	if below != nil {
		if err := s.addBelow(b, &next, *below, batch); err != nil {
			return nil, err
		}
	}
	return told, b.commit(batch, next, commit)
}

// addBelow puts the folders inside into a batch, in place of those that next says there are, and into next.
func (s *service) addBelow(b *book, next *bookState, below []bookFolder, batch backends.Batch) error {
	before := next.Below
	next.Below = nil
	for _, f := range below {
		next.Below = append(next.Below, f.ID)
		if err := batch.Add(b.dir(), s.bookEntry(b.mailbox, f)); err != nil {
			return err
		}
	}
	for _, id := range before {
		if !slices.Contains(next.Below, id) {
			batch.Remove("folder:" + id)
		}
	}
	return nil
}

// commit commits a batch together with a state, which takes the place of the folder's.
func (b *book) commit(batch backends.Batch, next bookState, how backends.Commit) error {
	raw, err := json.Marshal(next)
	if err != nil {
		return err
	}
	how.Memory = map[string][]byte{b.collection(): raw}
	if err := batch.Commit(how); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state = next
	return nil
}

func contactItem(id string) string { return "contact:" + id }

func (s *service) contactEntries(b *book, x *facts, raw json.RawMessage) []backends.Entry {
	raw = canonical(raw, x, "#microsoft.graph.contact")
	var c struct {
		EmailAddresses []struct{ Address string }
	}
	// What does not fit stays empty.
	_ = decode(raw, &c)
	stem := ""
	address := ""
	if len(c.EmailAddresses) > 0 {
		address = c.EmailAddresses[0].Address
	}
	for _, name := range []string{render.ContactName(raw), address, "unnamed"} {
		if stem = names.Slug(name, names.MaxStem); stem != "" {
			break
		}
	}
	modified, _ := render.ParseTime(x.Modified)
	created, _ := render.ParseTime(x.Created)
	entry := func(part string) backends.Entry {
		return backends.Entry{
			Name:  names.Wanted{Stem: stem, Key: s.key(b.mailbox, "contact", x.ID), Ext: "." + part},
			ID:    s.id(b.mailbox, "contact", x.ID, part),
			Item:  contactItem(x.ID),
			Btime: created,
			Info:  backends.Info{ServiceID: x.ID, ETag: x.ETag, From: address},
		}
	}
	body, err := render.ContactVCF(raw)
	out := []backends.Entry{rendered(entry("vcf"), body, err, modified)}
	if slices.Contains(s.formats, "json") {
		body, err := render.JSON(raw)
		out = append(out, rendered(entry("json"), body, err, modified))
	}
	return out
}
