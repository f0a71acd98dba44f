package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/cache"
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
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(list)
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

func printStatus(out io.Writer, st mountStatus, all bool) error {
	fmt.Fprintf(out, "%s  (process %d, since %s)\n", printable(st.Mountpoint), st.PID, st.Started.Local().Format("2006-01-02 15:04:05"))
	for _, c := range st.Connections {
		state := "open"
		if c.Error != "" {
			state = "FAILED: " + printable(c.Error)
		}
		fmt.Fprintf(out, "  %s (%s, %s): %s\n", printable(c.Name), printable(c.Type), printable(c.Auth), state)
	}
	fmt.Fprintf(out, "  cache: %d entries, %s of contents on disk\n", st.Cache.Entries, roughly(st.Cache.BodyBytes+st.Cache.BlobBytes))
	if len(st.Collections) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "  SERVICE\tLISTED\tENTRIES\tAS OF")
	collections := st.Collections
	if !all {
		collections = fold(collections)
	}
	for _, c := range collections {
		fmt.Fprintf(w, "  %s\t%d\t%d\t%s\n", printable(c.Service), c.Directories, c.Entries, c.Oldest.Local().Format("2006-01-02 15:04:05"))
		if all {
			fmt.Fprintf(w, "    %s\n", printable(c.Name))
		}
		if c.Error != "" {
			fmt.Fprintf(w, "    FAILED: %s\n", printable(c.Error))
		}
	}
	return w.Flush()
}

// fold adds the collections of each service up; the failures keep lines of their own.
func fold(collections []cache.Collection) []cache.Collection {
	byService := map[string]*cache.Collection{}
	var out []cache.Collection
	for _, c := range collections {
		if c.Error != "" {
			out = append(out, c)
			continue
		}
		sum := byService[c.Service]
		if sum == nil {
			sum = &cache.Collection{Service: c.Service, Oldest: c.Oldest}
			byService[c.Service] = sum
		}
		sum.Directories += c.Directories
		sum.Entries += c.Entries
		if c.Oldest.Before(sum.Oldest) {
			sum.Oldest = c.Oldest
		}
	}
	for _, sum := range byService {
		out = append(out, *sum)
	}
	slices.SortFunc(out, func(a, b cache.Collection) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Error, b.Error), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// roughly writes a number of bytes for people.
func roughly(n int64) string {
	v, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

// printable takes out what a terminal would obey and what would make text look like another: names and messages of the
// services go through here. Joiners stay, emoji and some scripts are written with them.
func printable(s string) string {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == nonJoiner || r == joiner {
			return r
		}
		return '?'
	}, s)
}

func infoCommand(*global) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "info PATH",
		Short: "Tell all about a file or directory of a mount",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, inside, err := mountOf(args[0])
			if err != nil {
				return err
			}
			dir, err := config.RuntimeDir()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), controlTimeout)
			defer cancel()
			var info cache.FileInfo
			client := control.Dial(control.SocketPath(dir, m.Point))
			if err := client.Get(ctx, "/info", url.Values{"path": {inside}}, &info); err != nil {
				return unanswered(m.Point, err)
			}
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(info)
			}
			return printInfo(cmd.OutOrStdout(), info)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printInfo(out io.Writer, info cache.FileInfo) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, printable(value))
		}
	}
	when := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	line("path", info.Path)
	size := fmt.Sprint(info.Size)
	if info.Dir {
		size = ""
	} else if info.Size < 0 {
		size = "not known before it is fetched"
	}
	line("size", size)
	line("inode", fmt.Sprint(info.Ino))
	line("mtime", when(info.Mtime))
	line("ctime", when(info.Ctime))
	line("btime", when(info.Btime))
	if i := info.Item; i != nil {
		line("id", i.ServiceID)
		line("etag", i.ETag)
		line("web url", i.WebURL)
		line("from", i.From)
		line("hash", i.Hash)
	}
	line("version", info.Version)
	line("sha256", info.SHA256)
	line("service", info.Service)
	line("cached", fmt.Sprint(info.Cached))
	line("synced at", when(info.SyncedAt))
	line("error", info.Error)
	return w.Flush()
}
