package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/cache"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
	"github.com/workfs/workfs/cmd/workfs/internal/control"
)

func cacheCommand(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Look at the cache, or empty it",
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(cacheStatsCommand(g), cacheClearCommand(g))
	return cmd
}

func cacheStatsCommand(g *global) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Tell how much the cache holds",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var stats []cache.Stats
			err := withCache(cmd, g, func(client *control.Client) error {
				var st mountStatus
				if err := client.Get(cmd.Context(), "/status", nil, &st); err != nil {
					return err
				}
				stats = append(stats, st.Cache)
				return nil
			}, func(c *cache.Cache) error {
				stats = append(stats, c.Stats())
				return nil
			})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), stats[0])
			}
			return printStats(cmd.OutOrStdout(), stats[0])
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printStats(out io.Writer, s cache.Stats) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "entries\t%d\n", s.Entries)
	fmt.Fprintf(w, "listings\t%s\n", roughly(s.MetadataBytes))
	fmt.Fprintf(w, "rendered contents\t%s\n", roughly(s.BodyBytes))
	fmt.Fprintf(w, "fetched contents\t%s in %d files\n", roughly(s.BlobBytes), s.Blobs)
	fmt.Fprintf(w, "state\t%s\n", roughly(s.StateBytes))
	return w.Flush()
}

func cacheClearCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "clear",
		Short: "Forget everything that can be fetched again",
		Long:  "Forget everything that can be fetched again. Inodes, times and sign-ins stay. A running mount goes on.",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withCache(cmd, g, func(client *control.Client) error {
				_, err := client.Call(cmd.Context(), "POST", "/cache/clear", nil)
				return err
			}, func(c *cache.Cache) error { return c.Clear() })
		},
	}
}

// withCache works on the cache that the settings name: by the mount that has it open, else directly.
func withCache(cmd *cobra.Command, g *global, running func(*control.Client) error, direct func(*cache.Cache) error) error {
	if _, err := g.load(cmd, true); err != nil {
		return err
	}
	log, closeLog, err := g.logger()
	if err != nil {
		return err
	}
	defer closeLog()
	// No schema: this must not make the next mount list everything anew.
	c, err := cache.Open(cache.Options{CacheDir: g.cacheDir, StateDir: g.stateDir, Log: log})
	if errors.Is(err, cache.ErrInUse) {
		return askHolder(cmd.Context(), g.cacheDir, running)
	}
	if err != nil {
		return err
	}
	return errors.Join(direct(c), c.Close())
}

// askHolder finds the mount whose cache this is.
func askHolder(ctx context.Context, cacheDir string, ask func(*control.Client) error) error {
	dir, err := config.RuntimeDir()
	if err != nil {
		return err
	}
	sockets, err := control.Sockets(dir)
	if err != nil {
		return err
	}
	for _, socket := range sockets {
		client := control.Dial(socket)
		var st mountStatus
		if err := client.Get(ctx, "/status", nil, &st); err == nil && st.CacheDir == cacheDir {
			return ask(client)
		}
	}
	return withCode(codeBusy, fmt.Errorf("%w, which does not answer", cache.ErrInUse))
}
