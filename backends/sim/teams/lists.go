package teams

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/graph"
	"github.com/workfs/workfs/backends/sim/outlook/query"
)

const (
	directoryPage, maxDirectoryPage = 100, 999
	messagePage, maxMessagePage     = 20, 50
	maxExpandedMembers              = 25 // Graph documentation, List chats: $expand=members
)

// joinedTeams knows no options and gives three properties.
func (s *Service) joinedTeams(r *graph.Request, v view) answer {
	items := []any{}
	for _, t := range s.Store.teamsOf(r.User.ID) {
		items = append(items, v.shortTeam(t))
	}
	n := len(items)
	return sendPage(graph.Page{Items: items, Count: &n, Fragment: "teams"})
}

// associatedTeams adds the host teams of shared channels.
func (s *Service) associatedTeams(r *graph.Request, v view) answer {
	items := []any{}
	for _, t := range s.Store.teams {
		if !t.Deleted && (member(t.Members, r.User.ID) != nil || t.hostsFor(r.User.ID)) {
			items = append(items, map[string]any{"id": t.ID, "displayName": t.Name, "tenantId": v.tenant})
		}
	}
	n := len(items)
	return sendPage(graph.Page{Items: items, Count: &n})
}

// listTeams is the tenant's list, three properties each.
func (s *Service) listTeams(r *graph.Request, v view) answer {
	if !r.Caller.AppOnly && !s.world.Switches.Bool(switchListTeams) {
		return func(r *graph.Request) {
			r.Error(http.StatusForbidden, "Forbidden", "The caller may not list the teams of the organization.")
		}
	}
	f, err := query.ParseFilter(r.Query.Filter, query.Schema{"id": query.String, "displayName": query.String, "description": query.String})
	if err != nil {
		return badRequest(err.Error())
	}
	size, ok := r.PageSize(directoryPage, maxDirectoryPage)
	if !ok {
		return func(*graph.Request) {}
	}
	items := []any{}
	for _, t := range s.Store.teams {
		m := v.shortTeam(t)
		if !t.Deleted && f.Match(func(p string) any { return m[p] }) {
			items = append(items, r.Select(m))
		}
	}
	p := offsetPage(r, items, size)
	if n := len(items); r.Query.Count {
		p.Count = &n
	}
	return sendPage(p)
}

func (s *Service) deletedTeams(_ *graph.Request, _ view) answer {
	items := []any{}
	for _, t := range s.Store.teams {
		if t.Deleted {
			items = append(items, map[string]any{"id": t.ID})
		}
	}
	return sendPage(graph.Page{Items: items})
}

// memberSchema is what lists of members can be filtered by.
var memberSchema = query.Schema{
	"microsoft.graph.aadUserConversationMember/userId": query.String, "microsoft.graph.aadUserConversationMember/email": query.String,
	"microsoft.graph.aadUserConversationMember/displayName": query.String, "displayName": query.String, "roles": query.Strings,
}

func (s *Service) members(r *graph.Request, v view, of []Member, container string) answer {
	f, err := query.ParseFilter(r.Query.Filter, memberSchema)
	if err != nil {
		return badRequest(err.Error())
	}
	size, ok := r.PageSize(directoryPage, maxDirectoryPage)
	if !ok {
		return func(*graph.Request) {}
	}
	items := []any{}
	for _, m := range of {
		one := v.member(m, container)
		if f.Match(func(p string) any { return one[strings.TrimPrefix(p, "microsoft.graph.aadUserConversationMember/")] }) {
			items = append(items, r.Select(one))
		}
	}
	p := offsetPage(r, items, size)
	n := len(p.Items)
	p.Count = &n
	return sendPage(p)
}

// channelSchema is what lists of channels can be filtered by.
var channelSchema = query.Schema{"id": query.String, "displayName": query.String, "membershipType": query.String}

// channelList answers with those channels that the caller sees.
func (s *Service) channelList(r *graph.Request, v view, of []*Channel, withAddress bool) answer {
	f, err := query.ParseFilter(r.Query.Filter, channelSchema)
	if err != nil {
		return badRequest(err.Error())
	}
	items := []any{}
	for _, c := range of {
		one := v.channel(c)
		if !c.sees(r.Caller) || !f.Match(func(p string) any {
			if p == "membershipType" {
				return c.Membership
			}
			return one[p]
		}) {
			continue
		}
		one = r.Select(one)
		if withAddress {
			tenant := v.tenant
			if c.TenantID != "" {
				tenant = c.TenantID
			}
			one["@odata.id"] = r.Address("/tenants/" + tenant + "/teams/" + c.team.ID + "/channels/" + url.PathEscape(c.ID))
		}
		items = append(items, one)
	}
	n := len(items)
	return sendPage(graph.Page{Items: items, Count: &n})
}

