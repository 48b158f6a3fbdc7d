package main

import (
	"github.com/spf13/cobra"

	"wso2agent/internal/agent"
)

func runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Stay next to a server: exchange certificates, restart it when due, keep the desired state",
		Long: `run is the sidecar of a server. It exchanges certificates with the peers, requests a restart if the server
runs with older files than those on disk, and next to API-M keeps the desired state.

Next to API-M it also compares both servers with the desired state every RECONCILE_INTERVAL. DRIFT says what it does
with differences.

It needs PRODUCT. After its start it does not exit because of an error: it logs what to do, and tries again.
It serves /livez, /readyz, /status and /metrics on LISTEN_ADDR.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return live(cmd, agent.Agent.Run) },
	}
}
