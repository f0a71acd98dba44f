package outlook

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/graph/subscription"
	"github.com/workfs/workfs/backends/sim/outlook/mailbox"
)

// messagesOf gives the messages of a folder that were received in a month.
func (c *cloud) messagesOf(f *mailbox.Folder, m month) (out []mailbox.Ref) {
	box := c.alice()
	box.RLock()
	defer box.RUnlock()
	for _, msg := range f.Messages() {
		if monthOf(msg.Received) == m {
			out = append(out, msg.Ref(true))
		}
	}
	return out
}

func (c *cloud) edit(r mailbox.Ref) {
	c.t.Helper()
	if _, err := c.alice().UpdateMessage(r, func(msg *mailbox.Message) error {
		content := *msg.Content()
		content.Subject += "!"
		msg.Content = func() *mailbox.Content { return &content }
		return nil
	}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) move(r mailbox.Ref, to string) {
	c.t.Helper()
	if _, err := c.alice().MoveMessage(r, c.alice().Folder(to)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) erase(r mailbox.Ref) {
	c.t.Helper()
	if err := c.alice().DeleteMessage(r, true); err != nil {
		c.t.Fatal(err)
	}
}

const archive = "alice@contoso.com/mail/Archive"

func TestANotificationCostsOneRequest(t *testing.T) {
	for name, n := range map[string]int{"complete": 40, "windowed": 1200} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, -1)
			box := c.alice()
			c.fill(box.Folder("inbox"), n, parsed(t, "2026-08"), parsed(t, "2026-11"))
			c.fill(box.Folder("archive"), n, parsed(t, "2026-08"), parsed(t, "2026-11"))
			f := c.mount(sign{formats: []string{"md", "json", "eml"}}).follow()
			const here, there = inbox + "/2026-11", archive + "/2026-11"
			before := byID(f.look(here))
			f.look(there)
			refs := c.messagesOf(box.Folder("inbox"), parsed(t, "2026-11"))

			added := c.add(box.Folder("inbox"), message(today, say("New one", "x")))
			got := byID(f.after(1, "a new message", here))
			if e, ok := got[box.ID(added.Ref(true))+".md"]; !ok || !strings.Contains(e.Name.Stem, "New-one") {
				t.Errorf("the new message is shown as %+v", e)
			}
			c.edit(refs[0])
			got = byID(f.after(1, "an edit", here))
			id := box.ID(refs[0])
			if a, b := before[id+".md"], got[id+".md"]; a.ID != b.ID || a.Version == b.Version || string(a.Body) == string(b.Body) {
				t.Errorf("the edited message was %+v and is %+v", a, b)
			}
			c.erase(refs[1])
			got = byID(f.after(1, "a deletion", here))
			if _, ok := got[box.ID(refs[1])+".md"]; ok {
				t.Error("the deleted message is still shown")
			}
			c.move(refs[2], "archive")
			all := f.take()
			if len(all) != 2 {
				t.Fatalf("a move concerns %d folders", len(all))
			}
			f.exactly(2, "a move", func() {
				for collection, n := range all {
					if open := f.tell(collection, n...); len(open) > 0 {
						t.Errorf("not accounted for: %+v", open)
					}
				}
			})
			id = box.ID(refs[2])
			if _, ok := byID(f.list(here))[id+".md"]; ok {
				t.Error("the moved message is still in its old folder")
			}
			if e := byID(f.list(there))[id+".md"]; e.ID != before[id+".md"].ID || e.Version != before[id+".md"].Version {
				t.Errorf("the moved message is %+v, was %+v", e, before[id+".md"])
			}
			f.exactly(0, "the same notifications again", func() {
				for collection, n := range all {
					f.tell(collection, n...)
				}
			})
		})
	}
}

