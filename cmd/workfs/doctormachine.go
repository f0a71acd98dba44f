package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/workfs/workfs/cache"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
	"github.com/workfs/workfs/cmd/workfs/internal/control"
	"github.com/workfs/workfs/cmd/workfs/internal/mounts"
	"github.com/workfs/workfs/fs"
)

// checkConfiguration tells whether the configuration can be read, and by whom it can be changed.
func checkConfiguration(_ context.Context, e *examination) []finding {
	const check = "configuration"
	switch {
	case e.fileErr != nil:
		return []finding{{check, e.g.configFile, findingProblem, e.fileErr.Error(), "Nothing can be mounted with it", "mend what it names"}}
	case e.file == nil || len(e.file.Connections) == 0:
		return []finding{{check, e.g.configFile, findingProblem, "there is no connection", "There is nothing to mount",
			"workfs login microsoft or workfs login box makes one; workfs demo shows a mount without any"}}
	}
	info, err := os.Stat(e.file.Path)
	if err == nil && info.Mode().Perm()&0o022 != 0 {
		return []finding{{check, e.file.Path, findingProblem, fmt.Sprintf("others may write to it (mode %04o)", info.Mode().Perm()),
			"It names commands that workfs runs and hosts that get your tokens", "chmod 600 " + e.file.Path}}
	}
	return good(check, e.g.configFile, fmt.Sprintf("it has %d connections", len(e.file.Connections)))
}

// checkFUSE tells whether this user can mount.
func checkFUSE(context.Context, *examination) []finding {
	const check, why = "fuse", "Nothing can be mounted without it"
	if err := fs.CheckFUSE(); err != nil {
		what, do, ok := strings.Cut(err.Error(), ": ")
		if !ok {
			do = ""
		}
		return []finding{{check, "", findingProblem, what, why, do}}
	}
	if os.Geteuid() == 0 {
		return good(check, "", "/dev/fuse can be opened, and root mounts by itself")
	}
	path, err := exec.LookPath("fusermount3") // CheckFUSE has found it
	if err != nil {
		return nil
	}
	return fusermountFinding(path)
}

// fusermountFinding tells whether fusermount3 has the rights that it needs.
func fusermountFinding(path string) []finding {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&os.ModeSetuid == 0 {
		return []finding{{"fuse", path, findingProblem, "it is not set-user-id root", "Only root can mount then",
			"reinstall the package fuse3, or chmod u+s " + path + " as root; in a container without new privileges nobody can mount"}}
	}
	return good("fuse", "", "/dev/fuse can be opened, and "+path+" may mount")
}

// checkAllowOther tells whether --allow-other works.
func checkAllowOther(context.Context, *examination) []finding {
	const check = "other users"
	if os.Geteuid() == 0 || mounts.OthersAllowed() {
		return good(check, "", "--allow-other would let them into mounts")
	}
	return good(check, "", "they can't be let into mounts: for --allow-other, /etc/fuse.conf needs a line user_allow_other")
}

// checkDirectories tells whether cache and state belong to this user alone.
func checkDirectories(_ context.Context, e *examination) (list []finding) {
	for _, d := range []struct{ check, path, holds string }{
		{"state directory", e.g.stateDir, "what must outlive a cache wipe, and credentials"}, {"cache directory", e.g.cacheDir, "your mail and files"},
	} {
		list = append(list, directoryFinding(d.check, d.path, d.holds)...)
	}
	return list
}

func directoryFinding(check, path, holds string) []finding {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return good(check, path, "it will be made by the first mount")
	}
	problem := func(what, do string) []finding {
		return []finding{{check, path, findingProblem, what, "It holds " + holds, do}}
	}
	if err != nil {
		return problem("it can't be looked at: "+err.Error(), "see to its permissions")
	}
	sys, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return problem("it is not a directory", "move it away")
	case ok && int(sys.Uid) != os.Geteuid():
		return problem(fmt.Sprintf("it belongs to the user %d", sys.Uid), fmt.Sprintf("chown it to the user %d who runs workfs, or choose another one", os.Geteuid()))
	case unix.Access(path, unix.W_OK|unix.X_OK) != nil:
		return problem("it can't be written to", "chmod 700 "+path+", or remount its disk for writing")
	case info.Mode().Perm()&0o077 != 0:
		return problem(fmt.Sprintf("others may look into it (mode %04o)", info.Mode().Perm()), "chmod 700 "+path)
	}
	return good(check, path, "it is this user's alone")
}

// checkRuntimeDir tells whether commands can talk to mounts.
func checkRuntimeDir(context.Context, *examination) []finding {
	const check = "runtime directory"
	dir, err := config.RuntimeDir()
	if err != nil {
		return []finding{{check, "", findingProblem, err.Error(), "Commands talk to running mounts by sockets in it", "log in anew, or set XDG_RUNTIME_DIR to a directory of yours"}}
	}
	return good(check, dir, "commands reach mounts by it")
}

