package box_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/backendtest"
	"github.com/workfs/workfs/backends/box"
	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

// find lists the directories on the way to a path and gives its entry.
func find(t testing.TB, b backends.Backend, sink *backendtest.Sink, path string) backends.Entry {
	t.Helper()
	e := backends.Entry{IsDir: true}
	for name := range strings.SplitSeq(path, "/") {
		list(t, b, sink, e.Dir)
		var ok bool
		if e, ok = sink.Names(e.Dir)[name]; !ok {
			t.Fatalf("%s: there is no %q", path, name)
		}
	}
	return e
}

func list(t testing.TB, b backends.Backend, sink *backendtest.Sink, dir backends.DirKey) {
	t.Helper()
	if sink.Dir(dir).Whole {
		return
	}
	if err := b.List(t.Context(), dir, sink); err != nil {
		t.Fatal(err)
	}
}

func TestBudgets(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	stats := s.World().Stats
	sink := backendtest.NewSink()
	b := open(false)(t, s, sink)
	list(t, b, sink, "")
	if n := backendtest.Requests(s); n > 3 {
		t.Errorf("mounting costs %d requests", n)
	}

	stats.Reset()
	tree := backendtest.Walk(t, b, sink, nil)
	pages := 0
	for p, dir := range tree.Dirs {
		if p == "" || p == "recent" { // which the root has brought
			continue
		}
		entries, _ := sink.Entries(dir)
		pages += max(1, (len(entries)+999)/1000)
	}
	// Items that are not shown (unknown types) may fill a page more; the seed has none so large.
	if n := backendtest.Requests(s); n != pages {
		t.Errorf("listing %d directories of %d pages costs %d requests", len(tree.Dirs), pages, n)
	}

	read := func(path string, n int64) int {
		t.Helper()
		e := find(t, b, sink, path)
		stats.Reset()
		var whole []byte
		for off := int64(0); off < e.Size; off += n {
			part, err := backendtest.ReadRange(t.Context(), b, e, off, n)
			if err != nil {
				t.Fatal(err)
			}
			whole = append(whole, part...)
		}
		if int64(len(whole)) != e.Size {
			t.Errorf("%s: %d of %d bytes", path, len(whole), e.Size)
		}
		return backendtest.Requests(s)
	}
	const block = 8 << 20
	if n := read("files/README.txt", block); n != 2 {
		t.Errorf("a small file costs %d requests", n)
	}
	if n := read("files/Large/recording.bin", block); n != 3+1 {
		t.Errorf("24 MiB cost %d requests", n)
	}
	if e := find(t, b, sink, "files/empty.txt"); e.Body == nil || len(e.Body) != 0 {
		t.Errorf("an empty file would be asked for: %+v", e)
	}
}

func TestRememberedAccount(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	memory := backendtest.NewSink()
	scope := open(false)(t, s, memory).Scope()
	s.World().Stats.Reset()
	if got := open(false)(t, s, memory).Scope(); got != scope {
		t.Errorf("scope %q, before %q", got, scope)
	}
	if n := backendtest.Requests(s); n != 0 {
		t.Errorf("a remembered account costs %d requests", n)
	}
}

func TestDirectory(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	sink := backendtest.NewSink()
	b := open(true)(t, s, sink)
	users := table(t, find(t, b, sink, "directory/users.csv").Body)
	if len(users) < 12 || !slices.Contains(users[0], "login") {
		t.Fatalf("%v", users)
	}
	logins := column(users, "login")
	if !slices.IsSorted(logins) || !slices.Contains(logins, "alice@contoso.com") || !slices.Contains(logins, "carol@contoso.com") {
		t.Errorf("logins %v", logins)
	}
	groups := table(t, find(t, b, sink, "directory/groups.csv").Body)
	for _, name := range column(groups, "name") {
		members := table(t, find(t, b, sink, "directory/groups/"+name+".csv").Body)
		if len(members) < 2 || members[0][2] != "login" {
			t.Errorf("%s: %v", name, members)
		}
		for _, login := range column(members, "login") {
			if strings.HasSuffix(login, "@contoso.com") && !slices.Contains(logins, login) {
				t.Errorf("%s: unknown member %s", name, login)
			}
		}
	}
	list(t, b, sink, find(t, b, sink, "users").Dir)
	if names := sink.Names("users"); len(names) != len(users)-1 {
		t.Errorf("%d users are shown, %d are listed", len(names), len(users)-1)
	}
}

func table(t testing.TB, body []byte) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(rows) == 0 {
		t.Fatalf("%v in %q", err, body)
	}
	return rows
}

func column(rows [][]string, name string) (values []string) {
	i := slices.Index(rows[0], name)
	for _, r := range rows[1:] {
		values = append(values, r[i])
	}
	return values
}

