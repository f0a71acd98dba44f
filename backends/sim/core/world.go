package core

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"time"
)

// Throttle values of the switch "throttle".
const (
	ThrottleOff  = "off"  // only limits that are always on, such as 4 requests at a time per mailbox
	ThrottleReal = "real" // all documented limits
)

// World is what all simulated services of one simulator share.
type World struct {
	Clock    *Clock
	Seed     int64
	Switches *Switches
	Stats    *Stats
	Faults   *Faults
	Limits   *Limits
	Tokens   *Tokens
	Hosts    Hosts         // base URLs, set once when the simulator listens, before the first request
	Scale    int           // wanted size of the big collections; 0 keeps the small company as it is
	Latency  time.Duration // between a request and the first byte of its answer, in real time

	start    time.Time
	controls []control
}

// control is a call of the control host that a package added.
type control struct {
	pattern string
	handle  http.HandlerFunc
}

// HandleControl adds a call to the control host, for example "GET /subscriptions". It must come before Control.
func (w *World) HandleControl(pattern string, h http.HandlerFunc) {
	w.controls = append(w.controls, control{pattern, h})
}

// Hosts holds the base URL of each simulated service, without a trailing slash. Each has a loopback address of its own,
// so that a token sent to the wrong one shows.
type Hosts struct {
	Control, Graph, Login, BoxAPI, BoxAccount, BoxDownload, BoxRealtime, DriveDownload string
}

// Names of the hosts as they appear in statistics, fault rules and the ready line.
const (
	HostControl       = "control"
	HostGraph         = "graph"
	HostLogin         = "login"
	HostBoxAPI        = "box_api"
	HostBoxAccount    = "box_account"
	HostBoxDownload   = "box_download"
	HostBoxRealtime   = "box_realtime"
	HostDriveDownload = "drive_download"
)

// Options of a new World. The zero value is a small company at the present time.
type Options struct {
	Seed     int64
	Scale    int
	Latency  time.Duration
	Throttle string    // ThrottleOff (also "") or ThrottleReal
	Now      time.Time // start of the virtual clock; zero is the real time
}

// NewWorld makes a World without hosts.
func NewWorld(o Options) *World {
	w := &World{
		Clock:    NewClock(o.Now),
		Seed:     o.Seed,
		Switches: newSwitches(),
		Tokens:   newTokens(),
		Scale:    o.Scale,
		Latency:  o.Latency,
	}
	w.start = w.Clock.Now().UTC()
	w.Stats = newStats(w.Clock)
	w.Limits = newLimits(w.Clock)
	w.Faults = newFaults(w.Rand("faults"))
	throttle := o.Throttle
	if throttle == "" {
		throttle = ThrottleOff
	}
	w.Switches.Register("throttle", throttle, "off: only limits that are always on; real: all documented limits")
	return w
}

// Start gives the virtual time at which the World was made, in UTC. Seeded data end there.
func (w *World) Start() time.Time { return w.start }

// Throttled reports whether all documented limits are on.
func (w *World) Throttled() bool { return w.Switches.String("throttle") == ThrottleReal }

// Counts gives the statistics with what was taken of the limits.
func (w *World) Counts() Snapshot {
	snap := w.Stats.Snapshot()
	snap.Limits = w.Limits.Usage()
	return snap
}

// Rand gives a generator that depends on the seed and the purpose alone. It is not safe for concurrent use.
func (w *World) Rand(purpose string) *rand.Rand {
	sum := w.Sum(purpose)
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:8]), binary.LittleEndian.Uint64(sum[8:16])))
}

// Sum gives 32 bytes that depend on the seed and the purpose alone, for ids, keys and tokens.
func (w *World) Sum(purpose string) [32]byte {
	var key [8]byte
	binary.LittleEndian.PutUint64(key[:], uint64(w.Seed))
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(purpose))
	return [32]byte(mac.Sum(nil))
}

// GUID gives a version 4 GUID that depends on the seed and the purpose alone.
func (w *World) GUID(purpose string) string { return guid(w.Sum("guid:" + purpose)) }

func guid(sum [32]byte) string {
	sum[6] = sum[6]&0x0f | 0x40
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
