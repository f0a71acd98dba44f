package outlook_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim/outlook"
)

const november = "startDateTime=2026-11-01T00:00:00Z&endDateTime=2026-12-01T00:00:00Z"

func (f *fixture) event(subject string) map[string]any {
	f.t.Helper()
	items, _ := f.alice.All("/me/events?$top=200&$filter=" + q("subject eq '"+subject+"'"))
	if len(items) == 0 {
		f.t.Fatalf("no event %q", subject)
	}
	return items[0]
}

func TestCalendars(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	items := f.alice.Get("/me/calendars").Items()
	var names []string
	for _, c := range items {
		names = append(names, str(c, "name"))
	}
	if strings.Join(names, ",") != "Calendar,Holidays,Team / Ops" || items[0]["isDefaultCalendar"] != true || items[1]["canEdit"] != false {
		t.Errorf("calendars %v", items)
	}
	if c := f.alice.Get("/me/calendar").JSON; c["id"] != items[0]["id"] {
		t.Errorf("the default calendar is %v", c)
	}
	groups := f.alice.Get("/me/calendarGroups").Items()
	if len(groups) != 1 || len(f.alice.Get("/me/calendarGroups/"+str(groups[0], "id")+"/calendars").Items()) != 3 {
		t.Errorf("groups %v", groups)
	}
	holidays, _ := f.alice.All("/me/calendars/" + str(items[1], "id") + "/events")
	if len(holidays) != 9 || holidays[0]["isAllDay"] != true || !strings.HasSuffix(str(holidays[0]["start"].(map[string]any), "dateTime"), "T00:00:00.0000000") {
		t.Errorf("holidays %v", holidays)
	}
}

func TestEventList(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	if n := len(f.alice.Get("/me/events").Items()); n != 10 {
		t.Errorf("a default page of %d", n)
	}
	all, _ := f.alice.All("/me/events?$top=20")
	types, patterns := map[string]int{}, map[string]bool{}
	for _, e := range all {
		types[str(e, "type")]++
		if r, _ := e["recurrence"].(map[string]any); r != nil {
			patterns[str(r["pattern"].(map[string]any), "type")] = true
		}
	}
	if types["seriesMaster"] < 8 || types["singleInstance"] < 50 || len(types) != 2 || len(patterns) != 6 {
		t.Errorf("types %v, patterns %v", types, patterns)
	}
	e := f.event("Contract reading")
	if e["hasAttachments"] != true || e["hideAttendees"] != true || e["originalStartTimeZone"] != "Pacific Standard Time" {
		t.Errorf("event %v", e)
	}
	attachments := f.alice.Get("/me/events/" + str(e, "id") + "/attachments").Items()
	if len(attachments) != 1 || attachments[0]["name"] != "agenda.docx" {
		t.Fatalf("attachments %v", attachments)
	}
	value := f.alice.Get("/me/events/" + str(e, "id") + "/attachments/" + str(attachments[0], "id") + "/$value")
	if !strings.HasPrefix(string(value.Body), "PK") {
		t.Errorf("attachment %.20q", value.Body)
	}
	zoned := f.alice.Get("/me/events/"+str(e, "id"), "Prefer", `outlook.timezone="Tokyo Standard Time"`)
	start := zoned.JSON["start"].(map[string]any)
	if start["timeZone"] != "Tokyo Standard Time" || start["dateTime"] != "2026-11-15T02:30:00.0000000" || zoned.Header.Get("Preference-Applied") == "" {
		t.Errorf("in Tokyo: %v", start)
	}
	if r := f.alice.Do("GET", "/me/events", nil, "Prefer", `outlook.timezone="Nowhere"`); r.Status != http.StatusBadRequest {
		t.Errorf("an unknown zone: %d", r.Status)
	}
}

