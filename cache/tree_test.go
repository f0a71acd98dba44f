package cache

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
)

func TestTreeShowsWhatTheBackendLists(t *testing.T) {
	b := newBench(t)
	b.f.set("", userDir("docs", "D"), bodyFile("hello.md", "v1", "Hello, world\n"), userFile("mail.eml", "v1", backends.SizeUnknown))
	b.f.set("D", bodyFile("empty", "v1", ""))
	b.f.content("id-mail.eml", "v1", []byte("MIME"))
	ctx := context.Background()

	equalSlices(t, "root", b.names(backends.RootID), []string{"c"})
	equalSlices(t, "connection", b.names(b.lookup(backends.RootID, "c").Node), []string{"box"})
	ds := b.readDir(b.root)
	equal(t, "entries", len(ds), 3)
	equal(t, "requests", b.f.listed(""), 1)
	md := b.lookup(b.root, "hello.md")
	equal(t, "lookup is what readdir said", md, ds[1])
	want := backends.Attr{
		Ino: backends.Ino("scope", "id-hello.md"), Size: 13, Mtime: day, Ctime: day.Add(time.Minute), Btime: day.Add(-time.Hour),
		Valid: 5 * time.Minute,
	}
	equal(t, "attr", md.Attr, want)
	equal(t, "attr by node", b.attr(md.Node), want)
	equal(t, "body", string(b.read(md.Node)), "Hello, world\n")
	equal(t, "requests for a body", len(b.f.fetched()), 0)

	docs := b.lookup(b.root, "docs")
	equal(t, "docs is a directory", docs.Attr.Dir, true)
	equal(t, "directory by node", b.attr(docs.Node), docs.Attr)
	equalSlices(t, "docs", b.names(docs.Node), []string{"empty"})
	equal(t, "empty", string(b.read(b.lookup(docs.Node, "empty").Node)), "")

	eml := b.lookup(b.root, "mail.eml")
	equal(t, "unknown size", eml.Attr.Size, backends.SizeUnknown)
	equal(t, "size by attr", b.attr(eml.Node).Size, 4)
	equal(t, "size by lookup then", b.lookup(b.root, "mail.eml").Attr.Size, 4)
	equal(t, "content", string(b.read(eml.Node)), "MIME")
	equal(t, "fetched once", len(b.f.fetched()), 1)

	_, negative, err := b.t.Lookup(ctx, b.root, "nothing")
	isError(t, "missing name", err, backends.ErrNotFound)
	equal(t, "negative", negative, 5*time.Minute)
	_, err = b.t.Attr(ctx, 987654)
	isError(t, "unknown node", err, backends.ErrStale)

	bytes, entries := b.t.Usage()
	equal(t, "bytes", bytes, 13+4)
	equal(t, "entries", entries, 4)
}

func TestTreeSurvivesARestart(t *testing.T) {
	b := newBench(t)
	b.f.set("", bodyFile("a", "v1", "one"), userFile("x.eml", "v1", backends.SizeUnknown))
	b.f.content("id-x.eml", "v1", []byte(strings.Repeat("x", 3000)))
	before := b.readDir(b.root)
	equal(t, "size", b.attr(before[1].Node).Size, 3000)
	b.reopen()
	after := b.readDir(b.root)
	equal(t, "cookie", after[1].Cookie, before[1].Cookie)
	equal(t, "ino", after[1].Attr.Ino, before[1].Attr.Ino)
	equal(t, "known size", after[1].Attr.Size, 3000)
	equal(t, "content", string(b.read(after[1].Node)), strings.Repeat("x", 3000))
	equal(t, "body", string(b.read(after[0].Node)), "one")
	equal(t, "lists", b.f.listed(""), 1)
	equal(t, "fetches", len(b.f.fetched()), 1)
	_, entries := b.t.Usage()
	equal(t, "entries", entries, 2)
}

