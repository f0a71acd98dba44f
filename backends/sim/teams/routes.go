package teams

import (
	"net/http"

	"github.com/workfs/workfs/backends/sim/graph"
)

func both(perm string) graph.Perms {
	return graph.Perms{Delegated: []string{perm}, App: []string{perm}}
}

func appOnly(perm string) graph.Perms { return graph.Perms{App: []string{perm}} }

// routes registers everything with the Graph host.
func (s *Service) routes(g *graph.Server) {
	team := both("Team.ReadBasic.All")
	g.Handle("GET {U}/joinedTeams", team, s.read(s.joinedTeams))
	g.Handle("GET {U}/teamwork/associatedTeams", team, s.read(s.associatedTeams))
	g.Handle("GET /teams", team, s.read(s.listTeams))
	g.Handle("GET /teams/{team}", team, s.read(s.inTeam(func(r *graph.Request, v view, t *Team) answer {
		if !r.Caller.AppOnly && member(t.Members, r.Caller.UserID) == nil {
			return refused
		}
		return sendEntity(http.StatusOK, r.Select(v.team(t)))
	})))
	g.Handle("GET /teams/{team}/members", both("TeamMember.Read.All"), s.read(s.inTeam(func(r *graph.Request, v view, t *Team) answer {
		return s.members(r, v, t.Members, t.ID)
	})))

	channel := both("Channel.ReadBasic.All")
	g.Handle("GET /teams/{team}/channels", channel, s.read(s.inTeam(s.channels)))
	g.Handle("GET /teams/{team}/allChannels", channel, s.read(s.inTeam(s.allChannels)))
	g.Handle("GET /teams/{team}/incomingChannels", channel, s.read(s.inTeam(s.incomingChannels)))
	g.Handle("GET /teams/{team}/primaryChannel", channel, s.read(s.inTeam(func(r *graph.Request, v view, t *Team) answer {
		return sendEntity(http.StatusOK, r.Select(v.channel(t.Channels[0])))
	})))
	g.Handle("GET /teams/{team}/channels/{channel}", channel, s.read(s.inChannel(func(r *graph.Request, v view, c *Channel) answer {
		return sendEntity(http.StatusOK, r.Select(v.channel(c)))
	})))
	channelMembers := both("ChannelMember.Read.All")
	g.Handle("GET /teams/{team}/channels/{channel}/members", channelMembers, s.read(s.inChannel(func(r *graph.Request, v view, c *Channel) answer {
		return s.members(r, v, c.members(), c.ID)
	})))
	g.Handle("GET /teams/{team}/channels/{channel}/allMembers", channelMembers, s.read(s.inChannel(func(r *graph.Request, v view, c *Channel) answer {
		return s.members(r, v, c.allMembers(), c.ID)
	})))
	g.Handle("GET /teams/{team}/channels/{channel}/filesFolder", both("Files.Read.All"), s.read(s.inChannel(func(_ *graph.Request, _ view, c *Channel) answer {
		if c.Folder == nil {
			return func(r *graph.Request) {
				r.Error(http.StatusNotFound, "NotFound", "Folder location for channel "+c.Name+" is not ready yet, please try this operation again later.")
			}
		}
		return sendEntity(http.StatusOK, s.drives.FilesFolder(c.Drive, c.Folder))
	})))

	s.messageRoutes(g)
	s.chatRoutes(g)
	s.manageRoutes(g)
	s.exportRoutes(g)
}

// messageRoutes registers the messages of channels.
func (s *Service) messageRoutes(g *graph.Server) {
	const messages = "/teams/{team}/channels/{channel}/messages"
	read := both("ChannelMessage.Read.All")
	get := func(path string, h handler) { g.Handle("GET "+messages+path, read, s.guarded(s.read(h))) }
	get("", s.inChannel(s.posts))
	get("/delta", s.inChannel(s.channelDelta))
	get("/{message}/replies", s.onMessage(s.replies))
	for _, m := range []string{"/{message}", "/{message}/replies/{reply}"} {
		get(m, s.onMessage(s.message))
		get(m+"/hostedContents", s.onMessage(s.hostedContents))
		get(m+"/hostedContents/{content}", s.onMessage(s.hostedContent))
		get(m+"/hostedContents/{content}/$value", s.onMessage(s.hostedValue))
		s.changeRoutes(g, messages+m, "ChannelMessage.ReadWrite", "ChannelMessage.Send")
	}
	send := graph.Perms{Delegated: []string{"ChannelMessage.Send"}}
	g.Handle("POST "+messages, send, s.post)
	g.Handle("POST "+messages+"/{message}/replies", send, s.post)
}

