package teams_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/sim"
)

// hashed replaces the hash in a name, so that a test need not know it.
func hashed(name string) string {
	stem, rest, ok := strings.Cut(name, "~")
	if !ok {
		return name
	}
	_, ext, dot := strings.Cut(rest, ".")
	if dot {
		return stem + "~#." + ext
	}
	return stem + "~#"
}

func (r *reader) names(path string) (list []string) {
	r.t.Helper()
	for name := range r.list(r.key(path)) {
		list = append(list, hashed(name))
	}
	slices.Sort(list)
	return list
}

func TestTree(t *testing.T) {
	o := newOffice(t, sim.Options{})
	user, app := o.open(false), o.open(true)
	for _, tt := range []struct {
		r    *reader
		path string
		want []string
	}{
		{user, "", []string{"channels", "chats"}},
		{app, "", []string{"channels", "users"}},
		{user, "channels/Engineering", []string{
			"Build／Deploy", "Empty", "General", "Hiring 🕵️", "New ideas", "Odds & ends", "Orion x Fabrikam", "members.csv",
		}},
		{app, "channels/Engineering", []string{
			"Build／Deploy", "Empty", "General", "Hiring 🕵️", "New ideas", "Odds & ends", "Orion x Fabrikam", "Salary review",
			"members.csv",
		}},
		// Names that would be taken for ours get a hash.
		{user, "channels/Website relaunch 2025", []string{
			"2026-11~#", "Copy & translations", "General", "files~#", "members.csv", "members~#.csv",
		}},
		// A channel that another team shares is shown; one of another organisation is not.
		{app, "channels/Проект Орион", []string{"General", "Orion x Fabrikam", "members.csv", "Κυκλοφορία 🚀", "Дизайн"}},
		{app, "channels/Finance", []string{"Board", "Closing Q4: numbers? <draft>", "General", "members.csv"}},
		{user, "channels/Engineering/New ideas/files", nil}, // nobody has opened it yet
		{user, "channels/Engineering/Empty/files", nil},
		{app, "users/bob@contoso.com", []string{"chats"}},
	} {
		got := tt.r.names(tt.path)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q holds %q, want %q", tt.path, got, tt.want)
		}
	}
	foreign := 0
	for _, gap := range app.b.Coverage() {
		if strings.Contains(gap.Reason, "another organisation") {
			foreign++
		}
	}
	if foreign != 1 {
		t.Errorf("%d channels of other organisations are reported: %v", foreign, app.b.Coverage())
	}
	// A shared channel has the same messages in both teams, under identities of their own.
	a, b := app.months(app.key("channels/Engineering/Orion x Fabrikam")), app.months(app.key("channels/Проект Орион/Orion x Fabrikam"))
	here, there := shown(a, "md"), shown(b, "md")
	if len(here) == 0 || len(here) != len(there) {
		t.Errorf("a shared channel shows %d and %d messages", len(here), len(there))
	}
	for key, e := range here {
		same := bytes.Equal(there[key].Body, e.Body) || bytes.Contains(e.Body, []byte("\nattachments: ")) // which have other names
		if there[key].ID == "" || there[key].ID == e.ID || !same {
			t.Errorf("message %s is %s and %s", key, e.ID, there[key].ID)
		}
	}
	if x, y := app.names("channels/Engineering/Orion x Fabrikam/files"), app.names("channels/Проект Орион/Orion x Fabrikam/files"); len(x) == 0 || !slices.Equal(x, y) {
		t.Errorf("a shared channel shows the files %q and %q", x, y)
	}
}

