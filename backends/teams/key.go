package teams

import (
	"strings"

	"github.com/workfs/workfs/backends"
)

// The kinds of directory, first part of their keys. The view is "" for the signed-in user, else the id of the user whose
// chats are shown to an application.
const (
	kindChannels    = "channels"    // all teams
	kindTeam        = "team"        // team
	kindChannel     = "channel"     // team, channel
	kindMonth       = "month"       // team, channel, month
	kindFiles       = "files"       // team, channel
	kindFolder      = "folder"      // drive, item, "" or the team that the channel is shared into
	kindChats       = "chats"       // view
	kindChat        = "chat"        // view, chat
	kindChatMonth   = "chatmonth"   // view, chat, month
	kindUsers       = "users"       // all users, for an application
	kindUser        = "user"        // view
	kindAttachments = "attachments" // "channel" or "chat", team or view, channel or chat, root post, message
)

var (
	escaper   = strings.NewReplacer("%", "%25", "|", "%7C")
	unescaper = strings.NewReplacer("%7C", "|", "%25", "%")
)

// join makes one string of parts, which split undoes.
func join(parts ...string) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = escaper.Replace(p)
	}
	return strings.Join(out, "|")
}

func split(s string) []string {
	parts := strings.Split(s, "|")
	for i, p := range parts {
		parts[i] = unescaper.Replace(p)
	}
	return parts
}

func dirKey(parts ...string) backends.DirKey { return backends.DirKey(join(parts...)) }
