package outlook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

func TestTopOfTheTree(t *testing.T) {
	c := newCloud(t, -1)
	m := c.mount(sign{shared: []string{"Bob@contoso.com", "bob@CONTOSO.com"}})
	m.exactly(0, "ls of the root", func() {
		if got := m.names(""); !slices.Equal(got, []string{"Bob@contoso.com", "alice@contoso.com"}) {
			t.Errorf("mailboxes are %q", got)
		}
	})
	if got := m.names("alice@contoso.com"); !slices.Equal(got, []string{"calendar", "contacts", "mail"}) {
		t.Errorf("a mailbox holds %q", got)
	}
	top := m.names("alice@contoso.com/mail")
	for _, want := range []string{"Inbox", "Archive", "Drafts", "Junk Email"} {
		if !slices.Contains(top, want) {
			t.Errorf("%q is not among %q", want, top)
		}
	}
}

func TestLargeFolderBudgets(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 6000, parsed(t, "2024-01"), parsed(t, "2026-11"))
	m := c.mount(sign{formats: []string{"md", "json"}})
	m.atMost(3, "ls of the months", func() {
		if got := m.months(inbox); len(got) != 35 || got[0] != "2024-01" || got[34] != "2026-11" {
			t.Errorf("months are %q", got)
		}
	})
	m.atMost(1, "one month", func() {
		if got := m.list(inbox + "/2025-03"); len(got) != 2*171 && len(got) != 2*172 {
			t.Errorf("month holds %d files", len(got))
		}
	})
	m.exactly(0, "the same again", func() { m.list(inbox + "/2025-03") })
	past := m.find(inbox + "/2025-03")
	if want := time.Date(2025, 3, 31, 23, 59, 59, 0, time.UTC); !past.Mtime.Equal(want) || !past.Ctime.Equal(want) {
		t.Errorf("a past month has the times %s and %s, want %s", past.Mtime, past.Ctime, want)
	}
	if e := m.find(inbox + "/2026-11"); !e.Mtime.IsZero() {
		t.Errorf("the present month has the time %s", e.Mtime)
	}
}

func TestBulkWalk(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 2600, parsed(t, "2024-01"), parsed(t, "2026-11"))
	m := c.mount(sign{formats: []string{"md", "json"}})
	var all map[string]backends.Entry
	const pages = 8 // 2,600 messages, some pages shorter than 500
	n, routes := m.counted(func() { all = m.walk(inbox) })
	if n > pages+5 || routes["GET /v1.0/me/mailFolders/{folder}/messages"] > 3 {
		t.Errorf("bulk walk took %d requests: %v", n, routes)
	}
	if len(all) != 2*2600 {
		t.Errorf("walk saw %d files, want %d", len(all), 2*2600)
	}
	sameAsStore(t, m, c.alice().Folder("inbox"), all)

	m.exactly(1, "a complete folder's stale month", func() { m.refresh(inbox + "/2024-05") })
	m.atMost(2, "a complete folder's stale listing", func() { m.refresh(inbox) })

	// Another process sees the same files, by list and by delta.
	listed := c.mount(sign{formats: []string{"md", "json"}})
	for name, e := range listed.list(inbox + "/2025-07") {
		same, ok := all["2025-07/"+name]
		if !ok {
			t.Fatalf("%s is not in the walk", name)
		}
		if e.ID != same.ID || e.Version != same.Version || !e.Ctime.Equal(same.Ctime) || !e.Mtime.Equal(same.Mtime) || string(e.Body) != string(same.Body) {
			t.Fatalf("%s differs between list and delta:\n%s\n%s", name, e.Body, same.Body)
		}
	}
	warm := c.remount(sign{formats: []string{"md", "json"}}, m.sink)
	warm.exactly(1, "the first stale look after a remount", func() { warm.refresh(inbox + "/2025-07") })
}

// sameAsStore compares what is shown with what the simulator has: each message once, in its month.
func sameAsStore(t *testing.T, m *mount, f *mailbox.Folder, all map[string]backends.Entry) {
	t.Helper()
	c := m.cloud.alice()
	c.RLock()
	defer c.RUnlock()
	want := map[string]string{}
	for _, msg := range f.Messages() {
		want[c.ID(msg.Ref(true))] = monthOf(msg.Received).String()
	}
	got := map[string]string{}
	for path, e := range all {
		if e.IsDir || e.Name.Ext != ".md" {
			continue
		}
		id := e.Info.ServiceID
		if _, double := got[id]; double {
			t.Errorf("%s is shown twice", id)
		}
		got[id], _, _ = strings.Cut(path, "/")
	}
	for id, month := range want {
		if got[id] != month {
			t.Errorf("message %s is in %q, want %q", id, got[id], month)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d messages are shown, want %d", len(got), len(want))
	}
}

func TestSmallFolderIsReadAtOnce(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 100, parsed(t, "2026-01"), parsed(t, "2026-11"))
	m := c.mount(sign{})
	m.atMost(2, "months of a small folder", func() { m.months(inbox) })
	m.atMost(1, "its first month", func() { m.list(inbox + "/2026-03") })
	m.exactly(0, "all others", func() { sameAsStore(t, m, c.alice().Folder("inbox"), m.walk(inbox)) })
}

