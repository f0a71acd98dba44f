package sim_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/entra"
)

// least is an endpoint with the least permission that suffices, delegated and for applications; "" is not supported.
// {me} stands for /me with delegated tokens and for alice's /users/{id} with those of applications.
type least struct{ path, delegated, app string }

// leastPermissions are the permission tables of the API pages.
var leastPermissions = []least{
	{"/me", "User.Read", ""},
	{"/users/{alice}", "User.Read", "User.Read.All"},
	{"/users/{bob}", "User.ReadBasic.All", "User.Read.All"},
	{"/users", "User.ReadBasic.All", "User.Read.All"},
	{"/users/delta", "User.ReadBasic.All", "User.Read.All"},
	{"/groups", "GroupMember.Read.All", "GroupMember.Read.All"},
	{"/groups/delta", "GroupMember.Read.All", "GroupMember.Read.All"},
	{"/groups/{team}/members", "GroupMember.Read.All", "GroupMember.Read.All"},
	{"/me/presence", "Presence.Read", ""},
	{"/users/{bob}/presence", "Presence.Read.All", "Presence.Read.All"},

	{"{me}/mailFolders", "Mail.ReadBasic", "Mail.ReadBasic.All"},
	{"{me}/mailFolders/delta", "Mail.ReadBasic", "Mail.ReadBasic.All"},
	{"{me}/mailFolders/inbox", "Mail.ReadBasic", "Mail.ReadBasic.All"},
	{"{me}/mailFolders/inbox/childFolders", "Mail.ReadBasic", "Mail.ReadBasic.All"},
	{"{me}/messages", "Mail.ReadBasic", "Mail.ReadBasic.All"},
	{"{me}/mailFolders/inbox/messages", "Mail.ReadBasic", "Mail.ReadBasic.All"},
	{"{me}/mailFolders/inbox/messages/delta", "Mail.ReadBasic", "Mail.ReadBasic.All"},
	{"{me}/messages/{mail}", "Mail.ReadBasic", "Mail.ReadBasic.All"},
	{"{me}/messages/{mail}/$value", "Mail.Read", "Mail.Read"},
	{"{me}/messages/{mail}/attachments", "Mail.Read", "Mail.Read"},
	{"{me}/messages/{mail}?$expand=attachments", "Mail.Read", "Mail.Read"},
	{"{me}/mailboxSettings", "MailboxSettings.Read", "MailboxSettings.Read"},
	{"{me}/calendars", "Calendars.Read", "Calendars.Read"},
	{"{me}/calendar", "Calendars.Read", "Calendars.Read"},
	{"{me}/events", "Calendars.Read", "Calendars.Read"},
	{"{me}/calendarView?startDateTime=2026-11-01&endDateTime=2026-11-08", "Calendars.Read", "Calendars.Read"},
	{"{me}/calendarView/delta?startDateTime=2026-11-01&endDateTime=2026-11-08", "Calendars.Read", "Calendars.Read"},
	{"{me}/contacts", "Contacts.Read", "Contacts.Read"},
	{"{me}/contactFolders", "Contacts.Read", "Contacts.Read"},
	{"{me}/contacts/delta", "Contacts.Read", "Contacts.Read"},

	{"{me}/joinedTeams", "Team.ReadBasic.All", "Team.ReadBasic.All"},
	{"/teams/{team}", "Team.ReadBasic.All", "Team.ReadBasic.All"},
	{"/teams/{team}/channels", "Channel.ReadBasic.All", "Channel.ReadBasic.All"},
	{"/teams/{team}/allChannels", "Channel.ReadBasic.All", "Channel.ReadBasic.All"},
	{"/teams/{team}/channels/{channel}", "Channel.ReadBasic.All", "Channel.ReadBasic.All"},
	{"/teams/{team}/members", "TeamMember.Read.All", "TeamMember.Read.All"},
	{"/teams/{team}/channels/{channel}/members", "ChannelMember.Read.All", "ChannelMember.Read.All"},
	{"/teams/{team}/channels/{channel}/filesFolder", "Files.Read.All", "Files.Read.All"},
	{"/teams/{team}/channels/{channel}/messages", "ChannelMessage.Read.All", "ChannelMessage.Read.All"},
	{"/teams/{team}/channels/{channel}/messages/delta", "ChannelMessage.Read.All", "ChannelMessage.Read.All"},
	{"/teams/{team}/channels/{channel}/messages/{post}", "ChannelMessage.Read.All", "ChannelMessage.Read.All"},
	{"/teams/{team}/channels/{channel}/messages/{post}/replies", "ChannelMessage.Read.All", "ChannelMessage.Read.All"},
	{"/teams/{team}/channels/{channel}/messages/{post}/hostedContents", "ChannelMessage.Read.All", "ChannelMessage.Read.All"},
	{"{me}/chats", "Chat.ReadBasic", "Chat.ReadBasic.All"},
	{"/chats", "Chat.ReadBasic", ""},
	{"/chats/{chat}", "Chat.ReadBasic", "Chat.ReadBasic.All"},
	{"/chats/{chat}/members", "Chat.ReadBasic", "Chat.ReadBasic.All"},
	{"/chats/{chat}/messages", "Chat.Read", "Chat.Read.All"},
	{"/users/{alice}/chats/getAllMessages", "", "Chat.Read.All"},
	{"/users/{alice}/chats/getAllRetainedMessages", "", "Chat.Read.All"},
	{"/teams/{team}/channels/getAllMessages", "", "ChannelMessage.Read.All"},
	{"/teams/{team}/channels/getAllRetainedMessages", "", "ChannelMessage.Read.All"},

	{"{me}/drive", "Files.Read", "Files.Read.All"},
	{"{me}/drive/root/children", "Files.Read", "Files.Read.All"},
	{"{me}/drive/root/delta", "Files.Read", "Files.Read.All"},
	{"/drives/{drive}/root/children", "Files.Read.All", "Files.Read.All"},
	{"/drives/{drive}/root/delta", "Files.Read.All", "Files.Read.All"},
	{"/drives/{drive}/items/{file}/content", "Files.Read.All", "Files.Read.All"},
	{"/drives/{drive}/items/{file}/versions", "Files.Read.All", "Files.Read.All"},
	{"/drives/{drive}/items/{file}/permissions", "Files.Read.All", "Files.Read.All"},
	{"/groups/{team}/drive/root", "Files.Read.All", "Files.Read.All"},
}

