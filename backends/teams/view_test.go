package teams_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/graph/follow"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/teams"
)

// openView makes a backend that shows what was chosen and granted.
func (o *office) openView(appOnly bool, features, granted []string) *reader {
	o.t.Helper()
	sink := backendtest.NewSink()
	client, account := backendtest.Graph(o.t, o.Sim, appOnly, sink)
	b := teams.New(teams.Config{
		Client: client, Account: account, Options: backends.Options{Features: features, Granted: granted}, Now: o.World().Clock.Now,
	})
	return &reader{o.t, b, sink}
}

// TestShownOfTeams: each directory holds what was chosen and granted and nothing else, and nothing else is asked for, watched
// or subscribed to.
func TestShownOfTeams(t *testing.T) {
	o := newOffice(t, sim.Options{})
	const names = "Team.ReadBasic.All Channel.ReadBasic.All "
	for what, tt := range map[string]struct {
		app               bool
		features, granted string
		root, channel     string
		team              bool   // members.csv
		standing          string // subscriptions from the start
	}{
		"all":                {false, "", "", "channels chats", "files members.csv months", true, ""},
		"teams":              {false, "teams", "", "channels", "members.csv months", true, ""},
		"chats":              {false, "chats", "", "chats", "", false, ""},
		"files":              {false, "files", "", "channels", "files", false, ""},
		"nothing of it":      {false, "mail", "", "", "", false, ""},
		"names alone":        {false, "", names, "channels", "", false, ""},
		"without members":    {false, "", names + "ChannelMessage.Read.All", "channels", "months", false, ""},
		"members alone":      {false, "", names + "TeamMember.Read.All ChannelMember.Read.All", "channels", "members.csv", true, ""},
		"files and chats":    {false, "", names + "Files.Read.All Chat.Read", "channels chats", "files", false, ""},
		"messages of nobody": {false, "", "ChannelMessage.Read.All Files.Read.All", "", "", false, ""},
		"an application":     {true, "", "", "channels users", "files members.csv months", true, "/teams/getAllMessages /chats/getAllMessages"},
		"its files":          {true, "files", "", "channels", "files", false, ""},
		"its chats":          {true, "chats", "", "users", "", false, "/chats/getAllMessages"},
		"its teams":          {true, "teams", "", "channels", "members.csv months", true, "/teams/getAllMessages"},
	} {
		t.Run(what, func(t *testing.T) {
			var features, granted []string
			if tt.features != "" {
				features = strings.Fields(tt.features)
			}
			if tt.granted != "" {
				granted = strings.Fields(tt.granted)
			}
			r := o.openView(tt.app, features, granted)
			r.t = t
			o.World().Stats.Reset()
			if got := strings.Join(slices.Sorted(maps.Keys(r.list(""))), " "); got != tt.root {
				t.Errorf("the root has %q, want %q", got, tt.root)
			}
			var wishes []string
			f := r.b.(follow.Service)
			for _, w := range f.Standing() {
				wishes = append(wishes, w.Resource)
			}
			if got := strings.Join(wishes, " "); got != tt.standing {
				t.Errorf("subscriptions from the start are %q, want %q", got, tt.standing)
			}
			for kind, dir := range map[string]backends.DirKey{"channels": "channels", "chats": "chats|", "users": "users"} {
				if tt.app && kind == "chats" || !tt.app && kind == "users" || slices.Contains(strings.Fields(tt.root), kind) {
					continue
				}
				before := backendtest.Requests(o.Sim)
				if err := r.b.List(t.Context(), dir, r.sink); !errors.Is(err, backends.ErrNotFound) || !strings.Contains(err.Error(), "is shown") || backendtest.Requests(o.Sim) != before {
					t.Errorf("listing %s, which is not shown: %v", kind, err)
				}
				if w, ok := f.Watch(string(dir)); ok {
					t.Errorf("%s, which are not shown, are watched by %+v", kind, w)
				}
			}
			if !strings.Contains(tt.root, "channels") {
				return
			}
			_, members := r.list(r.key("channels/Engineering"))["members.csv"]
			if members != tt.team {
				t.Errorf("the team's members are shown: %v", members)
			}
			dir := r.key("channels/Engineering/General")
			var shown []string
			for name := range r.list(dir) {
				if strings.HasPrefix(name, "20") {
					name = "months"
				}
				if !slices.Contains(shown, name) {
					shown = append(shown, name)
				}
			}
			slices.Sort(shown)
			if got := strings.Join(shown, " "); got != tt.channel {
				t.Errorf("a channel has %q, want %q", got, tt.channel)
			}
			if _, ok := f.Watch(string(dir)); ok != strings.Contains(tt.channel, "months") {
				t.Errorf("a channel is watched: %v", ok)
			}
			for part, path := range map[string]string{"months": "/messages", "members.csv": "/channels/{channel}/members", "files": "filesFolder"} {
				if n := backendtest.Requests(o.Sim, path); n > 0 && !slices.Contains(shown, part) {
					t.Errorf("%s are not shown, and asked for %d times", part, n)
				}
			}
			if n := backendtest.Requests(o.Sim, "/teams/{team}/members"); (n > 0) != tt.team {
				t.Errorf("the team's members are asked for %d times", n)
			}
		})
	}
}
