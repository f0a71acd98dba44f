package permission

// Scopes that services ask for by name, because each buys a part of a feature that can be shown without the others. They
// are called the same for people and applications.
const (
	TeamNames       = "Team.ReadBasic.All"
	ChannelNames    = "Channel.ReadBasic.All"
	ChannelMessages = "ChannelMessage.Read.All"
	TeamMembers     = "TeamMember.Read.All"
	ChannelMembers  = "ChannelMember.Read.All"
)

const groups = "GroupMember.Read.All"

// What does as well as the least permission.
var (
	enoughMail     = []string{"Mail.ReadWrite", "Mail.Read.Shared", "Mail.ReadWrite.Shared"}
	enoughNames    = append([]string{"Mail.Read", "Mail.ReadBasic.Shared"}, enoughMail...)
	enoughCalendar = []string{"Calendars.ReadWrite", "Calendars.Read.Shared", "Calendars.ReadWrite.Shared"}
	enoughContacts = []string{"Contacts.ReadWrite", "Contacts.Read.Shared", "Contacts.ReadWrite.Shared"}
	enoughTeams    = []string{"TeamSettings.Read.All", "TeamSettings.ReadWrite.All"}
	enoughChannels = []string{"ChannelSettings.Read.All", "ChannelSettings.ReadWrite.All"}
	enoughMembers  = []string{"TeamMember.ReadWrite.All"}
	enoughInside   = []string{"ChannelMember.ReadWrite.All"}
	enoughFiles    = []string{"Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"}
	enoughUsers    = []string{"User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	enoughPeople   = append([]string{"User.Read.All"}, enoughUsers...)
	enoughGroups   = []string{"GroupMember.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
)

// delegated are the needs of a person's sign-in. User.Read, which tells who signed in, is asked for always: every
// application has it. Who has to consent is as the permissions reference says; of Files.Read.All, OneDrive's own page on
// permissions, too.
var delegated = []Need{
	{Mail, "Mail.Read", enoughMail, "your mail with bodies and attachments", "outlook/*/mail", false},
	{MailNames, "Mail.ReadBasic", enoughNames, "your mail folders with senders, subjects and times, without bodies", "outlook/*/mail", false},
	{Calendar, "Calendars.Read", enoughCalendar, "your calendars", "outlook/*/calendar", false},
	{Contacts, "Contacts.Read", enoughContacts, "your contacts", "outlook/*/contacts", false},
	{Teams, TeamNames, enoughTeams, "the teams that you belong to", "teams/channels", false},
	{Teams, ChannelNames, enoughChannels, "their channels", "teams/channels", false},
	{Teams, ChannelMessages, nil, "the messages in their channels", "teams/channels/*/*", true},
	{Teams, TeamMembers, enoughMembers, "who belongs to a team", "teams/channels/*/members.csv", true},
	{Teams, ChannelMembers, enoughInside, "who belongs to a channel", "teams/channels/*/*/members.csv", true},
	{Chats, "Chat.Read", []string{"Chat.ReadWrite"}, "your chats", "teams/chats", false},
	{Files, TeamNames, enoughTeams, "the teams that you belong to", "teams/channels", false},
	{Files, ChannelNames, enoughChannels, "their channels", "teams/channels", false},
	{Files, "Files.Read.All", enoughFiles, "the files of channels", "teams/channels/*/*/files", false},
	{Directory, "User.ReadBasic.All", enoughPeople, "the people of the organisation", "directory/users.csv", false},
	{Directory, groups, enoughGroups, "groups and their members", "directory/groups", true},
	{Presence, "User.ReadBasic.All", enoughPeople, "whose presence there is to ask for", "directory/presence.csv", false},
	{Presence, "Presence.Read.All", nil, "who is available", "directory/presence.csv", false},
}

// shared are the needs of a person's sign-in for mailboxes that others share.
var shared = []Need{
	{Mail, "Mail.Read.Shared", []string{"Mail.ReadWrite.Shared"}, "the mail of shared mailboxes", "outlook/*/mail", false},
	{MailNames, "Mail.ReadBasic.Shared", []string{"Mail.Read.Shared", "Mail.ReadWrite.Shared"}, "the mail folders of shared mailboxes, without bodies", "outlook/*/mail", false},
	{Calendar, "Calendars.Read.Shared", []string{"Calendars.ReadWrite.Shared"}, "the calendars of shared mailboxes", "outlook/*/calendar", false},
	{Contacts, "Contacts.Read.Shared", []string{"Contacts.ReadWrite.Shared"}, "the contacts of shared mailboxes", "outlook/*/contacts", false},
}

// application are the needs of an application's own sign-in. An administrator grants all of them.
var application = []Need{
	{Mail, "Mail.Read", []string{"Mail.ReadWrite"}, "the mail of all mailboxes", "outlook/*/mail", true},
	{Mail, "User.Read.All", enoughUsers, "whose mailboxes there are", "outlook", true},
	{MailNames, "Mail.ReadBasic.All", []string{"Mail.ReadBasic", "Mail.Read", "Mail.ReadWrite"}, "the mail folders of all mailboxes with senders, subjects and times, without bodies", "outlook/*/mail", true},
	{MailNames, "User.Read.All", enoughUsers, "whose mailboxes there are", "outlook", true},
	{Calendar, "Calendars.Read", []string{"Calendars.ReadWrite"}, "all calendars", "outlook/*/calendar", true},
	{Calendar, "User.Read.All", enoughUsers, "whose calendars there are", "outlook", true},
	{Contacts, "Contacts.Read", []string{"Contacts.ReadWrite"}, "all contacts", "outlook/*/contacts", true},
	{Contacts, "User.Read.All", enoughUsers, "whose contacts there are", "outlook", true},
	{Teams, TeamNames, enoughTeams, "all teams", "teams/channels", true},
	{Teams, ChannelNames, enoughChannels, "their channels", "teams/channels", true},
	{Teams, ChannelMessages, nil, "the messages in all channels", "teams/channels/*/*", true},
	{Teams, TeamMembers, enoughMembers, "who belongs to a team", "teams/channels/*/members.csv", true},
	{Teams, ChannelMembers, enoughInside, "who belongs to a channel", "teams/channels/*/*/members.csv", true},
	{Chats, "Chat.Read.All", []string{"Chat.ReadWrite.All"}, "all chats", "teams/users/*/chats", true},
	{Chats, "User.Read.All", enoughUsers, "whose chats there are", "teams/users", true},
	{Files, TeamNames, enoughTeams, "all teams", "teams/channels", true},
	{Files, ChannelNames, enoughChannels, "their channels", "teams/channels", true},
	{Files, "Files.Read.All", enoughFiles, "the files of channels", "teams/channels/*/*/files", true},
	{Directory, "User.Read.All", enoughUsers, "the people of the organisation", "directory/users.csv", true},
	{Directory, groups, enoughGroups, "groups and their members", "directory/groups", true},
	{Presence, "User.Read.All", enoughUsers, "whose presence there is to ask for", "directory/presence.csv", true},
	{Presence, "Presence.Read.All", []string{"Presence.ReadWrite.All"}, "who is available", "directory/presence.csv", true},
}
