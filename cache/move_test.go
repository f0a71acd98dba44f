package cache

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
)

func TestMoveBetweenCollections(t *testing.T) {
	file, changed, dir := bodyFile("f", "v1", "body"), bodyFile("f", "v2", "another body"), userDir("f", "F")
	for _, test := range []struct {
		name     string
		was, now backends.Entry
		sameNode bool
	}{
		{"file", file, file, true},
		{"file with another content", file, changed, false},
		{"directory", dir, dir, true},
	} {
		for _, addFirst := range []bool{true, false} {
			t.Run(fmt.Sprint(test.name, ", added first: ", addFirst), func(t *testing.T) {
				b := newBench(t)
				aDir, bDir := twoFolders(t, b)
				s := b.sink()
				commit(t, s, "coll/a", backends.Commit{}, func(batch backends.Batch) {
					batch.Remove("item-f")
					add(t, batch, "a", test.was)
				})
				was := b.lookup(aDir, "f")
				drain := b.watch()
				addition := func() {
					commit(t, s, "coll/b", backends.Commit{}, func(batch backends.Batch) { add(t, batch, "b", test.now) })
				}
				if addFirst {
					addition()
				}
				commit(t, s, "coll/a", backends.Commit{}, func(batch backends.Batch) { batch.Remove("item-f") })
				if !addFirst {
					addition()
				}
				now := b.lookup(bDir, "f")
				equal(t, "inode", now.Attr.Ino, was.Attr.Ino)
				equal(t, "same node", now.Node == was.Node, test.sameNode)
				equal(t, "left", len(b.readDir(aDir)), 0)
				want := []backends.Event{
					{Kind: backends.EventRemoved, Dir: aDir, Name: "f", Node: was.Node, IsDir: test.was.IsDir},
					{Kind: backends.EventAdded, Dir: bDir, Name: "f", Node: now.Node, IsDir: test.now.IsDir},
				}
				if addFirst {
					slices.Reverse(want)
				}
				equalSlices(t, "events", ofChange(drain()), want)
				if !test.now.IsDir {
					equal(t, "content", string(b.read(now.Node)), string(test.now.Body))
					equal(t, "content of the old node", string(b.read(was.Node)), string(test.was.Body))
				}
			})
		}
	}
}

// A reader who has begun finishes on the version it began with, whatever is committed and swept meanwhile.
func TestReaderFinishesOnItsVersion(t *testing.T) {
	old, other := bytes.Repeat([]byte("old "), 50_000), bytes.Repeat([]byte("new!"), 50_000)
	entry := func(name, version string, body []byte) backends.Entry {
		e := userFile(name, version, int64(len(old)))
		e.Body = body
		return e
	}
	hold := make(chan struct{})
	b := newBench(t)
	b.f.set("", entry("body", "v1", old), entry("kept", "v1", nil), entry("coming", "v1", nil))
	for _, name := range []string{"kept", "coming"} {
		b.f.content("id-"+name, "v1", old)
		b.f.content("id-"+name, "v2", other)
	}
	b.f.onFetch = func(_ context.Context, f backends.File, _ int64) {
		if f.ID == "id-coming" && f.Version == "v1" {
			<-hold
		}
	}
	b.f.listing[""] = backends.Listing{MaxAge: -1}
	node := map[string]backends.NodeID{}
	for _, d := range b.readDir(b.root) {
		node[d.Name] = d.Node
	}
	half := func(name string, from int64) []byte {
		p := make([]byte, len(old)/2)
		n, err := b.t.ReadAt(context.Background(), node[name], p, from)
		if err != nil {
			t.Errorf("%s from %d: %v", name, from, err)
		}
		return p[:n]
	}
	got := map[string][]byte{"body": half("body", 0), "kept": half("kept", 0)}
	began := make(chan []byte)
	go func() { began <- half("coming", 0) }()
	b.eventually("the fetch", func() bool { return b.f.fetchedIDs()["id-coming"] == 1 })

	commit(t, b.sink(), "coll/", backends.Commit{}, func(batch backends.Batch) {
		add(t, batch, "", entry("body", "v2", other), entry("kept", "v2", nil), entry("coming", "v2", nil))
	})
	b.clock.add(keepRetired - time.Minute)
	if err := b.c.sweep(); err != nil {
		t.Fatal(err)
	}
	close(hold)
	got["coming"] = <-began
	for name := range node {
		all := append(got[name], half(name, int64(len(old)/2))...)
		equal(t, name+" is the old one", bytes.Equal(all, old), true)
		now := b.lookup(b.root, name)
		equal(t, name+" has another node", now.Node != node[name], true)
		equal(t, name+" is the new one", bytes.Equal(b.read(now.Node), other), true)
	}
	b.clock.add(2 * time.Minute)
	if err := b.c.sweep(); err != nil {
		t.Fatal(err)
	}
	_, err := b.tryRead(node["body"], 10)
	isError(t, "an hour later", err, backends.ErrStale)
}

// A listing that goes on while the directory changes gives every entry that stays exactly once, and none twice.
func TestListingLosesAndDoublesNothing(t *testing.T) {
	const staying, volatile = 1500, 300
	b := newBench(t)
	name := func(kind string, i int) string { return fmt.Sprintf("%s-%04d", kind, i) }
	var es []backends.Entry
	want := map[string]int{}
	for i := range staying {
		es = append(es, userFile(name("stay", i), "v1", 1))
		want[name("stay", i)] = 1
		if i < volatile {
			es = append(es, userFile(name("go", i), "v1", 1))
		}
	}
	b.f.set("", es...)
	b.f.listing[""] = backends.Listing{MaxAge: -1}
	b.readDir(b.root)

	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		r := rand.New(rand.NewPCG(1, 2))
		for n := 0; ctx.Err() == nil; n++ {
			commit(t, b.sink(), "coll/", backends.Commit{}, func(batch backends.Batch) {
				for range 20 {
					switch i := r.IntN(volatile); r.IntN(4) {
					case 0:
						batch.Remove("item-" + name("go", i))
					case 1:
						add(t, batch, "", userFile(name("go", i), fmt.Sprint("v", n), 1))
					case 2: // another name
						e := userFile(name("go", i), "v1", 1)
						e.Name.Stem = name("gone", n)
						add(t, batch, "", e)
					default: // another content of one that stays
						add(t, batch, "", userFile(name("stay", r.IntN(staying)), fmt.Sprint("v", n), 1))
					}
				}
			})
			if n%10 == 0 { // all of it anew
				commit(t, b.sink(), "coll/", backends.Commit{Whole: []backends.Listing{{Dir: "", MaxAge: -1}}}, func(batch backends.Batch) {
					add(t, batch, "", es...)
				})
			}
		}
	})
	for range 30 {
		got, cookies := map[string]int{}, map[uint64]bool{}
		// The kernel asks in pages, each of which may be another call.
		for after, more := uint64(0), true; more; {
			page := 0
			err := b.t.ReadDir(context.Background(), b.root, after, func(d backends.Dirent) bool {
				if d.Cookie <= after || cookies[d.Cookie] {
					t.Errorf("cookie %d after %d", d.Cookie, after)
				}
				cookies[d.Cookie] = true
				after = d.Cookie
				if page++; page > 100 {
					return false
				}
				got[d.Name]++
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
			if more = page > 100; more {
				after-- // the one that did not fit comes again
				delete(cookies, after+1)
			}
		}
		for n := range want {
			if got[n] != 1 {
				t.Errorf("%s was seen %d times", n, got[n])
			}
		}
		if t.Failed() {
			break
		}
	}
	cancel()
	wg.Wait()
}