func TestImpersonationRefused(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	sink := backendtest.NewSink()
	b := open(true)(t, s, sink)
	dir := find(t, b, sink, "users/carol@contoso.com/files").Dir
	for _, status := range []int{403, 404} {
		s.World().Faults.Set(core.FaultRule{Route: "GET /2.0/folders/0/items", Status: status})
		if err := b.List(t.Context(), dir, sink); !errors.Is(err, backends.ErrForbidden) || errors.Is(err, backends.ErrNotFound) {
			t.Errorf("%d: %v", status, err)
		}
		if gaps := fmt.Sprint(b.Coverage()); !strings.Contains(gaps, "may not act as this user") {
			t.Errorf("%d: coverage %s", status, gaps)
		}
	}
	s.World().Faults.Set()
	list(t, b, sink, dir)
	if gaps := fmt.Sprint(b.Coverage()); strings.Contains(gaps, "may not act as this user") {
		t.Errorf("the gap stays: %s", gaps)
	}
}

func TestPlainUserHasNoDirectory(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	var bob string
	for _, u := range s.Ready().Users {
		if u.Mail == "bob@contoso.com" {
			bob = u.BoxID
		}
	}
	tokens, hosts := backendtest.Box(t, s, "user:"+bob)
	sink := backendtest.NewSink()
	b, err := box.New(t.Context(), box.Config{APIURL: s.Ready().BoxAPI, Tokens: tokens, ContentHosts: hosts, Backoff: backendtest.Backoff}, sink)
	if err != nil {
		t.Fatal(err)
	}
	list(t, b, sink, "")
	_, shown := sink.Names("")["directory"]
	gap := slices.ContainsFunc(b.Coverage(), func(g backends.Gap) bool { return g.Path == "directory" })
	if shown == gap {
		t.Errorf("directory shown %v, gap %v", shown, gap)
	}
}

func TestFetch(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	sink := backendtest.NewSink()
	b := open(false)(t, s, sink)

	e := find(t, b, sink, "files/States/three versions.txt")
	if data, err := backendtest.Read(t.Context(), b, e); err != nil || string(data) != "third\n" {
		t.Errorf("%q %v", data, err)
	}
	gone := e
	gone.Version, gone.Ref = "other", strings.Replace(e.Ref, `"v":"`, `"v":"9`, 1)
	if _, err := backendtest.Read(t.Context(), b, gone); !errors.Is(err, backends.ErrStale) {
		t.Errorf("a version that is gone: %v", err)
	}
	gone.Ref = strings.Replace(e.Ref, `"i":"`, `"i":"9`, 1)
	if _, err := backendtest.Read(t.Context(), b, gone); !errors.Is(err, backends.ErrNotFound) {
		t.Errorf("a file that is gone: %v", err)
	}
	if _, err := b.Fetch(t.Context(), backends.File{ID: "x"}, 0, -1); !errors.Is(err, backends.ErrNotFound) {
		t.Errorf("no reference: %v", err)
	}

	// Just uploaded: the content is not ready at first.
	s.World().Faults.Set(core.FaultRule{Route: "GET /2.0/files/*/content", Status: 202, Headers: map[string]string{"Retry-After": "0.01"}, Count: 2})
	e = find(t, b, sink, "files/README.txt")
	if data, err := backendtest.Read(t.Context(), b, e); err != nil || string(data) != "Alice's files.\n" {
		t.Errorf("%q %v", data, err)
	}

	// What may not be downloaded is listed; a download that is known to be refused is not even asked for.
	review := find(t, b, sink, "files/Contract review (preview only)")
	list(t, b, sink, review.Dir)
	s.World().Stats.Reset()
	for name, e := range sink.Names(review.Dir) {
		if _, err := backendtest.Read(t.Context(), b, e); !errors.Is(err, backends.ErrForbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := backendtest.Requests(s); n != 0 || sink.Dir(review.Dir).Empty {
		t.Errorf("%d requests for refused downloads", n)
	}

	// A redirect to a foreign host is not followed.
	s.World().Faults.Set(core.FaultRule{Route: "GET /2.0/files/*/content", Status: 302, Headers: map[string]string{"Location": "https://evil.example/"}})
	if _, err := backendtest.Read(t.Context(), b, find(t, b, sink, "files/Many files/record-000003.txt")); !errors.Is(err, backends.ErrBroken) {
		t.Errorf("a foreign host: %v", err)
	}

	// Bytes that differ from the SHA-1 are an error.
	s.World().Faults.Set(core.FaultRule{Host: core.HostBoxDownload, Status: 200, Body: strings.Repeat("x", 1<<16)})
	e = find(t, b, sink, "files/Many files/record-000004.txt")
	if _, err := backendtest.Read(t.Context(), b, e); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("wrong bytes: %v", err)
	}
}

// TestDownloadFaults reads through all that can happen to a download.
func TestDownloadFaults(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	sink := backendtest.NewSink()
	b := open(false)(t, s, sink)
	e := find(t, b, sink, "files/States/exactly 8 MiB.bin")
	want, err := backendtest.Read(t.Context(), b, e)
	if err != nil {
		t.Fatal(err)
	}
	cut := int64(3 << 20)
	for name, rule := range map[string]core.FaultRule{
		"reset":       {Reset: true, Count: 1},
		"cut":         {BodyCut: &cut, Reset: true, Count: 2},
		"throttled":   {Status: 429, Headers: map[string]string{"Retry-After": "0.01"}, Count: 1},
		"unavailable": {Status: 503, Count: 1},
		"expired":     {Status: 403, Count: 1},
		"gone":        {Status: 404, Count: 1},
	} {
		rule.Host = core.HostBoxDownload
		s.World().Faults.Set(rule)
		if got, err := backendtest.Read(t.Context(), b, e); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d of %d bytes, %v", name, len(got), len(want), err)
		}
	}
	s.World().Faults.Set()
	backendtest.Set(t, s, "box.ignore_range", true)
	if got, err := backendtest.ReadRange(t.Context(), b, e, 1000, 500); err != nil || !bytes.Equal(got, want[1000:1500]) {
		t.Errorf("ranges ignored: %d bytes, %v", len(got), err)
	}
	backendtest.Set(t, s, "box.ignore_range", false)
	backendtest.Set(t, s, "box.truncate_downloads", 5<<20)
	if got, err := backendtest.Read(t.Context(), b, e); err != nil || !bytes.Equal(got, want) {
		t.Errorf("truncated: %d of %d bytes, %v", len(got), len(want), err)
	}
	for _, leak := range s.World().Stats.Snapshot().Leaks {
		t.Errorf("leak: %+v", leak)
	}
}