func TestChanges(t *testing.T) {
	for _, n := range []int{40, 1200} { // a complete folder and a windowed one
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := newCloud(t, -1)
			box := c.alice()
			c.fill(box.Folder("inbox"), n, parsed(t, "2026-08"), parsed(t, "2026-11"))
			m := c.mount(sign{formats: []string{"md", "json", "eml"}})
			m.limits.emptyAge = 0
			const here = inbox + "/2026-11"
			before := m.list(here)
			if n > 1000 {
				m.refresh(here) // makes the cursor
			}
			refs := func() (out []mailbox.Ref) {
				box.RLock()
				defer box.RUnlock()
				for _, msg := range box.Folder("inbox").Messages() {
					if monthOf(msg.Received) == parsed(t, "2026-11") {
						out = append(out, msg.Ref(true))
					}
				}
				return out
			}()
			read, moved, deleted := box.ID(refs[0]), box.ID(refs[1]), box.ID(refs[2])
			if _, err := box.UpdateMessage(refs[0], func(msg *mailbox.Message) error {
				msg.IsRead, msg.Categories = true, []string{"Red"}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if _, err := box.MoveMessage(refs[1], box.Folder("archive")); err != nil {
				t.Fatal(err)
			}
			if err := box.DeleteMessage(refs[2], true); err != nil {
				t.Fatal(err)
			}
			added := c.add(box.Folder("inbox"), message(today.Add(-time.Hour), say("New one", "<p>fresh</p>")))

			var after map[string]backends.Entry
			m.exactly(1, "stale look", func() { after = m.refresh(here) })
			byID := func(entries map[string]backends.Entry) map[string]backends.Entry {
				out := map[string]backends.Entry{}
				for _, e := range entries {
					out[e.Info.ServiceID+e.Name.Ext] = e
				}
				return out
			}
			old, now := byID(before), byID(after)
			for _, ext := range []string{".md", ".json", ".eml"} {
				if _, ok := now[moved+ext]; ok {
					t.Errorf("the moved message still has its %s", ext)
				}
				if _, ok := now[deleted+ext]; ok {
					t.Errorf("the deleted message still has its %s", ext)
				}
				if _, ok := now[box.ID(added.Ref(true))+ext]; !ok {
					t.Errorf("the new message has no %s", ext)
				}
				a, b := old[read+ext], now[read+ext]
				if a.ID != b.ID {
					t.Errorf("reading made another %s", ext)
				}
				if same := a.Version == b.Version && a.Ctime.Equal(b.Ctime); same == (ext == ".json") {
					t.Errorf("after reading, the %s is unchanged: %v", ext, same)
				}
			}
			if len(after) != len(before)-3 {
				t.Errorf("month holds %d files, want %d", len(after), len(before)-3)
			}
			target := m.list("alice@contoso.com/mail/Archive/2026-11")
			if e := byID(target)[moved+".md"]; e.ID != old[moved+".md"].ID {
				t.Errorf("the moved message is %q in its new folder, was %q", e.ID, old[moved+".md"].ID)
			}
			m.exactly(1, "stale look without a change", func() {
				if again := m.refresh(here); len(again) != len(after) {
					t.Errorf("month went from %d to %d files", len(after), len(again))
				}
			})
		})
	}
}

func TestNewMonth(t *testing.T) {
	for _, n := range []int{40, 1200} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := newCloud(t, -1)
			box := c.alice()
			c.fill(box.Folder("inbox"), n, parsed(t, "2026-01"), parsed(t, "2026-06"))
			m := c.mount(sign{})
			m.list(inbox + "/2026-06")
			m.refresh(inbox + "/2026-06")
			c.add(box.Folder("inbox"), message(today, say("Later", "x")))
			m.refresh(inbox)
			want := []string{"2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11"}
			if got := m.months(inbox); !slices.Equal(got, want) {
				t.Errorf("months are %q", got)
			}
			m.exactly(0, "the new months", func() {
				if got := m.names(inbox + "/2026-11"); len(got) != 1 || !strings.Contains(got[0], "_Bob-Jones_Later~") {
					t.Errorf("new month holds %q", got)
				}
				if got := m.names(inbox + "/2026-09"); len(got) != 0 {
					t.Errorf("empty month holds %q", got)
				}
			})
			// And away again.
			box.RLock()
			last := box.Folder("inbox").Messages()[n].Ref(true)
			box.RUnlock()
			if err := box.DeleteMessage(last, true); err != nil {
				t.Fatal(err)
			}
			m.refresh(inbox)
			if got := m.months(inbox); n == 40 && !slices.Equal(got, want[:6]) {
				t.Errorf("months are %q after the last one became empty", got)
			}
		})
	}
}

