package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/wso2"
)

func rolesListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the roles of IS with their scopes, users and groups",
		Long:    "list lists the roles of IS for the whole organization, with their scopes, users and groups. IS shows no scopes of the role admin, which has all.",
		Example: "  agent roles list\n  agent roles list --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listRoles(cmd.Context(), asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func listRoles(ctx context.Context, asJSON bool, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	list, err := listed(ctx, r, wso2.SCIMRoles)
	if err != nil {
		return err
	}
	lines := []roleLine{}
	for _, o := range list {
		lines = append(lines, roleLineOf(o))
	}
	if asJSON {
		return writeJSON(stdout, lines)
	}
	var rows [][]string
	for _, l := range lines {
		rows = append(rows, []string{l.Name, strings.Join(l.Permissions, " "), strings.Join(l.Users, ", "), strings.Join(l.Groups, ", ")})
	}
	return table(stdout, []string{"ROLE", "SCOPES", "USERS", "GROUPS"}, rows)
}
