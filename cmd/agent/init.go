package main

import (
	"github.com/spf13/cobra"

	"wso2agent/internal/agent"
)

func initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Prepare the first start of a server: publish, wait for the peers, import, exit",
		Long: `init prepares the first start of a server. It makes the settings that the server needs, publishes the
certificate of the server, waits for the certificate of each peer, imports them, and exits.

It needs PRODUCT. After INIT_TIMEOUT it exits with 3. With INIT_ON_TIMEOUT=start it exits with 0 instead, and the
server starts without the missing peers.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return live(cmd, agent.Agent.Init) },
	}
}
