package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/activity"
	"github.com/workfs/workfs/backends/sim"
)

// asked checks how much a change has cost, once nothing is asked any more, and starts counting anew.
func (e *env) asked(what string, most int) {
	e.t.Helper()
	last, since := -1, time.Now()
	e.poll("no more requests", func() bool {
		if n, _ := e.requests(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	})
	n, by := e.own()
	e.t.Logf("%s: %d requests (at most %d)", what, n, most)
	if n > most {
		e.t.Errorf("%s: %d requests, at most %d allowed:\n%s", what, n, most, routes(by))
	}
	e.resetRequests()
}

// happened gives what the mount's log of changes tells of paths below a directory: an action and the paths within it.
func (m *mnt) happened(dir string) (actions []string) {
	m.e.t.Helper()
	text, err := os.ReadFile(m.path(".workfs/activity.jsonl"))
	if err != nil {
		m.e.t.Fatal(err)
	}
	short := func(path string) string {
		if rel, err := filepath.Rel(dir, path); err == nil {
			return rel
		}
		return path
	}
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var r activity.Record
		if err := d.Decode(&r); err == io.EOF {
			return actions
		} else if err != nil {
			m.e.t.Fatal(err)
		}
		if !strings.HasPrefix(r.Path, dir) {
			continue
		}
		what := r.Action + " "
		if r.OldPath != "" {
			what += short(r.OldPath) + " to "
		}
		actions = append(actions, what+short(r.Path)+" by "+r.By)
	}
}

// reads tells whether a file has a content.
func (m *mnt) reads(path, content string) bool {
	b, err := os.ReadFile(m.path(path))
	return err == nil && string(b) == content
}

// has tells whether a directory lists a name.
func (m *mnt) has(path string) bool {
	return slices.Contains(m.entries(filepath.Dir(path)), filepath.Base(path))
}

