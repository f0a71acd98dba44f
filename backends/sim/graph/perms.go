package graph

import (
	"slices"
	"strings"
)

// Perms are the permissions of an endpoint; any one of a list suffices, and so does any that includes it (Mail.ReadWrite
// includes Mail.Read). An empty App makes the endpoint delegated only, an empty Delegated app only.
type Perms struct {
	Delegated []string
	App       []string
	// DelegatedShared lets a user address another user's data through {U}; whether that user shared anything with the
	// caller is for the handler to check. Empty: only one's own.
	DelegatedShared []string
	// Open leaves it all to the handler, for endpoints whose permission depends on the request's body.
	Open bool
}

// Caller is who makes a request, as the token says.
type Caller struct {
	AppOnly  bool
	UserID   string // object id of the user; empty when AppOnly
	AppID    string
	TenantID string
	Scopes   []string // of a delegated token
	Roles    []string // of an application's token

	cae       bool  // can handle claims challenges
	freshAt   int64 // of the last challenge that the token answers
	revokedAt int64 // when the user's sessions were revoked after the token was issued, epoch seconds; 0 if they were not
	openID    bool  // may ask who the user is
}

// Has reports whether the caller's scopes or roles include one of the permissions.
func (c Caller) Has(perms ...string) bool {
	held := c.Scopes
	if c.AppOnly {
		held = c.Roles
	}
	for _, h := range held {
		for _, p := range perms {
			if includes(h, p, c.AppOnly) {
				return true
			}
		}
	}
	return false
}

// allow gives the list of permissions that was asked for and whether the caller has one of them.
func (p Perms) allow(c Caller, other bool) ([]string, bool) {
	if p.Open {
		return nil, true
	}
	want := p.Delegated
	switch {
	case c.AppOnly:
		want = p.App
	case other:
		want = p.DelegatedShared
	case len(p.DelegatedShared) > 0:
		// Permissions for shared data cover one's own too.
		want = slices.Concat(p.Delegated, p.DelegatedShared)
	}
	return want, c.Has(want...)
}

// wider lists permissions that include another one by name alone, beside the rules of includes.
var wider = map[string][]string{
	"Directory.Read.All":      {"User.Read.All", "Group.Read.All", "GroupMember.Read.All", "Organization.Read.All"},
	"Directory.ReadWrite.All": {"Directory.Read.All"},
	"Group.Read.All":          {"GroupMember.Read.All"},
	"Chat.ReadWrite":          {"ChatMessage.Send"},
	"Sites.Read.All":          {"Files.Read.All"},
	"Sites.ReadWrite.All":     {"Files.ReadWrite.All"},
	"User.ReadWrite":          {"User.Read"},
}

// includes reports whether a permission held covers the wanted one.
func includes(held, want string, app bool) bool {
	if held == want {
		return true
	}
	next := slices.Clone(wider[held])
	if narrow, ok := replaceWord(held, "ReadWrite", "Read"); ok {
		next = append(next, narrow)
	}
	if narrow, ok := replaceWord(held, "Read", "ReadBasic"); ok {
		next = append(next, narrow)
	}
	if app && !strings.HasSuffix(held, ".All") {
		// Application permissions of Exchange are for all mailboxes with and without the suffix.
		next = append(next, held+".All")
	}
	if narrow, ok := strings.CutSuffix(held, ".All"); ok && !app {
		next = append(next, narrow)
	}
	for _, n := range next {
		if includes(n, want, app) {
			return true
		}
	}
	return false
}

// replaceWord swaps one dot-separated word of a permission.
func replaceWord(perm, from, to string) (string, bool) {
	words := strings.Split(perm, ".")
	i := slices.Index(words, from)
	if i < 0 {
		return "", false
	}
	words[i] = to
	return strings.Join(words, "."), true
}

// area is the workload that an endpoint belongs to; it decides error codes and limits.
type area int

const (
	areaDirectory area = iota
	areaOutlook
	areaTeams
	areaDrive
	areaSubscriptions
)

// areas by the first segment of a path after /me or /users/{user}.
var areas = map[string]area{
	"mailfolders": areaOutlook, "messages": areaOutlook, "calendar": areaOutlook, "calendars": areaOutlook,
	"calendargroups": areaOutlook, "calendarview": areaOutlook, "events": areaOutlook, "contacts": areaOutlook,
	"contactfolders": areaOutlook, "mailboxsettings": areaOutlook, "outlook": areaOutlook, "admin": areaOutlook,
	"sendmail": areaOutlook, "remindersview": areaOutlook, "translateexchangeids": areaOutlook,
	"teams": areaTeams, "chats": areaTeams, "joinedteams": areaTeams, "teamwork": areaTeams, "appcatalogs": areaTeams,
	"drive": areaDrive, "drives": areaDrive, "sites": areaDrive, "shares": areaDrive,
	"subscriptions": areaSubscriptions,
}

func areaOf(path string) area {
	path = strings.TrimPrefix(path, "{U}")
	path = strings.TrimPrefix(path, "/me/")
	path = strings.TrimPrefix(path, "/users/{user}/")
	// Files and sites of a group belong to SharePoint, the group itself to the directory.
	if rest, ok := strings.CutPrefix(path, "/groups/{group}/"); ok {
		path = rest
	}
	path = strings.TrimPrefix(path, "/")
	first, _, _ := strings.Cut(path, "/")
	return areas[strings.ToLower(first)]
}
