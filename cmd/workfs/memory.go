package main

import (
	"context"
	"sync"

	"github.com/workfs/workfs/auth"
)

// memoryStore is an auth.Store for credentials that nothing shall be left of.
type memoryStore struct {
	mu sync.Mutex
	c  auth.Credentials
}

// Load implements auth.Store.
func (m *memoryStore) Load() (auth.Credentials, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.c, nil
}

// Update implements auth.Store.
func (m *memoryStore) Update(_ context.Context, fn func(*auth.Credentials) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.c
	if err := fn(&c); err != nil {
		return err
	}
	m.c = c
	return nil
}

// Create implements auth.Store.
func (m *memoryStore) Create(_ context.Context, c auth.Credentials) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.c = c
	return nil
}

// Delete implements auth.Store.
func (m *memoryStore) Delete(ctx context.Context) error { return m.Create(ctx, auth.Credentials{}) }

func (m *memoryStore) String() string { return "memory" }

// memory is a backends.Memory for what is asked once.
type memory map[string][]byte

// Get implements backends.Memory.
func (m memory) Get(key string) ([]byte, bool) {
	v, ok := m[key]
	return v, ok
}

// Put implements backends.Memory.
func (m memory) Put(key string, value []byte) error {
	if value == nil {
		delete(m, key)
		return nil
	}
	m[key] = value
	return nil
}
