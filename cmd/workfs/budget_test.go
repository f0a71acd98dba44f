package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim"
)

// The budgets are those of the design: how many requests an action may cost. The kernel and the tools decide what is
// asked for, so only a mount can show it.

// inboxScale is how many messages the Inbox of the budget tests holds.
const inboxScale = 6000

// mailPage is the least number of messages on a page, where there are so many.
const mailPage = 100

// lasting keeps slow machines from letting listings grow old in the middle of a test.
var lasting = []string{"--max-age", "24h"}

// isMonth matches the directories that a folder is divided into.
var isMonth = regexp.MustCompile(`^(\d{4}-\d{2}|undated)$`)

// lines splits the output of a command.
func lines(s string) []string {
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// remount unmounts and mounts again, with or without the cache.
func (m *mnt) remount(wipe bool, args ...string) *mnt {
	m.e.t.Helper()
	m.umount()
	if wipe {
		m.e.wipeCache()
	}
	m.e.resetRequests()
	return m.e.mount(args...)
}

func TestInboxBudget(t *testing.T) {
	needTool(t, "find", "grep")
	e := newEnv(t, sim.Options{Scale: inboxScale})
	args := append([]string{"--formats", "md,json"}, lasting...)
	m := e.mount(args...)
	e.must("ls")
	for _, c := range lines(e.must("ls")) {
		e.must("ls", c)
	}
	e.budget("mount, ls of the root and of two connections", 2*3)

	m = m.remount(true, args...)
	e.resetRequests()
	inbox := filepath.Join(alice, "mail", "Inbox")
	months := lines(e.must("ls", inbox))
	e.budget("ls of the Inbox", 3)
	if len(months) < 118 || len(months) > 122 {
		t.Errorf("%d months in ten years", len(months))
	}
	month := filepath.Join(inbox, months[len(months)/2])
	listed := lines(e.must("ls", month))
	n := len(listed) / 2
	e.budget("ls of a month", (n+mailPage-1)/mailPage+2)
	e.must("grep", "-rc", "--exclude-dir=*.attachments", "a", month)
	e.budget("grep of a month that is listed", 0)
	// What the kernel holds costs no FUSE request. It may drop a page any time, but not every time.
	for try, was := 0, uint64(0); ; try++ {
		e.must("grep", "-rc", "--exclude-dir=*.attachments", "a", month)
		now, by := m.fuseRequests()
		if now == was {
			break
		}
		if was = now; try == 10 {
			t.Fatalf("a month that was read still costs FUSE requests: %v", by)
		}
	}

	// The whole folder, as people do it.
	m = m.remount(true, args...)
	e.resetRequests()
	grep := []string{"-rc", "--include=*.md", "--exclude-dir=*.attachments", "e", inbox}
	first := e.must("grep", grep...)
	if got := len(lines(first)); got != inboxScale {
		t.Errorf("grep saw %d messages of %d", got, inboxScale)
	}
	_, by := e.requests()
	t.Logf("grep of the whole Inbox:\n%s", routes(by))
	round := by["GET /v1.0/me/mailFolders/{folder}/messages/delta"]
	if round > inboxScale/mailPage {
		t.Errorf("%d pages of a round over %d messages", round, inboxScale)
	}
	e.budget("grep of the whole Inbox", round+5)
	var again string
	// The kernel may have given some of its memory back meanwhile, but hardly every time.
	for try := 1; ; try++ {
		was, _ := m.fuseRequests()
		again = e.must("grep", grep...)
		e.budget("the same again", 0)
		now, asked := m.fuseRequests()
		t.Logf("the same again: %d FUSE requests", now-was)
		if now-was <= inboxScale/20 {
			break
		}
		if try == 5 {
			t.Errorf("the same for the fifth time: %d FUSE requests: %v", now-was, asked)
			break
		}
	}
	if again != first {
		t.Error("two greps differ")
	}

	m = m.remount(false, args...)
	e.resetRequests()
	if again = e.must("grep", grep...); again != first {
		t.Error("grep differs after a remount")
	}
	e.budget("the same after a remount while young", 0)

	// Old listings are brought up to date by one delta each: of the list of folders, and of the Inbox.
	m.umount()
	e.mount("--formats", "md,json", "--max-age", "1ms")
	e.resetRequests()
	e.must("stat", month)
	e.budget("a month after a remount when old", 2)
	_ = m
}

func TestFolderBudget(t *testing.T) {
	needTool(t, "find")
	e := newEnv(t, sim.Options{})
	e.mount(lasting...)
	e.resetRequests()
	mail := filepath.Join(alice, "mail")
	find := []string{mail, "-mindepth", "1", "-type", "d", "(", "-name", "[0-9][0-9][0-9][0-9]-[0-9][0-9]", "-prune", "-o", "-name", "undated", "-prune", "-o", "-print", ")"}
	folders := lines(e.must("find", find...))
	parents, filled := map[string]bool{}, 0
	for _, f := range folders {
		if dir := filepath.Dir(f); dir != mail {
			parents[dir] = true
		}
		entries, err := os.ReadDir(filepath.Join(e.point, f))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if isMonth.MatchString(entry.Name()) {
				filled++
				break
			}
		}
	}
	if len(folders) < 10 || len(parents) == 0 {
		t.Errorf("%d folders, %d with folders within", len(folders), len(parents))
	}
	e.budget("folders of a mailbox", 3+len(parents)+2*filled)
	e.must("find", find...)
	e.budget("folders again", 0)
}

func TestContentBudget(t *testing.T) {
	needTool(t, "find")
	e := newEnv(t, sim.Options{})
	e.features("mail", "calendar", "contacts")
	args := append([]string{"-c", "contoso", "--formats", "md,eml"}, lasting...)
	m := e.mount(args...)
	mail := filepath.Join(alice, "mail", "Inbox")
	emls := lines(e.must("find", mail, "-name", "*.eml"))
	dirs := lines(e.must("find", mail, "-name", "*.attachments", "-prune"))
	if len(emls) < 20 || len(dirs) < 3 {
		t.Fatalf("%d messages, %d with attachments", len(emls), len(dirs))
	}
	e.resetRequests()

	// Reading one eml may read its neighbours ahead, but each once.
	for _, eml := range emls {
		e.must("cat", eml)
	}
	e.budget("every eml", len(emls))
	for _, eml := range emls {
		e.must("stat", eml)
		e.must("cat", eml)
	}
	e.budget("every eml again", 0)

	files := 0
	for _, dir := range dirs {
		if out := e.must("ls", dir); out != "" {
			files += len(lines(out))
		}
	}
	e.budget("entering attachments", len(dirs))
	e.must("grep", append([]string{"-rc", "x"}, dirs...)...)
	e.budget("every attachment", files)
	e.must("grep", append([]string{"-rc", "x"}, dirs...)...)
	e.budget("every attachment again", 0)

	m = m.remount(false, args...)
	e.must("grep", append([]string{"-rc", "x"}, dirs...)...)
	e.must("grep", append([]string{"-c", "x"}, emls...)...)
	e.budget("all of it after a remount", 1+3)
	_ = m
}
