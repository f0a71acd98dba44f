package drive

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
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
	ErrGone        = errors.New("the item is deleted")
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
