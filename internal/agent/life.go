package agent

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/telemetry"
)

// life is one loop of the sidecar, with the settings as they are now.
type life struct {
	cfg     config.Config
	load    func() (config.Config, error)
	log     *slog.Logger
	health  *telemetry.Health
	name    string          // under which it beats
	changes <-chan struct{} // each calls for a turn
}

func (a Agent) life(health *telemetry.Health, name string) life {
	return life{cfg: a.cfg, load: a.load, log: a.log, health: health, name: name}
}

// keep takes one turn after another until ctx ends. Before each it reads the settings again, because a secret's file may have
// changed. turn gets the error of that; the former settings then stay. It returns the wait before the next turn; 0 stands for
// the next change.
func (l *life) keep(ctx context.Context, turn func(ctx context.Context, unreadable error) (wait time.Duration)) {
	for ctx.Err() == nil {
		var again <-chan time.Time
		l.health.While(l.name, l.cfg.Watch.Poll, func() {
			if wait := turn(ctx, l.reload()); wait > 0 {
				again = time.After(wait)
			}
		})
		beat := func() { l.health.Beat(l.name) }
		if !(file.Wait{Changes: l.changes, Again: again, Every: l.cfg.Watch.Poll, Beat: beat}).For(ctx) {
			return
		}
	}
}

func (l *life) reload() error {
	cfg, err := l.load()
	if err == nil {
		l.cfg = cfg
	}
	return err
}

// gate holds back one change of IS's settings until the agent has seen that the change does no harm. The trust life notes that
// the change waits, and another life opens the gate.
type gate struct{ waits, open atomic.Bool }

// ready reports whether the change waits and can come now.
func (g *gate) ready() bool { return g.waits.Load() && g.open.Load() }
