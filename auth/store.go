package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"golang.org/x/sys/unix"
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
}

// Store keeps the credentials of one connection. It is safe for concurrent use by several processes.
type Store interface {
	// Load reads the credentials. Errors are *Error of kind Broken.
	Load() (Credentials, error)
	// Update holds the store's lock while fn works on fresh credentials, and makes what fn leaves durable before it
	// returns, unless fn fails. It makes sure that it can write before it calls fn. A wait for the lock ends with ctx.
	Update(ctx context.Context, fn func(*Credentials) error) error
}

// maxCredentials bounds the credentials file in bytes.
const maxCredentials = 1 << 20

// File is a Store in one JSON file of mode 0600, replaced atomically, with a lock file beside it.
func File(path string) Store { return &file{path: path} }

type file struct{ path string }

// Load implements Store.
func (f *file) Load() (Credentials, error) {
	c, _, err := f.read()
	return c, err
}

// read also returns the members that this program does not know, so that Update keeps them.
func (f *file) read() (Credentials, map[string]json.RawMessage, error) {
	var c Credentials
	fd, err := os.Open(f.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return c, nil, broken(nil, "there is no credentials file "+f.path)
		}
		return c, nil, broken(err, "the credentials file can't be read")
	}
	defer fd.Close()
	info, err := fd.Stat()
	if err != nil {
		return c, nil, broken(err, "the credentials file can't be read")
	}
	if !info.Mode().IsRegular() {
		return c, nil, broken(nil, f.path+" is not a regular file")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return c, nil, broken(nil, fmt.Sprintf("the credentials file %s is open to others (mode %04o): chmod 600 it and think of its secrets as known", f.path, mode))
	}
	data, err := io.ReadAll(io.LimitReader(fd, maxCredentials+1))
	if err != nil {
		return c, nil, broken(err, "the credentials file can't be read")
	}
	// The decoder's own message may quote the file, so it is not passed on.
	var all map[string]json.RawMessage
	if len(data) > maxCredentials || json.Unmarshal(data, &all) != nil || json.Unmarshal(data, &c) != nil {
		return Credentials{}, nil, broken(nil, "the credentials file "+f.path+" is damaged: it must be a JSON object with client_secret and refresh_token as texts")
	}
	return c, all, nil
}

// Update implements Store.
func (f *file) Update(ctx context.Context, fn func(*Credentials) error) error {
	unlock, err := f.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	c, all, err := f.read()
	if err != nil {
		return err
	}
	// The new file exists and has room before fn may cause a rotation at the service.
	tmp, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+".*")
	if err != nil {
		return broken(err, "the credentials file can't be replaced")
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if _, err := tmp.Write(make([]byte, 64<<10)); err != nil {
		return broken(err, "the credentials file can't be replaced")
	}
	if err := fn(&c); err != nil {
		return err
	}
	if err := f.replace(tmp, c, all); err != nil {
		return broken(err, "the credentials file can't be replaced")
	}
	return nil
}

// members are the names of all that Credentials holds.
var members = func() (names []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Credentials]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}()

func (f *file) replace(tmp *os.File, c Credentials, all map[string]json.RawMessage) error {
	known, err := json.Marshal(c)
	if err != nil {
		return err
	}
	for _, k := range members {
		delete(all, k)
	}
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	if err := json.Unmarshal(known, &all); err != nil {
		return err
	}
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if _, err := tmp.WriteAt(append(data, '\n'), 0); err != nil {
		return err
	}
	if err := tmp.Truncate(int64(len(data)) + 1); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), f.path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// lock takes the lock file, which lies beside the credentials because those are replaced.
func (f *file) lock(ctx context.Context) (unlock func(), err error) {
	fd, err := os.OpenFile(f.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, broken(err, "the credentials file can't be locked")
	}
	for {
		err := unix.Flock(int(fd.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { fd.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			fd.Close()
			return nil, broken(err, "the credentials file can't be locked")
		}
		select {
		case <-ctx.Done():
			fd.Close()
			return nil, &Error{Kind: Unreachable, Action: "another process keeps the credentials file locked", Err: ctx.Err()}
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// equal tells whether two credentials hold the same secrets.
func (c Credentials) equal(d Credentials) bool {
	return c.ClientSecret == d.ClientSecret && c.RefreshToken == d.RefreshToken &&
		c.PrivateKey == d.PrivateKey && c.Passphrase == d.Passphrase && c.Lineage == d.Lineage
}
