package backendtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/workfs/workfs/backends"
)

// Tree is what a walk found.
type Tree struct {
	// Dirs are the keys of all directories by path; the root is "".
	Dirs map[string]backends.DirKey
	// Entries are all entries by path.
	Entries map[string]backends.Entry
	// Refused are the directories whose listing failed with ErrForbidden, by path.
	Refused map[string]error
}

// Paths gives the paths of the directories that could be listed, ordered, parents first.
func (t *Tree) Paths() []string {
	var all []string
	for p := range t.Dirs {
		if t.Refused[p] == nil {
			all = append(all, p)
		}
	}
	slices.Sort(all)
	return all
}

// Walk lists everything below a path ("" for all) into sink and checks what it finds: names, identities, versions.
// skip, if given, leaves out directories.
func Walk(t testing.TB, b backends.Backend, sink *Sink, skip func(path string) bool) *Tree {
	t.Helper()
	tree := &Tree{Dirs: map[string]backends.DirKey{"": ""}, Entries: map[string]backends.Entry{}, Refused: map[string]error{}}
	ids, keys := map[string]string{}, map[backends.DirKey]string{"": ""}
	queue := []string{""}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		dir := tree.Dirs[at]
		if !sink.Dir(dir).Whole {
			if err := b.List(t.Context(), dir, sink); err != nil {
				if !errors.Is(err, backends.ErrForbidden) || at == "" {
					t.Fatalf("listing %q: %v", at, err)
				}
				tree.Refused[at] = err
				continue
			}
		}
		named := sink.Names(dir)
		entries, whole := sink.Entries(dir)
		if !whole {
			t.Fatalf("listing %q succeeded without making it whole", at)
		}
		if len(named) != len(entries) {
			t.Errorf("%q: %d entries have %d names", at, len(entries), len(named))
		}
		for name, e := range named {
			p := path.Join(at, name)
			checkName(t, p, name)
			if other, ok := ids[e.ID]; ok {
				t.Errorf("%q and %q have the identity %q", other, p, e.ID)
			}
			ids[e.ID] = p
			tree.Entries[p] = e
			if !e.IsDir {
				continue
			}
			if other, ok := keys[e.Dir]; ok {
				t.Errorf("%q and %q are the directory %q", other, p, e.Dir)
				continue
			}
			keys[e.Dir] = p
			if skip == nil || !skip(p) {
				tree.Dirs[p] = e.Dir
				queue = append(queue, p)
			}
		}
	}
	for _, problem := range sink.Problems() {
		t.Error(problem)
	}
	return tree
}

func checkName(t testing.TB, p, name string) {
	t.Helper()
	if name == "" || name == "." || name == ".." || len(name) > 255 || !utf8.ValidString(name) || strings.ContainsAny(name, "/\x00") {
		t.Errorf("%q is not a name", p)
	}
}

// Read fetches a file whole. Bodies that came with the listing are given as they are.
func Read(ctx context.Context, b backends.Backend, e backends.Entry) ([]byte, error) {
	if e.Body != nil {
		return e.Body, nil
	}
	return ReadRange(ctx, b, e, 0, -1)
}

// ReadRange fetches n bytes from off (n < 0: to the end) and checks what the answer says of itself.
func ReadRange(ctx context.Context, b backends.Backend, e backends.Entry, off, n int64) ([]byte, error) {
	got, err := b.Fetch(ctx, backends.File{ID: e.ID, Version: e.Version, Ref: e.Ref, Size: e.Size}, off, n)
	if err != nil {
		return nil, err
	}
	defer got.Close()
	data, err := io.ReadAll(got)
	if err != nil {
		return nil, err
	}
	if got.Off != off && got.Off != 0 {
		return nil, fmt.Errorf("asked for bytes from %d, got them from %d", off, got.Off)
	}
	if off == 0 && n < 0 && got.Total >= 0 && int64(len(data)) != got.Total {
		return nil, fmt.Errorf("got %d bytes of a content that is said to have %d", len(data), got.Total)
	}
	if skip := off - got.Off; skip > 0 {
		data = data[min(skip, int64(len(data))):]
	}
	if n >= 0 {
		data = data[:min(n, int64(len(data)))]
	}
	return data, nil
}

// same tells where two listings of one directory differ, "" if nowhere.
func same(a, b []backends.Entry) string {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return fmt.Sprintf("%q is new", b[i].ID)
		case i >= len(b):
			return fmt.Sprintf("%q is gone", a[i].ID)
		}
		x, y := a[i], b[i]
		bodies := bytes.Equal(x.Body, y.Body) && (x.Body == nil) == (y.Body == nil)
		x.Body, y.Body = nil, nil
		if left, right := fmt.Sprintf("%+v", x), fmt.Sprintf("%+v", y); left != right || !bodies {
			return fmt.Sprintf("%s\nis now %s (same body: %v)", left, right, bodies)
		}
	}
	return ""
}
