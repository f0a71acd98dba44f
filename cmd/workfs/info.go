package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/cache"
)

func infoCommand(*global) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "info PATH",
		Short: "Tell all about a file or directory of a mount",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, m, inside, err := dialMount(args[0])
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), controlTimeout)
			defer cancel()
			var info cache.FileInfo
			if err := client.Get(ctx, "/info", url.Values{"path": {inside}}, &info); err != nil {
				return unanswered(m.Point, err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), info)
			}
			return printInfo(cmd.OutOrStdout(), info)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printInfo(out io.Writer, info cache.FileInfo) error {
	f := newFields(out)
	when := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	f.line("path", info.Path)
	size := fmt.Sprint(info.Size)
	if info.Dir {
		size = ""
	} else if info.Size < 0 {
		size = "not known before it is fetched"
	}
	f.line("size", size)
	f.line("inode", fmt.Sprint(info.Ino))
	f.line("mtime", when(info.Mtime))
	f.line("ctime", when(info.Ctime))
	f.line("btime", when(info.Btime))
	if i := info.Item; i != nil {
		f.line("id", i.ServiceID)
		f.line("etag", i.ETag)
		f.line("web url", i.WebURL)
		f.line("from", i.From)
		f.line("hash", i.Hash)
	}
	f.line("version", info.Version)
	f.line("sha256", info.SHA256)
	f.line("service", info.Service)
	f.line("cached", fmt.Sprint(info.Cached))
	f.line("synced at", when(info.SyncedAt))
	if !info.SyncedAt.IsZero() { // what was never listed is not kept right by anything
		f.line("live", liveText(info))
	}
	if l := info.Following; l != nil {
		f.line("subscription", l.Subscription)
		f.line("next renewal", when(l.Renewal.Truncate(time.Second)))
		f.line("problem", l.Problem)
	}
	if c := info.LastChange; c != nil {
		f.line("last change", when(c.At.Truncate(time.Millisecond))+howLearnt(c))
	}
	f.line("error", info.Error)
	return f.flush()
}

// liveText says whether what is shown is right until a change is told of, and how changes are learnt.
func liveText(info cache.FileInfo) string {
	switch l := info.Following; {
	case info.Live:
		return "yes, by " + l.By
	case l != nil && l.Interval > 0:
		return "no, asked every " + span(l.Interval)
	case info.ValidFor < 0:
		return "no, made once and for all"
	case info.ValidFor == 0:
		return "no, asked at the next look"
	default:
		return "no, asked when somebody looks after " + span(info.ValidFor)
	}
}
