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

// collection is the unit of change that a directory belongs to: each is one of its own.
func collection(dir backends.DirKey) string {
	if dir == "" {
		return "root"
	}
	return string(dir)
}
