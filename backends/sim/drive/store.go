package drive

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/order"
)

// What the Store's changes can fail with.
var (
	ErrNameTaken   = errors.New("an item with that name exists in the folder")
	ErrInvalidName = errors.New("the name is not allowed")
	ErrNotFolder   = errors.New("the parent is not a folder of this drive")
	ErrRoot        = errors.New("the root cannot be changed")
)

const (
	hashDelay     = time.Minute // from an upload until the hash is there
	promotedBytes = 421
)

// Store holds all drives. Its methods are safe for concurrent use.
type Store struct {
	mu       sync.RWMutex
	now      func() time.Time
	people   *company.Company
	drives   map[string]*Drive
	byUser   map[string]*Drive
	byGroup  map[string]*Drive
	bySite   map[string]*Drive // by site id
	byURL    map[string]*Drive // by the library's URL path, lower case
	byGUID   map[string]*Item
	driveOf  map[string]*Drive // by item id
	listener func(Change)
}

// Change tells a listener what happened to an item.
type Change struct {
	DriveID, ItemID string
	Deleted         bool
}

// Drive is a document library: a person's OneDrive, a team site's, or a private channel's.
type Drive struct {
	ID      string
	Type    string // "business" or "documentLibrary"
	Name    string
	URL     string // of the library, escaped
	SiteURL string
	SiteID  string
	// SiteName is the display name of the site.
	SiteName string
	Created  time.Time
	Owner    *company.Person // of a person's drive
	GroupID  string          // of a team site's drive
	// Readers says whether a signed-in person may see the drive; nil: only its owner.
	Readers func(userID string) bool
	Root    *Item

	items map[string]*Item
	log   order.Index[*Item] // by the time of the last change, deleted ones too
}

// NewStore gives an empty store whose changes happen at the time that now gives.
func NewStore(now func() time.Time, people *company.Company) *Store {
	return &Store{
		now: now, people: people,
		drives: map[string]*Drive{}, byUser: map[string]*Drive{}, byGroup: map[string]*Drive{}, bySite: map[string]*Drive{},
		byURL: map[string]*Drive{}, byGUID: map[string]*Item{}, driveOf: map[string]*Drive{},
	}
}

// OnChange sets the one function that hears of every change after it happened; it is called without locks held.
func (s *Store) OnChange(f func(Change)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = f
}

// notify tells the listener. Not to be called with the lock held.
func (s *Store) notify(c Change) {
	s.mu.RLock()
	f := s.listener
	s.mu.RUnlock()
	if f != nil {
		f(c)
	}
}

// spID makes an id in the form of SharePoint's item ids: "01" and 32 letters and digits.
func (s *Store) spID(purpose string) string {
	guid := strings.ToUpper(strings.ReplaceAll(s.people.GUID(purpose), "-", ""))
	// Hexadecimal digits become letters that base32 has, since no real id looks hexadecimal.
	return "01" + strings.NewReplacer("0", "Q", "1", "W", "8", "Y", "9", "Z").Replace(guid)
}

// AddDrive adds a drive and its root. purpose makes its ids; site is the path of its site, as in "/sites/Engineering" or
// "/personal/alice_contoso_com".
func (s *Store) AddDrive(purpose, site string, d Drive) *Drive {
	s.mu.Lock()
	defer s.mu.Unlock()
	host := "contoso.sharepoint.com"
	library := "Shared Documents"
	if d.Type == "business" {
		host, library = "contoso-my.sharepoint.com", "Documents"
	}
	d.SiteID = host + "," + s.people.GUID("site "+purpose) + "," + s.people.GUID("web "+purpose)
	raw := s.people.GUID("drive "+purpose) + s.people.GUID("list "+purpose)
	d.ID = "b!" + base64.RawURLEncoding.EncodeToString([]byte(strings.ReplaceAll(raw, "-", "")))[:64]
	d.Name = "Documents"
	d.SiteURL = (&url.URL{Scheme: "https", Host: host, Path: site}).String()
	d.URL = (&url.URL{Scheme: "https", Host: host, Path: site + "/" + library}).String()
	d.items = map[string]*Item{}
	p := &d
	p.Root = &Item{
		ID: s.spID("root " + purpose), GUID: s.people.GUID("rootguid " + purpose), Name: "root", Created: d.Created,
		Modified: d.Created, ContentTime: d.Created, CreatedBy: d.Owner, ModifiedBy: d.Owner, children: &order.Index[*Item]{},
	}
	s.drives[d.ID] = p
	s.bySite[d.SiteID] = p
	s.byURL[strings.ToLower(host+site+"/"+library)] = p
	if d.Owner != nil {
		s.byUser[d.Owner.ID] = p
	}
	if d.GroupID != "" {
		s.byGroup[d.GroupID] = p
	}
	s.register(p, p.Root, d.Created)
	return p
}

// register makes an item findable and logs it. Called with the lock held.
func (s *Store) register(d *Drive, it *Item, at time.Time) {
	d.items[it.ID] = it
	s.driveOf[it.ID] = d
	s.byGUID[strings.ToLower(it.GUID)] = it
	it.version, it.cversion = 1, 1
	s.logAt(d, it, at.UnixNano())
}

