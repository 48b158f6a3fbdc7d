package main

import (
	"context"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func apisDeleteCommand() *cobra.Command {
	var d deletion
	var withSubscriptions bool
	cmd := d.on(&cobra.Command{
		Use:   "delete API",
		Short: "Delete an API, and say what goes with it",
		Long: `delete deletes an API with its revisions and documents. It refuses an API to which applications have subscribed, and
names them. With --with-subscriptions it retires the API first, which ends all subscriptions, also those of other
people's applications.

It asks first, or needs --yes where there is no terminal.`,
		Example: `  agent apis delete Orders:1.0.0
  agent apis delete Orders:1.0.0 --with-subscriptions --yes`,
		Args:              arguments("API"),
		ValidArgsFunction: completed(apiNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.run(cmd, func(ctx context.Context, r *reached) (objects.Removal, error) {
				return objects.RemoveAPI(ctx, r.single(), args[0], withSubscriptions)
			})
		},
	})
	cmd.Flags().BoolVar(&withSubscriptions, "with-subscriptions", false, "also if applications have subscribed: retire the API first")
	return cmd
}
