package blob

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

func TestBytesAreReadWhileTheyGoToTheDisk(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for range syncsAtOnce {
		s.syncs <- struct{}{} // the disk is busy
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), syncFrom/16)
	w, err := s.Create("aa1", -1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	written := func() string {
		t.Helper()
		got, err := io.ReadAll(io.NewSectionReader(w, 0, int64(len(data))))
		return fmt.Sprint(bytes.Equal(got, data), err)
	}
	committed := make(chan error)
	go func() { committed <- w.Commit() }()
	same(t, "while the disk is busy", written(), "true <nil>")
	_, ok := s.Stat("aa1")
	same(t, "visible before it is on the disk", ok, false)
	select {
	case err := <-committed:
		t.Fatalf("committed without the disk: %v", err)
	default:
	}
	<-s.syncs
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	same(t, "after", written(), "true <nil>")

	// The file stays open for readers, and for the writer although the table has lost it.
	size, ok := s.Stat("aa1")
	same(t, "visible", fmt.Sprint(size, ok), fmt.Sprint(len(data), true))
	s.Remove("aa1")
	same(t, "removed", written(), "true <nil>")
	_, ok = s.Stat("aa1")
	same(t, "visible after it was removed", ok, false)
}

func TestOpenFilesAreBounded(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for i := range maxHandles + 10 {
		if err := put(t, s, fmt.Sprintf("%03d", i), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "open files", len(s.handles), maxHandles)
	same(t, "in the order of use", s.recent.Len(), maxHandles)
	for i := range maxHandles + 10 {
		same(t, "content", get(t, s, fmt.Sprintf("%03d", i)), "x")
	}
	same(t, "open files", len(s.handles), maxHandles)
}
