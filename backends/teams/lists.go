package teams

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/permission"
	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/render"
)

// alone runs fn while nobody else does under the same name, so that a listing that began early does not overwrite what
// was learnt while it ran.
func (s *service) alone(ctx context.Context, name string, fn func() error) error {
	s.mu.Lock()
	turn := s.turns[name]
	if turn == nil {
		turn = make(chan struct{}, 1)
		turn <- struct{}{}
		s.turns[name] = turn
	}
	s.mu.Unlock()
	if err := await(ctx, turn); err != nil {
		return err
	}
	defer func() { turn <- struct{}{} }()
	return fn()
}

// watched says how long the listing of a list keeps that subscriptions may tell of.
func (s *service) watched(dir backends.DirKey) []backends.Listing {
	return []backends.Listing{{Dir: dir, MaxAge: s.refresh, Covered: true}}
}

// listTeams lists the teams: those that the user has joined, or all for an application.
func (s *service) listTeams(ctx context.Context, sink backends.Sink) error {
	dir := dirKey(kindChannels)
	return s.alone(ctx, string(dir), func() error {
		b := sink.Begin(string(dir))
		defer b.Discard()
		path, q := "/me/joinedTeams", graph.Query{} // takes no options
		if s.client.AppOnly() {
			path, q = "/teams", graph.Opts("$top", usersPage)
		}
		teams, err := graph.Collect[struct {
			ID          string `json:"id"`
			DisplayName string `json:"displayName"`
		}](ctx, s.client, path, q)
		if err != nil {
			return err
		}
		entries := make([]backends.Entry, 0, len(teams))
		for _, t := range teams {
			e := s.userDir(t.DisplayName, join(kindTeam, t.ID), dirKey(kindTeam, t.ID))
			e.Info.ServiceID = t.ID
			entries = append(entries, e)
		}
		if err := b.Add(dir, distinct(entries)...); err != nil {
			return err
		}
		return b.Commit(backends.Commit{Whole: s.watched(dir)})
	})
}

// unknownEnums asks for enumeration values by name that are newer than the API's first version: shared channels and system
// messages are among them.
const unknownEnums = "include-unknown-enum-members"

// channel holds the fields of a Graph channel that a listing needs.
type channel struct {
	ODataID     string `json:"@odata.id"`
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Created     string `json:"createdDateTime"`
	WebURL      string `json:"webUrl"`
	TenantID    string `json:"tenantId"`
}

// channelQuery leaves out what takes the service long.
func channelQuery() graph.Query {
	q := graph.Opts("$select", "id,displayName,createdDateTime,webUrl,tenantId,membershipType")
	q.Prefer = []string{unknownEnums}
	return q
}

// channelEntry describes the directory of a channel of a host, and puts what is known of it into memory.
func (s *service) channelEntry(host string, c channel, memory map[string][]byte) backends.Entry {
	conversation := s.channel(host, c.ID)
	known := card{}
	known.Created, _ = render.ParseTime(c.Created)
	memory[conversation.cardKey()] = known.value()
	e := s.userDir(c.DisplayName, conversation.identity(), conversation.dir())
	e.Info = backends.Info{ServiceID: c.ID, WebURL: c.WebURL}
	return e
}

// listTeam lists the channels of a team, those hosted there and those shared into it, and the team's members.
func (s *service) listTeam(ctx context.Context, team string, sink backends.Sink) error {
	dir := dirKey(kindTeam, team)
	b := sink.Begin(string(dir))
	defer b.Discard()
	channels, err := graph.Collect[channel](ctx, s.client, graph.Path("teams", team, "channels"), channelQuery())
	if err != nil {
		return err
	}
	var entries []backends.Entry
	memory := map[string][]byte{}
	for _, c := range channels {
		entries = append(entries, s.channelEntry(team, c, memory))
	}
	incoming, err := graph.Collect[channel](ctx, s.client, graph.Path("teams", team, "incomingChannels"), graph.Query{Prefer: []string{unknownEnums}})
	switch {
	case errors.Is(err, backends.ErrForbidden), errors.Is(err, backends.ErrNotFound):
		s.gap("incoming|"+team, "channels", "Channels that other teams share with team "+team+" can't be listed: "+err.Error()+".")
	case err != nil:
		return err
	default:
		s.seen("incoming|" + team)
	}
	for _, c := range incoming {
		host := hostTeam(c.ODataID)
		if host == "" || c.TenantID != "" && guidLike(s.account.Tenant) && !strings.EqualFold(c.TenantID, s.account.Tenant) {
			s.gap("foreign|"+c.ID, "channels", "Shared channel "+c.ID+" belongs to another organisation, whose teams this sign-in can't read.")
			continue
		}
		entries = append(entries, s.channelEntry(host+">"+team, c, memory))
	}
	if !s.view.Allows(permission.Teams, permission.TeamMembers) {
		return s.commitTeam(b, dir, entries, memory)
	}
	members, err := s.teamMembers(ctx, team)
	switch {
	case errors.Is(err, backends.ErrForbidden):
		s.gap("members|"+team, "channels", "Members of some teams can't be read: the sign-in may not, or lacks TeamMember.Read.All.")
	case err != nil:
		return err
	default:
		s.seen("members|" + team)
		entries = append(entries, memberTable(join("members", team), members))
	}
	return s.commitTeam(b, dir, entries, memory)
}

