package fs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/workfs/workfs/backends"
)

func TestLargeFilesAreReadInLargePieces(t *testing.T) {
	tree := newMemTree()
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB
	tree.write(backends.RootID, "large", string(content))
	dir, s := mount(t, tree, nil)
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		t.Fatal(err)
	}
	bdi := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev))
	if err := unix.Access(bdi, unix.W_OK); os.Geteuid() != 0 || err != nil {
		t.Skipf("read-ahead can't be changed here: %v", err)
	}
	kib, err := os.ReadFile(bdi)
	if err != nil || string(kib) != "1024\n" {
		t.Errorf("read-ahead of %q KiB, %v", kib, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "large"), os.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := make([]byte, 0, len(content))
	for p := make([]byte, 64<<10); ; {
		n, err := f.Read(p)
		got = append(got, p[:n]...)
		if n == 0 || err != nil {
			break
		}
	}
	if !bytes.Equal(got, content) {
		t.Error("content differs")
	}
	if n := s.Requests()["READ"]; n > 32 {
		t.Errorf("%d READs of 16 MiB", n)
	}
}
