package all

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/graph/permission"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/company"
)

// signInFor gives a connection of alice, or of the application, whose credentials have not been used.
func signInFor(t *testing.T, s *sim.Sim, app bool) backends.Connection {
	t.Helper()
	file := "config.toml"
	if app {
		file = "config-admin.toml"
	}
	for _, conn := range configured(t, s, file) {
		if conn.Type == "microsoft" {
			return conn
		}
	}
	t.Fatalf("%s has no Microsoft connection", file)
	return backends.Connection{}
}

// consent narrows what tokens are for.
func consent(t *testing.T, s *sim.Sim, app bool, scopes []string) {
	t.Helper()
	if app {
		backendtest.Set(t, s, "entra.roles", strings.Join(scopes, " "))
	} else {
		backendtest.Set(t, s, "entra.scopes", strings.Join(append(scopes, "User.Read", "offline_access"), " "))
	}
}

// part leaves most of the company out: what is like something else. Paths begin with the service.
func part(p string) bool {
	wanted := map[int][]string{}
	switch s := strings.Split(p, "/"); {
	case s[0] == "outlook" && len(s) > 2 && s[2] == "mail":
		wanted = map[int][]string{1: {"alice@", "bob@"}, 3: {"Odds & ends"}}
	case s[0] == "outlook" && len(s) > 2 && s[2] == "calendar":
		wanted = map[int][]string{1: {"alice@"}, 4: {"2026-11"}}
	case s[0] == "outlook":
		wanted = map[int][]string{1: {"alice@", "bob@"}}
	case s[0] == "teams" && s[1] == "channels":
		wanted = map[int][]string{2: {"Engineering"}, 3: {"General", "Board"}, 4: {"2026-11", "files"}, 6: {"none"}}
	case s[0] == "teams" && s[1] == "chats":
		wanted = map[int][]string{2: {"Bob-Jones_Alice-Smith"}, 3: {"2026-11"}}
	case s[0] == "teams" && s[1] == "users":
		wanted = map[int][]string{2: {"alice@"}, 4: {"Bob-Jones_Alice-Smith"}, 5: {"2026-11"}}
	}
	for i, name := range strings.Split(p, "/") {
		if some := wanted[i]; len(some) > 0 && !slices.ContainsFunc(some, func(w string) bool { return strings.HasPrefix(name, w) }) {
			return true
		}
	}
	return false
}

// walked is what a connection shows.
type walked struct {
	entries map[string]backends.Entry
	gaps    []backends.Gap
}

// broken are parts of the names of what the company has that no permission lets one read.
var broken = []string{"orrupt", "annot", "invoice_scan.exe"}

// walk opens a connection, lists all of its services and reads one file of each kind. Nothing may be refused.
func walk(t *testing.T, s *sim.Sim, conn backends.Connection) walked {
	t.Helper()
	s.World().Stats.Reset()
	opened, err := Open(t.Context(), conn, backends.Options{Formats: []string{"md", "eml"}}, backendtest.NewSink())
	if err != nil {
		t.Fatal(err)
	}
	w := walked{map[string]backends.Entry{}, opened.Gaps}
	for _, m := range opened.Mounted {
		tree := backendtest.Walk(t, m.Backend, backendtest.NewSink(), func(p string) bool { return part(m.Path + "/" + p) })
		for p, err := range tree.Refused {
			t.Errorf("%s/%s: %v", m.Path, p, err)
		}
		read := map[string]bool{}
		for _, p := range slices.Sorted(maps.Keys(tree.Entries)) {
			e := tree.Entries[p]
			w.entries[m.Path+"/"+p] = e
			kind := path.Ext(p)
			if strings.Contains(p, "/files/") || strings.HasSuffix(path.Dir(p), ".attachments") {
				kind = path.Ext(path.Dir(p))
			}
			if e.IsDir || read[kind] || slices.ContainsFunc(broken, func(s string) bool { return strings.Contains(p, s) }) {
				continue
			}
			read[kind] = true
			if _, err := backendtest.Read(t.Context(), m.Backend, e); err != nil {
				t.Errorf("%s/%s: %v", m.Path, p, err)
			}
		}
		w.gaps = append(w.gaps, m.Backend.Coverage()...)
	}
	for route, n := range s.World().Stats.Snapshot().Statuses {
		if route == "403" {
			t.Errorf("%d requests were refused: %v", n, s.World().Stats.Snapshot().Requests)
		}
	}
	return w
}

