package main

import (
	"context"
	"fmt"
	"io"

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
			return rotatePassword(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
}

func rotatePassword(ctx context.Context, stdout, stderr io.Writer) error {
	r, err := reach(stderr)
	if err != nil {
		return err
	}
	defer r.connection.Close()
	unlock, err := bootstrap.FilesOf(r.cfg).Lock(ctx, func() {
		r.log.Info("waiting", "for", "another agent that brings the servers to the desired state", "keys", r.cfg.Bootstrap.KeysFile)
	})
	if err != nil {
		return err
	}
	defer unlock()
	user, err := bootstrap.RotatePassword(ctx, r.log, r.Servers, r.settings)
	if err != nil {
		return byHand(err)
	}
	_, err = fmt.Fprintf(stdout, "user %s of key manager %s: another password in IS and in API-M\n", user.User, r.settings.KMName)
	return err
}
