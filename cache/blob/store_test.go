package blob

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
)

// open opens a store and waits until it has counted what is there; before, its size leaves out what it has not seen.
func open(t *testing.T, dir string, o Options) *Store {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	<-s.scanned
	return s
}

func put(t *testing.T, s *Store, key string, data []byte) error {
	t.Helper()
	w, err := s.Create(key, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Commit()
}

func get(t *testing.T, s *Store, key string) string {
	t.Helper()
	p := make([]byte, 1<<20)
	n, size, err := s.ReadAt(key, p, 0)
	if errors.Is(err, ErrMissing) {
		return "missing"
	}
	if err != nil || int64(n) != size {
		t.Fatalf("read %s: %d of %d bytes, %v", key, n, size, err)
	}
	return string(p[:n])
}

func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestWriteReadReplaceRemove(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	same(t, "nothing yet", get(t, s, "aa1"), "missing")
	w, err := s.Create("aa1", -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("hello, ")); err != nil {
		t.Fatal(err)
	}
	same(t, "not visible before commit", get(t, s, "aa1"), "missing")
	p := make([]byte, 100)
	n, err := w.ReadAt(p, 2)
	same(t, "what is written so far", fmt.Sprint(string(p[:n]), err), "llo, <nil>")
	if _, err := w.Write([]byte("world")); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	same(t, "content", get(t, s, "aa1"), "hello, world")
	n, size, err := s.ReadAt("aa1", p[:5], 9)
	same(t, "part", fmt.Sprint(string(p[:n]), size, err), "rld12 <nil>")
	n, _, err = s.ReadAt("aa1", p, 12)
	same(t, "at the end", fmt.Sprint(n, err), "0 <nil>")
	n, _, err = s.ReadAt("aa1", p, 1<<40)
	same(t, "past the end", fmt.Sprint(n, err), "0 <nil>")

	if err := put(t, s, "aa1", []byte("other")); err != nil {
		t.Fatal(err)
	}
	same(t, "replaced", get(t, s, "aa1"), "other")
	if err := put(t, s, "bb2", nil); err != nil {
		t.Fatal(err)
	}
	same(t, "empty", get(t, s, "bb2"), "")
	b, c := s.Size()
	same(t, "size", fmt.Sprint(b, c), fmt.Sprint(5+2*footerLen, 2))

	s.Close()
	s = open(t, dir, Options{})
	b, c = s.Size()
	same(t, "size after reopening", fmt.Sprint(b, c), fmt.Sprint(5+2*footerLen, 2))
	same(t, "content after reopening", get(t, s, "aa1"), "other")
	s.Remove("aa1")
	s.Remove("aa1")
	same(t, "removed", get(t, s, "aa1"), "missing")
	if err := s.Clear(); err != nil {
		t.Fatal(err)
	}
	b, c = s.Size()
	same(t, "size when cleared", fmt.Sprint(b, c), "0 0")
}

func TestAbortedLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	w, err := s.Create("aa1", -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	b, c := s.Size()
	same(t, "size", fmt.Sprint(b, c), "0 0")
	if w, err = s.Create("aa2", -1); err != nil { // as if killed
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, dir, Options{})
	same(t, "killed", get(t, s, "aa2"), "missing")
	left, err := os.ReadDir(filepath.Join(dir, tmpDir))
	same(t, "temporary files", fmt.Sprint(left, err), "[] <nil>")
}

func TestDamageIsNoticed(t *testing.T) {
	dir := t.TempDir()
	data := bytes.Repeat([]byte("0123456789"), 1000)
	for name, damage := range map[string]func(*os.File) error{
		"bit":    func(f *os.File) error { _, err := f.WriteAt([]byte("x"), 5000); return err },
		"cut":    func(f *os.File) error { return f.Truncate(9000) },
		"zeroed": func(f *os.File) error { return errors.Join(f.Truncate(0), f.Truncate(10_000+footerLen)) },
		"empty":  func(f *os.File) error { return f.Truncate(0) },
		"longer": func(f *os.File) error { return f.Truncate(20_000) },
	} {
		s := open(t, dir, Options{})
		if err := put(t, s, "aa1", data); err != nil {
			t.Fatal(err)
		}
		s.Close()
		f, err := os.OpenFile(filepath.Join(dir, "aa", "aa1"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(damage(f), f.Close()); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir, Options{})
		same(t, name, get(t, s, "aa1"), "missing")
		_, c := s.Size()
		same(t, name+": count", c, 0)
	}
}

func TestEvictionTakesWhatWasReadLeastRecently(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{MaxSize: 100_000})
	data := make([]byte, 10_000)
	for i := range 9 {
		key := fmt.Sprintf("%02d", i)
		if err := put(t, s, key, data); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(time.Duration(i-100) * time.Minute)
		if err := os.Chtimes(s.path(key), old, old); err != nil {
			t.Fatal(err)
		}
	}
	s.forget("00")
	if get(t, s, "00") == "missing" { // the oldest is read, and so is not the oldest any more
		t.Fatal("00 is missing")
	}
	if err := put(t, s, "new", data); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"00": true, "01": false, "02": false, "03": true, "08": true, "new": true} {
		_, ok := s.Stat(key)
		same(t, key, ok, want)
	}
	b, _ := s.Size()
	same(t, "within the budget", b <= 100_000, true)
	if err := put(t, s, "huge", make([]byte, 100_001)); !errors.Is(err, backends.ErrNoSpace) {
		t.Errorf("a blob larger than the budget: %v", err)
	}
}

func TestMinFree(t *testing.T) {
	free := int64(1000)
	var mu sync.Mutex
	dir := t.TempDir()
	s := open(t, dir, Options{MinFree: 500, Free: func() (int64, error) {
		mu.Lock()
		defer mu.Unlock()
		return free, nil
	}})
	if err := put(t, s, "aa", make([]byte, 500)); err != nil {
		t.Errorf("there is room: %v", err)
	}
	if err := put(t, s, "bb", make([]byte, 501)); !errors.Is(err, backends.ErrNoSpace) {
		t.Errorf("no room: %v", err)
	}
	_, ok := s.Stat("aa")
	same(t, "evicted in vain", ok, false)
	if err := s.FreeFor(500); err != nil {
		t.Errorf("there is room beside: %v", err)
	}
	if err := s.FreeFor(501); !errors.Is(err, backends.ErrNoSpace) {
		t.Errorf("no room beside: %v", err)
	}
}

func TestManyReadersAndWriters(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxSize: 2 << 20})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range 100 {
				n := (i + j) % 150
				key, want := fmt.Sprintf("%03d", n), bytes.Repeat([]byte{byte(n)}, 20_000)
				p := make([]byte, 20_000)
				_, _, err := s.ReadAt(key, p, 0)
				if errors.Is(err, ErrMissing) {
					err = put(t, s, key, want)
					copy(p, want)
				}
				if err != nil || !bytes.Equal(p, want) {
					t.Errorf("%s: %v", key, err)
				}
				if j%30 == 29 {
					s.Remove(key)
				}
			}
		}()
	}
	wg.Wait()
	var bytes, count int64
	if err := s.walk(func(_ string, info os.FileInfo) { bytes += info.Size(); count++ }); err != nil {
		t.Fatal(err)
	}
	b, c := s.Size()
	same(t, "size", fmt.Sprint(b, c), fmt.Sprint(bytes, count))
}
