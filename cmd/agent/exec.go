package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"wso2agent/internal/config"
	"wso2agent/internal/notify"
	"wso2agent/internal/place"
	"wso2agent/internal/seed"
	"wso2agent/internal/server"
	"wso2agent/internal/telemetry"
)

func execCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "exec -- COMMAND [ARG...]",
		Short: "Run a server's entrypoint, and restart the server when its sidecar asks",
		Long: `exec runs the entrypoint of a server, and restarts the server when its sidecar asks. For a new certificate, it places the
keystore in SERVER_HOME instead, if the server loads it while it runs. exec exits with the exit code of the server.

Set PRODUCT. Without it, exec does not check that the server opens its port, does not restore a truststore, and does not
place a new certificate.`,
		Example: "  agent exec -- /home/wso2carbon/docker-entrypoint.sh",
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() != 0 || len(args) == 0 {
				return usage(cmd, "-- and the server's entrypoint are missing, such as: agent exec -- /home/wso2carbon/docker-entrypoint.sh")
			}
			return nil
		},
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return supervise(cmd.Context(), args, cmd.ErrOrStderr())
		},
	}
}

// supervise runs a server's entrypoint. The server's own output goes where the agent's would: to the container's log. The
// signals that end other commands reach the server instead.
func supervise(ctx context.Context, entrypoint []string, stderr io.Writer) error {
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	log := telemetry.Logger(stderr, cfg.Report.LogLevel, cfg.Report.LogFormat)
	warnOfDoubt(log, cfg.Release)
	if err := server.CheckKey(cfg); err != nil {
		return fmt.Errorf("%w: %w", errNoServer, err)
	}
	needed := func(isSet func(name string) bool) (map[string]string, []string, error) {
		return server.Environment(ctx, cfg, isSet)
	}
	if err := notify.CompleteEnvironment(needed, log); err != nil {
		return err
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGWINCH, syscall.SIGCONT)
	defer signal.Stop(signals)
	if err := ctx.Err(); err != nil { // a signal that came before signals could take it
		return err
	}
	home := place.HomeOf(cfg, log)
	home.Undo(seed.ReloadFiles(), seed.WithoutReload)
	s := notify.SupervisorOf(cfg, entrypoint, serves, server.StartGuardOf(cfg, log), home, log)
	code, err := s.Run(context.WithoutCancel(ctx), signals)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoServer, err)
	}
	return serverExited{code}
}

// serves asks the server as its health check does.
func serves(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	return probeServer(ctx)
}
