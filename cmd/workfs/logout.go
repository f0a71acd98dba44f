package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
)

func logoutCommand(g *global) *cobra.Command {
	var asJSON, forget bool
	cmd := &cobra.Command{
		Use:   "logout NAME",
		Short: "End a sign-in: at the service where that has a way, and in the store",
		Long: "End the sign-in of a connection. At Box its tokens are revoked; Microsoft has no way for that, and the command says how to\n" +
			"end the sessions there. All secrets of the connection are removed from its store. Running mounts serve what is cached\n" +
			"from then on. The configuration stays, so that workfs login --name NAME signs in again; --forget removes it, too.",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := g.logout(cmd, args[0], forget)
			if change.Change == "" {
				return err
			}
			return errors.Join(change.print(cmd, asJSON), err)
		},
	}
	cmd.Flags().BoolVar(&forget, "forget", false, "remove the connection from the configuration, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// logout signs a connection out. With a change the secrets are gone, even if there is an error: then the service may not know.
func (g *global) logout(cmd *cobra.Command, name string, forget bool) (connectionChange, error) {
	file, err := g.load(cmd, false)
	if err != nil {
		return connectionChange{}, err
	}
	conn, err := oneConnection(file.Connections, name)
	if err != nil {
		return connectionChange{}, err
	}
	vault, err := file.Vault(name)
	if err != nil {
		return connectionChange{}, err
	}
	if vault == nil {
		return connectionChange{}, withCode(codeUsage, fmt.Errorf("the tokens of connection %s come from its token_command, and none is stored", name))
	}
	change := connectionChange{Name: name, Store: vault.String(), Config: g.configFile}
	revoked := revoke(cmd.Context(), conn)
	if err := vault.Delete(cmd.Context()); err != nil {
		return connectionChange{}, err
	}
	change.Change = "signed out"
	if other := sharing(file.Connections, conn); other != "" {
		change.Notes = append(change.Notes, fmt.Sprintf("connection %s is signed out, too: its secrets were the same", other))
	}
	change.Notes = append(change.Notes, leftAtService(conn)...)
	for _, s := range file.Settings(name) {
		if s.Value == "" || strings.HasSuffix(s.Key, "_file") && s.Key != "ca_file" || strings.HasSuffix(s.Key, "_command") || s.Key == "private_key" || s.Key == "jwt_config" {
			change.Notes = append(change.Notes, fmt.Sprintf("%s is not touched: what it names still signs in", s.Key))
		}
	}
	if forget {
		removed, err := g.removeConnection(cmd, name, false)
		if err != nil {
			return change, errors.Join(revoked, err)
		}
		change.Notes = append(change.Notes, removed.Notes...)
		change.Change, change.Mounts = "signed out and removed", removed.Mounts
		return change, revoked
	}
	change.Mounts = reloadMounts(cmd.Context(), cmd.ErrOrStderr(), name)
	return change, revoked
}

// revoke ends a connection's tokens at the service, where that has a way.
func revoke(ctx context.Context, conn backends.Connection) error {
	if conn.Type != "box" {
		return nil
	}
	c, err := conn.Store.Load()
	if err != nil {
		return nil // nothing that could be revoked
	}
	app, err := all.BoxApp(conn, c)
	if err != nil {
		return err
	}
	// Whether the end of one token is the end of the other the documentation does not say.
	for _, token := range []string{c.RefreshToken, c.AccessToken} {
		if token == "" {
			continue
		}
		if err := app.Revoke(ctx, token); err != nil {
			return fmt.Errorf("the secrets are removed here, but Box was not told and may take the sign-in for a while yet: %w", err)
		}
	}
	return nil
}

// leftAtService tells what a service still holds of a sign-in, and how to end that.
func leftAtService(conn backends.Connection) []string {
	switch {
	case conn.Type == "microsoft" && conn.Auth == "delegated":
		return []string{"Microsoft has no way to revoke one sign-in: to end all of a person's, sign out everywhere at https://mysignins.microsoft.com, " +
			"or have an administrator use Revoke sessions for that user in the Entra admin center"}
	case conn.Type == "microsoft":
		return []string{"the application's secret or certificate is still good: remove it in its app registration (Certificates & secrets)"}
	case conn.Auth == "ccg" || conn.Auth == "jwt":
		return []string{"the application's secret and key are still good: reset them in Box's developer console, or have an administrator revoke the app"}
	}
	return nil
}
