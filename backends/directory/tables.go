package directory

import (
	"slices"
	"strings"

	"github.com/workfs/workfs/backends/render"
)

func userTable(users []user) []byte {
	rows := make([][]string, len(users))
	for i, u := range users {
		rows[i] = []string{
			u.UserPrincipalName, u.DisplayName, u.Mail, u.JobTitle, u.Department, u.OfficeLocation, u.MobilePhone,
			strings.Join(u.BusinessPhones, "; "), u.UserType, u.ID,
		}
	}
	return render.CSV([]string{"user", "name", "mail", "title", "department", "office", "mobile", "phones", "type", "id"}, rows)
}

func groupTable(groups []group) []byte {
	rows := make([][]string, len(groups))
	for i, g := range groups {
		rows[i] = []string{g.DisplayName, g.Mail, g.Description, groupKind(g), g.ID}
	}
	return render.CSV([]string{"name", "mail", "description", "kind", "id"}, rows)
}

// groupKind says in one word what people call a group.
func groupKind(g group) string {
	switch {
	case slices.Contains(g.ResourceProvisioningOptions, "Team"):
		return "team"
	case slices.Contains(g.GroupTypes, "Unified"):
		return "microsoft365"
	case slices.Contains(g.GroupTypes, "DynamicMembership"):
		return "dynamic"
	}
	return "security"
}

func presenceTable(users []user, presences map[string]availability) []byte {
	rows := make([][]string, 0, len(users))
	for _, u := range users {
		p, ok := presences[u.ID]
		if !ok {
			continue
		}
		message := ""
		if p.StatusMessage != nil {
			message = p.StatusMessage.Message.Content
		}
		rows = append(rows, []string{u.UserPrincipalName, p.Availability, p.Activity, message, u.ID})
	}
	return render.CSV([]string{"user", "availability", "activity", "message", "id"}, rows)
}

// memberTable names the members that are users; of the others the kind and the id are all there is.
func memberTable(g group, users map[string]*user) []byte {
	rows := make([][]string, 0, len(g.members))
	for id, kind := range g.members {
		row := []string{"", "", "", kind, id}
		if u := users[id]; u != nil {
			row = []string{u.UserPrincipalName, u.DisplayName, u.Mail, kind, id}
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b []string) int { return slices.Compare(a, b) })
	return render.CSV([]string{"user", "name", "mail", "kind", "id"}, rows)
}
