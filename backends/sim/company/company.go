package company

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
)

// Password is the password of every person of the company and of its partners, at each service that has a sign-in page.
const Password = "correct horse battery staple"

// Company is one seeded company. It is read-only after New and safe for concurrent use.
type Company struct {
	Seed          int64
	Name          string    // "Contoso"
	Domain        string    // primary mail domain, "contoso.com"
	TenantID      string    // Entra ID tenant GUID
	BoxEnterprise string    // Box enterprise id, decimal
	People        []*Person // members, Alice first, Bob second, Carol third
	Guests        []*Person // guests and external partners
	Shared        []*Person // shared mailboxes
	Rooms         []*Person // meeting rooms
	Groups        []*Group
	Projects      []string // code names

	byKey map[string]*Person
}

// Kind tells what an identity is.
type Kind string

// The kinds of identity.
const (
	Member        Kind = "member"
	Guest         Kind = "guest"
	SharedMailbox Kind = "shared"
	Room          Kind = "room"
)

// Person is one identity in the directory.
type Person struct {
	ID             string // Entra ID object GUID
	BoxID          string // Box user id, decimal
	Kind           Kind
	UPN            string // user principal name; guests have the "#EXT#" form
	Mail           string // primary SMTP address
	DisplayName    string
	GivenName      string
	Surname        string
	JobTitle       string
	Department     string
	Office         string
	BusinessPhone  string
	MobilePhone    string
	Language       string // BCP 47, "en-US"
	TimeZone       string // IANA name
	CompanyName    string
	ManagerID      string // GUID, empty for the head of the company
	AccountEnabled bool
}

// Group is one directory group.
type Group struct {
	ID          string // Entra ID object GUID
	BoxID       string // Box group id, decimal
	DisplayName string
	Nickname    string // mailNickname
	Mail        string // empty for a security group
	Description string
	Unified     bool // a Microsoft 365 group
	Team        bool // has a team in Teams
	Private     bool
	Owners      []*Person
	Members     []*Person // owners included
}

// Has says whether p is a member of g.
func (g *Group) Has(p *Person) bool {
	for _, m := range g.Members {
		if m == p {
			return true
		}
	}
	return false
}

// New builds the company of a seed.
func New(seed int64) *Company {
	c := &Company{Seed: seed, Name: "Contoso", Domain: "contoso.com", byKey: map[string]*Person{}}
	c.TenantID = c.GUID("tenant")
	c.BoxEnterprise = c.Number("box enterprise", 6)
	c.Projects = append([]string(nil), projects...)
	c.addPeople()
	c.addGroups()
	return c
}

// Alice is the person whose mailbox and Box account a delegated sign-in shows.
func (c *Company) Alice() *Person { return c.People[0] }

// Bob is Alice's manager.
func (c *Company) Bob() *Person { return c.People[1] }

// Carol is the head of Legal.
func (c *Company) Carol() *Person { return c.People[2] }

// Everyone lists all identities: people, guests, shared mailboxes and rooms.
func (c *Company) Everyone() []*Person {
	all := append([]*Person(nil), c.People...)
	all = append(all, c.Guests...)
	all = append(all, c.Shared...)
	return append(all, c.Rooms...)
}

// Person finds an identity by GUID, user principal name or mail address, ignoring case; nil when there is none.
func (c *Company) Person(key string) *Person { return c.byKey[strings.ToLower(key)] }

// Group finds a group by GUID, nickname or display name, ignoring case; nil when there is none.
func (c *Company) Group(key string) *Group {
	for _, g := range c.Groups {
		if strings.EqualFold(g.ID, key) || strings.EqualFold(g.Nickname, key) || strings.EqualFold(g.DisplayName, key) {
			return g
		}
	}
	return nil
}

// GUID gives the same version-4-shaped GUID for a purpose every time.
func (c *Company) GUID(purpose string) string {
	b := c.digest("guid", purpose)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// Number gives the same decimal number of the given number of digits (1 to 18), without a leading zero, for a purpose
// every time.
func (c *Company) Number(purpose string, digits int) string {
	b := c.digest("number", purpose)
	low := uint64(1)
	for range digits - 1 {
		low *= 10
	}
	return fmt.Sprint(low + binary.BigEndian.Uint64(b[:8])%(9*low))
}

func (c *Company) digest(kind, purpose string) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%s", c.Seed, kind, purpose))
}

func (c *Company) index(p *Person) {
	for _, k := range []string{p.ID, p.UPN, p.Mail} {
		c.byKey[strings.ToLower(k)] = p
	}
}
