package auth

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// commandTimeout bounds a command that the configuration names.
const commandTimeout = 30 * time.Second

// exitTemporary is the exit code by which a command says that trying again may help (EX_TEMPFAIL of sysexits.h). Any other
// failure is taken for one that a person has to mend: whether the network failed a command or the command is wrong nothing
// else tells.
const exitTemporary = 75

// ShellCommand is a shell command of the user, with CommandEnviron for its environment. When ctx ends, it is killed with all that
// it has started. What it leaves in the background keeps Run from returning for a second at most, and the error is
// exec.ErrWaitDelay if that holds the output.
func ShellCommand(ctx context.Context, command string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Env = CommandEnviron()
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// runCommand runs a shell command that prints a secret. what is its name in errors. What it writes to standard error is shown
// with its failure; its output is not.
func runCommand(ctx context.Context, what, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := ShellCommand(ctx, command)
	out, errs := &bounded{max: maxSecret}, &bounded{max: 4 << 10}
	cmd.Stdout, cmd.Stderr = out, errs
	err := cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", &Error{Kind: Unreachable, Action: what + " takes too long", Err: said(errs.String())}
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil && !errors.Is(err, exec.ErrWaitDelay): // that is success, and something in the background that holds the output
		failure := broken(errors.Join(err, said(errs.String())), what+" fails")
		if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == exitTemporary {
			failure.Kind = Unreachable
		}
		return "", failure
	}
	return out.String(), nil
}

// CommandEnviron is the environment for commands of the user: without the secrets in it that are ours alone.
func CommandEnviron() []string {
	env := os.Environ()
	kept := env[:0]
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "WORKFS_CONNECTION_") || !secretName(name) {
			kept = append(kept, e)
		}
	}
	return kept
}

func secretName(name string) bool {
	for _, end := range []string{"_CLIENT_SECRET", "_REFRESH_TOKEN", "_PASSPHRASE", "_PRIVATE_KEY"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// said gives the last line that a command wrote to standard error, fit for a message.
func said(text string) error {
	text = strings.TrimSpace(text)
	text = strings.ToValidUTF8(text[strings.LastIndexByte(text, '\n')+1:], "")
	if text == "" {
		return nil
	}
	line := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	if runes := []rune(line); len(runes) > 200 {
		line = string(runes[:200]) + "…"
	}
	return errors.New(line)
}

// bounded keeps the first max bytes.
type bounded struct {
	bytes.Buffer
	max int
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), b.max-b.Len())])
	return len(p), nil
}