func (s *service) commitTeam(b backends.Batch, dir backends.DirKey, entries []backends.Entry, memory map[string][]byte) error {
	if err := b.Add(dir, distinct(entries)...); err != nil {
		return err
	}
	return b.Commit(backends.Commit{Whole: s.watched(dir), Memory: memory})
}

// listUsers lists the users, below whom an application finds their chats.
func (s *service) listUsers(ctx context.Context, sink backends.Sink) error {
	dir := dirKey(kindUsers)
	b := sink.Begin(string(dir))
	defer b.Discard()
	users, err := graph.Collect[struct {
		ID  string `json:"id"`
		UPN string `json:"userPrincipalName"`
	}](ctx, s.client, "/users", graph.Opts("$select", "id,userPrincipalName", "$top", usersPage))
	if err != nil {
		return err
	}
	entries := make([]backends.Entry, 0, len(users))
	for _, u := range users {
		e := s.userDir(cmp.Or(u.UPN, u.ID), join(kindUser, u.ID), dirKey(kindUser, u.ID))
		e.Info.ServiceID = u.ID
		entries = append(entries, e)
	}
	if err := b.Add(dir, distinct(entries)...); err != nil {
		return err
	}
	return b.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir, MaxAge: s.refresh}}})
}

// chat holds the fields of a Graph chat that a listing needs.
type chat struct {
	ID      string   `json:"id"`
	Topic   string   `json:"topic"`
	Created string   `json:"createdDateTime"`
	WebURL  string   `json:"webUrl"`
	Members []member `json:"members"`
}

// complete reads the members of a chat that has more of them than come with it.
func (s *service) complete(ctx context.Context, c *chat) (err error) {
	if len(c.Members) >= maxExpanded {
		c.Members, err = s.chatMembers(ctx, c.ID)
	}
	return err
}

// chatEntry describes the directory of a chat in a view, and puts what is known of it into memory. A chat is named by its
// topic, else by its members in the order of their ids.
func (s *service) chatEntry(view string, c chat, memory map[string][]byte) backends.Entry {
	conversation := s.chat(view, c.ID)
	known := card{Members: c.Members}
	known.Created, _ = render.ParseTime(c.Created)
	memory[conversation.cardKey()] = known.value()
	stem := names.Slug(c.Topic, names.MaxStem)
	if stem == "" {
		stem = cmp.Or(names.PeopleStem(people(c.Members)), "chat")
	}
	id := conversation.identity()
	return backends.Entry{
		Name: names.Wanted{Stem: stem, Key: s.key(id)}, ID: id, Item: id, IsDir: true, Dir: conversation.dir(),
		Info: backends.Info{ServiceID: c.ID, WebURL: c.WebURL},
	}
}

// listChats lists the chats of a view.
func (s *service) listChats(ctx context.Context, view string, sink backends.Sink) error {
	dir := dirKey(kindChats, view)
	b := sink.Begin(string(dir))
	defer b.Discard()
	path := "/me/chats"
	if view != "" {
		path = graph.Path("users", view, "chats")
	}
	chats, err := graph.Collect[chat](ctx, s.client, path, graph.Opts("$expand", "members", "$top", pageSize))
	if errors.Is(err, backends.ErrNotFound) && view != "" {
		chats, err = nil, nil // a user without Teams
	}
	if err != nil {
		return err
	}
	memory := map[string][]byte{}
	entries := make([]backends.Entry, 0, len(chats))
	for _, c := range chats {
		if err := s.complete(ctx, &c); err != nil {
			return err
		}
		entries = append(entries, s.chatEntry(view, c, memory))
	}
	if err := b.Add(dir, distinct(entries)...); err != nil {
		return err
	}
	return b.Commit(backends.Commit{Whole: s.watched(dir), Memory: memory})
}

// byID sorts notifications by the id that get finds in their paths; ok is false where one has none.
func byID(n []subscription.Notification, get func(target) string) (sorted map[string][]subscription.Notification, ok bool) {
	sorted = map[string][]subscription.Notification{}
	for _, one := range n {
		id := get(parsePath(one.Path))
		if id == "" || one.Change == "" {
			return nil, false
		}
		sorted[id] = append(sorted[id], one)
	}
	return sorted, len(n) > 0
}

