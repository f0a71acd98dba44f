package box

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/render"
)

// group is a group of the enterprise.
type group struct {
	ID          text `json:"id"`
	Name        text `json:"name"`
	Type        text `json:"group_type"`
	Description text `json:"description"`
	Provenance  text `json:"provenance"`
	External    text `json:"external_sync_identifier"`
	Created     when `json:"created_at"`
}

const groupFields = "id,name,group_type,description,provenance,external_sync_identifier,created_at"

// membership is one user in a group.
type membership struct {
	User part[struct{ ID, Name, Login text }] `json:"user"`
	Role text                                 `json:"role"`
}

// listDirectory shows who is in the enterprise. What the sign-in may not list is left out and told in Coverage.
func (b *Backend) listDirectory(ctx context.Context, sink backends.Sink) error {
	var entries []backends.Entry
	users, usersErr := b.managedUsers(ctx)
	if err := b.directoryGap("directory/users.csv", usersErr); err != nil {
		return err
	}
	if usersErr == nil {
		entries = append(entries, csvFile("users.csv", usersCSV(users)))
	}
	groups, groupsErr := b.groups(ctx)
	if err := b.directoryGap("directory/groups", groupsErr); err != nil {
		return err
	}
	if groupsErr == nil {
		entries = append(entries, csvFile("groups.csv", groupsCSV(groups)), fixedDir("groups", "groups", key(groupsKind)))
	}
	if usersErr != nil && groupsErr != nil {
		return usersErr
	}
	return commit(sink, key(directoryKind), b.cfg.MaxAge, entries)
}

// directoryGap notes a refusal and passes on every other failure.
func (b *Backend) directoryGap(path string, err error) error {
	if errors.Is(err, backends.ErrForbidden) {
		b.gap(path, "Box refuses the list: the sign-in needs an administrator's right to manage users or groups, and the app the scope")
		return nil
	}
	if err == nil {
		b.noGap(path)
	}
	return err
}

func usersCSV(users []user) []byte {
	slices.SortFunc(users, func(x, y user) int { return cmp.Or(cmp.Compare(x.Login, y.Login), cmp.Compare(x.ID, y.ID)) })
	rows := make([][]string, 0, len(users))
	for _, u := range users {
		rows = append(rows, []string{
			string(u.ID), string(u.Name), string(u.Login), string(u.Status), string(u.Role), string(u.JobTitle),
			string(u.Phone), string(u.Address), string(u.Language), string(u.Timezone), u.Created.String(),
		})
	}
	return render.CSV([]string{"id", "name", "login", "status", "role", "job_title", "phone", "address", "language", "timezone", "created"}, rows)
}

func groupsCSV(groups []group) []byte {
	rows := make([][]string, 0, len(groups))
	for _, g := range groups {
		rows = append(rows, []string{
			string(g.ID), string(g.Name), string(g.Type), string(g.Description), string(g.Provenance), string(g.External), g.Created.String(),
		})
	}
	return render.CSV([]string{"id", "name", "type", "description", "provenance", "external_id", "created"}, rows)
}

// groups reads the groups of the enterprise, ordered by name.
func (b *Backend) groups(ctx context.Context) ([]group, error) {
	var all []group
	seen := map[text]bool{}
	err := b.byOffset(ctx, "/groups?fields="+groupFields, func(raw json.RawMessage) error {
		var g group
		if json.Unmarshal(raw, &g) != nil || g.ID == "" {
			b.log("a group is unreadable")
			return nil
		}
		if !seen[g.ID] {
			seen[g.ID] = true
			all = append(all, g)
		}
		return nil
	})
	slices.SortFunc(all, func(x, y group) int { return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.ID, y.ID)) })
	return all, err
}

// membersAtOnce is how many groups are asked for their members at the same time.
const membersAtOnce = 4

// listGroups shows a file of members per group. The members of each are asked for, because only they tell whether the
// file is another one.
func (b *Backend) listGroups(ctx context.Context, sink backends.Sink) error {
	groups, err := b.groups(ctx)
	if err != nil {
		return err
	}
	bodies := make([][]byte, len(groups))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(membersAtOnce)
	for i, g := range groups {
		work.Go(func() error {
			body, err := b.members(ctx, g)
			if errors.Is(err, backends.ErrNotFound) {
				return nil // removed since the list was made
			}
			bodies[i] = body
			return b.directoryGap("directory/groups/"+string(g.ID), err)
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	var entries []backends.Entry
	for i, g := range groups {
		if bodies[i] == nil {
			continue
		}
		name := string(g.Name)
		if name == "" {
			name = "group-" + string(g.ID)
		}
		e := csvFile("", bodies[i])
		e.ID = b.identity("", "group", string(g.ID))
		e.Item = e.ID
		e.Name = names.Wanted{Stem: names.Clean(name + ".csv"), Key: e.ID, User: true}
		e.Info.ServiceID = string(g.ID)
		entries = append(entries, e)
	}
	return commit(sink, key(groupsKind), b.cfg.MaxAge, entries)
}

func (b *Backend) members(ctx context.Context, g group) ([]byte, error) {
	var rows [][]string
	err := b.byOffset(ctx, "/groups/"+url.PathEscape(string(g.ID))+"/memberships?fields=user,role", func(raw json.RawMessage) error {
		var m membership
		if json.Unmarshal(raw, &m) != nil {
			b.log("a membership is unreadable", "group", g.ID)
			return nil
		}
		rows = append(rows, []string{string(m.User.V.ID), string(m.User.V.Name), string(m.User.V.Login), string(m.Role)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(x, y []string) int { return cmp.Or(cmp.Compare(x[2], y[2]), slices.Compare(x, y)) })
	return render.CSV([]string{"id", "name", "login", "role"}, slices.CompactFunc(rows, slices.Equal)), nil
}

// csvFile is a file of ours whose content the listing gives. Box states no time for it.
func csvFile(name string, body []byte) backends.Entry {
	return backends.Entry{
		Name: names.Wanted{Stem: name, Fixed: true}, ID: "csv|" + name, Item: "csv|" + name,
		Version: hashOf(body), Body: body,
	}
}
