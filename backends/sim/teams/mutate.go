package teams

import (
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
)

// next gives the time of a change that happens now: never one that was used before, so that a token given out earlier never
// lies behind it.
func (s *Store) next() time.Time {
	s.lastMS = max(ms(s.now()), s.lastMS+1)
	return fromMS(s.lastMS)
}

// moment is a time that lies after all changes so far and before all later ones.
func (s *Store) moment() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next()
}

// Post adds a message, as its sender does now. root is the post that it answers in a channel, nil for a new one.
func (s *Store) Post(c *Conversation, root *Message, m *Message) *Message {
	s.mu.Lock()
	m.Created = s.next()
	m.Modified = m.Created
	c.add(m, root)
	s.mu.Unlock()
	s.notify(m, Created)
	return m
}

// Edit gives a message another body; the old one is retained.
func (s *Store) Edit(m *Message, html bool, body string) {
	s.mu.Lock()
	c := m.conv
	at := s.next()
	c.retain(m, at)
	m.Body, m.HTML, m.Edited = body, html, at
	c.touch(m, at)
	s.mu.Unlock()
	s.notify(m, Updated)
}

// SoftDelete empties a message and marks it deleted; the old body is retained. Deleting twice changes nothing.
func (s *Store) SoftDelete(m *Message) {
	s.mu.Lock()
	if !m.Deleted.IsZero() {
		s.mu.Unlock()
		return
	}
	c := m.conv
	at := s.next()
	c.retain(m, at).Deleted = at
	m.undo, m.Body, m.Deleted = m.Body, "", at
	c.touch(m, at)
	s.mu.Unlock()
	s.notify(m, Deleted)
}

// UndoSoftDelete brings a deleted message back.
func (s *Store) UndoSoftDelete(m *Message) {
	s.mu.Lock()
	if m.Deleted.IsZero() {
		s.mu.Unlock()
		return
	}
	m.Body, m.Deleted = m.undo, time.Time{}
	m.conv.touch(m, s.next())
	s.mu.Unlock()
	s.notify(m, Updated)
}

// React sets a person's reaction: it moves etag and modification, never the body.
func (s *Store) React(m *Message, reaction string, by *company.Person) {
	s.mu.Lock()
	at := s.next()
	i := slices.IndexFunc(m.Reactions, func(r Reaction) bool { return r.By == by && r.Type == reaction })
	if i < 0 {
		r := Reaction{Type: reaction, At: at, By: by}
		m.Reactions = append(m.Reactions, r)
		m.History = append(m.History, HistoryItem{At: at, Actions: "reactionAdded", Reaction: r})
	}
	m.conv.touch(m, at)
	s.mu.Unlock()
	s.notify(m, Updated)
}

// Unreact takes a person's reaction away.
func (s *Store) Unreact(m *Message, reaction string, by *company.Person) {
	s.mu.Lock()
	at := s.next()
	m.Reactions = slices.DeleteFunc(slices.Clone(m.Reactions), func(r Reaction) bool {
		gone := r.By == by && strings.EqualFold(r.Type, reaction)
		if gone {
			m.History = append(m.History, HistoryItem{At: at, Actions: "reactionRemoved", Reaction: r})
		}
		return gone
	})
	m.conv.touch(m, at)
	s.mu.Unlock()
	s.notify(m, Updated)
}
