package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/wso2"
)

func rolesCreateCommand() *cobra.Command {
	var scopes []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a role of IS",
		Long: `create makes a role of IS for the whole organization, with scopes of APIs or of IS itself. A user with the role gets
these scopes in a token if the application is authorized for them too (agent scopes status).`,
		Example: `  agent roles create Clerk --scope orders:read --scope orders:write
  agent roles create Auditor --json`,
		Args: arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return createRole(cmd, args[0], strings.Fields(strings.Join(scopes, " ")), asJSON)
		},
	}
	cmd.Flags().StringArrayVar(&scopes, "scope", nil, "give the role `SCOPE`; can be repeated, and may have several with blanks between them")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func createRole(cmd *cobra.Command, name string, scopes []string, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	id, err := r.SCIM.Create(cmd.Context(), wso2.SCIMRoles, map[string]any{"displayName": name, "permissions": references(scopes)})
	if err != nil {
		return existing(byHand(err), "choose another name; agent roles assign '%s' USER gives the role to a user", name)
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), roleLine{id, name, orEmpty(scopes), []string{}, []string{}})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "role %s: created, scopes: %d\n", printable(name), len(scopes))
	return err
}

// references are SCIM references to values.
func references(values []string) []any {
	list := []any{}
	for _, v := range values {
		list = append(list, map[string]any{"value": v})
	}
	return list
}