func TestSeries(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	items, _ := f.alice.All("/me/events?$top=200&$filter=" + q("subject eq 'Standup'"))
	i := slices.IndexFunc(items, func(e map[string]any) bool { return e["type"] == "seriesMaster" })
	if i < 0 {
		t.Fatal("no standup series")
	}
	path := "/me/events/" + str(items[i], "id")
	master := f.alice.Get(path + "?$select=subject,cancelledOccurrences&$expand=exceptionOccurrences").JSON
	cancelled, _ := master["cancelledOccurrences"].([]any)
	exceptions, _ := master["exceptionOccurrences"].([]any)
	if len(cancelled) != 4 || len(exceptions) != 4 || !strings.HasPrefix(cancelled[0].(string), "OID."+str(items[i], "id")+".2026-") {
		t.Errorf("cancelled %v, %d exceptions", cancelled, len(exceptions))
	}
	ex := exceptions[0].(map[string]any)
	if ex["type"] != "exception" || ex["seriesMasterId"] != items[i]["id"] || ex["originalStart"] == nil || ex["iCalUId"] != items[i]["iCalUId"] {
		t.Errorf("exception %v", ex)
	}
	if r := f.alice.Do("GET", path+"/instances", nil); r.Status != http.StatusBadRequest {
		t.Errorf("instances without a range: %d", r.Status)
	}
	instances, _ := f.alice.All(path + "/instances?" + november)
	kinds := map[string]int{}
	for _, o := range instances {
		kinds[str(o, "type")]++
		if o["seriesMasterId"] != items[i]["id"] || o["recurrence"] != nil {
			t.Errorf("instance %v", o)
		}
		if got := f.alice.Get("/me/events/" + str(o, "id")).JSON; got["start"].(map[string]any)["dateTime"] != o["start"].(map[string]any)["dateTime"] {
			t.Errorf("instance by id: %v, want %v", got["start"], o["start"])
		}
	}
	// 21 workdays, of which two are cancelled and two moved.
	if kinds["exception"] != 2 || kinds["occurrence"]+kinds["exception"] != 19 {
		t.Errorf("instances %v", kinds)
	}
}

func TestCalendarView(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	for _, bad := range []string{"", "startDateTime=2026-11-01", "startDateTime=x&endDateTime=y", "startDateTime=2026-12-01&endDateTime=2026-11-01"} {
		if r := f.alice.Do("GET", "/me/calendarView?"+bad, nil); r.Status != http.StatusBadRequest {
			t.Errorf("%q: %d", bad, r.Status)
		}
	}
	view, _ := f.alice.All("/me/calendarView?" + november + "&$top=13&$select=subject,type,start,seriesMasterId")
	previous := ""
	for _, e := range view {
		at := str(e["start"].(map[string]any), "dateTime")
		if at < previous || e["type"] == "seriesMaster" || e["body"] != nil {
			t.Errorf("view has %v after %s", e, previous)
		}
		previous = at
		if e["subject"] == "Thanksgiving" && at != "2026-11-26T00:00:00.0000000" {
			t.Errorf("Thanksgiving is at %s", at)
		}
	}
	if len(view) < 50 {
		t.Errorf("%d events in November", len(view))
	}
	// An offset in the range counts: 08:00 on the 20th in Tokyo is 23:00 UTC on the 19th.
	offset, _ := f.alice.All("/me/calendarView?startDateTime=" + q("2026-11-20T05:00:00+09:00") + "&endDateTime=" + q("2026-11-20T05:00:01+09:00"))
	if len(offset) != 1 || offset[0]["subject"] != "No length" {
		t.Errorf("by offset: %v", offset)
	}
}

func TestCalendarViewDelta(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	f.Set("outlook.delta_replays", false)
	path := "/me/calendarView/delta?" + november
	for _, bad := range []string{path + "&$select=subject", path + "&$filter=x", path + "&$orderby=subject", path + "&$expand=attachments", "/me/calendarView/delta"} {
		if r := f.alice.Do("GET", bad, nil); r.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, r.Status)
		}
	}
	link, items := f.round(path, "Prefer", "odata.maxpagesize=20")
	kinds := map[string]int{}
	for _, e := range items {
		kinds[str(e, "type")]++
		if e["type"] == "occurrence" && (e["subject"] != nil || e["start"] == nil || e["seriesMasterId"] == nil) {
			t.Errorf("an occurrence is short, got %v", e)
		}
	}
	if kinds["seriesMaster"] < 4 || kinds["occurrence"] < 40 || kinds["exception"] != 2 || kinds["singleInstance"] < 5 {
		t.Errorf("kinds %v", kinds)
	}
	same, items := f.round(link)
	if len(items) != 0 || same != link {
		t.Errorf("nothing changed: %v", items)
	}
	inside := f.alice.Do("POST", "/me/events", map[string]any{"subject": "Inside",
		"start": map[string]any{"dateTime": "2026-11-28T10:00:00", "timeZone": "Pacific Standard Time"}, "end": map[string]any{"dateTime": "2026-11-28T11:00:00", "timeZone": "Pacific Standard Time"}})
	if inside.Status != http.StatusCreated || inside.JSON["start"].(map[string]any)["dateTime"] != "2026-11-28T18:00:00.0000000" {
		t.Fatalf("create: %d %s", inside.Status, inside.Body)
	}
	outside := f.alice.Do("POST", "/me/events", map[string]any{"subject": "Outside",
		"start": map[string]any{"dateTime": "2027-03-01T10:00:00", "timeZone": "UTC"}, "end": map[string]any{"dateTime": "2027-03-01T11:00:00", "timeZone": "UTC"}})
	link, items = f.round(link)
	if len(items) != 2 || items[0]["subject"] != "Inside" || items[1]["id"] != outside.JSON["id"] || items[1]["@removed"] == nil {
		t.Errorf("one inside and one outside: %v", items)
	}
	id := str(inside.JSON, "id")
	patched := f.alice.Do("PATCH", "/me/events/"+id, map[string]any{"subject": "Moved inside", "location": map[string]any{"displayName": "Here"}})
	if patched.JSON["subject"] != "Moved inside" || patched.JSON["location"].(map[string]any)["displayName"] != "Here" {
		t.Errorf("patched: %s", patched.Body)
	}
	f.alice.Do("DELETE", "/me/events/"+id, nil)
	if _, items = f.round(link); len(items) != 1 || items[0]["@removed"] == nil || items[0]["id"] != id {
		t.Errorf("deleted: %v", items)
	}
	if r := f.alice.Do("GET", "/me/events/"+id, nil); r.Status != http.StatusNotFound {
		t.Errorf("a deleted event: %d", r.Status)
	}
}