// chatRoutes registers chats and their messages.
func (s *Service) chatRoutes(g *graph.Server) {
	basic := graph.Perms{Delegated: []string{"Chat.ReadBasic"}, App: []string{"Chat.ReadBasic.All"}}
	read := graph.Perms{Delegated: []string{"Chat.Read"}, App: []string{"Chat.Read.All"}}
	g.Handle("GET {U}/chats", basic, s.read(s.listChats))
	g.Handle("GET /chats", graph.Perms{Delegated: basic.Delegated}, s.read(s.listChats))
	for _, prefix := range []string{"/chats/{chat}", "{U}/chats/{chat}"} {
		get := func(path string, h handler) { g.Handle("GET "+prefix+path, read, s.guarded(s.read(h))) }
		g.Handle("GET "+prefix, basic, s.read(s.inChat(s.getChat)))
		g.Handle("GET "+prefix+"/members", basic, s.read(s.inChat(func(r *graph.Request, v view, c *Chat) answer {
			return s.members(r, v, c.Members, c.ID)
		})))
		get("/messages", s.inChat(s.chatMessages))
		get("/messages/{message}", s.onMessage(s.message))
		get("/messages/{message}/hostedContents", s.onMessage(s.hostedContents))
		get("/messages/{message}/hostedContents/{content}", s.onMessage(s.hostedContent))
		get("/messages/{message}/hostedContents/{content}/$value", s.onMessage(s.hostedValue))
		g.Handle("POST "+prefix+"/messages", graph.Perms{Delegated: []string{"ChatMessage.Send"}}, s.post)
		s.changeRoutes(g, prefix+"/messages/{message}", "Chat.ReadWrite", "Chat.ReadWrite")
	}
}

// changeRoutes registers what can be done to a message.
func (s *Service) changeRoutes(g *graph.Server, message, edit, react string) {
	editing := graph.Perms{Delegated: []string{edit}}
	g.Handle("PATCH "+message, editing, s.edit)
	g.Handle("POST "+message+"/softDelete", editing, s.softDelete)
	g.Handle("POST "+message+"/undoSoftDelete", editing, s.undoSoftDelete)
	reacting := graph.Perms{Delegated: []string{react}}
	g.Handle("POST "+message+"/setReaction", reacting, s.setReaction)
	g.Handle("POST "+message+"/unsetReaction", reacting, s.unsetReaction)
}

// exportRoutes registers the calls that read whole teams and users, for applications only.
func (s *Service) exportRoutes(g *graph.Server) {
	chats, channels := appOnly("Chat.Read.All"), appOnly("ChannelMessage.Read.All")
	get := func(path string, p graph.Perms, h handler) { g.Handle("GET "+path, p, s.guarded(s.read(h))) }
	get("{U}/chats/getAllMessages", chats, s.ofPerson(s.export))
	get("{U}/chats/getAllMessages/delta", chats, s.ofPerson(s.exportDelta))
	get("{U}/chats/getAllRetainedMessages", chats, s.ofPerson(s.exportRetained))
	get("/teams/{team}/channels/getAllMessages", channels, s.inTeam(s.ofTeam(s.export)))
	get("/teams/{team}/channels/getAllRetainedMessages", channels, s.inTeam(s.ofTeam(s.exportRetained)))
	g.Handle("GET /teamwork/deletedTeams", appOnly("Team.ReadBasic.All"), s.read(s.deletedTeams))
	get("/teamwork/deletedTeams/{team}/channels/getAllMessages", channels, s.ofDeletedTeam(s.export))
}
