package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/cache"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
	"github.com/workfs/workfs/cmd/workfs/internal/control"
)

// connectionChange is what a command that changes a connection prints as JSON.
type connectionChange struct {
	Name   string `json:"name"`
	Change string `json:"change"`          // added, replaced, renamed, removed or signed out
	From   string `json:"from,omitempty"`  // the name before
	Store  string `json:"store,omitempty"` // where the secrets are, or were
	Config string `json:"config"`          // the configuration file
	// Mounts are the running mounts that took the change up.
	Mounts int      `json:"mounts"`
	Notes  []string `json:"notes,omitempty"`
}

// print prints a change for people or programs.
func (c connectionChange) print(cmd *cobra.Command, asJSON bool) error {
	if asJSON {
		return printJSON(cmd.OutOrStdout(), c)
	}
	what := c.Name
	if c.From != "" {
		what = c.From + " to " + c.Name
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", c.Change, printable(what))
	for _, note := range c.Notes {
		fmt.Fprintln(cmd.ErrOrStderr(), "workfs: "+printable(note))
	}
	return nil
}

func connectionsRenameCommand(g *global) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rename OLD NEW",
		Short: "Rename a connection, with its credentials and what is remembered of it; nothing is fetched anew",
		Long: "Rename a connection, its credentials and what is remembered of it. Its directory has another name from the next mount\n" +
			"on; everything in it stays what it was, inode numbers and times too, and nothing is fetched anew.",
		Args: usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := g.renameConnection(cmd, args[0], args[1])
			if err != nil {
				return err
			}
			return change.print(cmd, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// renameConnection needs the cache for itself: a mount writes into what is remembered of the connection.
func (g *global) renameConnection(cmd *cobra.Command, from, to string) (connectionChange, error) {
	change := connectionChange{Name: to, From: from, Change: "renamed"}
	file, conn, err := g.editable(cmd, from)
	if err != nil {
		return change, err
	}
	change.Config = g.configFile
	for _, s := range file.Settings(from) {
		if strings.HasPrefix(s.From, config.EnvName("connection")+"_") {
			return change, withCode(codeUsage, fmt.Errorf("%s is for this name: unset it, and set the one of the new name afterwards", s.From))
		}
	}
	if mounts := mountsWith(cmd.Context(), from); len(mounts) > 0 {
		return change, withCode(codeBusy, fmt.Errorf("connection %s is mounted on %s: unmount it first", from, strings.Join(mounts, ", ")))
	}
	renamed, vault, err := file.Renamed(from, to)
	if err != nil {
		return change, withCode(codeUsage, fmt.Errorf("connection %q: %w", to, err))
	}
	err = withCache(cmd, g, cacheBusy(cmd.Context()), func(remembered *cache.Cache) error {
		if err := config.Rename(g.configFile, from, to, nil); err != nil {
			return withCode(codeUsage, err)
		}
		if vault != nil && renamed.Credentials != conn.Credentials {
			if err := moveSecrets(cmd.Context(), file, from, vault); err != nil {
				return errors.Join(err, config.Rename(g.configFile, to, from, nil))
			}
			change.Store = vault.String()
		}
		if err := remembered.RenameMemory(from, to); err != nil {
			change.Notes = append(change.Notes, "what was remembered of the account will be asked for again: "+err.Error())
		}
		return nil
	})
	return change, err
}

// moveSecrets moves what a connection's vault has into another one.
func moveSecrets(ctx context.Context, file *config.File, connection string, to auth.Store) error {
	from, err := file.Vault(connection)
	if err != nil {
		return err
	}
	if _, err := from.Load(); err != nil {
		if errors.Is(err, auth.ErrNoCredentials) {
			return nil
		}
		return err
	}
	// Another program that waits for the lock to renew them finds nothing afterwards, rather than a refresh token that it
	// would use up.
	err = from.Update(ctx, func(c *auth.Credentials) error {
		moved := *c
		*c = auth.Credentials{}
		return to.Create(ctx, moved)
	})
	if err != nil {
		return err
	}
	return from.Delete(ctx)
}

// cacheBusy refuses what needs a cache that a mount has open.
func cacheBusy(ctx context.Context) func(*control.Client) error {
	return func(holder *control.Client) error {
		var st mountStatus
		if err := holder.Get(ctx, "/status", nil, &st); err != nil {
			return err
		}
		return withCode(codeBusy, fmt.Errorf("the mount on %s has the cache open: unmount it first", st.Mountpoint))
	}
}

func connectionsRemoveCommand(g *global) *cobra.Command {
	var asJSON, keepCache bool
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a connection from the configuration, with its credentials and what is cached of it",
		Long: "Remove a connection from the configuration, with its credentials and what is remembered of it. The cache is emptied when\n" +
			"it was the last one; else what is cached of it stays, unseen, until its place is needed or workfs cache clear. The sign-in\n" +
			"is not ended at the service: workfs logout --forget does both.",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := g.removeConnection(cmd, args[0], keepCache)
			if err != nil {
				return err
			}
			return change.print(cmd, asJSON)
		},
	}
	cmd.Flags().BoolVar(&keepCache, "keep-cache", false, "leave the cache as it is")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// removeConnection removes a connection whether it is mounted or not.
func (g *global) removeConnection(cmd *cobra.Command, name string, keepCache bool) (connectionChange, error) {
	ctx := cmd.Context()
	change := connectionChange{Name: name, Change: "removed"}
	file, conn, err := g.editable(cmd, name)
	if err != nil {
		return change, err
	}
	change.Config = g.configFile
	vault, err := file.Vault(name)
	if err != nil {
		return change, err
	}
	if err := config.Remove(g.configFile, name); err != nil {
		return change, withCode(codeUsage, err)
	}
	if vault != nil {
		change.Store = vault.String()
	}
	if other := sharing(file.Connections, conn); other != "" {
		change.Notes = append(change.Notes, fmt.Sprintf("the secrets in %s stay: connection %s has them, too", change.Store, other))
	} else if vault != nil {
		if err := vault.Delete(ctx); err != nil {
			return change, fmt.Errorf("the connection is removed, but its secrets are still in %s: %w", vault, err)
		}
	}
	change.Mounts = reloadMounts(ctx, cmd.ErrOrStderr(), name)
	for _, point := range mountsWith(ctx, name) {
		change.Notes = append(change.Notes, fmt.Sprintf("%s still shows it: it goes with the next mount", point))
	}
	last := len(file.Connections) == 1
	err = withCache(cmd, g, func(*control.Client) error {
		if !keepCache {
			change.Notes = append(change.Notes, "what is cached of it stays: a mount has the cache open")
		}
		return nil
	}, func(c *cache.Cache) error {
		if err := c.ForgetMemory(name); err != nil {
			return err
		}
		switch {
		case keepCache:
			return nil
		case last:
			return c.Clear()
		}
		change.Notes = append(change.Notes, "what is cached of it stays, unseen, until its place is needed; workfs cache clear empties the cache of all connections")
		return nil
	})
	if err != nil {
		change.Notes = append(change.Notes, "what is cached of it stays: "+err.Error())
	}
	return change, nil
}

// sharing gives another connection that keeps its secrets in the same place, "" if there is none.
func sharing(connections []backends.Connection, conn backends.Connection) string {
	for _, c := range connections {
		if conn.Credentials != "" && c.Name != conn.Name && c.Credentials == conn.Credentials {
			return c.Name
		}
	}
	return ""
}

// editable gives a connection that the configuration file has.
func (g *global) editable(cmd *cobra.Command, name string) (*config.File, backends.Connection, error) {
	file, err := g.load(cmd, false)
	if err != nil {
		return nil, backends.Connection{}, err
	}
	conn, err := oneConnection(file.Connections, name)
	if err != nil {
		return nil, conn, err
	}
	if !file.InFile(name) {
		return nil, conn, withCode(codeUsage, fmt.Errorf("connection %s is made by variables of the environment: change them", name))
	}
	return file, conn, nil
}
