package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/workfs/workfs/cmd/workfs/internal/config"
	"github.com/workfs/workfs/cmd/workfs/internal/control"
)

// reloadPatience bounds how long a mount may take to sign in anew.
const reloadPatience = 20 * time.Second

// reloadMounts tells all running mounts of this user that a connection's sign-in or configuration has changed, and gives how
// many took it up. Mounts that can't are told of on notes: what was stored is stored, and a remount sees it.
func reloadMounts(ctx context.Context, notes io.Writer, connection string) int {
	dir, err := config.RuntimeDir()
	if err != nil {
		fmt.Fprintln(notes, "workfs: running mounts were not told: "+printable(err.Error()))
		return 0
	}
	sockets, err := control.Sockets(dir)
	if err != nil {
		return 0 // the pattern is malformed by a strange directory, in which nothing listens
	}
	told := 0
	for _, socket := range sockets {
		ctx, cancel := context.WithTimeout(ctx, reloadPatience)
		_, err := control.Dial(socket).Call(ctx, http.MethodPost, "/connections/reload", url.Values{"name": {connection}})
		cancel()
		var failure *control.Failure
		switch {
		case err == nil:
			told++
		case errors.Is(err, control.ErrNoDaemon), errors.As(err, &failure) && failure.Status == http.StatusNotFound:
			// A socket that a crash left, or a mount that does not have the connection.
		default:
			fmt.Fprintln(notes, "workfs: a running mount did not take up the change, remount it: "+printable(err.Error()))
		}
	}
	return told
}
