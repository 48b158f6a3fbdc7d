package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/wso2"
)

func usersDeleteCommand() *cobra.Command {
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a user of IS",
		Long: `delete deletes a user of IS, after a question. The user's tokens end, and the user leaves all roles and groups. It refuses
the user as which the agent calls IS, and the one with which a key manager of API-M does.`,
		Example: `  agent users delete ann
  agent users delete ann --yes`,
		Args:              arguments("NAME"),
		ValidArgsFunction: completed(namesOf(wso2.SCIMUsers)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deleteUser(cmd, args[0], yes, asJSON)
		},
	}
	agree(cmd, &yes)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func deleteUser(cmd *cobra.Command, name string, yes, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	if err := notInUse(cmd.Context(), r, "user", name); err != nil {
		return err
	}
	user, err := find(cmd.Context(), r, wso2.SCIMUsers, "user", name)
	if err != nil {
		return err
	}
	lost := slices.Concat(userLineOf(user).Roles, refs(user.Fields["groups"], nil))
	question := fmt.Sprintf("Delete user %s of IS, with its tokens?", printable(user.Name))
	if len(lost) > 0 {
		question = fmt.Sprintf("Delete user %s of IS, with its tokens and its place in %s?", printable(user.Name), printable(strings.Join(lost, ", ")))
	}
	if err := confirm(cmd, question, yes); err != nil {
		return err
	}
	if err := r.SCIM.Delete(cmd.Context(), wso2.SCIMUsers, user); err != nil {
		return byHand(err)
	}
	var with []string
	for _, place := range lost {
		with = append(with, "its place in "+place)
	}
	return printDeleted(cmd.OutOrStdout(), removalOf("user", user, with...), asJSON)
}
