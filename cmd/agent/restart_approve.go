package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"wso2agent/internal/trust"
)

func restartApproveCommand() *cobra.Command {
	var now bool
	cmd := &cobra.Command{
		Use:   "approve [GENERATION] [--now]",
		Short: "Approve the restart of the own server that waits",
		Args:  optional("GENERATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a := trust.Approved
			if now {
				a = trust.Now
			}
			p, err := answer(cmd.Context(), args, a)
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "the restart of %s for %s is approved; it waits for %s\n", p.Server, p.OnDisk, p.waitsFor())
			}
			return err
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().BoolVar(&now, "now", false, "wait for no maintenance window")
	return cmd
}
