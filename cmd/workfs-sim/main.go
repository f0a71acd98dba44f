// Command workfs-sim runs the simulated clouds of package sim. When it is ready it prints one JSON line with addresses and
// credentials on standard output and serves until it is interrupted.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/workfs/workfs/backends/sim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case err == nil, errors.Is(err, pflag.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, "workfs-sim:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o sim.Options
	var now, config string
	f := pflag.NewFlagSet("workfs-sim", pflag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "`address` of the control host; the services follow on the next loopback addresses")
	f.Int64Var(&o.Seed, "seed", sim.DefaultSeed, "seed of all data")
	f.IntVar(&o.Scale, "scale", 0, "`messages` in alice's Inbox (one channel and the Box tree grow with it)")
	f.DurationVar(&o.Latency, "latency", 0, "time between a request and the first byte of its answer")
	f.StringVar(&o.TLSDir, "tls-dir", "", "serve https, and write the CA and certificates to `dir`")
	f.StringVar(&o.ImportMail, "import-mail", "", "`dir` of .eml or Maildir files that becomes alice's mail")
	f.StringVar(&o.ImportFiles, "import-files", "", "`dir` that becomes the root of alice's Box files")
	f.StringVar(&config, "write-config", "", "write configurations and credentials for this simulator to `dir`")
	f.StringVar(&o.Throttle, "throttle", "off", "off: only limits that are always on; real: all documented limits")
	f.StringVar(&now, "now", "", "start of the virtual clock, `RFC3339`; default is the real time")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if now != "" {
		t, err := time.Parse(time.RFC3339, now)
		if err != nil {
			return fmt.Errorf("--now: %w", err)
		}
		o.Now = t
	}
	s, err := sim.New(o)
	if err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	if config != "" {
		if err := s.WriteConfig(config); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	line, err := json.Marshal(s.Ready())
	if err != nil {
		return errors.Join(err, s.Close())
	}
	if _, err := fmt.Fprintf(stdout, "%s\n", line); err != nil {
		return errors.Join(err, s.Close())
	}
	<-ctx.Done()
	return s.Close()
}
