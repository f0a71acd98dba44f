package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/workfs/workfs/backends/all"
	"github.com/workfs/workfs/backends/rest"
)

// box proves what a Box connection shows. The permissions of its application are called what Box's developer console
// calls them.
func (t *tester) box(ctx context.Context) {
	var me struct{ ID, Login, Name, Role string }
	t.run(ctx, "account", false, func(ctx context.Context) (string, string, error) {
		err := t.get(ctx, "/2.0/users/me?fields=id,login,name,role", &me)
		t.report.Account = me.Login
		return "GET /users/me", me.Name, err
	})
	console := "in Box's developer console, Configuration, Application Scopes: "
	ask := func(p probeResult, scope string) {
		// What the role of a person is not allowed, the application's permissions do not change.
		var refused *rest.Error
		if p.Optional && !(errors.As(p.err, &refused) && refused.Code == "insufficient_scope") {
			return
		}
		if p.State == probeRefused && !slices.Contains(t.report.Ask, console+scope) {
			t.report.Ask = append(t.report.Ask, console+scope)
		}
	}
	wide := t.conn.Enterprise || t.conn.EnterpriseContent
	if t.conn.AsUser != "" {
		p := t.run(ctx, "as "+t.conn.AsUser, false, func(ctx context.Context) (string, string, error) {
			header, err := all.BoxAsUser(ctx, t.conn, t.o, t.conn.AsUser)
			t.header = header
			return "GET /users/me", "", err
		})
		ask(p, "Make API calls using the as-user header")
		if p.State != probeWorks {
			return
		}
	}
	ask(t.run(ctx, "files", false, t.call("/2.0/folders/0/items?limit=1")),
		"Read all files and folders stored in Box, and Write all files and folders stored in Box, without which Box gives no content")
	p := t.run(ctx, "users", !wide, t.call("/2.0/users?limit=1"))
	ask(p, "Manage users")
	if t.conn.Enterprise && p.State == probeWorks {
		ask(t.run(ctx, "as other users", false, func(ctx context.Context) (string, string, error) { return t.asSomebody(ctx, me.ID) }),
			"Make API calls using the as-user header")
	}
	ask(t.run(ctx, "groups", true, t.call("/2.0/groups?limit=1")), "Manage groups")
	if wide {
		ask(t.run(ctx, "enterprise events", true, t.call("/2.0/events?stream_type=admin_logs&limit=1")), "Manage enterprise properties")
	} else {
		t.run(ctx, "events", true, t.call("/2.0/events?limit=1"))
		t.run(ctx, "recent files", true, t.call("/2.0/recent_items?limit=1"))
	}
	ask(t.run(ctx, "webhooks", true, t.call("/2.0/webhooks?limit=1")), "Manage webhooks")
	if len(t.report.Ask) > 0 && (t.conn.Auth == "ccg" || t.conn.Auth == "jwt") {
		t.report.Ask = append(t.report.Ask, "and afterwards to authorise the app again in the Admin Console (Integrations, Platform Apps Manager)")
	}
}

// asSomebody lists the top folder of another user.
func (t *tester) asSomebody(ctx context.Context, me string) (string, string, error) {
	var users struct {
		Entries []struct{ ID, Login, Status string }
	}
	if err := t.get(ctx, "/2.0/users?limit=20&user_type=managed&fields=id,login,status", &users); err != nil {
		return "GET /users", "", err
	}
	for _, u := range users.Entries {
		if u.ID == me || u.Status != "active" {
			continue
		}
		var items struct{}
		err := t.client.JSON(ctx, "/2.0/folders/0/items?limit=1", http.Header{"As-User": {u.ID}}, &items)
		return "GET /folders/0/items as another user", "tried on " + u.Login, err
	}
	return "GET /users", "", fmt.Errorf("%w: no other active user is seen", errNothing)
}
