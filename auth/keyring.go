package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/zalando/go-keyring"
)

const (
	// keyringService is the service that our entries in the keyring belong to.
	keyringService = "workfs"
	// keyringTimeout bounds a question to the keyring, which answers within milliseconds unless it hangs.
	keyringTimeout = 10 * time.Second
	// promptTimeout bounds a question for which the keyring may ask the user something.
	promptTimeout = 2 * time.Minute
	// maxKeyring bounds an entry in bytes. Keyrings are slow with more than 100 KiB (zalando/go-keyring).
	maxKeyring = 64 << 10
)

// KeyringName is what a store in the keyring of the operating system calls itself.
const KeyringName = "the OS keyring"

// keyringEntry is a medium of one entry in the Secret Service of the desktop (GNOME Keyring, KWallet, KeePassXC; specification
// at specifications.freedesktop.org/secret-service). Only Create lets the keyring ask the user to unlock it: then somebody sits
// there.
type keyringEntry struct {
	name string // of the connection
	key  string // of the entry: a path, so that connections of one name in two configurations stay apart
}

func (k *keyringEntry) String() string { return KeyringName }

func (k *keyringEntry) read(ctx context.Context) ([]byte, error) {
	if err := KeyringAvailable(ctx); err != nil {
		return nil, err
	}
	var text string
	err := within(ctx, keyringTimeout, func() (err error) {
		text, err = keyring.Get(keyringService, k.key)
		return err
	})
	if errors.Is(err, keyring.ErrNotFound) {
		return nil, broken(ErrNoCredentials, fmt.Sprintf("the OS keyring holds nothing of the connection %q", k.name))
	}
	if err != nil {
		return nil, keyringError(err)
	}
	return []byte(text), nil
}

// keyringWriter proves that the keyring takes entries before anything is done that can't be undone: it writes what is there.
type keyringWriter struct {
	entry   *keyringEntry
	anew    bool
	made    bool // there was nothing
	written bool
}

func (k *keyringEntry) ready(ctx context.Context, anew bool) (writer, error) {
	if anew {
		if err := busError(); err != nil {
			return nil, err
		}
		return &keyringWriter{entry: k, anew: true}, nil
	}
	data, err := k.read(ctx)
	made := errors.Is(err, ErrNoCredentials)
	if made {
		data, err = []byte("{}"), nil
	}
	if err != nil {
		return nil, err
	}
	if err := checkSize(data); err != nil {
		return nil, err
	}
	if err := k.set(ctx, data, keyringTimeout); err != nil {
		return nil, err
	}
	return &keyringWriter{entry: k, made: made}, nil
}

func (k *keyringEntry) set(ctx context.Context, data []byte, timeout time.Duration) error {
	err := within(ctx, timeout, func() error { return keyring.Set(keyringService, k.key, string(data)) })
	if err != nil {
		return keyringError(err)
	}
	return nil
}

// checkSize refuses what a keyring can't be expected to take. What came of a renewal is not refused: it is all that there is.
func checkSize(data []byte) error {
	if len(data) > maxKeyring {
		return broken(nil, fmt.Sprintf("%d KiB are too much for the OS keyring: store = \"age\" or \"file\" takes them", len(data)>>10))
	}
	return nil
}

func (w *keyringWriter) write(ctx context.Context, data []byte) error {
	if w.anew {
		if err := checkSize(data); err != nil {
			return err
		}
	}
	if err := w.entry.set(ctx, data, promptTimeout); err != nil {
		return err
	}
	w.written = true
	return nil
}

func (w *keyringWriter) close() {
	if w.made && !w.written {
		_ = w.entry.remove(context.Background()) // an empty entry does no harm
	}
}

func (k *keyringEntry) remove(ctx context.Context) error {
	if err := KeyringAvailable(ctx); err != nil {
		return err
	}
	err := within(ctx, keyringTimeout, func() error { return keyring.Delete(keyringService, k.key) })
	if err != nil && !errors.Is(err, keyring.ErrNotFound) {
		return keyringError(err)
	}
	return nil
}

func keyringError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return broken(nil, "the OS keyring does not answer: unlock it, or choose store = \"age\" or \"file\"")
	}
	return broken(err, "the OS keyring refuses")
}

// within runs fn, which knows no context, for as long as ctx and timeout allow. Then fn is left to itself.
func within(ctx context.Context, timeout time.Duration, fn func() error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// KeyringAvailable says why there is no OS keyring that can be used without asking the user anything, or nil. It answers within
// seconds. Errors are *Error of kind Broken.
func KeyringAvailable(ctx context.Context) error {
	if err := busError(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, keyringTimeout)
	defer cancel()
	var bus *dbus.Conn
	err := within(ctx, keyringTimeout, func() (err error) {
		bus, err = dbus.SessionBus()
		return err
	})
	if err != nil {
		return broken(err, "there is no OS keyring here")
	}
	// The collection that go-keyring uses: the one named login, else the default one.
	var locked dbus.Variant
	for _, path := range []dbus.ObjectPath{"/org/freedesktop/secrets/collection/login", "/org/freedesktop/secrets/aliases/default"} {
		err = bus.Object("org.freedesktop.secrets", path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0,
			"org.freedesktop.Secret.Collection", "Locked").Store(&locked)
		if err == nil {
			break
		}
	}
	switch isLocked, ok := locked.Value().(bool); {
	case ctx.Err() != nil:
		return broken(nil, "the OS keyring does not answer")
	case err != nil:
		return broken(err, "there is no OS keyring here")
	case !ok || isLocked:
		return broken(nil, "the OS keyring is locked: unlock it, as logging in to the desktop does")
	}
	return nil
}

// busError says why there is no session bus. It keeps the D-Bus library from starting one, which nobody else would be on.
func busError() error {
	bus, err := dbus.SessionBusPrivateNoAutoStartup()
	if err != nil {
		return broken(nil, "there is no OS keyring here: no D-Bus session")
	}
	bus.Close()
	return nil
}
