package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"wso2agent/internal/trust"
)

func restartDenyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "deny [GENERATION]",
		Short: "Deny the restart of the own server that waits",
		Long: `deny keeps the own server running with what it has started with. The denial counts until the certificates or settings on
disk change again, or until agent restart approve takes it back. It counts even if a certificate is about to expire.`,
		Args: optional("GENERATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := answer(cmd.Context(), args, trust.Denied)
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "the restart of %s for %s is denied; agent restart approve takes that back\n", p.Server, p.OnDisk)
			}
			return err
		},
	}
}
