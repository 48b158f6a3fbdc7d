package main

import (
	"github.com/spf13/cobra"

	"wso2agent/internal/agent"
)

func initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Prepare the first start of a server: publish, wait for the peers, import, exit",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return live(cmd, agent.Agent.Init) },
	}
}