// TestMembers compares the tables of members with what the service says.
func TestMembers(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r := o.open(false)
	engineering := "/teams/" + o.ids(o.admin, "/teams")["Engineering"]
	tables := map[string]string{
		"channels/Engineering":                  engineering + "/members",
		"channels/Engineering/Hiring 🕵️":        o.channel("Engineering", "Hiring 🕵️") + "/members",
		"channels/Engineering/Orion x Fabrikam": o.channel("Engineering", "Orion x Fabrikam") + "/members",
	}
	for _, topic := range []string{"All hands Q&A", "Обед?"} {
		dir, where := o.chat(r, topic)
		tables[dir] = where + "/members"
	}
	for dir, where := range tables {
		want := o.ids(o.admin, where)
		e := r.list(r.key(dir))["members.csv"]
		rows, err := csv.NewReader(bytes.NewReader(e.Body)).ReadAll()
		if err != nil || len(rows) != len(want)+1 || !slices.Equal(rows[0], []string{"name", "email", "role", "user_id", "tenant_id"}) {
			t.Errorf("%s/members.csv has %d rows, want %d (%v):\n%s", dir, len(rows), len(want)+1, err, e.Body)
			continue
		}
		for _, row := range rows[1:] {
			if _, ok := want[row[0]]; !ok {
				t.Errorf("%s/members.csv has %s, who is no member", dir, row[0])
			}
		}
	}
	if len(r.sink.Names(r.key("channels/Engineering/Orion x Fabrikam"))["members.csv"].Body) == 0 {
		t.Error("no members of a shared channel")
	}
}

// TestMissingPermissions takes one permission after the other away: what needs it is refused or left out with a reason, all
// else stays.
func TestMissingPermissions(t *testing.T) {
	all := []string{"User.Read", "User.ReadBasic.All", "Team.ReadBasic.All", "TeamMember.Read.All", "Channel.ReadBasic.All", "ChannelMember.Read.All",
		"ChannelMessage.Read.All", "Chat.ReadBasic", "Chat.Read", "Files.Read.All"}
	general := "channels/Engineering/General"
	o := newOffice(t, sim.Options{})
	for missing, tt := range map[string]struct {
		refused []string // whose listing fails
		absent  []string // that their parents leave out
		kept    []string
	}{
		"":                         {kept: []string{general, general + "/files", general + "/2026-11", general + "/members.csv", "channels/Engineering/members.csv", "chats"}},
		"Team.ReadBasic.All":       {refused: []string{"channels"}, kept: []string{"chats"}},
		"TeamMember.Read.All":      {absent: []string{"channels/Engineering/members.csv"}, kept: []string{general + "/2026-11"}},
		"Channel.ReadBasic.All":    {refused: []string{"channels/Engineering"}, kept: []string{"channels", "chats"}},
		"ChannelMember.Read.All":   {absent: []string{general + "/members.csv"}, kept: []string{general + "/files", general + "/2026-11"}},
		"ChannelMessage.Read.All":  {absent: []string{general + "/2026-11"}, kept: []string{general + "/files", general + "/members.csv", "chats"}},
		"Files.Read.All":           {refused: []string{general + "/files"}, kept: []string{general + "/2026-11", general + "/members.csv"}},
		"Chat.Read":                {refused: []string{"chats/*"}, kept: []string{"chats", general}},
		"Chat.ReadBasic Chat.Read": {refused: []string{"chats"}, kept: []string{general}},
	} {
		t.Run(missing, func(t *testing.T) {
			var scopes []string
			for _, s := range all {
				if !slices.Contains(strings.Fields(missing), s) {
					scopes = append(scopes, s)
				}
			}
			backendtest.Set(t, o.Sim, "entra.scopes", strings.Join(scopes, " "))
			r := o.open(false)
			for _, p := range tt.kept {
				parent, name := parentOf(p)
				if e, ok := r.list(r.key(parent))[name]; !ok {
					t.Errorf("%s is gone", p)
				} else if e.IsDir {
					r.list(e.Dir)
				}
			}
			for _, p := range tt.absent {
				parent, name := parentOf(p)
				if _, ok := r.list(r.key(parent))[name]; ok {
					t.Errorf("%s is shown without a permission", p)
				}
			}
			for _, p := range tt.refused {
				if p == "chats/*" {
					for name := range r.list(r.key("chats")) {
						p = "chats/" + name
					}
				}
				if err := r.b.List(t.Context(), r.key(p), r.sink); !errors.Is(err, backends.ErrForbidden) {
					t.Errorf("%s: %v", p, err)
				}
			}
			last := strings.Fields(missing + " -")[0]
			named := slices.ContainsFunc(r.b.Coverage(), func(g backends.Gap) bool { return strings.Contains(g.Reason, last) })
			if missing != "" && !named {
				t.Errorf("the coverage does not name %s: %v", last, r.b.Coverage())
			}
			if gaps := r.b.Coverage(); missing == "" && len(gaps) > 1 {
				t.Errorf("gaps with all permissions: %v", gaps)
			}
		})
	}
}

