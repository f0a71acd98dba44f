package box

import (
	"strings"

	"github.com/workfs/workfs/backends"
)

// The kinds of directories. A key is its kind, and for users and folders the view and the id.
const (
	rootKind      = ""
	usersKind     = "users"
	userKind      = "user"
	folderKind    = "folder"
	directoryKind = "directory"
	groupsKind    = "groups"
	recentKind    = "recent"
)

func key(kind string) backends.DirKey { return backends.DirKey(kind) }

func userKey(view string) backends.DirKey { return backends.DirKey(userKind + "|" + view) }

func folderKey(view, id string) backends.DirKey {
	return backends.DirKey(folderKind + "|" + view + "|" + id)
}

// parseKey is the reverse; an unknown kind is returned as it is.
func parseKey(dir backends.DirKey) (kind, view, id string) {
	kind, rest, _ := strings.Cut(string(dir), "|")
	view, id, _ = strings.Cut(rest, "|")
	return kind, view, id
}

// collection is the unit of change that a directory belongs to: the folders of a view are one, so that an item can move
// between them in one commit, and every other directory is one of its own.
func collection(dir backends.DirKey) string {
	kind, view, _ := parseKey(dir)
	switch kind {
	case rootKind:
		return "root"
	case folderKind:
		return viewCollection(view)
	}
	return string(dir)
}

// viewCollection names the folders of a view.
func viewCollection(view string) string { return folderKind + "|" + view }

// viewOf is the reverse.
func viewOf(collection string) (view string, ok bool) {
	return strings.CutPrefix(collection, folderKind+"|")
}
