package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"wso2agent/internal/wso2"
)

func rolesDeleteCommand() *cobra.Command {
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a role of IS",
		Long: `delete deletes a role of IS, after a question. It refuses the roles that IS needs itself: admin, everyone, system and
selfsignup, and the role of the user with which a key manager of API-M calls IS.`,
		Example: `  agent roles delete Clerk
  agent roles delete Clerk --yes`,
		Args:              arguments("NAME"),
		ValidArgsFunction: completed(namesOf(wso2.SCIMRoles)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deleteRole(cmd, args[0], yes, asJSON)
		},
	}
	agree(cmd, &yes)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func deleteRole(cmd *cobra.Command, name string, yes, asJSON bool) error {
	if err := notOwn(name, "delete"); err != nil {
		return err
	}
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	if err := notInUse(cmd.Context(), r, "role", name); err != nil {
		return err
	}
	role, err := find(cmd.Context(), r, wso2.SCIMRoles, "role", name)
	if err != nil {
		return err
	}
	l := roleLineOf(role)
	question := fmt.Sprintf("Delete role %s of IS (scopes: %d, users: %d, groups: %d)?", printable(l.Name), len(l.Permissions), len(l.Users), len(l.Groups))
	if err := confirm(cmd, question, yes); err != nil {
		return err
	}
	if err := r.SCIM.Delete(cmd.Context(), wso2.SCIMRoles, role); err != nil {
		return byHand(err)
	}
	return printDeleted(cmd.OutOrStdout(), removalOf("role", role), asJSON)
}
