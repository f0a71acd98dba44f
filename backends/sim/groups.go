package sim

import (
	"github.com/workfs/workfs/backends/sim/directory"
	"github.com/workfs/workfs/backends/sim/teams"
)

const kindGroup = "#microsoft.graph.group"

// followTeam does to a group what was done to the team on it: Teams keeps no names and members of its own. What is so already
// changes nothing, which is where the two stop following each other.
func (s *Sim) followTeam(ch teams.Change) {
	if ch.TeamID == "" || ch.ChannelID != "" || ch.MessageID != "" {
		return
	}
	groups := s.clouds.Directory.Store
	switch {
	case ch.MemberID != "" && ch.Kind == teams.Created:
		_ = groups.AddMember(ch.TeamID, ch.MemberID) // a guest of another tenant is in no directory
	case ch.MemberID != "" && ch.Kind == teams.Deleted:
		_ = groups.RemoveMember(ch.TeamID, ch.MemberID)
	case ch.MemberID == "" && ch.Kind == teams.Updated:
		t, name, description := s.clouds.Teams.Store.Team(ch.TeamID)
		if oldName, oldDescription := groups.GroupName(ch.TeamID); t != nil && (oldName != name || oldDescription != description) {
			_ = groups.Update(kindGroup, ch.TeamID, map[string]any{"displayName": name, "description": description})
		}
	}
}

// followGroup does to a team what was done to its group.
func (s *Sim) followGroup(ch directory.Change) {
	store := s.clouds.Teams.Store
	t, _, _ := store.Team(ch.ID)
	if ch.Kind != kindGroup || t == nil {
		return
	}
	if ch.Type == "deleted" {
		store.DeleteTeam(t)
		return
	}
	for _, id := range ch.Added {
		if p := s.company.Person(id); p != nil {
			_ = store.Join(t, p)
		}
	}
	for _, id := range ch.Removed {
		if p := s.company.Person(id); p != nil {
			_ = store.Leave(t, p)
		}
	}
	if len(ch.Added)+len(ch.Removed) == 0 {
		name, description := s.clouds.Directory.Store.GroupName(ch.ID)
		store.EditTeam(t, &name, &description, nil)
	}
}
