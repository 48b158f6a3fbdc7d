package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/wso2"
)

func rolesCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "roles",
		Short: "List, create or delete roles of IS, or assign them to users",
		Long: `roles is about the roles of IS for the whole organization, over SCIM 2. Applications such as the Console have roles of
their own, which are not part of it. It reaches IS by IS_HOST, IS_PORT, IS_ADMIN_USER and IS_ADMIN_PASS, and runs
anywhere. To keep roles in a file, see "roles" in the API configuration.`,
		Example: `  agent roles list
  agent roles assign Clerk bob`,
	})
	cmd.AddCommand(rolesListCommand(), rolesCreateCommand(), rolesAssignCommand(), rolesUnassignCommand(), rolesDeleteCommand())
	return cmd
}

// ownRoles are the roles that IS needs itself, in small letters.
var ownRoles = []string{"admin", "everyone", "system", "selfsignup"}

// notOwn refuses a change of a role that IS needs itself.
func notOwn(name, change string) error {
	if slices.Contains(ownRoles, strings.ToLower(name)) {
		return bootstrap.Permanent(fmt.Errorf("IS needs the role %s itself, so nobody may %s it", name, change))
	}
	return nil
}

// roleLine is a role as list prints it.
type roleLine struct {
	ID          string   `json:"id"`
	Name        string   `json:"displayName"`
	Permissions []string `json:"permissions"`
	Users       []string `json:"users"`
	Groups      []string `json:"groups"`
}

func roleLineOf(o wso2.Object) roleLine {
	l := roleLine{ID: o.ID, Name: o.Name, Permissions: []string{}, Users: orEmpty(refs(o.Fields["users"], nil)), Groups: orEmpty(refs(o.Fields["groups"], nil))}
	permissions, _ := o.Fields["permissions"].([]any)
	for _, p := range permissions {
		fields, _ := p.(map[string]any)
		if scope, ok := fields["value"].(string); ok { // the display name need not be the scope's name
			l.Permissions = append(l.Permissions, scope)
		}
	}
	return l
}