// gone and there tell which notifications are not accounted for by an item that could not, or could, be read.
func gone(n []subscription.Notification) []subscription.Notification {
	for _, one := range n {
		if one.Change == "deleted" {
			return nil
		}
	}
	return n
}

func there(n []subscription.Notification) []subscription.Notification {
	if last := n[len(n)-1]; last.Change == "deleted" {
		return []subscription.Notification{last}
	}
	return nil
}

// syncTeam brings the channels of a team up to date of which notifications tell, with a request for each, or all.
func (s *service) syncTeam(ctx context.Context, team string, n []subscription.Notification, sink backends.Sink) (open []subscription.Notification, err error) {
	dir := dirKey(kindTeam, team)
	err = s.alone(ctx, string(dir), func() error {
		if !sink.Dir(dir).Whole {
			return nil
		}
		changed, ok := byID(n, func(t target) string { return t.channel })
		if !ok {
			return s.listTeam(ctx, team, sink)
		}
		b := sink.Begin(string(dir))
		defer b.Discard()
		memory := map[string][]byte{}
		for id, told := range changed {
			var got channel
			err := s.client.Get(ctx, graph.Path("teams", team, "channels", id), channelQuery(), &got)
			switch {
			case errors.Is(err, backends.ErrNotFound), errors.Is(err, backends.ErrForbidden):
				b.Remove(s.channel(team, id).identity())
				open = append(open, gone(told)...)
			case err != nil:
				return err
			default:
				if err := b.Add(dir, s.channelEntry(team, got, memory)); err != nil {
					return err
				}
				open = append(open, there(told)...)
			}
		}
		return b.Commit(backends.Commit{Memory: memory})
	})
	return open, err
}

// syncChats brings the chats of a view up to date of which notifications tell, with a request for each, or all.
func (s *service) syncChats(ctx context.Context, view string, n []subscription.Notification, sink backends.Sink) (open []subscription.Notification, err error) {
	dir := dirKey(kindChats, view)
	err = s.alone(ctx, string(dir), func() error {
		if !sink.Dir(dir).Whole {
			return nil
		}
		changed, ok := byID(n, func(t target) string { return t.chat })
		if !ok {
			return s.listChats(ctx, view, sink)
		}
		b := sink.Begin(string(dir))
		defer b.Discard()
		memory := map[string][]byte{}
		for id, told := range changed {
			got, err := s.chatFacts(ctx, id, told[len(told)-1].At)
			switch {
			case errors.Is(err, backends.ErrNotFound), errors.Is(err, backends.ErrForbidden):
				b.Remove(s.chat(view, id).identity())
				open = append(open, gone(told)...)
			case err != nil:
				return err
			case view != "" && !got.has(view):
				b.Remove(s.chat(view, id).identity())
			default:
				if err := b.Add(dir, s.chatEntry(view, got, memory)); err != nil {
					return err
				}
				open = append(open, there(told)...)
			}
		}
		return b.Commit(backends.Commit{Memory: memory})
	})
	return open, err
}

// has tells whether a user is among the members.
func (c *chat) has(user string) bool {
	for _, m := range c.Members {
		if strings.EqualFold(m.UserID, user) {
			return true
		}
	}
	return false
}

// chatFacts is an answer about a chat: what it is, or why it can't be had.
type chatFacts struct {
	asked, answered time.Time
	chat            chat
	gone            error
}

const (
	// maxChats bounds how many answers about chats are remembered.
	maxChats = 1000
	// shareable is how long an answer is good for other views. Who asks again because it did not show a change yet waits
	// longer than that.
	shareable = 900 * time.Millisecond
)

// chatFacts asks for a chat as it is at a time or later. The views of all its members share one answer.
func (s *service) chatFacts(ctx context.Context, id string, since time.Time) (c chat, err error) {
	err = s.alone(ctx, join("facts", id), func() error {
		s.mu.Lock()
		known, ok := s.chats[id]
		s.mu.Unlock()
		if !ok || known.asked.Before(since) || s.now().Sub(known.answered) >= shareable {
			known = chatFacts{asked: s.now()}
			err := s.client.Get(ctx, graph.Path("chats", id), graph.Opts("$expand", "members"), &known.chat)
			if err == nil {
				err = s.complete(ctx, &known.chat)
			}
			if errors.Is(err, backends.ErrNotFound) || errors.Is(err, backends.ErrForbidden) {
				known.gone = err
			} else if err != nil {
				return err
			}
			known.answered = s.now()
			s.mu.Lock()
			if len(s.chats) >= maxChats {
				clear(s.chats)
			}
			s.chats[id] = known
			s.mu.Unlock()
		}
		c = known.chat
		return known.gone
	})
	return c, err
}