func (s *Store) logAt(d *Drive, it *Item, n int64) {
	if it.logged != 0 {
		d.log.Delete(order.Key{N: it.logged, S: it.ID})
	}
	it.logged = n
	d.log.Put(order.Key{N: n, S: it.ID}, it)
}

// logNow puts an item at the end of the log: no token that was ever given out lies behind it.
func (s *Store) logNow(d *Drive, it *Item) {
	s.logAt(d, it, max(s.now().UnixNano(), d.log.Last().N+1))
}

// validName is the rule for names in business libraries (support page "Restrictions and limitations in OneDrive and
// SharePoint"). Seeded items may break it, as imported ones do.
func validName(name string) bool {
	return name != "" && len(name) <= 400 && !strings.ContainsAny(name, `\/*<>?:|"`) && !strings.HasPrefix(name, "~") &&
		!strings.HasSuffix(name, ".") && strings.TrimSpace(name) == name
}

// Add puts a new item into a folder at its Created and Modified times, without telling the listener: it is for seeding.
// A missing ID is made from the purpose. folder says that it is one.
func (s *Store) Add(d *Drive, parent *Item, purpose string, folder bool, it *Item) *Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attach(d, parent, purpose, folder, it)
	s.logSeeded(d, it)
	return it
}

// logSeeded registers a seeded item and moves its parents' times along.
func (s *Store) logSeeded(d *Drive, it *Item) {
	s.register(d, it, it.Modified)
	for p := it.parent; p != nil; p = p.parent {
		if p.Modified.Before(it.Modified) {
			p.Modified = it.Modified
			s.logAt(d, p, it.Modified.UnixNano())
		}
	}
}

// attach links an item into its parent. Called with the lock held.
func (s *Store) attach(d *Drive, parent *Item, purpose string, folder bool, it *Item) {
	if it.ID == "" {
		it.ID, it.GUID = s.spID("item "+d.ID+purpose), s.people.GUID("itemguid "+d.ID+purpose)
	}
	if folder {
		it.children = &order.Index[*Item]{}
	}
	if it.ContentTime.IsZero() {
		it.ContentTime = it.Modified
	}
	it.parent = parent
	parent.children.Put(nameKey(it.Name), it)
	for p := parent; p != nil; p = p.parent {
		p.total += it.size()
	}
}

// touchAbove bumps the folders above a changed item: they are in the delta too, and the nearest has a new time.
func (s *Store) touchAbove(d *Drive, it *Item, resized int64) {
	for p := it.parent; p != nil; p = p.parent {
		p.total += resized
		p.version++
		if p == it.parent {
			p.Modified = s.now()
		}
		s.logNow(d, p)
	}
}

// Create makes a folder (content nil) or a file in a folder, as a person does now.
func (s *Store) Create(d *Drive, parent *Item, name string, content Content, contentType string, by *company.Person) (*Item, error) {
	it, err := func() (*Item, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !parent.IsFolder() || parent.deleted {
			return nil, ErrNotFolder
		}
		if !validName(name) {
			return nil, ErrInvalidName
		}
		if _, taken := parent.children.Get(nameKey(name)); taken {
			return nil, ErrNameTaken
		}
		now := s.now()
		it := &Item{Name: name, Created: now, Modified: now, CreatedBy: by, ModifiedBy: by, Content: content, ContentType: contentType, HashAfter: now.Add(hashDelay)}
		purpose := parent.ID + "/" + name + "/" + now.String() + "/" + strconv.FormatInt(d.log.Last().N, 10)
		s.attach(d, parent, purpose, content == nil, it)
		s.register(d, it, now)
		s.logNow(d, it)
		s.touchAbove(d, it, 0)
		return it, nil
	}()
	if err == nil {
		s.notify(Change{DriveID: d.ID, ItemID: it.ID})
	}
	return it, err
}

// SetContent replaces a file's bytes; the old ones become a version.
func (s *Store) SetContent(d *Drive, it *Item, content Content, contentType string, by *company.Person) {
	s.mu.Lock()
	before := it.size()
	it.Older = append(it.Older, &Version{Number: len(it.Older) + 1, Content: it.Content, Modified: it.Modified, By: it.ModifiedBy})
	it.Content, it.StatedSize, it.HashAfter = content, 0, s.now().Add(hashDelay)
	if contentType != "" {
		it.ContentType = contentType
	}
	it.Modified, it.ContentTime, it.ModifiedBy = s.now(), s.now(), by
	it.version++
	it.cversion++
	s.logNow(d, it)
	s.touchAbove(d, it, it.size()-before)
	s.mu.Unlock()
	s.notify(Change{DriveID: d.ID, ItemID: it.ID})
}

// promote does what SharePoint does to an Office file after an upload: it writes the library's properties into it, so that
// listings give another size than before, with a new eTag but the same cTag.
func (s *Store) promote(d *Drive, it *Item, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := it.size()
	it.StatedSize = before + promotedBytes
	it.version++
	s.logAt(d, it, max(at.UnixNano(), it.logged+1))
	for p := it.parent; p != nil; p = p.parent {
		p.total += promotedBytes
	}
}

