package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

type demoOptions struct {
	mount       *mountOptions
	once        bool
	scale       int
	latency     time.Duration
	importMail  string
	importFiles string
}

func demoCommand(g *global) *cobra.Command {
	d := demoOptions{mount: defaultMountOptions()}
	cmd := &cobra.Command{
		Use:   "demo [DIR]",
		Short: "Mount a simulated small company",
		Long: "Mount a small company that a simulator of Microsoft 365 and Box makes up, on DIR or a new temporary directory, and\n" +
			"stay until Ctrl-C. Nothing leaves this machine, and nothing is left on it.",
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			// The demo has a configuration of its own; of the user's only the environment and the flags count.
			if err := config.Apply(cmd.Flags(), nil); err != nil {
				return withCode(codeUsage, err)
			}
			dir := ""
			if len(args) == 1 {
				dir = args[0]
			}
			return runDemo(cmd, g, d, dir)
		},
	}
	f := cmd.Flags()
	d.mount.addFlags(f)
	f.BoolVar(&d.once, "once", false, "run the tour's commands, print what they print, unmount and exit")
	f.IntVar(&d.scale, "scale", 0, "messages in the Inbox, over ten years")
	f.DurationVar(&d.latency, "latency", 0, "delay of each answer of the simulator")
	f.StringVar(&d.importMail, "import-mail", "", "directory of .eml or Maildir files to show as the mail")
	f.StringVar(&d.importFiles, "import-files", "", "directory to show as the Box files")
	return cmd
}

// runDemo starts a simulator, mounts it, and shows it. Everything but the mountpoint lives in a temporary directory.
func runDemo(cmd *cobra.Command, g *global, d demoOptions, dir string) (err error) {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	log, closeLog, err := g.logger()
	if err != nil {
		return err
	}
	defer closeLog()
	tmp, err := os.MkdirTemp("", "workfs-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	if dir == "" {
		dir = filepath.Join(tmp, "mnt")
	}
	switch made := os.Mkdir(dir, 0o700); {
	case made == nil:
		defer func() { err = errors.Join(err, os.Remove(dir)) }()
	case !errors.Is(made, os.ErrExist):
		return made
	}
	s, err := sim.New(sim.Options{Scale: d.scale, Latency: d.latency, ImportMail: d.importMail, ImportFiles: d.importFiles})
	if err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	if err := s.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	etc := filepath.Join(tmp, "etc")
	if err := s.WriteConfig(etc); err != nil {
		return err
	}

	own := *g
	own.configFile = filepath.Join(etc, "config.toml")
	own.cacheDir, own.stateDir = filepath.Join(tmp, "cache"), filepath.Join(tmp, "state")
	file, err := config.Load(own.configFile, cmd.Flags())
	if err != nil {
		return err
	}
	d.mount.webhook.listen = "127.0.0.1:0" // the simulator reaches this machine without a public address
	session, err := startSession(ctx, &own, d.mount, file.Connections, dir, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.close()) }()
	tour, err := tourOf(session.mountpoint, own.configFile, d.mount.formats[0])
	if err != nil {
		return err
	}
	if d.once {
		err = tour.run(ctx, out)
		return errors.Join(err, session.server.Unmount())
	}
	tour.print(out)
	return session.serve(ctx)
}
