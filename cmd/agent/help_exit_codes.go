package main

import "github.com/spf13/cobra"

func helpExitCodesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "List the exit codes",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return writeExitCodes(cmd.OutOrStdout()) },
	}
}
