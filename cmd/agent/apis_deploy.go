package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
	"wso2agent/internal/wso2"
)

func apisDeployCommand() *cobra.Command {
	var environments []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "deploy API",
		Short: "Make a revision of an API as it is saved, and deploy it",
		Long: `deploy makes a revision of an API as it is saved in the Publisher, and deploys it in the gateway environments in which
the API is deployed now, or in those that --env names. The gateway loads it some seconds later.

If API-M has as many revisions as it allows, deploy deletes the oldest one that is not deployed, or else one that the new
revision replaces. If each serves another environment, it exits with 4.`,
		Example: `  agent apis deploy Orders:1.0.0
  agent apis deploy Orders:1.0.0 --env Default`,
		Args:              arguments("API"),
		ValidArgsFunction: completed(apiNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deployAPI(cmd, args[0], environments, asJSON)
		},
	}
	cmd.Flags().StringArrayVar(&environments, "env", nil, "deploy in the gateway environment with this `NAME`; can be repeated")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	completeFlag(cmd, "env", environmentNames)
	return cmd
}

// environmentNames lists the gateway environments of API-M.
func environmentNames(ctx context.Context, r *reached, _ []string) (names []string, err error) {
	list, err := r.Admin.Environments(ctx)
	for _, o := range list {
		names = append(names, o.Name)
	}
	return names, err
}

func deployAPI(cmd *cobra.Command, name string, environments []string, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	var api wso2.API
	var to []wso2.Deployment
	err = r.changing(cmd, func(ctx context.Context) (err error) {
		api, to, err = objects.Deploy(ctx, r.single(), name, environments)
		return err
	})
	if err != nil {
		return err
	}
	var names []string
	for _, d := range to {
		names = append(names, d.Environment)
	}
	if asJSON {
		revision, err := objects.RevisionIn(cmd.Context(), r.Publisher, api.ID, names[0]) // all have the new one
		if err != nil {
			return byHand(err)
		}
		return writeJSON(cmd.OutOrStdout(), map[string]any{"name": api.Name, "version": api.Version, "id": api.ID, "environments": names, "revision": revision})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "API %s: a new revision is deployed in %s\n", printable(objects.APIName(api)), printable(strings.Join(names, ", ")))
	return err
}
