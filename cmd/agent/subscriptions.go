package main

import "github.com/spf13/cobra"

func subscriptionsCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "subscriptions",
		Short: "List, add and delete subscriptions of applications to APIs",
		Long: `subscriptions lists, adds and deletes the subscriptions of applications to APIs. APP is an application of the user with
which the agent calls API-M. API is a name, or NAME:VERSION if it has several versions. It runs anywhere.`,
		Example: `  agent subscriptions list --api Orders:1.0.0
  agent subscriptions add Shop Orders:1.0.0`,
	})
	cmd.AddCommand(subscriptionsListCommand(), subscriptionsAddCommand(), subscriptionsDeleteCommand())
	return cmd
}
