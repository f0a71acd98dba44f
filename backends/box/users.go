package box

import (
	"context"
	"encoding/json"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
)

// user is a member of the enterprise.
type user struct {
	ID       text `json:"id"`
	Name     text `json:"name"`
	Login    text `json:"login"`
	Status   text `json:"status"`
	Role     text `json:"role"`
	JobTitle text `json:"job_title"`
	Phone    text `json:"phone"`
	Address  text `json:"address"`
	Language text `json:"language"`
	Timezone text `json:"timezone"`
	Created  when `json:"created_at"`
}

const userFields = "id,name,login,status,role,job_title,phone,address,language,timezone,created_at"

// managedUsers reads the users of the enterprise.
func (b *Backend) managedUsers(ctx context.Context) ([]user, error) {
	var all []user
	seen := map[text]bool{}
	err := b.byMarker(ctx, "/users?user_type=managed&fields="+userFields, b.own(), func(raw json.RawMessage) error {
		var u user
		if json.Unmarshal(raw, &u) != nil || u.ID == "" {
			b.log("a user is unreadable")
			return nil
		}
		if !seen[u.ID] {
			seen[u.ID] = true
			all = append(all, u)
		}
		return nil
	})
	return all, err
}

// listUsers shows everybody whom an enterprise sign-in may act for; whom it may not shows when the files are listed.
func (b *Backend) listUsers(ctx context.Context, sink backends.Sink) error {
	all, err := b.managedUsers(ctx)
	if err != nil {
		return err
	}
	b.know(all)
	entries := make([]backends.Entry, 0, len(all))
	for _, u := range all {
		if reason := b.never(&u); reason != "" && b.cfg.Enterprise && string(u.ID) != b.own() {
			b.cannotAct(string(u.ID), reason)
		}
		id := b.identity(u.ID, "user", string(u.ID))
		name := string(u.Login)
		if name == "" {
			name = "user-" + string(u.ID)
		}
		entries = append(entries, backends.Entry{
			Name: names.Wanted{Stem: names.Clean(name), Key: id, User: true},
			ID:   id, Item: id, IsDir: true, Dir: userKey(string(u.ID)),
			Mtime: u.Created.Time, Ctime: u.Created.Time, Btime: u.Created.Time,
			Info: backends.Info{ServiceID: string(u.ID)},
		})
	}
	return commit(sink, key(usersKind), b.cfg.MaxAge, entries)
}

func (b *Backend) listUser(view string, sink backends.Sink) error {
	return commit(sink, userKey(view), forever, []backends.Entry{
		fixedDir("files", b.identity(text(view), "folder", "0"), folderKey(view, "0")),
	})
}

// know remembers who is in the enterprise.
func (b *Backend) know(all []user) {
	people := make(map[string]user, len(all))
	for _, u := range all {
		people[string(u.ID)] = u
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.people = people
}

// person gives a user of the enterprise, if this program has listed it.
func (b *Backend) person(id string) (user, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u, ok := b.people[id]
	return u, ok
}
