package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/churn"
	"github.com/workfs/workfs/cache"
)

// liveFlags are those of a mount that the simulator can reach: plain http on loopback, as behind a tunnel.
func liveFlags(t testing.TB) []string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return []string{"--webhook-listen", address, "--webhook-address", "http://" + address}
}

// shown is what a tree shows of one path, without what may differ between two caches: the times of directories are those
// at which they were first seen.
type shown struct {
	ino   uint64
	size  int64
	mtime time.Time
	ctime time.Time
	sum   [32]byte
	err   string // why it can't be read
}

// dump reads a whole tree but for paths that skip chooses.
func dump(t testing.TB, root string, skip func(path string) bool) map[string]shown {
	t.Helper()
	all := map[string]shown{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, failed error) error {
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if failed != nil {
			all[rel] = shown{err: reason(failed)}
			return nil
		}
		if skip != nil && skip(rel) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			all[rel] = shown{err: reason(err)}
			return nil
		}
		st := info.Sys().(*syscall.Stat_t)
		s := shown{ino: st.Ino}
		if !d.IsDir() {
			s.size, s.mtime, s.ctime = info.Size(), info.ModTime(), time.Unix(st.Ctim.Unix())
			b, err := os.ReadFile(path)
			if err != nil {
				s.err = reason(err)
			} else if int64(len(b)) != s.size {
				s.err = fmt.Sprintf("%d bytes, stat says %d", len(b), s.size)
			}
			s.sum = sha256.Sum256(b)
			switch {
			case strings.HasSuffix(path, ".csv"): // has the time at which this content was first seen
				s.mtime, s.ctime = time.Time{}, time.Time{}
			case strings.HasSuffix(filepath.Dir(path), ".attachments") && strings.HasSuffix(path, ".eml"): // Exchange makes it anew each time
				s.sum = [32]byte{}
			}
		}
		all[rel] = s
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// reason is what an error says without the path, which is another one in each mount.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}

// difference tells in which paths two trees differ, and how, "" when they don't.
func difference(got, want map[string]shown) string {
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(want)) {
		w := want[path]
		g, ok := got[path]
		switch {
		case !ok:
			lines = append(lines, "missing: "+path)
		case g.err != w.err:
			lines = append(lines, fmt.Sprintf("error %q, want %q: %s", g.err, w.err, path))
		case g.ino != w.ino:
			lines = append(lines, fmt.Sprintf("inode %d, want %d: %s", g.ino, w.ino, path))
		case g.sum != w.sum || g.size != w.size:
			lines = append(lines, fmt.Sprintf("content of %d bytes, want %d: %s", g.size, w.size, path))
		case !g.mtime.Equal(w.mtime) || !g.ctime.Equal(w.ctime):
			lines = append(lines, fmt.Sprintf("times %v %v, want %v %v: %s", g.mtime, g.ctime, w.mtime, w.ctime, path))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[path]; !ok {
			lines = append(lines, "surplus: "+path)
		}
	}
	return strings.Join(lines, "\n")
}

// cloud makes single changes as clients of the services do.
type cloud struct {
	t testing.TB
	c *churn.Client
	u string // path of alice's mailbox
}

func (e *env) cloud() *cloud {
	ready := e.sim.Ready()
	return &cloud{e.t, churn.NewClient(ready), "/users/" + ready.Users[0].ID}
}

func (c *cloud) graph(method, path string, body any) map[string]any {
	c.t.Helper()
	answer, err := c.c.Graph(context.Background(), method, path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer
}

func (c *cloud) box(method, path string, body any) map[string]any {
	c.t.Helper()
	answer, err := c.c.Box(context.Background(), method, path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer
}

// upload makes a file at Box, or a new version of the one with that id.
func (c *cloud) upload(folder, name, id, content string) map[string]any {
	c.t.Helper()
	answer, err := c.c.Upload(context.Background(), folder, name, id, []byte(content))
	if err != nil {
		c.t.Fatal(err)
	}
	return answer
}

// message makes a received message in a folder.
func (c *cloud) message(folder, subject, text string) (id string) {
	c.t.Helper()
	m := c.graph("POST", c.u+"/mailFolders/"+folder+"/messages", map[string]any{
		"subject": subject, "body": map[string]any{"contentType": "text", "content": text},
		"singleValueExtendedProperties": []any{map[string]any{"id": "Integer 0x0E07", "value": "1"}}, // read, no draft
	})
	return m["id"].(string)
}

// info asks the process about a path, which lists what is on the way.
func (m *mnt) info(path string) cache.FileInfo {
	m.e.t.Helper()
	var info cache.FileInfo
	if err := m.control().Get(context.Background(), "/info", url.Values{"path": {path}}, &info); err != nil {
		m.e.t.Fatal(err)
	}
	return info
}

// awaitLive looks at directories until they are right until a change is told of.
func (m *mnt) awaitLive(paths ...string) {
	m.e.t.Helper()
	for _, path := range paths {
		m.e.poll(path+" is live", func() bool {
			m.entries(path)
			return m.info(path).Live
		})
	}
}

// entries reads a directory; one that is not there has none.
func (m *mnt) entries(path string) []string {
	m.e.t.Helper()
	list, err := os.ReadDir(m.path(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.e.t.Fatal(err)
	}
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name()
	}
	return names
}

// with gives the names that contain a text.
func with(names []string, text string) (found []string) {
	for _, name := range names {
		if strings.Contains(name, text) {
			found = append(found, name)
		}
	}
	return found
}

// quiet waits until the services are asked nothing any more, and starts counting anew.
func (e *env) quiet() {
	e.t.Helper()
	last, since := -1, time.Now()
	e.poll("no more requests", func() bool {
		if n, _ := e.requests(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > time.Second
	})
	e.resetRequests()
}

// own counts what this mount asked since the last reset, without what the tests' own clients ask.
func (e *env) own() (total int, by map[string]int) {
	_, all := e.requests()
	by = map[string]int{}
	for route, n := range all {
		if strings.HasPrefix(route, "GET ") || strings.HasPrefix(route, "OPTIONS ") {
			by[route] = n
			total += n
		}
	}
	return total, by
}

// TestLiveMail: with a public address a message that comes, changes, moves and goes shows at once, for one request each, while
// everything else stays in the kernel's cache.
func TestLiveMail(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	e.features("mail", "calendar", "contacts")
	m := e.mount(append(liveFlags(t), "-c", "contoso", "--formats", "md,json")...)
	inbox := alice + "/mail/Inbox"
	months := m.entries(inbox)
	month := inbox + "/" + months[len(months)-1]
	drafts := m.entries(alice + "/mail/Drafts")
	draft := alice + "/mail/Drafts/" + drafts[len(drafts)-1]
	e.readAll(month, draft)
	m.awaitLive(month, draft)
	c := e.cloud()
	e.quiet()

	calm := func(what string, requests int) {
		t.Helper()
		// What was there stays in the kernel: reading it all asks nobody.
		if n, by := e.own(); n > requests {
			t.Errorf("%s: %d requests, at most %d allowed:\n%s", what, n, requests, routes(by))
		}
		e.quiet()
	}
	id := c.message("inbox", "Live subject one", "the first text")
	var name string
	e.poll("the message", func() bool {
		found := with(m.entries(month), "Live-subject-one")
		if len(found) == 2 {
			name = found[slices.IndexFunc(found, func(s string) bool { return strings.HasSuffix(s, ".md") })]
		}
		return len(found) == 2
	})
	calm("a new message", 1)
	open, err := os.Open(m.path(month, name))
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 8)
	if _, err := open.Read(first); err != nil {
		t.Fatal(err)
	}
	ino := inode(t, m.path(month, name))

	c.graph("PATCH", c.u+"/messages/"+id, map[string]any{"body": map[string]any{"contentType": "text", "content": "another text"}})
	e.poll("the edit", func() bool {
		b, err := os.ReadFile(m.path(month, name))
		return err == nil && strings.Contains(string(b), "another text")
	})
	calm("an edit", 1)
	rest, err := io.ReadAll(open)
	_ = open.Close() // it was read only
	if err != nil || !strings.Contains(string(rest), "the first text") {
		t.Errorf("who read the old version on got %q %v", rest, err)
	}
	if now := inode(t, m.path(month, name)); now != ino {
		t.Errorf("the edit made inode %d of %d", now, ino)
	}

	// The folder may not have had the month, which then shows at once, too.
	moved := alice + "/mail/Drafts/" + filepath.Base(month)
	c.graph("POST", c.u+"/messages/"+id+"/move", map[string]any{"destinationId": "drafts"})
	e.poll("the move", func() bool {
		return len(with(m.entries(month), "Live-subject-one")) == 0 && slices.Contains(m.entries(moved), name)
	})
	calm("a move between folders", 2)
	if now := inode(t, m.path(moved, name)); now != ino {
		t.Errorf("the move made inode %d of %d", now, ino)
	}
	c.graph("DELETE", c.u+"/messages/"+id, nil)
	e.poll("the deletion", func() bool { return !slices.Contains(m.entries(moved), name) })
	calm("a deletion", 1)

	// What was known all the while costs nothing, neither of the services nor of the daemon.
	e.readAll(month)
	e.steadily("a warm walk of what is live", m, func() {
		e.must("find", month, "-type", "f")
		e.readAll(month)
	})
	_, by := e.requests()
	if len(by) > 0 {
		t.Errorf("a warm walk asked the services:\n%s", routes(by))
	}
	m.umount()
	for _, sub := range e.sim.Clouds().Subscriptions.All() {
		if sub.State != "removed" {
			t.Errorf("a subscription to %s is left behind", sub.Resource)
		}
	}
}

func inode(t testing.TB, path string) uint64 {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// steadily does something a few times until it takes no FUSE request: this kernel may have dropped pages before that.
func (e *env) steadily(what string, m *mnt, do func()) {
	e.t.Helper()
	const tries = 6
	for try := 1; ; try++ {
		before, _ := m.fuseRequests()
		do()
		after, by := m.fuseRequests()
		if after == before {
			return
		}
		if try == tries {
			e.t.Errorf("%s takes %d FUSE requests, all so far: %v", what, after-before, by)
			return
		}
	}
}

// readAll reads every message below directories.
func (e *env) readAll(dirs ...string) {
	e.t.Helper()
	e.must("sh", append([]string{"-c", `find "$@" -type f -name '*~????????.*' -print0 | xargs -0 cat > /dev/null`, "sh"}, dirs...)...)
}
