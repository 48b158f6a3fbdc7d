package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
	"wso2agent/internal/rotation"
	"wso2agent/internal/seed"
	"wso2agent/internal/server"
)

// ErrTimeout says that the time to wait for a peer, or for a store, has passed.
var ErrTimeout = errors.New("timed out")

// Init prepares a start of the server, so that it starts with everything in place and needs no restart. Init brings the seed of the
// product's image onto the config volume, makes the server's settings and the successors, and publishes the own certificates. It
// waits for those of every peer, imports them, and reports the generation to agent exec. It waits for stores that are not there yet.
// A bad store is an error at once.
//
// Errors wrap ErrTimeout when INIT_TIMEOUT has passed; with INIT_ON_TIMEOUT=start Init then only logs
// a warning about the missing peers.
//
// Init leaves a server that runs already to the sidecar, as at another `docker compose up`, and switches nothing under it.
//
// Last of all, Init puts the artifacts that the server's image lacks on their volume. If it cannot obtain one, it exits anyway,
// unless the server does not start without that artifact.
func (a Agent) Init(ctx context.Context) error {
	artifacts, _ := a.artifacts(a.cfg)
	if _, err := artifacts.List(); err != nil { // at once, and not after the peers have come
		return err
	}
	limit, cancel := context.WithTimeout(ctx, a.cfg.Init.Timeout)
	defer cancel()
	changes := a.watch(a.trustFolders()...).Changes(limit)
	k := trustKeeper{init: true, restarter: a.restarter()}
	stock := seed.Of(a.cfg)
	pass := func(ctx context.Context) error {
		err := a.reload() // a seed that has come meanwhile says which version the server has
		if err == nil {
			err = stock.Bring(ctx, a.log, a.control().Dir, a.lockOwn, a.control().Present)
		}
		if err == nil {
			err = server.PrepareKey(ctx, a.cfg, a.log, a.lockOwn)
		}
		if err == nil {
			err = k.once(ctx, a)
		}
		if errors.Is(err, errIdentity) { // the log says so, and the server starts with what it has
			return nil
		}
		return err
	}
	for waited := ""; ; {
		err := pass(limit)
		waiting := ""
		switch {
		case (errors.Is(err, fs.ErrNotExist) || waits(err)) && limit.Err() == nil:
			waiting = err.Error()
		case limit.Err() == nil && err != nil:
			return err
		case err == nil && len(k.last.Missing) == 0:
			return a.prepared(ctx, limit, k.last)
		case err == nil:
			waiting = "the certificate of " + strings.Join(k.last.Missing, ", ")
		}
		if waiting != "" && waiting != waited {
			a.log.Info("waiting", "for", waiting, "at most", a.cfg.Init.Timeout.String())
			waited = waiting
		}
		if !(file.Wait{Changes: changes, Again: time.After(a.cfg.Watch.Poll), Every: a.cfg.Watch.Poll}).For(limit) {
			if a.cfg.Init.OnTimeout == "start" && ended(limit, err) && ctx.Err() == nil { // in the middle of a pass
				if err = pass(ctx); err != nil && !waits(err) && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
			return a.outOfTime(ctx, limit, k.last, err, waited)
		}
	}
}

// outOfTime ends an init that has waited long enough, or was asked to stop.
func (a Agent) outOfTime(ctx, limit context.Context, d rotation.Decision, err error, waited string) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && a.cfg.Init.OnTimeout == "start":
		a.log.Warn("the server starts without trusting every peer (INIT_ON_TIMEOUT=start)", "missing", d.Missing, "after", a.cfg.Init.Timeout.String())
		return a.prepared(ctx, limit, d)
	case waits(err), errors.Is(err, fs.ErrNotExist): // it says itself what to do
		return fmt.Errorf("%w after %s (INIT_TIMEOUT): %w", ErrTimeout, a.cfg.Init.Timeout, err)
	}
	return remedy.Add(fmt.Errorf("%w after %s waiting for %s", ErrTimeout, a.cfg.Init.Timeout, waited),
		"start the agent next to it with the same exchange volume (%s), or raise INIT_TIMEOUT", a.cfg.Trust.ExchangeDir)
}

// prepared fetches the artifacts, until limit ends where the server does not start without one, and says that the server can
// start.
func (a Agent) prepared(ctx, limit context.Context, d rotation.Decision) error {
	running, err := a.control().Present()
	if err == nil {
		err = a.prepareArtifacts(ctx, limit, running)
	}
	if err != nil {
		return err
	}
	a.log.Info("ready for the server's start", "generation", d.Generation, "trusts", len(d.Trusted))
	return nil
}
