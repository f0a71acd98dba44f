package box

import (
	"cmp"
	"slices"
	"strings"
)

// listing holds the children of a folder, the items of a trash or of a root, in the two orders that pages need: by name
// for offsets, by id for markers. The latter never changes for an item that stays, so a marker neither skips nor repeats
// one whatever happens to the others.
type listing struct {
	byName, byID []*item
}

func compareName(a, b *item) int {
	if c := cmp.Compare(a.kind, b.kind); c != 0 {
		return c
	}
	if c := strings.Compare(a.fold, b.fold); c != 0 {
		return c
	}
	return cmp.Compare(a.num, b.num)
}

func compareID(a, b *item) int {
	if c := cmp.Compare(a.kind, b.kind); c != 0 {
		return c
	}
	return cmp.Compare(a.num, b.num)
}

func (l *listing) add(it *item) {
	i, found := slices.BinarySearchFunc(l.byName, it, compareName)
	if found {
		return
	}
	l.byName = slices.Insert(l.byName, i, it)
	i, _ = slices.BinarySearchFunc(l.byID, it, compareID)
	l.byID = slices.Insert(l.byID, i, it)
}

// remove must come before a change of the item's name.
func (l *listing) remove(it *item) {
	i, found := slices.BinarySearchFunc(l.byName, it, compareName)
	if !found {
		return
	}
	l.byName = slices.Delete(l.byName, i, i+1)
	if i, found = slices.BinarySearchFunc(l.byID, it, compareID); found {
		l.byID = slices.Delete(l.byID, i, i+1)
	}
}

// fill adds many items at once.
func (l *listing) fill(items []*item) {
	l.byName = append(l.byName, items...)
	l.byID = append(l.byID, items...)
	slices.SortFunc(l.byName, compareName)
	slices.SortFunc(l.byID, compareID)
}

func (l *listing) len() int { return len(l.byID) }

// named finds a child of any type by its name without case.
func (l *listing) named(name string) *item {
	fold := foldName(name)
	for _, k := range []kind{folderKind, fileKind, linkKind} {
		i, _ := slices.BinarySearchFunc(l.byName, &item{kind: k, fold: fold}, compareName)
		if i < len(l.byName) && l.byName[i].kind == k && l.byName[i].fold == fold {
			return l.byName[i]
		}
	}
	return nil
}
