package fs_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/workfs/workfs/activity"
	"github.com/workfs/workfs/fs"
)

// tail runs `tail -f` on a file and gives the lines that it prints.
func tail(t *testing.T, path string) <-chan string {
	t.Helper()
	cmd := exec.Command("tail", "-n", "+1", "-f", "-s", "0.05", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 10_000)
	go func() {
		defer close(lines)
		in := bufio.NewScanner(out)
		for in.Scan() {
			lines <- in.Text()
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range lines {
		}
	})
	return lines
}

// A log grows under those who read it: every byte of it shows, none of them as what was behind the end before.
func TestVirtualLog(t *testing.T) {
	state := t.TempDir()
	const bound = 64 << 10
	log, err := activity.Open(state, bound)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	add := func(path string) {
		if err := log.Append(activity.Record{Action: "created", Path: path}); err != nil {
			t.Fatal(err)
		}
	}
	add("before the mount")
	dir, _ := mount(t, newMemTree(), func(o *fs.Options) {
		o.Virtual = []fs.VirtualFile{{Name: "activity.jsonl", Log: log}}
	})
	path := filepath.Join(dir, fs.VirtualDirName, "activity.jsonl")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := tail(t, path)
	expect := func(what string) {
		t.Helper()
		line := <-lines
		if !strings.Contains(line, `"path":"`+what+`"`) || strings.Contains(line, "\x00") {
			t.Fatalf("tail printed %q, want %s", line, what)
		}
	}
	expect("before the mount")
	for i := range 90 {
		what := fmt.Sprint("file", i)
		add(what)
		if i%3 == 0 {
			continue // several at a time
		}
		if i%3 == 2 {
			expect(fmt.Sprint("file", i-2))
			expect(fmt.Sprint("file", i-1))
			expect(what)
		}
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) || after.Size() <= before.Size() {
		t.Errorf("inode or size: %v, then %v", before, after)
	}
	// Begun anew, it holds the latest records and nothing of what was there before.
	old, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(old), `"file89"`) {
		t.Fatalf("%v %q", err, old)
	}
	big := strings.Repeat("x", 1000)
	for range bound / 1000 {
		add(big)
	}
	add("last")
	eventually(t, "the last record of a file that was begun anew", func() bool {
		text, err := os.ReadFile(path)
		if errors.Is(err, syscall.ESTALE) {
			return false // in the moment of the switch
		}
		if err != nil {
			t.Fatal(err)
		}
		// What was there before may show for a moment longer, but only whole.
		mixed := strings.Contains(string(text), `"file89"`) && len(text) < bound/2 && string(text) != string(old)
		if strings.ContainsRune(string(text), 0) || mixed {
			t.Fatalf("old bytes show: %d bytes, %d zeros, from %.100q to %q", len(text), strings.Count(string(text), "\x00"), text, text[max(0, len(text)-100):])
		}
		return strings.HasSuffix(string(text), "\n") && strings.Contains(string(text), `"path":"last"`) && len(text) < bound
	})
	for line := range lines {
		if strings.Contains(line, `"path":"last"`) {
			break
		}
	}
}
