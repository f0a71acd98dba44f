package fs

import (
	"bytes"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/workfs/workfs/backends"
)

// VirtualDirName is the directory in the root that opens by name and is in no listing.
const VirtualDirName = ".workfs"

// VirtualFile is a file in VirtualDirName that the daemon makes itself.
type VirtualFile struct {
	Name string
	// Content gives the bytes as of now. It is called for each look at the file, so it must be cheap and must not
	// ask a service.
	Content func() []byte
	// Log is set, instead of Content, for a file that only grows.
	Log Log
}

// Virtual nodes have the top bit set, which no node of a Tree has: 1 bit, 31 bits of file, 32 bits of version.
const (
	virtualBit  = uint64(1) << 63
	virtualRoot = virtualBit
	// virtualKept is how many versions of a file stay readable for those who hold them open.
	virtualKept = 16
)

func isVirtual(node uint64) bool { return node&virtualBit != 0 }

// virtualDir keeps what was last shown of each file. A file whose bytes changed is a new node, as everywhere in this
// filesystem, so that a reader never sees two versions mixed and the kernel never shows an old size.
type virtualDir struct {
	mu    sync.Mutex
	files []virtualFile
	made  time.Time
}

type virtualFile struct {
	VirtualFile
	version  uint32
	versions []virtualVersion // the newest last, at most virtualKept
	shown    *shownLog        // of a Log
}

type virtualVersion struct {
	version uint32
	content []byte
	at      time.Time
}

func newVirtualDir(files []VirtualFile) *virtualDir {
	v := &virtualDir{made: time.Now()}
	for i, f := range files {
		file := virtualFile{VirtualFile: f}
		if f.Log != nil {
			file.shown = newShownLog(virtualBit|uint64(i+1)<<32, f.Log)
		}
		v.files = append(v.files, file)
	}
	return v
}

// follow tells the kernel what grows until done is closed.
func (v *virtualDir) follow(k kernel, done <-chan struct{}) {
	for i := range v.files {
		if s := v.files[i].shown; s != nil {
			go s.follow(k, done)
		}
	}
}

// lookup answers for the hidden directory and its files and tells whether the name is its own. Node 0 is absence.
func (v *virtualDir) lookup(parent uint64, name string, o owner, out *fuse.EntryOut) bool {
	switch {
	case parent == uint64(backends.RootID) && name == VirtualDirName:
		a, _ := v.attr(virtualRoot)
		out.NodeId = virtualRoot
		o.fill(&a, &out.Attr)
		out.SetEntryTimeout(entryValid(&a))
		out.SetAttrTimeout(entryValid(&a))
		return true
	case parent != virtualRoot:
		return false
	}
	for i := range v.files {
		if v.files[i].Name != name {
			continue
		}
		node := v.refresh(i)
		a, err := v.attr(node)
		if err != nil {
			return true
		}
		out.NodeId = node
		o.fill(&a, &out.Attr)
		// The attributes of a version never change; the name points to the next version at any moment. With a log it is
		// the other way round.
		if v.files[i].shown == nil {
			out.SetAttrTimeout(maxValid)
		}
		return true
	}
	return true
}

// readDir lists the files without attributes: node 0 makes the kernel look each up when it is wanted.
func (v *virtualDir) readDir(after uint64, add func(*backends.Dirent) bool) {
	for i := after; i < uint64(len(v.files)); i++ {
		d := backends.Dirent{Name: v.files[i].Name, Cookie: i + 1, Attr: backends.Attr{Ino: virtualIno(i + 1)}}
		if !add(&d) {
			return
		}
	}
}

// virtualIno is one inode number per file, whatever the version: it is the same file to whoever looks twice.
func virtualIno(file uint64) uint64 { return virtualRoot>>1 | file }

// refresh asks the file for its bytes and gives the node of that version.
func (v *virtualDir) refresh(i int) uint64 {
	if s := v.files[i].shown; s != nil {
		return s.node
	}
	content := v.files[i].Content() // may take locks of its own, so before ours
	v.mu.Lock()
	defer v.mu.Unlock()
	f := &v.files[i]
	if n := len(f.versions); n == 0 || !bytes.Equal(f.versions[n-1].content, content) {
		f.version++
		f.versions = append(f.versions, virtualVersion{version: f.version, content: content, at: time.Now()})
		if len(f.versions) > virtualKept {
			f.versions = append(f.versions[:0], f.versions[1:]...)
		}
	}
	return virtualBit | uint64(i+1)<<32 | uint64(f.version)
}

// log gives what a node shows of a Log, nil if it is none.
func (v *virtualDir) log(node uint64) *shownLog {
	if i := int(node&^virtualBit>>32) - 1; i >= 0 && i < len(v.files) {
		return v.files[i].shown
	}
	return nil
}

func (v *virtualDir) find(node uint64) (virtualVersion, error) {
	i, version := int(node&^virtualBit>>32)-1, uint32(node)
	v.mu.Lock()
	defer v.mu.Unlock()
	if i < 0 || i >= len(v.files) {
		return virtualVersion{}, backends.ErrNotFound
	}
	for _, ver := range v.files[i].versions {
		if ver.version == version {
			return ver, nil
		}
	}
	return virtualVersion{}, backends.ErrStale
}

func (v *virtualDir) attr(node uint64) (backends.Attr, error) {
	if node == virtualRoot {
		return backends.Attr{Ino: virtualIno(0), Dir: true, Mtime: v.made, Ctime: v.made, Valid: backends.Forever}, nil
	}
	ino := virtualIno(node &^ virtualBit >> 32)
	if s := v.log(node); s != nil {
		return s.attr(ino), nil
	}
	ver, err := v.find(node)
	if err != nil {
		return backends.Attr{}, err
	}
	return backends.Attr{Ino: ino, Size: int64(len(ver.content)), Mtime: ver.at, Ctime: ver.at, Valid: backends.Forever}, nil
}

func (v *virtualDir) readAt(node uint64, p []byte, off int64) (int, error) {
	if s := v.log(node); s != nil {
		return s.readAt(p, off)
	}
	ver, err := v.find(node)
	if err != nil || off >= int64(len(ver.content)) || off < 0 {
		return 0, err
	}
	return copy(p, ver.content[off:]), nil
}
