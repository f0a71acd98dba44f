package mounts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	table := `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
40 22 0:35 / /mnt/with\040space\134x rw,nosuid shared:9 master:1 - fuse.workfs workfs#a\040b ro,user_id=0
short line
`
	got, err := parse(strings.NewReader(table))
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	want := Mount{ID: "40", Point: `/mnt/with space\x`, Type: "fuse.workfs", Source: "workfs#a b"}
	if got[1] != want {
		t.Errorf("got %+v, want %+v", got[1], want)
	}
}

func TestPrepareRefuses(t *testing.T) {
	base := t.TempDir()
	mk := func(parts ...string) string {
		dir := filepath.Join(append([]string{base}, parts...)...)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	cache := mk("cache")
	inside := mk("cache", "inside")
	full := mk("full")
	file := filepath.Join(full, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	around := mk("around")
	link := filepath.Join(base, "link")
	if err := os.Symlink(inside, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir      string
		reserved string
		want     string
	}{
		{filepath.Join(base, "none"), cache, "does not exist"},
		{file, cache, "not a directory"},
		{full, cache, "not empty"},
		{inside, cache, "overlaps"},
		{cache, cache, "overlaps"},
		{link, cache, "overlaps"},
		{around, filepath.Join(around, "later/cache"), "overlaps"},
	} {
		if _, err := Prepare(c.dir, false, c.reserved); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.dir, err, c.want)
		}
	}
	if got, err := Prepare(full, true, cache); err != nil || got != full {
		t.Errorf("allowed non-empty: %s %v", got, err)
	}
	if got, err := Prepare(around, false, cache, filepath.Join(base, "aroundish")); err != nil || got != around {
		t.Errorf("a good one: %s %v", got, err)
	}
}

func TestOfFindsNoMount(t *testing.T) {
	if _, _, err := Of(t.TempDir()); err == nil || !strings.Contains(err.Error(), "in no workfs mount") {
		t.Errorf("got %v", err)
	}
}
