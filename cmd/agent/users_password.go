package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"wso2agent/internal/serviceuser"
	"wso2agent/internal/wso2"
)

func usersPasswordCommand() *cobra.Command {
	var stdin, yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "password NAME",
		Short: "Give a user of IS another password, which ends the user's tokens",
		Long: `password gives a user of IS another password. All tokens of the user end. Without --password-stdin it generates the
password, and shows it once: nobody can read it afterwards. It asks first if the agent itself calls IS as this user.`,
		Example: `  agent users password ann
  agent users password ann --password-stdin < password`,
		Args:              arguments("NAME"),
		ValidArgsFunction: completed(namesOf(wso2.SCIMUsers)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return setPassword(cmd, args[0], stdin, yes, asJSON)
		},
	}
	passwordFlag(cmd, &stdin)
	agree(cmd, &yes)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func setPassword(cmd *cobra.Command, name string, stdin, yes, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	if err := notTheServiceUser(r, "user", name); err != nil {
		return err
	}
	user, err := find(cmd.Context(), r, wso2.SCIMUsers, "user", name)
	if err != nil {
		return err
	}
	if serviceuser.Same(user.Name, r.settings.ISCredentials.User) {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning: the agent calls IS as this user: after the change, set IS_ADMIN_PASS to the new password wherever an agent runs, and [super_admin] password in the servers' deployment.toml")
		if err := confirm(cmd, fmt.Sprintf("Change the password of user %s of IS?", printable(user.Name)), yes); err != nil {
			return err
		}
	}
	password, generated, err := choosePassword(cmd, user.Name, stdin)
	if err != nil {
		return err
	}
	changes := []wso2.Change{{Op: "replace", Value: map[string]any{"password": string(password)}}}
	if err := r.SCIM.Patch(cmd.Context(), wso2.SCIMUsers, user, changes, password); err != nil {
		return byHand(err)
	}
	return printUser(cmd.OutOrStdout(), "another password; its tokens have ended", user.Name, user.ID, password, generated, asJSON)
}
