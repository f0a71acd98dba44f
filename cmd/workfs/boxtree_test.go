package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim"
)

// boxPageSize is how many items a page of a folder has at most.
// https://developer.box.com/reference/get-folders-id-items/
const boxPageSize = 1000

// boxSource makes a directory with some hundred files of the Go tree, odd names, empty files and two large ones.
func boxSource(t *testing.T, dir string) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("SKIPPED: no Go here: %v", err)
	}
	for _, part := range []string{"archive", "bufio", "compress/bzip2", "compress/flate", "encoding/json"} {
		src := filepath.Join(strings.TrimSpace(string(root)), "src", part)
		if _, err := os.Stat(src); err != nil {
			t.Skipf("SKIPPED: no Go source here: %v", err)
		}
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(src)); err != nil {
			t.Fatal(err)
		}
	}
	odd := filepath.Join(dir, "odd names")
	random := rand.NewChaCha8([32]byte{7})
	for i, name := range []string{
		" leading", "trailing ", "trailing dot.", "...", "..a", ".hidden", "-rf", "--help", "~", "a~b", "%2e%2e%2f", "100% $(id) `id` & ;", "quote'd \"twice\"",
		"back\\slash", "colon: star * question ? <a|b>", "Case", "case", "café", "cafe\u0301", "日本語.txt", "עברית.txt", "😀", "zero\u200bwidth", "\ufeffbom",
		"CON", "nul.txt", "~$lock.docx", "desktop.ini", strings.Repeat("x", 255), strings.Repeat("é", 127), "a\u00a0b", "#hash?query=1&b=2", "+", "=", "@",
	} {
		b := make([]byte, i*37%4096)
		if _, err := random.Read(b); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(odd, name), b)
	}
	write(t, filepath.Join(dir, "empty", "one"), nil)
	write(t, filepath.Join(dir, "empty", "two"), nil)
	if err := os.MkdirAll(filepath.Join(dir, "empty", "folder", "in", "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range boxPageSize + 10 { // more than a page
		write(t, filepath.Join(dir, "many", fmt.Sprintf("%04d", i)), nil)
	}
	for name, size := range map[string]int{"9 MiB": 9<<20 + 1, "20 MiB": 20 << 20} {
		b := make([]byte, size)
		if _, err := random.Read(b); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), b)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// boxCost is what reading a directory's files as a Box tree may cost: a page or more per folder, two requests per small
// file, one per 8 MiB and two of a large one.
func boxCost(t *testing.T, dir string) (most, files int, bytes int64) {
	t.Helper()
	children := map[string]int{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		children[filepath.Dir(path)]++
		if d.IsDir() {
			children[path] += 0
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if size := info.Size(); size > 8<<20 {
			most += int((size+8<<20-1)/(8<<20)) + 2
		} else if size > 0 {
			most += 2
		}
		bytes += info.Size()
		files++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(children, filepath.Dir(dir))
	for _, n := range children {
		most += max(1, (n+boxPageSize-1)/boxPageSize)
	}
	return most, files, bytes
}

// TestBoxEqualsDirectory mounts a directory that Box serves, and compares.
func TestBoxEqualsDirectory(t *testing.T) {
	needTool(t, "diff")
	source := filepath.Join(t.TempDir(), "source")
	boxSource(t, source)
	e := newEnv(t, sim.Options{ImportFiles: source})
	m := e.mount("-c", "box")
	most, files, size := boxCost(t, source)
	e.resetRequests()
	if out, stderr, code := e.tool("diff", "-r", source, m.path("box", "files")); code != 0 {
		t.Fatalf("diff -r: exit %d\n%s%s", code, head(out, 20), head(stderr, 20))
	}
	s := e.sim.World().Stats.Snapshot()
	var served int64
	for route, n := range s.Bytes {
		if strings.Contains(route, "{version}") || strings.Contains(route, "ontent") || strings.Contains(route, "ownload") {
			served += n
			t.Logf("%d bytes by %s", n, route)
		}
	}
	// The redirects have bodies of no size.
	if served != size {
		t.Errorf("%d bytes of content were served, the %d files have %d: no byte should come twice", served, files, size)
	}
	e.budget(fmt.Sprintf("diff -r of %d files", files), most+5)
	if out, stderr, code := e.tool("diff", "-r", source, m.path("box", "files")); code != 0 {
		t.Fatalf("second diff -r: exit %d\n%s%s", code, head(out, 20), head(stderr, 20))
	}
	e.budget("second diff -r", 2)

	// What is read from the middle or past the end is what the file has there.
	want, err := os.ReadFile(filepath.Join(source, "20 MiB"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(m.path("box", "files", "20 MiB"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, at := range []int64{0, 1, 8<<20 - 1, 8 << 20, 20<<20 - 7, 20 << 20, 30 << 20} {
		got := make([]byte, 100)
		n, _ := f.ReadAt(got, at) // io.EOF at the end is what the length tells
		expect := want[min(at, int64(len(want))):min(at+100, int64(len(want)))]
		if !bytes.Equal(got[:n], expect) {
			t.Errorf("read at %d gives %d bytes that differ", at, n)
		}
	}
}