func TestLostCursor(t *testing.T) {
	for _, how := range []string{"410", "syncStateNotFound", "syncStateInvalid"} {
		for _, n := range []int{40, 1200} {
			t.Run(fmt.Sprintf("%s/%d", how, n), func(t *testing.T) {
				c := newCloud(t, -1)
				box := c.alice()
				c.fill(box.Folder("inbox"), n, parsed(t, "2026-08"), parsed(t, "2026-11"))
				m := c.mount(sign{})
				const here = inbox + "/2026-11"
				before := m.list(here)
				m.refresh(here)
				if err := c.world.Switches.Set("outlook.delta_expired", how); err != nil {
					t.Fatal(err)
				}
				if err := c.world.Switches.Set("outlook.delta_generation", 1); err != nil {
					t.Fatal(err)
				}
				box.RLock()
				gone := box.Folder("inbox").Messages()[n-1].Ref(true)
				box.RUnlock()
				if err := box.DeleteMessage(gone, true); err != nil {
					t.Fatal(err)
				}
				after := m.refresh(here)
				if len(after) != len(before)-1 {
					t.Errorf("month holds %d files, want %d", len(after), len(before)-1)
				}
				for name, e := range after {
					if before[name].ID != e.ID || before[name].Version != e.Version {
						t.Errorf("%s is another file after the resync", name)
					}
				}
				m.exactly(1, "the look after", func() { m.refresh(here) })
			})
		}
	}
}

func TestBusyWindowIsListed(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 900, parsed(t, "2026-11"), parsed(t, "2026-11"))
	if err := c.world.Switches.Set("outlook.delta_filter_limit", 300); err != nil {
		t.Fatal(err)
	}
	m := c.mount(sign{})
	m.limits.window = 300
	if got := len(m.list(inbox + "/2026-11")); got != 900 {
		t.Fatalf("month holds %d files", got)
	}
	for range 2 {
		if got := len(m.refresh(inbox + "/2026-11")); got != 900 {
			t.Fatalf("month holds %d files after a filtered delta that stops at 300", got)
		}
	}
}

func TestUndatedAndGaps(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	f := box.Folder("inbox")
	year := func(y int) time.Time { return time.Date(y, 3, 5, 7, 8, 9, 0, time.UTC) }
	odd := []*mailbox.Message{
		message(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), say("Unset", "x")),
		message(year(1601), say("Windows epoch", "x")),
		message(year(4501), say("Never", "x")),
		message(year(1999), say("Old", "x")),
	}
	for _, n := range []int{3, 1500} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c.alice().Fill(f, odd)
			odd = nil
			c.fill(f, n, parsed(t, "2026-10"), parsed(t, "2026-11"))
			m := c.mount(sign{})
			if got, want := m.months(inbox), []string{"1999-03", "2026-10", "2026-11", "undated"}; !slices.Equal(got, want) {
				t.Errorf("months are %q, want %q", got, want)
			}
			undated := m.names(inbox + "/undated")
			if len(undated) != 3 || !strings.HasPrefix(undated[0], "undated_Bob-Jones_") {
				t.Errorf("undated holds %q", undated)
			}
			sameAsStore(t, m, f, m.walk(inbox))
		})
	}
}

func TestGapBetweenManyMessages(t *testing.T) {
	c := newCloud(t, -1)
	f := c.alice().Folder("inbox")
	c.fill(f, 400, parsed(t, "2006-01"), parsed(t, "2006-12"))
	c.fill(f, 20, parsed(t, "2012-01"), parsed(t, "2012-02"))
	c.fill(f, 400, parsed(t, "2026-01"), parsed(t, "2026-11"))
	m := c.mount(sign{})
	got := m.months(inbox)
	if len(got) != 12+2+11 || !slices.Contains(got, "2012-02") || slices.Contains(got, "2010-01") {
		t.Errorf("%d months: %q", len(got), got)
	}
}

