package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"wso2agent/internal/agent"
	"wso2agent/internal/config"
	"wso2agent/internal/notify"
	"wso2agent/internal/telemetry"
)

func execCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "exec -- COMMAND [ARG...]",
		Short:   "Run a server's entrypoint, and restart the server when its sidecar asks",
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
	log := telemetry.Logger(stderr, cfg.LogLevel, cfg.LogFormat)
	if err := completeEnvironment(ctx, cfg, log); err != nil {
		return err
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGWINCH, syscall.SIGCONT)
	defer signal.Stop(signals)
	if err := ctx.Err(); err != nil { // a signal that came before signals could take it
		return err
	}
	s := notify.Supervisor{
		Command:     entrypoint,
		Control:     notify.Control{Dir: agent.ControlDir(cfg)},
		StopTimeout: cfg.StopTimeout,
		Poll:        cfg.Poll,
		MaxRestarts: cfg.MaxRestarts, Window: cfg.RestartWindow,
		Database: cfg.DatabaseAddress(), DatabaseTimeout: cfg.DatabaseWait,
		Port: agent.ServerPort(cfg), StartTimeout: cfg.StartTimeout,
		Serves: serves(cfg.Product, stderr),
		Log:    log,
		Stdin:  os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}
	if cfg.Product == "" {
		log.Info("PRODUCT is not set, so nobody looks whether the server opens its port, and there is no way back to a former truststore", "remedy", "set PRODUCT to is or am in this container")
	} else {
		s.WayBack = agent.NewWayBack(cfg, log)
	}
	code, err := s.Run(context.WithoutCancel(ctx), signals)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoServer, err)
	}
	return serverExited{code}
}

// serves asks the server as its health check does. It is nil if PRODUCT does not say which server this is.
func serves(product string, stderr io.Writer) func(context.Context) error {
	if product == "" {
		return nil
	}
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, probeLimit)
		defer cancel()
		return probeServer(ctx, stderr)
	}
}

// completeEnvironment gives the server the secrets that its settings refer to and that only the agent has, from their
// files. It logs what will end the server at its start.
func completeEnvironment(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	isSet := func(name string) bool { _, set := os.LookupEnv(name); return set }
	more, missing, err := agent.ServerEnvironment(ctx, cfg, isSet)
	if err != nil {
		log.Error("the server will not start with its deployment.toml", "error", err)
	}
	for name, value := range more {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("give %s to the server: %w", name, err)
		}
	}
	if len(missing) > 0 {
		log.Error("the server will not start: its deployment.toml refers to variables that are not set; set them in this container's environment", "variables", missing)
	}
	return nil
}
