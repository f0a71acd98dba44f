package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// TestSync: after a sync a subtree is walked without a request, with --contents also read, and what is new since shows.
func TestSync(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount("--formats", "md,eml", "--poll-interval", "0")
	mail := m.path(alice, "mail")

	counted := regexp.MustCompile(`^(\d+) of (\d+) directories, (\d+) files\n$`).FindStringSubmatch(e.expect(0, nil, "sync", mail))
	dirs := len(strings.Fields(e.must("find", mail, "-type", "d", "-printf", "x\n")))
	if counted == nil || counted[1] != strconv.Itoa(dirs) || counted[2] != counted[1] || counted[3] == "0" {
		t.Errorf("sync counts %q, there are %d directories", counted, dirs)
	}
	e.quiet()
	e.must("find", mail)
	e.budget("a walk after sync", 0)

	inbox := m.path(alice, "mail/Inbox")
	lines := strings.Split(strings.TrimSpace(e.expect(0, nil, "sync", "--contents", "--json", inbox)), "\n")
	var last syncReport
	for i, line := range lines {
		last = syncReport{}
		if err := json.Unmarshal([]byte(line), &last); err != nil || last.Done != (i == len(lines)-1) {
			t.Fatalf("line %d of %d is %q (%v)", i+1, len(lines), line, err)
		}
	}
	files := len(strings.Fields(e.must("find", inbox, "-type", "f", "-printf", "x\n")))
	if int(last.FilesKnown) != files || last.Files != last.FilesKnown || last.Bytes == 0 || last.Bytes != last.BytesKnown || last.Errors != 0 || last.Directories == 0 || last.Directories != last.DirectoriesKnown {
		t.Errorf("sync --contents ends with %+v, there are %d files", last, files)
	}
	e.quiet()
	e.must("grep", "-rc", "Subject", inbox)
	e.budget("reading all after sync --contents", 0)

	// Whatever age listings have, sync asks.
	e.cloud().message("inbox", "Came after the walk", "text")
	e.expect(0, []string{" directories, "}, "sync", inbox)
	if found := e.must("find", mail, "-name", "*Came-after-the-walk*.md"); strings.Count(found, "\n") != 1 {
		t.Errorf("after a sync the new message is %q", found)
	}

	// One mail of this folder is broken at the service.
	e.expect(1, []string{alice + "/mail/Odds & ends/", "ErrorCorruptData"}, "sync", "--contents", mail+"/Odds & ends")

	e.expect(3, []string{"in no workfs mount"}, "sync", e.dir)
	e.expect(3, []string{"not found"}, "sync", m.path(alice, "nothing"))
	e.expect(2, []string{"write workfs sync PATH"}, "sync")
}

// TestSyncFailure: what fails is named with its path and does not keep the rest from being done.
func TestSyncFailure(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount()
	const folder = "box/files/Board papers"
	e.faults(core.FaultRule{Route: "GET /2.0/folders/" + m.info(folder).Item.ServiceID + "/items", Status: http.StatusForbidden})
	stdout, stderr, code := e.workfs("sync", m.path("box/files"))
	if code != codeRefused || !strings.Contains(stderr, folder) || !strings.Contains(stdout, ", 1 failed\n") {
		t.Errorf("exit %d, printed %q, said %q", code, stdout, stderr)
	}
}

// TestSyncInterrupted: Ctrl-C ends a sync, not the mount.
func TestSyncInterrupted(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount()
	e.must("ls", "box/files")
	e.faults(core.FaultRule{Route: "GET /2.0/folders/{folder_id}/items", Delay: core.Duration(10 * time.Minute)})
	e.resetRequests()
	cmd := e.command("sync", m.path("box/files"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e.poll("a request of sync", func() bool {
		_, by := e.requests()
		listings := 0
		for route, n := range by {
			if strings.Contains(route, "/items") {
				listings += n
			}
		}
		return listings > 0
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(patience, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
	defer kill.Stop()
	_ = cmd.Wait() // the code is read from ProcessState
	if code := cmd.ProcessState.ExitCode(); code != codeInterrupted || !strings.HasSuffix(stderr.String(), "workfs: interrupted\n") {
		t.Errorf("exit %d, says %q", code, &stderr)
	}
	e.faults()
	if got := e.must("ls"); got != "box\ncontoso\n" {
		t.Errorf("after an interrupted sync, ls gives %q", got)
	}
	e.expect(0, []string{" directories, "}, "sync", m.path("box/files"))
}
