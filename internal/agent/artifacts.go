package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"wso2agent/internal/artifact"
	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
)

// artifacts returns the keeper of the server's artifacts, by the settings as they are now. See artifact.KeeperOf for the error.
func (a Agent) artifacts(cfg config.Config) (artifact.Keeper, error) {
	k, err := artifact.KeeperOf(cfg, a.control().Dir, a.log)
	k.Restart = a.restartForArtifacts
	return k, err
}

// prepareArtifacts fetches the artifacts before a start of the server. An error that wraps ErrTimeout says that limit has
// ended and that the server does not start without one.
func (a Agent) prepareArtifacts(ctx, limit context.Context, running bool) error {
	k, err := a.artifacts(a.cfg)
	if err != nil {
		a.log.Error("the agent fetches no artifact", "error", err)
		return nil
	}
	err = k.Prepare(ctx, limit, a.cfg.Watch.Poll, running)
	if errors.Is(err, artifact.ErrRequired) {
		return fmt.Errorf("%w after INIT_TIMEOUT, %s: %w", ErrTimeout, a.cfg.Init.Timeout, err)
	}
	return err
}

// restartForArtifacts makes a restart of the server due, as a new certificate does.
func (a Agent) restartForArtifacts(ctx context.Context) error {
	return a.alone(ctx, func(a Agent) error {
		a, err := a.atStores(ctx)
		if err != nil {
			return err
		}
		a.log.Info("artifacts have arrived that the running server lacks: it needs a restart", "server", a.cfg.Server.Name)
		return trust.RaiseEdition(a.cfg.WorkDir())
	})
}

// keepArtifacts fetches what the server was started without, with growing waits, until ctx ends.
func (a Agent) keepArtifacts(ctx context.Context, health *telemetry.Health) {
	l := a.life(health, artifactsCondition)
	if a.cfg.Artifacts.SourceDir != "" {
		l.changes = file.Watch{Folders: []string{a.cfg.Artifacts.SourceDir}, Poll: a.cfg.Watch.Poll, Quiet: a.cfg.Watch.QuietMin, Max: a.cfg.Watch.QuietMax, Log: a.log}.Changes(ctx)
	}
	retries := artifact.Retries{First: a.cfg.Watch.Poll, Log: a.log}
	l.keep(ctx, func(ctx context.Context, err error) time.Duration {
		var failed []artifact.Outcome
		k, unusable := a.artifacts(l.cfg)
		if err = cmp.Or(err, unusable); err == nil {
			failed, err = k.Retry(ctx)
		}
		if ctx.Err() != nil {
			return 0
		}
		ok, message := artifact.Summary(failed, err)
		health.Advise(artifactsCondition, ok, message)
		return retries.After(failed, err)
	})
}
