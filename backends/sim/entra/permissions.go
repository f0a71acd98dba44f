package entra

// oidcScopes are granted beside those of a resource and do not show in access tokens (offline_access) or need no consent.
var oidcScopes = []string{"openid", "profile", "email", "offline_access"}

// delegatedScopes are the delegated permissions for Graph that the applications registered.
var delegatedScopes = []string{
	"User.Read", "User.Read.All", "User.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All", "Presence.Read", "Presence.Read.All",
	"Mail.Read", "Mail.ReadWrite", "Mail.Send", "Mail.Read.Shared", "MailboxSettings.Read",
	"Calendars.Read", "Calendars.ReadWrite", "Calendars.Read.Shared", "Contacts.Read", "Contacts.ReadWrite",
	"Team.ReadBasic.All", "TeamMember.Read.All", "Channel.ReadBasic.All", "ChannelMember.Read.All", "ChannelMessage.Read.All",
	"ChannelMessage.Send", "ChannelMessage.Edit", "ChannelMessage.ReadWrite",
	"Chat.ReadBasic", "Chat.Read", "Chat.ReadWrite", "ChatMessage.Send",
	"TeamSettings.ReadWrite.All", "TeamMember.ReadWrite.All", "Channel.Create", "ChannelSettings.ReadWrite.All", "Channel.Delete.All",
	"ChannelMember.ReadWrite.All", "Presence.ReadWrite",
	"Files.Read", "Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Organization.Read.All",
	"User.ReadWrite.All", "Group.ReadWrite.All", "GroupMember.ReadWrite.All",
}

// appRoles are the application permissions for Graph that the confidential application registered.
var appRoles = []string{
	"User.Read.All", "Group.Read.All", "GroupMember.Read.All", "Organization.Read.All", "Presence.Read.All",
	"Mail.Read", "Mail.ReadWrite", "Mail.Send", "Mail.ReadBasic.All", "MailboxSettings.Read", "Calendars.Read", "Calendars.ReadWrite",
	"Contacts.Read", "Contacts.ReadWrite",
	"Team.ReadBasic.All", "TeamMember.Read.All", "Channel.ReadBasic.All", "ChannelMember.Read.All", "ChannelMessage.Read.All",
	"TeamSettings.ReadWrite.All", "TeamMember.ReadWrite.All", "Channel.Create", "ChannelSettings.ReadWrite.All", "Channel.Delete.All",
	"ChannelMember.ReadWrite.All", "Chat.Create", "Presence.ReadWrite.All",
	"Chat.ReadBasic.All", "Chat.Read.All", "Chat.ReadWrite.All", "Teamwork.Migrate.All", "Files.Read.All", "Files.ReadWrite.All",
	"Sites.Read.All", "MailboxItem.Export.All",
	"User.ReadWrite.All", "Group.ReadWrite.All", "GroupMember.ReadWrite.All",
}
