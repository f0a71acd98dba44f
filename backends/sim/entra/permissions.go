package entra

import (
	"slices"
	"strings"
)

// oidcScopes are granted beside those of a resource and do not show in access tokens (offline_access) or need no consent.
var oidcScopes = []string{"openid", "profile", "email", "offline_access"}

// oidcWords say on the consent page what the OpenID Connect scopes let an application do.
var oidcWords = map[string]string{
	"openid": "Sign users in", "profile": "View users' basic profile", "email": "View users' email address",
	"offline_access": "Maintain access to data you have given it access to",
}

// permission is a delegated permission of Graph as its reference page lists it.
type permission struct {
	name  string
	words string // what the consent page says
	admin bool   // only an administrator can consent
}

// catalog is what of Graph's delegated permissions is known here (learn.microsoft.com, Microsoft Graph permissions
// reference; for files, which no administrator need consent to, the permission page of OneDrive).
var catalog = []permission{
	{"User.Read", "Sign you in and read your profile", false},
	{"User.ReadWrite", "Read and update your profile", false},
	{"User.ReadBasic.All", "Read all users' basic profiles", false},
	{"User.Read.All", "Read all users' full profiles", true},
	{"User.ReadWrite.All", "Read and write all users' full profiles", true},
	{"Group.Read.All", "Read all groups", true},
	{"Group.ReadWrite.All", "Read and write all groups", true},
	{"GroupMember.Read.All", "Read group memberships", true},
	{"GroupMember.ReadWrite.All", "Read and write group memberships", true},
	{"Directory.Read.All", "Read directory data", true},
	{"Directory.ReadWrite.All", "Read and write directory data", true},
	{"Organization.Read.All", "Read organization information", true},
	{"Application.Read.All", "Read applications", true},
	{"Application.ReadWrite.All", "Read and write all applications", true},
	{"Presence.Read", "Read your presence information", false},
	{"Presence.Read.All", "Read presence information of all users in your organization", false},
	{"Presence.ReadWrite", "Read and write your presence information", false},
	{"Mail.ReadBasic", "Read your mail, without bodies", false},
	{"Mail.Read", "Read your mail", false},
	{"Mail.ReadWrite", "Read and write access to your mail", false},
	{"Mail.Send", "Send mail as you", false},
	{"Mail.Read.Shared", "Read mail you can access", false},
	{"Mail.ReadBasic.Shared", "Read mail you can access, without bodies", false},
	{"MailboxSettings.Read", "Read your mailbox settings", false},
	{"Calendars.ReadBasic", "Read basic details of your calendars", false},
	{"Calendars.Read", "Read your calendars", false},
	{"Calendars.ReadWrite", "Have full access to your calendars", false},
	{"Calendars.Read.Shared", "Read calendars you can access", false},
	{"Contacts.Read", "Read your contacts", false},
	{"Contacts.ReadWrite", "Have full access to your contacts", false},
	{"Contacts.Read.Shared", "Read contacts you can access", false},
	{"Team.ReadBasic.All", "Read the names and descriptions of teams", false},
	{"TeamSettings.ReadWrite.All", "Read and change teams' settings", true},
	{"TeamMember.Read.All", "Read the members of teams", true},
	{"TeamMember.ReadWrite.All", "Add and remove members from teams", true},
	{"Channel.ReadBasic.All", "Read the names and descriptions of channels", false},
	{"Channel.Create", "Create channels", true},
	{"Channel.Delete.All", "Delete channels", true},
	{"ChannelSettings.ReadWrite.All", "Read and write the names, descriptions, and settings of channels", true},
	{"ChannelMember.Read.All", "Read the members of channels", true},
	{"ChannelMember.ReadWrite.All", "Add and remove members from channels", true},
	{"ChannelMessage.Read.All", "Read user channel messages", true},
	{"ChannelMessage.Send", "Send channel messages", false},
	{"ChannelMessage.Edit", "Edit your channel messages", false},
	{"ChannelMessage.ReadWrite", "Read and write user channel messages", true},
	{"Chat.ReadBasic", "Read names and members of your chat threads", false},
	{"Chat.Read", "Read your chat messages", false},
	{"Chat.ReadWrite", "Read and write your chat messages", false},
	{"ChatMessage.Send", "Send chat messages", false},
	{"Files.Read", "Read your files", false},
	{"Files.ReadWrite", "Have full access to your files", false},
	{"Files.Read.All", "Read all files that you have access to", false},
	{"Files.ReadWrite.All", "Have full access to all files you have access to", false},
	{"Sites.Read.All", "Read items in all site collections", false},
	{"Sites.ReadWrite.All", "Edit or delete items in all site collections", false},
}

// known finds a permission by its name, ignoring case.
func known(name string) (permission, bool) {
	i := slices.IndexFunc(catalog, func(p permission) bool { return strings.EqualFold(p.name, name) })
	if i < 0 {
		return permission{}, false
	}
	return catalog[i], true
}

// delegatedScopes are the delegated permissions for Graph that the applications registered.
var delegatedScopes = []string{
	"User.Read", "User.Read.All", "User.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All", "Presence.Read", "Presence.Read.All",
	"Mail.ReadBasic", "Mail.Read", "Mail.ReadWrite", "Mail.Send", "Mail.ReadBasic.Shared", "Mail.Read.Shared", "MailboxSettings.Read",
	"Calendars.Read", "Calendars.ReadWrite", "Calendars.Read.Shared", "Contacts.Read", "Contacts.Read.Shared", "Contacts.ReadWrite",
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
	"Sites.Read.All", "MailboxItem.Export.All", "Application.ReadWrite.OwnedBy",
	"User.ReadWrite.All", "Group.ReadWrite.All", "GroupMember.ReadWrite.All",
}

// readScopes are the delegated permissions that the applications without consent registered: reading alone.
var readScopes = []string{
	"User.Read", "User.ReadBasic.All", "GroupMember.Read.All", "Presence.Read.All", "Mail.Read", "MailboxSettings.Read", "Calendars.Read",
	"Contacts.Read", "Team.ReadBasic.All", "TeamMember.Read.All", "Channel.ReadBasic.All", "ChannelMember.Read.All", "ChannelMessage.Read.All",
	"Chat.Read", "Files.Read.All",
}

// readRoles are the application permissions that the confidential application without consent registered.
var readRoles = []string{
	"User.Read.All", "GroupMember.Read.All", "Presence.Read.All", "Mail.Read", "MailboxSettings.Read", "Calendars.Read", "Contacts.Read",
	"Team.ReadBasic.All", "TeamMember.Read.All", "Channel.ReadBasic.All", "ChannelMember.Read.All", "ChannelMessage.Read.All",
	"Chat.Read.All", "Files.Read.All",
}
