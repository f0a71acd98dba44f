package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/cmd/workfs/internal/config"
	"github.com/workfs/workfs/cmd/workfs/internal/control"
	"github.com/workfs/workfs/cmd/workfs/internal/mounts"
)

// controlTimeout bounds a question to a daemon. It may have to list directories for the answer.
const controlTimeout = 70 * time.Second

func statusCommand(*global) *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "status [DIR]",
		Short: "Tell what the running mounts hold, how old it is and what fails",
		Args:  usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), controlTimeout)
			defer cancel()
			dir, err := config.RuntimeDir()
			if err != nil {
				return err
			}
			list, err := askStatus(ctx, dir, args)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), list)
			}
			var dead []string
			if len(args) == 0 {
				dead = deadMounts(dir)
			}
			for _, point := range dead {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: DEAD, its process is gone (clean it with: workfs umount %s)\n", printable(point), printable(point))
			}
			if len(list)+len(dead) == 0 {
				return withCode(codeNotFound, errors.New("no mount is running"))
			}
			for _, st := range list {
				if err := printStatus(cmd.OutOrStdout(), st, all); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVarP(&all, "all", "a", false, "print every collection, not a line for each service")
	return cmd
}

// askStatus asks the mount on a directory, or all mounts of this user.
func askStatus(ctx context.Context, dir string, args []string) ([]mountStatus, error) {
	list := []mountStatus{}
	if len(args) == 1 {
		m, _, err := mountOf(args[0])
		if err != nil {
			return nil, err
		}
		var st mountStatus
		if err := control.Dial(control.SocketPath(dir, m.Point)).Get(ctx, "/status", nil, &st); err != nil {
			return nil, unanswered(m.Point, err)
		}
		return append(list, st), nil
	}
	sockets, err := control.Sockets(dir)
	if err != nil {
		return nil, err
	}
	for _, socket := range sockets {
		var st mountStatus
		switch err := control.Dial(socket).Get(ctx, "/status", nil, &st); {
		case errors.Is(err, control.ErrNoDaemon): // left over by a killed process
		case err != nil:
			return nil, err
		default:
			list = append(list, st)
		}
	}
	return list, nil
}

// dialMount gives a client for the mount that a path lies in, that mount, and the path within it.
func dialMount(path string) (client *control.Client, m mounts.Mount, inside string, err error) {
	if m, inside, err = mountOf(path); err != nil {
		return nil, m, "", err
	}
	dir, err := config.RuntimeDir()
	if err != nil {
		return nil, m, "", err
	}
	return control.Dial(control.SocketPath(dir, m.Point)), m, inside, nil
}

// mountOf gives the mount that a path lies in, and the path within it.
func mountOf(path string) (m mounts.Mount, inside string, err error) {
	m, inside, err = mounts.Of(path)
	if err == nil {
		return m, inside, nil
	}
	// The way may lead over symlinks. This comes second because it takes a look at the path, which may be dead.
	if real, notThere := filepath.EvalSymlinks(path); notThere == nil {
		if m, inside, viaLinks := mounts.Of(real); viaLinks == nil {
			return m, inside, nil
		}
	}
	return mounts.Mount{}, "", withCode(codeNotFound, err)
}

// unanswered explains why nobody speaks for a mount.
func unanswered(point string, err error) error {
	switch {
	case !errors.Is(err, control.ErrNoDaemon):
		return err
	case mounts.Dead(point):
		return withCode(codeNotFound, fmt.Errorf("the process behind %s is gone: clean it with workfs umount %s", point, point))
	default:
		return withCode(codeNotFound, fmt.Errorf("the mount on %s does not answer: it belongs to another user, or was made with another XDG_RUNTIME_DIR", point))
	}
}

// deadMounts lists the mounts whose process was killed. That leaves its socket behind, which tells this user's from those
// of others.
func deadMounts(runtimeDir string) []string {
	list, err := mounts.List()
	if err != nil {
		return nil // no mount table, no dead mounts
	}
	var dead []string
	for _, m := range list {
		if _, err := os.Lstat(control.SocketPath(runtimeDir, m.Point)); err == nil && m.Type == mounts.FSType && mounts.Dead(m.Point) {
			dead = append(dead, m.Point)
		}
	}
	return dead
}
