package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGWINCH, syscall.SIGCONT)
	defer signal.Stop(signals)
	code, err := notify.Supervisor{
		Command:     args[1:],
		Control:     notify.Control{Dir: agent.ControlDir(cfg)},
		StopTimeout: cfg.StopTimeout,
		Poll:        cfg.Poll,
		Log:         telemetry.Logger(stderr, cfg.LogLevel, cfg.LogFormat),
		Stdin:       os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}.Run(ctx, signals)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoServer, err)
	}
	return serverEnded{code}
}
