package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func appsCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "apps",
		Short: "Show, create and delete applications of API-M, and show or make their keys",
		Long: `apps works on the applications of the user with which the agent calls API-M: the Developer Portal shows nobody those of
other people. list --all-users, show --owner and delete --owner see those of all users as the Admin Portal does. It reaches
both servers by their settings, and runs anywhere.`,
		Example: `  agent apps list
  agent apps create Shop
  agent apps keys Shop --generate`,
	})
	cmd.AddCommand(appsListCommand(), appsShowCommand(), appsCreateCommand(), appsKeysCommand(), appsSecretsCommand(), appsDeleteCommand())
	return cmd
}

// ownerFlag adds the flag that names the user of an application.
func ownerFlag(cmd *cobra.Command, owner *string) {
	cmd.Flags().StringVar(owner, "owner", "", "the application of the user with this `NAME` (default: the user with which the agent calls API-M)")
	completeFlag(cmd, "owner", func(ctx context.Context, r *reached, _ []string) (owners []string, err error) {
		list, err := objects.AllApplications(ctx, r.Admin)
		for _, a := range list {
			if !slices.Contains(owners, a.Owner) {
				owners = append(owners, a.Owner)
			}
		}
		return owners, err
	})
}

// applicationNames lists the applications of the user.
func applicationNames(ctx context.Context, r *reached, _ []string) (names []string, err error) {
	list, err := objects.Applications(ctx, r.DevPortal)
	for _, a := range list {
		names = append(names, a.Name)
	}
	return names, err
}
