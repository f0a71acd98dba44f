package main

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"

	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

// limitVariable and paceVariable are Go's own limit of memory and pace of collection. Where they are set they count, whatever
// the settings say.
const (
	limitVariable = "GOMEMLIMIT"
	paceVariable  = "GOGC"
)

// collectionPace is how much may be allocated until memory is collected, in percent of what is in use. Go's own 100 costs a
// mount that reads a mailbox a tenth of its processor time, and what is in use is little.
const collectionPace = 200

// limitMemory bounds what this process takes for itself. It is a soft bound: what is needed is had, but memory that is not
// needed any more is collected earlier the closer the bound is.
func limitMemory(most config.Size) {
	if os.Getenv(limitVariable) == "" {
		debug.SetMemoryLimit(int64(most))
	}
	if os.Getenv(paceVariable) == "" {
		debug.SetGCPercent(collectionPace)
	}
}

// memoryStatus is what a mount's process takes of the machine.
type memoryStatus struct {
	Resident   int64 `json:"resident_bytes"`
	Anonymous  int64 `json:"anonymous_bytes"` // of Resident: the process's own; the rest is of files, mostly of the cache's
	Heap       int64 `json:"heap_bytes"`      // in use
	Limit      int64 `json:"limit_bytes"`     // soft; 0: none
	Goroutines int64 `json:"goroutines"`
	Files      int   `json:"open_files"`
}

// processMemory tells what this process takes now.
func processMemory() *memoryStatus {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/gomemlimit:bytes"}, {Name: "/sched/goroutines:goroutines"},
	}
	metrics.Read(samples)
	m := &memoryStatus{
		Heap: int64(samples[0].Value.Uint64()), Limit: int64(samples[1].Value.Uint64()), Goroutines: int64(samples[2].Value.Uint64()),
	}
	if m.Limit == math.MaxInt64 {
		m.Limit = 0
	}
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		m.Resident, m.Anonymous = kilobytes(string(status), "VmRSS:"), kilobytes(string(status), "RssAnon:")
	}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		m.Files = len(files)
	}
	return m
}

// kilobytes gives a value of /proc/PID/status in bytes, 0 where it is not there.
func kilobytes(status, key string) int64 {
	_, rest, _ := strings.Cut(status, "\n"+key)
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kb, _ := strconv.ParseInt(number, 10, 64) // 0 is what is not known
	return kb << 10
}
