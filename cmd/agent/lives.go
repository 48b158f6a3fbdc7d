package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"wso2agent/internal/agent"
	"wso2agent/internal/config"
	"wso2agent/internal/product"
	"wso2agent/internal/telemetry"
)

// live runs one of the agent's lives until it is over or the command's context ends.
func live(cmd *cobra.Command, life func(agent.Agent, context.Context) error) error {
	a, err := newAgent(cmd.ErrOrStderr(), "PRODUCT")
	if err != nil {
		return err
	}
	return life(a, cmd.Context())
}

// newAgent loads the settings and returns an agent with them. It logs to stderr as the settings say.
// The variables named in required must be set.
func newAgent(stderr io.Writer, required ...string) (agent.Agent, error) {
	load := func() (config.Config, error) { return config.Load(required...) }
	cfg, err := load()
	if err != nil {
		return agent.Agent{}, err
	}
	log := telemetry.Logger(stderr, cfg.Report.LogLevel, cfg.Report.LogFormat)
	warnOfDoubt(log, cfg.Release)
	return agent.New(cfg, load, log), nil
}

// warnOfDoubt logs that the agent does not know the version of the server, or has only assumed it.
func warnOfDoubt(log *slog.Logger, r product.Release) {
	if text, remedy := r.Doubt(); text != "" {
		log.Warn(text, "remedy", remedy)
	}
}
