// Package directory shows an organisation's users, groups and presence as tables: users.csv, groups.csv, presence.csv
// and groups/NAME.csv with the members of each group.
//
// The tables are made when they are listed, since their bytes are their version. Members come from the groups' delta,
// which gives those of all groups in a few pages, where asking each group would cost a request each.
package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/permission"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/render"
)

// Config describes the service of one connection.
type Config struct {
	Client  *graph.Client
	Account graph.Account
	Options backends.Options
	// Now is the clock, time.Now when nil. It only decides how long one answer serves several listings.
	Now func() time.Time
}

const (
	dirRoot   backends.DirKey = ""
	dirGroups backends.DirKey = "groups"
	// collection is the one collection of this service.
	collection = "directory"
	// pageSize is the largest page of /users and /groups.
	pageSize = "999"
	// presenceBatch is how many users one presence request may name.
	presenceBatch = 650
	// shareFor is how long the users that one listing read serve another: walking the tree lists both directories.
	shareFor = time.Minute
	// flightTimeout bounds a shared request.
	flightTimeout = time.Minute
)

type service struct {
	client *graph.Client
	scope  string
	view   permission.View
	maxAge time.Duration
	now    func() time.Time

	flights singleflight.Group
	mu      sync.Mutex
	gaps    map[string]string // by path
	users   []user
	usersAt time.Time
}

// New gives the directory of the organisation. It makes no request.
func New(c Config) backends.Backend {
	s := &service{
		client: c.Client,
		scope:  c.Client.Scope(c.Account, "directory"),
		view:   permission.ViewOf(c.Options, c.Client.AppOnly()),
		maxAge: c.Options.MaxAge,
		now:    c.Now,
		gaps:   map[string]string{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// Scope implements backends.Backend.
func (s *service) Scope() string { return s.scope }

// Edition implements backends.Editioned.
func (s *service) Edition() string { return s.view.Edition(permission.Directory, permission.Presence) }

// Coverage implements backends.Backend.
func (s *service) Coverage() []backends.Gap {
	s.mu.Lock()
	defer s.mu.Unlock()
	gaps := make([]backends.Gap, 0, len(s.gaps))
	for path, reason := range s.gaps {
		gaps = append(gaps, backends.Gap{Path: path, Reason: reason})
	}
	slices.SortFunc(gaps, func(a, b backends.Gap) int { return strings.Compare(a.Path, b.Path) })
	return gaps
}

// Fetch implements backends.Backend. All contents come with their listing.
func (s *service) Fetch(context.Context, backends.File, int64, int64) (backends.Content, error) {
	return backends.Content{}, fmt.Errorf("directory: %w: tables are made when they are listed", backends.ErrStale)
}

// List implements backends.Backend.
func (s *service) List(ctx context.Context, dir backends.DirKey, sink backends.Sink) error {
	var entries []backends.Entry
	var err error
	switch {
	case dir == dirRoot:
		entries, err = s.root(ctx)
	case dir == dirGroups && s.view.Groups():
		entries, err = s.groups(ctx)
	default:
		return fmt.Errorf("directory: no directory %q: %w", dir, backends.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	b := sink.Begin(collection)
	defer b.Discard()
	if err := b.Add(dir, entries...); err != nil {
		return err
	}
	return b.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir, MaxAge: s.maxAge}}})
}

// allow turns a missing permission into a gap at path: the table is left out, the others stay.
func (s *service) allow(path, permission string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, backends.ErrForbidden) {
		s.gaps[path] = "the sign-in lacks a permission: ask the administrator for " + permission + " (" + err.Error() + ")"
		return nil
	}
	if err == nil {
		delete(s.gaps, path)
	}
	return err
}

