package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Credentials are the secrets of one connection, as its file has them.
type Credentials struct {
	ClientSecret string `json:"client_secret,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	// PrivateKey is a PEM key that signs in place of ClientSecret or beside it, "" where a file of its own has it.
	// Passphrase opens the key, wherever it is.
	PrivateKey string `json:"private_key,omitempty"`
	Passphrase string `json:"passphrase,omitempty"`

	// Lineage names the sign-in that these credentials come from: it is random, made by each sign-in of a person, and kept
	// over renewals. What is remembered of an account is remembered for its lineage.
	Lineage string `json:"lineage,omitempty"`
	// Account is who signed in, as people know it (UPN or login), "" if unknown.
	Account string `json:"account,omitempty"`
	// Scope is what the service granted, separated by spaces, "" if it did not say.
	Scope string `json:"scope,omitempty"`
	// SignedInAt is when the person signed in, RefreshedAt when RefreshToken was issued. Zero if unknown.
	SignedInAt  time.Time `json:"signed_in_at,omitzero"`
	RefreshedAt time.Time `json:"refreshed_at,omitzero"`
	// SecretExpiresAt is the end of ClientSecret as its owner stated it, zero if unknown.
	SecretExpiresAt time.Time `json:"secret_expires_at,omitzero"`

	// AccessToken is kept so that a new process needs no request; IssuedAt and ExpiresAt are its life, and IssuedFor is a
	// hash of the configuration that it came from, so that a token of another client, tenant or endpoint is never used.
	AccessToken string    `json:"access_token,omitempty"`
	IssuedAt    time.Time `json:"issued_at,omitzero"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	IssuedFor   string    `json:"issued_for,omitempty"`

	// Seed is a hash of the Supply's RefreshToken at the time that these were stored, "" if it had none.
	Seed string `json:"seed,omitempty"`

	// CutOff is set for Update's fn only: when a renewal with RefreshToken began of whose end nothing is known, because the
	// process or the machine died, or the answer was lost. Zero if there was none.
	CutOff time.Time `json:"-"`
}

// ErrNoCredentials says that a Store holds nothing: nobody has signed in, or has signed out.
var ErrNoCredentials = errors.New("nobody has signed in")

// Store keeps the credentials of one connection. It is safe for concurrent use by several processes. Its errors are *Error,
// most of kind Broken, except what Update's fn returns.
type Store interface {
	// Load reads the credentials. Where there are none the error is ErrNoCredentials.
	Load() (Credentials, error)
	// Update holds the store's lock while fn works on fresh credentials, empty ones where there are none, and makes what fn
	// leaves durable before it returns, unless fn fails. It makes sure that it can write before it calls fn. A wait for the
	// lock ends with ctx.
	Update(ctx context.Context, fn func(*Credentials) error) error
	// Create replaces all that the store holds by c, durably, and makes what directories that needs.
	Create(ctx context.Context, c Credentials) error
	// Delete removes the credentials and all that the store keeps beside them. Where there are none it does nothing.
	Delete(ctx context.Context) error
	// String says in words where the credentials are: a path, or "the OS keyring".
	String() string
}

// StoreConfig describes a Store.
type StoreConfig struct {
	// Kind is "file" (a JSON file of mode 0600; also when empty), "age" (the same, encrypted) or "keyring" (the Secret Service
	// of the desktop).
	Kind string
	// Name is what people call the connection.
	Name string
	// Path is the file. A keyring has its entry under this name, and a lock beside it.
	Path string
	// Passphrase opens an encrypted file. It is asked when the file is first read, and when it was encrypted anew. What it
	// returns may also be an age identity ("AGE-SECRET-KEY-1…"), or the whole file of one: then that encrypts and opens.
	Passphrase func(ctx context.Context) (string, error) `json:"-"`
}

// StoreKinds are the values of StoreConfig.Kind.
func StoreKinds() []string { return []string{"keyring", "age", "file"} }

// NewStore makes a Store. It reads nothing yet.
func NewStore(cfg StoreConfig) (Store, error) {
	plain := &file{path: cfg.Path}
	switch cfg.Kind {
	case "", "file":
		return &vault{medium: plain, path: cfg.Path}, nil
	case "age":
		return &vault{medium: &sealed{file: plain, passphrase: cfg.Passphrase, work: scryptWork}, path: cfg.Path}, nil
	case "keyring":
		return &vault{medium: &keyringEntry{name: cfg.Name, key: cfg.Path}, path: cfg.Path}, nil
	}
	return nil, broken(nil, fmt.Sprintf("there is no store %q: choose from %s", cfg.Kind, strings.Join(StoreKinds(), ", ")))
}

// File is a Store in one JSON file of mode 0600, replaced atomically, with a lock file beside it.
func File(path string) Store { return &vault{medium: &file{path: path}, path: path} }

// equal tells whether two credentials hold the same secrets.
func (c Credentials) equal(d Credentials) bool {
	return c.ClientSecret == d.ClientSecret && c.RefreshToken == d.RefreshToken &&
		c.PrivateKey == d.PrivateKey && c.Passphrase == d.Passphrase && c.Lineage == d.Lineage
}
