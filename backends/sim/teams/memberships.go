package teams

import (
	"slices"

	"github.com/workfs/workfs/backends/sim/company"
)

// circle is what people are members of: a team, a channel with members of its own, or a chat. Its fields are those of one of
// the three.
type circle struct {
	members *[]Member
	conv    *Conversation // where joining and leaving is told; nil: nowhere
	change  Change        // without kind and member
	id      string        // part of the members' opaque ids
}

func (t *Team) circle() circle {
	return circle{&t.Members, &t.Channels[0].Conversation, Change{TeamID: t.ID}, t.ID} // the primary channel stays the first
}

func (c *Channel) circle() circle {
	return circle{&c.Members, &c.Conversation, c.Conversation.change(""), c.ID}
}

func (c *Chat) circle() circle {
	return circle{&c.Members, &c.Conversation, c.Conversation.change(""), c.ID}
}

// addMember lets a person in.
func (s *Store) addMember(c circle, m Member, by *company.Person) error {
	return s.regroup(c, m.Person, Created, by, func(list []Member) ([]Member, error) {
		if member(list, m.Person.ID) != nil {
			return nil, ErrMember
		}
		return append(slices.Clone(list), m), nil
	})
}

// Join lets a person into a team, and Leave takes them out, as adding them to its group and removing them from it does. The
// errors are ErrMember and ErrGone, when that is so already.
func (s *Store) Join(t *Team, p *company.Person) error {
	return s.addMember(t.circle(), Member{Person: p, Role: role(p, nil)}, nil)
}

// Leave is the opposite of Join.
func (s *Store) Leave(t *Team, p *company.Person) error { return s.removeMember(t.circle(), p, nil) }

// setRole gives a member another role, "owner" or "".
func (s *Store) setRole(c circle, who *company.Person, role string, by *company.Person) error {
	return s.regroup(c, who, Updated, by, func(list []Member) ([]Member, error) {
		list = slices.Clone(list)
		m := member(list, who.ID)
		if m == nil {
			return nil, ErrGone
		}
		m.Role = role
		return list, nil
	})
}

// removeMember takes a person out. Who leaves a team leaves its private channels too.
func (s *Store) removeMember(c circle, who *company.Person, by *company.Person) error {
	return s.regroup(c, who, Deleted, by, func(list []Member) ([]Member, error) {
		if member(list, who.ID) == nil {
			return nil, ErrGone
		}
		return without(list, who), nil
	})
}

func without(list []Member, who *company.Person) []Member {
	return slices.DeleteFunc(slices.Clone(list), func(m Member) bool { return m.Person.ID == who.ID })
}

// regroup puts another list of members in the place of one. Drives ask for members under their own lock, which is why the
// list is exchanged under both.
func (s *Store) regroup(c circle, who *company.Person, kind ChangeKind, by *company.Person, change func([]Member) ([]Member, error)) error {
	s.mu.Lock()
	list, err := change(*c.members)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	changes := []Change{c.change}
	s.drives.Readers(func() {
		*c.members = list
		if t := s.byTeam[c.change.TeamID]; t != nil && c.change.ChannelID == "" && kind == Deleted {
			for _, ch := range t.Channels {
				if ch.Membership == private && member(ch.Members, who.ID) != nil {
					ch.Members = without(ch.Members, who)
					changes = append(changes, ch.Conversation.change(""))
				}
			}
		}
	})
	m := s.tellMembers(c, who, kind, by)
	s.mu.Unlock()
	for _, one := range changes {
		one.MemberID, one.Kind = who.ID, kind
		s.tell(one)
	}
	s.notify(m, Created)
	return nil
}

// tellMembers leaves the system message of a change. Called with the lock held.
func (s *Store) tellMembers(c circle, who *company.Person, kind ChangeKind, by *company.Person) *Message {
	if chat := c.conv.chat; chat != nil {
		chat.Updated = s.next()
	}
	switch kind {
	case Created:
		return s.system(c.conv, "membersAdded", by, added(member(*c.members, who.ID).From, who))
	case Deleted:
		return s.system(c.conv, "membersDeleted", by, map[string]any{"members": userIDs(who)})
	}
	role := []string{}
	if m := member(*c.members, who.ID); m.Role != "" {
		role = append(role, m.Role)
	}
	return s.system(c.conv, "conversationMemberRoleUpdated", by, map[string]any{"conversationMemberRoles": role, "conversationMemberUser": userIDs(who)[0]})
}
