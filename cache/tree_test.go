package cache

import (
	"context"
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
