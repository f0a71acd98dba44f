package permission

import (
	"fmt"
	"slices"
	"strings"

	"github.com/workfs/workfs/backends"
)

// View is what a connection shows: of the features that its owner chose, those that the sign-in was granted. What was
// granted may be unknown; then all that was chosen counts as granted, and the service tells by refusing. What a View does
// not show is not asked for and is not in the tree: a directory that can't be entered would fail each backup.
type View struct {
	features []Feature
	appOnly  bool
	granted  []string // nil: unknown
	table    []Need
}

// NewView makes a View. No features mean Features, granted is nil where it is unknown.
func NewView(features []Feature, appOnly bool, granted []string) View {
	if len(features) == 0 {
		features = Features()
	}
	v := View{features: features, appOnly: appOnly, granted: granted, table: delegated}
	if appOnly {
		v.table = application
	}
	return v
}

// ViewOf gives the View that the options of a mount ask for. Names that are no feature count for nothing; who takes them
// from people has them checked by Parse.
func ViewOf(o backends.Options, appOnly bool) View {
	if len(o.Features) == 0 {
		return NewView(nil, appOnly, o.Granted)
	}
	features := make([]Feature, len(o.Features))
	for i, name := range o.Features {
		features[i] = Feature(strings.ToLower(strings.TrimSpace(name)))
	}
	return NewView(features, appOnly, o.Granted)
}

// Shared gives the View of mailboxes that others share. An application's permissions are for all mailboxes.
func (v View) Shared() View {
	if !v.appOnly {
		v.table = shared
	}
	return v
}

// Chosen tells whether a feature was chosen.
func (v View) Chosen(f Feature) bool { return slices.Contains(v.features, f) }

// Allows tells whether a feature was chosen and none of the permissions that it needs is missing; with scopes, none of
// those.
func (v View) Allows(f Feature, scopes ...string) bool { return v.Chosen(f) && v.met(f, scopes...) }

func (v View) met(f Feature, scopes ...string) bool {
	return v.granted == nil || !slices.ContainsFunc(v.table, func(n Need) bool {
		return n.Feature == f && (len(scopes) == 0 || slices.Contains(scopes, n.Scope)) && !n.Met(v.granted)
	})
}

// Letters is how much of mail is shown.
type Letters int

// The values of Letters.
const (
	NoLetters Letters = iota
	Envelopes         // folders, senders, subjects and times
	WholeLetters
)

// Mail tells how much of mail is shown. Where bodies were chosen and only the rest was granted, that is shown.
func (v View) Mail() Letters {
	switch {
	case v.Allows(Mail):
		return WholeLetters
	case (v.Chosen(Mail) || v.Chosen(MailNames)) && v.met(MailNames):
		return Envelopes
	}
	return NoLetters
}

// Channels tells whether teams and their channels are shown, for their messages or for their files.
func (v View) Channels() bool {
	return v.Allows(Teams, TeamNames, ChannelNames) || v.Allows(Files)
}

// Mailboxes tells whether anything of mailboxes is shown.
func (v View) Mailboxes() bool {
	return v.Mail() != NoLetters || v.Allows(Calendar) || v.Allows(Contacts)
}

// Conversations tells whether anything of Teams is shown.
func (v View) Conversations() bool { return v.Channels() || v.Allows(Chats) }

// Users tells whether the people of the organisation are shown.
func (v View) Users() bool { return v.Allows(Directory, "User.ReadBasic.All", "User.Read.All") }

// Groups tells whether the groups of the organisation are shown.
func (v View) Groups() bool { return v.Allows(Directory, groups) }

// People tells whether anything of the directory is shown.
func (v View) People() bool { return v.Users() || v.Groups() || v.Allows(Presence) }

// Edition tells Views apart that show other things of the features. What was listed with another one has to be listed anew.
func (v View) Edition(features ...Feature) string {
	var parts []string
	for _, n := range v.table {
		if slices.Contains(features, n.Feature) && v.Chosen(n.Feature) && (v.granted == nil || n.Met(v.granted)) {
			parts = append(parts, string(n.Feature)+":"+n.Scope)
		}
	}
	if slices.Contains(features, Mail) {
		parts = append(parts, fmt.Sprint("letters:", v.Mail()))
	}
	return strings.Join(parts, " ")
}

// Gaps tells what a connection of a name does not show, and what to do about it. withShared says that it names shared
// mailboxes. Paths are those in the connection's directory.
func (v View) Gaps(name string, withShared bool) []backends.Gap {
	var gaps []backends.Gap
	var left []Feature
	for _, f := range Features() {
		if !v.Chosen(f) && !(f == Mail && v.Chosen(MailNames)) {
			left = append(left, f)
		}
	}
	if len(left) > 0 {
		gaps = append(gaps, backends.Gap{Reason: "Not chosen: " + join(left) + "; features of the connection says what is shown."})
	}
	if v.Mail() == Envelopes && !v.Chosen(Mail) {
		gaps = append(gaps, backends.Gap{Path: "outlook/*/mail", Reason: "Not chosen: bodies and attachments of mail; the feature mail-names shows the rest."})
	}
	if v.granted == nil {
		return gaps
	}
	table := v.table
	if withShared && !v.appOnly {
		table = slices.Concat(table, shared)
	}
	for _, n := range table {
		if v.Chosen(n.Feature) && !n.Met(v.granted) {
			gaps = append(gaps, backends.Gap{Path: n.Path, Reason: v.missing(n, name)})
		}
	}
	return gaps
}

// missing tells of a permission that was not granted.
func (v View) missing(n Need, name string) string {
	reason := fmt.Sprintf("The sign-in was not granted %s, which shows %s: ", n.Scope, n.Buys)
	switch login := "workfs login microsoft --name " + name; {
	case v.appOnly:
		return reason + "ask an administrator to grant it to the application."
	case n.Admin:
		return reason + "ask an administrator to consent (" + login + " --admin-consent gives the address for that), then run " + login + v.flag() + "."
	default:
		return reason + "run " + login + v.flag() + "."
	}
}

// flag gives the option that asks for the chosen features.
func (v View) flag() string {
	if all := Features(); len(v.features) == len(all) && !slices.ContainsFunc(all, func(f Feature) bool { return !v.Chosen(f) }) {
		return ""
	}
	return " --features " + strings.ReplaceAll(join(v.features), ", ", ",")
}
