package core

import (
	"crypto/sha256"
	"slices"
	"sync"
)

// Tokens remembers which hosts may see each token that the simulator gave out, so that one sent elsewhere is recorded.
type Tokens struct {
	mu     sync.RWMutex
	m      map[[32]byte][]string
	listen []func(token string)
}

func newTokens() *Tokens { return &Tokens{m: map[[32]byte][]string{}} }

// Issued registers a token and the names of the hosts that may see it.
func (t *Tokens) Issued(token string, hosts ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.m[sha256.Sum256([]byte(token))] = hosts
	for _, fn := range t.listen {
		fn(token)
	}
}

// Listen has fn called with each token that is given out from now on, before anybody gets it. fn must not block.
func (t *Tokens) Listen(fn func(token string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listen = append(t.listen, fn)
}

// misplaced reports whether the token is one of ours that host must not see.
func (t *Tokens) misplaced(token, host string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	hosts, ok := t.m[sha256.Sum256([]byte(token))]
	return ok && !slices.Contains(hosts, host)
}
