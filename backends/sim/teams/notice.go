package teams

import "github.com/workfs/workfs/backends/sim/graph"

// Notice gives the resource that a change is about, for change notifications: a chatMessage, a conversationMember, a channel,
// a chat or a team; nil if it is gone. late lets in what clients must opt in to see, such as system messages; ok is false for
// a message that they may not.
func (s *Service) Notice(c Change, late bool) (resource map[string]any, ok bool) {
	s.Store.mu.RLock()
	defer s.Store.mu.RUnlock()
	v := view{graph: s.world.Hosts.Graph, tenant: s.Store.people.TenantID, late: func(newer string) string {
		if late {
			return newer
		}
		return "unknownFutureValue"
	}}
	if c.MessageID == "" {
		return s.roomNotice(c, v), true
	}
	var conv *Conversation
	if channel := s.Store.byChan[c.ChannelID]; channel != nil {
		conv = &channel.Conversation
	} else if chat := s.Store.byChat[c.ChatID]; chat != nil {
		conv = &chat.Conversation
	} else {
		return nil, false
	}
	m := conv.find(c.ReplyToID, c.MessageID)
	if m == nil || m.Type == typeSystem && !late {
		return nil, false
	}
	return v.message(m), true
}

// roomNotice is Notice for what is no message. The lock is held.
func (s *Service) roomNotice(c Change, v view) map[string]any {
	team, channel, chat := s.Store.team(c.TeamID), s.Store.byChan[c.ChannelID], s.Store.byChat[c.ChatID]
	var members []Member
	switch {
	case channel != nil:
		members = channel.members()
	case chat != nil:
		members = chat.Members
	case team != nil && c.ChannelID == "":
		members = team.Members
	}
	switch {
	case c.MemberID != "":
		if m := member(members, c.MemberID); m != nil {
			return v.member(*m, c.container())
		}
	case channel != nil:
		return v.channel(channel)
	case chat != nil:
		return v.chat(chat, "")
	case team != nil && c.ChannelID == "":
		return v.team(team)
	}
	return nil
}

// container is the id of what a membership is in.
func (c Change) container() string {
	if c.ChannelID != "" {
		return c.ChannelID
	}
	return c.TeamID + c.ChatID
}

// MembershipID gives the id of the membership that a change is about.
func (s *Service) MembershipID(c Change) string {
	return membershipID(s.Store.people.TenantID, c.container(), c.MemberID)
}

// InChat tells whether a person is a member of a chat.
func (s *Store) InChat(chatID, userID string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := s.byChat[chatID]
	return c != nil && member(c.Members, userID) != nil
}

// FindTeam tells whether there is a team of that id, and whether the caller may see it.
func (s *Store) FindTeam(id string, caller graph.Caller) (found, allowed bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.team(id)
	return t != nil, t != nil && (caller.AppOnly || member(t.Members, caller.UserID) != nil)
}

// FindChannel tells whether a team has a channel of that id, and whether the caller may see it.
func (s *Store) FindChannel(teamID, id string, caller graph.Caller) (found, allowed bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, c := s.team(teamID), s.byChan[id]
	if t == nil || c == nil || c.team != t {
		return false, false
	}
	return true, c.sees(caller)
}

// FindChat tells whether there is a chat of that id, and whether the caller may see it.
func (s *Store) FindChat(id string, caller graph.Caller) (found, allowed bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := s.byChat[id]
	return c != nil, c != nil && (caller.AppOnly || member(c.Members, caller.UserID) != nil)
}
