package teams

import "github.com/workfs/workfs/backends/sim/graph"

// Notice gives the chatMessage that a change is about, for change notifications. late lets in what clients must opt in to
// see, such as system messages; without it they give nothing.
func (s *Service) Notice(c Change, late bool) (message map[string]any, ok bool) {
	s.Store.mu.RLock()
	defer s.Store.mu.RUnlock()
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
	v := view{graph: s.world.Hosts.Graph, tenant: s.Store.people.TenantID, late: func(newer string) string {
		if late {
			return newer
		}
		return "unknownFutureValue"
	}}
	return v.message(m), true
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