func matches(pattern, p string) bool {
	ok, err := path.Match(pattern, p)
	if err != nil {
		panic(err)
	}
	return ok
}

// belongs tells whether an entry of the whole tree is one that a feature shows.
func belongs(f permission.Feature, p string) bool {
	in := func(dirs ...string) bool {
		return slices.ContainsFunc(dirs, func(d string) bool { return matches(d, p) })
	}
	inside := func(dir string) bool {
		for at := p; at != "."; at = path.Dir(at) {
			if matches(dir, at) {
				return true
			}
		}
		return false
	}
	channels := in("teams/channels", "teams/channels/*") && !strings.HasSuffix(p, ".csv") ||
		in("teams/channels/*/*") && !strings.HasSuffix(p, ".csv")
	switch f {
	case permission.Mail:
		return in("outlook/*") || inside("outlook/*/mail")
	case permission.MailNames:
		return in("outlook/*") || inside("outlook/*/mail") && !strings.Contains(p, ".attachments") && !strings.HasSuffix(p, ".eml")
	case permission.Calendar:
		return in("outlook/*") || inside("outlook/*/calendar")
	case permission.Contacts:
		return in("outlook/*") || inside("outlook/*/contacts")
	case permission.Teams:
		return inside("teams/channels") && !inside("teams/channels/*/*/files")
	case permission.Files:
		return channels || inside("teams/channels/*/*/files")
	case permission.Chats:
		return inside("teams/chats") || inside("teams/users")
	case permission.Directory:
		return inside("directory") && !in("directory/presence.csv")
	case permission.Presence:
		return in("directory/presence.csv")
	}
	return false
}

