package main

import (
	"context"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func appsDeleteCommand() *cobra.Command {
	var d deletion
	var owner string
	cmd := d.on(&cobra.Command{
		Use:   "delete APP",
		Short: "Delete an application with its subscriptions and keys",
		Long: `delete deletes an application with its subscriptions, and with the clients that API-M has made for it at key managers.
Their tokens end. A client that somebody else has made stays at its key manager.

With --owner it deletes an application of another user. API-M shows the keys of that application to its owner alone.

It asks first, or needs --yes where there is no terminal. If IS still has a client of the user's own application
afterwards, it names the client.`,
		Example: `  agent apps delete Shop
  agent apps delete Shop --owner ann`,
		Args:              arguments("APP"),
		ValidArgsFunction: completed(applicationNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.run(cmd, func(ctx context.Context, r *reached) (objects.Removal, error) {
				if owner != "" {
					return objects.RemoveApplicationOf(ctx, r.single(), args[0], owner)
				}
				return objects.RemoveApplication(ctx, r.single(), args[0])
			})
		},
	})
	ownerFlag(cmd, &owner)
	return cmd
}
