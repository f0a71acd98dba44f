package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

// States of a finding.
const (
	findingOK      = "ok"
	findingWarning = "warning" // it works, but not as well as it could, or not for long
	findingProblem = "problem" // something does not work
)

// finding is what the doctor found out about one thing.
type finding struct {
	Check string `json:"check"`
	About string `json:"about,omitempty"` // the connection, host or path, "" for this machine
	State string `json:"state"`
	What  string `json:"what"`          // was found
	Why   string `json:"why,omitempty"` // it matters; with anything but ok
	Do    string `json:"do,omitempty"`  // what helps
}

// doctorReport is what `workfs doctor --json` prints. It has no secrets.
type doctorReport struct {
	Findings []finding `json:"findings"`
	Problems int       `json:"problems"`
	Warnings int       `json:"warnings"`
	// Admin is a text to send to the administrator, "" where none has to help.
	Admin string `json:"admin,omitempty"`
}

// examination is what the doctor looks at.
type examination struct {
	g           *global
	file        *config.File // nil without a configuration
	fileErr     error
	webhook     webhookOptions
	minFree     config.Size
	connections []backends.Connection
	askAdmin    []string // a block of lines for each connection
}

// machineChecks look at this machine.
var machineChecks = []func(ctx context.Context, e *examination) []finding{
	checkConfiguration, checkFUSE, checkAllowOther, checkDirectories, checkRuntimeDir, checkMounts, checkCache, checkWebhook,
}

// connectionChecks look at a connection.
var connectionChecks = []func(ctx context.Context, e *examination, c backends.Connection) []finding{
	checkSecrets, checkHosts, checkSignIn,
}

// checkTime bounds one check.
const checkTime = time.Minute

func doctorCommand(g *global) *cobra.Command {
	e := &examination{g: g}
	defaults := defaultMountOptions()
	e.minFree = defaults.cacheMinFree
	var names []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what keeps workfs from working, and what helps",
		Long: "Look at this machine, the configuration, the way to the services and each sign-in, and tell what is wrong, why it matters\n" +
			"and what helps; in the end there is a text for the administrator where one has to help. The exit code is\n" +
			" 1 when there is a problem.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e.file, e.fileErr = g.load(cmd, true)
			if e.fileErr == nil && e.file != nil && len(e.file.Connections) > 0 {
				var err error
				if e.connections, err = choose(e.file, names); err != nil {
					return err
				}
			}
			report := e.run(cmd.Context())
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			if err := report.print(cmd.OutOrStdout(), asJSON); err != nil {
				return err
			}
			switch report.Problems {
			case 0:
				return nil
			case 1:
				return errors.New("there is a problem")
			}
			return fmt.Errorf("there are %d problems", report.Problems)
		},
	}
	f := cmd.Flags()
	f.StringSliceVarP(&names, "connection", "c", nil, "look at these connections only")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	e.webhook.addFlags(f)
	f.Var(&e.minFree, "cache-min-free", "bytes to leave free on the cache's disk")
	return cmd
}

// run makes all checks.
func (e *examination) run(ctx context.Context) doctorReport {
	report := doctorReport{Findings: []finding{}}
	add := func(check func(context.Context) []finding) {
		ctx, cancel := context.WithTimeout(ctx, checkTime)
		defer cancel()
		for _, f := range check(ctx) {
			switch f.State {
			case findingProblem:
				report.Problems++
			case findingWarning:
				report.Warnings++
			}
			report.Findings = append(report.Findings, f)
		}
	}
	for _, check := range machineChecks {
		add(func(ctx context.Context) []finding { return check(ctx, e) })
	}
	for _, c := range e.connections {
		for _, check := range connectionChecks {
			add(func(ctx context.Context) []finding { return check(ctx, e, c) })
		}
	}
	report.Admin = strings.Join(e.askAdmin, "\n\n")
	return report
}

// print prints the findings, what is wrong last so that it is seen.
func (r doctorReport) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return printJSON(out, r)
	}
	order := []string{findingOK, findingWarning, findingProblem}
	sorted := slices.Clone(r.Findings)
	slices.SortStableFunc(sorted, func(a, b finding) int { return slices.Index(order, a.State) - slices.Index(order, b.State) })
	for _, f := range sorted {
		about := f.Check
		if f.About != "" {
			about += " (" + f.About + ")"
		}
		text := f.What + "."
		if f.Why != "" {
			text += " " + f.Why + "."
		}
		if f.Do != "" {
			text += " What helps: " + f.Do + "."
		}
		if _, err := fmt.Fprintf(out, "%-8s %s: %s\n", f.State, printable(about), printable(text)); err != nil {
			return err
		}
	}
	if r.Admin == "" {
		return nil
	}
	fmt.Fprintln(out, "\nTo send to the administrator:")
	for line := range strings.SplitSeq(r.Admin, "\n") {
		if _, err := fmt.Fprintln(out, strings.TrimRight("  "+printable(line), " ")); err != nil {
			return err
		}
	}
	return nil
}

// good is a finding that all is well.
func good(check, about, what string) []finding {
	return []finding{{Check: check, About: about, State: findingOK, What: what}}
}
