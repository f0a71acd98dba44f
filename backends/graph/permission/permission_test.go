package permission

import (
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
)

func TestTableIsSound(t *testing.T) {
	for name, table := range map[string][]Need{"delegated": delegated, "shared": shared, "application": application} {
		seen := map[string]bool{}
		for _, n := range table {
			key := string(n.Feature) + " " + n.Scope
			if seen[key] {
				t.Errorf("%s: %s is there twice", name, key)
			}
			seen[key] = true
			if n.Scope == "" || n.Buys == "" || n.Path == "" || strings.HasSuffix(n.Buys, ".") {
				t.Errorf("%s: %+v lacks something", name, n)
			}
			if slices.Contains(n.Enough, n.Scope) {
				t.Errorf("%s: %s is enough for itself", name, key)
			}
			if name == "application" && !n.Admin {
				t.Errorf("%s: only an administrator grants %s", name, key)
			}
		}
		for _, f := range Features() {
			if name != "shared" && len(needs(table, []Feature{f})) == 0 {
				t.Errorf("%s: %s needs nothing", name, f)
			}
		}
	}
	for _, app := range []bool{false, true} {
		// Services ask for these by name, so the tables must have them.
		for scope, f := range map[string]Feature{
			TeamNames: Teams, ChannelNames: Files, ChannelMessages: Teams, TeamMembers: Teams, ChannelMembers: Teams, groups: Directory,
		} {
			if !slices.Contains(Scopes([]Feature{f}, app), scope) {
				t.Errorf("app %v: %s does not need %s", app, f, scope)
			}
		}
	}
}

func TestView(t *testing.T) {
	scopes := func(s string) []string { return strings.Fields(s) }
	tests := map[string]struct {
		features string
		app      bool
		granted  []string
		mail     Letters
		shows    string // what of mailboxes, conversations, people, channels
	}{
		"all, unknown":          {"", false, nil, WholeLetters, "mailboxes conversations people channels"},
		"all, everything":       {"", false, Scopes(nil, false), WholeLetters, "mailboxes conversations people channels"},
		"all, nothing":          {"", false, []string{}, NoLetters, ""},
		"long names":            {"mail", false, scopes("https://graph.microsoft.com/Mail.Read openid"), WholeLetters, "mailboxes"},
		"a wider one":           {"mail", false, scopes("mail.readwrite"), WholeLetters, "mailboxes"},
		"one's own and others'": {"mail", false, scopes("Mail.Read.Shared"), WholeLetters, "mailboxes"},
		"names chosen":          {"mail-names", false, nil, Envelopes, "mailboxes"},
		"names chosen, more":    {"mail-names", false, scopes("Mail.Read"), Envelopes, "mailboxes"},
		"both chosen":           {"mail-names,mail", false, nil, WholeLetters, "mailboxes"},
		"only names granted":    {"mail", false, scopes("Mail.ReadBasic"), Envelopes, "mailboxes"},
		"mail not granted":      {"mail,calendar", false, scopes("Calendars.Read"), NoLetters, "mailboxes"},
		"mail not chosen":       {"calendar", false, scopes("Mail.Read"), NoLetters, ""},
		"names of teams alone":  {"", false, scopes("Team.ReadBasic.All Channel.ReadBasic.All"), NoLetters, "conversations channels"},
		"files alone":           {"files", false, nil, NoLetters, "conversations channels"},
		"files without teams":   {"files", false, scopes("Files.Read.All"), NoLetters, ""},
		"chats alone":           {"chats", false, nil, NoLetters, "conversations"},
		"groups alone":          {"", false, scopes("GroupMember.Read.All"), NoLetters, "people"},
		"presence of nobody":    {"presence", false, scopes("Presence.Read.All"), NoLetters, ""},
		"an application":        {"", true, nil, WholeLetters, "mailboxes conversations people channels"},
		"an application, names": {"mail-names", true, nil, Envelopes, "mailboxes"},
		"an unknown feature":    {"male", false, nil, NoLetters, ""},
	}
	for name, tt := range tests {
		o := backends.Options{Granted: tt.granted}
		if tt.features != "" {
			o.Features = strings.Split(tt.features, ",")
		}
		v := ViewOf(o, tt.app)
		var shows []string
		for _, s := range []struct {
			what string
			is   bool
		}{{"mailboxes", v.Mailboxes()}, {"conversations", v.Conversations()}, {"people", v.People()}, {"channels", v.Channels()}} {
			if s.is {
				shows = append(shows, s.what)
			}
		}
		if got := strings.Join(shows, " "); got != tt.shows || v.Mail() != tt.mail {
			t.Errorf("%s: shows %q and %d of letters, want %q and %d", name, got, v.Mail(), tt.shows, tt.mail)
		}
	}
}

