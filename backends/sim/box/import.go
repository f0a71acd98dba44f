package box

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// importer turns a directory of this machine into a user's tree. Names, sizes and times are read at once, bytes when they
// are asked for.
//
// Names are kept as they are, also those that Box would refuse (twins that differ in case only, backslashes), because a
// comparison with the directory is what the import is for. Only what is not UTF-8 is replaced. Symbolic links and special
// files are left out.
type importer struct {
	s     *store
	owner *user
	files []*disk
}

func (im *importer) run(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("import: %s is not a directory", dir)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	return im.folder(im.owner.root, dir, "")
}

func (im *importer) folder(into *item, path, rel string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	items := make([]*item, 0, len(entries))
	taken := map[string]bool{}
	for _, e := range entries {
		if !e.IsDir() && !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // gone since the directory was read
		}
		name := strings.ToValidUTF8(e.Name(), "\ufffd")
		for n := 1; taken[name]; n++ {
			name = fmt.Sprintf("%s (%d)", strings.ToValidUTF8(e.Name(), "\ufffd"), n)
		}
		taken[name] = true
		it, err := im.entry(into, info, filepath.Join(path, e.Name()), rel+"/"+name, name)
		if err != nil {
			return err
		}
		items = append(items, it)
	}
	into.children.fill(items)
	return nil
}

func (im *importer) entry(into *item, info fs.FileInfo, path, rel, name string) (*item, error) {
	at := info.ModTime().Truncate(time.Second).UTC()
	k := fileKind
	if info.IsDir() {
		k = folderKind
	}
	it := im.s.newItem(k, "import "+rel, name, into, im.owner, at)
	if k == folderKind {
		return it, im.folder(it, path, rel)
	}
	c := &disk{path: path, length: info.Size()}
	im.files = append(im.files, c)
	im.s.addVersion(it, "import "+rel, c, im.owner, at, at)
	return it, nil
}

// mostHashed bounds the bytes that are hashed ahead of the first listing; the rest is hashed on demand.
const mostHashed = 4 << 30

// hashAhead computes the digests of imported files in the background until ctx ends, so that listings need not wait.
func hashAhead(ctx context.Context, files []*disk) *sync.WaitGroup {
	var wg sync.WaitGroup
	work := make(chan *disk)
	wg.Go(func() {
		defer close(work)
		var sum int64
		for _, f := range files {
			if sum += f.length; sum > mostHashed {
				return
			}
			select {
			case work <- f:
			case <-ctx.Done():
				return
			}
		}
	})
	for range runtime.NumCPU() {
		wg.Go(func() {
			for f := range work {
				_, _ = f.sha1() // a listing tells the error
			}
		})
	}
	return &wg
}