func TestMountRefusesWhatCannotBe(t *testing.T) {
	one, two := newFake("one"), newFake("two")
	for what, conns := range map[string][]Connection{
		"no name":          {{Name: ""}},
		"a path":           {{Name: "a/b"}},
		"dots":             {{Name: ".."}},
		"twins":            {{Name: "a"}, {Name: "a"}},
		"a backend inside": {{Name: "a", Mounted: []backends.Mounted{{Path: "", Backend: one}, {Path: "x", Backend: two}}}},
		"a deep path":      {{Name: "a", Mounted: []backends.Mounted{{Path: "x/y", Backend: one}}}},
		"one scope twice":  {{Name: "a", Mounted: []backends.Mounted{{Path: "x", Backend: one}}}, {Name: "b", Mounted: []backends.Mounted{{Path: "x", Backend: one}}}},
	} {
		c, err := Open(Options{CacheDir: t.TempDir(), StateDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Mount(conns); err == nil {
			t.Errorf("%s: mounted", what)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSeveralConnectionsAndServices(t *testing.T) {
	c, err := Open(Options{CacheDir: t.TempDir(), StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	box, mail, teams := newFake("box"), newFake("mail"), newFake("teams")
	box.set("", bodyFile("file", "v1", "of box"))
	mail.set("", bodyFile("file", "v1", "of mail"))
	teams.set("", userDir("empty", "E"))
	teams.set("E")
	tree, err := c.Mount([]Connection{
		{Name: "box", Mounted: []backends.Mounted{{Path: "", Backend: box}}},
		{Name: "contoso", Mounted: []backends.Mounted{{Path: "outlook", Backend: mail}, {Path: "teams", Backend: teams}}},
		{Name: "nothing"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Mount(nil); err == nil {
		t.Error("mounted twice")
	}
	b := &bench{TB: t, c: c, t: tree}
	inos := map[uint64]string{}
	var walk func(dir backends.NodeID, path string)
	var files []string
	walk = func(dir backends.NodeID, path string) {
		for _, d := range b.readDir(dir) {
			p := strings.TrimPrefix(path+"/"+d.Name, "/")
			equal(t, "path of "+p, tree.Path(d.Node), p)
			if other, ok := inos[d.Attr.Ino]; ok {
				t.Errorf("%s and %s share an inode", p, other)
			}
			inos[d.Attr.Ino] = p
			if a := b.attr(d.Node); a.Ino != d.Attr.Ino || a.Dir != d.Attr.Dir || a.Mtime.IsZero() {
				t.Errorf("%s: attr %+v, readdir %+v", p, a, d.Attr)
			}
			equal(t, "lookup of "+p, b.lookup(dir, d.Name).Node, d.Node)
			files = append(files, p)
			if d.Attr.Dir {
				walk(d.Node, p)
			} else {
				files[len(files)-1] += " " + string(b.read(d.Node))
			}
		}
	}
	walk(backends.RootID, "")
	equalSlices(t, "tree", files, []string{
		"box", "box/file of box", "contoso", "contoso/outlook", "contoso/outlook/file of mail", "contoso/teams",
		"contoso/teams/empty", "nothing",
	})
	_, _, err = tree.Lookup(context.Background(), backends.RootID, "missing")
	isError(t, "missing connection", err, backends.ErrNotFound)
	if a := b.attr(backends.RootID); !a.Dir || a.Ino == 0 {
		t.Errorf("root %+v", a)
	}
	var names []string
	err = tree.ReadDir(context.Background(), backends.RootID, 1, func(d backends.Dirent) bool {
		names = append(names, d.Name)
		return len(names) < 1
	})
	equal(t, "rest of the root", strings.Join(names, " "), "contoso")
	if err != nil {
		t.Error(err)
	}
}

func TestInfoAndRefresh(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	e := bodyFile("a.md", "v1", "one")
	e.Info = backends.Info{ServiceID: "AAMk", From: "bob@contoso.com"}
	b.f.set("", e, userDir("d", "D"))
	b.f.set("D", bodyFile("x", "v1", "x"))
	info, err := b.t.Info(ctx, "/c/box/a.md")
	if err != nil {
		t.Fatal(err)
	}
	d := b.lookup(b.root, "a.md")
	item := *info.Item
	info.Item = nil
	equal(t, "file", info, FileInfo{
		Path: "c/box/a.md", Node: uint64(d.Node), Ino: d.Attr.Ino, Size: 3, Mtime: d.Attr.Mtime, Ctime: d.Attr.Ctime, Btime: d.Attr.Btime,
		Service: "c/box", Scope: "scope", Collection: "coll/", ID: "id-a.md", Version: "v1", Cached: true,
		SyncedAt: b.clock.now().UTC(), ValidFor: 5 * time.Minute,
	})
	equal(t, "item", item, e.Info)
	info, err = b.t.Info(ctx, "c/box/d")
	if err != nil || info.Cached || info.ID != "id-d" || !info.Dir || info.Item != nil {
		t.Errorf("directory %+v, %v", info, err)
	}
	b.readDir(b.lookup(b.root, "d").Node)
	info, err = b.t.Info(ctx, "c/box/d")
	if err != nil || !info.Cached || info.Collection != "coll/D" || info.ValidFor != 5*time.Minute {
		t.Errorf("listed directory %+v, %v", info, err)
	}
	for _, path := range []string{"", "c", "c/box"} {
		if info, err := b.t.Info(ctx, path); err != nil || !info.Dir || !info.Cached {
			t.Errorf("%q: %+v, %v", path, info, err)
		}
	}
	for _, path := range []string{"nothing", "c/box/nothing", "c/box/a.md/x"} {
		_, err := b.t.Info(ctx, path)
		isError(t, path, err, backends.ErrNotFound)
	}
	b.f.set("D", bodyFile("x", "v1", "x"), bodyFile("y", "v1", "y"))
	if err := b.t.Refresh(ctx, "c/box/d/x"); err != nil {
		t.Fatal(err)
	}
	equal(t, "lists", b.f.listed("D"), 2)
	equalSlices(t, "names", b.names(b.lookup(b.root, "d").Node), []string{"x", "y"})
	equal(t, "no further list", b.f.listed("D"), 2)
	b.f.fail("D", backends.ErrUnavailable)
	isError(t, "refresh", b.t.Refresh(ctx, "c/box/d"), backends.ErrUnavailable)
	if info, err := b.t.Info(ctx, "c/box/d"); err != nil || info.Error == "" {
		t.Errorf("failed directory %+v, %v", info, err)
	}
	cs, err := b.t.Collections()
	if err != nil || len(cs) != 2 || cs[0].Name != "coll/" || cs[1].Directories != 1 || cs[1].Entries != 2 || cs[1].Error == "" {
		t.Errorf("collections %+v, %v", cs, err)
	}
	if err := b.t.Refresh(ctx, "c"); err != nil {
		t.Error(err)
	}
	if s := b.c.Stats(); s.Entries != 4 || s.KnownBytes != 5 || s.Lists != 4 || s.MetadataBytes == 0 || s.BodyBytes == 0 || s.StateBytes == 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestUseAfterClose(t *testing.T) {
	b := newBench(t)
	b.f.set("", bodyFile("a", "v1", "one"), userFile("x", "v1", 3))
	x := b.lookup(b.root, "x").Node
	s := b.sink()
	open, other := s.Begin("c"), s.Begin("d")
	if err := b.c.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		if err := open.Add("D", bodyFile(fmt.Sprint(i), "v1", strings.Repeat("x", 2000))); err != nil {
			break
		}
	}
	if err := open.Commit(backends.Commit{}); err == nil {
		t.Error("committed to a closed cache")
	}
	open.Discard()
	other.Discard()
	if err := s.Put("k", []byte("v")); err == nil {
		t.Error("remembered by a closed cache")
	}
	if _, err := b.tryRead(x, 10); err == nil {
		t.Error("read from a closed cache")
	}
	if _, err := b.t.Attr(context.Background(), x); err == nil {
		t.Error("attributes from a closed cache")
	}
	if err := b.c.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	_ = b.c.Stats()
}