// checkMounts tells of mounts whose process is gone, and of sign-ins that running ones complain about.
func checkMounts(ctx context.Context, e *examination) (list []finding) {
	const check = "mounts"
	dir, err := config.RuntimeDir()
	if err != nil {
		return nil // another check tells
	}
	for _, point := range deadMounts(dir) {
		list = append(list, finding{check, point, findingProblem, "its process is gone", "Whoever looks into it gets errors, and nothing can be mounted there",
			"workfs umount " + point})
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	running, err := askStatus(ctx, dir, nil)
	if err != nil {
		return append(list, finding{check, "", findingWarning, "a running mount does not answer: " + err.Error(), "It may hang", "look at its log, or unmount it"})
	}
	for _, st := range running {
		list = append(list, good(check, st.Mountpoint, fmt.Sprintf("it is served by process %d", st.PID))...)
		for _, c := range st.Connections {
			if c.Error != "" {
				list = append(list, finding{check, st.Mountpoint, findingProblem, "its connection " + c.Name + " fails: " + c.Error, "It shows only what is cached", c.Action})
			}
		}
	}
	if len(list) == 0 {
		return good(check, "", "none is running")
	}
	return list
}

// checkCache tells whether the cache can be opened, what was damaged, and whether it has room.
func checkCache(_ context.Context, e *examination) (list []finding) {
	const check = "cache"
	if _, err := os.Stat(e.g.cacheDir); errors.Is(err, os.ErrNotExist) {
		return good(check, e.g.cacheDir, "nothing is cached yet")
	}
	list = roomFinding(e.g.cacheDir, int64(e.minFree))
	c, err := cache.Open(cache.Options{CacheDir: e.g.cacheDir, StateDir: e.g.stateDir})
	list = append(list, damageFindings(e.g.cacheDir, e.g.stateDir)...) // opening sets aside what it can't read
	switch {
	case errors.Is(err, cache.ErrInUse):
		return append(list, good(check, e.g.cacheDir, "a running mount has it open")...)
	case err != nil:
		return append(list, finding{check, e.g.cacheDir, findingProblem, "it can't be opened: " + err.Error(), "Nothing can be mounted with it",
			"move what the message names away; what is in the cache directory is fetched again"})
	}
	s := c.Stats()
	if err := c.Close(); err != nil {
		return append(list, finding{check, e.g.cacheDir, findingProblem, "it can't be closed: " + err.Error(), "What it holds may be lost", "check the disk"})
	}
	return append(list, good(check, e.g.cacheDir, fmt.Sprintf("it holds %d entries and %s of contents", s.Entries, roughly(s.BodyBytes+s.BlobBytes)))...)
}

// damageFindings tells of databases that were set aside.
func damageFindings(dirs ...string) (list []finding) {
	for _, dir := range dirs {
		damaged, _ := filepath.Glob(filepath.Join(dir, "*.aside")) // the pattern is fine
		for _, path := range damaged {
			list = append(list, finding{"cache", path, findingWarning, "a damaged database was set aside",
				"What it held is fetched anew; damage comes from disks and memory that fail, or from a machine that lost power", "check the disk, then remove the file"})
		}
	}
	return list
}

// roomFinding tells whether a disk has as much free as the cache leaves.
func roomFinding(dir string, minFree int64) []finding {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return nil // opening the cache tells why
	}
	free := int64(fs.Bavail) * fs.Bsize
	if free >= minFree {
		return nil
	}
	return []finding{{"cache", dir, findingProblem, fmt.Sprintf("its disk has %s free", roughly(free)),
		fmt.Sprintf("workfs leaves %s free, so that contents can't be kept and reading fails for want of room", roughly(minFree)),
		"make room, choose another --cache-dir, or a smaller --cache-min-free"}}
}

// checkWebhook tells whether services can reach this machine, where they should.
func checkWebhook(ctx context.Context, e *examination) []finding {
	const check, why = "webhooks", "Services can't tell of changes, which are found out later by asking"
	address := e.webhook.address
	if address == "" {
		return nil
	}
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return []finding{{check, e.webhook.address, findingProblem, "the address can't be used", why, "see webhook-address in the README"}}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return []finding{{check, address, findingProblem, "it does not answer: " + plainError(err), why + "; some machines can't reach their own public address, and then this says nothing",
			"see that the tunnel or proxy runs, and that its certificate is good"}}
	}
	defer res.Body.Close()
	if res.StatusCode >= 500 {
		do := "see where the tunnel or proxy leads to"
		if dir, err := config.RuntimeDir(); err == nil {
			if sockets, err := control.Sockets(dir); err == nil && len(sockets) == 0 {
				do = "nothing is mounted now, which would explain it; else " + do
			}
		}
		return []finding{{check, address, findingWarning, fmt.Sprintf("it answers %s: nobody is behind it", res.Status), why, do}}
	}
	return good(check, address, "it answers")
}
