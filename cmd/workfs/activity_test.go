package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/activity"
	"github.com/workfs/workfs/backends/sim"
)

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"2h":                   now.Add(-2 * time.Hour),
		"3d":                   now.Add(-72 * time.Hour),
		"2026-11-01":           time.Date(2026, 11, 1, 0, 0, 0, 0, time.Local),
		"2026-11-01 09:30":     time.Date(2026, 11, 1, 9, 30, 0, 0, time.Local),
		"2026-11-01T09:30:00Z": time.Date(2026, 11, 1, 9, 30, 0, 0, time.UTC),
	} {
		if got, err := parseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "-2h", "2026-13-01"} {
		if got, err := parseSince(text, now); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestActivityLine(t *testing.T) {
	r := &activity.Record{
		Time: time.Date(2026, 11, 20, 12, 0, 0, 0, time.Local), Action: "renamed", Path: "box/files/new\x1b[2J", OldPath: "box/files/old",
		Type: "directory", By: "long poll", Lag: 12.4,
	}
	const want = "2026-11-20 12:00:00  renamed   /mnt/box/files/old -> /mnt/box/files/new?[2J/  (long poll, 12ms)"
	if got := activityLine("/mnt", r); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestActivity: what is uploaded to Box shows in the tree, in activity.jsonl, in `workfs activity` and to who follows it.
func TestActivity(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount()
	e.must("find", "box/files")
	m.awaitLive(e.boxFolder(m))
	follow := e.command("activity", "--follow", m.path("box"))
	out, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = follow.Process.Kill()
		_ = follow.Wait()
	})
	lines := bufio.NewScanner(out)

	e.cloud().upload("0", "first.txt", "", "one")
	e.poll("the upload in the tree", func() bool {
		b, err := os.ReadFile(m.path("box/files/first.txt"))
		return err == nil && string(b) == "one"
	})
	if !lines.Scan() {
		t.Fatalf("activity --follow ended: %v", lines.Err())
	}
	if line := lines.Text(); !strings.Contains(line, "created   "+m.path("box/files/first.txt")) || !strings.Contains(line, "(long poll") {
		t.Errorf("activity --follow printed %q", line)
	}
	file, err := os.ReadFile(m.path(".workfs/activity.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	printed, stderr, code := e.workfs("activity", "--json", "--since", "1h")
	if code != 0 || printed != string(file) {
		t.Errorf("activity --json: exit %d %s, printed %q, the file has %q", code, stderr, printed, file)
	}
	var r activity.Record
	last := printed[strings.LastIndexByte(strings.TrimSuffix(printed, "\n"), '\n')+1:]
	if err := json.Unmarshal([]byte(last), &r); err != nil {
		t.Fatalf("%q: %v", last, err)
	}
	if r.Action != "created" || r.Path != "box/files/first.txt" || r.Type != "file" || r.Connection != "box" || r.By != "long poll" || r.ID == "" || r.Time.IsZero() {
		t.Errorf("record %+v", r)
	}
	for _, args := range [][]string{{"--connection", "contoso"}, {"--since", "2099-01-01"}, {"--subscription", "none"}} {
		if out, _, code := e.workfs(append([]string{"activity"}, args...)...); code != 0 || out != "" {
			t.Errorf("activity %q: exit %d, %q", args, code, out)
		}
	}
	if out, _, code := e.workfs("activity", filepath.Dir(m.path())); code == 0 {
		t.Errorf("activity outside of a mount: %q", out)
	}
	e.expect(2, []string{"not a time"}, "activity", "--since", "soon")
	m.umount()
	info, err := os.Stat(filepath.Join(e.state, "activity.jsonl"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the log: %v %v", info, err)
	}
}

// boxFolder gives a folder of Box that is right until a change is told of. The root is not such a one: who is let into a
// folder gets it there without an event.
func (e *env) boxFolder(m *mnt) string {
	e.t.Helper()
	list, err := os.ReadDir(m.path("box/files"))
	if err != nil {
		e.t.Fatal(err)
	}
	for _, entry := range list {
		path := "box/files/" + entry.Name()
		if entry.IsDir() && !strings.Contains(entry.Name(), "(") { // those with a remark in their name are odd
			if len(m.entries(path)) > 0 {
				return path
			}
		}
	}
	e.t.Fatal("no folder in box/files")
	return ""
}
