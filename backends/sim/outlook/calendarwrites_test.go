package outlook_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim/outlook"
)

func timed(subject, start, end string) map[string]any {
	at := func(s string) map[string]any { return map[string]any{"dateTime": s, "timeZone": "UTC"} }
	return map[string]any{"subject": subject, "start": at(start), "end": at(end)}
}

func TestCalendarWrites(t *testing.T) {
	h := &heard{}
	f := start(t, 0, outlook.Options{Listener: h.listen})
	group := str(f.alice.Get("/me/calendarGroups").Items()[0], "id")
	made := f.must(201, "POST", "/me/calendarGroups/"+group+"/calendars", map[string]any{"name": "Project", "color": "lightBlue"})
	f.hears(h, "c created", "creating a calendar")
	id := str(made.JSON, "id")
	if r := f.alice.Do("POST", "/me/calendars", map[string]any{"name": "PROJECT"}); r.Status != http.StatusConflict {
		t.Errorf("a second calendar of that name: %d", r.Status)
	}
	event := f.must(201, "POST", "/me/calendars/"+id+"/events", timed("Kickoff", "2026-11-24T09:00:00", "2026-11-24T10:00:00"))
	f.hears(h, "e created", "creating an event")
	renamed := f.must(200, "PATCH", "/me/calendars/"+id, map[string]any{"name": "Project X"})
	f.hears(h, "c updated", "renaming a calendar")
	if renamed.JSON["name"] != "Project X" || renamed.JSON["color"] != "lightBlue" || renamed.JSON["changeKey"] == made.JSON["changeKey"] || renamed.JSON["id"] != id {
		t.Errorf("renamed: %s", renamed.Body)
	}
	path := "/me/calendars/" + id + "/events/" + str(event.JSON, "id")
	if got := f.alice.Get(path).JSON; got["iCalUId"] != event.JSON["iCalUId"] || got["changeKey"] != event.JSON["changeKey"] {
		t.Errorf("the event of a renamed calendar: %v", got)
	}
	if r := f.alice.Do("GET", "/me/calendars/"+str(f.alice.Get("/me/calendar").JSON, "id")+"/events/"+str(event.JSON, "id"), nil); r.Status != http.StatusNotFound {
		t.Errorf("an event by another calendar: %d", r.Status)
	}
	link, items := f.round("/me/calendars/" + id + "/calendarView/delta?" + november)
	if len(items) < 1 || items[0]["subject"] != "Kickoff" {
		t.Fatalf("the calendar's view: %v", items)
	}
	f.must(204, "DELETE", "/me/calendars/"+id, nil)
	f.hears(h, "e removed, c removed", "deleting a calendar")
	for _, gone := range []string{"/me/calendars/" + id, path, "/me/events/" + str(event.JSON, "id"), link} {
		if r := f.alice.Do("GET", gone, nil); r.Status != http.StatusNotFound {
			t.Errorf("GET %s after the deletion: %d", gone, r.Status)
		}
	}
	for _, c := range f.alice.Get("/me/calendars").Items() {
		if removable := c["isRemovable"] == true; removable {
			continue
		}
		if r := f.alice.Do("DELETE", "/me/calendars/"+str(c, "id"), nil); r.Status != http.StatusForbidden {
			t.Errorf("deleting %q: %d", c["name"], r.Status)
		}
	}
	f.hears(h, "", "refused deletions")
}

