package outlook

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

const aliceCalendar = "alice@contoso.com/calendar/Calendar"

// eventFiles gives all files of a calendar by path.
func (m *mount) eventFiles(path string) map[string]backends.Entry {
	m.t.Helper()
	all := map[string]backends.Entry{}
	for month := range m.list(path) {
		for name, e := range m.list(path + "/" + month) {
			all[month+"/"+name] = e
		}
	}
	return all
}

func TestCalendars(t *testing.T) {
	c := newCloud(t, 0)
	box := c.alice()
	m := c.mount(sign{formats: []string{"md", "json"}})
	names := m.names("alice@contoso.com/calendar")
	if len(names) != len(box.Calendars) {
		t.Fatalf("calendars are %q, want %d", names, len(box.Calendars))
	}
	for _, cal := range box.Calendars {
		path := ""
		for name, e := range m.list("alice@contoso.com/calendar") {
			if e.Info.ServiceID == box.ID(cal.Ref()) {
				path = "alice@contoso.com/calendar/" + name
			}
		}
		if path == "" {
			t.Fatalf("calendar %q is not shown", cal.Name)
		}
		series := 0
		want := map[string]bool{}
		for _, it := range cal.Events {
			want[box.ID(it.Ref(true))] = true
			if it.Props["recurrence"] != nil {
				series++
			}
		}
		var files map[string]backends.Entry
		m.atMost((len(cal.Events)+499)/500+series+1, "calendar "+cal.Name, func() { files = m.eventFiles(path) })
		got := map[string]bool{}
		for name, e := range files {
			switch e.Name.Ext {
			case ".attachments":
				if n := len(m.list(path + "/" + name)); n == 0 {
					t.Errorf("%s is empty", name)
				}
			case ".ics":
				if got[e.Info.ServiceID] {
					t.Errorf("%s is shown twice", name)
				}
				got[e.Info.ServiceID] = true
				body := string(e.Body)
				if !strings.HasPrefix(body, "BEGIN:VCALENDAR\r\n") || !strings.HasSuffix(body, "END:VCALENDAR\r\n") || strings.Contains(body, "\nATTENDEE:mailto:evil") {
					t.Errorf("%s reads %q", name, body)
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("calendar %s shows %d events, want %d", cal.Name, len(got), len(want))
		}
		m.exactly(1, "stale calendar without a change", func() { m.refresh(path) })
	}
}

func TestSeriesIsOneFile(t *testing.T) {
	c := newCloud(t, 0)
	box := c.alice()
	m := c.mount(sign{formats: []string{"json"}})
	for _, it := range box.Calendars[0].Events {
		if it.Props["recurrence"] == nil || len(it.Exceptions) == 0 {
			continue
		}
		id, body, resource := box.ID(it.Ref(true)), "", ""
		for name, e := range m.eventFiles(aliceCalendar) {
			if e.Info.ServiceID == id && e.Name.Ext == ".ics" {
				body = string(e.Body)
				if month, _, _ := strings.Cut(name, "/"); month != monthOf(it.Start).String() {
					t.Errorf("series that starts %s is in %s", it.Start, month)
				}
			}
			if e.Info.ServiceID == id && e.Name.Ext == ".json" {
				resource = string(e.Body)
			}
		}
		if n := strings.Count(body, "BEGIN:VEVENT"); n != 1+len(it.Exceptions) {
			t.Errorf("series with %d exceptions has %d VEVENTs:\n%s", len(it.Exceptions), n, body)
		}
		if len(it.Cancelled) > 0 && !strings.Contains(body, "EXDATE") {
			t.Errorf("series with cancelled dates has no EXDATE:\n%s", body)
		}
		if !strings.Contains(resource, `"exceptionOccurrences"`) {
			t.Errorf("resource has no exceptions:\n%s", resource)
		}
		return
	}
	t.Fatal("no series with exceptions in the seed")
}

func TestCalendarChanges(t *testing.T) {
	c := newCloud(t, 0)
	box := c.alice()
	cal := box.Calendars[0]
	m := c.mount(sign{})
	before := m.eventFiles(aliceCalendar)
	find := func(files map[string]backends.Entry, id string) (string, backends.Entry) {
		for name, e := range files {
			if e.Info.ServiceID == id && e.Name.Ext == ".ics" {
				return name, e
			}
		}
		return "", backends.Entry{}
	}
	var single, series *mailbox.Item
	for _, it := range cal.Events {
		if it.Props["recurrence"] == nil {
			single = it
		} else if len(it.Exceptions) > 0 {
			series = it
		}
	}
	c.world.Clock.Advance(time.Minute)
	if _, err := box.UpdateItem(single.Ref(true), func(it *mailbox.Item) error {
		it.Props["subject"] = "Moved to next year"
		it.Start, it.End = it.Start.AddDate(1, 0, 0), it.End.AddDate(1, 0, 0)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	singleID := box.ID(single.Ref(true))
	m.refresh(aliceCalendar)
	after := m.eventFiles(aliceCalendar)
	oldName, oldEvent := find(before, singleID)
	newName, newEvent := find(after, singleID)
	if oldName == newName || !strings.Contains(newName, "Moved-to-next-year") || oldEvent.ID != newEvent.ID || oldEvent.Version == newEvent.Version {
		t.Errorf("a moved event went from %s to %s", oldName, newName)
	}
	if len(after) != len(before) {
		t.Errorf("%d files, were %d", len(after), len(before))
	}

	c.world.Clock.Advance(time.Minute)
	if _, err := box.UpdateItem(series.Ref(true), func(it *mailbox.Item) error {
		for _, ex := range it.Exceptions {
			ex.Props = map[string]any{"subject": "Another exception", "type": "exception"}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	m.exactly(3, "change of one series", func() { m.refresh(aliceCalendar) })
	if _, e := find(m.eventFiles(aliceCalendar), box.ID(series.Ref(true))); !strings.Contains(string(e.Body), "Another exception") {
		t.Errorf("series reads:\n%s", e.Body)
	}

	if err := box.DeleteItem(single.Ref(true)); err != nil {
		t.Fatal(err)
	}
	m.exactly(2, "a deletion", func() { m.refresh(aliceCalendar) })
	if name, _ := find(m.eventFiles(aliceCalendar), singleID); name != "" {
		t.Errorf("a deleted event is still at %s", name)
	}
	warm := c.remount(sign{}, m.sink)
	warm.exactly(1, "after a remount", func() { warm.refresh(aliceCalendar) })
}

func TestContacts(t *testing.T) {
	c := newCloud(t, 0)
	box := c.alice()
	m := c.mount(sign{formats: []string{"json"}})
	const contacts = "alice@contoso.com/contacts"
	total, cards := 0, 0
	box.RLock()
	box.Contacts.Walk(func(f *mailbox.ContactFolder) { total += len(f.Contacts) })
	box.RUnlock()
	var visit func(path string)
	visit = func(path string) {
		for name, e := range m.list(path) {
			switch {
			case e.IsDir:
				visit(path + "/" + name)
			case e.Name.Ext == ".vcf":
				cards++
				if body := string(e.Body); !strings.HasPrefix(body, "BEGIN:VCARD\r\nVERSION:4.0\r\n") {
					t.Errorf("%s reads %q", name, body)
				}
			}
		}
	}
	visit(contacts)
	if total == 0 || cards != total {
		t.Errorf("%d cards, want %d", cards, total)
	}
	book := contacts + "/Contacts"
	before := m.list(book)
	it := box.Contacts.Contacts[0]
	if _, err := box.UpdateItem(it.Ref(true), func(it *mailbox.Item) error {
		it.Props["displayName"] = "Zora Quill"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := box.DeleteItem(box.Contacts.Contacts[1].Ref(true)); err != nil {
		t.Fatal(err)
	}
	box.AddContactFolder(box.Contacts, "Plumbers", false)
	m.refresh(contacts)
	var after map[string]backends.Entry
	m.atMost(2, "stale contacts", func() { after = m.refresh(book) })
	if len(after) != len(before)-2+1 {
		t.Errorf("%d entries, were %d", len(after), len(before))
	}
	if !slices.ContainsFunc(m.names(book), func(n string) bool { return strings.HasPrefix(n, "Zora-Quill~") && strings.HasSuffix(n, ".vcf") }) {
		t.Errorf("the renamed contact is not among %q", m.names(book))
	}
	if got := m.names(book + "/Plumbers"); len(got) != 0 {
		t.Errorf("the new folder holds %q", got)
	}
	if err := c.world.Switches.Set("outlook.delta_generation", 1); err != nil {
		t.Fatal(err)
	}
	again := m.refresh(book)
	if len(again) != len(after) {
		t.Errorf("%d entries after a resync, want %d", len(again), len(after))
	}
	for name, e := range again {
		if after[name].ID != e.ID || after[name].Version != e.Version {
			t.Errorf("%s is another file after a resync", name)
		}
	}
}