func parentOf(p string) (parent, name string) {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return "", p
	}
	return p[:i], p[i+1:]
}

// TestProtectedAPI refuses an application all messages, as long as it is not approved.
func TestProtectedAPI(t *testing.T) {
	o := newOffice(t, sim.Options{})
	backendtest.Set(t, o.Sim, "teams.protected_api_refused", true)
	r := o.open(true)
	if got, want := r.names("channels/Engineering/General"), []string{"files", "members.csv"}; !slices.Equal(got, want) {
		t.Errorf("a channel without messages holds %q, want %q", got, want)
	}
	backendtest.Set(t, o.Sim, "teams.protected_api_refused", false)
	if got := r.names("channels/Engineering/General"); len(got) < 10 {
		t.Errorf("after the approval a channel holds %q", got)
	}
	for _, gap := range r.b.Coverage() {
		if strings.Contains(gap.Reason, "ChannelMessage.Read.All") {
			t.Errorf("still reported: %v", gap)
		}
	}
}

// TestNoSuchDirectory asks for directories that are not there, or never could be.
func TestNoSuchDirectory(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r := o.open(false)
	for _, key := range []backends.DirKey{"channel|x|y", "month|x|y|2026-11", "month|x|y|2026", "files|x|y", "folder|x|y|", "team|x", "chat||x",
		"chatmonth||x|2026-11", "attachments|channel|x|y||1", "nonsense", "channel|x", "users|a|b"} {
		if err := r.b.List(t.Context(), key, r.sink); !errors.Is(err, backends.ErrNotFound) && !errors.Is(err, backends.ErrForbidden) {
			t.Errorf("%s: %v", key, err)
		}
		if r.sink.Dir(key).Whole {
			t.Errorf("%s became whole", key)
		}
	}
}

// TestAttachmentsAlone lists the attachments of a message that the cache has forgotten: the message stays what it was.
func TestAttachmentsAlone(t *testing.T) {
	o := newOffice(t, sim.Options{})
	r := o.open(false, "md", "json", "eml")
	dir := r.key("channels/Engineering/General")
	seen := map[string]bool{}
	for _, files := range r.months(dir) {
		for _, e := range files {
			root, _, _ := partsOf(e)
			if !e.IsDir || seen[root] && root != "" || len(seen) > 6 {
				continue
			}
			seen[root] = true
			before, want := byID(r, dir), r.sink.Names(e.Dir)
			r.sink.Forget(e.Dir)
			if n := o.requests(func() { r.list(e.Dir) }); n != 1 {
				t.Errorf("%d requests for the attachments of one message", n)
			}
			if got := r.sink.Names(e.Dir); len(got) != len(want) || len(got) == 0 {
				t.Errorf("%d attachments, had %d", len(got), len(want))
			}
			after := byID(r, dir)
			for id, e := range before {
				if after[id].Version != e.Version || after[id].ID == "" {
					t.Errorf("%s changed or went", id)
				}
			}
		}
	}
	if len(seen) < 2 {
		t.Error("no attachments of replies were looked at")
	}
}