func TestEventChanges(t *testing.T) {
	h := &heard{}
	f := start(t, 0, outlook.Options{Listener: h.listen})
	event := f.must(201, "POST", "/me/events", timed("Review", "2026-11-24T09:00:00", "2026-11-24T10:00:00")).JSON
	path := "/me/events/" + str(event, "id")
	h.take()
	if r := f.alice.Do("PATCH", path, map[string]any{"subject": "x"}, "If-Match", `W/"old"`); r.Status != http.StatusPreconditionFailed {
		t.Errorf("an old If-Match: %d", r.Status)
	}
	f.hears(h, "", "a refused change")
	f.World.Clock.Advance(5e9)
	changed := f.must(200, "PATCH", path, map[string]any{"subject": "Final review"}, "If-Match", str(event, "@odata.etag")).JSON
	if changed["changeKey"] == event["changeKey"] || changed["@odata.etag"] == event["@odata.etag"] || str(changed, "lastModifiedDateTime") <= str(event, "lastModifiedDateTime") ||
		changed["createdDateTime"] != event["createdDateTime"] {
		t.Errorf("changed %v, before %v", changed, event)
	}
	file := map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "contentType": "text/plain", "contentBytes": base64.StdEncoding.EncodeToString([]byte("one"))}
	file["name"] = "one.txt"
	one := f.must(201, "POST", path+"/attachments", file).JSON
	file["name"] = "two.txt"
	two := f.must(201, "POST", path+"/attachments", file).JSON
	f.must(204, "DELETE", path+"/attachments/"+str(one, "id"), nil)
	f.hears(h, "e updated, e updated, e updated, e updated", "a change and attachments")
	if left := f.alice.Get(path + "/attachments").Items(); len(left) != 1 || left[0]["id"] != two["id"] || left[0]["name"] != "two.txt" {
		t.Errorf("attachments left: %v", left)
	}
	if r := f.alice.Do("GET", path+"/attachments/"+str(one, "id"), nil); r.Status != http.StatusNotFound {
		t.Errorf("a deleted attachment: %d", r.Status)
	}
	if r := f.alice.Do("POST", path+"/accept", map[string]any{}); r.Status != http.StatusBadRequest {
		t.Errorf("the organizer accepts: %d", r.Status)
	}
	f.must(202, "POST", path+"/cancel", map[string]any{"Comment": "no"})
	f.hears(h, "e removed", "cancelling")

	invited := f.event("Online: quarterly call")
	path = "/me/events/" + str(invited, "id")
	f.must(202, "POST", path+"/accept", map[string]any{"sendResponse": true})
	if got := f.alice.Get(path).JSON["responseStatus"].(map[string]any); got["response"] != "accepted" {
		t.Errorf("accepted: %v", got)
	}
	if r := f.alice.Do("POST", path+"/cancel", nil); r.Status != http.StatusBadRequest {
		t.Errorf("an attendee cancels: %d", r.Status)
	}
	f.must(202, "POST", path+"/decline", map[string]any{})
	f.hears(h, "e updated, e removed", "answering an invitation")
}

