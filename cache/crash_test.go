package cache

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
)

func overwrite(t *testing.T, path string, off int64, with string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(with), off); err != nil {
		t.Fatal(err)
	}
}

const crashEnv = "WORKFS_CACHE_CRASH_DIR"

// TestMain runs the writer that TestKill kills, when asked to.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashEnv); dir != "" {
		if err := writeForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func crashOptions(dir string) Options {
	return Options{CacheDir: filepath.Join(dir, "cache"), StateDir: filepath.Join(dir, "state")}
}

// generation makes the n-th listing: bodies, contents without size, files that leave and come back.
func generation(n int) (es []backends.Entry) {
	for i := range 60 {
		if (i+n)%7 == 0 {
			continue
		}
		e := bodyFile(fmt.Sprint("f", i), fmt.Sprint("v", n/2), fmt.Sprint("body ", i, " of ", n/2, strings.Repeat(" and more", 200)))
		if i%10 == 0 {
			e = userFile(fmt.Sprint("f", i), fmt.Sprint("v", n/2), backends.SizeUnknown)
		}
		if i%3 == 0 {
			e.Mtime = time.Time{}
		}
		es = append(es, e)
	}
	return es
}

func generationContent(id, version string) []byte {
	return []byte(strings.Repeat(id+version, 1000))
}

// writeForEver writes one generation after the other and prints the number of each that has been committed.
func writeForEver(dir string) error {
	c, err := Open(crashOptions(dir))
	if err != nil {
		return err
	}
	f := newFake("scope")
	tree, err := c.Mount([]Connection{{Name: "c", Mounted: []backends.Mounted{{Path: "", Backend: f}}}})
	if err != nil {
		return err
	}
	s, err := c.sinkFor("scope")
	if err != nil {
		return err
	}
	first := 0
	if v, ok := s.Get("generation"); ok {
		if first, err = strconv.Atoi(string(v)); err != nil {
			return err
		}
	}
	root, _, err := tree.Lookup(context.Background(), backends.RootID, "c")
	if err != nil {
		return err
	}
	for n := first + 1; ; n++ {
		es := generation(n)
		for _, e := range es {
			f.content(e.ID, e.Version, generationContent(e.ID, e.Version))
		}
		b := s.Begin("coll")
		if err := b.Add("", es...); err != nil {
			return err
		}
		err := b.Commit(backends.Commit{
			Whole:  []backends.Listing{{Dir: "", MaxAge: -1}},
			Memory: map[string][]byte{"generation": []byte(strconv.Itoa(n))},
		})
		if err != nil {
			return err
		}
		fmt.Println(n)
		err = tree.ReadDir(context.Background(), root.Node, 0, func(d backends.Dirent) bool {
			if d.Attr.Size < 0 {
				_, err = tree.Attr(context.Background(), d.Node)
			}
			return err == nil
		})
		if err != nil {
			return err
		}
		if n%5 == 0 {
			if err := c.sweep(); err != nil {
				return err
			}
		}
	}
}

