package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// role makes this test binary a helper or a program that uses one; see TestRoles.
const role = "WORKFS_AUTH_TEST_ROLE"

// TestRoles is no test: it is what the other processes of the tests below run.
func TestRoles(t *testing.T) {
	switch os.Getenv(role) {
	case "":
		t.Skip("for the other tests")
	case "helper":
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		err := ServeRenewal(t.Context(), os.Stdin, os.Stdout, func(caFile string) (http.RoundTripper, error) {
			if caFile != "/the/ca.pem" {
				return nil, errors.New("the transport is another one")
			}
			return nil, nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default: // a program, told by a job where its store is
		var j job
		if err := json.NewDecoder(os.Stdin).Decode(&j); err != nil {
			t.Fatal(err)
		}
		store, err := j.store()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewBox(withHelper(j.TokenURL), store, nil).Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	os.Exit(0)
}

// withHelper is a sign-in whose renewals this test binary does as a helper.
func withHelper(tokenURL string) BoxConfig {
	return BoxConfig{
		TokenURL: tokenURL, ClientID: "c", CAFile: "/the/ca.pem",
		Helper: []string{"/bin/sh", "-c", role + "=helper exec " + os.Args[0] + " -test.run='^TestRoles$'"},
	}
}

// singleUse is Box's token endpoint: a refresh token works once. Its answer waits for release after the old token is gone.
type singleUse struct {
	*httptest.Server
	valid   atomic.Value
	calls   atomic.Int64
	arrived chan struct{}
	release chan struct{}
}

func newSingleUse(t *testing.T) *singleUse {
	s := &singleUse{arrived: make(chan struct{}, 10), release: make(chan struct{})}
	s.valid.Store("r0")
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := s.calls.Add(1)
		next := fmt.Sprint("r", n)
		if !s.valid.CompareAndSwap(r.FormValue("refresh_token"), next) {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":"invalid_grant","error_description":"Refresh token has expired"}`)
			return
		}
		s.arrived <- struct{}{}
		<-s.release
		fmt.Fprintf(w, `{"access_token":"at%d","refresh_token":%q,"expires_in":3600}`, n, next)
	}))
	t.Cleanup(s.Close)
	return s
}

// program starts a process group of a program that renews at once.
func program(t *testing.T, tokenURL string, store Store) *exec.Cmd {
	t.Helper()
	j := job{TokenURL: tokenURL}
	if err := store.(portable).describe(t.Context(), &j); err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRoles$")
	cmd.Env = append(os.Environ(), role+"=program")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdin = strings.NewReader(string(told))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// TestKilledWhileRenewing ends the program, and all of its process group, at the worst of instants: Box has ended the old
// refresh token and not answered yet.
func TestKilledWhileRenewing(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		eachStore(t, func(t *testing.T, path string, open func() Store) {
			box := newSingleUse(t)
			store := WithSupply(open(), Supply{ClientSecret: FixedSecret(secret)})
			if err := open().Create(t.Context(), Credentials{RefreshToken: "r0", Account: "alice"}); err != nil {
				t.Fatal(err)
			}
			cmd := program(t, box.URL, store)
			<-box.arrived
			if err := syscall.Kill(-cmd.Process.Pid, sig); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil {
				t.Fatal("the program has lived on")
			}
			close(box.release)
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
				c, err := open().Load()
				if err != nil {
					t.Fatal(err)
				}
				if c.RefreshToken == "r1" {
					if c.AccessToken != "at1" || c.Account != "alice" || c.ClientSecret != "" {
						t.Errorf("stored %+v", c)
					}
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the sign-in is lost: stored is %q", c.RefreshToken)
				}
			}
			s := NewBox(withHelper(box.URL), store, nil)
			if got := token(t, s); got != "at1" || box.calls.Load() != 1 {
				t.Errorf("token %q after %d requests", got, box.calls.Load())
			}
			if err := s.Renew(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.Invalidate("at2")
			if got := token(t, s); got != "at3" || box.calls.Load() != 3 {
				t.Errorf("token %q after %d requests", got, box.calls.Load())
			}
		})
	}
}

// TestMachineStopsWhileRenewing ends the helper, too.
func TestMachineStopsWhileRenewing(t *testing.T) {
	box := newSingleUse(t)
	close(box.release)
	path := filepath.Join(t.TempDir(), "box.json")
	if err := File(path).Create(t.Context(), Credentials{ClientSecret: secret, RefreshToken: "r0"}); err != nil {
		t.Fatal(err)
	}
	cut := NewBox(BoxConfig{TokenURL: box.URL, ClientID: "c"}, halted{File(path).(*vault)}, nil)
	if _, err := cut.Token(t.Context()); err == nil {
		t.Fatal("it was to be cut off")
	}
	for range 2 {
		_, err := NewBox(withHelper(box.URL), File(path), nil).Token(t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Kind != Denied || !strings.Contains(err.Error(), "was cut off before its answer was stored") ||
			!strings.Contains(err.Error(), "sign in again (invalid_grant") || e.Reason.Service != "box" || strings.Contains(err.Error(), secret) {
			t.Errorf("%v", err)
		}
	}
	if n := box.calls.Load(); n != 3 {
		t.Errorf("%d requests: the old token has to be tried once by each", n)
	}
}

// halted is a store of a machine that stops before it has stored the answer.
type halted struct{ *vault }

func (h halted) Update(ctx context.Context, fn func(*Credentials) error) error {
	halt := errors.New("halt")
	return h.vault.Update(ctx, func(c *Credentials) error {
		if err := fn(c); err != nil {
			return err
		}
		return halt
	})
}

func TestHelperAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "box.json")
	if err := File(path).Create(t.Context(), Credentials{ClientSecret: secret, RefreshToken: "r0"}); err != nil {
		t.Fatal(err)
	}
	busy := serve(t, reply{429, "", http.Header{"Retry-After": {"900"}}})
	s := NewBox(withHelper(busy.URL), File(path), nil)
	for range 2 {
		_, err := s.Token(t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Kind != Throttled || e.after != 15*time.Minute || busy.calls.Load() != 1 {
			t.Errorf("%v (%+v) after %d requests", err, e, busy.calls.Load())
		}
	}
	// Where there is no helper to run, the renewal is done here.
	good := serve(t, reply{200, good, nil})
	cfg := withHelper(good.URL)
	cfg.Helper = []string{"/no/such/program"}
	if got := token(t, NewBox(cfg, File(path), nil)); got != "at1" {
		t.Errorf("token %q", got)
	}
	// One that fails says so.
	cfg.Helper = []string{"/bin/false"}
	_, err := NewBox(BoxConfig{TokenURL: good.URL, ClientID: "other", Helper: cfg.Helper}, File(path), nil).Token(t.Context())
	if err == nil || !strings.Contains(err.Error(), "ended without an answer: exit status 1") {
		t.Errorf("%v", err)
	}
	var out strings.Builder
	if err := ServeRenewal(t.Context(), strings.NewReader("{\"Opens\":\""+secret), &out, nil); err == nil || strings.Contains(err.Error(), secret) || out.Len() > 0 {
		t.Errorf("%v %q", err, out.String())
	}
}