func TestSeriesChanges(t *testing.T) {
	h := &heard{}
	f := start(t, 0, outlook.Options{Listener: h.listen})
	link, _ := f.round("/me/calendarView/delta?" + november)
	series := timed("Daily", "2026-11-02T09:00:00", "2026-11-02T10:00:00")
	series["recurrence"] = map[string]any{"pattern": map[string]any{"type": "daily", "interval": 1},
		"range": map[string]any{"type": "numbered", "startDate": "2026-11-02", "numberOfOccurrences": 6}}
	path := "/me/events/" + str(f.must(201, "POST", "/me/events", series).JSON, "id")
	instances := f.alice.Get(path + "/instances?" + november).Items()
	f.must(200, "PATCH", "/me/events/"+str(instances[1], "id"), map[string]any{"subject": "Other"})
	f.must(204, "DELETE", "/me/events/"+str(instances[2], "id"), nil)
	f.must(201, "POST", "/me/events/"+str(instances[1], "id")+"/attachments", map[string]any{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a", "contentBytes": "YQ=="})
	f.hears(h, "e created, e updated, e updated, e updated", "a series and its dates")
	if f.alice.Get("/me/events/" + str(instances[1], "id")).JSON["hasAttachments"] != true || f.alice.Get(path).JSON["hasAttachments"] != false {
		t.Error("the attachment of one date is not that date's alone")
	}
	// A changed series comes whole on one page, however short; what it lost is not mentioned.
	link, items := f.round(link, "Prefer", "odata.maxpagesize=2")
	var kinds []string
	for _, e := range items {
		if e["id"] == instances[2]["id"] {
			t.Errorf("a cancelled date is mentioned: %v", e)
		}
		if e["@removed"] == nil {
			kinds = append(kinds, str(e, "type"))
		}
	}
	slices.Sort(kinds)
	if strings.Join(kinds, " ") != "exception occurrence occurrence occurrence occurrence seriesMaster" {
		t.Errorf("the round gave %v", kinds)
	}
	// Another pattern loses what was special.
	series["recurrence"].(map[string]any)["range"].(map[string]any)["numberOfOccurrences"] = 3
	f.must(200, "PATCH", path, map[string]any{"recurrence": series["recurrence"]})
	if now := f.alice.Get(path + "/instances?" + november).Items(); len(now) != 3 || now[1]["type"] != "occurrence" || now[1]["id"] != instances[1]["id"] {
		t.Errorf("after another pattern: %v", now)
	}
	f.Set("outlook.delta_replays", false)
	if _, items = f.round(link); len(items) != 4 {
		t.Errorf("the round gave %v", items)
	}
}

func TestContactWrites(t *testing.T) {
	h := &heard{}
	f := start(t, 0, outlook.Options{Listener: h.listen})
	f.Set("outlook.delta_replays", false)
	folder := f.must(201, "POST", "/me/contactFolders", map[string]any{"displayName": "Partners"}).JSON
	base := "/me/contactFolders/" + str(folder, "id")
	if r := f.alice.Do("POST", "/me/contactFolders", map[string]any{"displayName": "partners"}); r.Status != http.StatusConflict {
		t.Errorf("a second folder of that name: %d", r.Status)
	}
	f.hears(h, "q created", "creating a folder")
	folders, _ := f.round("/me/contactFolders/delta")
	link, items := f.round(base + "/contacts/delta")
	if len(items) != 0 {
		t.Errorf("contacts of a new folder: %v", items)
	}
	contact := f.must(201, "POST", base+"/contacts", map[string]any{"givenName": "Ada", "surname": "King", "emailAddresses": []any{map[string]any{"name": "Ada", "address": "ada@example.com"}}}).JSON
	f.must(200, "PATCH", "/me/contacts/"+str(contact, "id"), map[string]any{"jobTitle": "Analyst"})
	f.must(200, "PATCH", base, map[string]any{"displayName": "Friends"})
	f.hears(h, "p created, p updated, q updated", "contact changes")
	link, items = f.round(link)
	if len(items) != 1 || items[0]["jobTitle"] != "Analyst" || items[0]["displayName"] != "Ada King" || items[0]["changeKey"] == contact["changeKey"] {
		t.Errorf("the round gave %v", items)
	}
	folders, items = f.round(folders)
	if len(items) != 1 || items[0]["displayName"] != "Friends" {
		t.Errorf("the round of folders gave %v", items)
	}
	f.must(204, "DELETE", "/me/contacts/"+str(contact, "id"), nil)
	if link, items = f.round(link); len(items) != 1 || items[0]["@removed"] == nil {
		t.Errorf("the round gave %v", items)
	}
	f.must(201, "POST", base+"/contacts", map[string]any{"displayName": "Bo"})
	f.must(204, "DELETE", base, nil)
	f.hears(h, "p removed, p created, p removed, q removed", "deletions")
	if _, items = f.round(folders); len(items) != 1 || items[0]["@removed"] == nil || items[0]["id"] != folder["id"] {
		t.Errorf("the round of folders gave %v", items)
	}
	if r := f.alice.Do("GET", link, nil); r.Status != http.StatusNotFound {
		t.Errorf("a round of a deleted folder: %d", r.Status)
	}
}
