// Package mounts knows the mountpoints of this machine: which are ours, which are dead, and how to get rid of one.
package mounts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// FSType is the type that our mounts have in the mount table.
const FSType = "fuse.workfs"

// Mount is a line of the mount table.
type Mount struct {
	ID     string // the kernel's, of this mount alone while it lasts
	Point  string
	Type   string
	Source string
}

// List reads the mount table, oldest mount first.
func List() ([]Mount, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("reading the mount table: %w", err)
	}
	defer f.Close()
	return parse(f)
}

// parse reads the format of proc(5): fields, a hyphen after the optional ones, then type and source.
func parse(r io.Reader) ([]Mount, error) {
	var mounts []Mount
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		head, tail := strings.Fields(before), strings.Fields(after)
		if !ok || len(head) < 5 || len(tail) < 2 {
			continue
		}
		mounts = append(mounts, Mount{ID: head[0], Point: unescape(head[4]), Type: tail[0], Source: unescape(tail[1])})
	}
	return mounts, lines.Err()
}

// unescape undoes the octal escapes of the mount table.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			var v int
			if _, err := fmt.Sscanf(s[i+1:i+4], "%03o", &v); err == nil {
				b.WriteByte(byte(v))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// At gives the topmost mount on exactly this path.
func At(point string) (Mount, bool) {
	mounts, err := List()
	if err != nil {
		return Mount{}, false
	}
	for i := len(mounts) - 1; i >= 0; i-- {
		if mounts[i].Point == point {
			return mounts[i], true
		}
	}
	return Mount{}, false
}

// Of gives our mount that a path lies in, and the path within it. The path itself need not be readable.
func Of(path string) (m Mount, inside string, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return Mount{}, "", err
	}
	mounts, err := List()
	if err != nil {
		return Mount{}, "", err
	}
	for _, candidate := range mounts {
		if candidate.Type == FSType && within(candidate.Point, path) && len(candidate.Point) >= len(m.Point) {
			m = candidate
		}
	}
	if m.Point == "" {
		return Mount{}, "", fmt.Errorf("%s is in no workfs mount", path)
	}
	return m, strings.TrimPrefix(strings.TrimPrefix(path, m.Point), "/"), nil
}

// within tells whether path is dir or lies below it; both are absolute and clean.
func within(dir, path string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

// ErrMounted says that a workfs runs on the mountpoint already.
var ErrMounted = errors.New("is a workfs mount already")

// Prepare checks a mountpoint and returns its absolute path without symlinks. A dead mount of ours is cleaned away.
// reserved are files and directories of our own (cache, state, credentials): mounting over, in or around them would make
// the daemon wait for itself.
func Prepare(dir string, allowNonEmpty bool, reserved ...string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	// A dead mount makes every look at the path fail, so it must go before symlinks can be followed.
	if m, ok := At(abs); ok && m.Type == FSType {
		if !Dead(abs) {
			return "", fmt.Errorf("%s %w; end that one with: workfs umount %s", abs, ErrMounted, abs)
		}
		if err := Unmount(abs, true); err != nil {
			return "", fmt.Errorf("%s is a dead mount that can't be cleaned: %w", abs, err)
		}
	}
	st, err := os.Stat(abs)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("mountpoint %s does not exist: mkdir -p %s", abs, abs)
	case err != nil:
		return "", fmt.Errorf("mountpoint: %w", err)
	case !st.IsDir():
		return "", fmt.Errorf("mountpoint %s is not a directory", abs)
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", fmt.Errorf("mountpoint: %w", err)
	}
	if m, ok := At(abs); ok && m.Type == FSType {
		return "", fmt.Errorf("%s %w; end that one with: workfs umount %s", abs, ErrMounted, abs)
	}
	if syscall.Access(abs, 2 /* W_OK */) != nil {
		return "", fmt.Errorf("mountpoint %s is not writable by you: choose a directory of your own", abs)
	}
	for _, r := range reserved {
		if r == "" {
			continue
		}
		if r = resolve(r); within(r, abs) || within(abs, r) {
			return "", fmt.Errorf("mountpoint %s overlaps with %s, which workfs itself uses: choose another", abs, r)
		}
	}
	if !allowNonEmpty {
		entries, err := os.ReadDir(abs)
		if err != nil {
			return "", fmt.Errorf("mountpoint: %w", err)
		}
		if len(entries) > 0 {
			return "", fmt.Errorf("mountpoint %s is not empty (its files would be hidden): choose another, or --allow-non-empty", abs)
		}
	}
	return abs, nil
}

// resolve follows symlinks as far as the path exists.
func resolve(path string) string {
	rest := ""
	for p := path; ; p = filepath.Dir(p) {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			return filepath.Join(real, rest)
		}
		if p == filepath.Dir(p) {
			return path
		}
		rest = filepath.Join(filepath.Base(p), rest)
	}
}

// Dead tells whether the process behind a mount is gone. It asks by statfs, since the kernel never answers that itself: it
// goes on giving the attributes and listings that it holds for as long as it was allowed to.
func Dead(point string) bool {
	var st syscall.Statfs_t
	err := syscall.Statfs(point, &st)
	return errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ECONNABORTED)
}

// Unmount takes a mount away. lazy detaches it even while it is in use.
func Unmount(point string, lazy bool) error {
	if os.Geteuid() == 0 {
		flags := 0
		if lazy {
			flags = syscall.MNT_DETACH
		}
		if err := syscall.Unmount(point, flags); err != nil {
			if errors.Is(err, syscall.EBUSY) {
				return inUse(point)
			}
			return fmt.Errorf("unmounting %s: %w", point, err)
		}
		return nil
	}
	args := []string{"-u", point}
	if lazy {
		args = []string{"-u", "-z", point}
	}
	unmount := exec.Command("fusermount3", args...)
	unmount.Env = append(os.Environ(), "LC_ALL=C")
	out, err := unmount.CombinedOutput()
	switch {
	case err == nil:
	case strings.Contains(string(out), "busy"):
		return inUse(point)
	case len(out) == 0:
		return fmt.Errorf("unmounting %s: %w", point, err)
	default:
		return fmt.Errorf("unmounting %s: %s", point, strings.TrimSpace(string(out)))
	}
	return nil
}

func inUse(point string) error {
	return fmt.Errorf("%s is in use: close what is open there, or use --force", point)
}

// OthersAllowed tells whether users other than root may let other users into their mounts.
func OthersAllowed() bool {
	conf, err := os.ReadFile("/etc/fuse.conf")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(conf)) {
		if strings.TrimSpace(line) == "user_allow_other" {
			return true
		}
	}
	return false
}
