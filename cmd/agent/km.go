package main

import (
	"context"

	"github.com/spf13/cobra"
)

func kmCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "km",
		Short: "Show and change the key managers of API-M, and their user in IS",
		Long: `km shows and changes the key managers of API-M. rotate-password and clients are about the user with which API-M's
key manager calls IS (KM_SERVICE_USER); docs/security.md explains what this user is for.

It reaches both servers by their settings, and runs anywhere.`,
		Example: `  agent km list
  agent km show WSO2-IS
  agent km disable WSO2-IS --yes`,
	})
	cmd.AddCommand(kmListCommand(), kmShowCommand(), kmRegisterCommand(), kmEnableCommand(true), kmEnableCommand(false), kmDeleteCommand(),
		kmRotatePasswordCommand(), kmClientsCommand())
	return cmd
}

// keyManagerNames lists the key managers of API-M.
func keyManagerNames(ctx context.Context, r *reached, _ []string) (names []string, err error) {
	list, err := r.Admin.KeyManagers(ctx)
	for _, km := range list {
		names = append(names, km.Name)
	}
	return names, err
}