// TestLiveBox: what happens to files and folders of Box shows by the long poll. A change costs two requests: the events that tell of it
// and the next poll.
func TestLiveBox(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	c := e.cloud()
	folder := func(parent, name string) string {
		return c.box("POST", "/folders", map[string]any{"name": name, "parent": map[string]any{"id": parent}})["id"].(string)
	}
	live := folder("0", "Live")
	from, to := folder(live, "from"), folder(live, "to")
	c.upload(from, "calm.txt", "", "not touched")
	// Events that come twice or in small pages cost more; how often is a matter of chance.
	for name, value := range map[string]any{"box.event_duplicate_percent": 0, "box.event_short_percent": 0} {
		if err := e.sim.World().Switches.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	m := e.mount("-c", "box")
	top := "box/files/Live"
	e.must("find", "box/files/Live")
	m.awaitLive(top, top+"/from", top+"/to")
	e.quiet()

	file := func(name string) string { return filepath.Join(top, name) }
	id := c.upload(from, "one.txt", "", "the first version")["id"].(string)
	e.poll("the upload", func() bool { return m.has(file("from/one.txt")) })
	e.asked("an upload", 2)
	if !m.reads(file("from/one.txt"), "the first version") {
		t.Error("the upload has another content")
	}
	ino := inode(t, m.path(file("from/one.txt")))
	open, err := os.Open(m.path(file("from/one.txt")))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close() // again
	e.quiet()

	c.upload("", "one.txt", id, "another version")
	e.poll("the new version", func() bool { return m.reads(file("from/one.txt"), "another version") })
	e.asked("a new version, with its content", 5)
	if rest, err := io.ReadAll(open); err != nil || string(rest) != "the first version" {
		t.Errorf("who had the old version open read %q %v", rest, err)
	}
	_ = open.Close() // it was read only
	if now := inode(t, m.path(file("from/one.txt"))); now != ino {
		t.Errorf("the new version made inode %d of %d", now, ino)
	}
	e.quiet()

	c.box("PUT", "/files/"+id, map[string]any{"name": "two.txt"})
	e.poll("the new name", func() bool { return m.has(file("from/two.txt")) && !m.has(file("from/one.txt")) })
	e.asked("a rename", 2)
	c.box("PUT", "/files/"+id, map[string]any{"parent": map[string]any{"id": to}})
	e.poll("the move", func() bool { return m.has(file("to/two.txt")) && !m.has(file("from/two.txt")) })
	e.asked("a move", 2)
	if now := inode(t, m.path(file("to/two.txt"))); now != ino {
		t.Errorf("renaming and moving made inode %d of %d", now, ino)
	}
	if !m.reads(file("to/two.txt"), "another version") {
		t.Error("renaming and moving changed the content")
	}
	e.asked("reading what was moved", 0)
	c.box("DELETE", "/files/"+id, nil)
	e.poll("the trash", func() bool { return !m.has(file("to/two.txt")) })
	e.asked("putting in the trash", 2)
	c.box("POST", "/files/"+id, map[string]any{})
	e.poll("the file from the trash", func() bool { return m.has(file("to/two.txt")) })
	e.asked("restoring", 2)
	if now := inode(t, m.path(file("to/two.txt"))); now != ino {
		t.Errorf("restoring made inode %d of %d", now, ino)
	}
	dir := inode(t, m.path(file("to")))
	c.box("PUT", "/folders/"+to, map[string]any{"name": "there", "parent": map[string]any{"id": from}})
	e.poll("the folder", func() bool { return m.has(file("from/there/two.txt")) && !m.has(file("to")) })
	e.asked("moving a folder", 2)
	if now := inode(t, m.path(file("from/there"))); now != dir {
		t.Errorf("moving made inode %d of the directory's %d", now, dir)
	}

	want := []string{
		"created from/one.txt by long poll", "changed from/one.txt by long poll", "renamed from/one.txt to from/two.txt by long poll",
		"moved from/two.txt to to/two.txt by long poll", "removed to/two.txt by long poll", "created to/two.txt by long poll",
		"moved to to from/there by long poll",
	}
	same(t, "activity", want, m.happened(top))
	e.must("find", top, "-type", "f", "-exec", "cat", "{}", "+")
	e.quiet()
	e.steadily("a warm walk", m, func() {
		if got := e.must("find", top, "-type", "f", "-exec", "cat", "{}", "+"); got != "not touched"+"another version" && got != "another version"+"not touched" {
			t.Errorf("the files hold %q", got)
		}
	})
	e.asked("a warm walk", 0)
	m.umount()
}

// TestLiveTeams: what is said in a channel and in a chat shows by webhook.
func TestLiveTeams(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	c := e.cloud()
	for _, s := range []struct{ name, dir, path string }{
		{"channel", "contoso/teams/channels/Engineering/General", c.channel("Engineering", "General")},
		{"chat", "contoso/teams/chats/", ""},
	} {
		t.Run(s.name, func(t *testing.T) {
			// Each has its own sign-in's limits, so they may take their time.
			e := *e
			e.t = t
			e.cache, e.state, e.point = e.path("cache "+s.name), e.path("state "+s.name), e.path("mnt "+s.name)
			if err := os.Mkdir(e.point, 0o700); err != nil {
				t.Fatal(err)
			}
			m := e.mount(append(liveFlags(t), "-c", "contoso")...)
			if s.name == "chat" {
				chats := m.entries(strings.TrimSuffix(s.dir, "/"))
				s.dir += chats[0]
				s.path = "/chats/" + m.info(s.dir).Item.ServiceID
			}
			messages := s.path + "/messages"
			month := filepath.Join(s.dir, time.Now().UTC().Format("2006-01"))
			c.post(messages, "the first word")
			e.poll("the month", func() bool { return len(m.entries(month)) > 0 })
			m.awaitLive(month)
			e.quiet()

			file := func(text string) string {
				t.Helper()
				var path string
				e.poll("a message with "+text, func() bool {
					found := with(m.entries(month), text)
					if len(found) == 1 {
						path = filepath.Join(month, found[0])
					}
					return path != ""
				})
				return path
			}
			contains := func(path, text string) bool {
				b, err := os.ReadFile(m.path(path))
				return err == nil && strings.Contains(string(b), text)
			}
			id := c.post(messages, "Bananas are ripe")
			said := file("Bananas")
			e.asked("a message", 1)
			if !contains(said, "Bananas are ripe") {
				t.Errorf("%s holds something else", said)
			}
			ino := inode(t, m.path(said))
			if s.name == "channel" {
				c.post(messages+"/"+id+"/replies", "Cherries are not")
				reply := file("Cherries")
				e.asked("a reply", 1)
				if !contains(reply, "Cherries are not") {
					t.Errorf("%s holds something else", reply)
				}
			}
			c.say("PATCH", messages+"/"+id, map[string]any{"body": map[string]any{"content": "Bananas are green"}})
			edited := file("Bananas-are-green") // which is called after its text
			e.asked("an edit", 1)
			if !contains(edited, "Bananas are green") || m.has(said) {
				t.Errorf("the edit of %s made %s", said, edited)
			}
			said = edited
			if now := inode(t, m.path(said)); now != ino {
				t.Errorf("the edit made inode %d of %d", now, ino)
			}
			c.say("POST", messages+"/"+id+"/softDelete", nil)
			e.poll("the deletion", func() bool { return !contains(said, "Bananas are green") })
			e.asked("a deletion", 1)
			e.must("grep", "-rc", "word", month)
			e.quiet()
			e.steadily("a warm walk", m, func() { e.must("grep", "-rc", "word", month) })
			e.asked("a warm walk", 0)
			m.umount()
		})
	}
}

// TestLiveCalendarAndContacts: what happens to events and contacts shows by webhook.
func TestLiveCalendarAndContacts(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.features("mail", "calendar", "contacts")
	m := e.mount(append(liveFlags(t), "-c", "contoso")...)
	c := e.cloud()
	calendar, contacts := alice+"/calendar/Calendar", alice+"/contacts/Contacts"
	at := func(clock string) map[string]any {
		return map[string]any{"dateTime": "2026-11-05T" + clock, "timeZone": "UTC"}
	}
	event := map[string]any{"subject": "Sailing", "start": at("10:00:00"), "end": at("11:00:00")}
	c.graph("POST", c.u+"/events", event)
	month := calendar + "/2026-11"
	e.must("find", calendar)
	e.must("find", contacts)
	m.awaitLive(calendar, month, contacts)
	e.quiet()
	grep := func(dir, text string) func() bool {
		return func() bool {
			_, _, code := e.tool("grep", "-rq", text, dir)
			return code == 0
		}
	}
	not := func(is func() bool) func() bool { return func() bool { return !is() } }

	event["subject"] = "Rowing"
	id := c.graph("POST", c.u+"/events", event)["id"].(string)
	e.poll("the event", grep(month, "SUMMARY:Rowing"))
	e.asked("an event", 2)
	c.graph("PATCH", c.u+"/events/"+id, map[string]any{"subject": "Swimming"})
	e.poll("the change of the event", grep(month, "SUMMARY:Swimming"))
	e.asked("a change of an event", 1)
	if grep(month, "SUMMARY:Rowing")() {
		t.Error("the event is there under its old name, too")
	}
	c.graph("DELETE", c.u+"/events/"+id, nil)
	e.poll("the end of the event", not(grep(month, "SUMMARY:Swimming")))
	e.asked("a deletion of an event", 1)

	id = c.graph("POST", c.u+"/contacts", map[string]any{"givenName": "Zora", "surname": "Zimt", "displayName": "Zora Zimt"})["id"].(string)
	e.poll("the contact", grep(contacts, "FN:Zora Zimt"))
	e.asked("a contact", 1)
	c.graph("PATCH", c.u+"/contacts/"+id, map[string]any{"displayName": "Zora Salz", "surname": "Salz"})
	e.poll("the change of the contact", grep(contacts, "FN:Zora Salz"))
	e.asked("a change of a contact", 1)
	c.graph("DELETE", c.u+"/contacts/"+id, nil)
	e.poll("the end of the contact", not(grep(contacts, "FN:Zora")))
	e.asked("a deletion of a contact", 1)
	m.umount()
}

// TestLiveDisturbsNobody: while mail comes, changes and goes, who reads other messages, of the same month and of another, has
// them from the kernel. Only the changed directory's own attributes are asked for again.
func TestLiveDisturbsNobody(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.features("mail", "calendar", "contacts")
	u := newTunnel(t)
	m, month := e.inboxNow(u)
	c := e.cloud()
	names := with(m.entries(alice+"/mail/Inbox"), "20")
	other := alice + "/mail/Inbox/" + names[len(names)-2]
	e.readAll(other, month)
	m.awaitLive(month)
	var files []string
	for _, dir := range []string{other, month} {
		for _, name := range with(m.entries(dir), ".md") {
			files = append(files, m.path(dir, name))
		}
	}
	if len(files) < 10 {
		t.Fatalf("%d files", len(files))
	}
	e.quiet()
	read := func() {
		for _, path := range files {
			if _, err := os.ReadFile(path); err != nil {
				t.Error(err)
			}
		}
	}
	const tries, changes = 6, 3
	for try := 1; ; try++ { // this kernel may have dropped pages before
		_, before := m.fuseRequests()
		// By the log, which takes no look at the tree.
		subject := fmt.Sprintf("passing-%d-x", try)
		made := func(action string) func() bool {
			return func() bool {
				for _, line := range m.changes() {
					if strings.HasPrefix(line, action) && strings.Contains(line, subject) {
						return true
					}
				}
				return false
			}
		}
		id := c.message("inbox", subject, "text")
		e.poll("the message", made("created"))
		read()
		c.graph("PATCH", c.u+"/messages/"+id, map[string]any{"body": map[string]any{"contentType": "text", "content": "more"}})
		e.poll("the edit", made("changed"))
		read()
		c.graph("DELETE", c.u+"/messages/"+id, nil)
		e.poll("the deletion", made("removed"))
		read()
		sum, now := m.fuseRequests()
		for _, n := range before {
			sum -= n
		}
		attributes := now["GETATTR"] - before["GETATTR"]
		if sum == attributes && attributes <= changes {
			break
		}
		if try == tries {
			t.Errorf("reading what does not change takes %d requests, %d of them for attributes: %v, then %v", sum, attributes, before, now)
			break
		}
	}
	m.umount()
}

// changes gives what happened in the tree, by the daemon's own log and without a FUSE request.
func (m *mnt) changes() (lines []string) {
	m.e.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.e.state, "activity.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		m.e.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var r activity.Record
		if json.Unmarshal([]byte(line), &r) == nil { // the last line may be half written
			lines = append(lines, r.Action+" "+r.Path)
		}
	}
	return lines
}
