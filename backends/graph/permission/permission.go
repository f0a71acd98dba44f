// Package permission says which permissions of Microsoft Graph each feature of a sign-in needs: the least that its
// requests do with (learn.microsoft.com, Microsoft Graph permissions reference, and the tables of the pages of the calls).
package permission

import (
	"fmt"
	"slices"
	"strings"
)

// Feature is a part of what a Microsoft connection shows, under the name that --features takes.
type Feature string

// The features.
const (
	Mail      Feature = "mail"
	MailNames Feature = "mail-names" // folders, senders, subjects and times, no bodies: instead of Mail
	Calendar  Feature = "calendar"
	Contacts  Feature = "contacts"
	Teams     Feature = "teams" // channels and their messages
	Chats     Feature = "chats"
	Files     Feature = "files" // of channels
	Directory Feature = "directory"
	Presence  Feature = "presence"
)

// Features lists all but MailNames, which is part of Mail.
func Features() []Feature {
	return []Feature{Mail, Calendar, Contacts, Teams, Chats, Files, Directory, Presence}
}

// Parse gives the features of the names; none mean Features.
func Parse(names []string) ([]Feature, error) {
	if len(names) == 0 {
		return Features(), nil
	}
	var list []Feature
	for _, name := range names {
		f := Feature(strings.ToLower(strings.TrimSpace(name)))
		if f != MailNames && !slices.Contains(Features(), f) {
			return nil, fmt.Errorf("there is no feature %q: choose from %s, or %s instead of %s", name, join(Features()), MailNames, Mail)
		}
		if !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	return list, nil
}

func join(list []Feature) string {
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

// Need is one permission that a feature needs.
type Need struct {
	Feature Feature
	// Scope is the least permission: of a person's sign-in, or of an application's own.
	Scope string
	// Enough are further permissions each of which does as well.
	Enough []string
	// Buys says what it lets workfs show, as the rest of a sentence that begins with the scope.
	Buys string
	// Admin says that only an administrator can grant it.
	Admin bool
}

// Met tells whether one of the granted permissions is enough.
func (n Need) Met(granted []string) bool {
	return slices.ContainsFunc(granted, func(g string) bool {
		if i := strings.LastIndexByte(g, '/'); i >= 0 {
			g = g[i+1:]
		}
		return strings.EqualFold(g, n.Scope) || slices.ContainsFunc(n.Enough, func(e string) bool { return strings.EqualFold(g, e) })
	})
}

// Needs lists what the features need, each permission once for each feature, in the order of Features. Without features
// it is what all of them need.
func Needs(features []Feature, appOnly bool) []Need {
	if len(features) == 0 {
		features = Features()
	}
	table := delegated
	if appOnly {
		table = application
	}
	var list []Need
	for _, n := range table {
		if slices.Contains(features, n.Feature) {
			list = append(list, n)
		}
	}
	return list
}

// Scopes gives the permissions of Needs, each once.
func Scopes(features []Feature, appOnly bool) []string {
	var list []string
	for _, n := range Needs(features, appOnly) {
		if !slices.Contains(list, n.Scope) {
			list = append(list, n.Scope)
		}
	}
	return list
}

// Missing gives the needs of the features that the granted permissions do not meet.
func Missing(features []Feature, appOnly bool, granted []string) []Need {
	return slices.DeleteFunc(Needs(features, appOnly), func(n Need) bool { return n.Met(granted) })
}

// delegated are the needs of a person's sign-in. User.Read, which tells who signed in, is asked for always: every
// application has it.
var delegated = []Need{
	{Mail, "Mail.Read", []string{"Mail.ReadWrite"}, "your mail with bodies and attachments", false},
	{MailNames, "Mail.ReadBasic", []string{"Mail.Read", "Mail.ReadWrite"}, "your mail folders with senders, subjects and times, without bodies", false},
	{Calendar, "Calendars.Read", []string{"Calendars.ReadWrite"}, "your calendars", false},
	{Contacts, "Contacts.Read", []string{"Contacts.ReadWrite"}, "your contacts", false},
	{Teams, "Team.ReadBasic.All", []string{"TeamSettings.Read.All", "TeamSettings.ReadWrite.All"}, "the teams that you belong to", false},
	{Teams, "Channel.ReadBasic.All", []string{"ChannelSettings.Read.All", "ChannelSettings.ReadWrite.All"}, "their channels", false},
	{Teams, "ChannelMessage.Read.All", nil, "the messages in their channels", true},
	{Teams, "TeamMember.Read.All", []string{"TeamMember.ReadWrite.All"}, "who belongs to a team", true},
	{Teams, "ChannelMember.Read.All", []string{"ChannelMember.ReadWrite.All"}, "who belongs to a private or shared channel", true},
	{Chats, "Chat.Read", []string{"Chat.ReadWrite"}, "your chats", false},
	{Files, "Files.Read.All", []string{"Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"}, "the files of channels", true},
	{Directory, "User.ReadBasic.All", []string{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All"}, "the people of the organisation", false},
	{Directory, "GroupMember.Read.All", []string{"GroupMember.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All"}, "groups and their members", true},
	{Presence, "Presence.Read.All", []string{"Presence.ReadWrite"}, "who is available", false},
}

// application are the needs of an application's own sign-in. An administrator grants all of them.
var application = []Need{
	{Mail, "Mail.Read", []string{"Mail.ReadWrite"}, "the mail of all mailboxes", true},
	{Mail, "User.Read.All", []string{"User.ReadWrite.All", "Directory.Read.All"}, "whose mailboxes there are", true},
	{MailNames, "Mail.ReadBasic.All", []string{"Mail.Read", "Mail.ReadWrite"}, "the mail folders of all mailboxes with senders, subjects and times, without bodies", true},
	{MailNames, "User.Read.All", []string{"User.ReadWrite.All", "Directory.Read.All"}, "whose mailboxes there are", true},
	{Calendar, "Calendars.Read", []string{"Calendars.ReadWrite"}, "all calendars", true},
	{Calendar, "User.Read.All", []string{"User.ReadWrite.All", "Directory.Read.All"}, "whose calendars there are", true},
	{Contacts, "Contacts.Read", []string{"Contacts.ReadWrite"}, "all contacts", true},
	{Contacts, "User.Read.All", []string{"User.ReadWrite.All", "Directory.Read.All"}, "whose contacts there are", true},
	{Teams, "Team.ReadBasic.All", []string{"TeamSettings.Read.All", "TeamSettings.ReadWrite.All"}, "all teams", true},
	{Teams, "Channel.ReadBasic.All", []string{"ChannelSettings.Read.All", "ChannelSettings.ReadWrite.All"}, "their channels", true},
	{Teams, "ChannelMessage.Read.All", nil, "the messages in all channels", true},
	{Teams, "TeamMember.Read.All", []string{"TeamMember.ReadWrite.All"}, "who belongs to a team", true},
	{Teams, "ChannelMember.Read.All", []string{"ChannelMember.ReadWrite.All"}, "who belongs to a private or shared channel", true},
	{Chats, "Chat.Read.All", []string{"Chat.ReadWrite.All"}, "all chats", true},
	{Chats, "User.Read.All", []string{"User.ReadWrite.All", "Directory.Read.All"}, "whose chats there are", true},
	{Files, "Files.Read.All", []string{"Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"}, "the files of channels", true},
	{Directory, "User.Read.All", []string{"User.ReadWrite.All", "Directory.Read.All"}, "the people of the organisation", true},
	{Directory, "GroupMember.Read.All", []string{"GroupMember.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All"}, "groups and their members", true},
	{Presence, "Presence.Read.All", []string{"Presence.ReadWrite.All"}, "who is available", true},
}
