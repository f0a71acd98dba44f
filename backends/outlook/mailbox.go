package outlook

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/names"
)

// sharedPrefix marks the id of a mailbox that is known by its address alone. Asking for its object id would need a
// permission that reading it does not.
const sharedPrefix = "address:"

// mailboxes is the collection of the root.
const mailboxes = "mailboxes"

func fixedName(name string) names.Wanted { return names.Wanted{Stem: name, Key: name, Fixed: true} }

func userName(name, key string) names.Wanted {
	return names.Wanted{Stem: names.Clean(name), Key: key, User: true}
}

// listMailboxes lists the root: the own mailbox and the shared ones that the configuration names, or those of all users.
func (s *service) listMailboxes(ctx context.Context, sink backends.Sink) error {
	batch := sink.Begin(mailboxes)
	defer batch.Discard()
	seen := map[string]bool{}
	titles := map[string]string{}
	add := func(id, title string) error {
		if lower := strings.ToLower(title); seen[lower] || seen[id] {
			return nil
		} else {
			seen[lower], seen[id] = true, true
		}
		titles[id] = title
		if s.hasNoMailbox(id) {
			return nil
		}
		return batch.Add("", backends.Entry{
			Name:  userName(title, s.key(id, "mailbox", "")),
			ID:    s.id(id, "mailbox", "", ""),
			Item:  id,
			IsDir: true,
			Dir:   dirKey(kindMailbox, id),
			Info:  backends.Info{ServiceID: strings.TrimPrefix(id, sharedPrefix)},
		})
	}
	var err error
	if s.client.AppOnly() {
		err = s.allUsers(ctx, add)
	} else {
		title := s.account.UPN
		if title == "" {
			title = s.account.UserID
		}
		err = add(s.account.UserID, title)
		seen[strings.ToLower(s.account.Mail)] = true
	}
	for _, address := range s.shared {
		if err == nil && address != "" && len(s.parts(sharedPrefix+address)) > 0 {
			err = add(sharedPrefix+strings.ToLower(address), address)
		}
	}
	if err != nil {
		return err
	}
	return batch.Commit(backends.Commit{
		Whole:  []backends.Listing{{Dir: ""}},
		Memory: map[string][]byte{titlesKey: s.gaps.setTitles(titles)},
	})
}

// allUsers calls add for every user. The directory serves pages of up to 999.
func (s *service) allUsers(ctx context.Context, add func(id, title string) error) error {
	q := graph.Opts("$select", "id,userPrincipalName,mail", "$top", "999")
	_, err := s.client.Pages(ctx, "/users", q, func(p graph.Page) error {
		for _, raw := range p.Values {
			var u struct{ ID, UserPrincipalName, Mail string }
			if err := decode(raw, &u); err != nil || u.ID == "" {
				s.log.Warn("user without id left out of the list of mailboxes")
				continue
			}
			title := u.UserPrincipalName
			if title == "" {
				title = u.ID
			}
			if err := add(u.ID, title); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func noMailboxKey(mailbox string) string { return "no-mailbox/" + mailbox }

// hasNoMailbox tells whether a look some time ago found no mailbox.
func (s *service) hasNoMailbox(mailbox string) bool {
	raw, ok := s.memory.Get(noMailboxKey(mailbox))
	if !ok {
		return false
	}
	var at time.Time
	return at.UnmarshalText(raw) == nil && s.now().Sub(at) < s.limits.noMailbox
}

// listMailbox lists mail, calendar and contacts. The look at the first of them tells whether there is a mailbox, and serves
// that one's listing too.
func (s *service) listMailbox(ctx context.Context, mailbox string, sink backends.Sink) error {
	parts := s.parts(mailbox)
	if len(parts) == 0 {
		return backends.ErrNotFound
	}
	err := parts[0].list(ctx, mailbox, sink)
	batch := sink.Begin("mailbox|" + mailbox)
	defer batch.Discard()
	dir := dirKey(kindMailbox, mailbox)
	missing := errors.Is(err, backends.ErrNotFound)
	switch {
	case missing:
		at, _ := s.now().MarshalText()
		s.gaps.note(s.memory, s.gaps.title(mailbox), "There is no mailbox (no licence, a guest, or a mailbox on premises).")
		if err := s.memory.Put(noMailboxKey(mailbox), at); err != nil {
			return err
		}
		return batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir, MaxAge: time.Hour}}})
	case errors.Is(err, backends.ErrForbidden):
		// Each part has a permission of its own.
		s.forbidden(parts[0].kind, mailbox, err)
	case err != nil:
		return err
	default:
		s.gaps.note(s.memory, s.gaps.title(mailbox), "")
	}
	for _, p := range parts {
		err := batch.Add(dir, backends.Entry{
			Name:  fixedName(p.name),
			ID:    s.id(mailbox, p.kind, "", ""),
			Item:  p.name,
			IsDir: true,
			Dir:   dirKey(p.kind, mailbox),
		})
		if err != nil {
			return err
		}
	}
	return batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir, MaxAge: -1}}})
}

// decode fills v from a resource; members of an unexpected type stay empty.
func decode(raw []byte, v any) error {
	err := json.Unmarshal(raw, v)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return nil
	}
	return err
}