// root lists the tables.
func (s *service) root(ctx context.Context) ([]backends.Entry, error) {
	var entries []backends.Entry
	if s.view.Groups() {
		entries = append(entries, backends.Entry{Name: names.Wanted{Stem: "groups", Fixed: true}, ID: "groups", Item: "groups", IsDir: true, Dir: dirGroups})
		groups, err := s.listGroups(ctx)
		if err == nil {
			entries = append(entries, table("groups.csv", names.Wanted{Stem: "groups.csv", Fixed: true}, groupTable(groups)))
		}
		if err := s.allow("groups.csv", "GroupMember.Read.All", err); err != nil {
			return nil, err
		}
	}
	var users []user
	var noUsers error
	if s.view.Users() || s.view.Allows(permission.Presence) {
		users, noUsers = s.allUsers(ctx)
	}
	if s.view.Users() {
		if noUsers == nil {
			entries = append(entries, table("users", names.Wanted{Stem: "users.csv", Fixed: true}, userTable(users)))
		}
		if err := s.allow("users.csv", "User.Read.All or User.ReadBasic.All", noUsers); err != nil {
			return nil, err
		}
	}
	if s.view.Allows(permission.Presence) {
		var presences map[string]availability
		err := noUsers // whose presence would it be?
		if err == nil {
			presences, err = s.presences(ctx, users)
		}
		if err == nil {
			entries = append(entries, table("presence", names.Wanted{Stem: "presence.csv", Fixed: true}, presenceTable(users, presences)))
		}
		if err := s.allow("presence.csv", "Presence.Read.All", err); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// groups lists the members of each group.
func (s *service) groups(ctx context.Context) ([]backends.Entry, error) {
	groups, err := s.members(ctx)
	if noted := s.allow("groups", "GroupMember.Read.All", err); noted != nil || err != nil {
		return nil, err // a refusal, too: an empty directory would say that there are no groups
	}
	byID, err := s.known(ctx)
	if err != nil {
		return nil, err
	}
	entries := make([]backends.Entry, 0, len(groups))
	for _, g := range groups {
		name := names.Wanted{Stem: names.Clean(g.DisplayName + ".csv"), Key: s.scope + "|group|" + g.ID, User: true}
		e := table("group:"+g.ID, name, memberTable(g, byID))
		e.Info.ServiceID = g.ID
		entries = append(entries, e)
	}
	return entries, nil
}

// known gives the users that may be named, by id: none without the permission, and then members are ids.
func (s *service) known(ctx context.Context) (map[string]*user, error) {
	byID := map[string]*user{}
	if !s.view.Users() {
		return byID, nil
	}
	users, err := s.allUsers(ctx)
	if err != nil && !errors.Is(err, backends.ErrForbidden) {
		return nil, err
	}
	for i := range users {
		byID[users[i].ID] = &users[i]
	}
	return byID, nil
}

// table makes the entry of a table: its bytes are its version, and it has the time at which they were first seen.
func table(id string, name names.Wanted, body []byte) backends.Entry {
	sum := sha256.Sum256(body)
	return backends.Entry{
		Name: name, ID: id, Item: id, Body: body, Size: int64(len(body)),
		Version: fmt.Sprintf("csv%d:%s", render.Version, hex.EncodeToString(sum[:12])),
	}
}

type user struct {
	ID                string   `json:"id"`
	UserPrincipalName string   `json:"userPrincipalName"`
	DisplayName       string   `json:"displayName"`
	Mail              string   `json:"mail"`
	JobTitle          string   `json:"jobTitle"`
	Department        string   `json:"department"`
	OfficeLocation    string   `json:"officeLocation"`
	MobilePhone       string   `json:"mobilePhone"`
	BusinessPhones    []string `json:"businessPhones"`
	UserType          string   `json:"userType"`
}

const userFields = "id,userPrincipalName,displayName,mail,jobTitle,department,officeLocation,mobilePhone,businessPhones,userType"

// allUsers reads all users, once for listings that come together.
func (s *service) allUsers(ctx context.Context) ([]user, error) {
	s.mu.Lock()
	users, at := s.users, s.usersAt
	s.mu.Unlock()
	if users != nil && s.now().Sub(at) < shareFor {
		return users, nil
	}
	got := s.flights.DoChan("users", func() (any, error) {
		// The flight belongs to all who wait for it, so it must not end with the first of them.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTimeout)
		defer cancel()
		users, err := graph.Collect[user](ctx, s.client, "/users", graph.Opts("$select", userFields, "$top", pageSize))
		if err != nil {
			return nil, err
		}
		slices.SortFunc(users, func(a, b user) int {
			if c := strings.Compare(a.UserPrincipalName, b.UserPrincipalName); c != 0 {
				return c
			}
			return strings.Compare(a.ID, b.ID)
		})
		// Pages repeat elements when the directory changes between them.
		users = slices.CompactFunc(users, func(a, b user) bool { return a.ID == b.ID })
		s.mu.Lock()
		s.users, s.usersAt = users, s.now()
		s.mu.Unlock()
		return users, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-got:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.([]user), nil
	}
}

type group struct {
	ID                          string            `json:"id"`
	DisplayName                 string            `json:"displayName"`
	Mail                        string            `json:"mail"`
	Description                 string            `json:"description"`
	GroupTypes                  []string          `json:"groupTypes"`
	ResourceProvisioningOptions []string          `json:"resourceProvisioningOptions"`
	members                     map[string]string // kind by id
}

func byName(a, b group) int {
	if c := strings.Compare(a.DisplayName, b.DisplayName); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

const groupFields = "id,displayName,mail,description,groupTypes,resourceProvisioningOptions"

func (s *service) listGroups(ctx context.Context) ([]group, error) {
	groups, err := graph.Collect[group](ctx, s.client, "/groups", graph.Opts("$select", groupFields, "$top", pageSize))
	slices.SortFunc(groups, byName)
	return slices.CompactFunc(groups, func(a, b group) bool { return a.ID == b.ID }), err
}

// members reads all groups with their members. A group may come several times, each with another part of its members,
// and members that it lost come marked as removed.
func (s *service) members(ctx context.Context) ([]group, error) {
	groups := map[string]*group{}
	q := graph.Opts("$select", "id,displayName,mail,description,groupTypes,members")
	_, err := s.client.Pages(ctx, "/groups/delta", q, func(p graph.Page) error {
		for _, raw := range p.Values {
			var g struct {
				group
				Removed *json.RawMessage `json:"@removed"`
				Members []struct {
					Type    string           `json:"@odata.type"`
					ID      string           `json:"id"`
					Removed *json.RawMessage `json:"@removed"`
				} `json:"members@delta"`
			}
			if err := json.Unmarshal(raw, &g); err != nil || g.ID == "" {
				return fmt.Errorf("%w: a group that can't be read", backends.ErrUnavailable)
			}
			if g.Removed != nil {
				delete(groups, g.ID)
				continue
			}
			known := groups[g.ID]
			if known == nil {
				known = &group{members: map[string]string{}}
				groups[g.ID] = known
			}
			if g.DisplayName != "" {
				members := known.members
				*known = g.group
				known.members = members
			}
			for _, m := range g.Members {
				if m.Removed != nil {
					delete(known.members, m.ID)
				} else {
					known.members[m.ID] = strings.TrimPrefix(m.Type, "#microsoft.graph.")
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, graph.Spent(err)
	}
	list := make([]group, 0, len(groups))
	for id, g := range groups {
		g.ID = id
		list = append(list, *g)
	}
	slices.SortFunc(list, byName)
	return list, nil
}

// availability is the presence of one user.
type availability struct {
	ID            string `json:"id"`
	Availability  string `json:"availability"`
	Activity      string `json:"activity"`
	StatusMessage *struct {
		Message struct {
			Content string `json:"content"`
		} `json:"message"`
	} `json:"statusMessage"`
}

// presences asks for the presence of the users, by id.
func (s *service) presences(ctx context.Context, users []user) (map[string]availability, error) {
	got := make(map[string]availability, len(users))
	for chunk := range slices.Chunk(users, presenceBatch) {
		ids := make([]string, len(chunk))
		for i, u := range chunk {
			ids[i] = u.ID
		}
		var answer struct {
			Value []availability `json:"value"`
		}
		body := map[string]any{"ids": ids}
		if err := s.client.Post(ctx, "/communications/getPresencesByUserId", body, &answer); err != nil {
			return nil, err
		}
		if answer.Value == nil {
			return nil, fmt.Errorf("%w: Graph answered without the presences", backends.ErrUnavailable)
		}
		for _, p := range answer.Value {
			got[p.ID] = p
		}
	}
	return got, nil
}
