package auth

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// startKeyring gives the test a D-Bus session and an unlocked GNOME Keyring of its own.
func startKeyring(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"dbus-daemon", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not installed", tool)
		}
	}
	run := t.TempDir()
	bus := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address")
	out, err := bus.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, bus)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(line))
	ring := exec.Command("gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets", "--control-directory="+run)
	ring.Env = append(os.Environ(), "XDG_DATA_HOME="+t.TempDir(), "XDG_RUNTIME_DIR="+run, "DISPLAY=", "WAYLAND_DISPLAY=")
	ring.Stdin = strings.NewReader("the login password")
	start(t, ring)
	conn, err := dbus.SessionBus()
	if err != nil {
		t.Fatal(err)
	}
	// A question that came too early would start another keyring.
	for deadline, there := time.Now().Add(time.Minute), false; !there; time.Sleep(20 * time.Millisecond) {
		if err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.freedesktop.secrets").Store(&there); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("the keyring does not start")
		}
	}
	if err := KeyringAvailable(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// lockKeyring locks all collections, as a desktop that is locked may.
func lockKeyring(t *testing.T) {
	t.Helper()
	bus, err := dbus.SessionBus()
	if err != nil {
		t.Fatal(err)
	}
	collections := []dbus.ObjectPath{"/org/freedesktop/secrets/collection/login"}
	call := bus.Object("org.freedesktop.secrets", "/org/freedesktop/secrets").Call("org.freedesktop.Secret.Service.Lock", 0, collections)
	if call.Err != nil {
		t.Fatal(call.Err)
	}
}

func TestKeyringLimits(t *testing.T) {
	startKeyring(t)
	s, err := NewStore(StoreConfig{Kind: "keyring", Name: "contoso", Path: filepath.Join(t.TempDir(), "contoso.json")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), Credentials{RefreshToken: "r0"}); err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("x", maxKeyring)
	if err := s.Create(t.Context(), Credentials{RefreshToken: large}); err == nil || !strings.Contains(err.Error(), "64 KiB are too much") {
		t.Errorf("too much: %v", err)
	}
	// A renewal's answer is stored whatever its size is, and read.
	if err := s.Update(t.Context(), func(c *Credentials) error { c.RefreshToken = large; return nil }); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Load(); err != nil || c.RefreshToken != large {
		t.Errorf("%d bytes %v", len(c.RefreshToken), err)
	}
	lockKeyring(t)
	asked := false
	for what, err := range map[string]error{
		"available": KeyringAvailable(t.Context()),
		"load":      func() error { _, err := s.Load(); return err }(),
		"update":    s.Update(t.Context(), func(*Credentials) error { asked = true; return nil }),
		"delete":    s.Delete(t.Context()),
	} {
		var e *Error
		if !errors.As(err, &e) || e.Kind != Broken || !strings.Contains(err.Error(), "is locked: unlock it") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if asked {
		t.Error("a refresh token was to be used whose successor can't be stored")
	}
}

func TestNoKeyring(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	if err := KeyringAvailable(t.Context()); err == nil || !strings.Contains(err.Error(), "no OS keyring here") {
		t.Errorf("%v", err)
	}
}

// TestKeyringHangs has a bus that takes connections and never answers.
func TestKeyringHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan error, 1)
	go func() { done <- within(ctx, time.Hour, func() error { select {} }) }()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("a keyring that hangs makes its caller hang")
	}
}
