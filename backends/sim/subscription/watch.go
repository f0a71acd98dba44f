package subscription

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/workfs/workfs/backends/sim/directory"
	"github.com/workfs/workfs/backends/sim/drive"
	"github.com/workfs/workfs/backends/sim/outlook"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
	"github.com/workfs/workfs/backends/sim/teams"
)

// watch tells what a subscription sees of a change; ok is false for nothing.
type watch func(change any) (s seen, ok bool)

// seen is a change as a subscription sees it.
type seen struct {
	change   string         // "created", "updated" or "deleted"
	path     string         // of the resource, as the workload writes it
	data     map[string]any // resourceData
	content  map[string]any // the whole resource, for a subscription that includes it; nil: it is gone
	numbered bool           // the workload gives its notifications ids
}

// watchOutlook is for messages, events and contacts.
func watchOutlook(s *Service, t *target) (watch, *refusal) {
	collection := t.pattern[strings.LastIndexByte(t.pattern, '/')+1:]
	if t.data {
		if problem := outlook.RichQuery(t.query); problem != "" {
			return nil, invalid(problem)
		}
	}
	w, err := s.from.Outlook.Watch(outlook.WatchOptions{UserID: t.user.ID, Collection: collection, Folder: t.params["folder"],
		Immutable: t.immutable, Data: t.data, Query: t.query})
	switch {
	case errors.Is(err, outlook.ErrNoMailbox), errors.Is(err, outlook.ErrNoFolder):
		return nil, wrapped(404, "NotFound", err.Error())
	case err != nil:
		return nil, invalid(err.Error())
	}
	kind := strings.TrimSuffix(collection, "s")
	// The forms differ with and without resource data (outlook-change-notifications-overview.md).
	path, kindName := "Users/"+t.user.ID+"/"+title(collection)+"/%s", "#Microsoft.Graph."+title(kind)
	if t.data {
		path, kindName = "Users('"+t.user.ID+"')/"+collection+"('%s')", "#microsoft.graph."+kind
	}
	return func(change any) (seen, bool) {
		c, ok := change.(mailbox.Change)
		if !ok {
			return seen{}, false
		}
		item, ok := w.See(c)
		if !ok {
			return seen{}, false
		}
		at := fmt.Sprintf(path, item.ID)
		data := map[string]any{"@odata.type": kindName, "@odata.id": at, "id": item.ID}
		if item.ETag != "" {
			data["@odata.etag"] = item.ETag
		}
		return seen{change: item.Change, path: at, data: data, content: annotated(item.Data), numbered: true}, true
	}, nil
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// annotated adds the types of properties, which the service writes into what it encrypts of Outlook items.
func annotated(item map[string]any) map[string]any {
	if item == nil {
		return nil
	}
	out := map[string]any{}
	for name, v := range item {
		if strings.HasPrefix(name, "@") || name == "id" {
			continue // they are in resourceData
		}
		out[name] = v
		switch {
		case strings.HasSuffix(name, "DateTime"):
			out[name+"@odata.type"] = "#DateTimeOffset"
		case name == "importance":
			out[name+"@odata.type"] = "#microsoft.graph.importance"
		case strings.HasSuffix(name, "Recipients"):
			out[name+"@odata.type"] = "#Collection(microsoft.graph.recipient)"
		}
	}
	return out
}

// watchMessages is for chatMessages. A $filter or $search on mentions is accepted and lets all through.
func watchMessages(s *Service, t *target) (watch, *refusal) {
	store := s.from.Teams.Store
	if f := conversationOf(s, t); f != nil {
		return nil, f
	}
	inScope := func(c teams.Change) bool {
		switch t.pattern {
		case "teams/getallmessages":
			return c.ChannelID != ""
		case "chats/getallmessages":
			return c.ChatID != ""
		case "users/{user}/chats/getallmessages":
			return c.ChatID != "" && store.InChat(c.ChatID, t.user.ID)
		case "chats/{chat}/messages":
			return c.ChatID == t.params["chat"]
		default:
			return strings.EqualFold(c.TeamID, t.params["team"]) && c.ChannelID == t.params["channel"]
		}
	}
	return func(change any) (seen, bool) {
		c, ok := change.(teams.Change)
		if !ok || c.MessageID == "" || !inScope(c) {
			return seen{}, false
		}
		message, ok := s.from.Teams.Notice(c, t.late)
		if !ok {
			return seen{}, false
		}
		at := messagePath(c)
		n := seen{change: string(c.Kind), path: at,
			data: map[string]any{"@odata.type": "#Microsoft.Graph.chatMessage", "@odata.id": at, "id": c.MessageID}}
		if t.data {
			n.content = message
		}
		return n, true
	}, nil
}

// messagePath writes a message's path as Teams notifications do.
func messagePath(c teams.Change) string {
	in := "chats('" + c.ChatID + "')"
	if c.ChannelID != "" {
		in = "teams('" + c.TeamID + "')/channels('" + c.ChannelID + "')"
	}
	if c.ReplyToID != "" {
		return in + "/messages('" + c.ReplyToID + "')/replies('" + c.MessageID + "')"
	}
	return in + "/messages('" + c.MessageID + "')"
}

// conversationOf checks that the team, channel or chat of a resource is there and the caller in it.
func conversationOf(s *Service, t *target) *refusal {
	store := s.from.Teams.Store
	found, allowed := true, true
	switch {
	case t.params["channel"] != "":
		found, allowed = store.FindChannel(t.params["team"], t.params["channel"], t.caller)
	case t.params["team"] != "":
		found, allowed = store.FindTeam(t.params["team"], t.caller)
	case t.params["chat"] != "":
		found, allowed = store.FindChat(t.params["chat"], t.caller)
	}
	switch {
	case !found:
		return wrapped(404, "NotFound", "Resource not found.")
	case !allowed:
		return wrapped(403, "Forbidden", "The caller is not a member of the team, channel or chat.")
	}
	return nil
}

// watchDrive is for all items of a drive. Notifications name the drive alone (subscription.md, driveItem).
func watchDrive(s *Service, t *target) (watch, *refusal) {
	id := t.params["drive"]
	if t.user != nil {
		d := s.from.Drives.Store.UserDrive(t.user.ID)
		if d == nil {
			return nil, wrapped(404, "NotFound", "User's mysite not found.")
		}
		id = d.ID
	}
	found, allowed := s.from.Drives.Store.Find(id, t.caller)
	switch {
	case !found:
		return nil, wrapped(404, "NotFound", "The resource could not be found.")
	case !allowed:
		return nil, wrapped(403, "Forbidden", "Access denied")
	}
	// In which form the service writes the drive is a guess; the sample has the resource of the subscription.
	at := "drives/" + id + "/root"
	if t.user != nil {
		at = "users/" + t.user.ID + "/drive/root"
	}
	return func(change any) (seen, bool) {
		c, ok := change.(drive.Change)
		if !ok || c.DriveID != id {
			return seen{}, false
		}
		return seen{change: "updated", path: at, data: map[string]any{"@odata.type": "#Microsoft.Graph.DriveItem"}}, true
	}, nil
}

// watchDirectory is for users and groups. What is made or deleted softly is updated, only the end is deleted
// (subscription-post-subscriptions.md).
func watchDirectory(_ *Service, t *target) (watch, *refusal) {
	kind, name, only := "#microsoft.graph.user", "User", t.params["user"]
	if t.user != nil {
		only = t.user.ID
	}
	if strings.HasPrefix(t.pattern, "groups") {
		kind, name, only = "#microsoft.graph.group", "Group", t.params["group"]
	}
	return func(change any) (seen, bool) {
		c, ok := change.(directory.Change)
		if !ok || c.Kind != kind || only != "" && !strings.EqualFold(c.ID, only) {
			return seen{}, false
		}
		n := seen{change: "updated", path: name + "s/" + c.ID, numbered: true}
		if c.Type == "deleted" && !c.Soft {
			n.change = "deleted"
		}
		n.data = map[string]any{"@odata.type": "#Microsoft.Graph." + name, "@odata.id": n.path, "id": c.ID}
		return n, true
	}, nil
}

// watchConversations is for teams, channels, chats and their members.
func watchConversations(s *Service, t *target) (watch, *refusal) {
	if f := conversationOf(s, t); f != nil {
		return nil, f
	}
	return func(change any) (seen, bool) {
		c, ok := change.(teams.Change)
		if !ok || c.MessageID != "" || !roomInScope(s.from.Teams.Store, t, c) {
			return seen{}, false
		}
		resource, _ := s.from.Teams.Notice(c, t.late)
		n := seen{change: string(c.Kind)}
		id, kind := "", ""
		switch {
		case c.ChannelID != "":
			n.path, id, kind = "teams('"+c.TeamID+"')/channels('"+c.ChannelID+"')", c.ChannelID, "channel"
		case c.ChatID != "":
			n.path, id, kind = "chats('"+c.ChatID+"')", c.ChatID, "chat"
		default:
			n.path, id, kind = "teams('"+c.TeamID+"')", c.TeamID, "team"
		}
		if c.MemberID != "" {
			id, kind = s.from.Teams.MembershipID(c), "aadUserConversationMember"
			n.path += "/members('" + id + "')"
		}
		n.data = map[string]any{"@odata.type": "#Microsoft.Graph." + kind, "@odata.id": n.path, "id": id}
		if t.data {
			n.content = resource
		}
		return n, true
	}, nil
}

// roomInScope tells whether a change of a team, a channel, a chat or a membership is one of the subscribed resource.
func roomInScope(store *teams.Store, t *target, c teams.Change) bool {
	inTeam, inChat := strings.EqualFold(c.TeamID, t.params["team"]), c.ChatID == t.params["chat"]
	team, channel, chat := c.TeamID != "" && c.ChannelID == "", c.ChannelID != "", c.ChatID != ""
	if c.MemberID != "" {
		switch t.pattern {
		case "teams/{team}/members":
			return team && inTeam
		case "teams/{team}/channels/getallmembers":
			return channel && inTeam
		case "chats/getallmembers":
			return chat
		case "chats/{chat}/members":
			return chat && inChat
		}
		return false
	}
	switch t.pattern {
	case "teams":
		return team
	case "teams/{team}":
		return team && inTeam
	case "teams/getallchannels":
		return channel
	case "teams/{team}/channels":
		return channel && inTeam
	case "chats":
		return chat
	case "chats/{chat}":
		return chat && inChat
	case "users/{user}/chats":
		return chat && store.InChat(c.ChatID, t.user.ID)
	}
	return false
}

// wants tells whether a subscription asked for a kind of change.
func (sub *subscription) wants(change string) bool { return slices.Contains(sub.changes, change) }
