package teams

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/backends/render"
)

// member is a conversationMember of a team, channel or chat.
type member struct {
	Roles       []string `json:"roles"`
	DisplayName string   `json:"displayName"`
	UserID      string   `json:"userId"`
	Email       string   `json:"email"`
	TenantID    string   `json:"tenantId"`
}

// maxExpanded is how many members $expand gives of a chat, whatever there are.
const maxExpanded = 25

func (s *service) teamMembers(ctx context.Context, team string) ([]member, error) {
	return graph.Collect[member](ctx, s.client, graph.Path("teams", team, "members"), graph.Query{})
}

func (s *service) channelMembers(ctx context.Context, team, channel string) ([]member, error) {
	return graph.Collect[member](ctx, s.client, graph.Path("teams", team, "channels", channel, "members"), graph.Query{})
}

func (s *service) chatMembers(ctx context.Context, chat string) ([]member, error) {
	return graph.Collect[member](ctx, s.client, graph.Path("chats", chat, "members"), graph.Query{})
}

// memberTable makes members.csv. Its bytes are its version, and it has the time at which they were first seen.
func memberTable(id string, members []member) backends.Entry {
	rows := make([][]string, len(members))
	for i, m := range members {
		rows[i] = []string{m.DisplayName, m.Email, cmp.Or(strings.Join(m.Roles, " "), "member"), m.UserID, m.TenantID}
	}
	slices.SortFunc(rows, func(a, b []string) int { return slices.Compare(a, b) })
	body := render.CSV([]string{"name", "email", "role", "user_id", "tenant_id"}, rows)
	return backends.Entry{
		Name: names.Wanted{Stem: "members.csv", Fixed: true}, ID: id, Item: id,
		Body: body, Size: int64(len(body)), Version: contentVersion("csv", body),
	}
}
