package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/workfs/workfs/backends/sim"
)

// refusedNames are what the services of the simulated company refuse to give, by design: no permission to download, malware,
// an item that is broken at the service. They are patterns as the tools' --exclude takes them.
var refusedNames = []string{"States", "Contract review (preview only)", "Drop box", "*_Corrupt~*.eml", "invoice_scan.exe"}

// excludes gives --exclude options for what is refused, and for what is only big.
func excludes() []string {
	var args []string
	for _, name := range append([]string{"Many files", "Large"}, refusedNames...) {
		args = append(args, "--exclude="+name)
	}
	return args
}

// backedUp lists what the backup tests read, as seen from the mount's root: everything but most of Teams, which answers one
// request per second.
func backedUp(t *testing.T, m *mnt) []string {
	t.Helper()
	chats := filepath.Join("contoso", "teams", "chats")
	entries, err := os.ReadDir(m.path(chats))
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d chats, %v", len(entries), err)
	}
	general := filepath.Join("contoso", "teams", "channels", "Engineering", "General")
	// SharePoint states a wrong size for one file, which the first reader learns by ESTALE.
	if _, err := os.ReadFile(m.path(general, "files", "Promoted properties.docx")); !errors.Is(err, syscall.ESTALE) && err != nil {
		t.Fatal(err)
	}
	return []string{"box", "contoso/outlook", "contoso/directory", general, filepath.Join(chats, entries[0].Name())}
}

// TestRestic backs the mount up twice; the second time there is nothing to do.
func TestRestic(t *testing.T) {
	// Not in parallel: other mounts would take its device number.
	needTool(t, "restic")
	e := newEnv(t, sim.Options{})
	restic := func(args ...string) string {
		cmd := exec.Command("restic", append([]string{"--no-cache", "-r", e.path("repo")}, args...)...)
		cmd.Dir = e.point // what is above the mount is not ours
		cmd.Env = append(e.environ(), "RESTIC_PASSWORD=correct horse")
		stdout, stderr, code := run(t, cmd)
		if code != 0 {
			t.Fatalf("restic %s: exit %d\n%s", args[0], code, head(stderr, 20))
		}
		return stdout
	}
	type summary struct {
		Type            string `json:"message_type"`
		FilesNew        int    `json:"files_new"`
		FilesChanged    int    `json:"files_changed"`
		FilesUnmodified int    `json:"files_unmodified"`
		DirsNew         int    `json:"dirs_new"`
		DirsChanged     int    `json:"dirs_changed"`
		Bytes           int64  `json:"total_bytes_processed"`
		DataAdded       int64  `json:"data_added"`
	}
	backup := func(m *mnt) summary {
		args := append([]string{"backup", "--json", "--host", "test"}, excludes()...)
		all := lines(restic(append(args, backedUp(t, m)...)...))
		var s summary
		if err := json.Unmarshal([]byte(all[len(all)-1]), &s); err != nil || s.Type != "summary" {
			t.Fatalf("restic says %q (%v)", all[len(all)-1], err)
		}
		return s
	}
	// changes lists what differs between the two snapshots, with all that restic knows of it.
	changes := func() string {
		var out strings.Builder
		var ids []string
		for _, line := range lines(restic("snapshots", "--compact")) {
			if id, _, _ := strings.Cut(line, " "); len(id) == 8 && id != "ID" && !strings.Contains(id, "-") {
				ids = append(ids, id)
			}
		}
		if len(ids) < 2 {
			return "no two snapshots"
		}
		changed := restic("diff", "--metadata", ids[0], ids[1])
		out.WriteString(head(changed, 40))
		before, after := lines(restic("ls", "--json", ids[0])), lines(restic("ls", "--json", ids[1]))
		for _, line := range after {
			if !slices.Contains(before, line) {
				out.WriteString("\nis  " + line)
			}
		}
		for _, line := range before {
			if !slices.Contains(after, line) {
				out.WriteString("\nwas " + line)
			}
		}
		return head(out.String(), 80)
	}
	restic("init")
	args := append([]string{"--preset", "compliance"}, lasting...)
	m := e.mount(args...)
	first := backup(m)
	t.Logf("first: %+v", first)
	if first.FilesNew < 1500 || first.FilesChanged != 0 {
		t.Errorf("first backup: %+v", first)
	}
	// The kernel gives each mount a device number, the lowest that is free, and this restic stores it with directories.
	// Other tests mount, too, so it takes some tries to get the same one.
	device := deviceOf(t, m.point)
	for try := 0; ; try++ {
		m = m.remount(false, args...)
		if try == 10 || deviceOf(t, m.point) == device {
			break
		}
	}
	second := backup(m)
	t.Logf("second: %+v", second)
	if second.FilesNew != 0 || second.FilesChanged != 0 || second.FilesUnmodified != first.FilesNew || second.DirsNew != 0 {
		t.Errorf("nothing has changed, but the second backup says %+v\n%s", second, changes())
	}
	if deviceOf(t, m.point) != device {
		t.Log("the mount has another device number: what restic says of directories is not looked at")
	} else if second.DirsChanged != 0 || second.DataAdded != 0 {
		t.Errorf("no directory has changed, but the second backup says %+v\n%s", second, changes())
	}
	e.budget("the second backup", 0)

	// What comes back is what the mount shows.
	restic("restore", "latest", "--target", e.path("restored"))
	if out, stderr, code := e.tool("diff", "-r", m.path("contoso", "directory"), e.path("restored", "contoso", "directory")); code != 0 {
		t.Errorf("restored files differ:\n%s%s", head(out, 10), head(stderr, 10))
	}
}

// deviceOf gives the device number of a mount.
func deviceOf(t *testing.T, point string) uint64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(point, &st); err != nil {
		t.Fatal(err)
	}
	return uint64(st.Dev)
}

// TestBorg does the same with another tool.
func TestBorg(t *testing.T) {
	t.Parallel()
	needTool(t, "borg")
	e := newEnv(t, sim.Options{})
	e.features("mail", "calendar", "contacts", "directory", "presence")
	borg := func(args ...string) (stdout, stderr string) {
		cmd := exec.Command("borg", args...)
		cmd.Env = append(e.environ(), "BORG_REPO="+e.path("repo"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes", "BORG_RELOCATED_REPO_ACCESS_IS_OK=yes")
		stdout, stderr, code := run(t, cmd)
		if code != 0 {
			t.Fatalf("borg %s: exit %d\n%s", args[0], code, head(stderr, 20))
		}
		return stdout, stderr
	}
	create := func(m *mnt, name string) []string {
		args := []string{"create", "--list", "--filter", "AMCE"}
		for _, name := range refusedNames {
			args = append(args, "--exclude", "sh:**/"+name)
		}
		_, stderr := borg(append(args, "::"+name, m.path("contoso"))...)
		// Borg keeps no time before 1970, so it reads such files every time.
		return slices.DeleteFunc(lines(strings.TrimSpace(stderr)), func(line string) bool { return strings.Contains(line, "/1969-") })
	}
	borg("init", "--encryption", "none")
	args := append([]string{"-c", "contoso", "--formats", "md,eml"}, lasting...)
	m := e.mount(args...)
	first := create(m, "first")
	if len(first) < 1000 {
		t.Errorf("the first backup read %d files", len(first))
	}
	m = m.remount(false, args...)
	// Borg never trusts the files with the newest ctime: one message in two formats.
	if second := create(m, "second"); len(second) > 2 {
		t.Errorf("the second backup read %d files:\n%s", len(second), head(strings.Join(second, "\n"), 20))
	} else {
		t.Logf("read the second time: %q", second)
	}
}
