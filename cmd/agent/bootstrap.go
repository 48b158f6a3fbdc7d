package main

import (
	"github.com/spf13/cobra"

	"wso2agent/internal/agent"
)

func bootstrapCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "bootstrap",
		Short: "Bring both servers to the desired state once, verify it, exit",
		Long: `bootstrap brings IS and API-M to the state in the file or folder that API_CONFIG names, as apply does. Then it
verifies the result with calls, and exits. It removes nothing. Another run changes nothing.

It needs PRODUCT. It exits with 1 if the verification fails, with 3 after BOOTSTRAP_TIMEOUT, and with 4 if a person
must change something.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return live(cmd, agent.Agent.Bootstrap) },
	}
}
