package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Default places follow the XDG base directory specification; root's configuration is the machine's.

// DefaultFile is where the configuration is looked for when no flag names it.
func DefaultFile() string {
	if os.Geteuid() == 0 && os.Getenv("XDG_CONFIG_HOME") == "" {
		return "/etc/workfs/config.toml"
	}
	return filepath.Join(xdg("XDG_CONFIG_HOME", ".config", "/etc"), "workfs", "config.toml")
}

// DefaultStateDir is where credentials and what outlives a cache wipe are kept.
func DefaultStateDir() string {
	return filepath.Join(xdg("XDG_STATE_HOME", ".local/state", "/var/lib"), "workfs")
}

// DefaultCacheDir is where everything that can be fetched again is kept.
func DefaultCacheDir() string {
	return filepath.Join(xdg("XDG_CACHE_HOME", ".cache", "/var/cache"), "workfs")
}

// xdg gives the directory that the environment names, else the one below HOME, else the system's: services are
// started without a HOME. Relative values are ignored, as the specification asks.
func xdg(variable, home, system string) string {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return dir
	}
	if dir := os.Getenv("HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, home)
	}
	return system
}

// RuntimeDir gives the directory of the control sockets, made 0700 and checked to be ours alone.
func RuntimeDir() (string, error) {
	uid := os.Geteuid()
	dir := filepath.Join(os.TempDir(), "workfs-"+strconv.Itoa(uid))
	if run := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) {
		dir = filepath.Join(run, "workfs")
	} else if uid == 0 {
		dir = "/run/workfs"
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the directory of control sockets: %w", err)
	}
	// Somebody else may have made the one in the temporary directory first.
	st, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("checking the directory of control sockets: %w", err)
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || !st.IsDir() || int(sys.Uid) != uid || st.Mode().Perm()&0o077 != 0 {
		return "", errors.New(dir + " is not a directory of this user alone: remove it, or set XDG_RUNTIME_DIR")
	}
	return dir, nil
}
