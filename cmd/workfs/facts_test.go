package main

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/cache"
)

func errorIs(err error, errno syscall.Errno) bool { return errors.Is(err, errno) }

// TestVirtualFiles: .workfs is not listed, opens by name, and tells what it is for.
func TestVirtualFiles(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount()
	if got := e.must("ls", "-A"); got != "box\ncontoso\n" {
		t.Errorf("ls -A gives %q", got)
	}
	names := strings.Fields(e.must("ls", ".workfs"))
	for _, name := range []string{"README.md", "status.json", "coverage.md"} {
		if !slices.Contains(names, name) {
			t.Errorf("no %s in %v", name, names)
		}
	}
	var before, after mountStatus
	if err := json.Unmarshal([]byte(read(t, m.path(".workfs/status.json"))), &before); err != nil || before.Mountpoint != m.point || len(before.Connections) != 2 {
		t.Errorf("status.json: %+v (%v)", before, err)
	}
	e.must("ls", alice+"/mail/Inbox")
	if err := json.Unmarshal([]byte(read(t, m.path(".workfs/status.json"))), &after); err != nil || after.Cache.Entries <= before.Cache.Entries {
		t.Errorf("status.json after a look at the mail: %+v (%v)", after, err)
	}
	if got := read(t, m.path(".workfs/coverage.md")); !strings.Contains(got, "What is not shown") {
		t.Errorf("coverage.md: %q", head(got, 3))
	}
	m.umount()
}

// TestXattrs: attributes are there with --xattrs, agree with info, and are not there without.
func TestXattrs(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount("-c", "contoso", "--xattrs")
	file := m.newest("*.md")
	get := func(name string) (string, error) {
		b := make([]byte, 4096)
		n, err := syscall.Getxattr(file, name, b)
		return string(b[:max(n, 0)]), err
	}
	var info cache.FileInfo
	if err := json.Unmarshal([]byte(e.expect(0, nil, "info", "--json", file)), &info); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"id": info.Item.ServiceID, "etag": info.Item.ETag, "web_url": info.Item.WebURL, "from": info.Item.From, "version": info.Version,
	} {
		if got, err := get("user.workfs." + name); err != nil || got != want || want == "" {
			t.Errorf("user.workfs.%s is %q (%v), info says %q", name, got, err, want)
		}
	}
	b := make([]byte, 4096)
	n, err := syscall.Listxattr(file, b)
	if err != nil || !strings.Contains(string(b[:max(n, 0)]), "user.workfs.id\x00") {
		t.Errorf("listxattr gives %q (%v)", b[:max(n, 0)], err)
	}
	if _, err := get("user.workfs.nothing"); !errorIs(err, syscall.ENODATA) {
		t.Errorf("an unknown attribute: %v", err)
	}
	m.umount()
	m = e.mount("-c", "contoso")
	if _, err := get("user.workfs.id"); !errorIs(err, syscall.ENOTSUP) {
		t.Errorf("without --xattrs: %v", err)
	}
	m.umount()
}