// TestOldMessages changes messages that a window does not cover.
func TestOldMessages(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	c.fill(box.Folder("inbox"), 2000, parsed(t, "2025-01"), parsed(t, "2026-11"))
	c.fill(box.Folder("archive"), 2000, parsed(t, "2025-03"), parsed(t, "2026-11"))
	f := c.mount(sign{}).follow()
	const here, there = inbox + "/2025-03", archive + "/2025-03"
	for _, path := range []string{inbox, archive} {
		f.look(path + "/2026-11")
	}
	before := byID(f.look(here))
	f.look(there)
	if st := f.snapshot(f.folder(split(string(f.find(inbox).Dir))[1], split(string(f.find(inbox).Dir))[2]), f.sink); st.Extent != "2026-11" || st.Link == "" {
		t.Fatalf("the first look left the folder with %+v", st)
	}
	refs := c.messagesOf(box.Folder("inbox"), parsed(t, "2025-03"))
	c.edit(refs[0])
	id := box.ID(refs[0])
	if got := byID(f.after(1, "an edit", here)); got[id+".md"].Version == before[id+".md"].Version {
		t.Error("the edit does not show")
	}
	c.erase(refs[1])
	if _, ok := byID(f.after(1, "a deletion", here))[box.ID(refs[1])+".md"]; ok {
		t.Error("the deletion does not show")
	}
	for _, first := range []string{"source", "target"} {
		r := refs[2]
		refs = refs[1:]
		id := box.ID(r)
		was := byID(f.list(here))[id+".md"]
		c.move(r, "archive")
		all := f.take()
		source, target := f.collection(f.find(inbox).Dir), f.collection(f.find(archive).Dir)
		order, want := []string{source, target}, 3 // the target does not know any more from where it came
		if first == "target" {
			order, want = []string{target, source}, 2
		}
		f.exactly(want, "a move", func() {
			for _, collection := range order {
				if open := f.tell(collection, all[collection]...); len(open) > 0 {
					t.Errorf("not accounted for: %+v", open)
				}
			}
		})
		if e := byID(f.list(there))[id+".md"]; e.ID != was.ID || e.Version != was.Version {
			t.Errorf("moved, %s first: %+v, was %+v", first, e, was)
		}
		if _, ok := byID(f.list(here))[id+".md"]; ok {
			t.Errorf("moved, %s first: it is still in its old folder", first)
		}
	}
	// A month of its own, older than all.
	old := c.add(box.Folder("inbox"), message(parsed(t, "2024-10").start(), say("Ancient", "x")))
	f.exactly(2, "a message older than all", f.deliver)
	if got := f.months(inbox); got[0] != "2024-10" {
		t.Errorf("the first month is %s", got[0])
	}
	if len(f.list(inbox+"/2024-10")) != 1 {
		t.Error("the new month does not hold the message")
	}
	c.erase(old.Ref(true))
	f.exactly(1, "its deletion", f.deliver)
	if dir := f.find(inbox).Dir; !f.isExpired(dir) {
		t.Error("the folder is not listed anew after its oldest month became empty")
	} else if got := f.refresh(inbox); got["2024-10"].Dir != "" {
		t.Error("the month that became empty is still shown")
	}
	// Very many at once.
	for _, r := range refs[2:22] {
		c.move(r, "archive")
	}
	f.deliverAll()
	for _, path := range []string{here, there} {
		if !f.isExpired(f.find(path).Dir) {
			t.Errorf("%s is not listed anew after many moves", path)
		}
	}
}

func TestANewMonthShowsAtOnce(t *testing.T) {
	for name, n := range map[string]int{"complete": 40, "windowed": 1200} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, -1)
			box := c.alice()
			c.fill(box.Folder("inbox"), n, parsed(t, "2026-05"), parsed(t, "2026-08"))
			f := c.mount(sign{}).follow()
			f.look(inbox + "/2026-08")
			c.add(box.Folder("inbox"), message(today, say("Later", "x")))
			f.exactly(1, "a message in a new month", f.deliver)
			f.exactly(0, "the months", func() {
				if got := f.months(inbox); !slices.Equal(got, []string{"2026-05", "2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11"}) {
					t.Errorf("months are %q", got)
				}
				if got := f.names(inbox + "/2026-11"); len(got) != 1 || !strings.Contains(got[0], "_Later~") {
					t.Errorf("the new month holds %q", got)
				}
			})
		})
	}
}

