package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"wso2agent/internal/objects"
)

func appsListCommand() *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the applications of the user, or of all users",
		Long: `list lists the applications of the user with which the agent calls API-M. With --all-users it lists those of all users,
as the Admin Portal does, without their policies.`,
		Example: `  agent apps list --json
  agent apps list --all-users`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listApplications(cmd.Context(), all, asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&all, "all-users", false, "list the applications of all users")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func listApplications(ctx context.Context, all, asJSON bool, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	var list []objects.Application
	if all {
		list, err = objects.AllApplications(ctx, r.Admin)
	} else {
		list, err = objects.Applications(ctx, r.DevPortal)
	}
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
