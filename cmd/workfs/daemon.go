package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// The parent of a daemon waits for one line of JSON on a pipe. The daemon finds the pipe as file descriptor 3 when this
// variable is set.
const daemonVariable = "WORKFS_DAEMON_PIPE"

type daemonReport struct {
	Ready    bool     `json:"ready"`
	Warnings []string `json:"warnings,omitempty"`
	Error    string   `json:"error,omitempty"`
	Code     int      `json:"code,omitempty"`
}

func isDaemon() bool { return os.Getenv(daemonVariable) != "" }

// startDaemon starts this program again in a session of its own and waits until it has mounted or failed.
func startDaemon(ctx context.Context, g *global, dir string, timeout time.Duration) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	// The daemon's standard error is nobody's terminal; what it has to say goes to a file.
	logFile := g.logFile
	if logFile == "" {
		logFile = filepath.Join(g.stateDir, "workfs.log")
	}
	if err := os.MkdirAll(filepath.Dir(logFile), 0o700); err != nil {
		return err
	}
	if err := rotate(logFile); err != nil {
		return fmt.Errorf("rotating the daemon's log: %w", err)
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the daemon's log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), daemonVariable+"=3")
	cmd.ExtraFiles = []*os.File{w}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, w.Close())
	}
	if err := w.Close(); err != nil {
		return err
	}
	report := make(chan daemonReport, 1)
	go func() {
		var d daemonReport
		if err := json.NewDecoder(r).Decode(&d); err != nil {
			d = daemonReport{Error: "the daemon ended without a word: see " + logFile, Code: codeOther}
		}
		report <- d
	}()
	giveUp := func(err error) error {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended meanwhile
		return err
	}
	select {
	case d := <-report:
		if !d.Ready {
			return withCode(d.Code, errors.New(d.Error))
		}
		warn(d.Warnings)
		return cmd.Process.Release()
	case <-time.After(timeout):
		return giveUp(withCode(codeTemporary, fmt.Errorf("the mount on %s is not ready after %v: see %s", dir, timeout, logFile)))
	case <-ctx.Done():
		return giveUp(ctx.Err())
	}
}

// reportToParent runs the mount and tells a waiting parent if it fails before it is ready.
func reportToParent(run func() error) error {
	err := run()
	if err != nil {
		report(daemonReport{Error: err.Error(), Code: exitCode(err)})
	}
	return err
}

// mountReady tells a waiting parent, or who looks at the terminal, that the mount can be used, and what is wrong with it.
func mountReady(warnings []string) error {
	warn(warnings) // into the log when this is a daemon
	if !isDaemon() {
		return nil
	}
	// A working directory would keep the filesystem that it is on from being unmounted.
	if err := os.Chdir("/"); err != nil {
		return err
	}
	report(daemonReport{Ready: true, Warnings: warnings})
	return nil
}

func warn(warnings []string) {
	for _, w := range warnings {
		fmt.Fprintln(os.Stderr, "workfs: warning: "+printable(w))
	}
}

// maxLog is the size in bytes at which the daemon's log is put aside when the next daemon starts.
const maxLog = 16 << 20

// rotate keeps one former log.
func rotate(logFile string) error {
	if st, err := os.Stat(logFile); err != nil || st.Size() < maxLog {
		return nil // opening it will tell what is wrong with it
	}
	return os.Rename(logFile, logFile+".1")
}

var reported sync.Once

// report writes the one line that the parent waits for; later calls, and calls in the foreground, do nothing.
func report(d daemonReport) {
	if !isDaemon() {
		return
	}
	reported.Do(func() {
		pipe := os.NewFile(3, "parent")
		_ = json.NewEncoder(pipe).Encode(d) // a parent that is gone need not know
		_ = pipe.Close()
	})
}
