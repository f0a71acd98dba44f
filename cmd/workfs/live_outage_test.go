package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// another is the same simulator and configuration for another mount.
func (e *env) another(t testing.TB, name string) *env {
	t.Helper()
	o := *e
	o.t, o.cache, o.state, o.point = t, e.path("cache "+name), e.path("state "+name), e.path("mnt "+name)
	if err := os.Mkdir(o.point, 0o700); err != nil {
		t.Fatal(err)
	}
	return &o
}

// TestLiveOutage: while a daemon can reach nobody and nobody can reach it, all that was there can be read, nothing hangs, and
// when that ends the tree becomes right.
func TestLiveOutage(t *testing.T) {
	t.Parallel()
	needTool(t, "timeout", "find", "cat")
	e := newEnv(t, sim.Options{})
	c := e.cloud()
	folder := c.box("POST", "/folders", map[string]any{"name": "Live", "parent": map[string]any{"id": "0"}})["id"].(string)
	c.upload(folder, "old.txt", "", "old")
	u := newTunnel(t)
	m, month := e.inboxNow(u, "-c", "box", "--poll-interval", "2s")
	boxDir := "box/files/Live"
	e.must("find", boxDir)
	m.awaitLive(boxDir)
	all := func() string {
		t.Helper()
		// timeout fails what takes longer than is ever needed for what is at hand.
		return e.must("timeout", "30", "sh", "-c", `find "$@" -type f -exec cat {} + | sha256sum`, "sh", month, boxDir)
	}
	before := all()
	e.quiet()

	// The daemon reads by GET and subscribes; the changes are made by other requests.
	u.refuses.Store(true)
	down := []core.FaultRule{{Route: "GET *", Reset: true}, {Route: "OPTIONS *", Reset: true}, {Route: "* /v1.0/subscriptions*", Reset: true}}
	e.faults(down...)
	c.message("inbox", "during the outage", "text")
	c.upload(folder, "new.txt", "", "new")
	e.poll("requests that fail", func() bool { n, _ := e.own(); return n > 0 })
	for range 10 {
		if now := all(); now != before {
			t.Error("what is read changes during the outage")
		}
		m.status()
		time.Sleep(200 * time.Millisecond)
	}
	u.refuses.Store(false)
	e.faults()
	e.poll("the message", func() bool { return len(with(m.entries(month), "during-the-outage")) == 1 })
	e.poll("the upload", func() bool { return m.reads(boxDir+"/new.txt", "new") })
	m.awaitLive(month, boxDir)
	m.umount()
}

// TestLiveSlowListing: a listing that the service takes half a minute for holds up no change elsewhere.
func TestLiveSlowListing(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.features("mail", "calendar", "contacts")
	u := newTunnel(t)
	m, month := e.inboxNow(u)
	sent := alice + "/mail/Sent Items"
	id := m.info(sent).Item.ServiceID
	e.faults(core.FaultRule{Host: "graph", Route: "GET *" + id + "*", Delay: core.Duration(30 * time.Second)})
	ls := exec.Command("ls", m.path(sent))
	ls.Stdout = io.Discard
	if err := ls.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- ls.Wait() }()
	e.resetRequests()
	c := e.cloud()
	for i := range 5 {
		subject := fmt.Sprintf("quick-%d-x", i)
		c.message("inbox", subject, "text")
		e.poll("the message", func() bool { return len(with(m.entries(month), subject)) == 1 })
	}
	select {
	case err := <-done:
		t.Errorf("the slow listing has ended before the changes were seen: %v", err)
	default:
	}
	e.faults()
	_ = ls.Process.Kill() // it may have ended
	<-done
	m.umount()
}

