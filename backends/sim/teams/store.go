package teams

import (
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/drive"
)

// Membership types of channels.
const (
	standard = "standard"
	private  = "private"
	shared   = "shared"
)

// Team is one team. It has the id of its group.
type Team struct {
	ID, Name, Description string
	InternalID            string
	Visibility            string
	Created               time.Time
	Archived, Deleted     bool
	Members               []Member
	Channels              []*Channel // hosted here, the primary one first
	Incoming              []*Channel // shared into the team
	Drive                 *drive.Drive
}

// Member is a person's membership of a team, channel or chat.
type Member struct {
	Person   *company.Person
	Role     string    // "owner", "guest" or ""
	TenantID string    // of people of another tenant, else ""
	From     time.Time // visibleHistoryStartDateTime
}

// Channel is one channel of a team.
type Channel struct {
	ID, Name, Description string
	Membership            string // standard, private or shared
	Created               time.Time
	Members               []Member // of private and shared ones; standard ones have the team's
	SharedWith            []*Team
	Drive                 *drive.Drive
	Folder                *drive.Item // nil: not provisioned yet
	TenantID              string      // of the host team, when it is not ours

	team *Team
	Conversation
}

// Chat is one chat.
type Chat struct {
	ID       string
	Topic    string
	Kind     string // oneOnOne, group, meeting
	Created  time.Time
	Updated  time.Time
	Members  []Member
	Meeting  map[string]any // onlineMeetingInfo
	Hidden   bool
	LastRead time.Time

	Conversation
}

// Change tells a listener what happened: to a message; without a MessageID to the membership of MemberID in the team, channel or
// chat; without either to the team (TeamID alone), the channel or the chat itself. A call that also leaves a system message,
// as most on channels and members do, makes one more change for that.
type Change struct {
	TeamID, ChannelID, ChatID string
	MessageID, ReplyToID      string
	MemberID                  string // a user's id
	Kind                      ChangeKind
}

// ChangeKind is a kind of change.
type ChangeKind string

// The kinds of change; an undone deletion is an update.
const (
	Created ChangeKind = "created"
	Updated ChangeKind = "updated"
	Deleted ChangeKind = "deleted"
)

// Store holds all teams and chats. Its methods are safe for concurrent use.
type Store struct {
	mu       sync.RWMutex
	now      func() time.Time
	people   *company.Company
	drives   *drive.Store
	teams    []*Team // deleted ones too
	byTeam   map[string]*Team
	byChan   map[string]*Channel
	chats    []*Chat
	byChat   map[string]*Chat
	listener func(Change)
	lastMS   int64 // the latest time of any change
}

func newStore(now func() time.Time, people *company.Company, drives *drive.Store) *Store {
	return &Store{now: now, people: people, drives: drives, byTeam: map[string]*Team{}, byChan: map[string]*Channel{}, byChat: map[string]*Chat{}}
}

// OnChange sets the one function that hears of every change after it happened; it is called without locks held.
func (s *Store) OnChange(f func(Change)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = f
}

// notify tells the listener of a message. Not to be called with the lock held.
func (s *Store) notify(m *Message, kind ChangeKind) {
	c := m.conv.change(kind)
	c.MessageID = m.ID
	if m.root != nil {
		c.ReplyToID = m.root.ID
	}
	s.tell(c)
}

// tell tells the listener. Not to be called with the lock held.
func (s *Store) tell(c Change) {
	s.mu.RLock()
	f := s.listener
	s.mu.RUnlock()
	if f != nil {
		f(c)
	}
}

// change is a change in a channel or a chat.
func (c *Conversation) change(kind ChangeKind) Change {
	if c.channel != nil {
		return Change{TeamID: c.channel.team.ID, ChannelID: c.channel.ID, Kind: kind}
	}
	return Change{ChatID: c.chat.ID, Kind: kind}
}

// member finds a person among members; nil when absent.
func member(of []Member, userID string) *Member {
	for i := range of {
		if of[i].Person.ID == userID {
			return &of[i]
		}
	}
	return nil
}

// members are the people of a channel.
func (c *Channel) members() []Member {
	if c.Membership == standard {
		return c.team.Members
	}
	return c.Members
}

// allMembers adds those who get in by a team that the channel is shared with.
func (c *Channel) allMembers() []Member {
	all := append([]Member(nil), c.members()...)
	for _, t := range c.SharedWith {
		for _, m := range t.Members {
			if member(all, m.Person.ID) == nil {
				m.Role = ""
				all = append(all, m)
			}
		}
	}
	return all
}

// team finds a live team by id.
func (s *Store) team(id string) *Team {
	if t := s.byTeam[strings.ToLower(id)]; t != nil && !t.Deleted {
		return t
	}
	return nil
}

// teamsOf lists the live teams that a person is a direct member of.
func (s *Store) teamsOf(userID string) (of []*Team) {
	for _, t := range s.teams {
		if !t.Deleted && member(t.Members, userID) != nil {
			of = append(of, t)
		}
	}
	return of
}

func (s *Store) addTeam(t *Team) *Team {
	s.teams = append(s.teams, t)
	s.byTeam[strings.ToLower(t.ID)] = t
	return t
}

func (s *Store) addChannel(t *Team, c *Channel) *Channel {
	c.team = t
	c.Conversation = newConversation()
	c.channel = c
	t.Channels = append(t.Channels, c)
	s.byChan[c.ID] = c
	return c
}

func (s *Store) addChat(c *Chat) *Chat {
	c.Conversation = newConversation()
	c.chat = c
	s.chats = append(s.chats, c)
	s.byChat[c.ID] = c
	return c
}

// last is the newest message of a chat; nil when it has none.
func (c *Chat) last() *Message {
	for _, m := range c.created.Before(nil) {
		return m
	}
	return nil
}
