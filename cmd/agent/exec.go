package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"wso2agent/internal/agent"
	"wso2agent/internal/config"
	"wso2agent/internal/notify"
	"wso2agent/internal/telemetry"
)

// errNoServer says that the server could not be started at all.
var errNoServer = errors.New("no server")

// execCommand supervises a server's entrypoint. The server's own output goes where the agent's would: the container's
// log.
func execCommand(ctx context.Context, args []string, _, stderr io.Writer) error {
	if len(args) < 2 || args[0] != "--" {
		return usageError{"agent exec is followed by -- and the server's entrypoint, such as: agent exec -- /home/wso2carbon/docker-entrypoint.sh"}
	}
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
	s := notify.Supervisor{
		Command:     args[1:],
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
	code, err := s.Run(ctx, signals)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoServer, err)
	}
	return serverEnded{code}
}

// serves asks the server as its health check does. It is nil where PRODUCT does not say how.
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
// files. What the server would end for at its start is told in words, and not left to it.
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
