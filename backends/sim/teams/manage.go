package teams

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/drive"
	"github.com/workfs/workfs/backends/sim/graph"
)

// maxName is the longest name of a channel (resources/channel.md).
const maxName = 50

// manageRoutes registers the changes of teams, channels, chats and memberships, with the permissions of their API pages.
func (s *Service) manageRoutes(g *graph.Server) {
	either := func(d, a string) graph.Perms { return graph.Perms{Delegated: []string{d}, App: []string{a}} }
	g.Handle("PATCH /teams/{team}", both("TeamSettings.ReadWrite.All"), s.patchTeam)
	g.Handle("POST /teams/{team}/channels", both("Channel.Create"), s.createChannel)
	g.Handle("PATCH /teams/{team}/channels/{channel}", both("ChannelSettings.ReadWrite.All"), s.patchChannel)
	g.Handle("DELETE /teams/{team}/channels/{channel}", both("Channel.Delete.All"), s.deleteChannel)
	g.Handle("POST /chats", graph.Perms{Delegated: []string{"Chat.Create", "Chat.ReadWrite"}, App: []string{"Chat.Create"}}, s.createChat)
	g.Handle("PATCH /chats/{chat}", either("Chat.ReadWrite", "Chat.ReadWrite.All"), s.patchChat)
	for container, p := range map[string]graph.Perms{
		"/teams/{team}":                    both("TeamMember.ReadWrite.All"),
		"/teams/{team}/channels/{channel}": both("ChannelMember.ReadWrite.All"),
		"/chats/{chat}":                    {Delegated: []string{"ChatMember.ReadWrite", "Chat.ReadWrite"}, App: []string{"ChatMember.ReadWrite.All", "Chat.ReadWrite.All"}},
	} {
		g.Handle("POST "+container+"/members", p, s.postMember)
		g.Handle("PATCH "+container+"/members/{member}", p, s.patchMember)
		g.Handle("DELETE "+container+"/members/{member}", p, s.deleteMember)
	}
}

// place is the team, channel or chat that a path names.
type place struct {
	team    *Team
	channel *Channel
	chat    *Chat
}

// locate finds the place of a request for a change, or answers.
func (s *Service) locate(r *graph.Request) (p place, ok bool) {
	s.Store.mu.RLock()
	var problem answer
	switch v := s.view(r); {
	case r.Param("chat") != "":
		problem = s.inChat(func(_ *graph.Request, _ view, c *Chat) answer {
			p.chat = c
			return nil
		})(r, v)
	case r.Param("channel") != "":
		problem = s.inChannel(func(_ *graph.Request, _ view, c *Channel) answer {
			p.team, p.channel = c.team, c
			return nil
		})(r, v)
	default:
		problem = s.inTeam(func(_ *graph.Request, _ view, t *Team) answer {
			p.team = t
			return nil
		})(r, v)
	}
	if problem == nil && p.team != nil && p.team.Archived {
		problem = func(r *graph.Request) { r.Error(http.StatusForbidden, "Forbidden", "The team is archived.") }
	}
	s.Store.mu.RUnlock()
	if problem != nil {
		problem(r)
	}
	return p, problem == nil
}

// caller is who makes a change; nil for an application.
func (s *Service) caller(r *graph.Request) *company.Person {
	return s.Store.people.Person(r.Caller.UserID)
}

// failed answers the error of a change, if there is one.
func failed(r *graph.Request, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, ErrGone):
		notFound(r)
	default:
		r.Error(http.StatusBadRequest, "BadRequest", err.Error())
	}
	return true
}

// roomBody is what clients write of a team or channel.
type roomBody struct {
	Name        *string      `json:"displayName"`
	Description *string      `json:"description"`
	Membership  string       `json:"membershipType"`
	Members     []memberBody `json:"members"`
}

// read reads the body of a change; the name must be a good one if there is one.
func (b *roomBody) read(r *graph.Request) bool {
	if !r.ReadJSON(b) {
		return false
	}
	if b.Name != nil && (strings.TrimSpace(*b.Name) == "" || utf8.RuneCountInString(*b.Name) > maxName) {
		r.Error(http.StatusBadRequest, "BadRequest", "The display name is empty or too long.")
		return false
	}
	return true
}

func (s *Service) patchTeam(r *graph.Request) {
	var body roomBody
	if !body.read(r) {
		return
	}
	if p, ok := s.locate(r); ok {
		s.Store.EditTeam(p.team, body.Name, body.Description, s.caller(r))
		r.Empty(http.StatusNoContent)
	}
}

