package cache

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/workfs/workfs/backends"
)

// syncTree makes a service with a directory of each kind.
func syncTree(b *bench) {
	b.f.set("", userDir("young", "young"), userDir("made", "made"), userFile("top", "v1", 5))
	b.f.set("young", userDir("deep", "deep"), userFile("a", "v1", 3), userFile("b", "v1", backends.SizeUnknown))
	b.f.set("deep", bodyFile("body", "v1", "four"), userFile("empty", "v1", 0))
	b.f.set("made", userFile("c", "v1", 2))
	b.f.listing["made"] = backends.Listing{MaxAge: -1}
	for name, content := range map[string]string{"top": "12345", "a": "123", "b": "1234567", "c": "12"} {
		b.f.content("id-"+name, "v1", []byte(content))
	}
}

// synced runs Sync and gives the last progress.
func synced(b *bench, path string, contents bool) (p Progress, err error) {
	err = b.t.Sync(context.Background(), path, contents, func(now Progress) { p = now })
	return p, err
}

func TestSyncListsWhatIsNotRightAsOfNow(t *testing.T) {
	b, feed := newLiveBench(t)
	syncTree(b)
	b.f.listing["deep"] = backends.Listing{Covered: true}
	p, err := synced(b, "", false)
	equal(t, "error", err, nil)
	// The root, the connection, the service, and its three directories.
	equal(t, "cold", p, Progress{
		Directories: 6, DirectoriesKnown: 6, Files: 6, FilesKnown: 6, Bytes: 5 + 3 + 4 + 2, BytesKnown: 5 + 3 + 4 + 2,
	})
	equal(t, "fetched", len(b.f.fetched()), 0)
	equalSlices(t, "looks", looked(t, feed), []string{"coll/", "coll/deep", "coll/young"})

	feed.Live("coll/deep", backends.Liveness{By: backends.ByWebhook, Since: b.clock.now()})
	b.clock.add(1) // the listings are young, but not of now
	if _, err := synced(b, "c/box", false); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[backends.DirKey]int{"": 2, "young": 2, "deep": 1, "made": 1} {
		equal(t, fmt.Sprintf("listings of %q", dir), b.f.listed(dir), want)
	}
}

func TestSyncFetchesContents(t *testing.T) {
	b := newBench(t)
	syncTree(b)
	large := bytes.Repeat([]byte("0123456789abcdef"), (2*window+100)/16)
	e := userFile("large", "v1", int64(len(large)))
	e.Ranged = true
	b.f.set("made", userFile("c", "v1", 2), e)
	b.f.content("id-large", "v1", large)
	p, err := synced(b, "c/box", true)
	equal(t, "error", err, nil)
	size := int64(5 + 3 + 7 + 4 + 2 + len(large))
	equal(t, "progress", p, Progress{
		Directories: 4, DirectoriesKnown: 4, Files: 7, FilesKnown: 7, Bytes: size, BytesKnown: size,
	})
	equalMaps(t, "fetches", b.f.fetchedIDs(), map[string]int{"id-top": 1, "id-a": 1, "id-b": 1, "id-c": 1, "id-large": 3})
	for _, call := range b.f.fetched() {
		equal(t, "priority", call.prio, backends.Bulk)
	}
	made := b.lookup(b.root, "made").Node
	if got := b.read(b.lookup(made, "large").Node); !bytes.Equal(got, large) {
		t.Error("the large content is another")
	}
	equal(t, "size", b.lookup(b.lookup(b.root, "young").Node, "b").Attr.Size, 7)
	if _, err := synced(b, "c/box", true); err != nil {
		t.Fatal(err)
	}
	equal(t, "fetches after all", len(b.f.fetched()), 7)
}

func TestSyncOfAFile(t *testing.T) {
	b := newBench(t)
	syncTree(b)
	b.readDir(b.root)
	b.clock.add(1)
	b.f.set("", userFile("top", "v2", 6))
	b.f.content("id-top", "v2", []byte("123456"))
	p, err := synced(b, "/c/box/top", true)
	equal(t, "error", err, nil)
	equal(t, "progress", p, Progress{Files: 1, FilesKnown: 1, Bytes: 6, BytesKnown: 6})
	equalMaps(t, "fetches", b.f.fetchedIDs(), map[string]int{"id-top": 1})
	_, err = synced(b, "c/box/nothing", true)
	isError(t, "no such path", err, backends.ErrNotFound)
}

func TestSyncGoesOnAfterErrors(t *testing.T) {
	b := newBench(t)
	syncTree(b)
	var tries atomic.Int32
	b.f.onList = func(_ context.Context, dir backends.DirKey) {
		if dir == "young" && tries.Add(1) == 1 {
			b.f.fail("young", nil) // it works the second time
		}
	}
	b.f.fail("young", backends.ErrUnavailable)
	b.f.fail("made", backends.ErrForbidden)
	b.f.fetchErr["id-a"] = backends.ErrBroken
	p, err := synced(b, "c/box", true)
	isError(t, "directory", err, backends.ErrForbidden)
	isError(t, "file", err, backends.ErrBroken)
	for _, want := range []string{"c/box/made: permission denied", "c/box/young/a: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
	equal(t, "progress", p, Progress{
		Directories: 3, DirectoriesKnown: 4, Files: 4, FilesKnown: 5, Bytes: 5 + 7 + 4, BytesKnown: 5 + 3 + 7 + 4, Errors: 2,
	})
}

func TestSyncTellsSomeOfManyErrors(t *testing.T) {
	b := newBench(t)
	var es []backends.Entry
	for i := range syncErrors + 20 {
		name := fmt.Sprint("f", i)
		es = append(es, userFile(name, "v1", 1))
		b.f.fetchErr["id-"+name] = backends.ErrBroken
	}
	b.f.set("", es...)
	p, err := synced(b, "", true)
	equal(t, "errors", p.Errors, syncErrors+20)
	equal(t, "told", strings.Count(err.Error(), "c/box/f"), syncErrors)
	if !strings.HasSuffix(err.Error(), "\nand 20 more") {
		t.Errorf("got %q at the end", err.Error()[len(err.Error())-40:])
	}
}

func TestSyncLeavesOutWhatGoesMeanwhile(t *testing.T) {
	b := newBench(t)
	syncTree(b)
	b.f.set("young", userDir("deep", "deep"), userFile("a", "v1", 3))
	b.f.onList = func(_ context.Context, dir backends.DirKey) {
		if dir == "deep" {
			commit(t, b.sink(), "coll/young", backends.Commit{}, func(batch backends.Batch) { batch.Remove("item-deep") })
		}
	}
	b.f.fail("deep", backends.ErrNotFound)
	p, err := synced(b, "c/box", false)
	equal(t, "error", err, nil)
	equal(t, "directories", p.Directories, 3)
	equal(t, "directories known", p.DirectoriesKnown, 3)
}

func TestSyncEndsWithItsContext(t *testing.T) {
	b := newBench(t)
	syncTree(b)
	ctx, cancel := context.WithCancel(context.Background())
	b.f.onFetch = func(ctx context.Context, _ backends.File, _ int64) {
		cancel()
		<-ctx.Done()
	}
	err := b.t.Sync(ctx, "", true, nil)
	isError(t, "after the end", err, context.Canceled)
	b.f.mu.Lock()
	b.f.onFetch = nil
	b.f.mu.Unlock()
	if _, err := synced(b, "", true); err != nil {
		t.Error(err)
	}
}