func TestOccurrenceWrites(t *testing.T) {
	f := start(t, 0, outlook.Options{})
	made := f.alice.Do("POST", "/me/events", map[string]any{"subject": "Series", "body": map[string]any{"contentType": "HTML", "content": "<p>b</p>"},
		"start": map[string]any{"dateTime": "2026-11-02T09:00:00", "timeZone": "Pacific Standard Time"},
		"end":   map[string]any{"dateTime": "2026-11-02T10:00:00", "timeZone": "Pacific Standard Time"},
		"recurrence": map[string]any{"pattern": map[string]any{"type": "daily", "interval": 1},
			"range": map[string]any{"type": "numbered", "startDate": "2026-11-02", "numberOfOccurrences": 5}}})
	if made.Status != http.StatusCreated || made.JSON["type"] != "seriesMaster" {
		t.Fatalf("create: %d %s", made.Status, made.Body)
	}
	path := "/me/events/" + str(made.JSON, "id")
	instances := f.alice.Get(path + "/instances?" + november).Items()
	if len(instances) != 5 {
		t.Fatalf("%d instances", len(instances))
	}
	changed := f.alice.Do("PATCH", "/me/events/"+str(instances[1], "id"), map[string]any{"subject": "Other"})
	if changed.JSON["type"] != "exception" || changed.JSON["subject"] != "Other" || changed.JSON["id"] != instances[1]["id"] {
		t.Errorf("changed: %s", changed.Body)
	}
	if r := f.alice.Do("DELETE", "/me/events/"+str(instances[2], "id"), nil); r.Status != http.StatusNoContent {
		t.Errorf("delete an occurrence: %d", r.Status)
	}
	master := f.alice.Get(path + "?$select=id,cancelledOccurrences&$expand=exceptionOccurrences").JSON
	if got := master["cancelledOccurrences"].([]any); len(got) != 1 || !strings.HasSuffix(got[0].(string), ".2026-11-04") {
		t.Errorf("cancelled %v", got)
	}
	if got := master["exceptionOccurrences"].([]any); len(got) != 1 {
		t.Errorf("exceptions %v", got)
	}
	if now := f.alice.Get(path + "/instances?" + november).Items(); len(now) != 4 {
		t.Errorf("%d instances are left", len(now))
	}
	for _, bad := range []map[string]any{
		{"subject": "no times"},
		{"start": map[string]any{"dateTime": "2026-11-02T09:00:00", "timeZone": "Mars"}, "end": map[string]any{"dateTime": "2026-11-02T10:00:00"}},
		{"subject": 5, "start": map[string]any{"dateTime": "2026-11-02T09:00:00"}, "end": map[string]any{"dateTime": "2026-11-02T10:00:00"}},
		{"start": map[string]any{"dateTime": "2026-11-02T09:00:00"}, "end": map[string]any{"dateTime": "2026-11-02T08:00:00"}},
	} {
		if r := f.alice.Do("POST", "/me/events", bad); r.Status != http.StatusBadRequest {
			t.Errorf("%v: %d", bad, r.Status)
		}
	}
}
