package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"wso2agent/internal/bootstrap"
)

func kmRotatePasswordCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-password",
		Short: "Give the key manager's user another password, in IS and in API-M",
		Long: `rotate-password gives the user that the agent has made for the key manager another random password: first in
km-user.json next to KEYS_FILE, then in IS, then in API-M. API-M makes no keys for the moment between the last two.
If the command ends in between, run it again, or run agent bootstrap.

It exits with 4 if the agent has not made the user.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return rotatePassword(cmd)
		},
	}
}

func rotatePassword(cmd *cobra.Command) error {
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
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "user %s of key manager %s: another password in IS and in API-M\n", user.User, r.settings.KMName)
	return err
}
