package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"wso2agent/internal/trust"
)

func restartApproveCommand() *cobra.Command {
	var now bool
	cmd := &cobra.Command{
		Use:   "approve [--now]",
		Short: "Approve the restart of the own server that waits",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := trust.Approved
			if now {
				a = trust.Now
			}
			p, err := answer(a)
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "the restart of %s is approved; it waits for %s\n", p.Server, p.waitsFor())
			}
			return err
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().BoolVar(&now, "now", false, "wait for no maintenance window")
	return cmd
}
