package outlook

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/subscription"
)

func event1(subject, start string) map[string]any {
	at := func(hour string) map[string]any {
		return map[string]any{"dateTime": start + "T" + hour + ":00:00", "timeZone": "UTC"}
	}
	return map[string]any{"subject": subject, "start": at("09"), "end": at("10")}
}

func str(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

func TestEventsFollowed(t *testing.T) {
	c := newCloud(t, -1)
	first := c.do("POST", "/me/events", event1("First", "2026-11-02"))
	f := c.mount(sign{formats: []string{"md", "json"}}).follow()
	f.look(aliceCalendar)
	made := c.do("POST", "/me/events", event1("Kickoff", "2026-11-24"))
	id := str(made, "id") + ".ics"
	e := byID(f.after(1, "a new event", aliceCalendar+"/2026-11"))[id]
	if !strings.Contains(string(e.Body), "SUMMARY:Kickoff") {
		t.Fatalf("the new event reads %q", e.Body)
	}
	c.do("PATCH", "/me/events/"+str(made, "id"), map[string]any{"subject": "Kickoff, final"})
	now := byID(f.after(1, "an edit", aliceCalendar+"/2026-11"))[id]
	if now.ID != e.ID || now.Version == e.Version || !strings.Contains(string(now.Body), "final") {
		t.Errorf("the edited event is %+v", now)
	}
	c.do("PATCH", "/me/events/"+str(made, "id"), event1("Kickoff", "2027-02-03"))
	f.exactly(1, "a new time", f.deliver)
	if got := f.names(aliceCalendar); !slices.Equal(got, []string{"2026-11", "2026-12", "2027-01", "2027-02"}) {
		t.Errorf("months are %q", got)
	}
	if got := byID(f.list(aliceCalendar + "/2027-02"))[id]; got.ID != e.ID {
		t.Errorf("in its new month the event is %+v", got)
	}
	if got := byID(f.list(aliceCalendar + "/2026-11")); got[id].ID != "" || got[str(first, "id")+".ics"].ID == "" {
		t.Errorf("its old month holds %v", got)
	}
	f.exactly(1, "a look at whether anything changed", func() { f.tell(f.collection(f.find(aliceCalendar).Dir)) })
	c.do("DELETE", "/me/events/"+str(made, "id"), nil)
	f.exactly(1, "a deletion", f.deliver)
	if got := f.names(aliceCalendar); !slices.Equal(got, []string{"2026-11"}) {
		t.Errorf("months are %q after the deletion", got)
	}
	f.exactly(1, "another look", func() { f.tell(f.collection(f.find(aliceCalendar).Dir)) })
	f.sameAsFresh("alice@contoso.com/calendar")
}

func TestSeriesFollowed(t *testing.T) {
	c := newCloud(t, -1)
	f := c.mount(sign{formats: []string{"json"}}).follow()
	f.look(aliceCalendar)
	series := event1("Standup", "2026-11-02")
	series["recurrence"] = map[string]any{
		"pattern": map[string]any{"type": "daily", "interval": 1},
		"range":   map[string]any{"type": "numbered", "startDate": "2026-11-02", "numberOfOccurrences": 5, "recurrenceTimeZone": "UTC"},
	}
	made := c.do("POST", "/me/events", series)
	f.atMost(2, "a new series", f.deliver)
	f.sameAsFresh("alice@contoso.com/calendar")
	list := c.do("GET", "/me/events/"+str(made, "id")+"/instances?startDateTime=2026-11-01T00:00:00Z&endDateTime=2026-12-01T00:00:00Z", nil)["value"].([]any)
	c.do("PATCH", "/me/events/"+str(list[1].(map[string]any), "id"), map[string]any{"subject": "Standup, longer"})
	f.atMost(3, "an occurrence changed", f.deliver)
	f.sameAsFresh("alice@contoso.com/calendar")
	c.do("DELETE", "/me/events/"+str(list[2].(map[string]any), "id"), nil)
	f.atMost(3, "an occurrence cancelled", f.deliver)
	f.sameAsFresh("alice@contoso.com/calendar")
	c.do("DELETE", "/me/events/"+str(made, "id"), nil)
	f.atMost(1, "the series deleted", f.deliver)
	f.sameAsFresh("alice@contoso.com/calendar")
}

// TestOtherCalendars has events in a calendar that no subscription is about.
func TestOtherCalendars(t *testing.T) {
	c := newCloud(t, -1)
	other := c.do("POST", "/me/calendars", map[string]any{"name": "Project"})
	f := c.mount(sign{}).follow()
	f.look(aliceCalendar)
	f.look("alice@contoso.com/calendar/Project")
	if len(f.watches) != 1 {
		t.Fatalf("there are %d subscriptions", len(f.watches))
	}
	made := c.do("POST", "/me/calendars/"+str(other, "id")+"/events", event1("Milestone", "2026-11-24"))
	f.atMost(2, "an event in another calendar", f.deliver)
	f.sameAsFresh("alice@contoso.com/calendar")
	c.do("PATCH", "/me/events/"+str(made, "id"), map[string]any{"subject": "Milestone 2"})
	f.exactly(1, "an edit in another calendar", f.deliver)
	f.sameAsFresh("alice@contoso.com/calendar")
	unreadable := subscription.Notification{Resource: "/me/events", Change: "created", ID: str(made, "id") + "AAAA"}
	if open := f.tell(f.collection(f.find(aliceCalendar).Dir), unreadable); len(open) != 1 {
		t.Errorf("an event that can't be read leaves %+v open", open)
	}
	// Nothing tells of this one, as with the service itself.
	c.do("DELETE", "/me/events/"+str(made, "id"), nil)
	f.take()
	f.tell(f.collection(f.find("alice@contoso.com/calendar/Project").Dir))
	f.sameAsFresh("alice@contoso.com/calendar")
}

func TestContactsFollowed(t *testing.T) {
	c := newCloud(t, -1)
	const here = "alice@contoso.com/contacts/Contacts"
	c.do("POST", "/me/contacts", map[string]any{"givenName": "Ann", "surname": "Other"})
	f := c.mount(sign{}).follow()
	f.look(here)
	made := c.do("POST", "/me/contacts", map[string]any{"givenName": "Dora", "surname": "Explorer"})
	id := str(made, "id") + ".vcf"
	e := byID(f.after(1, "a new contact", here))[id]
	if !strings.Contains(string(e.Body), "Dora") {
		t.Fatalf("the new contact reads %q", e.Body)
	}
	c.do("PATCH", "/me/contacts/"+str(made, "id"), map[string]any{"surname": "Diver"})
	n := f.take()
	collection := f.collection(f.find(here).Dir)
	f.exactly(1, "an edit", func() { f.tell(collection, n[collection]...) })
	f.exactly(0, "the same again", func() { f.tell(collection, n[collection]...) })
	if now := byID(f.list(here))[id]; now.ID != e.ID || !strings.Contains(string(now.Body), "Diver") {
		t.Errorf("the edited contact is %+v", now)
	}
	c.do("DELETE", "/me/contacts/"+str(made, "id"), nil)
	if _, ok := byID(f.after(1, "a deletion", here))[id]; ok {
		t.Error("the deleted contact is still shown")
	}
	// Folders inside are told by nothing; the list of the folders brings them.
	own := f.find(here).Info.ServiceID
	folder := c.do("POST", "/me/contactFolders/"+own+"/childFolders", map[string]any{"displayName": "Friends"})
	f.refresh("alice@contoso.com/contacts")
	if got := f.find(here + "/Friends"); got.Info.ServiceID != str(folder, "id") {
		t.Errorf("the folder inside is %+v", got)
	}
	f.sameAsFresh("alice@contoso.com/contacts")
}

// sameAsFresh compares what is shown below a path with what another service lists that begins with nothing. What has to be
// listed anew is.
func (f *followed) sameAsFresh(path string) {
	f.t.Helper()
	f.sameWhereFresh(path, func(backends.DirKey) bool { return false })
}

// sameWhereFresh does what sameAsFresh does, having listed anew what old tells to have no more than its age.
func (f *followed) sameWhereFresh(path string, old func(backends.DirKey) bool) {
	f.t.Helper()
	fresh := f.cloud.mount(sign{formats: f.formats, throttled: true})
	fresh.limits = f.limits
	fresh.limits.walkPause = 0
	want, got := map[string]string{}, map[string]string{}
	fresh.describe(path, want, fresh.list)
	f.describe(path, got, func(path string) map[string]backends.Entry {
		dir := f.find(path).Dir
		if f.isExpired(dir) || old(dir) {
			f.mu.Lock()
			delete(f.expired, dir)
			f.mu.Unlock()
			return f.refresh(path)
		}
		return f.list(path)
	})
	differences := 0
	for name := range want {
		if got[name] != want[name] && differences < 10 {
			differences++
			f.t.Errorf("%s is %q, want %q", name, got[name], want[name])
		}
	}
	for name := range got {
		if want[name] == "" && differences < 10 {
			differences++
			f.t.Errorf("%s is shown and should not be", name)
		}
	}
}

// describe walks through all below a path and notes what tells states of files apart.
func (m *mount) describe(path string, into map[string]string, list func(string) map[string]backends.Entry) {
	m.t.Helper()
	for name, e := range list(path) {
		at := path + "/" + name
		into[at] = fmt.Sprint(e.ID, e.Version, e.Dir, string(e.Body), e.Mtime, e.Ctime)
		if e.IsDir && e.Name.Ext != ".attachments" {
			m.describe(at, into, list)
		}
	}
}
