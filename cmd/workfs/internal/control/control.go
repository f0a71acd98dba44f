// Package control is the talk between a running mount and the commands that ask it something: HTTP over a Unix socket
// of mode 0600 in a directory of mode 0700, with the peer's user checked on top.
package control

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SocketPath is the socket of the mount on an absolute, cleaned mountpoint. The name is a hash since a path may be
// longer than the 108 bytes that a socket's address has.
func SocketPath(runtimeDir, mountpoint string) string {
	sum := sha256.Sum256([]byte(mountpoint))
	return filepath.Join(runtimeDir, hex.EncodeToString(sum[:8])+".sock")
}

// Server answers on a socket until Close.
type Server struct {
	server   *http.Server
	listener net.Listener
	path     string
}

// Listen serves handler on the socket of path. A socket file left over by a killed process is replaced; one that
// answers is an error.
func Listen(path string, handler http.Handler) (*Server, error) {
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = conn.Close() // only wanted to know whether anybody is there
		return nil, fmt.Errorf("another workfs answers on %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing a left-over control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s := &Server{
		server:   &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second},
		listener: ownPeers{l},
		path:     path,
	}
	go func() { _ = s.server.Serve(s.listener) }() // ends with Close
	return s, nil
}

// Close ends the server and removes its socket.
func (s *Server) Close() error {
	return s.server.Close()
}

// ownPeers accepts connections of the same user and of root.
type ownPeers struct{ net.Listener }

func (l ownPeers) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, err := peerUID(conn); err == nil && (uid == 0 || int(uid) == os.Geteuid()) {
			return conn, nil
		}
		_ = conn.Close() // a stranger gets no answer
	}
}

func peerUID(conn net.Conn) (uint32, error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, errors.New("not a Unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, credErr
	}
	return cred.Uid, nil
}

// ErrNoDaemon says that nobody answers on a socket.
var ErrNoDaemon = errors.New("no workfs is running there")

// codeHeader carries Failure.Code.
const codeHeader = "Workfs-Exit-Code"

// Failure is what a daemon answers when it can't do what it was asked.
type Failure struct {
	Text   string
	Code   int // exit code for the command that asked, 0 for none in particular
	Status int // of HTTP; 0 in what is written means 500
}

// Error gives the daemon's words.
func (f *Failure) Error() string { return f.Text }

// Write answers a request with the failure.
func (f *Failure) Write(w http.ResponseWriter) {
	w.Header().Set(codeHeader, strconv.Itoa(f.Code))
	http.Error(w, f.Text, cmp.Or(f.Status, http.StatusInternalServerError))
}

// Client asks one mount.
type Client struct{ http *http.Client }

// Dial gives a client for a socket; whether somebody answers shows with the first call.
func Dial(path string) *Client {
	return &Client{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
		DisableKeepAlives: true,
	}}}
}

// maxAnswer bounds what a daemon may answer; a status of thousands of collections is far below.
const maxAnswer = 64 << 20

// Call sends a request and gives the body of the answer. The errors that the daemon gives come back as they are.
func (c *Client) Call(ctx context.Context, method, path string, query url.Values) ([]byte, error) {
	answer, err := c.Open(ctx, method, path, query)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	body, err := io.ReadAll(io.LimitReader(answer, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("asking the daemon: %w", err)
	}
	return body, nil
}

// Open sends a request and gives the body of the answer as it comes, to be closed.
func (c *Client) Open(ctx context.Context, method, path string, query url.Values) (io.ReadCloser, error) {
	u := "http://workfs" + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNoDaemon
	}
	if err != nil {
		return nil, fmt.Errorf("asking the daemon: %w", err)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("asking the daemon: %w", err)
	}
	code, _ := strconv.Atoi(resp.Header.Get(codeHeader)) // 0 from a daemon that gives none
	return nil, &Failure{Text: strings.TrimSpace(string(text)), Code: code, Status: resp.StatusCode}
}

// Stream asks for JSON values one after the other and calls fn with each as it comes, until the daemon ends the answer, fn
// fails or ctx ends. Its error is fn's, ctx's or tells that the answer broke off.
func (c *Client) Stream(ctx context.Context, method, path string, query url.Values, fn func(json.RawMessage) error) error {
	answer, err := c.Open(ctx, method, path, query)
	if err != nil {
		return err
	}
	defer answer.Close()
	for values := json.NewDecoder(answer); ; {
		var value json.RawMessage
		if err := values.Decode(&value); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return cmp.Or(ctx.Err(), fmt.Errorf("the daemon's answer broke off: %w", err))
		}
		if err := fn(value); err != nil {
			return err
		}
	}
}

// Get asks for a JSON value.
func (c *Client) Get(ctx context.Context, path string, query url.Values, into any) error {
	body, err := c.Call(ctx, http.MethodGet, path, query)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the daemon's answer: %w", err)
	}
	return nil
}

// Sockets lists the sockets of a runtime directory, running or not.
func Sockets(runtimeDir string) ([]string, error) {
	return filepath.Glob(filepath.Join(runtimeDir, "*.sock"))
}
