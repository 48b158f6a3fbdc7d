package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
)

func kmRotatePasswordCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rotate-password",
		Short: "Give the key manager's user another password, in IS and in API-M",
		Long: `rotate-password gives the user that the agent has made for the key manager another random password: first in
km-user.json next to KEYS_FILE, then in IS, then in API-M. API-M makes no keys for the moment between the last two.
If the command ends in between, run it again, or run agent bootstrap.

It exits with 4 if the agent has not made the user.`,
		Example: `  agent km rotate-password`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return rotatePassword(cmd, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func rotatePassword(cmd *cobra.Command, asJSON bool) error {
	r, err := reach(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer r.connection.Close()
	var user bootstrap.KeyManagerUser
	err = r.changing(cmd, func(ctx context.Context) (err error) {
		user, err = bootstrap.RotatePassword(ctx, r.log, r.Servers, r.settings)
		return err
	})
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), map[string]string{"user": user.User, "keyManager": r.settings.KMName})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "user %s of key manager %s: another password in IS and in API-M\n", user.User, r.settings.KMName)
	return err
}
