package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func subscriptionsListCommand() *cobra.Command {
	var app, api string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the subscriptions of applications, or those to an API",
		Long: `list lists the subscriptions of the user's applications. With --api it lists those of all users' applications to one
API.`,
		Example: `  agent subscriptions list --app Shop
  agent subscriptions list --api Orders:1.0.0 --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listSubscriptions(cmd.Context(), app, api, asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&app, "app", "", "only those of the application with this `NAME`")
	cmd.Flags().StringVar(&api, "api", "", "only those to the API with this `NAME`, or NAME:VERSION")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	completeFlag(cmd, "app", applicationNames)
	completeFlag(cmd, "api", apiNames)
	return cmd
}

func listSubscriptions(ctx context.Context, app, api string, asJSON bool, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	list, err := objects.Subscriptions(ctx, r.single(), app, api)
	if err != nil {
		return byHand(err)
	}
	if asJSON {
		return writeJSON(stdout, append([]objects.Subscription{}, list...))
	}
	rows := [][]string{}
	for _, s := range list {
		rows = append(rows, []string{s.Application, s.Owner, s.API, s.Version, s.Policy, s.Status})
	}
	return table(stdout, []string{"APPLICATION", "OWNER", "API", "VERSION", "POLICY", "STATUS"}, rows)
}
