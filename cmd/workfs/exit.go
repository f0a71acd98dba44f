package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/cmd/workfs/internal/control"
	"github.com/workfs/workfs/cmd/workfs/internal/mounts"
)

// Exit codes, those of rclone and restic where they have one for the case.
const (
	codeOther       = 1
	codeUsage       = 2
	codeNotFound    = 3
	codeTemporary   = 5
	codeNotSignedIn = 10
	codeBusy        = 11
	codeRefused     = 12
	codeInterrupted = 130
)

const exitCodeHelp = `Exit codes: 0 done; 1 another error; 2 wrong usage or configuration; 3 not found; 5 temporary, trying again
may help; 10 not signed in; 11 the mountpoint, the cache or the port is in use; 12 the service refused the sign-in or the
permission; 130 interrupted. Take a code that is not listed as an error.`

// codedError is an error that knows its exit code.
type codedError struct {
	error
	code int
}

func (e codedError) Unwrap() error { return e.error }

func withCode(code int, err error) error {
	if err == nil {
		return nil
	}
	return codedError{err, code}
}

// exitCode gives the exit code of an error: its own, else that of its kind.
func exitCode(err error) int {
	var coded codedError
	var refused *auth.Error
	var failure *control.Failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &failure) && failure.Code != 0:
		return failure.Code
	case errors.Is(err, mounts.ErrMounted):
		return codeBusy
	case errors.As(err, &refused):
		return authCode(refused)
	case errors.Is(err, backends.ErrForbidden):
		return codeRefused
	case errors.Is(err, backends.ErrNotFound):
		return codeNotFound
	case backends.Temporary(err):
		return codeTemporary
	case errors.Is(err, context.Canceled):
		return codeInterrupted
	default:
		return codeOther
	}
}

// authCode tells a sign-in that a person has to mend from one that may work later.
func authCode(e *auth.Error) int {
	switch e.Kind {
	case auth.Denied:
		return codeRefused
	case auth.Broken:
		return codeNotSignedIn
	default:
		return codeTemporary
	}
}

// usage makes a wrong number of arguments a usage error that tells the right one.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) == nil {
			return nil
		}
		return withCode(codeUsage, fmt.Errorf("wrong number of arguments: write %s (%s --help tells more)",
			strings.TrimSuffix(cmd.UseLine(), " [flags]"), cmd.CommandPath()))
	}
}

// unknownCommand is for commands that only have subcommands.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return withCode(codeUsage, fmt.Errorf("there is no command %q: %s --help lists them%s", args[0], cmd.CommandPath(), hint))
}
