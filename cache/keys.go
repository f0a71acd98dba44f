package cache

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/workfs/workfs/backends"
)

// The buckets of the metadata database. Numbers are 8 bytes, big endian, so that they sort.
var (
	bucketScopes   = []byte("scopes")   // scope → number (4 bytes)
	bucketDirs     = []byte("dirs")     // directory → dirRecord
	bucketDirKeys  = []byte("dirkeys")  // scope number, DirKey → directory
	bucketColls    = []byte("colls")    // collection → collRecord
	bucketCollKeys = []byte("collkeys") // scope number, name → collection
	bucketEntries  = []byte("entries")  // directory, cookie → entry
	bucketDetails  = []byte("details")  // directory, cookie → detail
	bucketNames    = []byte("names")    // directory, name → cookie
	bucketItems    = []byte("items")    // collection, hash of the item → places
	bucketInos     = []byte("inos")     // inode → node, ident
	bucketNodes    = []byte("nodes")    // node → places or retired
	bucketRetired  = []byte("retired")  // time, node → nothing
	bucketOrphans  = []byte("orphans")  // time, directory → nothing
	bucketStaging  = []byte("staging")  // directory with entries of a commit that is under way → nothing
	bucketDead     = []byte("dead")     // number of a body that nothing refers to → nothing
	bucketMemory   = []byte("memory")   // scope number, key → a service's value
	bucketFacts    = []byte("facts")    // counters and the like, see below
)

var metaBuckets = []string{
	"scopes", "dirs", "dirkeys", "colls", "collkeys", "entries", "details", "names", "items", "inos", "nodes", "retired",
	"orphans", "staging", "dead", "memory", "facts",
}

// ascending is how full pages become in buckets whose keys mostly come in ascending order.
const ascending = 0.9

// Keys of bucketFacts.
var (
	factEpoch   = []byte("epoch")   // the epoch of listings
	factSchema  = []byte("schema")  // Options.Schema
	factNode    = []byte("node")    // the last node given out
	factColl    = []byte("coll")    // the last collection made
	factScope   = []byte("scope")   // the last scope made
	factBytes   = []byte("bytes")   // sum of known sizes
	factEntries = []byte("entries") // number of entries
	factBodies  = []byte("bodies")  // which bodies database the entries refer to
)

// ident is a collision-free stand-in for an identity within a scope.
type ident [16]byte

func identOf(scope, id string) ident {
	h := sha256.New()
	h.Write([]byte(scope))
	h.Write([]byte{1})
	h.Write([]byte(id))
	var i ident
	copy(i[:], h.Sum(nil))
	return i
}

// itemHash stands for an item within its collection.
func itemHash(item string) ident {
	sum := sha256.Sum256([]byte(item))
	return ident(sum[:16])
}

func key64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func keyNode(n backends.NodeID) []byte { return key64(uint64(n)) }

func number(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// keyScoped is a string of a scope.
func keyScoped(scope uint32, s string) []byte {
	b := make([]byte, 0, 4+len(s))
	b = binary.BigEndian.AppendUint32(b, scope)
	return append(b, s...)
}

// keyIn is a string in a directory.
func keyIn(dir backends.NodeID, s string) []byte {
	b := make([]byte, 0, 8+len(s))
	b = binary.BigEndian.AppendUint64(b, uint64(dir))
	return append(b, s...)
}

func keyItem(coll uint64, item ident) []byte {
	b := make([]byte, 0, 8+len(item))
	b = binary.BigEndian.AppendUint64(b, coll)
	return append(b, item[:]...)
}
