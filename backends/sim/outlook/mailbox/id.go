package mailbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// Kind is the type of thing that an id names.
type Kind byte

// The kinds of thing that have ids.
const (
	KindMessage       Kind = 'm'
	KindMailFolder    Kind = '.'
	KindEvent         Kind = 'e'
	KindCalendar      Kind = 'c'
	KindCalendarGroup Kind = 'g'
	KindContact       Kind = 'p'
	KindContactFolder Kind = 'q'
)

// Ref is what an id says. Folders and calendars use only Kind and Key.
type Ref struct {
	Kind      Kind
	Immutable bool
	Folder    uint64 // where a default id says that the item is
	Moves     uint32 // how often the item had moved when the default id was given out
	Key       uint64
	Sub       uint32 // attachment number from 1, or the days since 1970 of an occurrence; 0: the item itself
	Day       bool   // Sub is a day
}

// Exchange ids begin alike: AAMk for default ids, AAkA for immutable ones, AQMk for containers.
var prefixes = map[string][3]byte{"item": {0x00, 0x03, 0x24}, "immutable": {0x00, 0x09, 0x00}, "container": {0x01, 0x03, 0x24}}

const (
	guidLen   = 36
	fillerLen = 51 // makes an item's id 152 characters long, as Exchange's are
	fixedLen  = 3 + guidLen + fillerLen
	plainLen  = fixedLen + 1 + 8 + 4 + 8
	subLen    = 6
)

// Codec turns references into ids and back, for one mailbox. Ids are URL-safe base64, fixed in length, and case-sensitive:
// neighbouring items have ids that differ only by the case of one letter.
type Codec struct {
	guid   string
	filler [fillerLen]byte
}

// NewCodec gives the codec of the mailbox with that GUID (36 characters).
func NewCodec(guid string) *Codec {
	c := &Codec{guid: guid}
	a, b := sha256.Sum256([]byte("id "+guid)), sha256.Sum256([]byte("id2 "+guid))
	copy(c.filler[copy(c.filler[:], a[:]):], b[:])
	return c
}

func (r Ref) prefix() [3]byte {
	switch {
	case r.Kind == KindMailFolder || r.Kind == KindCalendar || r.Kind == KindCalendarGroup || r.Kind == KindContactFolder:
		return prefixes["container"]
	case r.Immutable:
		return prefixes["immutable"]
	}
	return prefixes["item"]
}

// ID gives the id of a reference.
func (c *Codec) ID(r Ref) string {
	var buf [plainLen + subLen + 2]byte
	p := r.prefix()
	b := append(buf[:0], p[:]...)
	b = append(b, c.guid...)
	b = append(b, c.filler[:]...)
	b = append(b, byte(r.Kind))
	if r.Immutable {
		r.Folder, r.Moves = 0, 0
	}
	b = binary.BigEndian.AppendUint64(b, r.Folder)
	b = binary.BigEndian.AppendUint32(b, r.Moves)
	b = binary.BigEndian.AppendUint64(b, r.Key)
	if r.Sub != 0 {
		mark := byte(0x12)
		if r.Day {
			mark = 0x14
		}
		b = append(b, 0x01, mark)
		b = binary.BigEndian.AppendUint32(b, r.Sub)
	}
	b = append(b, 0, 0)
	return base64.URLEncoding.EncodeToString(b)
}

// Ref reads an id of this mailbox; ok is false for anything else.
func (c *Codec) Ref(id string) (r Ref, ok bool) {
	b, err := base64.URLEncoding.Strict().DecodeString(id)
	if err != nil || (len(b) != plainLen+2 && len(b) != plainLen+subLen+2) {
		return Ref{}, false
	}
	r.Kind = Kind(b[fixedLen])
	rest := b[fixedLen+1:]
	r.Folder, r.Moves, r.Key = binary.BigEndian.Uint64(rest), binary.BigEndian.Uint32(rest[8:]), binary.BigEndian.Uint64(rest[12:])
	if len(b) > plainLen+2 {
		r.Day, r.Sub = rest[21] == 0x14, binary.BigEndian.Uint32(rest[22:])
	}
	r.Immutable = [3]byte(b[:3]) == prefixes["immutable"]
	return r, c.ID(r) == id
}
