package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
)

// asBatch gives a batch whose bodies are written, to be staged without being committed.
func asBatch(t *testing.T, b backends.Batch) *batch {
	t.Helper()
	out := b.(*batch)
	if err := errors.Join(out.flush(), out.wait()); err != nil {
		t.Fatal(err)
	}
	return out
}

func stagingBench(t *testing.T) (*bench, []backends.Listing) {
	b := newBench(t)
	b.c.bounds = staging
	b.f.set("", userDir("M1", "M1"), userDir("M2", "M2"))
	b.readDir(b.root)
	return b, []backends.Listing{{Dir: "M1", MaxAge: -1}, {Dir: "M2", MaxAge: -1}}
}

// months makes a batch of two directories, each of n files with a body.
func (b *bench) months(n int, text string) backends.Batch {
	b.Helper()
	batch := b.sink().Begin("coll")
	for i := range n {
		for _, dir := range []string{"M1", "M2"} {
			e := bodyFile(fmt.Sprint(dir, "-", i), "v-"+text, text+strings.Repeat(" and more", 50))
			e.Item = fmt.Sprint(dir, "-item-", i)
			if err := batch.Add(backends.DirKey(dir), e); err != nil {
				b.Fatal(err)
			}
		}
	}
	return batch
}

func (b *bench) checkMonths(n int, text string) {
	b.Helper()
	for _, dir := range []string{"M1", "M2"} {
		ds := b.readDir(b.lookup(b.root, dir).Node)
		equal(b, "entries of "+dir, len(ds), n)
		for i := range ds {
			equal(b, "body", string(b.read(ds[i].Node)), text+strings.Repeat(" and more", 50))
		}
	}
}

func TestStagedEntriesShowWithTheirCommit(t *testing.T) {
	b, whole := stagingBench(t)
	drain := b.watch()
	before := b.c.Stats().Entries
	batch := b.months(20, "first")
	if err := b.c.stage(asBatch(t, batch), whole); err != nil {
		t.Fatal(err)
	}
	equal(t, "staged", b.c.Stats().Entries-before, int64(40))
	for _, dir := range []backends.DirKey{"M1", "M2"} {
		equal(t, "whole before the commit", b.sink().Dir(dir).Whole, false)
	}
	equal(t, "an item before the commit", b.sink().Has("coll", "M1-item-3"), false)
	if err := batch.Commit(backends.Commit{Whole: whole}); err != nil {
		t.Fatal(err)
	}
	equal(t, "an item after it", b.sink().Has("coll", "M1-item-3"), true)
	equal(t, "entries", b.c.Stats().Entries-before, int64(40))
	b.checkMonths(20, "first")
	equal(t, "lists", b.f.listed("M1"), 0)
	equal(t, "events", len(drain()), 0)
	checkStore(t, b, nil)
}

// What a batch gets after it was staged counts like what it got before.
func TestStagedEarlyAndChangedLater(t *testing.T) {
	b, whole := stagingBench(t)
	before := b.c.Stats().Entries
	batch := b.months(20, "first")
	stage := func(dirs ...backends.DirKey) {
		if err := batch.(backends.Stager).Stage(dirs); err != nil {
			t.Fatal(err)
		}
	}
	stage("M1")
	equal(t, "staged", b.c.Stats().Entries-before, int64(20))
	stage("M1", "M2")
	equal(t, "staged", b.c.Stats().Entries-before, int64(40))
	late := bodyFile("M1-20", "v-first", "first"+strings.Repeat(" and more", 50))
	late.Item = "M1-item-20"
	if err := batch.Add("M1", late); err != nil {
		t.Fatal(err)
	}
	batch.Remove("M2-item-3")
	if err := batch.Commit(backends.Commit{Whole: whole}); err != nil {
		t.Fatal(err)
	}
	for dir, n := range map[string]int{"M1": 21, "M2": 19} {
		ds := b.readDir(b.lookup(b.root, dir).Node)
		equal(t, "entries of "+dir, len(ds), n)
		for i := range ds {
			equal(t, "body", string(b.read(ds[i].Node)), "first"+strings.Repeat(" and more", 50))
		}
	}
	equal(t, "an item that was removed", b.sink().Has("coll", "M2-item-3"), false)
	equal(t, "entries", b.c.Stats().Entries-before, int64(40))
	checkStore(t, b, nil)
}

