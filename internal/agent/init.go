package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"wso2agent/internal/notify"
)

// ErrTimeout says that a peer, or a store, did not come within the time set.
var ErrTimeout = errors.New("timed out")

// Init prepares the server's first start: it brings the seed of the product's image onto the config volume, makes the
// server's settings, publishes the own certificate, waits for every peer's, imports them, and
// tells agent exec the generation, so that the server starts with everything in place and needs no restart. Stores
// that are not there yet are waited for; a store that is there and bad is an error at once.
//
// Errors wrap ErrTimeout when INIT_TIMEOUT has passed; with INIT_ON_TIMEOUT=start the missing peers are then only
// warned of.
//
// A server that runs already, as at another `docker compose up`, is left to the sidecar: nothing is switched under it.
//
// Artifacts that the server's image lacks are put on their volume last of all. One that cannot be had holds nothing up, unless
// the server does not start without it.
func (a Agent) Init(ctx context.Context) error {
	if _, err := a.artifacts(); err != nil { // told at once, and not after the peers have come
		return err
	}
	limit, cancel := context.WithTimeout(ctx, a.cfg.InitTimeout)
	defer cancel()
	changes := a.watch(a.trustFolders()...).Changes(limit)
	for waited := ""; ; {
		err := a.applySeed(limit)
		var v view
		if err == nil {
			err = a.alone(limit, func(a Agent) (err error) {
				started, err := a.startedBeside(limit)
				if err == nil {
					v, err = a.pass(limit, started)
				}
				if err != nil || len(v.missing) > 0 && a.cfg.InitOnTimeout != "start" {
					return err
				}
				return a.tellExec(v, started) // before a sidecar can ask for more
			})
		}
		waiting := ""
		switch {
		case (errors.Is(err, fs.ErrNotExist) || waits(err)) && limit.Err() == nil:
			waiting = err.Error()
		case limit.Err() == nil && err != nil:
			return err
		case err == nil && len(v.missing) == 0:
			return a.prepared(ctx, limit, v)
		case err == nil:
			waiting = "the certificate of " + strings.Join(v.missing, ", ")
		}
		if waiting != "" && waiting != waited {
			a.log.Info("waiting", "for", waiting, "at most", a.cfg.InitTimeout.String())
			waited = waiting
		}
		if !waitFor(limit, changes, time.After(a.cfg.Poll), a.cfg.Poll, func() {}, never) {
			return a.outOfTime(ctx, limit, v, err, waited)
		}
	}
}

// startedBeside is what the server beside this agent has started with; nil where none runs.
func (a Agent) startedBeside(ctx context.Context) (*notify.Started, error) {
	present, err := a.control().Present()
	if err != nil || !present {
		return nil, err
	}
	if !a.supervised() { // nobody tells agent exec any more what its start reads
		return &notify.Started{}, nil
	}
	started, _, err := a.control().Started()
	return &started, err
}

// outOfTime ends an init that has waited long enough, or was asked to stop.
func (a Agent) outOfTime(ctx, limit context.Context, v view, err error, waited string) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && a.cfg.InitOnTimeout == "start":
		a.log.Warn("the server starts without trusting every peer (INIT_ON_TIMEOUT=start)", "missing", v.missing, "after", a.cfg.InitTimeout.String())
		return a.prepared(ctx, limit, v)
	case waits(err): // it says itself what to do
		return fmt.Errorf("%w after %s (INIT_TIMEOUT): %w", ErrTimeout, a.cfg.InitTimeout, err)
	}
	return fmt.Errorf("%w after %s waiting for %s; start the agent beside it with the same exchange volume (%s), or raise INIT_TIMEOUT",
		ErrTimeout, a.cfg.InitTimeout, waited, a.cfg.ExchangeDir)
}

// prepared fetches the artifacts, until limit ends where the server does not start without one, and says that the server can
// start.
func (a Agent) prepared(ctx, limit context.Context, v view) error {
	a.tellKept(v.kept)
	a.tellIdentity(v.identity)
	a.tellRefused(v.withheld)
	if err := a.fetchArtifacts(ctx, limit, v.running); err != nil {
		return err
	}
	a.log.Info("ready for the server's start", "generation", v.generation, "trusts", len(v.managed))
	return nil
}

// tellExec tells agent exec what a start of the server reads. One that runs goes on: the sidecar decides about it.
func (a Agent) tellExec(v view, started *notify.Started) error {
	tell := func() (err error) {
		if !a.supervised() {
			_, err = a.control().Note(v.generation) // nobody needs to restart it for this
			return err
		}
		if started == nil {
			_, err = a.control().Want(v.generation)
			return err
		}
		reads, err := a.control().Reads()
		if err != nil || started.Generation == "" || reads == v.generation { // a restart for it may be asked for already
			return err
		}
		_, err = a.control().Hold(started.Generation, v.generation)
		return err
	}
	if err := tell(); err != nil {
		return fmt.Errorf("tell agent exec what the server starts with: %w", err)
	}
	return nil
}
