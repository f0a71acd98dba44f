package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
	"github.com/workfs/workfs/backends/graph/permission"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

func connectionsCommand(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "connections",
		Short: "Look at the connections, test them, add and remove them",
		Long: "Look at the connections of the configuration, test what they may see, and add, rename and remove them. A connection is\n" +
			"a table [connections.NAME] of the configuration file, or variables WORKFS_CONNECTION_<NAME>_<KEY> of the environment;\n" +
			"its secrets are in a store, or come from where its keys say.",
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		connectionsListCommand(g), connectionsShowCommand(g), connectionsTestCommand(g), connectionsAddCommand(g),
		connectionsRenameCommand(g), connectionsRemoveCommand(g),
	)
	return cmd
}

// connectionInfo is a connection as `connections list` prints it. It has no secrets.
type connectionInfo struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Auth    string `json:"auth"`
	Account string `json:"account,omitempty"` // who signed in, "" if unknown
	Store   string `json:"store,omitempty"`   // where the secrets are, "" if nothing is stored
	// Shows is what the connection shows: features of Microsoft, or whose files of Box.
	Shows string `json:"shows"`
	// Problem is why it can't work as far as that is known without a request.
	Problem string `json:"problem,omitempty"`
}

func connectionsListCommand(g *global) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the connections, and what is wrong with them as far as can be told without a request",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := g.load(cmd, true)
			if err != nil {
				return err
			}
			list := []connectionInfo{}
			if file != nil {
				for _, c := range file.Connections {
					list = append(list, infoOf(c))
				}
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), list)
			}
			if len(list) == 0 {
				return withCode(codeNotFound, errNoConnection)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tTYPE\tAUTH\tACCOUNT\tSHOWS\tSTORE\tPROBLEM")
			for _, c := range list {
				row := []string{c.Name, c.Type, c.Auth, c.Account, c.Shows, c.Store, c.Problem}
				for i, text := range row {
					if row[i] = printable(text); text == "" {
						row[i] = "-"
					}
				}
				fmt.Fprintln(w, strings.Join(row, "\t"))
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// infoOf tells of a connection what can be told without a request.
func infoOf(c backends.Connection) connectionInfo {
	info := connectionInfo{Name: c.Name, Type: c.Type, Auth: c.Auth, Shows: shows(c)}
	if c.Store != nil {
		info.Store = c.Store.String()
	}
	life, err := lifeOf(c)
	info.Account = life.Account
	if err != nil {
		info.Problem = err.Error()
	}
	return info
}

// lifeOf tells how a connection is signed in and how long that lasts. The error says why it can't work, as far as is known
// without a request.
func lifeOf(c backends.Connection) (auth.Life, error) {
	tokens, err := all.SignIn(c)
	if err != nil {
		return auth.Life{}, err
	}
	life, err := tokens.Life()
	if err != nil {
		return life, err
	}
	for _, end := range ends(life) {
		if end.fatal && !end.at.IsZero() && time.Now().After(end.at) {
			return life, fmt.Errorf("%s ended on %s", end.what, end.at.Local().Format(time.DateOnly))
		}
	}
	return life, nil
}

// ending is a part of a sign-in that ends.
type ending struct {
	what  string
	key   string // in JSON
	at    time.Time
	fatal bool // nothing works after it
}

// ends lists what of a sign-in ends, known or not.
func ends(l auth.Life) []ending {
	return []ending{
		{"the refresh token", "refresh_token", l.RefreshTokenEnds, true},
		{"the client secret", "client_secret", l.SecretEnds, true},
		{"the certificate", "certificate", l.CertificateEnds, true},
		{"the access token", "access_token", l.AccessTokenEnds, false},
	}
}

// shows tells what a connection shows.
func shows(c backends.Connection) string {
	switch {
	case c.Type == "box" && c.Enterprise:
		return "all users"
	case c.Type == "box" && c.EnterpriseContent:
		return "content of the enterprise"
	case c.Type == "box" && c.AsUser != "":
		return "files of " + c.AsUser
	case c.Type == "box":
		return "own files"
	case len(c.Features) > 0:
		return strings.Join(c.Features, ",")
	}
	return "everything"
}

// featuresOf gives the features of a Microsoft connection.
func featuresOf(c backends.Connection) []permission.Feature {
	features, err := permission.Parse(c.Features)
	if err != nil {
		return nil // the configuration was checked
	}
	return features
}

// mountsWith gives the mountpoints of this user's running mounts that have a connection. Mounts that do not answer have none.
func mountsWith(ctx context.Context, connection string) []string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	dir, err := config.RuntimeDir()
	if err != nil {
		return nil
	}
	list, err := askStatus(ctx, dir, nil)
	if err != nil {
		return nil
	}
	var points []string
	for _, st := range list {
		if slices.ContainsFunc(st.Connections, func(c connectionStatus) bool { return c.Name == connection }) {
			points = append(points, st.Mountpoint)
		}
	}
	return points
}
