package main

import (
	"context"
	"fmt"
	"io"

	"wso2agent/internal/agent"
	"wso2agent/internal/config"
	"wso2agent/internal/telemetry"
)

// tokenCommand prints a token and nothing else, to stand in another command line.
func tokenCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		return usageError{"agent token takes no arguments: every setting is an environment variable"}
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
	token, err := a.Token(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, string(token))
	return nil
}
