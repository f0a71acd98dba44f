package keygen

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file to write.
type File struct {
	Path string
	Data []byte
	// Mode is 0600 for a key and 0644 for what anybody may know.
	Mode fs.FileMode
}

// WriteFiles writes files. Those that are there are only replaced with force, each atomically and all after the last one was
// written; otherwise nothing is written and the error satisfies errors.Is(err, fs.ErrExist).
func WriteFiles(files []File, force bool) (err error) {
	var made []string
	defer func() {
		if err == nil {
			return
		}
		for _, path := range made {
			if left := os.Remove(path); !errors.Is(left, fs.ErrNotExist) {
				err = errors.Join(err, left)
			}
		}
	}()
	for _, f := range files {
		path := f.Path
		if force {
			path = filepath.Join(filepath.Dir(f.Path), "."+filepath.Base(f.Path)+".new")
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err // of a run that was cut off, perhaps with another mode
			}
		}
		if err := write(path, f); err != nil {
			return err
		}
		made = append(made, path)
	}
	for i, f := range files {
		if made[i] == f.Path {
			continue
		}
		if err := os.Rename(made[i], f.Path); err != nil {
			return err
		}
	}
	return nil
}

func write(path string, f File) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.Mode)
	if err != nil {
		return err
	}
	_, err = out.Write(f.Data)
	if err = errors.Join(err, out.Chmod(f.Mode), out.Sync(), out.Close()); err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
