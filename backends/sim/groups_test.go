package sim_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/churn"
)

// TestTeamsFollowTheirGroups changes one through the other, by the calls of both.
func TestTeamsFollowTheirGroups(t *testing.T) {
	s, err := sim.New(sim.Options{Now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	// Reads of the directory lag behind its writes.
	if err := s.World().Switches.Set("directory.replication_seconds", 0); err != nil {
		t.Fatal(err)
	}
	client := churn.NewClient(s.Ready())
	do := func(method, path string, body any) map[string]any {
		t.Helper()
		out, err := client.Graph(t.Context(), method, path, body)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	members := func(path, id string) (list []string) {
		t.Helper()
		for _, m := range do("GET", path+"/members?$top=999", nil)["value"].([]any) {
			list = append(list, m.(map[string]any)[id].(string))
		}
		slices.Sort(list)
		return list
	}
	id := s.Company().Group("finance").ID
	team, group := "/teams/"+id, "/groups/"+id
	same := func(when string) []string {
		t.Helper()
		a, b := members(team, "userId"), members(group, "id")
		if !slices.Equal(a, b) {
			t.Errorf("%s the team has %v, the group %v", when, a, b)
		}
		return a
	}
	before := same("at first")
	var who string
	for _, u := range s.Ready().Users {
		if !slices.Contains(before, u.ID) {
			who = u.ID
		}
	}
	if who == "" {
		t.Fatal("everybody is in the group")
	}
	do("POST", group+"/members/$ref", map[string]any{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/" + who})
	if now := same("after the group gained one"); !slices.Contains(now, who) {
		t.Errorf("members %v without %s", now, who)
	}
	do("DELETE", group+"/members/"+who+"/$ref", nil)
	if now := same("after the group lost one"); !slices.Equal(now, before) {
		t.Errorf("members %v, before %v", now, before)
	}
	added := do("POST", team+"/members", map[string]any{"@odata.type": "#microsoft.graph.aadUserConversationMember", "roles": []string{},
		"user@odata.bind": "https://graph.microsoft.com/v1.0/users('" + who + "')"})
	same("after the team gained one")
	do("DELETE", team+"/members/"+strings.ReplaceAll(added["id"].(string), "#", "%23"), nil)
	if now := same("after the team lost one"); !slices.Equal(now, before) {
		t.Errorf("members %v, before %v", now, before)
	}

	do("PATCH", team, map[string]any{"displayName": "Money"})
	do("PATCH", group, map[string]any{"description": "Counts it"})
	for _, path := range []string{team, group} {
		if got := do("GET", path, nil); got["displayName"] != "Money" || got["description"] != "Counts it" {
			t.Errorf("%s: %v, %v", path, got["displayName"], got["description"])
		}
	}
	do("DELETE", group, nil)
	if _, err := client.Graph(t.Context(), "GET", team, nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("the team of a deleted group: %v", err)
	}
}
