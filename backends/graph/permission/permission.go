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
	// Path is where that is in the connection's directory.
	Path string
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
	if appOnly {
		return needs(application, features)
	}
	return needs(delegated, features)
}

// SharedNeeds lists what the features need besides for the mailboxes of others that a person may read.
func SharedNeeds(features []Feature) []Need { return needs(shared, features) }

func needs(table []Need, features []Feature) []Need {
	if len(features) == 0 {
		features = Features()
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