// TestNotReadableYet tells of messages before they can be read, and of some that are gone again.
func TestNotReadableYet(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	c.fill(box.Folder("inbox"), 40, parsed(t, "2026-10"), parsed(t, "2026-11"))
	f := c.mount(sign{}).follow()
	f.look(inbox + "/2026-11")
	collection := f.collection(f.find(inbox).Dir)
	unknown := subscription.Notification{
		Change: "created", ID: box.ID(mailbox.Ref{Kind: mailbox.KindMessage, Immutable: true, Folder: 1, Key: 1 << 40}), ETag: `W/"x"`,
	}
	malformed := subscription.Notification{Change: "updated", ID: "x"}
	if open := f.tell(collection, unknown, malformed); len(open) != 2 {
		t.Errorf("an id that the service does not take leaves %+v open", open)
	}
	if open := f.tell(collection, unknown); len(open) != 1 || open[0].ID != unknown.ID {
		t.Errorf("a message that can't be read leaves %+v open", open)
	}
	unknown.Change = "deleted"
	f.exactly(0, "deletion of what nobody knew", func() {
		if open := f.tell(collection, unknown); len(open) != 0 {
			t.Errorf("it is left open: %+v", open)
		}
	})
	// Created and deleted again, told in the wrong order.
	added := c.add(box.Folder("inbox"), message(today, say("Short", "x")))
	c.erase(added.Ref(true))
	n := f.take()[collection]
	if len(n) != 2 {
		t.Fatalf("heard %+v", n)
	}
	for _, x := range []subscription.Notification{n[1], n[0], n[0]} {
		if open := f.tell(collection, x); len(open) != 0 {
			t.Errorf("%s is left open", x.Change)
		}
	}
	// Two edits, of which the first is told last.
	r := c.messagesOf(box.Folder("inbox"), parsed(t, "2026-11"))[0]
	c.edit(r)
	c.edit(r)
	n = f.take()[collection]
	for _, x := range []subscription.Notification{n[1], n[0]} {
		if open := f.tell(collection, x); len(open) != 0 {
			t.Errorf("%s is left open", x.ETag)
		}
	}
	if e := byID(f.list(inbox + "/2026-11"))[box.ID(r)+".md"]; e.Info.ETag != n[1].ETag {
		t.Errorf("the message is shown with %s, want %s", e.Info.ETag, n[1].ETag)
	}
}

// TestLaggingService tells of changes that the service shows later.
func TestLaggingService(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	c.fill(box.Folder("inbox"), 40, parsed(t, "2026-10"), parsed(t, "2026-11"))
	f := c.mount(sign{}).follow()
	f.limits.early = time.Hour
	f.look(inbox + "/2026-11")
	f.look(aliceCalendar)
	f.look("alice@contoso.com/contacts/Contacts")
	event := c.do("POST", "/me/events", event1("Kickoff", "2026-11-24"))
	person := c.do("POST", "/me/contacts", map[string]any{"givenName": "Dora"})
	r := c.messagesOf(box.Folder("inbox"), parsed(t, "2026-11"))[0]
	c.edit(r)
	f.deliver()
	for what, n := range map[string]subscription.Notification{
		f.collection(f.find(inbox).Dir):                                 {Change: "updated", ID: box.ID(r)},
		f.collection(f.find(aliceCalendar).Dir):                         {Change: "updated", ID: str(event, "id")},
		f.collection(f.find("alice@contoso.com/contacts/Contacts").Dir): {Change: "updated", ID: str(person, "id")},
	} {
		n.At, n.ETag = time.Now(), `W/"later"`
		if open := f.tell(what, n); len(open) != 1 {
			t.Errorf("%s: a change that does not show yet leaves %d open", what, len(open))
		}
		n.Change, n.ETag = "deleted", ""
		if open := f.tell(what, n); len(open) != 1 {
			t.Errorf("%s: a deletion that does not show yet leaves %d open", what, len(open))
		}
		n.At = time.Now().Add(-2 * time.Hour)
		if open := f.tell(what, n); what == f.collection(f.find(inbox).Dir) && len(open) != 0 {
			t.Errorf("%s: an old notification stays open", what)
		}
	}
	// A message that can't be read for a while.
	f.limits.early = 0
	if err := c.world.Switches.Set("outlook.replication_seconds", 60); err != nil {
		t.Fatal(err)
	}
	added := c.add(box.Folder("inbox"), message(today, say("Slow", "x")))
	collection := f.collection(f.find(inbox).Dir)
	n := f.take()[collection]
	open := f.tell(collection, n...)
	if len(open) != 1 {
		t.Fatalf("a message that can't be read yet leaves %+v open", open)
	}
	c.world.Clock.Advance(2 * time.Minute)
	if open = f.tell(collection, open...); len(open) != 0 {
		t.Errorf("it stays open: %+v", open)
	}
	if _, ok := byID(f.list(inbox + "/2026-11"))[box.ID(added.Ref(true))+".md"]; !ok {
		t.Error("the message is not shown once it can be read")
	}
}

// TestResyncKeepsFiles has the cursor lost when a notification comes.
func TestResyncKeepsFiles(t *testing.T) {
	for name, n := range map[string]int{"complete": 40, "windowed": 1200} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, -1)
			box := c.alice()
			c.fill(box.Folder("inbox"), n, parsed(t, "2026-08"), parsed(t, "2026-11"))
			f := c.mount(sign{}).follow()
			const here = inbox + "/2026-11"
			before := byID(f.look(here))
			if err := c.world.Switches.Set("outlook.delta_generation", 1); err != nil {
				t.Fatal(err)
			}
			refs := c.messagesOf(box.Folder("inbox"), parsed(t, "2026-11"))
			c.erase(refs[0])
			f.deliver()
			after := byID(f.sink.Names(f.find(here).Dir))
			if len(after) != len(before)-1 {
				t.Errorf("the month went from %d to %d files", len(before), len(after))
			}
			for id, e := range after {
				if before[id].ID != e.ID || before[id].Version != e.Version {
					t.Errorf("%s is another file after the resync", id)
				}
			}
			c.erase(refs[1])
			if got := f.after(1, "the change after it", here); len(got) != len(before)-2 {
				t.Errorf("the month holds %d files, want %d", len(got), len(before)-2)
			}
		})
	}
}

