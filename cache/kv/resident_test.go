package kv

import (
	"encoding/binary"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// TestResident: reading a whole database does not leave it mapped, and who reads while pages are let go reads the same.
func TestResident(t *testing.T) {
	const size, values = 1 << 10, 16 << 10
	held := NewResident(1) // the program alone is more
	defer held.Close()
	db, _, err := Open(filepath.Join(t.TempDir(), "db"), Options{Format: "f", Buckets: []string{"b"}, Mmap: 1 << 30, Resident: held, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	key := func(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }
	err = db.Update(func(tx *bbolt.Tx) error {
		for i := range values {
			if err := tx.Bucket([]byte("b")).Put(key(i), []byte(strings.Repeat(string(rune('a'+i%26)), size))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for i := range values {
				err := db.View(func(tx *bbolt.Tx) error {
					v := tx.Bucket([]byte("b")).Get(key(i))
					if len(v) != size || v[0] != byte('a'+i%26) || v[size-1] != v[0] {
						t.Errorf("value %d reads %.10q", i, v)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	readers.Wait()
	for deadline := time.Now().Add(20 * time.Second); mappedOf(t) >= values*size/2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are mapped still", mappedOf(t))
		}
	}
}

// mappedOf is what of the database the process holds.
func mappedOf(t *testing.T) (sum int64) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip("SKIPPED: no /proc/self/smaps")
	}
	inside := false
	for line := range strings.SplitSeq(string(b), "\n") {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 5 || len(fields) == 5 && strings.Contains(fields[0], "-"):
			inside = strings.HasSuffix(line, "/db")
		case inside && len(fields) == 3 && fields[0] == "Rss:":
			var kb int64
			for _, c := range fields[1] {
				kb = kb*10 + int64(c-'0')
			}
			sum += kb << 10
		}
	}
	return sum
}
