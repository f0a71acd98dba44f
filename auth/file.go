package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxCredentials bounds the credentials in bytes.
const maxCredentials = 1 << 20

// file is a medium of one file of mode 0600 that is replaced atomically.
type file struct{ path string }

func (f *file) String() string { return f.path }

func (f *file) read(context.Context) ([]byte, error) {
	fd, info, err := openRegular(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, broken(ErrNoCredentials, "there is no credentials file "+f.path)
	}
	if err != nil {
		return nil, broken(err, "the credentials file can't be read")
	}
	defer fd.Close()
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, broken(nil, fmt.Sprintf("the credentials file %s is open to others (mode %04o): chmod 600 it and think of its secrets as known", f.path, mode))
	}
	data, err := readAll(fd, maxCredentials)
	if err != nil {
		return nil, broken(err, "the credentials file can't be read")
	}
	return data, nil
}

// fileWriter is the new file, which has room before anything is done that can't be undone.
type fileWriter struct {
	path    string
	tmp     *os.File
	renamed bool
}

func (f *file) ready(context.Context, bool) (writer, error) {
	// There is one writer at a time, and a crash may have left its file.
	if err := os.Remove(f.temporary()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, broken(err, "the credentials file can't be replaced")
	}
	tmp, err := os.OpenFile(f.temporary(), os.O_CREATE|os.O_EXCL|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, broken(err, "the credentials file can't be replaced")
	}
	w := &fileWriter{path: f.path, tmp: tmp}
	if _, err := tmp.Write(make([]byte, 64<<10)); err != nil {
		w.close()
		return nil, broken(err, "the credentials file can't be replaced")
	}
	return w, nil
}

// temporary is the name of the file that is to replace f's.
func (f *file) temporary() string {
	return filepath.Join(filepath.Dir(f.path), "."+filepath.Base(f.path)+".new")
}

func (w *fileWriter) write(_ context.Context, data []byte) error {
	if err := w.replace(data); err != nil {
		return broken(err, "the credentials file can't be replaced")
	}
	return nil
}

func (w *fileWriter) replace(data []byte) error {
	if w.renamed {
		return syncDir(filepath.Dir(w.path))
	}
	if _, err := w.tmp.WriteAt(data, 0); err != nil {
		return err
	}
	if err := w.tmp.Truncate(int64(len(data))); err != nil {
		return err
	}
	if err := w.tmp.Sync(); err != nil {
		return err
	}
	if err := os.Rename(w.tmp.Name(), w.path); err != nil {
		return err
	}
	w.renamed = true
	return syncDir(filepath.Dir(w.path))
}

func (w *fileWriter) close() {
	if !w.renamed {
		_ = os.Remove(w.tmp.Name()) // the next writer removes it
	}
	w.tmp.Close()
}

func (f *file) remove(context.Context) error {
	for _, path := range []string{f.path, f.temporary()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return broken(err, "the credentials file can't be removed")
		}
	}
	if err := syncDir(filepath.Dir(f.path)); err != nil {
		return broken(err, "the credentials file can't be removed")
	}
	return nil
}

// syncDir makes renames and removals in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
