package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Secret gives a secret that something other than a Store keeps, "" where that has none. It is read whenever it is needed, so
// that a new value is picked up. Errors are *Error of kind Broken, or Unreachable where a command took too long or ended with
// exit code 75.
type Secret func(ctx context.Context) (string, error)

// maxSecret bounds a secret in bytes; keys have a few kilobytes.
const maxSecret = 64 << 10

// EnvSecret gives the value of an environment variable.
func EnvSecret(name string) Secret {
	return func(context.Context) (string, error) { return os.Getenv(name), nil }
}

// FixedSecret gives value.
func FixedSecret(value string) Secret {
	return func(context.Context) (string, error) { return value, nil }
}

// FirstSecret gives the first secret that is there. nil ones are skipped.
func FirstSecret(secrets ...Secret) Secret {
	return func(ctx context.Context) (string, error) {
		for _, s := range secrets {
			if s == nil {
				continue
			}
			if value, err := s(ctx); value != "" || err != nil {
				return value, err
			}
		}
		return "", nil
	}
}

// FileSecret gives the content of a file without the newlines at its end. An empty file is an error, and so is one that
// ReadPrivate refuses.
func FileSecret(path string) Secret {
	return func(context.Context) (string, error) {
		data, err := ReadPrivate(path, maxSecret)
		if err != nil {
			return "", broken(err, "a secret's file can't be read")
		}
		value := strings.TrimRight(string(data), "\r\n")
		if value == "" {
			return "", broken(nil, fmt.Sprintf("the file %s has %d bytes: it must hold a secret", path, len(data)))
		}
		return value, nil
	}
}

// ReadPrivate reads a regular file with secrets that has at most so many bytes. Errors hold nothing of it.
//
// The file must be its owner's alone (mode 0600), or root's and for a group (0640). Containers show their secrets to
// everybody inside, so whatever lies below /run/secrets, and what root has put on a file system in memory, as Kubernetes
// does, may be readable by all; but writable by nobody else.
func ReadPrivate(path string, most int64) ([]byte, error) {
	f, info, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if mode := info.Mode().Perm(); mode&^allowedMode(f, path, info) != 0 {
		return nil, fmt.Errorf("the file %s holds a secret and is open to others (mode %04o): chmod 600 it and think of the secret as known", path, mode)
	}
	return readAll(f, most)
}

// openRegular opens a file for reading. What is no regular file is refused at once: a pipe would keep its reader waiting for
// somebody who writes.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New(path + " is not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// readAll reads a file that has at most so many bytes.
func readAll(f *os.File, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = errors.New(f.Name() + " is too large")
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// allowedMode gives the permissions that a file with a secret may have.
func allowedMode(f *os.File, path string, info fs.FileInfo) fs.FileMode {
	var stat unix.Stat_t
	var system unix.Statfs_t
	rootOwned := unix.Fstat(int(f.Fd()), &stat) == nil && stat.Uid == 0
	inMemory := unix.Fstatfs(int(f.Fd()), &system) == nil && (system.Type == unix.TMPFS_MAGIC || system.Type == unix.RAMFS_MAGIC)
	abs, err := filepath.Abs(path)
	provided := err == nil && (strings.HasPrefix(abs, "/run/secrets/") || strings.HasPrefix(abs, "/var/run/secrets/"))
	switch {
	case provided, rootOwned && inMemory && !strings.HasPrefix(abs, "/tmp/"): // in /tmp it is root's own mistake
		return 0o755
	case rootOwned:
		return 0o750
	}
	return 0o700
}

// commandLasts is how long the output of a secret's command is taken for granted. One renewal asks several times.
const commandLasts = 30 * time.Second

// CommandSecret gives the first line that a shell command prints; none is an error. Answers and failures are kept for half a
// minute.
func CommandSecret(command string) Secret { return commandSecret(command, firstLine) }

// CommandText is CommandSecret for what has several lines, as a private key.
func CommandText(command string) Secret { return commandSecret(command, strings.TrimSpace) }

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}

func commandSecret(command string, part func(string) string) Secret {
	var mu sync.Mutex
	var value string
	var failure error
	var asked time.Time
	return func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if !asked.IsZero() && time.Since(asked) < commandLasts {
			return value, failure
		}
		out, err := runCommand(ctx, "the command that gives a secret", command)
		value, failure, asked = part(out), err, time.Now()
		if failure == nil && value == "" {
			failure = broken(nil, "the command that gives a secret prints nothing")
		}
		if errors.Is(failure, context.Canceled) {
			asked = time.Time{} // the caller has left, which says nothing of the command
		}
		return value, failure
	}
}