// TestKill kills the writer again and again: what it has announced is there, whole, and nothing is half there.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	inos := map[string]uint64{}
	for round := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashEnv+"="+dir)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		announced, target := 0, 2+round
		for seen := 0; lines.Scan(); {
			if announced, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(err)
			}
			if seen++; seen == target {
				time.AfterFunc(time.Duration(round)*3*time.Millisecond, func() { cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait() // killed
		if stderr.Len() > 0 {
			t.Fatalf("the writer says: %s", stderr.String())
		}
		checkAfterKill(t, dir, announced, inos)
	}
}

func checkAfterKill(t *testing.T, dir string, announced int, inos map[string]uint64) {
	t.Helper()
	b := &bench{TB: t, f: newFake("scope"), clock: &clock{t: time.Now()}, options: crashOptions(dir)}
	b.options.Now = b.clock.now
	c, err := Open(b.options)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b.c = c
	if b.t, err = c.Mount([]Connection{{Name: "c", Mounted: []backends.Mounted{{Path: "", Backend: b.f}}}}); err != nil {
		t.Fatal(err)
	}
	b.root = b.lookup(backends.RootID, "c").Node
	v, _ := b.sink().Get("generation")
	n, err := strconv.Atoi(string(v))
	if err != nil || n != announced && n != announced+1 {
		t.Fatalf("generation %q after %d was announced", v, announced)
	}
	es := generation(n)
	ds := b.readDir(b.root)
	equal(t, "entries", len(ds), len(es))
	equal(t, "lists", b.f.listed(""), 0)
	for _, e := range es {
		b.f.content(e.ID, e.Version, generationContent(e.ID, e.Version))
		d := b.lookup(b.root, e.Name.Stem)
		if ino, ok := inos[e.ID]; ok && ino != d.Attr.Ino {
			t.Errorf("inode of %s changed", e.ID)
		}
		inos[e.ID] = d.Attr.Ino
		want := e.Body
		if want == nil {
			want = generationContent(e.ID, e.Version)
			equal(t, "size", b.attr(d.Node).Size, int64(len(want)))
		}
		if got := b.read(d.Node); !bytes.Equal(got, want) {
			t.Errorf("%s has %d bytes, want %d", e.ID, len(got), len(want))
		}
	}
	_, entries := b.t.Usage()
	equal(t, "usage", int(entries), len(es))
	if err := c.recover(); err != nil {
		t.Fatal(err)
	}
	checkStore(t, b, nil)
}

func TestDamagedDatabasesAreSetAside(t *testing.T) {
	for _, name := range []string{"meta.db", "bodies.db", "state.db"} {
		for how, damage := range map[string]func(string){
			"overwritten": func(path string) { overwrite(t, path, 0, strings.Repeat("garbage!", 2048)) },
			"cut":         func(path string) { truncate(t, path, 20_000) },
			"emptied":     func(path string) { truncate(t, path, 0) },
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				b := newBench(t)
				var es []backends.Entry
				for i := range 300 {
					es = append(es, bodyFile(fmt.Sprint("f", i), "v1", string(noise(500))))
				}
				b.f.set("", es...)
				before := b.readDir(b.root)
				if err := b.c.Memory("c").Put("k", []byte("v")); err != nil {
					t.Fatal(err)
				}
				if err := b.c.Close(); err != nil {
					t.Fatal(err)
				}
				dir := b.options.CacheDir
				if name == "state.db" {
					dir = b.options.StateDir
				}
				damage(filepath.Join(dir, name))
				b.open()
				after := b.readDir(b.root)
				equal(t, "entries", len(after), 300)
				equal(t, "ino", after[7].Attr.Ino, before[7].Attr.Ino)
				equal(t, "body", string(b.read(after[7].Node)), string(noise(500)))
				aside, err := filepath.Glob(filepath.Join(dir, name+".*.aside"))
				if err != nil || len(aside) != 1 && how != "emptied" {
					t.Errorf("set aside: %v, %v", aside, err)
				}
			})
		}
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func TestDirectoriesArePrivateAndLocked(t *testing.T) {
	b := newBench(t)
	b.f.set("", bodyFile("a", "v1", "x"), userFile("x", "v1", 4))
	b.f.content("id-x", "v1", []byte("1234"))
	b.read(b.lookup(b.root, "x").Node)
	for _, dir := range []string{b.options.CacheDir, b.options.StateDir} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			want := fs.FileMode(0o600)
			if d.IsDir() {
				want = 0o700
			}
			if info.Mode().Perm() != want {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	tag, err := os.ReadFile(filepath.Join(b.options.CacheDir, "CACHEDIR.TAG"))
	if err != nil || !strings.HasPrefix(string(tag), "Signature: 8a477f597d28d172789f06886806bc55\n") {
		t.Errorf("tag %q, %v", tag, err)
	}
	_, err = Open(b.options)
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second open: %v", err)
	}
	equal(t, "the first goes on", string(b.read(b.lookup(b.root, "a").Node)), "x")
}
