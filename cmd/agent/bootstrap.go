package main

import (
	"github.com/spf13/cobra"

	"wso2agent/internal/agent"
)

func bootstrapCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "bootstrap",
		Short: "Bring both servers to the desired state once, verify it, exit",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return live(cmd, agent.Agent.Bootstrap) },
	}
}
