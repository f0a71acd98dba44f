package main

import (
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
			if !ok || m.Type != mounts.FSType {
				return withCode(codeNotFound, fmt.Errorf("%s is not a workfs mount", point))
			}
			if err := mounts.Unmount(point, force); err != nil {
				return withCode(codeBusy, err)
			}
			return awaitDaemon(cmd, point)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "unmount although files are open there")
	return cmd
}

// awaitDaemon waits until nobody answers for the mountpoint, so that a mount after umount finds the cache free.
func awaitDaemon(cmd *cobra.Command, point string) error {
	dir, err := config.RuntimeDir()
	if err != nil {
		return err
	}
	client := control.Dial(control.SocketPath(dir, point))
	for deadline := time.Now().Add(daemonPatience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := client.Call(cmd.Context(), "GET", "/ping", nil); errors.Is(err, control.ErrNoDaemon) {
			return nil
		}
		if time.Now().After(deadline) {
			return withCode(codeTemporary, fmt.Errorf("%s is unmounted, but its daemon still runs", point))
		}
		if err := cmd.Context().Err(); err != nil {
			return err
		}
	}
}
