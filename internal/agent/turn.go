package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/notify"
	"wso2agent/internal/trust"
)

// claims are the turns that peers claim now. A claim ends after ROTATE_TIMEOUT without another word: its agent is gone, or
// its server does not come up.
func (k *trustKeeper) claims(ctx context.Context, a Agent) map[string]trust.Turn {
	now := time.Now()
	for _, name := range a.cfg.Peers {
		said, err := a.exchange().Turn(ctx, name)
		if err != nil { // it may be a claim
			a.log.Warn("what a peer says about its restart cannot be read", "peer", name, "error", err)
			said = trust.Turn{Wants: "unknown"}
		}
		k.claimed.See(name, said, now)
	}
	standing, next, over := k.claimed.Standing(now, a.cfg.RotateTimeout)
	if !next.IsZero() {
		k.wake = earliest(k.wake, next)
	}
	k.over = over
	return standing
}

// takeTurn claims the turn to restart the server. has says that this agent has it, and fresh that it has just got it: what
// peers have said before they left it to this agent is to be read first.
func (k *trustKeeper) takeTurn(ctx context.Context, a Agent, v view) (has, fresh bool, err error) {
	own, err := a.exchange().Turn(ctx, a.cfg.ServerName)
	if err != nil {
		own = trust.Turn{}
	}
	if k.queued.IsZero() {
		k.queued = time.Now()
	}
	// Each peer may have its turn first, once. One that claims it again and again must not keep the own server from its restart.
	limit := k.queued.Add(a.turnPatience())
	for {
		others := k.claims(ctx, a)
		if len(others) > 0 {
			k.wake = earliest(k.wake, limit)
			if !time.Now().Before(limit) {
				k.over, others = slices.Sorted(maps.Keys(others)), nil
			}
		}
		if end := v.rotation.End(v.inUse); v.rotation.Announced != "" && !end.IsZero() && !time.Now().Before(end) {
			others = nil // the certificate in use is about to end
		}
		next := own.Next(a.cfg.ServerName, v.generation, others, time.Now().UTC())
		if next != own {
			if err := a.exchange().SayTurn(next); err != nil {
				return false, false, fmt.Errorf("claim the turn to restart the server: %w", err)
			}
		}
		switch {
		case next.Has:
			if len(k.over) > 0 && !own.Has {
				a.log.Error("the server restarts though a peer has not finished its restart: both may be down at a time; look at the peer's log", "server", a.cfg.ServerName, "peers", k.over,
					"waited", time.Since(k.queued).Round(time.Second).String())
			}
			k.queue, k.queued = "", time.Time{}
			return true, !own.Has, nil
		case next == own || next.Wants == "":
			k.tellQueue(a, slices.Sorted(maps.Keys(others)))
			return false, false, nil
		}
		own = next
	}
}

// turnPatience is how long the own restart waits for others at most, whatever they say.
func (a Agent) turnPatience() time.Duration {
	return time.Duration(len(a.cfg.Peers)+1) * a.cfg.RotateTimeout
}

// tellQueue logs, once, for whose restart the own one waits.
func (k *trustKeeper) tellQueue(a Agent, names []string) {
	if queue := strings.Join(names, ", "); queue != k.queue {
		a.log.Info("the restart of the server waits until others serve again", "server", a.cfg.ServerName, "others", names, "at most", a.turnPatience().String())
		k.queue = queue
	}
}

// leaveTurn gives the turn up, unless the server is still down for it. A wish for a restart must have been taken back before.
func (k *trustKeeper) leaveTurn(ctx context.Context, a Agent) error {
	k.queued = time.Time{}
	own, err := a.exchange().Turn(ctx, a.cfg.ServerName)
	if err == nil && own.Wants == "" {
		return nil
	}
	if own.Has && a.supervised() {
		started, known, err := k.restarter.Started(ctx)
		if err != nil || known && started.Serves == notify.ServesNot {
			return err
		}
	}
	if err := a.exchange().SayTurn(trust.Turn{}); err != nil {
		return fmt.Errorf("leave the turn to restart to others: %w", err)
	}
	return nil
}