// TestLeastPermissions asks every endpoint with the least permission alone, and with all others.
func TestLeastPermissions(t *testing.T) {
	s := start(t, sim.Options{})
	id := s.Clouds().Entra
	token := func(app bool, perms []string) *http.Client {
		c := entra.Claims{Audience: entra.GraphAudience, TenantID: s.Ready().Tenant, AppID: id.Confidential.ID, Expires: now.AddDate(1, 0, 0)}
		if app {
			c.ObjectID, c.AppOnly, c.Roles = id.Confidential.ObjectID, true, perms
		} else {
			c.ObjectID, c.Scopes = s.Company().Alice().ID, perms
		}
		base := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		base.Transport = &oauth2.Transport{Source: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: id.Mint(c)})}
		return base
	}
	all := token(false, id.Confidential.Scopes)
	resolve := names(t, s, all)
	for _, l := range leastPermissions {
		for _, app := range []bool{false, true} {
			perm, me, held, refusal := l.delegated, "/me", id.Confidential.Scopes, http.StatusForbidden
			if app {
				perm, me, held = l.app, "/users/"+s.Company().Alice().ID, id.Confidential.Roles
				if strings.HasPrefix(l.path, "/me") {
					refusal = http.StatusBadRequest
				}
			}
			address := s.Ready().Graph + "/v1.0" + strings.Replace(resolve.Replace(l.path), "{me}", me, 1)
			if perm == "" {
				if status, body := get(t, token(app, held), address); status != refusal {
					t.Errorf("%s, app %v: %d %.200s, want %d whatever the permissions", l.path, app, status, body, refusal)
				}
				continue
			}
			want := http.StatusOK
			if strings.HasSuffix(l.path, "/content") {
				want = http.StatusFound
			}
			if status, body := get(t, token(app, []string{perm}), address); status != want {
				t.Errorf("%s, app %v, with %s: %d %.200s", l.path, app, perm, status, body)
			}
			if status, body := get(t, token(app, without(held, perm)), address); status != http.StatusForbidden {
				t.Errorf("%s, app %v, without %s: %d %.200s", l.path, app, perm, status, body)
			}
		}
	}
}

// without leaves out the permissions of the same family: those that begin with the same resource, and wide ones that
// include it.
func without(held []string, perm string) (others []string) {
	resource, _, _ := strings.Cut(perm, ".")
	for _, p := range held {
		family, _, _ := strings.Cut(p, ".")
		switch {
		case family == resource, resource == "GroupMember" && family == "Group", resource == "Files" && family == "Sites":
		default:
			others = append(others, p)
		}
	}
	return others
}

// names finds one object of each kind and gives what replaces the placeholders of paths.
func names(t *testing.T, s *sim.Sim, c *http.Client) *strings.Replacer {
	t.Helper()
	pick := func(path string, wanted func(map[string]any) bool) map[string]any {
		t.Helper()
		status, body := get(t, c, s.Ready().Graph+"/v1.0"+path)
		var page struct{ Value []map[string]any }
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %.300s", path, status, body)
		}
		for _, v := range page.Value {
			if wanted == nil || wanted(v) {
				return v
			}
		}
		t.Fatalf("%s has nothing of the kind", path)
		return nil
	}
	text := func(v any) string { return url.PathEscape(v.(string)) }
	team := s.Company().Group("engineering").ID
	channel := text(pick("/teams/"+team+"/channels", nil)["id"])
	post := text(pick("/teams/"+team+"/channels/"+channel+"/messages", nil)["id"])
	drive := text(pick("/groups/"+team+"/drives", nil)["id"])
	folder := text(pick("/drives/"+drive+"/root/children", func(m map[string]any) bool { return m["name"] == "General" })["id"])
	file := text(pick("/drives/"+drive+"/items/"+folder+"/children", func(m map[string]any) bool { return m["file"] != nil && m["malware"] == nil })["id"])
	mail := text(pick("/me/messages", nil)["id"])
	chat := text(pick("/me/chats", nil)["id"])
	return strings.NewReplacer("{team}", team, "{channel}", channel, "{post}", post, "{drive}", drive, "{file}", file, "{mail}", mail,
		"{chat}", chat, "{alice}", s.Company().Alice().ID, "{bob}", s.Company().Bob().ID)
}
