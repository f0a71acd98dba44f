package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim"
)

// pages is how many pages n things take, at least one.
func pages(n, size int) int { return max(1, (n+size-1)/size) }

// TestCalendarBudget lists calendars and contacts.
func TestCalendarBudget(t *testing.T) {
	needTool(t, "find", "grep")
	e := newEnv(t, sim.Options{})
	e.features("mail", "calendar", "contacts")
	m := e.mount(append([]string{"-c", "contoso"}, lasting...)...)
	e.must("ls", filepath.Join(alice, "mail")) // what is common to the mailbox
	e.resetRequests()

	calendar := filepath.Join(alice, "calendar")
	files := lines(e.must("find", calendar, "-name", "*.ics"))
	total, by := e.requests()
	e.resetRequests()
	calendars, err := os.ReadDir(m.path(calendar))
	if err != nil {
		t.Fatal(err)
	}
	attached := by["GET /v1.0/me/events/{event}/attachments"] // directories that find has entered
	series := len(lines(e.must("grep", "-rl", "^RRULE", "--include=*.ics", calendar)))
	most := 0
	for _, c := range calendars {
		n := 0
		for _, f := range files {
			if strings.HasPrefix(f, filepath.Join(calendar, c.Name())+"/") {
				n++
			}
		}
		most += pages(n, 50) + 2
	}
	t.Logf("calendars: %d events, %d series in %d calendars: %d requests (at most %d)", len(files), series, len(calendars), total, most+series+attached)
	if len(files) < 50 || series < 3 || total > most+series+attached {
		t.Errorf("calendars: %d requests, at most %d allowed:\n%s", total, most+series+attached, routes(by))
	}
	e.budget("reading all events", 0)

	contacts := filepath.Join(alice, "contacts")
	cards := lines(e.must("find", contacts, "-name", "*.vcf"))
	folders := lines(e.must("find", contacts, "-mindepth", "1", "-type", "d"))
	if len(cards) < 10 {
		t.Errorf("%d contacts", len(cards))
	}
	e.budget("contacts", pages(len(cards), 50)+3*len(folders))
	e.must("grep", "-rc", "FN", contacts)
	e.budget("reading all contacts", 0)
}

// TestTeamsBudget lists chats, a month of a chat, and a channel.
func TestTeamsBudget(t *testing.T) {
	needTool(t, "find", "grep")
	t.Parallel() // Teams makes it wait
	e := newEnv(t, sim.Options{})
	m := e.mount(append([]string{"-c", "contoso"}, lasting...)...)
	e.must("ls", "contoso/teams")
	e.resetRequests()

	chats := "contoso/teams/chats"
	names := lines(e.must("ls", chats))
	total, by := e.requests()
	e.resetRequests()
	large := by["GET /v1.0/chats/{chat}/members"]
	t.Logf("list of %d chats, %d large: %d requests", len(names), large, total)
	if most := pages(len(names), 50) + large; len(names) < 5 || large > 1 || total > most {
		t.Errorf("list of %d chats: %d requests, at most %d allowed:\n%s", len(names), total, most, routes(by))
	}

	chat := filepath.Join(chats, names[0])
	months := lines(e.must("ls", chat))
	e.must("ls", filepath.Join(chat, months[0]))
	all := lines(e.must("find", chat, "-name", "*.md"))
	e.budget("a chat with all its months", pages(len(all), 50)+1)

	general := "contoso/teams/channels/Engineering/General"
	e.must("ls", filepath.Dir(general)) // teams and channels on the way
	e.resetRequests()
	posts := lines(e.must("find", general, "-path", general+"/files", "-prune", "-o", "-name", "*.md", "-print"))
	total, by = e.requests()
	paged := 0
	for route, n := range by {
		if strings.Contains(route, "/messages") {
			paged += n
		}
	}
	t.Logf("a channel with %d messages: %d requests, %d of them pages", len(posts), total, paged)
	if len(posts) < 100 || paged == 0 || total > paged+2 {
		t.Errorf("a channel of %d messages:\n%s", len(posts), routes(by))
	}
	e.resetRequests()
	e.must("grep", "-rc", "--exclude-dir=files", "--exclude-dir=*.attachments", "e", general)
	e.must("grep", "-rc", "--exclude-dir=*.attachments", "e", chat)
	e.budget("reading the channel and the chat", 0)
	m.umount()
}

// TestOrganisationBudget lists the mailboxes of an application's sign-in.
func TestOrganisationBudget(t *testing.T) {
	e := newEnv(t, sim.Options{})
	e.config = filepath.Join(e.etc, "config-admin.toml")
	e.mount(append([]string{"-c", "contoso"}, lasting...)...)
	e.resetRequests()
	mailboxes := lines(e.must("ls", "contoso/outlook"))
	if len(mailboxes) < 10 {
		t.Errorf("%d mailboxes", len(mailboxes))
	}
	e.budget("ls outlook", pages(len(mailboxes), 999))
	e.must("ls", "contoso/outlook")
	e.budget("ls outlook again", 0)
}