// createChannel serves standard and private channels. Shared ones, which the service makes in the background, are not here.
func (s *Service) createChannel(r *graph.Request) {
	var body roomBody
	if !body.read(r) {
		return
	}
	p, ok := s.locate(r)
	if !ok {
		return
	}
	by := s.caller(r)
	c := &Channel{Membership: standard, Created: r.Now().UTC().Truncate(time.Millisecond)}
	if body.Description != nil {
		c.Description = *body.Description
	}
	switch body.Membership {
	case "", standard:
	case private:
		c.Membership = private
		members, err := s.membersOf(body.Members, by)
		if failed(r, err) {
			return
		}
		c.Members = members
	default:
		r.Error(http.StatusBadRequest, "BadRequest", "This membershipType is not supported.")
		return
	}
	if body.Name == nil {
		r.Error(http.StatusBadRequest, "BadRequest", "The display name is missing.")
		return
	}
	c.Name = *body.Name
	c.ID = "19:" + strings.ReplaceAll(s.world.GUID(fmt.Sprintf("channel made %d", s.made.Add(1))), "-", "") + "@thread.tacv2"
	if failed(r, s.Store.AddChannel(p.team, c, by)) {
		return
	}
	s.provision(p.team, c, by)
	s.read(func(_ *graph.Request, v view) answer { return sendEntity(http.StatusCreated, v.channel(c)) })(r)
}

// provision gives a channel its folder, in the team's library or on a site of its own. When the name is taken already by what
// a deleted channel left, that is it.
func (s *Service) provision(t *Team, c *Channel, by *company.Person) {
	d := t.Drive
	if c.Membership != standard {
		site := strings.TrimPrefix(strings.TrimSuffix(c.ID, "@thread.tacv2"), "19:")
		d = s.drives.Store.AddDrive("channel "+c.ID, "/sites/"+site, drive.Drive{Type: "documentLibrary", SiteName: t.Name + "-" + c.Name,
			Created: c.Created.Truncate(time.Second), Readers: func(userID string) bool { return member(c.Members, userID) != nil }})
	}
	name := folderName(c.Name)
	folder, err := s.drives.Store.Create(d, d.Root, name, nil, "", by)
	if errors.Is(err, drive.ErrNameTaken) {
		folder = s.drives.Store.Child(d.Root, name)
	}
	// A name that SharePoint refuses all the same leaves the channel without a folder.
	s.Store.mu.Lock()
	c.Drive, c.Folder = d, folder
	s.Store.mu.Unlock()
}

func (s *Service) patchChannel(r *graph.Request) {
	var body roomBody
	if !body.read(r) {
		return
	}
	if p, ok := s.locate(r); ok && !failed(r, s.Store.EditChannel(p.channel, body.Name, body.Description, s.caller(r))) {
		r.Empty(http.StatusNoContent)
	}
}

func (s *Service) deleteChannel(r *graph.Request) {
	if p, ok := s.locate(r); ok && !failed(r, s.Store.DeleteChannel(p.channel, s.caller(r))) {
		r.Empty(http.StatusNoContent)
	}
}

// createChat serves POST /chats. Who makes one is in it.
func (s *Service) createChat(r *graph.Request) {
	var body struct {
		Kind    string       `json:"chatType"`
		Topic   string       `json:"topic"`
		Members []memberBody `json:"members"`
	}
	if !r.ReadJSON(&body) {
		return
	}
	by := s.caller(r)
	members, err := s.membersOf(body.Members, nil)
	switch {
	case failed(r, err):
		return
	case by != nil && member(members, by.ID) == nil:
		r.Error(http.StatusForbidden, "Forbidden", "The caller must be one of the members specified in the request body.")
		return
	case body.Kind == "oneOnOne" && (len(members) != 2 || body.Topic != ""), body.Kind == "group" && len(members) < 2,
		body.Kind != "oneOnOne" && body.Kind != "group":
		r.Error(http.StatusBadRequest, "BadRequest", "The chatType, the topic and the number of members do not go together.")
		return
	}
	c := &Chat{Kind: body.Kind, Topic: body.Topic, Members: members}
	if c.Kind == "oneOnOne" {
		a, b := members[0].Person.ID, members[1].Person.ID
		c.ID = "19:" + min(a, b) + "_" + max(a, b) + "@unq.gbl.spaces"
	} else {
		c.ID = "19:" + strings.ReplaceAll(s.world.GUID(fmt.Sprintf("chat made %d", s.made.Add(1))), "-", "") + "@thread.v2"
	}
	c = s.Store.AddChat(c, by)
	s.read(func(r *graph.Request, v view) answer {
		return sendEntity(http.StatusCreated, v.chat(c, r.Caller.UserID))
	})(r)
}

func (s *Service) patchChat(r *graph.Request) {
	var body struct {
		Topic *string `json:"topic"`
	}
	if !r.ReadJSON(&body) {
		return
	}
	p, ok := s.locate(r)
	switch {
	case !ok:
		return
	case body.Topic == nil || *body.Topic == "" || p.chat.Kind != "group":
		r.Error(http.StatusBadRequest, "BadRequest", "A topic can be set only for group chats.")
		return
	}
	s.Store.RenameChat(p.chat, *body.Topic, s.caller(r))
	s.read(func(r *graph.Request, v view) answer {
		return sendEntity(http.StatusOK, v.chat(p.chat, r.Caller.UserID))
	})(r)
}
