package main

import (
	"context"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func subscriptionsDeleteCommand() *cobra.Command {
	var d deletion
	return d.on(&cobra.Command{
		Use:   "delete APP API",
		Short: "Delete the subscription of an application to an API",
		Long: `delete deletes the subscription of an application to an API. Its keys stay. It asks first, or needs --yes where there is
no terminal.`,
		Example:           `  agent subscriptions delete Shop Orders:1.0.0 --yes`,
		Args:              arguments("APP", "API"),
		ValidArgsFunction: completed(applicationNames, subscribedNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.run(cmd, func(ctx context.Context, r *reached) (objects.Removal, error) {
				return objects.RemoveSubscription(ctx, r.single(), args[0], args[1])
			})
		},
	})
}

// subscribedNames lists the APIs to which the application before the argument has subscribed.
func subscribedNames(ctx context.Context, r *reached, args []string) (names []string, err error) {
	list, err := objects.Subscriptions(ctx, r.single(), args[0], "")
	for _, s := range list {
		names = append(names, s.API+":"+s.Version)
	}
	return names, err
}
