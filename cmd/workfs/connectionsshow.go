package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/permission"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

// connectionDetails is what `connections show` prints. It has no secrets: of them it tells where they come from.
type connectionDetails struct {
	connectionInfo
	Settings []config.Setting `json:"settings"`
	// By is the way of signing in: person, secret, certificate, key or command.
	By         string    `json:"by,omitempty"`
	SignedInAt time.Time `json:"signed_in_at,omitzero"`
	RenewedAt  time.Time `json:"renewed_at,omitzero"` // when the refresh token was issued
	// Granted is what the service granted, nil if it does not say; Missing what the features need on top.
	Granted []string            `json:"granted,omitempty"`
	Missing []missingPermission `json:"missing,omitempty"`
	Ends    []endingInfo        `json:"ends,omitempty"`
	Mounts  []string            `json:"mounts,omitempty"` // mountpoints of running mounts that have it
}

// endingInfo is a part of a sign-in that ends at a known time.
type endingInfo struct {
	What string    `json:"what"`
	At   time.Time `json:"at"`
	Days int       `json:"days"` // until then, rounded down; negative afterwards
}

func connectionsShowCommand(g *global) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Tell all that is said of a connection, where each setting comes from, and how long its sign-in lasts",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := g.load(cmd, false)
			if err != nil {
				return err
			}
			conn, err := oneConnection(file.Connections, args[0])
			if err != nil {
				return err
			}
			d := detailsOf(file, conn)
			d.Mounts = mountsWith(cmd.Context(), conn.Name)
			if asJSON {
				return printJSON(cmd.OutOrStdout(), d)
			}
			return printDetails(cmd.OutOrStdout(), d)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func detailsOf(file *config.File, conn backends.Connection) connectionDetails {
	life, _ := lifeOf(conn) // what is wrong is in the info
	d := connectionDetails{
		connectionInfo: infoOf(conn), Settings: file.Settings(conn.Name), By: life.By, SignedInAt: life.SignedInAt, RenewedAt: life.RefreshedAt,
		Granted: life.Scopes,
	}
	for _, need := range missing(conn, life) {
		d.Missing = append(d.Missing, missingPermission{need.Scope, string(need.Feature), need.Buys, need.Admin})
	}
	for _, e := range ends(life) {
		if !e.at.IsZero() {
			d.Ends = append(d.Ends, endingInfo{e.key, e.at, daysUntil(e.at)})
		}
	}
	return d
}

// missing gives what the features of a connection need and a person's sign-in was not granted, as far as that is known.
func missing(conn backends.Connection, life auth.Life) []permission.Need {
	if conn.Type != "microsoft" || conn.Auth != "delegated" || life.Scopes == nil {
		return nil
	}
	return permission.Missing(featuresOf(conn), false, life.Scopes)
}

// daysUntil counts whole days.
func daysUntil(t time.Time) int {
	d := time.Until(t)
	days := int(d / (24 * time.Hour))
	if d < 0 {
		days--
	}
	return days
}

func printDetails(out io.Writer, d connectionDetails) error {
	f := newFields(out)
	f.line("name", d.Name)
	f.line("account", d.Account)
	f.line("shows", d.Shows)
	f.line("problem", d.Problem)
	f.line("mounted on", strings.Join(d.Mounts, ", "))
	f.line("signed in", localTime(d.SignedInAt))
	f.line("renewed", localTime(d.RenewedAt))
	for _, e := range d.Ends {
		text := localTime(e.At)
		switch {
		case e.What == "access_token": // is renewed when it ends
		case e.Days < 0:
			text += " (over)"
		default:
			text += fmt.Sprintf(" (%d days left)", e.Days)
		}
		f.line(strings.ReplaceAll(e.What, "_", " ")+" ends", text)
	}
	f.line("granted", strings.Join(d.Granted, " "))
	for _, m := range d.Missing {
		f.line("not granted", m.Permission+" ("+m.Buys+")")
	}
	if err := f.flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nsettings, and where they come from:")
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, s := range d.Settings {
		value := strings.ReplaceAll(s.Value, "\n", "; ")
		if value == "" {
			value = "(secret)"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", s.Key, printable(value), printable(s.From))
	}
	return w.Flush()
}
