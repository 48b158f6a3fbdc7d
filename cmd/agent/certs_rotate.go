package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"wso2agent/internal/agent"
	"wso2agent/internal/config"
	"wso2agent/internal/server"
)

func certsRotateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Request a new certificate from the agent next to the own server (TLS_MODE=issue)",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return requestRotation(cmd.Context(), cmd.OutOrStdout()) },
	}
}

// requestRotation leaves a request on the config volume, where the agent next to the server finds it.
func requestRotation(ctx context.Context, stdout io.Writer) error {
	cfg, err := config.Load("PRODUCT")
	if err != nil {
		return err
	}
	if err := server.RequestIdentity(ctx, cfg); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "a new certificate for %s is requested; the agent next to it announces it, and switches when every peer trusts it\n", cfg.Server.Name)
	restarts, err := agent.Restarts(ctx, cfg)
	if err != nil {
		return fmt.Errorf("the certificate is requested; find out which servers restart: %w", err)
	}
	if cfg.Restart.Method == "none" {
		fmt.Fprintf(stdout, "RESTART is none: restart these servers by hand, one after the other, when the log of the agent next to each says so: %s\n", strings.Join(restarts, ", "))
		return nil
	}
	fmt.Fprintf(stdout, "these servers restart, one after the other: %s\n", strings.Join(restarts, ", "))
	return nil
}
