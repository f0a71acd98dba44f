package fs

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxRead is the most that the kernel asks for in one READ, in bytes.
const maxRead = 1 << 20

// widenReadAhead lets the kernel read as far ahead of a sequential reader as one READ can bring. Its own 128 KiB, whatever
// the mount asks for, cost eight times as many requests. Only root may change it, and only where sysfs can be written;
// elsewhere large files are read slower and nothing else is.
func widenReadAhead(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fmt.Errorf("finding the device of the mount: %w", err)
	}
	// A mount that is not of a disk has a device of its own, under which its read-ahead is found.
	path := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev))
	f, err := os.OpenFile(path, os.O_WRONLY, 0) // never made, should there be none
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(strconv.Itoa(maxRead >> 10))
	return err
}
