package names

import (
	"cmp"
	"slices"
	"strconv"
)

// Wanted is a name wished for, before the directory is known.
type Wanted struct {
	// Stem is a generated stem without hash, or a user's name.
	Stem string
	// Key is the identity of the item that owns the name. The parts of one item (md, json, attachments) share it, and with
	// it their hash.
	Key string
	// Ext follows the hash of a generated name: ".md", ".attachments" or "". A user's extension stays inside Stem.
	Ext string
	// User marks a name given by a user. It is used as it is (passed through Clean by the caller, or here when it could not be
	// an entry), unless it has a twin or looks like one of ours; then a hash goes before its extension.
	User bool
	// Fixed marks a name of ours that is kept as it is: members.csv, files, 2026-11.
	Fixed bool
}

// Assign gives every entry of one directory its final name, in the order of ws. It is a pure function of the set:
//
//   - a fixed name is kept, whoever else wants it;
//   - a user's name is kept unless another user's name equals it byte by byte, a fixed one does, or it looks generated; twins
//     all get their hash, so that which of them came first does not matter;
//   - a generated name is Stem~Hash(Key, 8)Ext, with a longer hash for all parts of an item when another entry has that name;
//   - entries equal in all fields are numbered.
//
// No two results are equal and none has more than 255 bytes. The cost is O(n) for sets without collisions.
func Assign(ws []Wanted) []string {
	a := assigner{
		ws:     ws,
		out:    make([]string, len(ws)),
		keys:   make([]string, len(ws)),
		hashed: make([]bool, len(ws)),
		length: map[string]int{},
		taken:  make(map[string]int32, len(ws)),
	}
	a.reserve()
	a.settle()
	return a.out
}

type assigner struct {
	ws     []Wanted
	out    []string
	keys   []string       // identity to hash, per entry; differs from Wanted.Key for numbered doubles
	hashed []bool         // whether the entry's name carries a hash
	length map[string]int // hash length by key where it is not HashLen
	taken  map[string]int32
}

// reserve names all entries that need no hash and gives doubles keys of their own.
func (a *assigner) reserve() {
	doubles := make(map[Wanted]int, len(a.ws))
	for i, w := range a.ws {
		a.keys[i] = w.Key
		doubles[w]++
		if n := doubles[w]; n > 1 {
			a.keys[i] += "\x00" + itoa(n)
		}
		if w.Fixed {
			name := w.Stem + w.Ext
			if !usable(name) {
				name = Clean(name)
			}
			a.out[i] = name
		}
	}
	a.reserveFixed()
	twins := make(map[string]int)
	for i, w := range a.ws {
		if w.User && !w.Fixed {
			name := w.Stem + w.Ext
			if !usable(name) {
				name = Clean(name)
			}
			a.out[i] = name
			twins[name]++
		}
	}
	for i, w := range a.ws {
		switch {
		case w.Fixed:
		case !w.User:
			a.hashed[i] = true
		default:
			_, fixed := a.taken[a.out[i]]
			a.hashed[i] = twins[a.out[i]] > 1 || fixed || LooksGenerated(a.out[i])
		}
	}
	for i, w := range a.ws {
		if w.User && !w.Fixed && !a.hashed[i] {
			a.taken[a.out[i]] = int32(i)
		}
	}
}

// reserveFixed lets fixed names win. Of two equal ones, which only a mistake can make, the lesser keeps the name.
func (a *assigner) reserveFixed() {
	for i, w := range a.ws {
		if !w.Fixed {
			continue
		}
		j, taken := a.taken[a.out[i]]
		switch {
		case !taken:
			a.taken[a.out[i]] = int32(i)
		case a.compare(int32(i), j) < 0:
			a.taken[a.out[i]] = int32(i)
			a.hashed[j] = true
		default:
			a.hashed[i] = true
		}
	}
}

// compare orders entries by what they are, never by where they stand.
func (a *assigner) compare(i, j int32) int {
	x, y := &a.ws[i], &a.ws[j]
	return cmp.Or(cmp.Compare(a.keys[i], a.keys[j]), cmp.Compare(x.Stem, y.Stem), cmp.Compare(x.Ext, y.Ext),
		compareBool(x.User, y.User), compareBool(x.Fixed, y.Fixed))
}

func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case y:
		return -1
	}
	return 1
}

// settle hashes the remaining entries, lengthening the hashes of all that collide, in rounds, until none does. Every round
// looks at all entries alike, which is what makes the result independent of their order.
func (a *assigner) settle() {
	base := make([]string, len(a.ws)) // a hashed user's name before its hash
	for i, w := range a.ws {
		if a.hashed[i] && (w.User || w.Fixed) {
			base[i] = a.out[i]
		}
	}
	for {
		made := make(map[string]int32, len(a.ws)) // name to the first hashed entry that has it
		var clash map[string][]int32
		for i := range a.ws {
			if !a.hashed[i] {
				continue
			}
			name := a.name(i, base[i])
			a.out[i] = name
			_, reserved := a.taken[name]
			first, double := made[name]
			if !double {
				made[name] = int32(i)
			}
			if !reserved && !double {
				continue
			}
			if clash == nil {
				clash = map[string][]int32{}
			}
			if double && len(clash[name]) == 0 {
				clash[name] = append(clash[name], first)
			}
			clash[name] = append(clash[name], int32(i))
		}
		if len(clash) == 0 {
			return
		}
		a.part(clash)
	}
}

// name gives entry i the name that its key's present hash length makes.
func (a *assigner) name(i int, base string) string {
	n := HashLen
	if len(a.length) > 0 {
		if l := a.length[a.keys[i]]; l > 0 {
			n = l
		}
	}
	hash := "~" + Hash(a.keys[i], n)
	if w := &a.ws[i]; !w.User && !w.Fixed {
		stem := cutString(w.Stem, MaxName-len(hash)-len(w.Ext))
		if name := stem + hash + w.Ext; usable(name) {
			return name
		}
		// A stem that Stem did not make; treat it as a user's name.
		base = Clean(w.Stem + w.Ext)
	}
	ext := extension(base)
	if ext == attachmentsSuffix {
		ext = "" // name~hash.attachments would be taken for one of ours all the more
	}
	return cutString(base[:len(base)-len(ext)], MaxName-len(hash)-len(ext)) + hash + ext
}

// part lengthens the hashes of entries that have the same name. Where that cannot help, because they share their key or
// the hash is at its end, all but the least get a key of their own.
func (a *assigner) part(clash map[string][]int32) {
	longer := map[string]bool{}
	for _, is := range clash {
		slices.SortFunc(is, a.compare)
		previous := ""
		for k, i := range is {
			key := a.keys[i]
			if k > 0 && key == previous || a.length[key] >= maxHash {
				a.keys[i] = key + "\x00" + itoa(k+1)
			} else {
				longer[key] = true
			}
			previous = key
		}
	}
	for key := range longer {
		a.length[key] = max(a.length[key], HashLen) + 1
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
