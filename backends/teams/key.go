package teams

import "github.com/workfs/workfs/backends"

// The kinds of directory, first part of their keys. The view is "" for the signed-in user, else the id of the user whose
// chats are shown to an application.
const (
	kindChannels    = "channels"    // all teams
	kindTeam        = "team"        // team
	kindChannel     = "channel"     // team, channel
	kindMonth       = "month"       // team, channel, month
	kindFiles       = "files"       // team, channel
	kindFolder      = "folder"      // drive, item, "" or the team that the channel is shared into
	kindDrive       = "drive"       // drive: no directory, but the collection of its folders
	kindChats       = "chats"       // view
	kindChat        = "chat"        // view, chat
	kindChatMonth   = "chatmonth"   // view, chat, month
	kindUsers       = "users"       // all users, for an application
	kindUser        = "user"        // view
	kindAttachments = "attachments" // "channel" or "chat", team or view, channel or chat, root post, message
)

// join and split make keys and identities of parts, and parts of them.
func join(parts ...string) string { return backends.JoinKey(parts...) }

func split(s string) []string { return backends.SplitKey(s) }

func dirKey(parts ...string) backends.DirKey { return backends.DirKey(join(parts...)) }
