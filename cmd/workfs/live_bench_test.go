package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
)

// visible is one kind of change that BenchmarkVisible measures.
type visible struct {
	name    string
	prepare func(i int) // not measured
	change  func(i int)
	shown   func(i int) bool
	// polled says that no webhook tells of it: the time runs from before the change is asked for, which is more than the
	// time from the answer of the long poll.
	polled bool
	// apart is the least time between two changes, where the services allow no more requests than that.
	apart time.Duration
}

// BenchmarkVisible measures how long it takes from the arrival of a notification until a change is seen by readdir and
// stat on a real mount, and what it asks of the services. Run it with -benchtime 200x.
func BenchmarkVisible(b *testing.B) {
	e := newEnv(b, sim.Options{})
	u := newTunnel(b)
	m := e.mount(append(u.flags, "--formats", "md")...)
	c := e.cloud()
	inbox, sorted, drafts := alice+"/mail/Inbox", alice+"/mail/Sorted", alice+"/mail/Drafts"
	folder := c.graph("POST", c.u+"/mailFolders", map[string]any{"displayName": "Sorted"})["id"].(string)
	// One message makes the months of now, which are then there to look into.
	c.message("inbox", "the first", "text")
	c.message(folder, "the first", "text")
	c.graph("POST", c.u+"/messages", map[string]any{"subject": "the first"})
	month := time.Now().UTC().Format("2006-01")
	general := "contoso/teams/channels/Engineering/General"
	posts := c.channel("Engineering", "General") + "/messages"
	c.post(posts, "the first")
	boxFolder := c.box("POST", "/folders", map[string]any{"name": "Live", "parent": map[string]any{"id": "0"}})["id"].(string)
	c.upload(boxFolder, "the first", "", "content")
	dirs := []string{inbox + "/" + month, sorted + "/" + month, drafts + "/" + month, general + "/" + month, "box/files/Live"}
	for _, dir := range dirs {
		e.poll(dir, func() bool { return len(m.entries(dir)) > 0 })
	}
	m.awaitLive(dirs...)

	find := func(dir, text string) string {
		if found := with(m.entries(dir), text); len(found) == 1 {
			return filepath.Join(dir, found[0])
		}
		return ""
	}
	gone := func(path string) bool {
		_, err := os.Lstat(m.path(path))
		return os.IsNotExist(err)
	}
	var id, path string
	var run int // tells the subjects of one run from those of another
	subject := func(kind string, i int) string { return fmt.Sprintf("%s-%d-%d-x", kind, run, i) }
	message := func(kind, folder, dir string) func(int) {
		return func(i int) {
			id = c.message(folder, subject(kind, i), "as it was")
			e.poll("the message", func() bool { path = find(dir, subject(kind, i)); return path != "" })
		}
	}
	changes := []visible{
		{
			name:   "create",
			change: func(i int) { c.message("inbox", subject("create", i), "text") },
			shown:  func(i int) bool { return find(dirs[0], subject("create", i)) != "" },
		},
		{
			name:    "edit",
			prepare: message("edit", "inbox", dirs[0]),
			change: func(i int) {
				c.graph("PATCH", c.u+"/messages/"+id, map[string]any{"body": map[string]any{"contentType": "text", "content": "as it is now"}})
			},
			shown: func(int) bool {
				b, err := os.ReadFile(m.path(path))
				return err == nil && strings.Contains(string(b), "as it is now")
			},
		},
		{
			name:    "delete",
			prepare: message("delete", "inbox", dirs[0]),
			change:  func(int) { c.graph("DELETE", c.u+"/messages/"+id, nil) },
			shown:   func(int) bool { return gone(path) },
		},
		{
			name: "rename",
			prepare: func(i int) {
				id = c.graph("POST", c.u+"/messages", map[string]any{"subject": subject("old", i)})["id"].(string)
				e.poll("the draft", func() bool { path = find(dirs[2], subject("old", i)); return path != "" })
			},
			change: func(i int) {
				c.graph("PATCH", c.u+"/messages/"+id, map[string]any{"subject": subject("new", i)})
			},
			shown: func(i int) bool { return find(dirs[2], subject("new", i)) != "" && gone(path) },
		},
		{
			name:    "move",
			prepare: message("move", "inbox", dirs[0]),
			change: func(int) {
				c.graph("POST", c.u+"/messages/"+id+"/move", map[string]any{"destinationId": folder})
			},
			shown: func(i int) bool { return find(dirs[1], subject("move", i)) != "" && gone(path) },
		},
		{
			name:   "post",
			apart:  1100 * time.Millisecond, // Teams has one request per second and channel
			change: func(i int) { c.post(posts, "post "+subject("post", i)) },
			shown:  func(i int) bool { return find(dirs[3], subject("post", i)) != "" },
		},
		{
			name:   "upload",
			polled: true,
			change: func(i int) { c.upload(boxFolder, subject("upload", i), "", "content") },
			shown:  func(i int) bool { return !gone(filepath.Join(dirs[4], subject("upload", i))) },
		},
	}
	for _, v := range changes {
		b.Run(v.name, func(b *testing.B) {
			run++
			took := []time.Duration{}
			requests := 0
			for i := range b.N {
				if v.prepare != nil {
					v.prepare(i)
				}
				u.rest()
				e.resetRequests()
				start := time.Now()
				v.change(i)
				e.soon(func() bool { return v.shown(i) })
				end := time.Now()
				if !v.polled {
					start = u.since(start)
				}
				took = append(took, end.Sub(start))
				u.rest()
				n, _ := e.own()
				requests += n
				time.Sleep(time.Until(end.Add(v.apart)))
			}
			slices.Sort(took)
			ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ms(took[len(took)/2]), "median-ms")
			b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
			b.ReportMetric(float64(requests)/float64(b.N), "requests/change")
		})
	}
}

// soon is poll for measurements.
func (e *env) soon(is func() bool) {
	e.t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(500 * time.Microsecond) {
		if time.Now().After(deadline) {
			e.t.Fatalf("what was waited for has not come within %v", patience)
		}
	}
}

// channel gives the path of a channel in Graph.
func (c *cloud) channel(team, name string) string {
	c.t.Helper()
	path := "/teams"
	for _, name := range []string{team, name} {
		list := c.graph("GET", path, nil)["value"].([]any)
		i := slices.IndexFunc(list, func(v any) bool { return v.(map[string]any)["displayName"] == name })
		if i < 0 {
			c.t.Fatalf("%s is not in %s", name, path)
		}
		path += "/" + url.PathEscape(list[i].(map[string]any)["id"].(string)) + "/channels"
	}
	return strings.TrimSuffix(path, "/channels")
}

// post says something below a path of messages, as alice.
func (c *cloud) post(path, text string) (id string) {
	c.t.Helper()
	return c.say("POST", path, map[string]any{"body": map[string]any{"content": text}})["id"].(string)
}

// say sends a request to Graph as alice.
func (c *cloud) say(method, path string, body any) map[string]any {
	c.t.Helper()
	answer, err := c.c.GraphAsAlice(context.Background(), method, path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer
}
