package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTalk(t *testing.T) {
	dir := t.TempDir()
	path := SocketPath(dir, "/mnt/"+strings.Repeat("deep/", 50))
	if _, err := Dial(path).Call(context.Background(), "GET", "/", nil); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("nobody there: %v", err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			http.Error(w, "no such thing", http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, "%q", r.URL.Query().Get("path"))
	})
	s, err := Listen(path, handler)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("socket mode %v %v", st.Mode(), err)
	}
	var got string
	want := "a b/ü\n"
	if err := Dial(path).Get(context.Background(), "/echo", url.Values{"path": {want}}, &got); err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	if err := Dial(path).Get(context.Background(), "/bad", nil, &got); err == nil || err.Error() != "no such thing" {
		t.Errorf("error comes as %v", err)
	}
	if _, err := Listen(path, handler); err == nil {
		t.Error("took the socket of a running one")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if sockets, err := Sockets(dir); err != nil || len(sockets) != 0 {
		t.Errorf("left behind: %v %v", sockets, err)
	}
}

func TestLeftOverSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as after kill -9
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Listen(path, http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStrangersGetNoAnswer(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3 as the stranger")
	}
	dir, err := os.MkdirTemp("", "control")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "x.sock")
	s, err := Listen(path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "secret") }))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// Open both doors that would keep a stranger out, so that the check of the peer is what does.
	for _, p := range []string{dir, path} {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(python, "-c", "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"+
		"try:\n s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); print(len(s.recv(1000)))\nexcept OSError:\n print(0)", path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Skipf("the stranger can't run here: %v %s", err, out)
	}
	if strings.TrimSpace(string(out)) != "0" {
		t.Errorf("the stranger got %s bytes", out)
	}
}