func (s *Service) channels(r *graph.Request, v view, t *Team) answer {
	return s.channelList(r, v, t.Channels, false)
}

func (s *Service) allChannels(r *graph.Request, v view, t *Team) answer {
	return s.channelList(r, v, slices.Concat(t.Channels, t.Incoming), true)
}

func (s *Service) incomingChannels(r *graph.Request, v view, t *Team) answer {
	return s.channelList(r, v, t.Incoming, true)
}

// expands says whether $expand names a relation; its own options are ignored.
func expands(r *graph.Request, relation string) bool {
	for part := range strings.SplitSeq(r.Query.Expand, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(part), "(")
		if strings.EqualFold(name, relation) {
			return true
		}
	}
	return false
}

// chatJSON is a chat with what the request selects and expands.
func (s *Service) chatJSON(r *graph.Request, v view, c *Chat, userID string) map[string]any {
	m := r.Select(v.chat(c, userID))
	if expands(r, "members") {
		list := []any{}
		for _, one := range c.Members[:min(len(c.Members), maxExpandedMembers)] {
			list = append(list, v.member(one, c.ID))
		}
		m["members"] = list
	}
	if expands(r, "lastMessagePreview") {
		m["lastMessagePreview"] = v.preview(c.last())
	}
	return m
}

func (s *Service) getChat(r *graph.Request, v view, c *Chat) answer {
	return sendEntity(http.StatusOK, s.chatJSON(r, v, c, r.Caller.UserID))
}

// chatSchema is what lists of chats can be filtered by.
var chatSchema = query.Schema{"chatType": query.String, "topic": query.String, "id": query.String, "createdDateTime": query.Time,
	"lastUpdatedDateTime": query.Time, "lastMessagePreview/createdDateTime": query.Time, "viewpoint/isHidden": query.Bool}

// listChats gives a person's chats, those with the newest messages first.
func (s *Service) listChats(r *graph.Request, v view) answer {
	userID := r.Caller.UserID
	if r.User != nil {
		userID = r.User.ID
	}
	f, err := query.ParseFilter(r.Query.Filter, chatSchema)
	if err != nil {
		return badRequest(err.Error())
	}
	if by := strings.Join(strings.Fields(r.Query.OrderBy), " "); by != "" && !strings.EqualFold(by, "lastMessagePreview/createdDateTime desc") {
		return badRequest("The query specified in the URI is not valid. Only 'lastMessagePreview/createdDateTime desc' is supported in $orderby.")
	}
	size, ok := r.PageSize(messagePage, maxMessagePage)
	if !ok {
		return func(*graph.Request) {}
	}
	newest := func(c *Chat) time.Time {
		if m := c.last(); m != nil {
			return m.Created
		}
		return c.Created
	}
	var mine []*Chat
	for _, c := range s.Store.chats {
		if member(c.Members, userID) != nil && f.Match(func(p string) any { return c.value(p, newest(c)) }) {
			mine = append(mine, c)
		}
	}
	slices.SortStableFunc(mine, func(a, b *Chat) int { return newest(b).Compare(newest(a)) })
	all := make([]any, len(mine))
	for i, c := range mine {
		all[i] = c
	}
	p := offsetPage(r, all, size)
	items := make([]any, len(p.Items))
	for i, c := range p.Items {
		items[i] = s.chatJSON(r, v, c.(*Chat), userID)
	}
	n := len(items)
	p.Items, p.Count = items, &n
	return sendPage(p)
}

// value gives a chat's property for filters.
func (c *Chat) value(path string, newest time.Time) any {
	switch path {
	case "chatType":
		return c.Kind
	case "topic":
		return orNil(c.Topic)
	case "id":
		return c.ID
	case "createdDateTime":
		return c.Created
	case "lastUpdatedDateTime":
		return c.Updated
	case "viewpoint/isHidden":
		return c.Hidden
	}
	return newest
}
