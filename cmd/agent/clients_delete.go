package main

import (
	"context"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func clientsDeleteCommand() *cobra.Command {
	var d deletion
	return d.on(&cobra.Command{
		Use:   "delete CLIENT",
		Short: "Delete an OAuth client of IS, and warn if an application of API-M uses it",
		Long: `delete deletes an OAuth client of IS; its tokens end. It refuses clients of IS itself, and the one that IS_CLIENT_ID names.
If an application of API-M uses the client, it says so first: API-M then shows no keys of the application, and makes
no others.

It asks first, or needs --yes where there is no terminal.`,
		Example:           `  agent clients delete zt5HrlQSa873s7Zc_Zl0TZkwBVga`,
		Args:              arguments("CLIENT"),
		ValidArgsFunction: completed(clientNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.run(cmd, func(ctx context.Context, r *reached) (objects.Removal, error) {
				servers, err := r.clientServers()
				if err != nil {
					return objects.Removal{}, err
				}
				kept := map[string]string{}
				if r.cfg.IS.ClientID != "" {
					kept[r.cfg.IS.ClientID] = "IS_CLIENT_ID"
				}
				return objects.RemoveClient(ctx, servers, args[0], kept)
			})
		},
	})
}