// TestSharedMailboxes: what others share has permissions of its own for people, and none for applications.
func TestSharedMailboxes(t *testing.T) {
	v := NewView(nil, false, []string{"Mail.Read", "Calendars.Read.Shared", "Contacts.Read"}).Shared()
	if v.Mail() != NoLetters || !v.Allows(Calendar) || v.Allows(Contacts) {
		t.Errorf("shows %d of letters, calendars %v, contacts %v", v.Mail(), v.Allows(Calendar), v.Allows(Contacts))
	}
	if v := NewView(nil, false, []string{"Mail.ReadBasic.Shared"}).Shared(); v.Mail() != Envelopes {
		t.Errorf("shows %d of letters", v.Mail())
	}
	if v := NewView(nil, true, nil).Shared(); v.Mail() != WholeLetters || !v.Allows(Contacts) {
		t.Error("an application does not see the mailboxes that the configuration names")
	}
}

func TestEdition(t *testing.T) {
	mail := func(granted []string, features ...Feature) string {
		return NewView(features, false, granted).Edition(Mail, MailNames, Calendar)
	}
	if mail(nil) != mail(Scopes(nil, false)) {
		t.Error("it is all the same whether everything was granted or nobody knows")
	}
	if mail(nil) != mail([]string{"Mail.ReadWrite", "Calendars.Read"}) {
		t.Error("other features, and wider permissions, count")
	}
	all := []string{mail(nil), mail(nil, Mail), mail(nil, MailNames), mail([]string{"Mail.ReadBasic"}), mail([]string{}), mail([]string{"Calendars.Read"})}
	for i, a := range all {
		if slices.Contains(all[:i], a) {
			t.Errorf("%q stands for two things", a)
		}
	}
}

func TestGaps(t *testing.T) {
	text := func(v View, shared bool) string {
		var b strings.Builder
		for _, g := range v.Gaps("contoso", shared) {
			b.WriteString(g.Path + ": " + g.Reason + "\n")
		}
		return b.String()
	}
	if got := text(NewView(nil, false, nil), true); got != "" {
		t.Errorf("nothing is known to be missing, but: %s", got)
	}
	got := text(NewView([]Feature{MailNames, Calendar, Files}, false, []string{"Mail.ReadBasic", "Files.Read.All", "Team.ReadBasic.All"}), true)
	want := []string{
		": Not chosen: contacts, teams, chats, directory, presence; features of the connection says what is shown.\n",
		"outlook/*/mail: Not chosen: bodies and attachments of mail",
		"outlook/*/calendar: The sign-in was not granted Calendars.Read, which shows your calendars: run workfs login microsoft --name contoso --features mail-names,calendar,files.\n",
		"teams/channels: The sign-in was not granted Channel.ReadBasic.All",
		"outlook/*/mail: The sign-in was not granted Mail.ReadBasic.Shared",
		"outlook/*/calendar: The sign-in was not granted Calendars.Read.Shared",
	}
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("lacks %q in\n%s", w, got)
		}
	}
	if strings.Count(got, "\n") != len(want) {
		t.Errorf("tells more than expected:\n%s", got)
	}
	got = text(NewView(nil, false, slices.DeleteFunc(Scopes(nil, false), func(s string) bool { return s == ChannelMessages })), false)
	if want := "teams/channels/*/*: The sign-in was not granted ChannelMessage.Read.All, which shows the messages in their channels: ask an administrator to consent " +
		"(workfs login microsoft --name contoso --admin-consent gives the address for that), then run workfs login microsoft --name contoso.\n"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := text(NewView([]Feature{Mail}, true, []string{"User.Read.All"}), false); !strings.Contains(got, "ask an administrator to grant it to the application") {
		t.Errorf("an application's: %s", got)
	}
}
