package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// hook starts an address that answers as Microsoft's validation asks for, and gives what else is delivered to it.
func hook(t *testing.T) (address string, delivered <-chan string) {
	t.Helper()
	bodies := make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token := r.URL.Query().Get("validationToken"); token != "" {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write([]byte(token))
			return
		}
		body, _ := io.ReadAll(r.Body) // a short one fails the test
		bodies <- string(body)
	}))
	t.Cleanup(s.Close)
	return s.URL, bodies
}

// subscriptions runs a command that prints one subscription, or a list of them, as JSON.
func (e *env) subscriptions(into any, args ...string) {
	e.t.Helper()
	out := e.expect(0, nil, append([]string{"subscriptions", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		e.t.Fatalf("%q: %v", out, err)
	}
}

func TestSubscriptionsOfMicrosoft(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	const secret = "a-client-state"
	state := e.path("state-of-client")
	if err := os.WriteFile(state, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address, delivered := hook(t)
	e.expect(0, []string{"no subscriptions"}, "subscriptions", "list", "-c", "contoso")
	var list []subscriptionInfo
	e.subscriptions(&list, "list", "-c", "contoso")
	if list == nil || len(list) != 0 {
		t.Errorf("without subscriptions the list is %v", list)
	}
	e.expect(2, []string{"which connection?"}, "subscriptions", "list")
	e.expect(2, []string{"write workfs subscriptions show ID"}, "subscriptions", "show", "-c", "contoso")
	e.expect(2, []string{"--resource and --address"}, "subscriptions", "create", "-c", "contoso")
	e.expect(2, []string{"--expires", "not a time"}, "subscriptions", "create", "-c", "contoso", "--resource", "/me/events", "--address", address, "--expires", "soon")
	e.expect(1, []string{"POST /v1.0/subscriptions: HTTP 400"}, "subscriptions", "create", "-c", "contoso", "--resource", "/me/nothing", "--address", address)

	var made subscriptionInfo
	e.subscriptions(&made, "create", "-c", "contoso", "--resource", "/me/events", "--changes", "created,deleted", "--address", address,
		"--lifecycle-address", address, "--expires", "2d", "--client-state-file", state)
	if made.ID == "" || made.Resource != "/me/events" || strings.Join(made.Changes, ",") != "created,deleted" || made.Address != address ||
		made.LifecycleAddress != address || made.Application != e.sim.Ready().ClientID || made.Mount != "" ||
		time.Until(made.Expires) < 47*time.Hour || time.Until(made.Expires) > 48*time.Hour {
		t.Errorf("made %+v", made)
	}
	e.cloud().graph("POST", e.cloud().u+"/events", map[string]any{
		"subject": "Standup", "start": map[string]any{"dateTime": "2026-11-20T09:00:00", "timeZone": "UTC"}, "end": map[string]any{"dateTime": "2026-11-20T09:30:00", "timeZone": "UTC"},
	})
	select {
	case body := <-delivered:
		if !strings.Contains(body, made.ID) || !strings.Contains(body, `"clientState":"`+secret+`"`) {
			t.Errorf("delivered %s", body)
		}
	case <-time.After(patience):
		t.Error("nothing is delivered")
	}
	shown := e.expect(0, []string{made.ID, "/me/events", "created,deleted", address}, "subscriptions", "show", made.ID, "-c", "contoso")
	shown += e.expect(0, []string{"RESOURCE", made.ID, "/me/events"}, "subscriptions", "list", "-c", "contoso")
	shown += e.expect(0, nil, "subscriptions", "list", "-c", "contoso", "--json")
	if strings.Contains(shown, secret) {
		t.Errorf("the client state is printed:\n%s", shown)
	}

	var renewed subscriptionInfo
	e.subscriptions(&renewed, "renew", made.ID, "-c", "contoso", "--expires", "60h")
	if renewed.ID != made.ID || renewed.Expires.Sub(made.Expires) < 11*time.Hour {
		t.Errorf("renewed %+v, was %+v", renewed, made)
	}
	e.expect(0, nil, "subscriptions", "delete", made.ID, "-c", "contoso")
	for _, command := range []string{"show", "renew", "delete"} {
		e.expect(3, []string{"HTTP 404"}, "subscriptions", command, made.ID, "-c", "contoso")
	}
}

// TestSubscriptionsOfMounts: those that a mount keeps are named as such, and status tells of its public address.
func TestSubscriptionsOfMounts(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.features("mail", "calendar", "contacts")
	m := e.mount(append(liveFlags(t), "-c", "contoso")...)
	months := m.entries(alice + "/mail/Inbox")
	month := alice + "/mail/Inbox/" + months[len(months)-1]
	m.entries(month)
	m.awaitLive(month)
	var list []subscriptionInfo
	e.subscriptions(&list, "list", "-c", "contoso")
	if len(list) == 0 {
		t.Fatal("the mount has no subscriptions")
	}
	for _, one := range list {
		if one.Mount != m.point {
			t.Errorf("%s is kept by %q", one.Resource, one.Mount)
		}
	}
	e.expect(0, []string{"KEPT BY", m.point}, "subscriptions", "list", "-c", "contoso")
	e.expect(0, []string{"kept by", m.point}, "subscriptions", "show", list[0].ID, "-c", "contoso")

	e.cloud().message("inbox", "Delivered by webhook", "text")
	e.poll("the message", func() bool { return len(with(m.entries(month), "Delivered-by-webhook")) > 0 })
	st := m.status()
	if st.Webhooks == nil || !strings.HasPrefix(list[0].Address, st.Webhooks.Address+"/") || st.Webhooks.Accepted == 0 {
		t.Errorf("status of the webhooks: %+v", st.Webhooks)
	}
	e.expect(0, []string{"webhooks: " + st.Webhooks.Address, "KEPT RIGHT", " live by webhook"}, "status")
	e.expect(0, []string{"live by webhook", "last sync ", "last change ", " by webhook, ", "subscription ", "renewed next "}, "status", "--all")
	e.expect(0, []string{"live", "yes, by webhook", "next renewal", "last change", "subscription"}, "info", m.path(month))
	var status []struct{ Webhooks map[string]any }
	if err := json.Unmarshal([]byte(e.expect(0, nil, "status", "--json")), &status); err != nil || len(status) != 1 {
		t.Fatalf("status --json: %v", err)
	}
	for _, key := range []string{"address", "reach", "accepted", "refused"} {
		if _, ok := status[0].Webhooks[key]; !ok {
			t.Errorf("status --json has no webhooks.%s: %v", key, status[0].Webhooks)
		}
	}
}

func TestSubscriptionsOfBox(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	const address = "https://hooks.example.org/box"
	folder := func(name string) string {
		return e.cloud().box("POST", "/folders", map[string]any{"name": name, "parent": map[string]any{"id": "0"}})["id"].(string)
	}
	first, second := folder("Hooked first"), folder("Hooked second")
	create := func(target string) (made subscriptionInfo) {
		e.subscriptions(&made, "create", "-c", "box", "--target", target, "--triggers", "FILE.UPLOADED,FILE.TRASHED", "--address", address)
		return made
	}
	made := create("folder:" + first)
	create("folder:" + second)
	if made.ID == "" || made.Resource != "folder:"+first || made.Address != address || len(made.Changes) != 2 {
		t.Errorf("made %+v", made)
	}
	// Short pages, as Box gives them.
	var all, list []subscriptionInfo
	e.subscriptions(&all, "list", "-c", "box")
	e.faults(core.FaultRule{Route: "GET /2.0/webhooks", Status: 200, Count: 1, Body: map[string]any{
		"entries": []any{map[string]any{"id": "7", "type": "webhook", "target": map[string]any{"id": "8", "type": "file"}}}, "limit": 1, "next_marker": "",
	}})
	e.subscriptions(&list, "list", "-c", "box")
	if len(all) != 2 || len(list) != 1 || list[0].ID != "7" || list[0].Resource != "file:8" {
		t.Errorf("listed %+v, then %+v", all, list)
	}
	e.expect(0, []string{"ID", "RESOURCE", made.ID, "folder:" + second}, "subscriptions", "list", "-c", "box")
	e.expect(0, []string{made.ID, address, "FILE.UPLOADED"}, "subscriptions", "show", made.ID, "-c", "box")

	e.expect(1, []string{"HTTP 409"}, "subscriptions", "create", "-c", "box", "--target", "folder:"+first, "--triggers", "FILE.UPLOADED", "--address", address)
	e.expect(2, []string{"folder:ID or file:ID"}, "subscriptions", "create", "-c", "box", "--target", first, "--triggers", "FILE.UPLOADED", "--address", address)
	e.expect(2, []string{"--target, --triggers and --address"}, "subscriptions", "create", "-c", "box", "--target", "folder:"+first, "--address", address)
	e.expect(2, []string{"no end that could be put off"}, "subscriptions", "renew", made.ID, "-c", "box")
	e.expect(0, nil, "subscriptions", "delete", made.ID, "-c", "box")
	e.expect(3, []string{"HTTP 404"}, "subscriptions", "show", made.ID, "-c", "box")
	e.expect(3, []string{"HTTP 404"}, "subscriptions", "delete", made.ID, "-c", "box")
}
