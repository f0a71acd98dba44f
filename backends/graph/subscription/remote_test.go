package subscription

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/sim/core"
)

func TestCalls(t *testing.T) {
	p := newPlace(t, false)
	address := elsewhere(t)
	now := p.World().Clock.Now()
	made, err := Create(t.Context(), p.client, Draft{
		Resource: "/me/events", ChangeType: "created,updated", NotificationURL: address, Expires: now.Add(2 * time.Hour), ClientState: "s3cret",
	})
	if err != nil {
		t.Fatal(err)
	}
	if made.ID == "" || made.ChangeType != "created,updated" || made.NotificationURL != address || made.ApplicationID != p.Ready().ClientID {
		t.Errorf("made %+v", made)
	}
	renewed, err := Renew(t.Context(), p.client, made.ID, now.Add(24*time.Hour))
	if err != nil || renewed.ID != made.ID || !renewed.Expires.After(made.Expires.Add(20*time.Hour)) {
		t.Errorf("renewed %+v %v", renewed, err)
	}
	shown, err := Show(t.Context(), p.client, made.ID)
	if err != nil || shown != renewed {
		t.Errorf("shown %+v %v, renewed %+v", shown, err, renewed)
	}
	if data, err := json.Marshal(shown); err != nil || string(data) == "" || containsSecret(data) {
		t.Errorf("as JSON %s %v", data, err)
	}
	all, err := List(t.Context(), p.client)
	if err != nil || len(all) != 1 || all[0] != shown {
		t.Errorf("listed %+v %v", all, err)
	}
	if err := Delete(t.Context(), p.client, made.ID); err != nil {
		t.Fatal(err)
	}
	if err := Delete(t.Context(), p.client, made.ID); !errors.Is(err, backends.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if _, err := Renew(t.Context(), p.client, made.ID, now.Add(24*time.Hour)); !errors.Is(err, backends.ErrNotFound) {
		t.Errorf("renewed after the end: %v", err)
	}
	if _, err := Show(t.Context(), p.client, made.ID); !errors.Is(err, backends.ErrNotFound) {
		t.Errorf("shown after the end: %v", err)
	}
}

func containsSecret(data []byte) bool {
	var all map[string]any
	if json.Unmarshal(data, &all) != nil {
		return true
	}
	_, ok := all["clientState"]
	return ok
}

func TestListOfSeveralPages(t *testing.T) {
	p := newPlace(t, false)
	page := func(id, next string) map[string]any {
		return map[string]any{"value": []any{map[string]any{"id": id, "expirationDateTime": "2026-12-01T00:00:00.0000000Z"}}, "@odata.nextLink": next}
	}
	p.World().Faults.Set(
		core.FaultRule{Route: "GET /v1.0/subscriptions", Status: 200, Body: page("a", p.Ready().Graph+"/v1.0/subscriptions?$skiptoken=x"), Count: 1},
		core.FaultRule{Route: "GET /v1.0/subscriptions", Status: 200, Body: page("b", ""), Count: 1},
	)
	all, err := List(t.Context(), p.client)
	if err != nil || len(all) != 2 || all[0].ID != "a" || all[1].ID != "b" {
		t.Errorf("listed %+v %v", all, err)
	}
	for _, body := range []any{map[string]any{}, map[string]any{"value": nil}} {
		p.World().Faults.Set(core.FaultRule{Route: "GET /v1.0/subscriptions", Status: 200, Body: body})
		if all, err := List(t.Context(), p.client); !errors.Is(err, backends.ErrUnavailable) {
			t.Errorf("%v is a list: %+v %v", body, all, err)
		}
	}
	p.World().Faults.Set(core.FaultRule{Route: "POST /v1.0/subscriptions", Status: 201, Body: map[string]any{}})
	if made, err := Create(t.Context(), p.client, Draft{}); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("an empty answer is %+v %v", made, err)
	}
}

func TestExpiryWithoutAZone(t *testing.T) {
	want := time.Date(2026, 12, 1, 10, 20, 30, 0, time.UTC)
	for _, text := range []string{"2026-12-01T10:20:30Z", "2026-12-01T10:20:30.0000000Z", "2026-12-01T10:20:30", "2026-12-01T10:20:30.0000000", "2026-12-01T11:20:30+01:00"} {
		var r Remote
		if err := json.Unmarshal([]byte(`{"id":"x","expirationDateTime":"`+text+`"}`), &r); err != nil || !r.Expires.Equal(want) || r.ID != "x" {
			t.Errorf("%s: %+v %v", text, r, err)
		}
	}
	var r Remote
	if err := json.Unmarshal([]byte(`{"expirationDateTime":"soon"}`), &r); err == nil {
		t.Error("soon is a time")
	}
}
