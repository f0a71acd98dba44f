package activity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func open(t *testing.T, dir string, maxSize int64) *Log {
	t.Helper()
	l, err := Open(dir, maxSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func paths(t *testing.T, l *Log, f Filter) []string {
	t.Helper()
	var got []string
	err := l.Read(t.Context(), f, false, func(r *Record) bool {
		got = append(got, r.Path)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFilter(t *testing.T) {
	l := open(t, t.TempDir(), 0)
	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	err := l.Append(
		Record{Time: at, Action: "created", Path: "contoso/outlook/a", Connection: "contoso", Subscription: "s1"},
		Record{Time: at.Add(time.Minute), Action: "moved", Path: "box/files/new", OldPath: "box/files/sub/old", Connection: "box"},
		Record{Time: at.Add(2 * time.Minute), Action: "removed", Path: "box/files/subway", Connection: "box"},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		filter Filter
		want   []string
	}{
		{"all", Filter{}, []string{"contoso/outlook/a", "box/files/new", "box/files/subway"}},
		{"since", Filter{Since: at.Add(time.Minute)}, []string{"box/files/new", "box/files/subway"}},
		{"subscription", Filter{Subscription: "s1"}, []string{"contoso/outlook/a"}},
		{"connection", Filter{Connection: "box"}, []string{"box/files/new", "box/files/subway"}},
		{"below the old place", Filter{Below: "box/files/sub"}, []string{"box/files/new"}},
		{"the path itself", Filter{Below: "box/files/subway"}, []string{"box/files/subway"}},
	} {
		if got := paths(t, l, test.filter); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestTornLine(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 0)
	if err := l.Append(Record{Path: "one"}, Record{Path: "two"}); err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	path := filepath.Join(dir, fileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(whole); cut >= 0; cut-- {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(Record{Path: "three"}); err != nil {
			t.Fatal(err)
		}
		want := strings.Fields(strings.Repeat("one two", 1))[:strings.Count(string(whole[:cut]), "\n")]
		if got := paths(t, l, Filter{}); !slices.Equal(got, append(want, "three")) {
			t.Errorf("cut at %d: %q", cut, got)
		}
		_ = l.Close()
	}
}

func TestBounded(t *testing.T) {
	dir := t.TempDir()
	const bound = 4000
	l := open(t, dir, bound)
	for i := range 500 {
		if err := l.Append(Record{Action: "created", Path: fmt.Sprint("file", i)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{fileName, oldName} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > bound || info.Size() == 0 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, mode %v", name, info.Size(), info.Mode())
		}
	}
	got := paths(t, l, Filter{})
	for i, p := range got {
		if want := fmt.Sprint("file", 500-len(got)+i); p != want {
			t.Fatalf("record %d is %s, want %s", i, p, want)
		}
	}
	if len(got) < 20 {
		t.Errorf("only %d records are kept", len(got))
	}
}

// A follower gets every record once, in order, over many rotations that it keeps up with.
func TestFollow(t *testing.T) {
	l := open(t, t.TempDir(), 2000)
	const total = 300
	seen := make(chan string)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- l.Read(ctx, Filter{}, true, func(r *Record) bool {
			seen <- r.Path
			return true
		})
	}()
	for i := range total {
		want := fmt.Sprint("file", i)
		if err := l.Append(Record{Path: want}); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-seen:
			if got != want {
				t.Fatalf("%s came, want %s", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s did not come", want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Who falls behind by more than the log keeps is told so.
func TestFollowBehind(t *testing.T) {
	l := open(t, t.TempDir(), 2000)
	if err := l.Append(Record{Path: "first"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := l.Read(t.Context(), Filter{}, true, func(r *Record) bool {
		if r.Path == "first" {
			for i := range 300 {
				if err := l.Append(Record{Path: fmt.Sprint(i)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		got = append(got, r.Action+r.Path)
		return r.Path != "299"
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(got, "many") {
		t.Errorf("nothing says that records were lost: %q", got)
	}
}

func TestReadAt(t *testing.T) {
	l := open(t, t.TempDir(), 0)
	if err := l.Append(Record{Path: "a"}); err != nil {
		t.Fatal(err)
	}
	size, generation, _ := l.Size()
	p := make([]byte, size+10)
	if n, err := l.ReadAt(generation, p, 0); int64(n) != size || err != io.EOF || p[n-1] != '\n' {
		t.Errorf("read %d of %d: %v", n, size, err)
	}
	if n, err := l.ReadAt(generation, p, size); n != 0 || err != io.EOF {
		t.Errorf("read at the end: %d, %v", n, err)
	}
	grown := l.Grown()
	if err := l.Append(Record{Path: "b"}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-grown:
	default:
		t.Error("nothing says that it grew")
	}
	if now, g, _ := l.Size(); now <= size || g != generation {
		t.Errorf("size %d after %d, generation %d after %d", now, size, g, generation)
	}
}

// A generation stays readable until the next but one begins.
func TestReadAtOfTheGenerationBefore(t *testing.T) {
	l := open(t, t.TempDir(), 2000)
	texts := map[uint64]string{}
	last := uint64(0)
	for i := 0; last < 4; i++ {
		if err := l.Append(Record{Path: fmt.Sprint("file", i)}); err != nil {
			t.Fatal(err)
		}
		size, generation, _ := l.Size()
		p := make([]byte, size)
		if _, err := l.ReadAt(generation, p, 0); err != nil {
			t.Fatal(err)
		}
		texts[generation], last = string(p), generation
	}
	for generation, text := range texts {
		p := make([]byte, 3000)
		n, err := l.ReadAt(generation, p, 0)
		if generation < 3 {
			if n != 0 || !errors.Is(err, os.ErrNotExist) {
				t.Errorf("generation %d: %d bytes, %v", generation, n, err)
			}
		} else if string(p[:n]) != text || err != io.EOF {
			t.Errorf("generation %d: %q, %v, want %q", generation, p[:n], err, text)
		}
	}
}