func TestNestedFolders(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	deep := box.SeedFolder(box.SeedFolder(box.SeedFolder(box.Root, "A/B"), "C"), "2026-11")
	box.SeedFolder(deep, "E")
	c.fill(deep, 3, parsed(t, "2026-11"), parsed(t, "2026-11"))
	hidden := box.SeedFolder(box.Root, "Hidden")
	hidden.Hidden = true
	found := box.SeedFolder(box.Root, "Searching")
	found.Search = &mailbox.Search{Sources: []*mailbox.Folder{deep}}
	m := c.mount(sign{})
	var path string
	m.atMost(4, "folders four levels down", func() {
		path = "alice@contoso.com/mail/" + only(t, m, "alice@contoso.com/mail", "A／") + "/C/"
		path += only(t, m, strings.TrimSuffix(path, "/"), "2026")
	})
	if !strings.Contains(path, "2026-11~") {
		t.Errorf("a folder named like a month is at %q", path)
	}
	if got := m.names(path); !slices.Equal(got, []string{"2026-11", "E"}) {
		t.Errorf("it holds %q", got)
	}
	if got := m.names(path + "/2026-11"); len(got) != 3 {
		t.Errorf("its month holds %q", got)
	}
	top := m.names("alice@contoso.com/mail")
	if !slices.Contains(top, "Hidden") || slices.Contains(top, "Searching") {
		t.Errorf("top folders are %q", top)
	}
	if !slices.ContainsFunc(m.Coverage(), func(g backends.Gap) bool { return strings.HasSuffix(g.Path, "/mail/Searching") }) {
		t.Errorf("the search folder is not in %v", m.Coverage())
	}
}

// only gives the one name in a directory that begins so.
func only(t *testing.T, m *mount, path, prefix string) string {
	t.Helper()
	var found []string
	for _, name := range m.names(path) {
		if strings.HasPrefix(name, prefix) {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d names begin with %q in %s: %q", len(found), prefix, path, found)
	}
	return found[0]
}

func TestFoldersComeAndGo(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	f := box.SeedFolder(box.Folder("inbox"), "Project")
	c.fill(f, 3, parsed(t, "2026-11"), parsed(t, "2026-11"))
	m := c.mount(sign{})
	old := m.find(inbox + "/Project")
	m.list(inbox + "/Project/2026-11")
	if err := box.RenameFolder(f, "Projekt"); err != nil {
		t.Fatal(err)
	}
	m.refresh("alice@contoso.com/mail")
	m.refresh(inbox)
	if e := m.find(inbox + "/Projekt"); e.ID != old.ID || e.Dir != old.Dir {
		t.Error("a renamed folder is another directory")
	}
	if _, err := m.tryFind(inbox + "/Project"); err == nil {
		t.Error("the old name is still there")
	}
	if err := box.MoveFolder(f, box.Folder("archive")); err != nil {
		t.Fatal(err)
	}
	m.refresh("alice@contoso.com/mail")
	m.refresh(inbox)
	if e := m.find("alice@contoso.com/mail/Archive/Projekt"); e.ID != old.ID {
		t.Error("a moved folder is another directory")
	}
	if _, err := m.tryFind(inbox + "/Projekt"); err == nil {
		t.Error("the folder is still in its old place")
	}
	for range 2 { // to Deleted Items, and away
		if err := box.DeleteFolder(f, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.List(m.ctx(), old.Dir, m.sink); !errors.Is(err, backends.ErrNotFound) {
		t.Errorf("a deleted folder's listing fails with %v", err)
	}
}

// TestMonthThatCameDuringAListing lets a look at the cursor find a new month while the folder's months are asked for: the
// older answer takes nothing away, and what comes later is added to what the month has.
func TestMonthThatCameDuringAListing(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	inboxes := box.Folder("inbox")
	c.fill(inboxes, 1200, parsed(t, "2026-01"), parsed(t, "2026-10"))
	var m *mount
	x := &meddler{words: []string{"desc"}, nth: 2, fn: func() {
		c.add(inboxes, message(today, say("First", "x")))
		if err := m.sync(context.Background(), m.folder(m.account.UserID, box.ID(inboxes.Ref())), m.sink); err != nil {
			t.Error(err)
		}
	}}
	m = c.mount(sign{transport: x})
	m.list(inbox + "/2026-10")
	m.refresh(inbox + "/2026-10") // makes the cursor
	m.limits.rangeAge = 0
	m.refresh(inbox)
	c.add(inboxes, message(today.Add(time.Hour), say("Second", "x")))
	m.refresh(inbox)
	if got := m.names(inbox + "/2026-11"); len(got) != 2 {
		t.Errorf("the new month holds %q", got)
	}
}