func difference(a, b map[string]backends.Entry) string {
	var out []string
	for p := range a {
		if _, ok := b[p]; !ok {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return fmt.Sprintf("%d: %q", len(out), out[:min(len(out), 10)])
}

// kinds are patterns of what the whole tree must have of each feature, or the test proves little.
var kinds = map[permission.Feature][]string{
	permission.Mail:      {"outlook/*/mail/*/*/*.md", "outlook/*/mail/*/*/*.eml", "outlook/*/mail/*/*/*.attachments/*"},
	permission.MailNames: {"outlook/*/mail/*/*/*.md"},
	permission.Calendar:  {"outlook/*/calendar/*/*/*.ics", "outlook/*/calendar/*/*/*.attachments/*"},
	permission.Contacts:  {"outlook/*/contacts/*/*.vcf"},
	permission.Teams:     {"teams/channels/*/*/*/*.md", "teams/channels/*/members.csv", "teams/channels/*/*/members.csv"},
	permission.Files:     {"teams/channels/*/*/files/*", "teams/channels/*/*/files/*/*"},
	permission.Directory: {"directory/users.csv", "directory/groups.csv", "directory/groups/*.csv"},
	permission.Presence:  {"directory/presence.csv"},
}

// TestLeastPrivilege: each feature works with just the permissions that the table says it needs, shows all that it shows of
// the whole tree, asks for nothing that is refused, and shows nothing else. Everything chosen with just these permissions
// shows no more than they are for.
func TestLeastPrivilege(t *testing.T) {
	for _, app := range []bool{false, true} {
		t.Run(map[bool]string{false: "person", true: "application"}[app], func(t *testing.T) {
			t.Parallel()
			s := backendtest.Start(t, sim.Options{})
			whole := walk(t, s, signInFor(t, s, app))
			if len(whole.entries) < 200 {
				t.Fatalf("only %d entries", len(whole.entries))
			}
			t.Logf("%d entries", len(whole.entries))
			shown := map[string]bool{}
			for _, f := range append(permission.Features(), permission.MailNames) {
				t.Run(string(f), func(t *testing.T) {
					want := map[string]backends.Entry{}
					for p, e := range whole.entries {
						if belongs(f, p) {
							want[p] = e
							shown[p] = true
						}
					}
					for _, kind := range kinds[f] {
						if !slices.ContainsFunc(slices.Collect(maps.Keys(want)), func(p string) bool { return matches(kind, p) }) {
							t.Fatalf("the whole tree has no %s", kind)
						}
					}
					consent(t, s, app, permission.Scopes([]permission.Feature{f}, app))
					chosen := signInFor(t, s, app)
					chosen.Features = []string{string(f)}
					same(t, s, "chosen alone", walk(t, s, chosen), want)

					// Once the credentials tell what was granted, it is the same again.
					ask(t, chosen)
					same(t, s, "chosen alone, again", walk(t, s, chosen), want)
					if app {
						return // whose permissions nobody but Graph can tell
					}
					granted := signInFor(t, s, app)
					ask(t, granted)
					got := walk(t, s, granted)
					for p := range got.entries {
						if want[p].ID == "" && !(f == permission.Presence && p == "directory/users.csv") {
							t.Errorf("everything was chosen, and %s is shown", p)
						}
					}
					for p := range want {
						if got.entries[p].ID == "" {
							t.Errorf("everything was chosen, and %s is not shown", p)
						}
					}
					for _, other := range permission.Missing(nil, false, permission.Scopes([]permission.Feature{f}, false)) {
						if !told(got.gaps, other.Path, "not granted "+other.Scope+",") {
							t.Errorf("the coverage does not tell of %s at %s", other.Scope, other.Path)
						}
					}
				})
			}
			for p := range whole.entries {
				if !shown[p] {
					t.Errorf("no feature shows %s", p)
				}
			}
		})
	}
}

// TestEveryPermissionIsNeeded: without any one of its permissions something of a feature is refused. So the table asks for none
// too many.
func TestEveryPermissionIsNeeded(t *testing.T) {
	for _, app := range []bool{false, true} {
		t.Run(map[bool]string{false: "person", true: "application"}[app], func(t *testing.T) {
			t.Parallel()
			s := backendtest.Start(t, sim.Options{})
			for _, f := range append(permission.Features(), permission.MailNames) {
				scopes := permission.Scopes([]permission.Feature{f}, app)
				for i, scope := range scopes {
					consent(t, s, app, slices.Delete(slices.Clone(scopes), i, i+1))
					conn := signInFor(t, s, app)
					conn.Features = []string{string(f)}
					s.World().Stats.Reset()
					opened, err := Open(t.Context(), conn, backends.Options{}, backendtest.NewSink())
					for _, m := range opened.Mounted {
						b, sink := m.Backend, backendtest.NewSink()
						if err = b.List(t.Context(), "", sink); err != nil {
							break
						}
						backendtest.Walk(t, b, sink, func(p string) bool {
							// One channel, and no messages, shows it.
							return part(m.Path+"/"+p) || matches("channels/*/*/20*", p) || matches("channels/*/Board", p)
						})
					}
					if err != nil && !errors.Is(err, backends.ErrForbidden) {
						t.Errorf("%s without %s: %v", f, scope, err)
					}
					if err == nil && s.World().Stats.Snapshot().Statuses["403"] == 0 {
						t.Errorf("%s does as well without %s", f, scope)
					}
				}
			}
		})
	}
}

func told(gaps []backends.Gap, at, says string) bool {
	return slices.ContainsFunc(gaps, func(g backends.Gap) bool { return g.Path == at && strings.Contains(g.Reason, says) })
}

// same compares what is shown with entries of the whole tree: the same identities under the same names.
func same(t *testing.T, s *sim.Sim, what string, got walked, want map[string]backends.Entry) {
	t.Helper()
	if a, b := difference(want, got.entries), difference(got.entries, want); a != b {
		t.Errorf("%s: missing are %s, and nobody expected %s", what, a, b)
	}
	for p, e := range got.entries {
		if want[p].ID != e.ID {
			t.Errorf("%s: %s is %q, in the whole tree %q", what, p, e.ID, want[p].ID)
		}
	}
	if !slices.ContainsFunc(got.gaps, func(g backends.Gap) bool { return strings.HasPrefix(g.Reason, "Not chosen: ") }) {
		t.Errorf("%s: the coverage does not tell what was not chosen", what)
	}
}

// ask has a token asked for, as a mount does before anything else, so that the credentials tell what was granted.
func ask(t *testing.T, conn backends.Connection) {
	t.Helper()
	source, err := SignIn(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c, err := auth.File(conn.Credentials).Load(); conn.Auth == "delegated" && (err != nil || c.Scope == "") {
		t.Fatalf("the credentials do not tell what was granted: %v", err)
	}
}

// TestOneForbiddenMailbox: an application sees all mailboxes and teams of the company. One mailbox that a policy keeps it out
// of disturbs none of the others, and the coverage tells of it.
func TestOneForbiddenMailbox(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	const closed = "bob@contoso.com"
	backendtest.Set(t, s, "outlook.no_odata", closed)
	opened, err := Open(t.Context(), signInFor(t, s, true), backends.Options{}, backendtest.NewSink())
	if err != nil {
		t.Fatal(err)
	}
	trees := map[string]*backendtest.Tree{}
	for _, m := range opened.Mounted {
		// Down to what a mailbox holds, and to the teams.
		trees[m.Path] = backendtest.Walk(t, m.Backend, backendtest.NewSink(), func(p string) bool {
			return m.Path == "outlook" && strings.Count(p, "/") > 1 || m.Path == "teams" && p != "channels"
		})
	}
	mailboxes, shown := trees["outlook"], map[string]string{}
	for p, e := range mailboxes.Entries {
		if !strings.Contains(p, "/") {
			shown[e.Info.ServiceID] = p
		}
	}
	c := s.Company()
	without := 0
	for _, p := range slices.Concat(c.People, c.Shared, c.Rooms, c.Guests) {
		name, ok := shown[p.ID]
		if !ok {
			t.Errorf("%s is not among the mailboxes", p.UPN)
			continue
		}
		parts := 0
		for _, part := range []string{"mail", "calendar", "contacts"} {
			at := name + "/" + part
			if _, ok := mailboxes.Entries[at]; !ok {
				continue
			}
			parts++
			if refused := mailboxes.Refused[at]; (refused != nil) != (p.UPN == closed) {
				t.Errorf("%s: %v", at, refused)
			}
		}
		if (parts == 0) != (p.Kind == company.Guest) || parts != 0 && parts != 3 {
			t.Errorf("%s, a %s, has %d parts of a mailbox", p.UPN, p.Kind, parts)
		}
		if parts == 0 {
			without++
		}
	}
	gaps := map[string]string{}
	for _, g := range opened.Mounted[0].Backend.Coverage() {
		gaps[g.Path] = g.Reason
	}
	for _, name := range []string{"mail", "calendar", "contacts"} {
		if reason := gaps[closed+"/"+name]; !strings.Contains(reason, "application access policy") {
			t.Errorf("the coverage says of %s/%s %q", closed, name, reason)
		}
	}
	for at, reason := range gaps {
		if strings.Contains(reason, "policy") && !strings.HasPrefix(at, closed) {
			t.Errorf("the coverage says of %s %q", at, reason)
		}
		if strings.Contains(reason, "There is no mailbox") {
			without--
		}
	}
	if without != 0 {
		t.Errorf("the coverage tells of %d fewer users without a mailbox than there are", without)
	}
	for _, g := range c.Groups {
		if _, ok := trees["teams"].Entries["channels/"+g.DisplayName]; !ok && g.Team {
			t.Errorf("%s is not among the teams %q", g.DisplayName, slices.Sorted(maps.Keys(trees["teams"].Entries)))
		}
	}
}