// TestRoundHearsOfChanges tells of changes of what a round has read already and has not committed yet.
func TestRoundHearsOfChanges(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	c.fill(box.Folder("inbox"), 1200, parsed(t, "2026-01"), parsed(t, "2026-11"))
	gate := &gate{RoundTripper: http.DefaultTransport}
	f := c.mount(sign{transport: gate}).follow()
	f.list(inbox)
	f.watch(f.collection(f.find(inbox).Dir))
	folder := f.folder(split(string(f.find(inbox).Dir))[1], split(string(f.find(inbox).Dir))[2])
	newest := c.messagesOf(box.Folder("inbox"), parsed(t, "2026-11"))
	// The second page of the round waits until the first one is out of date.
	read := make(chan struct{})
	gate.hold(func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, "skiptoken") }, func() {
		for _, r := range newest {
			c.erase(r)
		}
		for collection, n := range f.take() {
			f.tell(collection, n...)
		}
		close(read)
	})
	folder.mu.Lock()
	r := f.startRound(f.ctx(), folder, f.sink)
	folder.mu.Unlock()
	r.want()
	<-r.done
	<-read
	if r.err != nil {
		t.Fatal(r.err)
	}
	all := f.walk(inbox)
	sameAsStore(t, f.mount, box.Folder("inbox"), all)
}

// gate lets something happen before a request goes out, once.
type gate struct {
	http.RoundTripper
	mu   sync.Mutex
	when func(*http.Request) bool
	then func()
}

func (g *gate) hold(when func(*http.Request) bool, then func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.when, g.then = when, then
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	then := g.then
	if then != nil && g.when(r) {
		g.then = nil
	} else {
		then = nil
	}
	g.mu.Unlock()
	if then != nil {
		then()
	}
	return g.RoundTripper.RoundTrip(r)
}

// TestTheFirstLookIsLive lists the newest month of a large folder by the round that makes the cursor.
func TestTheFirstLookIsLive(t *testing.T) {
	c := newCloud(t, -1)
	c.fill(c.alice().Folder("inbox"), 900, parsed(t, "2026-10"), parsed(t, "2026-11"))
	f := c.mount(sign{}).follow()
	f.names(inbox)
	f.exactly(1, "the first look", func() { f.list(inbox + "/2026-11") })
	f.watch(f.collection(f.find(inbox).Dir))
	c.add(c.alice().Folder("inbox"), message(today, say("New", "x")))
	f.after(1, "a new message", inbox+"/2026-11")
	f.sink.Forget(f.find(inbox + "/2026-11").Dir)
	f.exactly(1, "the month that the cache dropped", func() { f.list(inbox + "/2026-11") })
	f.sameAsFresh(inbox)
}

// TestBusyFolderFollowed has more new messages than a filtered delta gives.
func TestBusyFolderFollowed(t *testing.T) {
	c := newCloud(t, -1)
	box := c.alice()
	c.fill(box.Folder("inbox"), 900, parsed(t, "2026-11"), parsed(t, "2026-11"))
	if err := c.world.Switches.Set("outlook.delta_filter_limit", 300); err != nil {
		t.Fatal(err)
	}
	f := c.mount(sign{}).follow()
	f.limits.window = 300
	const here = inbox + "/2026-11"
	if got := len(f.look(here)); got != 900 {
		t.Fatalf("the month holds %d files", got)
	}
	collection := f.collection(f.find(inbox).Dir)
	f.exactly(0, "what no cursor can be made for", func() { f.tell(collection) })
	r := c.messagesOf(box.Folder("inbox"), parsed(t, "2026-11"))[0]
	c.edit(r)
	f.exactly(1, "an edit", f.deliver)
	if e := byID(f.sink.Names(f.find(here).Dir))[box.ID(r)+".md"]; !strings.Contains(string(e.Body), "!") {
		t.Errorf("the edit does not show in %+v", e)
	}
	added := c.add(box.Folder("inbox"), message(today, say("New", "x")))
	if _, ok := byID(f.after(1, "a new message", here))[box.ID(added.Ref(true))+".md"]; !ok {
		t.Error("the new message is not shown")
	}
	f.sameAsFresh(inbox)
}