// Move gives an item another name, another folder or both; a nil parent and an empty name keep what is.
func (s *Store) Move(d *Drive, it, parent *Item, name string, by *company.Person) error {
	err := func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if it.parent == nil {
			return ErrRoot
		}
		if parent == nil {
			parent = it.parent
		}
		if name == "" {
			name = it.Name
		}
		if !validName(name) {
			return ErrInvalidName
		}
		if !parent.IsFolder() || d.items[parent.ID] != parent {
			return ErrNotFolder
		}
		for p := parent; p != nil; p = p.parent {
			if p == it {
				return ErrNotFolder
			}
		}
		if other, taken := parent.children.Get(nameKey(name)); taken && other != it {
			return ErrNameTaken
		}
		it.parent.children.Delete(nameKey(it.Name))
		s.touchAbove(d, it, -it.size())
		it.parent, it.Name = parent, name
		parent.children.Put(nameKey(name), it)
		it.Modified, it.ModifiedBy = s.now(), by
		it.version++
		s.logNow(d, it)
		s.touchAbove(d, it, it.size())
		return nil
	}()
	if err == nil {
		s.notify(Change{DriveID: d.ID, ItemID: it.ID})
	}
	return err
}

// Annotate changes what is neither name nor content: description and the client's own times (zero keeps).
func (s *Store) Annotate(d *Drive, it *Item, description *string, contentTime time.Time, by *company.Person) {
	s.mu.Lock()
	if description != nil {
		it.Description = *description
	}
	if !contentTime.IsZero() {
		it.ContentTime = contentTime
	}
	it.Modified, it.ModifiedBy = s.now(), by
	it.version++
	s.logNow(d, it)
	s.mu.Unlock()
	s.notify(Change{DriveID: d.ID, ItemID: it.ID})
}

// Delete removes an item and all below it.
func (s *Store) Delete(d *Drive, it *Item) error {
	err := func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if it.parent == nil {
			return ErrRoot
		}
		it.parent.children.Delete(nameKey(it.Name))
		s.touchAbove(d, it, -it.size())
		s.bury(d, it)
		return nil
	}()
	if err == nil {
		s.notify(Change{DriveID: d.ID, ItemID: it.ID, Deleted: true})
	}
	return err
}

func (s *Store) bury(d *Drive, it *Item) {
	it.deleted = true
	delete(d.items, it.ID)
	delete(s.byGUID, strings.ToLower(it.GUID))
	s.logNow(d, it)
	if it.children != nil {
		for _, c := range it.children.After(order.Key{}) {
			s.bury(d, c)
		}
	}
}

// walk finds an item below another by names; nil when there is none.
func walk(from *Item, path string) *Item {
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		if from.children == nil {
			return nil
		}
		next, found := from.children.Get(nameKey(name))
		if !found {
			return nil
		}
		from = next
	}
	return from
}

// WebURL is where the item is seen in a browser, and what a Teams message refers to it by.
func (d *Drive) WebURL(it *Item) string {
	var b strings.Builder
	b.WriteString(d.URL)
	for name := range strings.SplitSeq(it.path(), "/") {
		if name != "" {
			b.WriteString("/" + url.PathEscape(name))
		}
	}
	return b.String()
}

// ByURL finds an item by its URL in the library or by a link with sourcedoc={GUID}; nil when there is none.
func (s *Store) ByURL(link string) (*Drive, *Item) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	u, err := url.Parse(link)
	if err != nil {
		return nil, nil
	}
	if doc := strings.Trim(u.Query().Get("sourcedoc"), "{}"); doc != "" {
		if it := s.byGUID[strings.ToLower(doc)]; it != nil {
			return s.driveOf[it.ID], it
		}
		return nil, nil
	}
	// A library's path is three segments long: /sites/Engineering/Shared Documents.
	segments := strings.SplitN(strings.TrimPrefix(u.Path, "/"), "/", 4)
	if len(segments) < 3 {
		return nil, nil
	}
	d := s.byURL[strings.ToLower(u.Host+"/"+strings.Join(segments[:3], "/"))]
	if d == nil {
		return nil, nil
	}
	if len(segments) == 3 {
		return d, d.Root
	}
	return d, walk(d.Root, segments[3])
}

// UserDrive is a person's own drive; nil when there is none.
func (s *Store) UserDrive(userID string) *Drive {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byUser[userID]
}

// Grant lets people read an item and all below it who cannot read its drive, as sharing a file in a chat does.
func (s *Store) Grant(it *Item, people ...*company.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it.Shared = true
	for _, p := range people {
		if !slices.Contains(it.Grants, p) {
			it.Grants = append(it.Grants, p)
		}
	}
}

// Files lists the files directly in a folder, by name.
func (s *Store) Files(folder *Item) (files []*Item) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, it := range folder.children.After(order.Key{}) {
		if it.Content != nil {
			files = append(files, it)
		}
	}
	return files
}

// Child finds an item in a folder by name; nil when there is none.
func (s *Store) Child(folder *Item, name string) *Item {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return walk(folder, name)
}