// TestLiveStanding: who stands in a directory that changes, also its name and place, keeps it, and who reads a directory
// piece by piece gets each name that stays once.
func TestLiveStanding(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	c := e.cloud()
	folder := func(parent, name string) string {
		return c.box("POST", "/folders", map[string]any{"name": name, "parent": map[string]any{"id": parent}})["id"].(string)
	}
	live := folder("0", "Live")
	here, there := folder(live, "here"), folder(live, "there")
	const files = 400
	ids := make([]string, files)
	for i := range ids {
		ids[i] = c.upload(here, fmt.Sprintf("file-%03d.txt", i), "", "x")["id"].(string)
	}
	m := e.mount("-c", "box")
	top := "box/files/Live"
	e.must("find", top)
	m.awaitLive(top, top+"/here", top+"/there")

	sh := exec.Command("sh")
	sh.Dir = m.path(top, "here")
	in, err := sh.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := sh.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	sh.Stderr = os.Stderr
	if err := sh.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(out)
	ask := func(command string) string {
		t.Helper()
		if _, err := io.WriteString(in, command+"\n"); err != nil || !answers.Scan() {
			t.Fatalf("the shell has ended: %v %v", err, answers.Err())
		}
		return answers.Text()
	}
	stands := func(path, name string, want int) {
		t.Helper()
		e.poll(name+" in the shell", func() bool { return ask("test -e "+name+" && echo yes || echo no") == "yes" })
		if got := ask("/bin/pwd -P"); got != m.path(top, path) {
			t.Errorf("the shell stands in %s, want %s", got, path)
		}
		if got := ask("ls | wc -l"); strings.TrimSpace(got) != fmt.Sprint(want) {
			t.Errorf("the shell lists %s files, want %d", got, want)
		}
	}
	stands("here", "file-000.txt", files)

	// A listing under way, in pieces that are smaller than what the kernel asks for.
	d, err := os.Open(m.path(top, "here"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for round := 0; ; round++ {
		names, err := d.Readdirnames(20)
		for _, name := range names {
			seen[name]++
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if round >= 12 {
			continue
		}
		// One is gone that was read or is still to come, one is new.
		gone, added := round*31%files, fmt.Sprintf("added-%02d.txt", round)
		c.box("DELETE", "/files/"+ids[gone], nil)
		c.upload(here, added, "", "y")
		e.poll("the change", func() bool {
			return m.has(top+"/here/"+added) && !m.has(fmt.Sprintf("%s/here/file-%03d.txt", top, gone))
		})
		ids[gone] = ""
	}
	_ = d.Close() // it was read only
	for i, id := range ids {
		if name := fmt.Sprintf("file-%03d.txt", i); id != "" && seen[name] != 1 {
			t.Errorf("%s was listed %d times", name, seen[name])
		}
	}
	for name, n := range seen {
		if n > 1 {
			t.Errorf("%s was listed %d times", name, n)
		}
	}

	stands("here", "added-11.txt", files)
	c.upload(here, "more.txt", "", "z")
	stands("here", "more.txt", files+1)
	c.box("PUT", "/folders/"+here, map[string]any{"name": "elsewhere", "parent": map[string]any{"id": there}})
	e.poll("the folder's move", func() bool { return m.has(top + "/there/elsewhere") })
	c.upload(here, "after.txt", "", "z")
	stands("there/elsewhere", "after.txt", files+2)
	_ = in.Close() // ends the shell
	if err := sh.Wait(); err != nil {
		t.Error(err)
	}
	m.umount()
}

// TestLiveWithoutAddress: what nobody can tell of is asked for: mail at an interval, Teams by age only.
func TestLiveWithoutAddress(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	c := e.cloud()
	channel := c.channel("Engineering", "General") + "/messages"
	c.post(channel, "the first word")
	c.message("inbox", "the first", "text")
	m := e.mount("-c", "contoso", "--poll-interval", "1s", "--max-age", "24h")
	now := time.Now().UTC().Format("2006-01")
	month, posts := alice+"/mail/Inbox/"+now, "contoso/teams/channels/Engineering/General/"+now
	calendar, contacts := alice+"/calendar/Calendar", alice+"/contacts/Contacts"
	e.must("find", month, posts, contacts)
	e.must("find", calendar)
	e.resetRequests()
	c.post(channel, "xylophones arrive")
	c.message("inbox", "by asking", "text")
	c.graph("POST", c.u+"/contacts", map[string]any{"givenName": "Zora", "surname": "Zimt", "displayName": "Zora Zimt"})
	c.graph("POST", c.u+"/events", map[string]any{
		"subject": "Rowing", "start": map[string]any{"dateTime": "2026-11-05T10:00:00", "timeZone": "UTC"}, "end": map[string]any{"dateTime": "2026-11-05T11:00:00", "timeZone": "UTC"},
	})
	e.poll("the message", func() bool { return len(with(m.entries(month), "by-asking")) == 1 })
	for _, dir := range []string{calendar, contacts} {
		e.poll("what is new in "+dir, func() bool {
			_, _, code := e.tool("grep", "-rqE", "Rowing|Zora", dir)
			return code == 0
		})
	}
	if len(with(m.entries(posts), "xylophones")) > 0 {
		t.Errorf("the post shows although nobody asked for it: %q", m.entries(posts))
	}
	_, by := e.own()
	for route, n := range by {
		if strings.Contains(route, "/teams/") || strings.Contains(route, "/chats/") {
			t.Errorf("in the background Teams was asked %d times: %s", n, route)
		}
	}
	e.expect(0, nil, "sync", m.path(posts))
	// The kernel hears of it a moment after the commit.
	e.poll("the post that workfs sync has brought", func() bool { return len(with(m.entries(posts), "xylophones")) == 1 })
	m.umount()
}

// TestLiveRestart: the next mount goes on with the subscriptions of one that was killed and asks what happened meanwhile, once
// for each folder.
func TestLiveRestart(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.features("mail", "calendar", "contacts")
	c := e.cloud()
	u := newTunnel(t)
	m, month := e.inboxNow(u, "--max-age", "24h")
	drafts := alice + "/mail/Drafts/" + filepath.Base(month)
	c.graph("POST", c.u+"/messages", map[string]any{"subject": "a draft"})
	e.poll("the draft", func() bool { return len(m.entries(drafts)) > 0 })
	m.awaitLive(month, drafts)
	gone := c.message("inbox", "soon gone", "text")
	e.poll("the message", func() bool { return len(with(m.entries(month), "soon-gone")) == 1 })
	active := func() (ids []string) {
		for _, s := range e.sim.Clouds().Subscriptions.All() {
			if s.State == "active" {
				ids = append(ids, s.ID+" "+s.Resource)
			}
		}
		slices.Sort(ids)
		return ids
	}
	had := active()
	m.kill9()
	c.message("inbox", "while it was dead", "text")
	c.graph("DELETE", c.u+"/messages/"+gone, nil)
	e.resetRequests()
	m = e.mount(append(slices.Clone(u.flags), "-c", "contoso", "--max-age", "24h")...)
	e.poll("what came meanwhile", func() bool { return len(with(m.entries(month), "while-it-was-dead")) == 1 })
	if len(with(m.entries(month), "soon-gone")) > 0 {
		t.Error("what was deleted meanwhile is there")
	}
	m.entries(drafts)
	m.awaitLive(month, drafts)
	time.Sleep(time.Second) // for more requests, were there any
	same(t, "subscriptions", had, active())
	_, by := e.own()
	deltas := 0
	for route, n := range by {
		if strings.Contains(route, "/messages/delta") {
			deltas += n
		}
	}
	if deltas != 2 {
		t.Errorf("two folders took %d rounds:\n%s", deltas, routes(by))
	}
	for _, s := range e.sim.Clouds().Subscriptions.All() {
		if s.State == "removed" {
			t.Errorf("the subscription to %s was made anew", s.Resource)
		}
	}
	m.umount()
	if left := active(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestLiveOneOwner: of what a service allows one subscription only, the first mount has it; the second says who does, and
// shows what changes by age.
func TestLiveOneOwner(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	c := e.cloud()
	channel := c.channel("Engineering", "General") + "/messages"
	c.post(channel, "the first word")
	general := "contoso/teams/channels/Engineering/General"
	month := general + "/" + time.Now().UTC().Format("2006-01")
	first, second := e.another(t, "first"), e.another(t, "second")
	m := first.mount(append(liveFlags(t), "-c", "contoso")...)
	m.awaitLive(month)
	flags := liveFlags(t)
	n := second.mount(append(flags, "-c", "contoso", "--teams-refresh", "3s")...)
	n.entries(month)
	holder := strings.TrimPrefix(m.status().Webhooks.Address, "http://")
	var problem string
	second.poll("a conflict", func() bool {
		n.entries(month)
		for _, c := range n.status().Collections {
			if f := c.Following; f != nil && strings.Contains(f.Problem, holder) {
				problem = f.Problem
			}
		}
		return problem != ""
	})
	t.Log(problem)
	second.expect(0, []string{holder}, "status", n.point, "--all")
	c.post(channel, "heard by both")
	for _, m := range []*mnt{m, n} {
		e.poll("the message", func() bool { return len(with(m.entries(month), "heard")) == 1 })
	}
	if !m.info(month).Live || n.info(month).Live {
		t.Errorf("live: the first %v, the second %v", m.info(month).Live, n.info(month).Live)
	}
	n.umount()
	m.umount()
}
