package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/remedy"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/wso2"
)

func rolesAssignCommand() *cobra.Command {
	return membersCommand(&cobra.Command{
		Use:   "assign ROLE USER...",
		Short: "Give a role of IS to users",
		Long: `assign gives a role of IS to users. A user who has it keeps it. New tokens of the users have the scopes of the role;
tokens that exist stay as they are.`,
		Example: `  agent roles assign Clerk ann bob
  agent roles assign Clerk ann --json`,
	}, "assigned", "assigned to", func(id string) wso2.Change {
		return wso2.Change{Op: "add", Path: "users", Value: references([]string{id})}
	})
}

func rolesUnassignCommand() *cobra.Command {
	return membersCommand(&cobra.Command{
		Use:   "unassign ROLE USER...",
		Short: "Take a role of IS away from users",
		Long: `unassign takes a role of IS away from users. A user who does not have it stays without it. It does not change groups, from
which a user may have the role too. It refuses to take the role admin from the user as which the agent calls IS.`,
		Example: `  agent roles unassign Clerk ann
  agent roles unassign Clerk ann bob --json`,
	}, "unassigned", "taken from", func(id string) wso2.Change {
		return wso2.Change{Op: "remove", Path: fmt.Sprintf("users[value eq %s]", id)}
	})
}

// membersCommand is a command that makes a change of a role for each user. key is what JSON calls these users, and done stands before them in
// the text.
func membersCommand(cmd *cobra.Command, key, done string, change func(userID string) wso2.Change) *cobra.Command {
	var asJSON bool
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return usage(cmd, "ROLE is missing")
		case len(args) == 1:
			return usage(cmd, "USER is missing")
		case slices.Contains(args, ""):
			return usage(cmd, "an argument is empty")
		}
		return nil
	}
	cmd.ValidArgsFunction = completed(namesOf(wso2.SCIMRoles), namesOf(wso2.SCIMUsers))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return changeMembers(cmd, args[0], args[1:], key, done, change, asJSON)
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func changeMembers(cmd *cobra.Command, name string, users []string, key, done string, change func(userID string) wso2.Change, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	if strings.EqualFold(name, "everyone") {
		return bootstrap.Permanent(errors.New("IS gives the role everyone to each user itself"))
	}
	if err := notTheServiceUser(r, "role", name); err != nil {
		return err
	}
	role, err := find(cmd.Context(), r, wso2.SCIMRoles, "role", name)
	if err != nil {
		return err
	}
	var changes []wso2.Change
	names := []string{}
	for _, u := range users {
		user, err := find(cmd.Context(), r, wso2.SCIMUsers, "user", u)
		if err != nil {
			return err
		}
		c := change(user.ID)
		if c.Op == "remove" && role.Name == "admin" && serviceuser.Same(user.Name, r.settings.ISCredentials.User) {
			return remedy.Add(bootstrap.Permanent(fmt.Errorf("the agent calls IS as user %s, who would not be an administrator any more", user.Name)),
				"use another administrator in IS_ADMIN_USER before")
		}
		changes, names = append(changes, c), append(names, user.Name)
	}
	if err := r.SCIM.Patch(cmd.Context(), wso2.SCIMRoles, role, changes); err != nil {
		return byHand(err)
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]any{"id": role.ID, "displayName": role.Name, key: names})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "role %s: %s %s\n", printable(role.Name), done, printable(strings.Join(names, ", ")))
	return err
}
