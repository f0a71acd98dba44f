package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile is a held lock of a store. It lies beside the credentials because those are replaced. What it contains is the
// renewal that its holder is about: where a process finds one there that has no holder, it was cut off.
type lockFile struct {
	fd    *os.File
	began intention // what the file tells of, zero if nothing
}

// intention is a renewal under way, as the lock file has it. It holds no secret.
type intention struct {
	Token string    `json:"refresh_token_hash"`
	Began time.Time `json:"began"`
}

// takeLock waits for the lock at path until ctx ends. It makes the directory if it may; else it gives nil where there is none.
func takeLock(ctx context.Context, path string, mkdir bool) (*lockFile, error) {
	dir := filepath.Dir(path)
	if mkdir {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, broken(err, "the directory of the credentials can't be made")
		}
	}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) && !mkdir {
		return nil, nil
	}
	if err != nil {
		return nil, broken(err, "the credentials can't be locked")
	}
	// Whoever may write there could put other credentials in place. The sticky bit prevents that.
	if mode := info.Mode(); mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0 {
		return nil, broken(nil, fmt.Sprintf("others may write to the directory of the credentials: chmod go-w %s", dir))
	}
	for {
		fd, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, broken(err, "the credentials can't be locked")
		}
		if err := flock(ctx, fd); err != nil {
			fd.Close()
			return nil, err
		}
		// The former holder may have removed the file.
		held, err := fd.Stat()
		if err != nil {
			fd.Close()
			return nil, broken(err, "the credentials can't be locked")
		}
		if there, err := os.Stat(path); err != nil || !os.SameFile(held, there) {
			fd.Close()
			continue
		}
		l := &lockFile{fd: fd}
		data, _ := io.ReadAll(io.LimitReader(fd, 4096))
		if json.Unmarshal(data, &l.began) != nil {
			l.began = intention{} // empty, or the crash came while it was written: before the request
		}
		return l, nil
	}
}

func flock(ctx context.Context, fd *os.File) error {
	for {
		err := unix.Flock(int(fd.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return broken(err, "the credentials can't be locked")
		}
		select {
		case <-ctx.Done():
			return &Error{Kind: Unreachable, Action: "another process keeps the credentials locked", Err: ctx.Err()}
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (l *lockFile) release() { l.fd.Close() }

// remove removes the file. The lock is still held.
func (l *lockFile) remove() error {
	if err := os.Remove(l.fd.Name()); err != nil {
		return broken(err, "the lock of the credentials can't be removed")
	}
	return nil
}

// begin notes durably that a refresh token is about to be used, and tells when an earlier use of it began that was cut off. An
// empty token stands for credentials that are not used up.
//
// That it can't be noted is no reason to fail: it only makes a later error less exact.
func (l *lockFile) begin(token string) (cutOff time.Time) {
	if token == "" {
		return time.Time{}
	}
	hash := hashOf(token)
	if l.began.Token == hash {
		return l.began.Began
	}
	l.write(intention{hash, time.Now().UTC().Truncate(time.Second)})
	return time.Time{}
}

// settle forgets the renewal: token is the refresh token that is stored now. A use of it that was cut off before this process
// stays remembered.
func (l *lockFile) settle(token string) {
	if l.began.Token != "" && l.began.Token == hashOf(token) {
		return
	}
	l.began = intention{}
	_ = l.fd.Truncate(0) // see begin
}

func (l *lockFile) write(i intention) {
	data, err := json.Marshal(i)
	if err != nil {
		return
	}
	if _, err := l.fd.WriteAt(append(data, '\n'), 0); err != nil {
		return
	}
	_ = l.fd.Truncate(int64(len(data)) + 1) // see begin, here and below
	_ = l.fd.Sync()
	_ = syncDir(filepath.Dir(l.fd.Name())) // the file may be new
}

// hashOf names a secret without telling it.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte("workfs\x00" + secret))
	return hex.EncodeToString(sum[:12])
}
