package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
	"github.com/workfs/workfs/backends/rest"
)

// How a probe ends.
const (
	probeWorks   = "works"
	probeRefused = "refused" // the service says that the sign-in may not
	probeFailed  = "failed"  // for another reason, which may pass
	probeSkipped = "skipped" // there is nothing to try it on
)

// probeResult is how one feature of a connection fared.
type probeResult struct {
	Feature string `json:"feature"`
	State   string `json:"state"`
	// Optional says that the connection does without, with less.
	Optional bool   `json:"optional,omitempty"`
	Request  string `json:"request,omitempty"` // the call that decided it
	Detail   string `json:"detail,omitempty"`
	err      error
}

// connectionReport is what `connections test` prints of a connection.
type connectionReport struct {
	Name    string        `json:"name"`
	Works   bool          `json:"works"` // all that is not optional
	Account string        `json:"account,omitempty"`
	Probes  []probeResult `json:"probes"`
	// Ask is what to ask an administrator for, and Do what the owner of the connection can do, a line each.
	Ask []string `json:"ask,omitempty"`
	Do  []string `json:"do,omitempty"`
	err error
}

func connectionsTestCommand(g *global) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "test [NAME…]",
		Short: "Prove each feature of connections with one cheap request, and tell what to ask an administrator for",
		Long: "Prove each feature of the connections, or of all, with one cheap request: print what works, what does not and why, and\n" +
			"what to ask an administrator for. The exit code is 0 when all works that the connection is to show.",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := g.load(cmd, false)
			if err != nil {
				return err
			}
			connections, err := choose(file, args)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("log-level") {
				g.logLevel = "error" // what the service refuses is the answer here
			}
			log, closeLog, err := g.logger()
			if err != nil {
				return err
			}
			defer closeLog()
			reports := []connectionReport{}
			var errs []error
			for _, c := range connections {
				r := testConnection(cmd.Context(), c, backends.Options{Log: log, UserAgent: userAgent()})
				reports = append(reports, r)
				errs = append(errs, r.err)
				if !asJSON {
					if err := r.print(cmd.OutOrStdout()); err != nil {
						return err
					}
				}
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), reports); err != nil {
					return err
				}
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// tester asks for what one connection may see.
type tester struct {
	conn   backends.Connection
	o      backends.Options
	client *rest.Client
	life   auth.Life
	header http.Header // of each request
	report *connectionReport
}

// testConnection runs the probes of a connection. Its error has the exit code of the first that matters.
func testConnection(ctx context.Context, conn backends.Connection, o backends.Options) (r connectionReport) {
	r = connectionReport{Name: conn.Name, Probes: []probeResult{}}
	t := &tester{conn: conn, o: o, report: &r}
	t.run(ctx, "sign-in", false, func(ctx context.Context) (string, string, error) {
		tokens, err := all.SignIn(conn)
		if err != nil {
			return "", "", err
		}
		if t.client, err = all.API(conn, o); err != nil {
			return "", "", err
		}
		if _, err = tokens.Token(ctx); err != nil {
			return "", "", err
		}
		t.life, _ = tokens.Life() // it works: that not all is known of it does not matter
		return "", "", nil
	})
	if r.Probes[0].State == probeWorks {
		if conn.Type == "box" {
			t.box(ctx)
		} else {
			t.microsoft(ctx)
		}
	}
	r.Works = true
	for _, p := range r.Probes {
		if p.Optional || p.State == probeWorks || p.State == probeSkipped {
			continue
		}
		if r.Works = false; r.err == nil {
			r.err = withCode(exitCode(p.err), fmt.Errorf("connection %s: %s: %s", conn.Name, p.Feature, strings.TrimPrefix(p.Detail, p.Feature+": ")))
		}
	}
	return r
}

// errNothing says that a probe has nothing to try.
var errNothing = errors.New("there is nothing to try it on")

// run runs one probe and adds its result. The probe gives the request that decided it and a detail of what works.
func (t *tester) run(ctx context.Context, feature string, optional bool, probe func(context.Context) (request, detail string, err error)) probeResult {
	request, detail, err := probe(ctx)
	p := probeResult{Feature: feature, Optional: optional, Request: request, Detail: detail, State: probeWorks, err: err}
	var refused *rest.Error
	switch {
	case err == nil:
	case errors.Is(err, errNothing):
		p.State, p.Detail = probeSkipped, err.Error()
	default:
		p.State, p.Detail = probeFailed, strings.TrimPrefix(err.Error(), feature+": ")
		var denied *auth.Error
		if errors.Is(err, backends.ErrForbidden) || errors.As(err, &denied) && denied.Kind == auth.Denied {
			p.State = probeRefused
		}
		if errors.As(err, &refused) && refused.Message != "" {
			p.Detail += ": " + refused.Message
		}
	}
	t.report.Probes = append(t.report.Probes, p)
	return p
}

// get asks for a JSON value. Paths begin with the version.
func (t *tester) get(ctx context.Context, path string, into any) error {
	return t.client.JSON(ctx, path, t.header, into)
}

// call is a probe of one request.
func (t *tester) call(path string) func(context.Context) (string, string, error) {
	return func(ctx context.Context) (string, string, error) {
		var answer struct{} // any object
		return "GET " + path, "", t.get(ctx, path, &answer)
	}
}

func (r connectionReport) print(out io.Writer) error {
	head := r.Name
	if r.Account != "" {
		head += " (" + r.Account + ")"
	}
	verdict := "works"
	if !r.Works {
		verdict = "does not work as it should"
	}
	fmt.Fprintf(out, "%s: %s\n", printable(head), verdict)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, p := range r.Probes {
		state := p.State
		if p.Optional && (state == probeRefused || state == probeFailed) {
			state += " (the connection does without)"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", p.Feature, state, printable(p.Detail))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, list := range []struct {
		title string
		lines []string
	}{{"to do", r.Do}, {"to ask an administrator for", r.Ask}} {
		if len(list.lines) > 0 {
			fmt.Fprintf(out, "  %s:\n    %s\n", list.title, strings.Join(list.lines, "\n    "))
		}
	}
	return nil
}
