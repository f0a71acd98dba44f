package backendtest

import (
	"testing"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
)

func file(id, item, name string) backends.Entry {
	return backends.Entry{ID: id, Item: item, Version: "1", Size: 1, Name: names.Wanted{Stem: name, Key: id, User: true}}
}

func TestSinkMovesItems(t *testing.T) {
	s := NewSink()
	b := s.Begin("c")
	if err := b.Add("a", file("1.md", "1", "one.md"), file("1.json", "1", "one.json"), file("2", "2", "two")); err != nil {
		t.Fatal(err)
	}
	if s.Dir("a").Whole {
		t.Error("directory is whole before its commit")
	}
	if err := b.Commit(backends.Commit{Whole: []backends.Listing{{Dir: "a"}, {Dir: "b", Covered: true}}}); err != nil {
		t.Fatal(err)
	}
	if !s.Dir("b").Empty || s.Dir("a").Empty || !s.Has("c", "1") || s.Has("other", "1") {
		t.Errorf("state is wrong: %+v %+v", s.Dir("a"), s.Dir("b"))
	}

	b = s.Begin("c")
	b.Add("b", file("1.md", "1", "one.md"))
	b.Add("unknown", file("3", "3", "three"))
	b.Remove("2")
	b.Commit(backends.Commit{Fresh: true, Memory: map[string][]byte{"cursor": []byte("x")}})
	if a, _ := s.Entries("a"); len(a) != 0 {
		t.Errorf("a still holds %v", a)
	}
	if got := s.Names("b"); len(got) != 1 || got["one.md"].ID != "1.md" {
		t.Errorf("b holds %v", got)
	}
	if s.Has("c", "3") {
		t.Error("an addition to an unknown directory was kept")
	}
	if v, ok := s.Get("cursor"); !ok || string(v) != "x" {
		t.Errorf("cursor is %q", v)
	}
	if p := s.Problems(); len(p) != 0 {
		t.Error(p)
	}
}

func TestSinkComplains(t *testing.T) {
	s := NewSink()
	b := s.Begin("c")
	b.Add("a", backends.Entry{ID: "x", Item: "x", Name: names.Wanted{Stem: "x", Key: "x"}})
	b.Discard()
	if err := b.Commit(backends.Commit{}); err == nil {
		t.Error("a discarded batch can be committed")
	}
	if got := len(s.Problems()); got != 2 {
		t.Errorf("%d problems, want 2: %v", got, s.Problems())
	}
	if s.Commits() != 0 {
		t.Error("the commit counted")
	}
}
