package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

// profileKinds are what a mount can tell of its own working: two that are recorded for a time, and states of the moment.
var profileKinds = []string{"cpu", "trace", "heap", "allocs", "goroutine"}

func profileCommand(*global) *cobra.Command {
	kind, output := "cpu", ""
	during := config.Duration(10 * time.Second)
	cmd := &cobra.Command{
		Use:   "profile DIR",
		Short: "Record what a mount spends its time or memory on",
		Long: "Record what the process of a mount spends its time or memory on, for `go tool pprof` or, with --kind trace, `go tool\n" +
			"trace`. Nothing of names, contents or sign-ins is in it. The mount works on meanwhile.",
		Example: "  workfs profile ~/work -o cpu.pprof\n  workfs profile ~/work --kind heap -o heap.pprof",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, m, _, err := dialMount(args[0])
			if err != nil {
				return err
			}
			if output == "" {
				output = "workfs-" + kind + ".pprof"
			}
			query := url.Values{"kind": {kind}, "during": {during.String()}}
			answer, err := client.Open(cmd.Context(), http.MethodGet, "/profile", query)
			if err != nil {
				return unanswered(m.Point, err)
			}
			defer answer.Close()
			file, err := os.Create(output)
			if err != nil {
				return err
			}
			_, err = io.Copy(file, answer)
			if err := errors.Join(err, file.Close()); err != nil {
				return fmt.Errorf("writing %s: %w", output, err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), output)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&kind, "kind", kind, "what to record: "+strings.Join(profileKinds, ", "))
	f.Var(&during, "during", "how long to record cpu or trace")
	f.StringVarP(&output, "output", "o", output, "file to write (default workfs-KIND.pprof)")
	return cmd
}

// serveProfile answers with a record; it ends early when nobody waits for it or the mount ends.
func (s *session) serveProfile(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var during config.Duration
	if err := during.Set(q.Get("during")); err != nil {
		answer(w, nil, withCode(codeUsage, err))
		return
	}
	kind := q.Get("kind")
	if !slices.Contains(profileKinds, kind) {
		answer(w, nil, withCode(codeUsage, fmt.Errorf("there is no profile %q: choose from %s", kind, strings.Join(profileKinds, ", "))))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(during))
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()
	if err := record(ctx, kind, w); err != nil {
		answer(w, nil, withCode(codeTemporary, err)) // somebody else records
	}
}

// record writes a profile of this process, of the time until ctx ends or of the moment.
func record(ctx context.Context, kind string, w io.Writer) error {
	switch kind {
	case "cpu":
		if err := pprof.StartCPUProfile(w); err != nil {
			return err
		}
		<-ctx.Done()
		pprof.StopCPUProfile()
		return nil
	case "trace":
		if err := trace.Start(w); err != nil {
			return err
		}
		<-ctx.Done()
		trace.Stop()
		return nil
	case "heap":
		runtime.GC() // else it tells what the last collection found
	}
	return pprof.Lookup(kind).WriteTo(w, 0)
}
