package teams

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/follow"
	"github.com/workfs/workfs/backends/graph/permission"
	"github.com/workfs/workfs/backends/graph/subscription"
)

var (
	_ backends.Follower  = (*service)(nil)
	_ backends.Editioned = (*service)(nil)
	_ follow.Service     = (*service)(nil)
)

// The longest lifetimes of subscriptions (subscription resource type), less what clocks differ by.
const (
	teamsLife = 4320*time.Minute - 10*time.Minute
	driveLife = 42300*time.Minute - 10*time.Minute
)

// Resources that tell of the whole organisation, for an application.
const (
	allPosts    = "/teams/getAllMessages"
	allChats    = "/chats/getAllMessages"
	allChannels = "/teams/getAllChannels"
	allTeams    = "/teams"
	chatList    = "/chats"
)

// Follow implements backends.Follower.
func (s *service) Follow(ctx context.Context, feed backends.Feed) {
	follow.Run(ctx, s, feed, s.subscriptions, s.options)
}

// wish asks for a Teams resource. Lists are asked for again when they change, so only messages may come along.
func (s *service) wish(resource string, data bool) subscription.Wish {
	return subscription.Wish{
		Resource: resource, Changes: "created,updated,deleted", MaxLife: teamsLife,
		Prefer: []string{unknownEnums}, Data: data && s.options.ResourceData,
	}
}

// Standing implements follow.Service: an application has all messages of the organisation told by two subscriptions, as far
// as they are shown.
func (s *service) Standing() []subscription.Wish {
	if !s.client.AppOnly() {
		return nil
	}
	var wishes []subscription.Wish
	if s.view.Allows(permission.Teams, permission.ChannelMessages) {
		wishes = append(wishes, s.wish(allPosts, true))
	}
	if s.view.Allows(permission.Chats) {
		wishes = append(wishes, s.wish(allChats, true))
	}
	return wishes
}

// Watch implements follow.Service. A person has one subscription per channel looked at, and one for the messages of all
// chats. Drives may be asked for changes at an interval; the terms of Teams forbid that for all else, and then the age of
// a listing counts.
func (s *service) Watch(collection string) (w follow.Watch, ok bool) {
	k := split(collection)
	if !s.shows(k) || k[0] == kindChannel && !s.shows([]string{kindMonth}) {
		return w, false
	}
	app, me := s.client.AppOnly(), "/users/"+s.account.UserID
	pick := func(whole, own string, data bool) (follow.Watch, bool) {
		if app {
			own = whole
		}
		return follow.Watch{Wish: s.wish(own, data)}, true
	}
	switch {
	case k[0] == kindChannel && len(k) == 3:
		return pick(allPosts, "/teams/"+teamOf(k[1])+"/channels/"+k[2]+"/messages", true)
	case k[0] == kindChat && len(k) == 3:
		return pick(allChats, me+"/chats/getAllMessages", true)
	case k[0] == kindTeam && len(k) == 2:
		return pick(allChannels, "/teams/"+k[1]+"/channels", false)
	case k[0] == kindChats && len(k) == 2:
		return pick(chatList, me+"/chats", false)
	case k[0] == kindChannels && app:
		return pick(allTeams, "", false)
	case k[0] == kindDrive && len(k) == 2:
		// Takes a permission to write (subscription: drives); without it the drive is asked.
		return follow.Watch{Poll: true, Wish: subscription.Wish{
			Resource: "/drives/" + k[1] + "/root", Changes: "updated", MaxLife: driveLife,
		}}, true
	}
	return follow.Watch{}, false
}

// Concerns implements follow.Service. What can't be told from the path may be about anything.
func (s *service) Concerns(n subscription.Notification, collection string) bool {
	at, k := parsePath(n.Path), split(collection)
	may := func(got, id string) bool { return got == "" || strings.EqualFold(got, id) }
	switch {
	case k[0] == kindChannel && len(k) == 3:
		return may(at.team, teamOf(k[1])) && may(at.channel, k[2])
	case k[0] == kindChat && len(k) == 3:
		return may(at.chat, k[2])
	case k[0] == kindTeam && len(k) == 2:
		return may(at.team, k[1])
	}
	return true
}

// Sync implements follow.Service.
func (s *service) Sync(ctx context.Context, collection string, n []subscription.Notification, sink backends.Sink) (open []subscription.Notification, err error) {
	k := split(collection)
	switch {
	case k[0] == kindChannel && len(k) == 3, k[0] == kindChat && len(k) == 3:
		open, err = s.conversation(k[0], k[1], k[2]).sync(ctx, n, sink)
	case k[0] == kindDrive && len(k) == 2:
		open, err = s.drive(k[1]).sync(ctx, n, sink)
	case k[0] == kindTeam && len(k) == 2:
		open, err = s.syncTeam(ctx, k[1], n, sink)
	case k[0] == kindChats && len(k) == 2:
		open, err = s.syncChats(ctx, k[1], n, sink)
	case k[0] == kindChannels && len(k) == 1:
		if sink.Dir(dirKey(kindChannels)).Whole {
			err = s.listTeams(ctx, sink)
		}
	}
	if err != nil {
		return n, fmt.Errorf("teams: follow a %s: %w", k[0], err)
	}
	return open, nil
}
