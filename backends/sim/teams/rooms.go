package teams

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
)

// What changes of teams, channels and chats can fail with.
var (
	ErrNameTaken = errors.New("channel name already existed, please use other name")
	ErrPrimary   = errors.New("the primary channel cannot be deleted")
	ErrMember    = errors.New("the person is a member already")
	ErrGone      = errors.New("not found")
)

// system leaves a system message in a conversation. Called with the lock held.
func (s *Store) system(c *Conversation, kind string, by *company.Person, props map[string]any) *Message {
	e := map[string]any{"@odata.type": "#microsoft.graph." + kind + "EventMessageDetail", "initiator": nil}
	if by != nil {
		e["initiator"] = initiator(by)
	}
	for k, v := range props {
		e[k] = v
	}
	m := &Message{Type: typeSystem, Created: s.next(), HTML: true, Body: "<systemEventMessage/>", Event: e}
	m.Modified = m.Created
	c.add(m, nil)
	return m
}

// AddChannel puts a new channel into a team.
func (s *Store) AddChannel(t *Team, c *Channel, by *company.Person) error {
	s.mu.Lock()
	if t.Deleted {
		s.mu.Unlock()
		return ErrGone
	}
	if t.named(c.Name, nil) {
		s.mu.Unlock()
		return ErrNameTaken
	}
	t.Channels = slices.Clone(t.Channels)
	s.addChannel(t, c)
	m := s.system(&c.Conversation, "channelAdded", by, map[string]any{"channelId": c.ID, "channelDisplayName": c.Name})
	s.mu.Unlock()
	s.tell(c.change(Created))
	s.notify(m, Created)
	return nil
}

// named tells whether a channel of the team, other than but, has that name.
func (t *Team) named(name string, but *Channel) bool {
	return slices.ContainsFunc(t.Channels, func(c *Channel) bool { return c != but && strings.EqualFold(c.Name, name) })
}

// EditChannel gives a channel another name or description; nil keeps what is. Its folder keeps the old name.
func (s *Store) EditChannel(c *Channel, name, description *string, by *company.Person) error {
	s.mu.Lock()
	if s.byChan[c.ID] != c {
		s.mu.Unlock()
		return ErrGone
	}
	if name != nil && c.team.named(*name, c) {
		s.mu.Unlock()
		return ErrNameTaken
	}
	var left []*Message
	if name != nil && *name != c.Name {
		c.Name = *name
		left = append(left, s.system(&c.Conversation, "channelRenamed", by, map[string]any{"channelId": c.ID, "channelDisplayName": c.Name}))
	}
	if description != nil && *description != c.Description {
		c.Description = *description
		left = append(left, s.system(&c.Conversation, "channelDescriptionUpdated", by, map[string]any{"channelId": c.ID, "channelDescription": c.Description}))
	}
	s.mu.Unlock()
	s.tell(c.change(Updated))
	for _, m := range left {
		s.notify(m, Created)
	}
	return nil
}

// DeleteChannel ends a channel. Its files stay.
func (s *Store) DeleteChannel(c *Channel, by *company.Person) error {
	s.mu.Lock()
	switch {
	case s.byChan[c.ID] != c:
		s.mu.Unlock()
		return ErrGone
	case c.team.Channels[0] == c:
		s.mu.Unlock()
		return ErrPrimary
	}
	is := func(other *Channel) bool { return other == c }
	c.team.Channels = slices.DeleteFunc(slices.Clone(c.team.Channels), is)
	for _, t := range c.SharedWith {
		t.Incoming = slices.DeleteFunc(slices.Clone(t.Incoming), is)
	}
	delete(s.byChan, c.ID)
	m := s.system(&c.team.Channels[0].Conversation, "channelDeleted", by, map[string]any{"channelId": c.ID, "channelDisplayName": c.Name})
	s.mu.Unlock()
	s.tell(c.change(Deleted))
	s.notify(m, Created)
	return nil
}

// EditTeam gives a team another name or description; nil keeps what is. What is so already is no change.
func (s *Store) EditTeam(t *Team, name, description *string, by *company.Person) {
	s.mu.Lock()
	var left []*Message
	primary := &t.Channels[0].Conversation
	if name != nil && *name != t.Name {
		t.Name = *name
		left = append(left, s.system(primary, "teamRenamed", by, map[string]any{"teamId": t.ID, "teamDisplayName": t.Name}))
	}
	if description != nil && *description != t.Description {
		t.Description = *description
		left = append(left, s.system(primary, "teamDescriptionUpdated", by, map[string]any{"teamId": t.ID, "teamDescription": t.Description}))
	}
	s.mu.Unlock()
	if len(left) > 0 {
		s.tell(Change{TeamID: t.ID, Kind: Updated})
	}
	for _, m := range left {
		s.notify(m, Created)
	}
}

// DeleteTeam ends a team, as the deletion of its group does. Applications can still export its messages.
func (s *Store) DeleteTeam(t *Team) {
	s.mu.Lock()
	gone := !t.Deleted
	t.Deleted = true
	s.mu.Unlock()
	if gone {
		s.tell(Change{TeamID: t.ID, Kind: Deleted})
	}
}

// Team gives the team of a group, nil if the group has none (any more), and its name and description.
func (s *Store) Team(groupID string) (t *Team, name, description string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t = s.team(groupID); t == nil {
		return nil, "", ""
	}
	return t, t.Name, t.Description
}

// AddChat begins a chat. A one-on-one chat that its two people have already is given instead.
func (s *Store) AddChat(c *Chat, by *company.Person) *Chat {
	s.mu.Lock()
	if have := s.byChat[c.ID]; have != nil {
		s.mu.Unlock()
		return have
	}
	c.Created = s.next()
	c.Updated = c.Created
	s.addChat(c)
	var left []*Message
	if c.Kind != "oneOnOne" {
		left = append(left, s.system(&c.Conversation, "membersAdded", by, added(time.Time{}, people(c.Members)...)))
	}
	if c.Topic != "" {
		left = append(left, s.system(&c.Conversation, "chatRenamed", by, map[string]any{"chatId": c.ID, "chatDisplayName": c.Topic}))
	}
	s.mu.Unlock()
	s.tell(c.change(Created))
	for _, m := range left {
		s.notify(m, Created)
	}
	return c
}

// RenameChat gives a group chat another topic.
func (s *Store) RenameChat(c *Chat, topic string, by *company.Person) {
	s.mu.Lock()
	c.Topic, c.Updated = topic, s.next()
	m := s.system(&c.Conversation, "chatRenamed", by, map[string]any{"chatId": c.ID, "chatDisplayName": topic})
	s.mu.Unlock()
	s.tell(c.change(Updated))
	s.notify(m, Created)
}

func people(of []Member) (list []*company.Person) {
	for _, m := range of {
		list = append(list, m.Person)
	}
	return list
}

// added are the properties of a membersAdded event; a zero time stands for all of the history.
func added(from time.Time, who ...*company.Person) map[string]any {
	since := "0001-01-01T00:00:00Z"
	if !from.IsZero() {
		since = from.UTC().Format(time.RFC3339Nano)
	}
	return map[string]any{"members": userIDs(who...), "visibleHistoryStartDateTime": since}
}