// TestAwkward walks and reads with all oddities of Box's JSON, and with ids that files and folders share.
func TestAwkward(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	sink := backendtest.NewSink()
	plain := backendtest.Walk(t, open(false)(t, s, sink), sink, nil)
	backendtest.Set(t, s, "box.awkward", "all")
	sink = backendtest.NewSink()
	b := open(false)(t, s, sink)
	odd := backendtest.Walk(t, b, sink, nil)
	for p, e := range plain.Entries {
		if o, ok := odd.Entries[p]; !ok || o.ID != e.ID || o.Version != e.Version || o.Size != e.Size {
			t.Errorf("%s: %+v, awkward %+v", p, e, o)
		}
	}
	if len(odd.Entries) != len(plain.Entries) {
		t.Errorf("%d entries, awkward %d", len(plain.Entries), len(odd.Entries))
	}
}

// TestImported compares a directory of this machine with what Box shows of it.
func TestImported(t *testing.T) {
	dir := t.TempDir()
	want := map[string]string{}
	for i := range 2300 {
		name := fmt.Sprintf("file %04d.txt", i)
		want[name] = strings.Repeat("x", i%7)
	}
	want["sub/ünï.txt"], want["sub/deeper/a:b*c?.txt"] = "one", "two"
	for name, content := range want {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := backendtest.Start(t, sim.Options{ImportFiles: dir})
	sink := backendtest.NewSink()
	b := open(false)(t, s, sink)
	s.World().Stats.Reset()
	list(t, b, sink, find(t, b, sink, "files").Dir)
	if n := backendtest.Requests(s, "/items"); n != 3 {
		t.Errorf("%d requests for 2302 entries", n)
	}
	tree := backendtest.Walk(t, b, sink, nil)
	for name, content := range want {
		e, ok := tree.Entries["files/"+name]
		if !ok || e.IsDir || e.Size != int64(len(content)) {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for _, name := range []string{"sub/ünï.txt", "sub/deeper/a:b*c?.txt", "file 0006.txt", "file 0007.txt"} {
		if data, err := backendtest.Read(t.Context(), b, tree.Entries["files/"+name]); err != nil || string(data) != want[name] {
			t.Errorf("%s: %q %v", name, data, err)
		}
	}
}

func TestInterrupted(t *testing.T) {
	s := backendtest.Start(t, sim.Options{})
	sink := backendtest.NewSink()
	b := open(false)(t, s, sink)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.List(ctx, find(t, b, sink, "files").Dir, sink); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := b.List(t.Context(), "no such kind|1", sink); !errors.Is(err, backends.ErrNotFound) {
		t.Error(err)
	}
}
