package main

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
)

const renewCredentials = "renew-credentials"

// renewCredentialsCommand is the helper of auth.BoxConfig: this program, run by itself.
func renewCredentialsCommand() *cobra.Command {
	return &cobra.Command{
		Use:    renewCredentials,
		Short:  "Renew a sign-in as standard input says (workfs runs this itself)",
		Hidden: true,
		Args:   usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// A refresh token is lost if this ends between the request and the file.
			signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
			return all.ServeRenewal(context.WithoutCancel(cmd.Context()), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

// withRenewHelper has this program renew the sign-ins of connections. /proc/self/exe is the very program that runs, also where
// an upgrade has replaced its file.
func withRenewHelper(connections []backends.Connection) {
	for i := range connections {
		connections[i].RenewHelper = []string{"/proc/self/exe", renewCredentials}
	}
}
