package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func appsListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the applications of the user",
		Example: `  agent apps list --json`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listApplications(cmd.Context(), asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func listApplications(ctx context.Context, asJSON bool, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	list, err := objects.Applications(ctx, r.DevPortal)
	if err != nil {
		return byHand(err)
	}
	if asJSON {
		return writeJSON(stdout, append([]objects.Application{}, list...))
	}
	rows := [][]string{}
	for _, a := range list {
		rows = append(rows, []string{a.Name, a.Owner, a.Policy, a.Status})
	}
	return table(stdout, []string{"NAME", "OWNER", "POLICY", "STATUS"}, rows)
}
