package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/wso2"
)

func usersListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the users of IS with their roles",
		Long:    "list lists the users of IS, with the roles that they have themselves. It does not show roles that come from a group.",
		Example: "  agent users list\n  agent users list --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listUsers(cmd.Context(), asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func listUsers(ctx context.Context, asJSON bool, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	list, err := listed(ctx, r, wso2.SCIMUsers)
	if err != nil {
		return err
	}
	lines := []userLine{}
	for _, o := range list {
		lines = append(lines, userLineOf(o))
	}
	if asJSON {
		return writeJSON(stdout, lines)
	}
	var rows [][]string
	for _, l := range lines {
		rows = append(rows, []string{l.UserName, strings.Join(l.Emails, " "), strings.Join(l.Roles, ", "), l.state(), l.ID})
	}
	return table(stdout, []string{"USER", "EMAIL", "ROLES", "STATE", "ID"}, rows)
}
