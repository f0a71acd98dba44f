package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/simtest"
)

// round reads a delta round to its end and gives all entries and the deltaLink.
func round(t *testing.T, c *simtest.Client, path string, headers ...string) ([]map[string]any, string) {
	t.Helper()
	items, last := c.All(path, headers...)
	link := last.Link("@odata.deltaLink")
	if link == "" {
		t.Fatalf("%s ends without a deltaLink: %s", path, last.Body)
	}
	return items, link
}

// removed gives the reason of a deletion, "" for a live entry.
func removed(item map[string]any) string {
	r, _ := item["@removed"].(map[string]any)
	return text(r, "reason")
}

func TestUsersDelta(t *testing.T) {
	h, d := newHost(t)
	h.Set("directory.delta_page", 4)
	c := h.As(h.Company.Alice())
	items, link := round(t, c, "/users/delta?$select=displayName,jobTitle")
	seen := map[string]int{}
	ghosts := 0
	for _, it := range items {
		if removed(it) != "" {
			ghosts++
			continue
		}
		seen[text(it, "id")]++
		if got := keys(it); !slices.Equal(got, []string{"displayName", "id", "jobTitle"}) {
			t.Fatalf("entry with %v", got)
		}
	}
	repeated := 0
	for _, n := range seen {
		if n > 1 {
			repeated++
		}
	}
	if len(seen) != len(h.Company.Everyone()) || ghosts != 1 || repeated != 1 {
		t.Errorf("%d users, %d unknown deletions, %d repeated; want %d, 1, 1", len(seen), ghosts, repeated, len(h.Company.Everyone()))
	}
	nothing, same := round(t, c, link)
	if len(nothing) != 0 || same != link {
		t.Errorf("without changes: %d entries, same link %v", len(nothing), same == link)
	}
	bob := h.Company.Bob().ID
	if err := d.Store.Update(user, bob, map[string]any{"jobTitle": "President"}); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.Delete(user, h.Company.Carol().ID); err != nil {
		t.Fatal(err)
	}
	id := d.Store.Create(user, map[string]any{"displayName": "New Person"})
	settle(h)
	items, second := round(t, c, link)
	got := map[string]map[string]any{}
	for _, it := range items {
		got[text(it, "id")] = it
	}
	if len(got) != 3 || text(got[bob], "jobTitle") != "President" || removed(got[h.Company.Carol().ID]) != "changed" || text(got[id], "displayName") != "New Person" {
		t.Errorf("changes %v", items)
	}
	// Baked options hold, and the same link serves again after a crash.
	if got := keys(got[bob]); !slices.Equal(got, []string{"displayName", "id", "jobTitle"}) {
		t.Errorf("entry with %v", got)
	}
	if again, _ := round(t, c, link); len(again) != 3 {
		t.Errorf("the old link gives %d entries, want 3 again", len(again))
	}
	minimal, _ := round(t, c, link, "Prefer", "return=minimal")
	for _, it := range minimal {
		if text(it, "id") == bob && !slices.Equal(keys(it), []string{"id", "jobTitle"}) {
			t.Errorf("minimal entry with %v", keys(it))
		}
	}
	if err := d.Store.Delete(user, h.Company.Carol().ID); err != nil {
		t.Fatal(err)
	}
	settle(h)
	if items, _ := round(t, c, second); len(items) != 1 || removed(items[0]) != "deleted" {
		t.Errorf("deletion for good: %v", items)
	}
}

func TestDeltaTokens(t *testing.T) {
	h, d := newHost(t)
	c := h.App()
	items, link := round(t, c, "/users/delta?$deltatoken=latest")
	if len(items) != 0 {
		t.Errorf("latest gives %d entries", len(items))
	}
	if err := d.Store.Update(user, h.Company.Bob().ID, map[string]any{"jobTitle": "President"}); err != nil {
		t.Fatal(err)
	}
	settle(h)
	if items, _ := round(t, c, link); len(items) != 1 {
		t.Errorf("after latest: %d entries, want 1", len(items))
	}
	if r := c.Do("GET", link+"&$select=id", nil); r.Status != 400 {
		t.Errorf("options on a token link: %d", r.Status)
	}
	two := fmt.Sprintf("/users/delta?$filter=id%%20eq%%20'%s'%%20or%%20id%%20eq%%20'%s'", h.Company.Alice().ID, h.Company.Bob().ID)
	if items, _ := round(t, c, two); len(items) != 2 {
		t.Errorf("filter by two ids gives %d entries", len(items))
	}
	if r := c.Do("GET", "/users/delta?$filter=displayName%20eq%20'x'", nil); r.Status != 400 {
		t.Errorf("other filter: %d", r.Status)
	}
	h.World.Clock.Advance(7*24*time.Hour - time.Hour)
	if r := c.Do("GET", link, nil); r.Status != 200 {
		t.Errorf("within seven days: %d", r.Status)
	}
	h.World.Clock.Advance(2 * time.Hour)
	r := c.Do("GET", link, nil)
	location := r.Header.Get("Location")
	if r.Status != 410 || !strings.HasSuffix(location, "$deltatoken=") {
		t.Fatalf("after seven days: %d, Location %q", r.Status, location)
	}
	if items, _ := round(t, c, location); len(items) < len(h.Company.Everyone()) {
		t.Errorf("the resync gives %d entries", len(items))
	}
}

// membership merges the members of all entries, last one wins.
func membership(t *testing.T, items []map[string]any, members map[string]map[string]bool) (split bool) {
	t.Helper()
	entries := map[string]int{}
	for _, it := range items {
		id := text(it, "id")
		list, ok := it["members@delta"].([]any)
		if !ok {
			continue
		}
		entries[id]++
		if members[id] == nil {
			members[id] = map[string]bool{}
		}
		for _, m := range list {
			m := m.(map[string]any)
			if text(m, "@odata.type") == "" {
				t.Errorf("member without a type: %v", m)
			}
			members[id][text(m, "id")] = m["@removed"] == nil
		}
		split = split || entries[id] > 1
	}
	return split
}

func TestGroupsDeltaMembers(t *testing.T) {
	h, d := newHost(t)
	h.Set("directory.delta_page", 3)
	h.Set("directory.delta_members", 2)
	c := h.App()
	items, link := round(t, c, "/groups/delta")
	members := map[string]map[string]bool{}
	if split := membership(t, items, members); !split {
		t.Error("no group came in several entries")
	}
	for _, g := range h.Company.Groups {
		if len(members[g.ID]) != len(g.Members) {
			t.Errorf("%s: %d members, want %d", g.DisplayName, len(members[g.ID]), len(g.Members))
		}
	}
	finance := h.Company.Group("finance")
	gone, came := finance.Members[0].ID, h.Company.Rooms[0].ID
	if err := d.Store.RemoveMember(finance.ID, gone); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.AddMember(finance.ID, came); err != nil {
		t.Fatal(err)
	}
	settle(h)
	items, _ = round(t, c, link)
	changes := map[string]map[string]bool{}
	membership(t, items, changes)
	if len(changes) != 1 || len(changes[finance.ID]) != 2 || changes[finance.ID][gone] || !changes[finance.ID][came] {
		t.Errorf("changes %v, want one removed and one added member of Finance", changes)
	}
	for path, want := range map[string]bool{"/groups/delta?$select=displayName": false, "/groups/delta?$select=displayName,members": true} {
		items, _ := round(t, c, path)
		if got := len(items) > 0 && strings.Contains(fmt.Sprint(items), "members@delta"); got != want {
			t.Errorf("%s: members %v, want %v", path, got, want)
		}
	}
}
