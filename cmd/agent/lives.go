package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"runtime/debug"
	"syscall"

	"wso2agent/internal/agent"
	"wso2agent/internal/config"
	"wso2agent/internal/telemetry"
)

// idleGC is how far the heap of a sidecar may grow between two collections, in percent of what is in use. Go's own 100 waits
// for 4 MiB at least, of which a sidecar, which is idle nearly always, uses less than one.
const idleGC = 25

func runCommand(ctx context.Context, args []string, _, stderr io.Writer) error {
	debug.SetGCPercent(idleGC)
	return live(ctx, args, stderr, agent.Agent.Run)
}

func initCommand(ctx context.Context, args []string, _, stderr io.Writer) error {
	return live(ctx, args, stderr, agent.Agent.Init)
}

func bootstrapCommand(ctx context.Context, args []string, _, stderr io.Writer) error {
	return live(ctx, args, stderr, agent.Agent.Bootstrap)
}

// errStopped says that a life that ends by itself was asked to stop before it was done. Whoever waits for its end must
// not take it for done.
var errStopped = errors.New("stopped before it was done")

// live starts one of the agent's lives, all of which are set up by the environment alone.
func live(ctx context.Context, args []string, stderr io.Writer, life func(agent.Agent, context.Context) error) error {
	if len(args) > 0 {
		return usageError{"this command takes no arguments: every setting is an environment variable"}
	}
	a, err := newAgent(stderr, "PRODUCT")
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err = life(a, ctx)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errStopped, err)
	}
	return err
}

// newAgent loads the settings and returns an agent with them. It logs to stderr as the settings say.
// The variables named in required must be set.
func newAgent(stderr io.Writer, required ...string) (agent.Agent, error) {
	load := func() (config.Config, error) { return config.Load(required...) }
	cfg, err := load()
	if err != nil {
		return agent.Agent{}, err
	}
	return agent.New(cfg, load, telemetry.Logger(stderr, cfg.LogLevel, cfg.LogFormat)), nil
}
