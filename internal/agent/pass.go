package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"wso2agent/internal/notify"
	"wso2agent/internal/rotation"
	"wso2agent/internal/server"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
)

// maxPasses is how many passes may follow each other at once. A rotation with settings and a keystore to replace takes some ten.
const maxPasses = 50

// errIdentity says that the own certificate is in trouble, and nothing else: trust holds, and the server may start.
var errIdentity = errors.New("the server keeps the TLS certificate that it has")

// trustKeeper does passes: it reads a snapshot, has rotation.Decide decide, and executes the actions. What it remembers from one
// pass to the next, and what it has logged, is lost with its process.
type trustKeeper struct {
	init      bool              // it prepares a start of the server
	health    *telemetry.Health // nil in an init
	restarter restarter
	ready     func() bool // reports whether a setting that waits can change now
	memory    rotation.Memory
	last      rotation.Decision
	logged    rotation.Topics
	looked    time.Time      // when the last pass was, as the clock showed it
	busy      string         // the last reported reason for waiting
	outages   notify.Outages // of the server
}

// due reports whether the clock alone makes a pass due.
func (k *trustKeeper) due() bool {
	now := time.Now()
	return now.Before(k.looked) || // the clock was put back, and the wake time is from before that
		k.ready != nil && k.ready() || !k.last.Wake.IsZero() && now.After(k.last.Wake)
}

// soon ends the wait for the next pass while the server loads a certificate, because no volume changes when a port begins to serve
// it. It is nil at other times.
func (k *trustKeeper) soon() <-chan time.Time {
	if load := k.memory.Reload; load.Generation == "" || load.Failed || k.last.Wake.IsZero() {
		return nil
	}
	return time.After(max(time.Until(k.last.Wake), time.Second))
}

// once does passes until one decides that no other has to follow at once.
func (k *trustKeeper) once(ctx context.Context, a Agent) error {
	k.memory.Trouble, k.memory.Issued, k.memory.Ahead = nil, false, 0
	for range maxPasses {
		var seen *trust.Exchange
		err := a.alone(ctx, func(a Agent) error { seen = a.seen; return k.pass(ctx, a) })
		if err != nil || !k.last.Again {
			return err
		}
		// What peers have said is not read again while it is current, because a peer can make its reader wait. But a claim of the
		// turn to restart counts only if nothing else was said meanwhile.
		if a.seen = seen; k.last.Claims() {
			a.seen = nil
		}
	}
	return fmt.Errorf("%d passes came to no rest; report this with the log at LOG_LEVEL=debug", maxPasses)
}

// pass does one pass. Call it in Agent.alone only.
func (k *trustKeeper) pass(ctx context.Context, a Agent) error {
	k.looked, k.last = time.Now().Round(0), rotation.Decision{}
	started, known, err := k.started(ctx, a)
	if err != nil {
		return err
	}
	r, err := a.read(ctx, started, known, k.memory)
	if err != nil {
		return err
	}
	r.snapshot.Settings.Init = k.init
	if running, onDisk, err := k.restarter.Wish(ctx); err == nil { // else the pass writes its wish again
		r.snapshot.Server.Wish = rotation.Wish{Running: running, OnDisk: onDisk}
	}
	a.upgrade.waits.Store(r.snapshot.Deployment.Closing.AllScopes == trust.AllScopesWaits)
	a.listener.waits.Store(slices.ContainsFunc(r.waits, func(c server.Change) bool { return c.Setting != server.AllScopesSetting }))
	d := rotation.Decide(r.snapshot)
	k.last, k.memory = d, d.Memory
	return k.execute(ctx, a, r, d)
}

// started is what the server started with; nil if none runs.
func (k *trustKeeper) started(ctx context.Context, a Agent) (*notify.Started, bool, error) {
	if k.init {
		started, err := a.control().Beside(a.supervised())
		return started, started != nil && started.Generation != "", err
	}
	started, known, err := k.restarter.Started(ctx)
	if err == nil {
		k.tellGap(a, started)
	}
	return &started, known, err
}

// execute executes a decision: each action, and after it the messages that are true then.
func (k *trustKeeper) execute(ctx context.Context, a Agent, r *reading, d rotation.Decision) (err error) {
	report := func(done int) { // what is true after so many actions
		for _, m := range d.Messages {
			if m.After == done && k.logged.Due(m) {
				a.log.Log(ctx, slog.Level(m.Level), m.Text, m.Args...)
			}
		}
		for _, c := range d.Conditions {
			if c.After == done {
				k.show(c)
			}
		}
	}
	report(0)
	for i, action := range d.Actions {
		a.log.Debug("action", "does", rotation.Describe(action))
		var unissued issueError
		if err := r.execute(ctx, k.restarter, action); errors.As(err, &unissued) {
			k.memory.Fail(action, unissued.error) // the other work goes on
		} else if err != nil {
			k.memory.Asked, k.memory.Wish = "", rotation.Wish{} // agent exec may not know of it
			if !k.memory.Reload.Failed {
				k.memory.Reload = rotation.Reload{}
			}
			return err
		} else if err := a.trail().Append(d.Events(action, r.snapshot)...); err != nil {
			a.log.Warn("the agent cannot write its history; the other work goes on", "error", err)
		}
		report(i + 1)
	}
	if k.health != nil && d.Expiries != nil {
		k.health.SetExpiries(d.Expiries)
	}
	switch {
	case d.Err != nil:
		return d.Err
	case d.Again:
		return nil
	}
	k.logged.Keep(d.Messages)
	if d.Trouble != nil {
		return fmt.Errorf("%w: %w", errIdentity, d.Trouble)
	}
	return nil
}

func (k *trustKeeper) show(c rotation.Condition) {
	switch {
	case k.health == nil:
	case c.Advisory:
		k.health.Advise(c.Name, c.OK, c.Text)
	default:
		k.health.Set(c.Name, c.OK, c.Text)
	}
}
