package core

import (
	"crypto/sha256"
	"slices"
	"sync"
)

// Tokens remembers which hosts may see each token that the simulator gave out, so that one sent elsewhere is recorded.
type Tokens struct {
	mu sync.RWMutex
	m  map[[32]byte][]string
}

func newTokens() *Tokens { return &Tokens{m: map[[32]byte][]string{}} }

// Issued registers a token and the names of the hosts that may see it.
func (t *Tokens) Issued(token string, hosts ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.m[sha256.Sum256([]byte(token))] = hosts
}

// misplaced reports whether the token is one of ours that host must not see.
func (t *Tokens) misplaced(token, host string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	hosts, ok := t.m[sha256.Sum256([]byte(token))]
	return ok && !slices.Contains(hosts, host)
}
