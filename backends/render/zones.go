package render

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The zones come from a copy of the IANA database of our own, never from the system: two machines, or one before and after
// an update, must make the same bytes of the same event. A new copy is a new Version.
//
//go:generate go run zones_gen.go
//go:embed zoneinfo.gz
var packedZones []byte

// zoneData unpacks the database on first use, 350 KB.
var zoneData = sync.OnceValue(func() map[string][]byte {
	zones := make(map[string][]byte, 640)
	z, err := gzip.NewReader(bytes.NewReader(packedZones))
	if err != nil {
		return zones
	}
	all, err := io.ReadAll(z)
	if err != nil {
		return zones
	}
	for len(all) > 0 {
		name, rest, _ := bytes.Cut(all, []byte("\n"))
		size, rest, _ := bytes.Cut(rest, []byte("\n"))
		n, err := strconv.Atoi(string(size))
		if err != nil || n < 0 || n >= len(rest) {
			break
		}
		zones[string(name)] = rest[:n:n]
		all = rest[n+1:]
	}
	return zones
})

// locations keeps the zones that were loaded, by IANA name. There are no more than the database has.
var locations sync.Map

// zone gives the location of a Windows or IANA zone name. It gives false for names that say no zone, tzone://Microsoft/Custom
// among them.
func zone(name string) (*time.Location, bool) {
	name = strings.TrimSpace(name)
	switch strings.ToLower(name) {
	case "":
		return nil, false
	case "utc", "etc/utc", "etc/gmt", "gmt", "z", "tzone://microsoft/utc", "coordinated universal time":
		return time.UTC, true
	}
	if iana, ok := windowsZones[strings.ToLower(name)]; ok {
		name = iana
	}
	if l, ok := locations.Load(name); ok {
		return l.(*time.Location), true
	}
	data, ok := zoneData()[name]
	if !ok {
		return nil, false
	}
	l, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		return nil, false
	}
	locations.Store(name, l)
	return l, true
}
