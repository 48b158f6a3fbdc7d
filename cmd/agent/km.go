package main

import "github.com/spf13/cobra"

func kmCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "km",
		Short: "Change the password of the key manager's user in IS, or list who owns its clients",
		Long: `km is about the user with which API-M's key manager calls IS (KM_SERVICE_USER). It reaches both servers by their
settings, and runs anywhere. docs/security.md explains what this user is for.`,
	})
	cmd.AddCommand(kmRotatePasswordCommand(), kmClientsCommand())
	return cmd
}
