package main

import (
	"context"
	"io"

	"wso2agent/internal/agent"
	"wso2agent/internal/config"
	"wso2agent/internal/telemetry"
)

func runCommand(ctx context.Context, args []string, _, stderr io.Writer) error {
	return live(ctx, args, stderr, agent.Agent.Run)
}

func initCommand(ctx context.Context, args []string, _, stderr io.Writer) error {
	return live(ctx, args, stderr, agent.Agent.Init)
}

func bootstrapCommand(ctx context.Context, args []string, _, stderr io.Writer) error {
	return live(ctx, args, stderr, agent.Agent.Bootstrap)
}

// live starts one of the agent's lives, all of which are set up by the environment alone.
func live(ctx context.Context, args []string, stderr io.Writer, life func(agent.Agent, context.Context) error) error {
	if len(args) > 0 {
		return usageError{"this command takes no arguments: every setting is an environment variable"}
	}
	load := func() (config.Config, error) { return config.Load("PRODUCT") }
	cfg, err := load()
	if err != nil {
		return err
	}
	a, err := agent.New(load, telemetry.Logger(stderr, cfg.LogLevel, cfg.LogFormat))
	if err != nil {
		return err
	}
	return life(a, ctx)
}
