package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
)

// printedToken is what token --json prints.
type printedToken struct {
	Connection  string    `json:"connection"`
	AccessToken string    `json:"access_token"`
	TokenType   string    `json:"token_type"`
	ExpiresAt   time.Time `json:"expires_at"`
	ExpiresIn   int       `json:"expires_in"` // seconds
}

func tokenCommand(g *global) *cobra.Command {
	var connection, asUser string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print an access token of a connection",
		Long: "Print an access token of a connection, renewed if need be, for other programs to use. It lasts for about an hour: ask\n" +
			"again instead of keeping it, which costs no request while it lasts. Whoever has it can do what the sign-in may.",
		Example: "  curl -H \"Authorization: Bearer $(workfs token -c contoso)\" https://graph.microsoft.com/v1.0/me",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, options, closeLog, err := g.direct(cmd, connection)
			if err != nil {
				return err
			}
			defer closeLog()
			if asUser != "" {
				if conn, err = ofUser(cmd.Context(), conn, options, asUser); err != nil {
					return err
				}
			}
			source, err := all.SignIn(conn)
			if err != nil {
				return withCode(codeUsage, err)
			}
			token, err := source.Token(cmd.Context())
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
				fmt.Fprintf(cmd.ErrOrStderr(), "workfs: whoever sees this can do what the sign-in may until %s; a program gets it by $(%s -c %s)\n",
					token.Expires.Local().Format("15:04"), cmd.CommandPath(), printable(conn.Name))
			}
			if asJSON {
				return printJSON(out, printedToken{
					Connection: conn.Name, AccessToken: token.Value, TokenType: "Bearer", ExpiresAt: token.Expires.UTC().Truncate(time.Second),
					ExpiresIn: int(time.Until(token.Expires).Seconds()),
				})
			}
			_, err = fmt.Fprintln(out, token.Value)
			return err
		},
	}
	f := cmd.Flags()
	connectionFlag(f, &connection)
	f.StringVar(&asUser, "as-user", "", "print a token of this user, a login or id, instead of the application's (box, auth ccg or jwt)")
	f.BoolVar(&asJSON, "json", false, "print it with its end as JSON")
	return cmd
}

// ofUser is the connection with the tokens of one user. They are not stored: the store is for those of the connection.
func ofUser(ctx context.Context, conn backends.Connection, o backends.Options, user string) (backends.Connection, error) {
	if conn.Type != "box" || conn.Auth != "ccg" && conn.Auth != "jwt" {
		return conn, withCode(codeUsage, errors.New("only an application's sign-in to Box (auth ccg or jwt) has tokens of its users; workfs api --as-user acts as a user with the others"))
	}
	header, err := all.BoxAsUser(ctx, conn, o, user)
	if err != nil || header == nil {
		return conn, err // it is who is signed in
	}
	own, err := conn.Store.Load()
	if err != nil && !errors.Is(err, auth.ErrNoCredentials) {
		return conn, err
	}
	conn.Subject, conn.Store = "user:"+header.Get("As-User"), &memoryStore{c: own}
	return conn, nil
}
