package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
)

// asProgram makes the test binary behave as the program.
const asProgram = "WORKFS_SIM_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestProcessPrintsReadyLineAndEndsOnSignal(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, os.Args[0], "--now", "2026-11-20T12:00:00Z", "--seed", "5", "--scale", "10", "--latency", "1ms",
		"--throttle", "real", "--write-config", filepath.Join(dir, "conf"), "--tls-dir", filepath.Join(dir, "tls"))
	cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("%v, standard error %q", err, stderr.String())
	}
	var ready map[string]any
	if err := json.Unmarshal([]byte(line), &ready); err != nil {
		t.Fatalf("ready line %q: %v", line, err)
	}
	for _, key := range []string{"graph", "login", "box_api", "box_account", "box_download", "box_realtime", "control"} {
		if u, _ := ready[key].(string); !strings.HasPrefix(u, "https://127.0.0.") {
			t.Errorf("%s is %v", key, ready[key])
		}
	}
	for _, key := range []string{"tenant", "client_id", "client_secret", "ca", "refresh_token", "box_client_id", "box_client_secret", "box_subject"} {
		if v, _ := ready[key].(string); v == "" {
			t.Errorf("%s is missing", key)
		}
	}
	if ready["seed"] != 5.0 || ready["scale"] != 10.0 || !strings.HasPrefix(ready["now"].(string), "2026-11-20T12:00:00") {
		t.Errorf("seed %v, scale %v, now %v", ready["seed"], ready["scale"], ready["now"])
	}
	if _, err := os.Stat(filepath.Join(dir, "conf", "config.toml")); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(lines); len(rest) != 0 {
		t.Errorf("more than one line on standard output: %q", rest)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v, standard error %q", err, stderr.String())
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{{"--now", "tomorrow"}, {"extra"}, {"--throttle", "maybe"}, {"--listen", "8.8.8.8:1"}, {"--nope"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

// TestRunInProcess also sees that nothing listens once run returned.
func TestRunInProcess(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, nil, w, io.Discard) }()
	var ready sim.Ready
	if err := json.NewDecoder(r).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	resp, err := http.Get(ready.Control + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("control answers %d", resp.StatusCode)
	}
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if resp, err := http.Get(ready.Control + "/stats"); err == nil {
		resp.Body.Close()
		t.Error("still listening")
	}
}
