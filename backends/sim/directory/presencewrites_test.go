package directory_test

import (
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/directory"
)

func TestPresenceIsSet(t *testing.T) {
	h, d := newHost(t)
	var heard []directory.Change
	d.Store.OnChange(func(c directory.Change) { heard = append(heard, c) })
	bob := h.Company.Bob()
	as := h.As(bob)
	now := func() (availability, activity string) {
		p := as.Get("/me/presence").JSON
		return text(p, "availability"), text(p, "activity")
	}
	seeded, _ := now()
	prefer := map[string]any{"availability": "DoNotDisturb", "activity": "DoNotDisturb", "expirationDuration": "PT8H30M"}
	if r := as.Do("POST", "/me/presence/setUserPreferredPresence", prefer); r.Status != 200 {
		t.Fatalf("prefer: %d %s", r.Status, r.Body)
	}
	if a, b := now(); a != "DoNotDisturb" || b != "DoNotDisturb" {
		t.Errorf("preferred %s, %s", a, b)
	}
	h.World.Clock.Advance(8*time.Hour + 29*time.Minute)
	if a, _ := now(); a != "DoNotDisturb" {
		t.Errorf("before the end: %s", a)
	}
	h.World.Clock.Advance(2 * time.Minute)
	if a, _ := now(); a != seeded {
		t.Errorf("after the end: %s, want %s", a, seeded)
	}
	app := h.App()
	path := "/users/" + bob.ID + "/presence"
	app.Do("POST", path+"/setUserPreferredPresence", map[string]any{"availability": "Offline", "activity": "OffWork"})
	if a, b := now(); a != "Offline" || b != "OffWork" {
		t.Errorf("preferred %s, %s", a, b)
	}
	app.Do("POST", path+"/clearUserPreferredPresence", map[string]any{})
	if a, _ := now(); a != seeded {
		t.Errorf("cleared: %s, want %s", a, seeded)
	}
	as.Do("POST", "/me/presence/setStatusMessage", map[string]any{"statusMessage": map[string]any{"message": map[string]any{"content": "Away on Mars", "contentType": "text"}}})
	message, _ := as.Get("/me/presence").JSON["statusMessage"].(map[string]any)
	if inner, _ := message["message"].(map[string]any); text(inner, "content") != "Away on Mars" || text(message, "publishedDateTime") == "" {
		t.Errorf("status message %v", message)
	}
	as.Do("POST", "/me/presence/setStatusMessage", map[string]any{"statusMessage": map[string]any{"message": map[string]any{"content": ""}}})
	if got := as.Get("/me/presence").JSON["statusMessage"]; got != nil {
		t.Errorf("status message %v", got)
	}
	if len(heard) != 5 {
		t.Errorf("heard %+v", heard)
	}
	for _, c := range heard {
		if c.Kind != "#microsoft.graph.presence" || c.ID != bob.ID || c.Type != "updated" {
			t.Errorf("heard %+v", c)
		}
	}
	for _, bad := range []map[string]any{{"availability": "Available", "activity": "Busy"}, {"availability": "Busy", "activity": "Busy", "expirationDuration": "8 hours"}} {
		if r := as.Do("POST", "/me/presence/setUserPreferredPresence", bad); r.Status != 400 {
			t.Errorf("%v: %d", bad, r.Status)
		}
	}
	if r := h.As(bob, "Presence.Read").Do("POST", "/me/presence/setUserPreferredPresence", prefer); r.Status != 403 {
		t.Errorf("without the permission: %d", r.Status)
	}
	if len(heard) != 5 {
		t.Errorf("heard of refusals: %+v", heard[5:])
	}
}

func TestWritesAreTold(t *testing.T) {
	h, d := newHost(t)
	var heard []directory.Change
	d.Store.OnChange(func(c directory.Change) { heard = append(heard, c) })
	app := h.App()
	app.Get("/users") // nothing to tell of
	made := app.Do("POST", "/users", map[string]any{"displayName": "New Hire", "userPrincipalName": "hire@contoso.com"})
	id := text(made.JSON, "id")
	group := "/groups/" + h.Company.Group("finance").ID
	for _, step := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"PATCH", "/users/" + id, map[string]any{"jobTitle": "Clerk"}, 204},
		{"POST", group + "/members/$ref", map[string]any{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/" + id}, 204},
		{"POST", group + "/members/$ref", map[string]any{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/" + id}, 400},
		{"DELETE", group + "/members/" + id + "/$ref", nil, 204},
		{"DELETE", "/users/" + id, nil, 204},
		{"DELETE", "/users/" + id, nil, 204}, // for good
		{"DELETE", "/users/" + id, nil, 404},
	} {
		if r := app.Do(step.method, step.path, step.body); r.Status != step.status {
			t.Errorf("%s %s: %d %s, want %d", step.method, step.path, r.Status, r.Body, step.status)
		}
	}
	want := []string{"created", "updated", "updated", "updated", "deleted", "deleted"}
	if len(heard) != len(want) {
		t.Fatalf("heard %+v", heard)
	}
	for i, c := range heard {
		if c.Type != want[i] {
			t.Errorf("change %d is %+v, want %s", i, c, want[i])
		}
	}
	if c := heard[2]; c.ID != h.Company.Group("finance").ID || len(c.Added) != 1 || c.Added[0] != id || len(c.Removed) != 0 {
		t.Errorf("a new member: %+v", c)
	}
	if c := heard[3]; len(c.Added) != 0 || len(c.Removed) != 1 || c.Removed[0] != id {
		t.Errorf("a member gone: %+v", c)
	}
	if !heard[4].Soft || heard[5].Soft {
		t.Errorf("deletions: %+v", heard[4:])
	}
}
