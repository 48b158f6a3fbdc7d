package main

import (
	"context"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func kmDeleteCommand() *cobra.Command {
	var d deletion
	return d.on(&cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a key manager that nothing uses",
		Long: `delete deletes a key manager of API-M. It refuses API-M's own key manager, and one of which applications have keys or
that APIs name; it names them. It asks first, or needs --yes where there is no terminal.`,
		Example: `  agent km delete Okta
  agent km delete Okta --yes    # in a script`,
		Args:              arguments("NAME"),
		ValidArgsFunction: completed(keyManagerNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.run(cmd, func(ctx context.Context, r *reached) (objects.Removal, error) {
				return objects.RemoveKeyManager(ctx, r.single(), args[0])
			})
		},
	})
}