// What another commit does to a directory between staging and commit is overtaken like anything that came before.
func TestStagedDirectoryIsListedByAnother(t *testing.T) {
	b, whole := stagingBench(t)
	slow := b.months(20, "second")
	if err := b.c.stage(asBatch(t, slow), whole); err != nil {
		t.Fatal(err)
	}
	quick := b.months(7, "first")
	if err := quick.Commit(backends.Commit{Whole: whole}); err != nil {
		t.Fatal(err)
	}
	b.checkMonths(7, "first")
	if err := slow.Commit(backends.Commit{Whole: whole}); err != nil {
		t.Fatal(err)
	}
	b.checkMonths(20, "second")
	checkStore(t, b, nil)
}

func TestInterruptedCommitLeavesNothing(t *testing.T) {
	for _, how := range []string{"discarded", "killed", "killed and listed again", "failed and tried again"} {
		t.Run(how, func(t *testing.T) {
			b, whole := stagingBench(t)
			before := b.c.Stats().Entries
			batch := b.months(20, "first")
			if err := b.c.stage(asBatch(t, batch), whole); err != nil {
				t.Fatal(err)
			}
			want := before
			switch how {
			case "discarded":
				batch.Discard()
			case "failed and tried again":
				delete(asBatch(t, batch).staged, 0)
				if err := batch.Commit(backends.Commit{Whole: whole}); err != nil {
					t.Fatal(err)
				}
				b.checkMonths(20, "first")
				want += 40
			default:
				b.reopen()
				b.c.bounds = staging
			}
			if how == "killed and listed again" {
				if err := b.months(20, "second").Commit(backends.Commit{Whole: whole}); err != nil {
					t.Fatal(err)
				}
				b.checkMonths(20, "second")
				want += 40
			}
			checkStore(t, b, nil)
			equal(t, "entries", b.c.Stats().Entries, want)
			left, err := filepath.Glob(filepath.Join(b.options.CacheDir, detailFiles))
			if err != nil || len(left) > 0 {
				t.Errorf("files left: %v, %v", left, err)
			}
		})
	}
}

func TestFilesOfBatchesAreRemovedAtStart(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(b.options.CacheDir, strings.ReplaceAll(detailFiles, "*", "1"))
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.reopen()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v", path, err)
	}
}

// An item that moves into a directory that is being listed stays at its old place until the commit.
func TestMoveIntoStagedDirectory(t *testing.T) {
	b, whole := stagingBench(t)
	if err := b.months(5, "first").Commit(backends.Commit{Whole: whole[:1]}); err != nil {
		t.Fatal(err)
	}
	m1 := b.lookup(b.root, "M1").Node
	moving := b.readDir(m1)[2]
	batch := b.sink().Begin("coll")
	for i := range 6 {
		e := bodyFile(fmt.Sprint("M2-", i), "v-first", "text")
		e.Item = fmt.Sprint("M2-item-", i)
		if i == 3 {
			e = bodyFile("M1-2", "v-first", "first"+strings.Repeat(" and more", 50))
			e.Item = "M1-item-2"
		}
		if err := batch.Add("M2", e); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.c.stage(asBatch(t, batch), whole[1:]); err != nil {
		t.Fatal(err)
	}
	equal(t, "path before the commit", b.t.Path(moving.Node), "c/box/M1/"+moving.Name)
	equal(t, "entries before it", len(b.readDir(m1)), 5)
	if err := batch.Commit(backends.Commit{Whole: whole[1:]}); err != nil {
		t.Fatal(err)
	}
	equal(t, "path after it", b.t.Path(moving.Node), "c/box/M2/"+moving.Name)
	equal(t, "entries left", len(b.readDir(m1)), 4)
	equal(t, "entries", len(b.readDir(b.lookup(b.root, "M2").Node)), 6)
	checkStore(t, b, nil)
}
