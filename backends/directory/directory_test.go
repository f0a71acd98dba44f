package directory_test

import (
	"context"
	"encoding/csv"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/directory"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// start runs a simulator and gives the service of alice's sign-in, or of the application's.
func start(t *testing.T, appOnly bool, switches ...string) (*sim.Sim, backends.Backend) {
	t.Helper()
	s, err := sim.New(sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(switches); i += 2 {
		if err := s.World().Switches.Set(switches[i], switches[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	dir := t.TempDir()
	if err := s.WriteConfig(dir); err != nil {
		t.Fatal(err)
	}
	file := "contoso.json"
	if appOnly {
		file = "contoso-admin.json"
	}
	r := s.Ready()
	client, err := graph.New(graph.Config{
		BaseURL: r.Graph, Tenant: r.Tenant, ClientID: r.ClientID, AppOnly: appOnly,
		Tokens: auth.NewMicrosoft(auth.MicrosoftConfig{
			LoginURL: r.Login, Tenant: r.Tenant, ClientID: r.ClientID, AppOnly: appOnly, Resource: "https://graph.microsoft.com",
		}, auth.File(filepath.Join(dir, "credentials", file)), nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	account, err := client.Account(context.Background(), backendtest.NewSink())
	if err != nil {
		t.Fatal(err)
	}
	return s, directory.New(directory.Config{Client: client, Account: account})
}

func list(t *testing.T, b backends.Backend, sink *backendtest.Sink, dir backends.DirKey) map[string]backends.Entry {
	t.Helper()
	if err := b.List(context.Background(), dir, sink); err != nil {
		t.Fatal(err)
	}
	for _, p := range sink.Problems() {
		t.Error(p)
	}
	return sink.Names(dir)
}

func rows(t *testing.T, body []byte) [][]string {
	t.Helper()
	r, err := csv.NewReader(strings.NewReader(string(body))).ReadAll()
	if err != nil {
		t.Fatalf("%v in\n%s", err, body)
	}
	return r
}

func TestTables(t *testing.T) {
	for _, appOnly := range []bool{false, true} {
		s, b := start(t, appOnly)
		sink := backendtest.NewSink()
		root := list(t, b, sink, "")
		users := rows(t, root["users.csv"].Body)
		byMail := map[string][]string{}
		for _, row := range users[1:] {
			byMail[row[2]] = row
		}
		for _, p := range s.Company().People {
			if row := byMail[p.Mail]; row == nil || row[1] != p.DisplayName || row[3] != p.JobTitle || row[9] != p.ID {
				t.Errorf("app-only %v: users.csv has %q for %s", appOnly, row, p.Mail)
			}
		}
		groups := rows(t, root["groups.csv"].Body)
		if len(groups)-1 < len(s.Company().Groups) {
			t.Errorf("groups.csv has %d groups, the company %d", len(groups)-1, len(s.Company().Groups))
		}
		if _, ok := root["presence.csv"]; !ok && len(b.Coverage()) == 0 {
			t.Error("presence.csv is neither shown nor reported as missing")
		}
		members := list(t, b, sink, "groups")
		for _, g := range s.Company().Groups {
			e, ok := members[g.DisplayName+".csv"]
			if !ok {
				t.Errorf("groups has no %s.csv", g.DisplayName)
				continue
			}
			got := map[string]bool{}
			for _, row := range rows(t, e.Body)[1:] {
				got[row[4]] = true
			}
			for _, m := range g.Members {
				if !got[m.ID] {
					t.Errorf("%s.csv lacks %s", g.DisplayName, m.ID)
				}
			}
		}
		before := root["users.csv"]
		if again := list(t, b, sink, "")["users.csv"]; again.Version != before.Version || again.ID != before.ID {
			t.Errorf("the same users are version %s, then %s", before.Version, again.Version)
		}
	}
}

func TestMissingPermissionIsAGap(t *testing.T) {
	_, b := start(t, false, "entra.scopes", "User.Read User.ReadBasic.All")
	root := list(t, b, backendtest.NewSink(), "")
	if _, ok := root["users.csv"]; !ok {
		t.Error("users.csv is missing although its permission is there")
	}
	for _, name := range []string{"groups.csv", "presence.csv"} {
		if _, ok := root[name]; ok {
			t.Errorf("%s is shown without a permission", name)
		}
		found := false
		for _, gap := range b.Coverage() {
			found = found || gap.Path == name && strings.Contains(gap.Reason, "Read.All")
		}
		if !found {
			t.Errorf("coverage does not name %s: %v", name, b.Coverage())
		}
	}
}

func TestNoPresenceWithoutUsers(t *testing.T) {
	_, b := start(t, false, "entra.scopes", "User.Read GroupMember.Read.All Presence.Read.All")
	root := list(t, b, backendtest.NewSink(), "")
	if e, ok := root["presence.csv"]; ok {
		t.Errorf("the presence of nobody is shown: %q", e.Body)
	}
	if _, ok := root["groups.csv"]; !ok {
		t.Error("groups.csv is missing although its permission is there")
	}
}

// TestOddAnswers gives answers that lack what they are about, and links that are spent: neither is a table.
func TestOddAnswers(t *testing.T) {
	for what, tt := range map[string]struct {
		rule core.FaultRule
		dir  backends.DirKey
	}{
		"no presences": {core.FaultRule{Route: "POST *getPresencesByUserId", Status: 200, Body: map[string]any{}}, ""},
		"spent link":   {core.FaultRule{Route: "GET *groups/delta*", Status: 410, Body: map[string]any{"error": map[string]any{"code": "syncStateNotFound"}}}, "groups"},
	} {
		s, b := start(t, true)
		s.World().Faults.Set(tt.rule)
		sink := backendtest.NewSink()
		err := b.List(context.Background(), tt.dir, sink)
		if !errors.Is(err, backends.ErrUnavailable) || errors.Is(err, backends.ErrNotFound) {
			t.Errorf("%s: listing gives %v", what, err)
		}
		if sink.Dir(tt.dir).Whole {
			t.Errorf("%s: what was listed is whole", what)
		}
	}
}

// TestRepeatedElements gives users and groups that pages repeat, as they do when the directory changes between them.
func TestRepeatedElements(t *testing.T) {
	s, b := start(t, true)
	twice := func(more map[string]any) map[string]any {
		more["id"] = "1"
		return map[string]any{"value": []any{more, map[string]any{"id": "2"}, more}}
	}
	s.World().Faults.Set(
		core.FaultRule{Route: "GET /v1.0/users", Status: 200, Body: twice(map[string]any{"userPrincipalName": "a@contoso.com"})},
		core.FaultRule{Route: "GET /v1.0/groups", Status: 200, Body: twice(map[string]any{"displayName": "A"})})
	root := list(t, b, backendtest.NewSink(), "")
	for _, name := range []string{"users.csv", "groups.csv"} {
		if got := rows(t, root[name].Body); len(got) != 3 {
			t.Errorf("%s has %q", name, got)
		}
	}
}
