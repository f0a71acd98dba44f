package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/cmd/workfs/internal/config"
	"github.com/workfs/workfs/cmd/workfs/internal/control"
	"github.com/workfs/workfs/cmd/workfs/internal/mounts"
)

// daemonPatience is how long umount waits for the daemon to end after its mount is gone.
const daemonPatience = 30 * time.Second

func umountCommand(*global) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "umount DIR",
		Aliases: []string{"unmount"},
		Short:   "Unmount, and wait until the daemon is done",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			point, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			m, ok := mounts.At(point)
			if !ok {
				// The way may lead over a symlink; a dead mount can't be followed, so this comes second.
				if real, err := filepath.EvalSymlinks(point); err == nil {
					point = real
					m, ok = mounts.At(point)
				}
			}
			mounted := ok && m.Type == mounts.FSType
			notMounted := withCode(codeNotFound, fmt.Errorf("%s is not a workfs mount", point))
			if !mounted && !force {
				return notMounted
			}
			if mounted {
				if err := mounts.Unmount(point, force); err != nil {
					return withCode(codeBusy, err)
				}
			}
			dir, err := config.RuntimeDir()
			if err != nil {
				return err
			}
			client := control.Dial(control.SocketPath(dir, point))
			if force {
				// What is open would keep the daemon and its lock on the cache alive, also after somebody else's lazy
				// unmount.
				_, stop := client.Call(cmd.Context(), "POST", "/stop", nil)
				if !mounted && errors.Is(stop, control.ErrNoDaemon) {
					return notMounted
				}
				// A daemon that was ending already may drop the call: what counts is whether it is gone then.
				if err := awaitDaemon(cmd.Context(), client, point); err != nil {
					return errors.Join(err, stop)
				}
				return nil
			}
			return awaitDaemon(cmd.Context(), client, point)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "unmount although files are open there, and end the daemon: they become unreadable")
	return cmd
}

// awaitDaemon waits until nobody answers for the mountpoint, so that a mount after umount finds the cache free.
func awaitDaemon(ctx context.Context, client *control.Client, point string) error {
	for deadline := time.Now().Add(daemonPatience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := client.Call(ctx, "GET", "/ping", nil); errors.Is(err, control.ErrNoDaemon) {
			return nil
		}
		if time.Now().After(deadline) {
			return withCode(codeTemporary, fmt.Errorf("%s is unmounted, but its daemon still runs (workfs umount --force ends it)", point))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
