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

// WriteFiles writes files durably. One that is there is only replaced with force, atomically; otherwise nothing is written
// and the error satisfies errors.Is(err, fs.ErrExist).
func WriteFiles(files []File, force bool) (err error) {
	var made []string
	defer func() {
		if err != nil {
			for _, path := range made {
				err = errors.Join(err, os.Remove(path))
			}
		}
	}()
	for _, f := range files {
		if force {
			if err := replace(f); err != nil {
				return err
			}
			continue
		}
		if err := write(f.Path, f); err != nil {
			return err
		}
		made = append(made, f.Path)
	}
	return nil
}

func replace(f File) error {
	tmp := filepath.Join(filepath.Dir(f.Path), "."+filepath.Base(f.Path)+".new")
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // of a run that was cut off, perhaps with another mode
	}
	err := write(tmp, f)
	if err == nil {
		err = os.Rename(tmp, f.Path)
	}
	return err
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
